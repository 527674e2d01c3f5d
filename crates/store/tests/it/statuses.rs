//! What a state folder keeps.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};

use fargateer_api::{AgentDeploymentStatus, Key};
use fargateer_controller::port::Statuses;
use fargateer_store::status::file::{Error, FileStatuses};
use fargateer_store::status::memory::MemoryStatuses;
use tempfile::TempDir;

fn status(running: u32) -> AgentDeploymentStatus {
    AgentDeploymentStatus { running_count: running, ..AgentDeploymentStatus::default() }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name != ".lock").collect();
    names.sort();
    names
}

fn home() -> (TempDir, PathBuf) {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("state/statuses");
    (home, folder)
}

#[tokio::test]
async fn a_status_survives_a_restart() {
    let (_home, folder) = home();
    let statuses = FileStatuses::open(folder.clone()).unwrap();
    assert_eq!(statuses.load().await, Ok(BTreeMap::new()));
    statuses.save(&Key::new("a"), &status(1)).await.unwrap();
    statuses.save(&Key::new("b"), &status(2)).await.unwrap();
    statuses.save(&Key::new("a"), &status(3)).await.unwrap();
    statuses.save(&Key::new("c"), &status(4)).await.unwrap();
    statuses.remove(&Key::new("c")).await.unwrap();
    statuses.remove(&Key::new("c")).await.unwrap();
    drop(statuses);
    let statuses = FileStatuses::open(folder.clone()).unwrap();
    let expected = BTreeMap::from([(Key::new("a"), status(3)), (Key::new("b"), status(2))]);
    assert_eq!(statuses.load().await, Ok(expected));
    assert_eq!(files(&folder), ["a.json", "b.json"]);
}

#[tokio::test]
async fn a_status_file_says_what_it_is() {
    let (_home, folder) = home();
    let statuses = FileStatuses::open(folder.clone()).unwrap();
    statuses.save(&Key::new("a"), &status(1)).await.unwrap();
    let file: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("a.json")).unwrap()).unwrap();
    assert_eq!(file["apiVersion"], "fargateer/v1");
    assert_eq!(file["kind"], "AgentDeploymentStatus");
    assert_eq!(file["name"], "a");
    assert_eq!(file["status"]["runningCount"], 1);
}

#[test]
fn one_folder_is_not_for_two() {
    let (_home, folder) = home();
    let first = FileStatuses::open(folder.clone()).unwrap();
    let error = FileStatuses::open(folder.clone()).unwrap_err();
    assert!(matches!(error, Error::InUse(_)), "{error:?}");
    assert_eq!(error.to_string(), format!("state folder {} is in use by another fargateer", folder.display()));
    drop(first);
    FileStatuses::open(folder).unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_to_is_refused_at_once() {
    let (home, _) = home();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    for folder in [file.clone(), file.join("below")] {
        let error = FileStatuses::open(folder).unwrap_err();
        assert!(matches!(error, Error::Unwritable(..)) && error.source().is_some(), "{error:?}");
    }
}

#[tokio::test]
async fn corrupt_files_are_set_aside() {
    let (_home, folder) = home();
    let statuses = FileStatuses::open(folder.clone()).unwrap();
    statuses.save(&Key::new("a"), &status(1)).await.unwrap();
    let sound = fs::read_to_string(folder.join("a.json")).unwrap();
    fs::write(folder.join("empty.json"), "").unwrap();
    fs::write(folder.join("half.json"), &sound[..sound.len() / 2]).unwrap();
    fs::write(folder.join("other.json"), &sound).unwrap();
    fs::write(folder.join("kind.json"), sound.replace("Status\"", "Spec\"")).unwrap();
    fs::write(folder.join("note.txt"), "").unwrap();
    for _ in 0..2 {
        assert_eq!(statuses.load().await, Ok(BTreeMap::from([(Key::new("a"), status(1))])));
    }
    let aside = ["empty.json.corrupt", "half.json.corrupt", "kind.json.corrupt", "note.txt", "other.json.corrupt"];
    assert_eq!(files(&folder)[1..], aside);
    assert_eq!(fs::read_to_string(folder.join("other.json.corrupt")).unwrap(), sound);
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_removed() {
    let (_home, folder) = home();
    drop(FileStatuses::open(folder.clone()).unwrap());
    fs::write(folder.join(".a.json.0.tmp"), "{").unwrap();
    let statuses = FileStatuses::open(folder.clone()).unwrap();
    assert_eq!(files(&folder), Vec::<String>::new());
    assert_eq!(statuses.load().await, Ok(BTreeMap::new()));
}

/// A row may have any name. What is no agent's has nothing to remember, and that is no fault of the folder's.
#[tokio::test]
async fn a_name_no_agent_may_have_makes_no_file_and_never_leads_out_of_the_folder() {
    let (home, folder) = home();
    let statuses = FileStatuses::open(folder.clone()).unwrap();
    let long = "x".repeat(64);
    for name in ["", "..", "../a", "a/b", "A", "-a", "a-", "a\0", "a.b", "\u{e4}", long.as_str()] {
        assert_eq!(statuses.save(&Key::new(name), &status(1)).await, Ok(()), "{name:?}");
        assert_eq!(statuses.remove(&Key::new(name)).await, Ok(()), "{name:?}");
    }
    assert_eq!(files(&folder), Vec::<String>::new());
    statuses.save(&Key::new(&long[1..]), &status(1)).await.unwrap();
    assert_eq!((files(home.path()), files(&folder).len()), (vec!["state".to_owned()], 1));
}

#[tokio::test]
async fn saves_of_one_agent_at_once_leave_one_whole_file() {
    let (_home, folder) = home();
    let statuses = FileStatuses::open(folder.clone()).unwrap();
    let key = Key::new("a");
    let (one, two) = (status(1), status(2));
    let (first, second) = tokio::join!(statuses.save(&key, &one), statuses.save(&key, &two));
    assert_eq!((first, second), (Ok(()), Ok(())));
    assert_eq!(files(&folder), ["a.json"]);
    assert_eq!(statuses.load().await.unwrap().len(), 1);
}

#[tokio::test]
async fn memory_keeps_what_it_is_given() {
    let statuses = MemoryStatuses::default();
    statuses.save(&Key::new("a"), &status(1)).await.unwrap();
    statuses.save(&Key::new("b"), &status(2)).await.unwrap();
    statuses.remove(&Key::new("a")).await.unwrap();
    let expected = BTreeMap::from([(Key::new("b"), status(2))]);
    assert_eq!(statuses.load().await, Ok(expected.clone()));
    assert_eq!(MemoryStatuses::with(expected.clone()).load().await, Ok(expected));
}
