//! The policy as an operator meets it: the binary, a file, an AWS that counts its calls.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{self, Said};
use crate::daemon::{Daemon, is_ready};

const AGENT: &str = "apiVersion: fargateer/v1\nkind: AgentDeployment\nmetadata: {name: bot}\nspec:\n  cluster: agents\n  image: {uri: \"public.ecr.aws/x/bot:1\"}\n  network: {subnets: [subnet-0a]}\n  roles: {execution: exec}\n  desiredCount: 3\n";

fn project(rules: &str) -> String {
    format!("apiVersion: fargateer/v1\nkind: Project\nmetadata: {{name: default}}\nspec: {rules}\n")
}

fn folder(agent: &str, rules: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("specs")).expect("a folder");
    fs::write(folder.path().join("specs/bot.yaml"), agent).expect("a spec");
    fs::write(folder.path().join("policy.yaml"), project(rules)).expect("a policy");
    folder
}

fn run(at: &Path, arguments: &[&str]) -> Said {
    binary::run(at, &[], arguments)
}

fn condition<'a>(agent: &'a Value, kind: &str) -> &'a Value {
    let conditions = agent["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

#[test]
fn an_agent_outside_the_policy_costs_no_call_and_says_field_value_and_rule() {
    let folder = folder(AGENT, "{limits: {tasks: 2}, publicIp: false}");
    let once = ["run", "--once", "--local", "--speed", "50", "-o", "json", "--policy", "policy.yaml", "specs"];
    let said = run(folder.path(), &once);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    let list = said.json();
    assert_eq!(list["calls"], json!({}), "no call at all");
    let ready = condition(&list["items"][0], "Ready").clone();
    assert_eq!(ready["reason"], "Rejected");
    let message = "spec.desiredCount: 3 is too much in project `default`: `limits.tasks` is 2";
    assert_eq!(ready["message"], message);
}

#[test]
fn validate_tells_what_is_outside_the_policy_with_its_place() {
    let folder = folder(AGENT, "{limits: {tasks: 2}, subnets: [subnet-0b*]}");
    let environment = [("FARGATEER_POLICY".to_owned(), "policy.yaml".to_owned())];
    let said = binary::run(folder.path(), &environment, &["validate", "specs"]);
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    for line in [
        "specs/bot.yaml:7:23: spec.network.subnets[0]: `subnet-0a` is not allowed",
        "specs/bot.yaml:9:17: spec.desiredCount: 3 is too much",
    ] {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
    let fine = run(folder.path(), &["validate", "--policy", "policy.yaml"]);
    assert_eq!(fine.code, 0, "{}{}", fine.out, fine.err);
}

#[test]
fn nothing_starts_with_a_policy_that_cannot_be_used() {
    let folder = folder(AGENT, "{limit: {tasks: 2}}");
    for command in ["run", "validate", "plan", "diff", "apply"] {
        let said = run(folder.path(), &[command, "--policy", "policy.yaml", "specs"]);
        assert_eq!(said.code, 2, "{command}: {}{}", said.out, said.err);
        assert!(said.err.contains("policy.yaml:4:8: spec.limit: unknown field"), "{command}: {}", said.err);
    }
    let said = run(folder.path(), &["run", "--policy", "nowhere.yaml", "specs"]);
    assert!(said.code == 2 && said.err.contains("nowhere.yaml"), "{}", said.err);
}

#[test]
fn a_policy_is_followed_and_a_broken_one_leaves_the_last_good_one_in_force() {
    let folder = folder(AGENT, "{limits: {tasks: 2}}");
    let write = |text: &str| fs::write(folder.path().join("policy.yaml"), text).expect("a policy");
    let mut daemon = Daemon::with(folder.path(), &[], &["--policy", "policy.yaml", "specs"]);
    daemon.until("the rejection", |daemon| condition(&daemon.agent("bot"), "Ready")["reason"] == "Rejected");
    write(&project("{limits: {tasks: 3}}"));
    daemon.until("the agent", |daemon| is_ready(&daemon.agent("bot")));
    write("kind: [");
    daemon.until("word of the fault", |daemon| daemon.heard().contains("fault in the policy"));
    assert!(is_ready(&daemon.agent("bot")), "the last good policy stays in force");
    write(&project("{freezes: [{name: always, cron: \"* * * * *\", duration: 1h}]}"));
    fs::write(folder.path().join("specs/bot.yaml"), AGENT.replace("desiredCount: 3", "desiredCount: 4"))
        .expect("a spec");
    daemon.until("the freeze", |daemon| {
        let agent = daemon.agent("bot");
        condition(&agent, "Ready")["reason"] == "Frozen" && agent["status"]["frozenUntil"].is_string()
    });
    let service = json!({"cluster": "agents", "services": ["bot"]});
    assert_eq!(daemon.aws("DescribeServices", &service)["services"][0]["desiredCount"], 3);
    let forced = run(folder.path(), &["reconcile", "bot", "--force", "--server", daemon.server()]);
    assert_eq!(forced.code, 0, "{}{}", forced.out, forced.err);
    daemon.until("what was forced", |daemon| {
        daemon.aws("DescribeServices", &service)["services"][0]["desiredCount"] == 4
    });
    assert_eq!(daemon.end(), Some(0));
}
