//! Changes are noticed without waiting for a poll: real events, real time. Waiting is for `next` itself.

use std::fs;
use std::time::Duration;

use fargateer_controller::port::{Snapshot, Source};
use fargateer_store::source::dir::{DirSettings, DirectorySource};
use tokio::time::{Instant, timeout_at};

use super::sources::{Folder, names, spec};

const NEVER: Duration = Duration::from_hours(1);

fn watched(path: std::path::PathBuf) -> DirectorySource {
    DirectorySource::new(path, DirSettings { poll: NEVER, debounce: Duration::from_millis(20) })
}

async fn next(source: &mut DirectorySource) -> Snapshot {
    timeout_at(Instant::now() + Duration::from_secs(30), source.next()).await.expect("a change is noticed")
}

/// The snapshots until one has the agents `wanted`: a write may be seen half done.
async fn until(source: &mut DirectorySource, wanted: &[&str]) -> Snapshot {
    loop {
        let snapshot = next(source).await;
        if names(&snapshot) == wanted {
            return snapshot;
        }
    }
}

#[tokio::test]
async fn a_new_a_changed_and_a_removed_file_are_noticed() {
    let folder = Folder::new();
    let mut source = watched(folder.path());
    next(&mut source).await;
    folder.write("a.yaml", spec("a"));
    until(&mut source, &["a"]).await;
    folder.write("deep/er/b.yaml", spec("b"));
    until(&mut source, &["a", "b"]).await;
    folder.write("deep/er/b.yaml", spec("c"));
    until(&mut source, &["a", "c"]).await;
    fs::remove_dir_all(folder.path().join("deep")).unwrap();
    assert!(until(&mut source, &["a"]).await.whole);
}

#[tokio::test]
async fn a_replaced_file_is_noticed_where_the_source_is_that_file() {
    let folder = Folder::new();
    folder.write("a.yaml", spec("a"));
    let mut source = watched(folder.path().join("a.yaml"));
    until(&mut source, &["a"]).await;
    for name in ["b", "c"] {
        folder.write("a.yaml.new", spec(name));
        fs::rename(folder.path().join("a.yaml.new"), folder.path().join("a.yaml")).unwrap();
        until(&mut source, &[name]).await;
    }
}

#[tokio::test]
async fn a_change_of_nothing_is_no_snapshot() {
    let folder = Folder::new();
    folder.write("a.yaml", spec("a"));
    let mut source = watched(folder.path());
    next(&mut source).await;
    folder.write("a.yaml", spec("a")).write("README.md", "new").write(".hidden/b.yaml", spec("b"));
    // Were those a change, they would be answered first.
    folder.write(".c.yaml", spec("c"));
    fs::rename(folder.path().join(".c.yaml"), folder.path().join("c.yaml")).unwrap();
    assert_eq!(names(&next(&mut source).await), ["a", "c"]);
}

#[tokio::test]
async fn a_folder_that_is_moved_away_is_noticed() {
    let folder = Folder::new();
    folder.write("a.yaml", spec("a"));
    let mut source = watched(folder.path());
    next(&mut source).await;
    fs::rename(folder.path(), folder.path().with_file_name("elsewhere")).unwrap();
    assert!(!until(&mut source, &[]).await.whole);
}
