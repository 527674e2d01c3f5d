//! One folder a case: `cases/<name>/input.yaml` and what is said of it, `faults.txt`. To add a case, add a folder.
//!
//! After a change that is meant, write the new answers with `FARGATEER_UPDATE_CASES=1 cargo test -p fargateer-api --test it
//! cases` and read the diff.

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
    let mut cases = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    cases.sort();
    #[expect(clippy::disallowed_methods, reason = "a person asks a test to write its answers anew")]
    let update = std::env::var_os("FARGATEER_UPDATE_CASES").is_some();
    let mut wrong = String::new();
    for case in &cases {
        let name = case.file_name().unwrap().to_string_lossy();
        let found = describe(&yaml::parse_bytes("input.yaml", &fs::read(case.join("input.yaml")).unwrap()));
        let expected = fs::read_to_string(case.join("faults.txt")).unwrap_or_default();
        if update {
            fs::write(case.join("faults.txt"), &found).unwrap();
        } else if found != expected {
            writeln!(wrong, "== {name}: expected\n{expected}== {name}: found\n{found}").unwrap();
        }
    }
    assert!(cases.len() >= 70, "only {} cases were found", cases.len());
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_null_is_no_name() {
    let parsed = yaml::parse("input.json", r#"{"service_name": "Support_Bot", "name": null}"#);
    assert_eq!(parsed.named.iter().map(ToString::to_string).collect::<Vec<_>>(), ["support-bot"]);
}

#[test]
fn a_name_is_known_although_the_document_is_broken() {
    let parsed = yaml::parse("input.yaml", "metadata: {name: support-bot}\nspec: [\n");
    assert_eq!(parsed.named.iter().map(ToString::to_string).collect::<Vec<_>>(), ["support-bot"]);
    assert_eq!((parsed.agents.len(), parsed.documents), (0, 1));
    assert_eq!(parsed.faults[0].agent, Some(parsed.named[0].clone()));
}

#[test]
fn an_agent_is_located_where_its_document_begins() {
    let minimal = include_str!("../../cases/minimal/input.yaml");
    let parsed =
        yaml::parse("input.yaml", &format!("# a comment\n---\n{minimal}---\n  {}", minimal.replace('\n', "\n  ")));
    let places = parsed.agents.iter().map(|located| (located.line, located.column)).collect::<Vec<_>>();
    assert_eq!(places, [(3, 1), (3 + minimal.lines().count() + 1, 3)]);
}

#[test]
fn a_converted_request_prints_as_the_agent_it_means() {
    let request = include_str!("../../cases/flat-request/input.yaml");
    let agent = yaml::parse("request.json", request).agents.remove(0).agent;
    let printed = yaml::print(&agent);
    assert!(
        printed.starts_with("apiVersion: fargateer/v1\nkind: AgentDeployment\nmetadata:\n  name: flat-agent\n"),
        "{printed}"
    );
    let again = yaml::parse("printed.yaml", &printed);
    assert_eq!((again.faults, &again.agents[0].agent), (vec![], &agent));
}
