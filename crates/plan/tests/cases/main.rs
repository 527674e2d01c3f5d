//! Planning cases: `cases/<name>/{spec.yaml, observed.json, plan.txt}`, one folder a situation, walked by one test.
//!
//! `observed.json` says what AWS shows; a key that is missing was not looked at, `"absent"` is not there, and
//! `{"unknown": ...}` is a look that failed. `plan.txt` is what the planner makes of it; where a folder has a `status.yaml`
//! (an empty one will do to begin with), that is the whole status. After a change that is meant, write the new answers with `FARGATEER_UPDATE_CASES=1 cargo test -p fargateer-plan --test cases` and read the diff.

#[cfg(test)]
mod plan_text;
#[cfg(test)]
mod situation;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use situation::{Situation, folders, name};

/// Fewer cases than this means that the walk does not see them.
const FEWEST: usize = 40;
/// The same of cases with a status.
const FEWEST_REPORTED: usize = 20;

/// Compares what is made of each situation with `file` in its folder, where `is_due`; or writes it anew.
fn compare(file: &str, answer: impl Fn(&Situation) -> String, is_due: impl Fn(&Path) -> bool) -> usize {
    #[expect(clippy::disallowed_methods, reason = "a person asks a test to write its answers anew")]
    let update = std::env::var_os("FARGATEER_UPDATE_CASES").is_some();
    let mut wrong = BTreeMap::new();
    let folders: Vec<PathBuf> = folders().into_iter().filter(|folder| is_due(folder)).collect();
    for folder in &folders {
        let (path, answer) = (folder.join(file), answer(&Situation::read(folder)));
        if update {
            fs::write(&path, &answer).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != answer {
            wrong.insert(name(folder), answer);
        }
    }
    let texts: Vec<String> = wrong.iter().map(|(name, answer)| format!("== {name}:\n{answer}")).collect();
    assert!(wrong.is_empty(), "{} cases differ from their {file}\n{}", wrong.len(), texts.join("\n"));
    folders.len()
}

#[test]
fn every_case_is_planned_as_its_folder_says() {
    compare("plan.txt", plan_text::of, |_| true);
}

#[test]
fn every_case_with_a_status_is_reported_as_its_folder_says() {
    let reported = compare("status.yaml", plan_text::status, |folder| folder.join("status.yaml").is_file());
    assert!(reported >= FEWEST_REPORTED, "only {reported} cases");
}

#[test]
fn the_walk_sees_every_folder_whole() {
    let folders = folders();
    assert!(folders.len() >= FEWEST, "only {} cases", folders.len());
    for folder in folders {
        for file in ["spec.yaml", "observed.json", "plan.txt"] {
            assert!(folder.join(file).is_file(), "{} has no {file}", name(&folder));
        }
    }
}
