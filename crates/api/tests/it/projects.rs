//! Policies, from the outside: every fault of a file with its place, and the example we hand out.

use std::{fs, path::Path};

use fargateer_api::yaml;

fn faults(text: &str) -> Vec<String> {
    yaml::parse_projects("policy.yaml", text).faults.iter().map(ToString::to_string).collect()
}

const HEAD: &str = "apiVersion: fargateer/v1\nkind: Project\nmetadata: {name: a}\nspec:\n";

#[test]
fn the_example_is_without_a_fault() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/policy.yaml");
    let parsed = yaml::parse_projects("deploy/policy.yaml", &fs::read_to_string(file).unwrap());
    assert_eq!(parsed.faults, []);
    assert_eq!(parsed.projects.len(), 2);
}

#[test]
fn every_fault_is_told_at_once_with_its_place() {
    let text = format!(
        "{HEAD}  region: [us-east-1]\n  accounts: [\"12\", own]\n  clusters: agents\n  limits: {{cpu: 0, memory: lots}}\n  \
         weight: 101\n  subnets: [\"a b\", s, s]\n  freezes:\n    - {{name: x, cron: \"0 25 * * *\", duration: 1h}}\n    - \
         {{name: x, from: tomorrow, until: \"2026-07-01T00:00\", timeZone: Mars}}\n"
    );
    let told = faults(&text);
    for part in [
        "policy.yaml:5:3: spec.region: unknown field `region`",
        "policy.yaml:6:14: spec.accounts[0]: `12` is not an account",
        "policy.yaml:7:13: spec.clusters: must be a list",
        "policy.yaml:8:17: spec.limits.cpu: 0 is out of range",
        "policy.yaml:8:28: spec.limits.memory: must be a whole number",
        "policy.yaml:9:11: spec.weight: 101 is out of range",
        "policy.yaml:10:13: spec.subnets[0]: `a b` is not a pattern",
        "policy.yaml:10:23: spec.subnets[2]: `s` is listed twice",
        "spec.freezes[0].cron: `25` is not within 0 to 23",
        "spec.freezes[1].timeZone: `Mars` is no time zone",
        "spec.freezes[1].from: `tomorrow` is not a point in time",
        "spec.freezes[1]: `x` is listed twice",
    ] {
        assert!(told.iter().any(|fault| fault.contains(part)), "{part}: {told:#?}");
    }
    assert_eq!(told.len(), 12, "{told:#?}");
}

#[test]
fn two_projects_of_one_name_and_other_kinds_are_refused() {
    let twice = faults(&format!("{HEAD}  weight: 2\n---\n{HEAD}  weight: 3\n"));
    assert_eq!(twice, ["policy.yaml:9:18: metadata.name: there is a project `a` already"]);
    let agent = faults("apiVersion: fargateer/v1\nkind: AgentDeployment\nmetadata: {name: a}\nspec: {}\n");
    assert_eq!(agent, ["policy.yaml:2:7: kind: `AgentDeployment` is no kind of document here"]);
    let project = yaml::parse("a.yaml", &format!("{HEAD}  weight: 2\n"));
    let hint = project.faults[0].hint.as_deref().unwrap();
    assert_eq!(hint, "`AgentDeployment`; a Project stands in the file given by --policy");
}

#[test]
fn what_a_project_leaves_out_may_be_left_out_altogether() {
    let parsed = yaml::parse_projects("policy.yaml", "apiVersion: fargateer/v1\nkind: Project\nmetadata: {name: a}\n");
    assert_eq!(parsed.faults, []);
    assert!(parsed.projects[0].spec.public_ip && parsed.projects[0].spec.weight == 1);
}

#[test]
fn a_field_of_an_agent_is_found_in_its_file() {
    let text = "# a comment\nmetadata: {name: one}\nspec:\n  cluster: c\n---\nmetadata: {name: two}\nspec:\n  network:\n    subnets: [x, y]\n";
    assert_eq!(yaml::locate(text, "two", "spec.network.subnets[1]"), Some((9, 18)));
    assert_eq!(yaml::locate(text, "two", "spec.network.securityGroups"), Some((8, 3)));
    assert_eq!(yaml::locate(text, "one", "spec.cluster"), Some((4, 12)));
    assert_eq!(yaml::locate(text, "three", "spec.cluster"), None);
}
