//! Which files of a commit are specs, and what is told of those that cannot be read.

use std::os::unix::fs::symlink;

use fargateer_controller::port::Source;

use super::*;

#[tokio::test(start_paused = true)]
async fn hidden_files_schemas_and_other_files_are_not_read() {
    let bad = "not: [a spec";
    let files = [
        (".hidden.yaml", bad),
        (".github/x.yaml", bad),
        ("a.schema.json", bad),
        ("README.md", bad),
        ("a/b/c.yml", &spec("c")),
    ];
    assert_sound(&Repository::with(&files).source("main").next().await, &["c"]);
}

#[tokio::test(start_paused = true)]
async fn one_file_of_a_commit_may_be_the_source() {
    let repository = Repository::with(&[("agents/one", &spec("one")), ("agents/two.yaml", &spec("two"))]);
    assert_sound(&repository.source("main:agents/one").next().await, &["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_path_that_a_commit_does_not_have_is_told() {
    let repository = Repository::with(&[("a.yaml", &spec("a"))]);
    assert_kept(&repository.source("main:specs").next().await, &[], &["has no specs"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_left_to_lfs_is_told_and_its_agents_are_kept() {
    let repository = Repository::with(&[("a.yaml", &spec("a")), ("b.yaml", &spec("b"))]);
    let mut source = repository.source("main");
    source.next().await;
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    repository.commit(&[("a.yaml", pointer)]);
    let snapshot = source.next().await;
    assert!(!snapshot.whole);
    assert_says(&snapshot.faults, &["a.yaml:1:1", "a Git LFS pointer stands here", "git lfs migrate export"]);
    assert_eq!(names(&snapshot), ["a", "b"]);
    assert_says(&only(&snapshot, "a").faults, &["a Git LFS pointer"]);
    assert!(only(&snapshot, "a").agent.is_some() && only(&snapshot, "b").faults.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_submodule_is_told_not_fetched_and_nothing_is_deleted_beside_it() {
    let repository = Repository::with(&[("agents/a.yaml", &spec("a"))]);
    let other = Repository::with(&[("b.yaml", &spec("b"))]);
    repository.git(&["submodule", "--quiet", "add", &other.path().display().to_string(), "agents/more"]);
    repository.commit(&[]);
    let snapshot = repository.source("main").next().await;
    assert!(!snapshot.whole);
    assert_eq!(names(&snapshot), ["a"]);
    assert_says(&snapshot.faults, &["agents/more: a submodule is not read"]);
    assert!(only(&snapshot, "a").faults.is_empty());
}

#[tokio::test(start_paused = true)]
async fn links_are_followed_within_the_path_and_no_further() {
    let repository = Repository::with(&[
        ("agents/real/a.yaml", &spec("a")),
        ("agents/b.yaml", &spec("b")),
        ("out/c.yaml", &spec("c")),
    ]);
    let agents = repository.work().join("agents");
    symlink("real", agents.join("again")).unwrap();
    symlink("b.yaml", agents.join("also.yaml")).unwrap();
    symlink("circle", agents.join("circle")).unwrap();
    repository.commit(&[]);
    assert_sound(&repository.source("main:agents").next().await, &["a", "b"]);
    assert_sound(&repository.source("main:agents/again").next().await, &["a"]);

    symlink("../out/c.yaml", agents.join("c.yaml")).unwrap();
    symlink("/etc/passwd", agents.join("d.yaml")).unwrap();
    symlink("../../../../etc/passwd", agents.join("e.yaml")).unwrap();
    repository.commit(&[]);
    let snapshot = repository.source("main:agents").next().await;
    assert!(!snapshot.whole);
    assert_eq!(names(&snapshot), ["a", "b"]);
    let faults = snapshot.faults.join("\n");
    assert!(faults.contains("agents/c.yaml: symbolic link to out/c.yaml, which is outside agents"), "{faults}");
    for file in ["d.yaml", "e.yaml"] {
        assert!(faults.contains(&format!("agents/{file}: symbolic link to nothing in the commit")), "{faults}");
    }
    assert_sound(&repository.source("main:out").next().await, &["c"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_too_large_is_not_read_and_is_told() {
    // What does not compress, so that its object can be cut off behind its head: whoever reads it to the end fails.
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b' ' + u8::try_from(state >> 26).unwrap())
    };
    let large: String = (0..=fargateer_api::yaml::MAX_BYTES).map(|_| letter()).collect();
    let repository = Repository::with(&[("a.yaml", &spec("a")), ("large.yaml", &large)]);
    let blob = repository.git(&["rev-parse", "HEAD:large.yaml"]);
    let object = repository.path().join("objects").join(&blob[..2]).join(&blob[2..]);
    let bytes = std::fs::read(&object).unwrap();
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, &bytes[..4096]).unwrap();
    let snapshot = repository.source("main").next().await;
    assert!(!snapshot.whole);
    assert_says(&snapshot.faults, &["large.yaml:1:1", "is too large"]);
}

/// A commit's author is text of others.
#[tokio::test(start_paused = true)]
async fn an_author_does_not_act_on_a_screen() {
    let repository = Repository::with(&[("a.yaml", &spec("a"))]);
    repository.git(&["commit", "--quiet", "--amend", "--no-edit", "--author", "E\u{1b}[2Jve <eve@example.com>"]);
    repository.push();
    let snapshot = repository.source("main").next().await;
    let author = only(&snapshot, "a").source.author.clone().unwrap();
    assert!(author.contains("ve <eve@example.com>") && !author.contains('\u{1b}'), "{author:?}");
}

/// Neither hooks nor the repository's configuration run anything: both are somebody else's.
#[tokio::test(start_paused = true)]
async fn nothing_a_repository_says_is_run() {
    let repository = Repository::with(&[("a.yaml", &spec("a"))]);
    let trace = repository.home().join("trace");
    let command = format!("touch {}", trace.display());
    for key in ["core.fsmonitor", "core.sshCommand", "uploadpack.packObjectsHook", "credential.helper"] {
        repository.bare(&["config", key, &command]);
    }
    assert_sound(&repository.source("main").next().await, &["a"]);
    assert!(!trace.exists());
}
