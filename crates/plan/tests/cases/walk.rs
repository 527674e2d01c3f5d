//! Walks the folders: what is made of each is compared with what stands there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::situation::{Situation, folders, name};

/// Compares what is made of each situation with `file` in its folder, where `is_due`; or writes it anew.
pub(crate) fn compare(file: &str, answer: impl Fn(&Situation) -> String, is_due: impl Fn(&Path) -> bool) -> usize {
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
