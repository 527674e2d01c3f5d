//! What the snapshots of a git repository say. Time is paused: the next look is always due.

mod history;
// The same repositories as those of the whole-program tests.
#[path = "../../../../../tests/git/repository.rs"]
mod repository;
mod signatures;
mod trees;

use std::sync::Arc;
use std::time::Duration;

use fargateer_api::Key;
use fargateer_controller::board::Board;
use fargateer_controller::fleet::Fleet;
use fargateer_controller::port::{Clock, Document, Snapshot, Source};
use fargateer_plan::prune::Policy;
use fargateer_store::source::git::{GitAddress, GitSettings, GitSource};
use jiff::Timestamp;

use self::repository::Repository;
use super::forgetful::Forgetful;
use super::sources::{names, spec};

impl Repository {
    /// `#part` of it as a source.
    fn source(&self, part: &str) -> GitSource {
        self.source_with(part, GitSettings::default())
    }

    fn source_with(&self, part: &str, settings: GitSettings) -> GitSource {
        let address = GitAddress::parse(&format!("{}#{part}", self.shown())).unwrap();
        let folder = part.replace(['/', ':'], "_");
        GitSource::new(address, self.home().join("cache").join(format!("_{folder}")), settings)
    }
}

/// The one document of `name`.
#[track_caller]
fn only<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Document {
    let documents =
        snapshot.documents.get(&Key::new(name)).unwrap_or_else(|| panic!("no {name}: {:?}", snapshot.faults));
    assert_eq!(documents.len(), 1, "{documents:?}");
    &documents[0]
}

/// It is whole, and nothing is wrong with it.
#[track_caller]
fn assert_sound(snapshot: &Snapshot, expected: &[&str]) {
    assert!(snapshot.whole && snapshot.faults.is_empty(), "{:?}", snapshot.faults);
    assert_eq!(names(snapshot), expected);
    assert!(snapshot.documents.values().flatten().all(|document| document.faults.is_empty()));
}

/// It proves nothing about what is not in it, it says why, and so does each of its agents, which are `expected`.
#[track_caller]
fn assert_kept(snapshot: &Snapshot, expected: &[&str], pieces: &[&str]) {
    assert!(!snapshot.whole);
    assert!(snapshot.removed.is_empty());
    assert_eq!(names(snapshot), expected, "{:?}", snapshot.faults);
    assert_says(&snapshot.faults, pieces);
    for (key, documents) in &snapshot.documents {
        assert!(documents[0].agent.is_some(), "{key} has its last good wording");
        assert_says(&documents[0].faults, pieces);
    }
}

#[track_caller]
fn assert_says(faults: &[String], pieces: &[&str]) {
    assert_eq!(faults.len(), 1, "{faults:?}");
    for piece in pieces {
        assert!(faults[0].contains(piece), "{piece} in {faults:?}");
    }
}

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

async fn fleet() -> Fleet {
    let board = Board::load(Arc::new(Forgetful), Arc::new(Epoch)).await.unwrap();
    Fleet::new(Arc::new(board), "test", Policy::default(), 1)
}

