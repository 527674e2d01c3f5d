//! What a folder's snapshots say. Time is paused: the next poll is always due.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use fargateer_api::Key;
use fargateer_controller::port::{Document, Snapshot, Source};
use fargateer_store::source::dir::{DirSettings, DirectorySource};
use tempfile::TempDir;

/// A folder `manifests` of specs, in a folder of its own.
pub(super) struct Folder {
    home: TempDir,
}

impl Folder {
    pub(super) fn new() -> Self {
        let folder = Self { home: TempDir::new().unwrap() };
        fs::create_dir(folder.path()).unwrap();
        folder
    }

    pub(super) fn path(&self) -> PathBuf {
        self.home.path().join("manifests")
    }

    pub(super) fn write(&self, file: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(super) fn source(&self) -> DirectorySource {
        DirectorySource::new(self.path(), DirSettings::default())
    }

    fn at(&self, location: &str) -> String {
        format!("{}/{location}", self.path().display())
    }
}

/// A sound document.
pub(super) fn spec(name: &str) -> String {
    format!(
        "apiVersion: fargateer/v1
kind: AgentDeployment
metadata: {{name: {name}}}
spec:
  cluster: agents
  image: {{uri: \"111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/{name}:1.0\"}}
  network: {{subnets: [subnet-0a1b2c3d4e5f60718]}}
  roles: {{execution: agent-execution}}
"
    )
}

/// A document with a name and a fault in line 5.
fn faulty(name: &str) -> String {
    spec(name).replace("  cluster: agents", "  cluster: 7")
}

pub(super) fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.documents.keys().map(Key::as_str).collect()
}

fn only<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Document {
    let documents = &snapshot.documents[&Key::new(name)];
    assert_eq!(documents.len(), 1, "{documents:?}");
    &documents[0]
}

fn assert_one_fault(snapshot: &Snapshot, pieces: &[&str]) {
    assert_eq!(snapshot.faults.len(), 1, "{:?}", snapshot.faults);
    for piece in pieces {
        assert!(snapshot.faults[0].contains(piece), "{piece} in {:?}", snapshot.faults);
    }
}

#[tokio::test(start_paused = true)]
async fn documents_of_all_files_in_all_folders_are_read_with_their_places() {
    let folder = Folder::new();
    folder.write("sales.yaml", format!("# two\n{}---\n{}", spec("assistant"), spec("translator")));
    folder.write("europe/north/fish.yml", spec("fish"));
    folder.write("flat.json", fs::read("../../examples/flat-request.json").unwrap());
    let snapshot = folder.source().next().await;
    assert!(snapshot.whole && snapshot.faults.is_empty(), "{:?}", snapshot.faults);
    assert_eq!(snapshot.source, folder.path().display().to_string());
    assert_eq!(snapshot.documents.len(), 4);
    assert_eq!(only(&snapshot, "assistant").source.location, folder.at("sales.yaml:2"));
    assert_eq!(only(&snapshot, "translator").source.location, folder.at("sales.yaml:11"));
    assert_eq!(only(&snapshot, "fish").source.location, folder.at("europe/north/fish.yml:1"));
}

#[tokio::test(start_paused = true)]
async fn the_manifests_of_this_repository_are_read_whole() {
    let path = PathBuf::from("../../manifests");
    let snapshot = DirectorySource::new(path, DirSettings::default()).next().await;
    assert!(snapshot.whole && snapshot.faults.is_empty(), "{:?}", snapshot.faults);
    assert!(snapshot.documents.values().flatten().all(|document| document.faults.is_empty()));
    assert!(only(&snapshot, "sales-assistant").source.location.starts_with("../../manifests/sales.yaml:"));
}

#[tokio::test(start_paused = true)]
async fn a_source_may_be_a_single_file() {
    let folder = Folder::new();
    folder.write("sales.yaml", spec("sales")).write("other.yaml", spec("other"));
    let path = folder.path().join("sales.yaml");
    let snapshot = DirectorySource::new(path, DirSettings::default()).next().await;
    assert!(snapshot.whole);
    assert_eq!(names(&snapshot), ["sales"]);
    assert_eq!(only(&snapshot, "sales").source.location, folder.at("sales.yaml:1"));
}

#[tokio::test(start_paused = true)]
async fn hidden_files_schemas_and_other_files_are_not_read() {
    let folder = Folder::new();
    for file in [".hidden.yaml", ".git/x.yaml", "a.schema.json", "README.md", "yaml"] {
        folder.write(file, "not: [a spec");
    }
    let snapshot = folder.write("a.yaml", spec("a")).source().next().await;
    assert!(snapshot.whole && snapshot.faults.is_empty(), "{:?}", snapshot.faults);
    assert_eq!(names(&snapshot), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_folder_is_whole_and_says_nothing() {
    let snapshot = Folder::new().source().next().await;
    assert!(snapshot.whole && snapshot.documents.is_empty() && snapshot.faults.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_missing_folder_is_not_whole_until_it_is_there() {
    let folder = Folder::new();
    fs::remove_dir(folder.path()).unwrap();
    let mut source = folder.source();
    let snapshot = source.next().await;
    assert!(!snapshot.whole);
    assert_one_fault(&snapshot, &[&folder.path().display().to_string(), "cannot be read"]);
    folder.write("a.yaml", spec("a"));
    let snapshot = source.next().await;
    assert!(snapshot.whole && snapshot.faults.is_empty());
    assert_eq!(names(&snapshot), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_removed_file_takes_its_agents_away() {
    let folder = Folder::new();
    let mut source = folder.write("a.yaml", spec("a")).write("b.yaml", spec("b")).source();
    source.next().await;
    fs::remove_file(folder.path().join("b.yaml")).unwrap();
    let snapshot = source.next().await;
    assert!(snapshot.whole);
    assert_eq!(names(&snapshot), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn every_poll_is_a_read_of_its_own() {
    let folder = Folder::new();
    let mut source = folder.write("a.yaml", spec("a")).source();
    source.next().await;
    for _ in 0..3 {
        let begin = tokio::time::Instant::now();
        assert!(source.next().await.whole);
        assert_eq!(begin.elapsed().as_secs(), 30);
    }
}

#[tokio::test(start_paused = true)]
async fn a_faulty_document_keeps_its_last_good_spec() {
    let folder = Folder::new();
    let mut source = folder.write("a.yaml", spec("a")).source();
    let before = source.next().await;
    folder.write("a.yaml", faulty("a"));
    for _ in 0..2 {
        let snapshot = source.next().await;
        assert!(snapshot.whole, "the file names all its agents");
        let document = only(&snapshot, "a");
        assert_eq!(document.agent, only(&before, "a").agent);
        assert_eq!(document.source.location, folder.at("a.yaml:5"));
        assert!(document.faults[0].starts_with(&folder.at("a.yaml:5:12: spec.cluster: ")), "{:?}", document.faults);
    }
    folder.write("a.yaml", spec("a"));
    assert_eq!(source.next().await.documents, before.documents);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_was_never_good_has_faults_only() {
    let folder = Folder::new();
    let snapshot = folder.write("a.yaml", format!("{}---\n{}", spec("b"), faulty("a"))).source().next().await;
    assert!(snapshot.whole && snapshot.faults.is_empty());
    assert_eq!(only(&snapshot, "a").agent, None);
    assert!(!only(&snapshot, "a").faults.is_empty());
    assert!(only(&snapshot, "b").agent.is_some() && only(&snapshot, "b").faults.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_spec_moved_and_broken_in_one_go_keeps_its_last_good_wording() {
    let folder = Folder::new();
    let mut source = folder.write("a.yaml", spec("a")).source();
    source.next().await;
    fs::remove_file(folder.path().join("a.yaml")).unwrap();
    folder.write("b.yaml", faulty("a"));
    for _ in 0..2 {
        let snapshot = source.next().await;
        assert!(only(&snapshot, "a").agent.is_some());
        assert!(only(&snapshot, "a").source.location.starts_with(&folder.at("b.yaml:")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_no_text_any_more_keeps_all_its_agents() {
    let folder = Folder::new();
    let both = format!("{}---\n{}", spec("a"), spec("b"));
    let mut source = folder.write("both.yaml", &both).write("c.yaml", spec("c")).source();
    let before = source.next().await;
    for broken in [&b"\xff\xfe"[..], b"- [", both.repeat(600).as_bytes()] {
        folder.write("both.yaml", broken);
        for _ in 0..2 {
            let snapshot = source.next().await;
            assert!(!snapshot.whole);
            assert_one_fault(&snapshot, &["both.yaml:"]);
            assert_eq!(names(&snapshot), ["a", "b", "c"]);
            for name in ["a", "b"] {
                assert_eq!(only(&snapshot, name).agent, only(&before, name).agent);
                assert_eq!(only(&snapshot, name).faults, snapshot.faults);
                assert_eq!(only(&snapshot, name).source, only(&before, name).source);
            }
            assert_eq!(only(&snapshot, "c"), only(&before, "c"));
        }
    }
    folder.write("both.yaml", &both);
    assert_eq!(source.next().await.documents, before.documents);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_lost_its_name_is_kept_beside_one_that_did_not() {
    let folder = Folder::new();
    let mut source = folder.write("x.yaml", format!("{}---\n{}", spec("a"), spec("b"))).source();
    source.next().await;
    folder.write("x.yaml", format!("{}---\n{}", spec("a"), spec("b").replace("{name: b}", "{}")));
    let snapshot = source.next().await;
    assert!(!snapshot.whole && !snapshot.faults.is_empty());
    assert!(only(&snapshot, "a").faults.is_empty());
    assert!(only(&snapshot, "b").agent.is_some() && !only(&snapshot, "b").faults.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_left_a_broken_file_is_not_in_both() {
    let folder = Folder::new();
    let mut source = folder.write("old.yaml", spec("a")).source();
    source.next().await;
    folder.write("old.yaml", "- [").write("new.yaml", spec("a"));
    let snapshot = source.next().await;
    assert!(!snapshot.whole);
    assert_eq!(only(&snapshot, "a").source.location, folder.at("new.yaml:1"));
    assert!(only(&snapshot, "a").faults.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_name_used_twice_has_two_documents() {
    let folder = Folder::new();
    let snapshot = folder.write("x.yaml", spec("a")).write("y.yaml", spec("a")).source().next().await;
    let documents = &snapshot.documents[&Key::new("a")];
    let places: Vec<&str> = documents.iter().map(|document| document.source.location.as_str()).collect();
    assert_eq!(places, [folder.at("x.yaml:1"), folder.at("y.yaml:1")]);
    assert!(documents.iter().all(|document| document.agent.is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_file_of_300_kib_is_refused_unread() {
    let folder = Folder::new();
    let large = format!("{}#{}", spec("large"), "x".repeat(300 * 1024));
    let snapshot = folder.write("large.yaml", &large).write("a.yaml", spec("a")).source().next().await;
    assert!(!snapshot.whole);
    let size = format!("{} bytes is too large", large.len());
    assert_one_fault(&snapshot, &["large.yaml:1:1: ", &size, "(at most 262144 bytes; split it)"]);
    assert_eq!(names(&snapshot), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_source_of_more_than_ten_mib_is_refused_altogether() {
    let folder = Folder::new();
    let padding = "x".repeat(200 * 1024);
    for number in 0..53 {
        folder.write(&format!("{number}.yaml"), format!("{}#{padding}", spec(&format!("agent-{number}"))));
    }
    let snapshot = folder.source().next().await;
    assert!(!snapshot.whole && snapshot.documents.is_empty());
    assert_one_fault(&snapshot, &["more than 10485760 bytes"]);
}

#[tokio::test(start_paused = true)]
async fn a_source_of_more_than_ten_thousand_files_is_refused_altogether() {
    let folder = Folder::new();
    for number in 0..=10_000 {
        fs::write(folder.path().join(format!("{number}.yaml")), "").unwrap();
    }
    let mut source = folder.source();
    let snapshot = source.next().await;
    assert!(!snapshot.whole && snapshot.documents.is_empty());
    assert_one_fault(&snapshot, &["too many files", "at most 10000 files"]);
    fs::remove_file(folder.path().join("0.yaml")).unwrap();
    let snapshot = source.next().await;
    assert_eq!(snapshot.faults.len(), 10_000, "each file is read, and told to be empty");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_emptied_keeps_its_agents_and_says_so() {
    let folder = Folder::new();
    folder.write("a.yaml", spec("agent"));
    let mut source = folder.source();
    assert!(source.next().await.whole);
    folder.write("a.yaml", "");
    let snapshot = source.next().await;
    assert!(!snapshot.whole && snapshot.faults[0].contains("holds no document"), "{:?}", snapshot.faults);
    let kept = snapshot.documents.values().flatten().next().expect("its last good spec is kept");
    assert!(kept.agent.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_link_that_leaves_the_folder_is_refused() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    elsewhere.write("secret.yaml", spec("secret")).write("notes.txt", "");
    let target = elsewhere.path().canonicalize().unwrap();
    for (link, leads_to) in [("file.yaml", target.join("secret.yaml")), ("folder", target.clone())] {
        let link = folder.path().join(link);
        symlink(&leads_to, &link).unwrap();
        let snapshot = folder.source().next().await;
        assert!(!snapshot.whole && snapshot.documents.is_empty());
        assert_one_fault(&snapshot, &[&link.display().to_string(), &leads_to.display().to_string(), "outside"]);
        fs::remove_file(link).unwrap();
    }
    symlink(target.join("notes.txt"), folder.path().join("notes.txt")).unwrap();
    assert!(folder.source().next().await.whole, "a link that is no spec is nobody's business");
    symlink("nowhere", folder.path().join("dangling.yaml")).unwrap();
    let snapshot = folder.source().next().await;
    assert!(!snapshot.whole);
    assert_one_fault(&snapshot, &["dangling.yaml: cannot be read"]);
}

#[tokio::test(start_paused = true)]
async fn links_within_the_folder_are_followed_and_circles_end() {
    let folder = Folder::new();
    folder.write(".versions/7/a.yaml", spec("a")).write("team/b.yaml", spec("b"));
    symlink(".versions/7", folder.path().join("current")).unwrap();
    symlink(Path::new("b.yaml"), folder.path().join("team/again.yaml")).unwrap();
    symlink("..", folder.path().join("team/up")).unwrap();
    symlink("team", folder.path().join("same")).unwrap();
    let snapshot = folder.source().next().await;
    assert!(snapshot.whole && snapshot.faults.is_empty(), "{:?}", snapshot.faults);
    assert_eq!(only(&snapshot, "a").source.location, folder.at("current/a.yaml:1"));
    assert_eq!(only(&snapshot, "b").source.location, folder.at("team/b.yaml:1"));
    symlink("circle.yaml", folder.path().join("circle.yaml")).unwrap();
    let snapshot = folder.source().next().await;
    assert!(!snapshot.whole);
    assert_one_fault(&snapshot, &["circle.yaml: cannot be read"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_with_control_characters_is_told_without_them() {
    let folder = Folder::new();
    let snapshot = folder.write("a\u{1b}[2J\n.yaml", spec("a")).source().next().await;
    assert_eq!(only(&snapshot, "a").source.location, folder.at("a\\u{1b}[2J\\n.yaml:1"));
}

#[tokio::test(start_paused = true)]
async fn giving_up_on_a_read_loses_nothing() {
    let folder = Folder::new();
    let mut source = folder.write("a.yaml", spec("a")).source();
    // The first poll starts the read; the future is dropped before its end, unless the read ends within that poll.
    let early = tokio::select! { biased; read = source.next() => Some(read), () = std::future::ready(()) => None };
    let snapshot = match early {
        Some(snapshot) => snapshot,
        None => source.next().await,
    };
    assert_eq!(names(&snapshot), ["a"]);
}
