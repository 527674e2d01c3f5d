//! Several sources, one fleet: whoever stands in two of them is told so, and goes on as before.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{self, repository};
use crate::daemon::{Daemon, is_ready};

fn condition(agent: &Value, kind: &str) -> Value {
    let conditions = agent["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default()
}

fn write(folder: &Path, file: &str, name: &str, more: &str) {
    let minimal = fs::read_to_string(repository().join("examples/minimal.yaml")).expect("the example");
    fs::write(folder.join(file), minimal.replace("name: minimal", &format!("name: {name}")) + more).expect("a spec");
}

#[test]
fn an_agent_that_comes_up_in_a_second_source_is_told_of_both_and_stays_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let [desk, night] = ["desk", "night"].map(|name| folder.path().join(name));
    fs::create_dir(&desk).and_then(|()| fs::create_dir(&night)).expect("folders");
    write(&desk, "bot.yaml", "bot", "");
    write(&night, "owl.yaml", "owl", "");
    let mut daemon = Daemon::with(folder.path(), &[], &["desk", "night"]);
    daemon.until("both agents", |daemon| is_ready(&daemon.agent("bot")) && is_ready(&daemon.agent("owl")));
    let service = json!({"cluster": "agents", "services": ["bot"]});
    let before = daemon.aws("DescribeServices", &service)["services"][0].clone();

    write(&night, "copy.yaml", "bot", "  desiredCount: 7\n");
    daemon.until("word of the conflict", |daemon| condition(&daemon.agent("bot"), "SpecValid")["status"] == "False");
    assert_eq!(condition(&daemon.agent("bot"), "SpecValid")["reason"], "Conflict");
    let message = condition(&daemon.agent("bot"), "SpecValid")["message"].to_string();
    assert!(message.contains("desk/bot.yaml:3") && message.contains("night/copy.yaml:3"), "{message}");
    assert!(is_ready(&daemon.agent("bot")) && is_ready(&daemon.agent("owl")), "what runs goes on");

    // Neither of the two counts as removed while both are there, and the one that stays is followed again.
    fs::remove_file(desk.join("bot.yaml")).expect("the first is removed");
    daemon.until("the second spec alone", |daemon| {
        let live = daemon.aws("DescribeServices", &service)["services"][0].clone();
        live["desiredCount"] == 7 && condition(&daemon.agent("bot"), "SpecValid")["status"] == "True"
    });
    let after = daemon.aws("DescribeServices", &service)["services"][0].clone();
    assert_eq!(before["createdAt"], after["createdAt"], "the service was never deleted");
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn a_new_agent_in_two_sources_is_not_made_and_both_places_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for source in ["desk", "night"] {
        fs::create_dir(folder.path().join(source)).expect("a folder");
        write(&folder.path().join(source), "bot.yaml", "bot", "");
    }
    let said =
        binary::run(folder.path(), &[], &["run", "--once", "--local", "--speed", "50", "-o", "json", "desk", "night"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    let list = said.json();
    let message = condition(&list["items"][0], "Ready")["message"].to_string();
    assert!(message.contains("desk/bot.yaml:3") && message.contains("night/bot.yaml:3"), "{message}");
    assert_eq!(list["calls"]["ecs.CreateService"], Value::Null);
}

#[test]
fn commands_that_end_refuse_a_name_that_is_used_in_two_of_their_paths() {
    let folder = tempfile::tempdir().expect("a folder");
    for source in ["desk", "night"] {
        fs::create_dir(folder.path().join(source)).expect("a folder");
        write(&folder.path().join(source), "bot.yaml", "bot", "");
    }
    for command in ["validate", "plan"] {
        let said = binary::run(folder.path(), &[], &[command, "desk", "night"]);
        assert_eq!(said.code, 2, "{command}: {}{}", said.out, said.err);
        let all = said.out.clone() + &said.err;
        assert!(all.contains("the name bot is used more than once: desk/bot.yaml:3, night/bot.yaml:3"), "{all}");
    }
}

#[test]
fn an_address_that_is_named_and_taken_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "bot.yaml", "bot", "");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = binary::run(folder.path(), &[], &["run", "--local", "--listen", &address, "bot.yaml"]);
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    assert!(said.err.contains(&format!("cannot serve on {address}")) && said.err.contains("--listen"), "{}", said.err);
}
