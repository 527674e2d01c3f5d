//! `fargateer run --once` against two AWS emulators written by others: their call logs say what we did.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{self, Said};
use crate::emulators::Emulators;
use crate::running::{self, Running};
use crate::tables;

const ACCOUNT: &str = "111122223333";

/// A folder of specs: a plain agent, one with scaling, one with an ECR tag.
fn fleet(at: &Path) {
    let common = "  network: {subnets: [subnet-0a1], securityGroups: [sg-0a1]}\n  roles: {execution: execution}\n";
    for (name, more) in [
        ("plain", "  image: {uri: \"public.example.com/plain:1\"}\n".to_owned()),
        (
            "scaled",
            "  image: {uri: \"public.example.com/scaled:1\"}\n  autoscaling: {enabled: true, min: 1, max: 4, targetMemory: 75}\n"
                .to_owned(),
        ),
        ("tagged", format!("  image: {{uri: \"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/agents/tagged:1.0\"}}\n")),
    ] {
        let text = format!(
            "apiVersion: fargateer/v1\nkind: AgentDeployment\nmetadata: {{name: {name}}}\nspec:\n  cluster: agents\n{common}{more}"
        );
        fs::write(at.join(format!("{name}.yaml")), text).expect("a spec can be written");
    }
}

/// Emulators with all that the fleet takes for granted, and a folder with its specs in `specs`.
fn prepared() -> (Emulators, TempDir, PathBuf) {
    let emulators = Emulators::start();
    let services = [("agents", "plain"), ("agents", "scaled"), ("agents", "tagged")];
    let image = format!("{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/agents/tagged:1.0");
    emulators.prepare(&["agents"], &services, &[&image]);
    let folder = tempfile::tempdir().expect("a folder");
    let specs = folder.path().join("specs");
    fs::create_dir(&specs).expect("a folder");
    fleet(&specs);
    (emulators, folder, specs)
}

fn once(at: &Path, emulators: &Emulators) -> Said {
    binary::run(at, &emulators.environment(), &["run", "--once", "-o", "json", "--timeout", "2m", "specs"])
}

#[track_caller]
fn assert_all_ready(said: &Said, count: usize) {
    assert_eq!(said.code, 0, "{}\n{}", said.err, said.out);
    let list = said.json();
    let items = list["items"].as_array().expect("items");
    assert_eq!(items.len(), count);
    for item in items {
        let conditions = item["status"]["conditions"].as_array().expect("conditions");
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").expect("Ready");
        assert_eq!(ready["status"], "True", "{}: {ready}", item["metadata"]["name"]);
    }
}

/// One story, for the emulators take seconds to start: create, nothing, change, delete.
#[test]
fn a_fleet_converges_on_emulators_written_by_others_and_then_leaves_them_in_peace() {
    let (emulators, folder, specs) = prepared();

    assert_all_ready(&once(folder.path(), &emulators), 3);
    let first = emulators.mutating_calls();
    let made = |operation: &str| first.iter().filter(|call| *call == operation).count();
    assert_eq!((made("ecs:RegisterTaskDefinition"), made("ecs:CreateService")), (3, 3), "{first:?}");
    assert_eq!(made("application-autoscaling:PutScalingPolicy"), 2, "{first:?}");

    emulators.clear_calls();
    assert_all_ready(&once(folder.path(), &emulators), 3);
    assert_eq!(emulators.mutating_calls(), Vec::<String>::new(), "a second run writes nothing");

    let file = specs.join("plain.yaml");
    let text = fs::read_to_string(&file).expect("the spec");
    fs::write(&file, format!("{text}  container: {{environment: {{MODE: fast}}}}\n")).expect("the spec can be changed");
    assert_all_ready(&once(folder.path(), &emulators), 3);
    let change = emulators.mutating_calls();
    // The tags: what this emulator made of the revision (AWS describes it as asked), and the service's new generation.
    let expected = ["ecs:RegisterTaskDefinition", "ecs:TagResource", "ecs:UpdateService", "ecs:TagResource"];
    assert_eq!(change, expected, "one revision, one update");

    emulators.clear_calls();
    fs::remove_file(specs.join("scaled.yaml")).expect("the spec can be deleted");
    assert_all_ready(&once(folder.path(), &emulators), 2);
    let deletion = emulators.mutating_calls();
    let expected =
        ["ecs:DeleteService", "ecs:DeregisterTaskDefinition", "application-autoscaling:DeregisterScalableTarget"];
    assert_eq!(deletion, expected, "exactly its resources, its data kept");

    emulators.clear_calls();
    assert_all_ready(&once(folder.path(), &emulators), 2);
    assert_eq!(emulators.mutating_calls(), Vec::<String>::new(), "nothing is left to do");
}