#[tokio::test(start_paused = true)]
async fn every_agent_knows_its_file_line_commit_and_author() {
    let repository =
        Repository::with(&[("agents/a.yaml", &format!("# one\n{}", spec("a"))), ("other/b.yaml", &spec("b"))]);
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let mut source = repository.source("main:agents");
    let snapshot = source.next().await;
    assert_sound(&snapshot, &["a"]);
    assert_eq!(snapshot.source, format!("{}#main:agents", repository.shown()));
    let place = &only(&snapshot, "a").source;
    assert_eq!(place.location, format!("{}:agents/a.yaml:2", repository.shown()));
    assert_eq!(place.commit.as_deref(), Some(commit.as_str()));
    assert_eq!(place.author.as_deref(), Some("Ada <ada@example.com>"));

    let later = repository.commit(&[("agents/c.yaml", &spec("c"))]);
    let snapshot = source.next().await;
    assert_eq!(only(&snapshot, "a").source.commit.as_ref(), Some(&commit), "the commit that brought its wording");
    assert_eq!(only(&snapshot, "c").source.commit.as_ref(), Some(&later));
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_changes_one_of_a_thousand_agents_wakes_exactly_one() {
    let names: Vec<String> = (0..1000).map(|number| format!("agent-{number:04}")).collect();
    // Ten to a file: what a commit does not touch stays as it is even beside what it touches.
    let file = |chunk: &[String]| chunk.iter().map(|name| spec(name)).collect::<Vec<_>>().join("---\n");
    let files: Vec<(String, String)> =
        names.chunks(10).enumerate().map(|(number, chunk)| (format!("{number}.yaml"), file(chunk))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let repository = Repository::with(&files);
    let (mut source, fleet) = (repository.source("main"), fleet().await);
    assert_eq!(fleet.update(source.next().await).changed.len(), 1000);
    assert_eq!(fleet.update(source.next().await).changed, []);

    let first = repository.git(&["rev-parse", "HEAD"]);
    let text = files[42].1.replacen("agents/agent-0423:1.0", "agents/agent-0423:1.1", 1);
    let text = text.replacen("metadata: {name: agent-0420}", "# a line more\nmetadata: {name: agent-0420}", 1);
    let commit = repository.commit(&[(files[42].0, &text)]);
    let snapshot = source.next().await;
    let commit_of = |name: &str| only(&snapshot, name).source.commit.clone().unwrap();
    assert_eq!(
        (commit_of("agent-0423"), commit_of("agent-0424"), commit_of("agent-0001")),
        (commit, first.clone(), first)
    );
    let changes = fleet.update(snapshot);
    assert_eq!(changes.changed, [Key::new("agent-0423")]);
    assert_eq!(changes.missing, []);
}

#[tokio::test(start_paused = true)]
async fn files_a_commit_does_not_change_are_not_read_again() {
    let repository = Repository::with(&[("a.yaml", &spec("a")), ("b.yaml", &spec("b"))]);
    let mut source = repository.source("main");
    assert_sound(&source.next().await, &["a", "b"]);
    repository.commit(&[("b.yaml", &format!("# changed\n{}", spec("b")))]);
    let blob = repository.git(&["rev-parse", "HEAD:a.yaml"]);
    let object = repository.path().join("objects").join(&blob[..2]).join(&blob[2..]);
    std::fs::remove_file(object).expect("a loose object");
    assert_sound(&source.next().await, &["a", "b"]);
    assert!(!repository.source_with("main:a.yaml", GitSettings::default()).next().await.whole);
}

#[tokio::test(start_paused = true)]
async fn a_push_that_is_told_is_looked_at_now_and_is_news_only_when_it_is() {
    let repository = Repository::with(&[("a.yaml", &spec("a"))]);
    let mut source = repository.source("main");
    let trigger = source.trigger();
    source.next().await;
    let begun = tokio::time::Instant::now();
    repository.commit(&[("b.yaml", &spec("b"))]);
    trigger.pull();
    assert_sound(&source.next().await, &["a", "b"]);
    assert!(begun.elapsed() < Duration::from_secs(2), "after {:?}", begun.elapsed());

    // Nothing new: the next answer is that of the next poll.
    let begun = tokio::time::Instant::now();
    (0..100).for_each(|_| trigger.pull());
    source.next().await;
    assert!(begun.elapsed() > Duration::from_secs(25), "after {:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn polls_are_not_in_step() {
    let repository = Repository::with(&[("a.yaml", &spec("a"))]);
    let mut source = repository.source("main");
    source.next().await;
    let mut waits = Vec::new();
    for _ in 0..8 {
        let begun = tokio::time::Instant::now();
        source.next().await;
        waits.push(begun.elapsed());
    }
    assert!(waits.iter().all(|wait| (27..=33).contains(&wait.as_secs())), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_given_up_is_not_lost() {
    let repository = Repository::with(&[("a.yaml", &spec("a"))]);
    let mut source = repository.source("main");
    // Given up again and again: the same look goes on.
    while tokio::time::timeout(Duration::ZERO, std::future::pending::<()>()).await.is_err() {
        if let Ok(snapshot) = tokio::time::timeout(Duration::from_millis(1), source.next()).await {
            assert_sound(&snapshot, &["a"]);
            break;
        }
    }
}

#[test]
fn a_trigger_concerns_its_repository_by_whatever_name() {
    let address = GitAddress::parse("git+ssh://git@github.com/org/specs.git#main").unwrap();
    let source = GitSource::new(address, "nowhere".into(), GitSettings::default());
    assert!(source.trigger().concerns("GitHub.com", "Org/specs"));
    assert!(!source.trigger().concerns("github.com", "org/specs2"));
    assert!(!source.trigger().concerns("github.example.com", "org/specs"));
}
