//! Planning cases: `cases/<name>/{spec.yaml, observed.json, plan.txt}`, one folder a situation, walked by one test.
//!
//! `observed.json` says what AWS shows; a key that is missing was not looked at, `"absent"` is not there, and
//! `{"unknown": ...}` is a look that failed. `plan.txt` is what the planner makes of it. After a change that is meant,
//! write the new answers with `FARGATEER_UPDATE_CASES=1 cargo test -p fargateer-plan --test cases` and read the diff.

#[cfg(test)]
mod plan_text;
#[cfg(test)]
mod situation;

use std::collections::BTreeMap;
use std::fs;

use situation::{Situation, folders, name};

/// Fewer cases than this means that the walk does not see them.
const FEWEST: usize = 40;

#[test]
fn every_case_is_planned_as_its_folder_says() {
    #[expect(clippy::disallowed_methods, reason = "a person asks a test to write its answers anew")]
    let update = std::env::var_os("FARGATEER_UPDATE_CASES").is_some();
    let mut wrong = BTreeMap::new();
    for folder in folders() {
        let answer = plan_text::of(&Situation::read(&folder));
        let file = folder.join("plan.txt");
        if update {
            fs::write(&file, &answer).unwrap();
        } else if fs::read_to_string(&file).unwrap_or_default() != answer {
            wrong.insert(name(&folder), answer);
        }
    }
    let texts: Vec<String> = wrong.iter().map(|(name, answer)| format!("== {name} is planned so:\n{answer}")).collect();
    assert!(wrong.is_empty(), "{} cases differ from their plan.txt\n{}", wrong.len(), texts.join("\n"));
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
