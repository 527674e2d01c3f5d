//! The source itself against real hosts: shallow mirrors, histories that go on and that do not, limits to time and bytes.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use fargateer_api::Key;
use fargateer_controller::port::{Snapshot, Source};
use fargateer_store::source::git::{Credentials, GitAddress, GitSettings, GitSource, Secret};

use super::hosts::{Https, Ssh, TOKEN};
use super::repository::Repository;
use super::spec;

/// Looks come one after the other without a pause.
fn settings(credentials: Credentials) -> GitSettings {
    GitSettings { poll: Duration::ZERO, credentials, ..GitSettings::default() }
}

fn by_https(host: &Https) -> GitSettings {
    settings(Credentials { token: Secret::of(TOKEN), authorities: Some(host.authority()), ..Credentials::default() })
}

fn by_ssh(host: &Ssh, key: &str) -> GitSettings {
    let (ssh_key, known_hosts) = (Some(host.key(key)), Some(host.known_hosts()));
    settings(Credentials { ssh_key, known_hosts, ..Credentials::default() })
}

fn open(address: &str, repository: &Repository, settings: GitSettings) -> GitSource {
    let address = GitAddress::parse(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    GitSource::new(address, repository.home().join("cache"), settings)
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.documents.keys().map(Key::as_str).collect()
}

#[track_caller]
fn assert_sound(snapshot: &Snapshot, expected: &[&str]) {
    assert!(snapshot.whole && snapshot.faults.is_empty(), "{:?}", snapshot.faults);
    assert_eq!(names(snapshot), expected);
}

/// Nothing new is known, what was known is kept, and why is told in one sentence.
#[track_caller]
fn assert_unread(snapshot: &Snapshot, expected: &[&str], why: &str) {
    assert!(!snapshot.whole && snapshot.removed.is_empty());
    assert_eq!(names(snapshot), expected, "{:?}", snapshot.faults);
    assert_eq!(snapshot.faults.len(), 1, "{:?}", snapshot.faults);
    assert!(snapshot.faults[0].contains(why), "{why} in {:?}", snapshot.faults);
    assert!(!format!("{snapshot:?}").contains(TOKEN));
}

/// How many commits the mirror has.
fn mirrored(repository: &Repository) -> usize {
    let mirror = repository.home().join("cache/mirror").display().to_string();
    repository.git(&["--git-dir", &mirror, "rev-list", "--count", "--all"]).parse().expect("a number")
}

/// Pushes a commit that has `agents` and nothing else.
fn push(repository: &Repository, agents: &[&str], image: &str) -> String {
    let files: Vec<(String, String)> = agents.iter().map(|name| (format!("{name}.yaml"), spec(name, image))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    for entry in std::fs::read_dir(repository.work()).expect("the clone").flatten() {
        if entry.path().is_file() {
            std::fs::remove_file(entry.path()).expect("a file of the clone");
        }
    }
    repository.commit(&files)
}

/// The same history by whatever way: what is new is fetched, what is removed is known to be, what is rewritten is not.
async fn is_followed(repository: &Repository, address: &str, settings: GitSettings) {
    (0..30).for_each(|number| drop(push(repository, &["a", "b", "c"], &format!("0.{number}"))));
    let first = push(repository, &["a", "b", "c"], "1.0");
    let mut source = open(address, repository, settings.clone());
    let snapshot = source.next().await;
    assert_sound(&snapshot, &["a", "b", "c"]);
    assert_eq!(snapshot.documents[&Key::new("a")][0].source.commit.as_ref(), Some(&first));
    assert_eq!(mirrored(repository), 1, "one commit deep");

    push(repository, &["a", "b"], "1.0");
    let snapshot = source.next().await;
    assert_sound(&snapshot, &["a", "b"]);
    assert_eq!(snapshot.removed, [Key::new("c")].into());

    // More than one commit: as much history is fetched as shows how it goes on.
    (0..9).for_each(|number| drop(push(repository, &["a", "b"], &format!("2.{number}"))));
    push(repository, &["a"], "2.9");
    let snapshot = source.next().await;
    assert_sound(&snapshot, &["a"]);
    assert_eq!(snapshot.removed, [Key::new("b")].into());

    repository.git(&["reset", "--quiet", "--hard", "HEAD~3"]);
    push(repository, &["d"], "3.0");
    let snapshot = source.next().await;
    assert!(!snapshot.whole && snapshot.faults[0].contains("was rewritten"), "{:?}", snapshot.faults);
    assert_eq!(names(&snapshot), ["d"]);
    let snapshot = source.next().await;
    assert_sound(&snapshot, &["d"]);
    assert!(snapshot.removed.is_empty());

    // Whoever starts anew goes on from the mirror, with nobody to ask.
    drop(source);
    std::fs::rename(repository.path(), repository.home().join("away")).expect("the repository goes");
    let snapshot = open(address, repository, settings.clone()).next().await;
    assert_unread(&snapshot, &["d"], "cannot be read");
    std::fs::rename(repository.home().join("away"), repository.path()).expect("the repository comes back");
    assert_sound(&open(address, repository, settings).next().await, &["d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_followed_by_https() {
    let repository = Repository::empty();
    let host = Https::of(&repository);
    is_followed(&repository, &host.address("specs.git", "main"), by_https(&host)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_followed_by_ssh() {
    let repository = Repository::empty();
    let host = Ssh::of(&repository);
    is_followed(&repository, &host.address("main"), by_ssh(&host, "ours")).await;
}

/// Hosts that do not hear GIT_PROTOCOL tell all their refs at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_followed_in_the_first_version_of_the_protocol() {
    let repository = Repository::empty();
    let host = Ssh::old(&repository);
    repository.commit(&[("z.yaml", &spec("z", "1.0"))]);
    repository.git(&["push", "--quiet", "origin", "HEAD:refs/heads/aaa", "HEAD:refs/tags/a"]);
    is_followed(&repository, &host.address(""), by_ssh(&host, "ours")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_did_not_change_costs_one_question() {
    let repository = Repository::empty();
    push(&repository, &["a"], "1.0");
    let host = Https::of(&repository);
    let mut source = open(&host.address("specs.git", ""), &repository, by_https(&host));
    assert_sound(&source.next().await, &["a"]);
    let before = host.asked();
    assert_sound(&source.next().await, &["a"]);
    assert_eq!(host.asked(), before + 1);
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let address = GitAddress::parse(&host.address("specs.git", &commit)).expect("an address");
    let mut source = GitSource::new(address, repository.home().join("another"), by_https(&host));
    assert_sound(&source.next().await, &["a"]);
    let before = host.asked();
    assert_sound(&source.next().await, &["a"]);
    assert_eq!(host.asked(), before, "a commit that is here is asked for no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_heads_and_vanished_branches_are_told_by_a_remote_host_too() {
    let repository = Repository::empty();
    let host = Https::of(&repository);
    let source = |part: &str| {
        let folder = repository.home().join(format!("cache-{}", part.replace('/', "_")));
        let address = GitAddress::parse(&host.address("specs.git", part)).expect("an address");
        GitSource::new(address, folder, by_https(&host))
    };
    assert_unread(&source("").next().await, &[], "the repository is empty");
    push(&repository, &["a", "b"], "1.0");
    repository.git(&["tag", "--annotate", "--message", "a release", "v1"]);
    repository.git(&["push", "--quiet", "origin", "v1", "HEAD:refs/heads/prod"]);
    let (mut head, mut tag, mut branch) = (source(""), source("v1"), source("refs/heads/prod"));
    for source in [&mut head, &mut tag, &mut branch] {
        assert_sound(&source.next().await, &["a", "b"]);
    }
    push(&repository, &["a"], "2.0");
    repository.git(&["tag", "--force", "v1"]);
    repository.git(&["push", "--quiet", "--force", "origin", "v1", ":refs/heads/prod"]);
    assert_sound(&head.next().await, &["a"]);
    assert_unread(&tag.next().await, &["a"], "the tag refs/tags/v1 was moved");
    assert_unread(&branch.next().await, &["a", "b"], "there is no refs/heads/prod");
    assert_unread(&source("no-such").next().await, &[], "there is no branch or tag no-such");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_and_a_host_nobody_vouches_for_are_told() {
    let repository = Repository::empty();
    push(&repository, &["a"], "1.0");
    let host = Https::of(&repository);
    let address = host.address("specs.git", "main");
    let mut source = open(&address, &repository, by_https(&host));
    assert_sound(&source.next().await, &["a"]);
    host.set_token("another");
    assert_unread(&source.next().await, &["a"], "the host does not accept the token (401)");
    host.set_token(TOKEN);
    assert_sound(&source.next().await, &["a"]);

    let authorities = Some(host.authority());
    let nameless = settings(Credentials { authorities, ..Credentials::default() });
    assert_unread(&open(&address, &repository, nameless).next().await, &["a"], "give a token (401)");
    let trusting = settings(Credentials { token: Secret::of(TOKEN), ..Credentials::default() });
    assert_unread(&open(&address, &repository, trusting).next().await, &["a"], "certificate");
}

/// A token goes to the host it is for, wherever that host sends us.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirection_is_not_followed() {
    let repository = Repository::empty();
    let host = Https::of(&repository);
    let snapshot = open(&host.address("moved/specs.git", "main"), &repository, by_https(&host)).next().await;
    assert_unread(&snapshot, &[], "the host sends us on to elsewhere.example.com/moved/specs.git");
    assert!(!snapshot.faults[0].contains("secret"), "{:?}", snapshot.faults);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_another_key_is_not_talked_to_and_another_key_of_ours_is_refused() {
    let repository = Repository::empty();
    push(&repository, &["a"], "1.0");
    let host = Ssh::of(&repository);
    let mut source = open(&host.address("main"), &repository, by_ssh(&host, "ours"));
    assert_sound(&source.next().await, &["a"]);
    host.know("another");
    assert_unread(&source.next().await, &["a"], "ssh: Host key verification failed.");
    std::fs::write(host.known_hosts(), "").expect("a file of known hosts");
    assert_unread(&source.next().await, &["a"], "ssh: Host key verification failed.");
    host.know("host");
    assert_sound(&source.next().await, &["a"]);
    let mut source = open(&host.address("main"), &repository, by_ssh(&host, "another"));
    assert_unread(&source.next().await, &["a"], "Permission denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_bytes_than_allowed_are_not_taken() {
    let repository = Repository::empty();
    // What does not compress.
    let noise: String = (0..200_000).map(|_| char::from(fastrand::u8(b' '..=b'~'))).collect();
    repository.commit(&[("a.yaml", &spec("a", "1.0")), ("noise.txt", &noise)]);
    let (https, ssh) = (Https::of(&repository), Ssh::of(&repository));
    for (address, settings) in
        [(https.address("specs.git", "main"), by_https(&https)), (ssh.address("main"), by_ssh(&ssh, "ours"))]
    {
        let snapshot = open(&address, &repository, GitSettings { bytes: 100_000, ..settings }).next().await;
        assert_unread(&snapshot, &[], "a shallow copy of the repository is too large");
    }
}

/// A host that takes the call and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_says_nothing_is_left_when_its_time_is_up() {
    let repository = Repository::empty();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("its address").port();
    let known_hosts = repository.home().join("nobody");
    std::fs::write(&known_hosts, "").expect("a file");
    for scheme in ["https", "ssh"] {
        let credentials = Credentials { known_hosts: Some(known_hosts.clone()), ..Credentials::default() };
        let settings = GitSettings { timeout: Duration::from_secs(1), ..settings(credentials) };
        let begun = tokio::time::Instant::now();
        let snapshot = open(&format!("git+{scheme}://127.0.0.1:{port}/specs.git"), &repository, settings).next().await;
        assert_unread(&snapshot, &[], "no answer in 1 s");
        assert!(begun.elapsed() < Duration::from_secs(10), "{scheme} took {:?}", begun.elapsed());
    }
}

/// A source that is dropped leaves nothing behind that would keep the process from ending.
#[test]
fn a_source_that_is_dropped_ends_its_look() {
    let repository = Repository::empty();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("git+https://127.0.0.1:{}/specs.git", silent.local_addr().expect("its address").port());
    let begun = std::time::Duration::from_secs(30);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut source = open(&address, &repository, settings(Credentials::default()));
        assert!(tokio::time::timeout(Duration::from_millis(200), source.next()).await.is_err(), "it waits");
    });
    let (ended, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(runtime);
        ended.send(()).ok();
    });
    wait.recv_timeout(begun).expect("the runtime ends");
}

/// What a killed process left half done does not stop the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_was_left_locked_or_broken_is_used_again_or_made_anew() {
    let repository = Repository::empty();
    push(&repository, &["a"], "1.0");
    let host = Https::of(&repository);
    let address = host.address("specs.git", "main");
    assert_sound(&open(&address, &repository, by_https(&host)).next().await, &["a"]);
    let mirror = repository.home().join("cache/mirror");
    for lock in ["shallow.lock", "packed-refs.lock", "refs/fargateer/branch.lock"] {
        let lock = mirror.join(lock);
        std::fs::create_dir_all(lock.parent().unwrap_or(Path::new("."))).expect("a folder");
        std::fs::write(lock, "").expect("a lock");
    }
    push(&repository, &["a", "b"], "1.0");
    assert_sound(&open(&address, &repository, by_https(&host)).next().await, &["a", "b"]);
    std::fs::remove_file(mirror.join("HEAD")).expect("the mirror breaks");
    push(&repository, &["a", "b", "c"], "1.0");
    assert_sound(&open(&address, &repository, by_https(&host)).next().await, &["a", "b", "c"]);
    std::fs::write(mirror.join("shallow"), "no commits\n").expect("the mirror breaks");
    push(&repository, &["a", "b", "c", "d"], "1.0");
    assert_sound(&open(&address, &repository, by_https(&host)).next().await, &["a", "b", "c", "d"]);
}
