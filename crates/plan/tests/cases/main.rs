//! Planning cases: `cases/<name>/{spec.yaml, observed.json, plan.txt}`, one folder a situation, walked by one test.
//!
//! `observed.json` says what AWS shows; a key that is missing was not looked at, `"absent"` is not there, and
//! `{"unknown": ...}` is a look that failed. `project.yaml`, where there is one, is the policy. `plan.txt` is what the planner makes of it; where a folder has a `status.yaml`
//! (an empty one will do to begin with), that is the whole status. After a change that is meant, write the new answers with `FARGATEER_UPDATE_CASES=1 cargo test -p fargateer-plan --test cases` and read the diff.

#[cfg(test)]
mod plan_text;
#[cfg(test)]
mod situation;
#[cfg(test)]
mod walk;

use situation::{folders, name};
use walk::compare;

/// Fewer cases than this means that the walk does not see them.
const FEWEST: usize = 40;
/// The same of cases with a status.
const FEWEST_REPORTED: usize = 20;

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
