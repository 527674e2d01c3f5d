//! What is deletion evidence and what is not: removed by a commit, or lost with a branch, a history, a whole checkout.

use fargateer_api::Key;
use fargateer_controller::port::Source;
use fargateer_plan::desired::Spec;

use super::*;

#[tokio::test(start_paused = true)]
async fn what_a_commit_removes_is_removed_on_purpose() {
    let repository = Repository::with(&[("a.yaml", &spec("a")), ("b.yaml", &spec("b"))]);
    let mut source = repository.source("main");
    source.next().await;
    repository.commit(&[("c.yaml", &spec("c"))]);
    repository.commit(&[("b.yaml", "")]);
    let snapshot = source.next().await;
    assert_sound(&snapshot, &["a", "c"]);
    assert_eq!(snapshot.removed, [Key::new("b")].into());
    assert!(source.next().await.removed.is_empty(), "once");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_a_commit_renames_removes_nobody() {
    let repository = Repository::with(&[("a.yaml", &spec("a")), ("b.yaml", &spec("b"))]);
    let mut source = repository.source("main");
    source.next().await;
    repository.commit(&[("b.yaml", ""), ("team/b.yml", &spec("b"))]);
    let snapshot = source.next().await;
    assert_sound(&snapshot, &["a", "b"]);
    assert!(snapshot.removed.is_empty(), "{:?}", snapshot.removed);
    assert!(only(&snapshot, "b").source.location.contains("team/b.yml"));
}

#[tokio::test(start_paused = true)]
async fn what_a_commit_removed_while_nobody_looked_is_not_known_to_be_removed() {
    let repository = Repository::with(&[("a.yaml", &spec("a")), ("b.yaml", &spec("b"))]);
    repository.source("main").next().await;
    repository.commit(&[("b.yaml", "")]);
    let snapshot = repository.source("main").next().await;
    assert_sound(&snapshot, &["a"]);
    assert!(snapshot.removed.is_empty(), "it takes two reads");
}

#[tokio::test(start_paused = true)]
async fn a_force_push_is_followed_and_deletes_nothing_until_it_was_read_again() {
    let repository = Repository::with(&[("a.yaml", &spec("a")), ("b.yaml", &spec("b"))]);
    repository.commit(&[("c.yaml", &spec("c"))]);
    let mut source = repository.source("main");
    assert_sound(&source.next().await, &["a", "b", "c"]);
    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    repository.commit(&[("a.yaml", &spec("a").replace("a:1.0", "a:2.0"))]);
    let snapshot = source.next().await;
    assert!(!snapshot.whole && snapshot.removed.is_empty());
    assert_eq!(names(&snapshot), ["a", "b"]);
    assert_says(&snapshot.faults, &["refs/heads/main was rewritten", "force-push", "nothing is deleted until"]);
    let uri = only(&snapshot, "a").agent.as_ref().unwrap().spec.image.uri.clone();
    assert!(uri.unwrap().ends_with("a:2.0"), "what is there is taken");
    let snapshot = source.next().await;
    assert_sound(&snapshot, &["a", "b"]);
    assert!(snapshot.removed.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_force_push_while_nobody_looked_is_noticed_all_the_same() {
    let repository = Repository::with(&[("a.yaml", &spec("a")), ("b.yaml", &spec("b"))]);
    repository.source("main").next().await;
    repository.git(&["checkout", "--quiet", "--orphan", "other"]);
    repository.git(&["branch", "--delete", "--force", "main"]);
    repository.git(&["branch", "--move", "main"]);
    repository.git(&["rm", "--quiet", "--cached", "b.yaml"]);
    std::fs::remove_file(repository.work().join("b.yaml")).unwrap();
    repository.commit(&[]);
    let snapshot = repository.source("main").next().await;
    assert!(!snapshot.whole);
    assert_says(&snapshot.faults, &["was rewritten"]);
}

#[tokio::test(start_paused = true)]
async fn a_moved_tag_is_told_and_deletes_nothing_until_it_was_read_again() {
    let repository = Repository::with(&[("a.yaml", &spec("a")), ("b.yaml", &spec("b"))]);
    let tag = |name: &str| {
        repository.git(&["tag", "--force", "--annotate", "--message", "a release", name]);
        repository.git(&["push", "--quiet", "--force", "origin", name]);
    };
    tag("v1");
    let mut source = repository.source("v1");
    assert_sound(&source.next().await, &["a", "b"]);
    repository.commit(&[("b.yaml", "")]);
    assert_sound(&source.next().await, &["a", "b"]);
    tag("v1");
    let snapshot = source.next().await;
    assert!(!snapshot.whole);
    assert_says(&snapshot.faults, &["the tag refs/tags/v1 was moved from", "nothing is deleted"]);
    assert_sound(&source.next().await, &["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_is_gone_keeps_every_agent_and_says_so() {
    let repository = Repository::with(&[("a.yaml", &spec("a")), ("b.yaml", &spec("b"))]);
    repository.git(&["push", "--quiet", "origin", "HEAD:refs/heads/prod"]);
    let mut source = repository.source("prod");
    assert_sound(&source.next().await, &["a", "b"]);
    repository.bare(&["branch", "--delete", "--force", "prod"]);
    let why = ["there is no branch or tag prod", "is kept"];
    assert_kept(&source.next().await, &["a", "b"], &why);
    assert_kept(&source.next().await, &["a", "b"], &why);
    // Whoever starts anew knows it, too.
    assert_kept(&repository.source("prod").next().await, &["a", "b"], &why);
    repository.git(&["push", "--quiet", "origin", "HEAD:refs/heads/prod"]);
    assert_sound(&source.next().await, &["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_repository_says_so_and_proves_nothing() {
    let repository = Repository::empty();
    for part in ["", "main"] {
        let snapshot = repository.source(part).next().await;
        assert_kept(
            &snapshot,
            &[],
            &[if part.is_empty() { "the repository is empty" } else { "no branch or tag main" }],
        );
    }
    let mut source = repository.source("");
    source.next().await;
    repository.commit(&[("a.yaml", &spec("a"))]);
    assert_sound(&source.next().await, &["a"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_checkout_keeps_every_agent_and_says_so() {
    let repository =
        Repository::with(&[("agents/a.yaml", &spec("a")), ("agents/b.yaml", &spec("b")), ("README.md", "x")]);
    let mut source = repository.source("main:agents");
    assert_sound(&source.next().await, &["a", "b"]);
    repository.commit(&[("agents/a.yaml", ""), ("agents/b.yaml", ""), ("agents/README.md", "nothing here")]);
    assert_kept(&source.next().await, &["a", "b"], &["has no specs under agents", "is kept"]);
    repository.commit(&[("agents/README.md", "")]);
    assert_kept(&source.next().await, &["a", "b"], &["has no agents", "is kept"]);
    assert_kept(&repository.source("main:agents").next().await, &["a", "b"], &["has no agents", "is kept"]);
}

/// The fleet's own guard is behind all of this: zero deletions, and every status says why.
#[tokio::test(start_paused = true)]
async fn nothing_that_befalls_a_whole_repository_lets_an_agent_go() {
    let files = [("a.yaml", spec("a")), ("b.yaml", spec("b")), ("c.yaml", spec("c"))];
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (*file, text.as_str())).collect();
    let all = |text: &'static str| files.iter().map(|(file, _)| (*file, text)).collect::<Vec<(&str, &str)>>();
    for why in ["a.yaml:1", "has no specs", "there is no branch", "no such folder"] {
        let repository = Repository::with(&files);
        let (mut source, fleet) = (repository.source("main"), fleet().await);
        fleet.update(source.next().await);
        match why {
            "a.yaml:1" => drop(repository.commit(&all("apiVersion: ["))),
            "has no specs" => drop(repository.commit(&all(""))),
            "there is no branch" => drop(repository.bare(&["branch", "--delete", "--force", "main"])),
            _ => std::fs::remove_dir_all(repository.path()).unwrap(),
        }
        for _ in 0..3 {
            let changes = fleet.update(source.next().await);
            assert_eq!(changes.missing, [], "{why}");
        }
        let Spec::Present { faults, .. } = fleet.spec(&Key::new("a")) else { panic!("{why}: a is gone") };
        // A host that cannot be asked for a moment is no news of any agent; it is told for the source.
        let faults = if why == "no such folder" { fleet.faults() } else { faults };
        assert!(faults.iter().any(|fault| fault.contains(why)), "{why}: {faults:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_default_branch_that_changes_proves_nothing_at_first() {
    let repository = Repository::with(&[("a.yaml", &spec("a")), ("b.yaml", &spec("b"))]);
    let mut source = repository.source("");
    assert_sound(&source.next().await, &["a", "b"]);
    repository.git(&["checkout", "--quiet", "-b", "next"]);
    repository.commit(&[("b.yaml", "")]);
    assert_sound(&source.next().await, &["a", "b"]);
    repository.bare(&["symbolic-ref", "HEAD", "refs/heads/next"]);
    let snapshot = source.next().await;
    assert!(!snapshot.whole);
    assert_says(&snapshot.faults, &["refs/heads/next counts now instead of refs/heads/main"]);
    assert_sound(&source.next().await, &["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_can_be_named_and_stays() {
    let repository = Repository::with(&[("a.yaml", &spec("a"))]);
    let first = repository.git(&["rev-parse", "HEAD"]);
    repository.commit(&[("b.yaml", &spec("b"))]);
    assert_sound(&repository.source(&first).next().await, &["a"]);
    let unknown = "0".repeat(39) + "1";
    let snapshot = repository.source(&format!("{unknown}:b.yaml")).next().await;
    assert!(!snapshot.whole);
    assert_says(&snapshot.faults, &["commit 0000000000 cannot be read"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_a_branch_and_a_tag_is_refused_until_it_is_written_in_full() {
    let repository = Repository::with(&[("a.yaml", &spec("a"))]);
    repository.git(&["push", "--quiet", "origin", "HEAD:refs/heads/v1", "HEAD:refs/tags/v1"]);
    assert_kept(&repository.source("v1").next().await, &[], &["v1 is a branch and a tag; name refs/heads/v1"]);
    assert_sound(&repository.source("refs/tags/v1").next().await, &["a"]);
}