/// A table of specs in ministack's DynamoDB: conditions, pages and attribute values as others understand the API.
#[test]
fn a_table_of_specs_works_on_an_emulator_written_by_others() {
    let (emulators, folder, _) = prepared();
    let table = "dynamodb://fargateer-specs";
    let run = |arguments: &[&str]| binary::run(folder.path(), &emulators.environment(), arguments);
    let once = || run(&["run", "--once", "-o", "json", "--timeout", "2m", table]);
    for arguments in [
        &["table", "create", "--specs", "fargateer-specs"][..],
        &["table", "create", "--specs", "fargateer-specs"],
        &["apply", "--to", table, "-y", "specs"],
    ] {
        let said = run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    }
    assert_all_ready(&once(), 3);
    let listed = run(&["get", "--from", table, "scaled", "-o", "json"]);
    assert_eq!(listed.code, 0, "the row says Ready: {}{}", listed.out, listed.err);

    emulators.clear_calls();
    assert_all_ready(&once(), 3);
    assert_eq!(emulators.mutating_calls(), Vec::<String>::new(), "a second run writes nothing, to no row either");

    let said = run(&["delete", "--from", table, "-y", "scaled"]);
    assert_eq!(said.code, 0, "{}", said.err);
    emulators.clear_calls();
    assert_all_ready(&once(), 2);
    let calls = emulators.mutating_calls();
    assert!(calls.contains(&"ecs:DeleteService".to_owned()), "{calls:?}");
    assert!(!calls.iter().any(|call| call.starts_with("dynamodb:Put")), "{calls:?}");
    assert_eq!(run(&["get", "--from", table, "scaled"]).code, 2, "the row stays deleted");
}

/// Two daemons on ministack's DynamoDB: leases, rows that come, change, are wrong and go, and one daemon that is killed.
#[test]
fn two_daemons_share_rows_and_leases_on_an_emulator_written_by_others() {
    let (emulators, folder, specs) = prepared();
    let table = "dynamodb://fargateer-specs";
    let run = |arguments: &[&str]| binary::run(folder.path(), &emulators.environment(), arguments);
    for arguments in [
        &["table", "create", "--specs", "fargateer-specs"][..],
        &["table", "create", "fargateer-state"],
        &["apply", "--to", table, "-y", "specs"],
    ] {
        let said = run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    }
    let daemon = || {
        let periods = ["--poll", "1s", "--resync", "2s", "--prune-grace", "0s", "--listen", "127.0.0.1:0"];
        let arguments = [&["run", "--state", "dynamodb://fargateer-state"], periods.as_slice(), &[table]].concat();
        let daemon = Running::start(binary::command(folder.path(), &emulators.environment(), &arguments));
        let server = running::address(&daemon.wait_for("serving http://"));
        (daemon, server)
    };
    let condition = |name: &str, kind: &str| {
        let said = run(&["get", "--from", table, name, "-o", "json"]);
        let status = if said.out.is_empty() { Value::Null } else { said.json()["status"].clone() };
        let mut conditions = status["conditions"].as_array().cloned().unwrap_or_default().into_iter();
        conditions.find(|condition| condition["type"] == kind).unwrap_or_default()
    };
    let is = |name: &str, kind: &str, truth: &str| condition(name, kind)["status"] == truth;
    let shards = |server: &str| {
        let metrics = running::http(server, "GET", "/metrics", &[], "");
        let owned = metrics.lines().find_map(|line| line.strip_prefix("fargateer_shards_owned "));
        owned.and_then(|count| count.trim().parse::<f64>().ok()).unwrap_or_default()
    };
    let (first, _) = daemon();
    let (mut second, server) = daemon();
    for name in ["plain", "scaled", "tagged"] {
        second.until("the row says Ready", || is(name, "Ready", "True"));
    }
    second.until("its share", || shards(&server) > 0.0);

    // A killed one is taken over from; then every row is the other one's to answer.
    drop(first);
    second.until("the takeover", || shards(&server) >= 256.0);
    let endpoint = emulators.endpoints()[1].1.clone();
    let write = |name: &str, spec: &str| {
        tables::dynamodb(
            &endpoint,
            "UpdateItem",
            &json!({
                "TableName": "fargateer-specs", "Key": {"name": {"S": name}}, "UpdateExpression": "SET spec = :spec",
                "ExpressionAttributeValues": {":spec": {"S": spec}},
            }),
        );
    };
    write("plain", "cluster: agents\nclutser: other\n");
    second.until("the row says what is wrong", || is("plain", "SpecValid", "False"));
    assert!(is("plain", "Ready", "True"), "its last good spec runs on");
    let file = specs.join("plain.yaml");
    let text = fs::read_to_string(&file).expect("the spec");
    fs::write(&file, format!("{text}  container: {{environment: {{MODE: fast}}}}\n")).expect("the spec can be changed");
    emulators.clear_calls();
    assert_eq!(run(&["apply", "--to", table, "-y", "specs"]).code, 0);
    second.until("the mended row", || is("plain", "SpecValid", "True"));
    second.until("its update", || emulators.mutating_calls().contains(&"ecs:UpdateService".to_owned()));
    let said = run(&["delete", "--from", table, "-y", "tagged"]);
    assert_eq!(said.code, 0, "{}", said.err);
    second.until("the deletion", || emulators.mutating_calls().contains(&"ecs:DeleteService".to_owned()));
    assert_eq!(run(&["get", "--from", table, "tagged"]).code, 2, "the row stays deleted");
    assert_eq!(second.end("-TERM").0, Some(0), "{}", second.heard());
}
