//! One folder a case: `cases/<name>/input.yaml` and what is said of it, `faults.txt`. To add a case, add a folder.

use std::{fmt::Write, fs, path::Path};

use fargateer_api::yaml::{self, Parsed};

/// The faults with their hints, then the agents that were understood all the same.
fn describe(parsed: &Parsed) -> String {
    let mut text = String::new();
    for fault in &parsed.faults {
        writeln!(text, "{fault}").unwrap();
        if let Some(hint) = &fault.hint {
            writeln!(text, "    {hint}").unwrap();
        }
    }
    let names = parsed.agents.iter().map(|located| located.agent.key().to_string());
    writeln!(text, "agents: {}", names.collect::<Vec<_>>().join(" ")).unwrap();
    let keys = parsed.named.iter().map(ToString::to_string);
    writeln!(text, "named: {}", keys.collect::<Vec<_>>().join(" ")).unwrap();
    text
}

#[test]
fn every_case_folder_says_what_is_found() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut cases = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect::<Vec<_>>();
    cases.sort();
    let mut wrong = String::new();
    for case in &cases {
        let name = case.file_name().unwrap().to_string_lossy();
        let found = describe(&yaml::parse_bytes(
            "input.yaml",
            &fs::read(case.join("input.yaml")).unwrap(),
        ));
        let expected = fs::read_to_string(case.join("faults.txt")).unwrap_or_default();
        if found != expected {
            writeln!(wrong, "== {name}: expected\n{expected}== {name}: found\n{found}").unwrap();
        }
    }
    assert!(cases.len() >= 20, "only {} cases were found", cases.len());
    assert!(wrong.is_empty(), "{wrong}");
}
