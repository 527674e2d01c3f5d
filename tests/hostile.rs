//! Nothing anybody says - a spec, a file's name, AWS, a daemon - reaches a screen or a log as what acts there: no line of
//! output holds a C0 or C1 byte or a mark that turns the direction of text, and no text becomes lines of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::binary::{self, Said};
use crate::running::{self, Running};

/// Everything that acts on a screen, and a piece of text that looks like a line of ours.
fn evil() -> String {
    let controls = (0..0x20).chain(0x7f..0xa0).chain([0x61c, 0x200e, 0x200f, 0x2028, 0x2029, 0xfeff]);
    let turns = (0x202a..=0x202e).chain(0x2066..=0x2069);
    let evil: String = controls.chain(turns).filter_map(char::from_u32).collect();
    format!("a{evil}\nReady: True\n\u{1b}[2Jb")
}

#[track_caller]
fn assert_harmless(what: &str, said: &Said) {
    for (stream, text) in [("output", &said.out), ("error", &said.err)] {
        let acts = |character: &char| evil().contains(*character) && !character.is_ascii_graphic() && *character != ' ';
        let found = text.lines().flat_map(str::chars).find(acts);
        assert_eq!(found, None, "{what}: {stream}: {text:?}");
        // In YAML a text of several lines is indented; nothing else may have lines of its own.
        assert!(!text.lines().any(|line| line == "Ready: True"), "{what}: {stream}: {text}");
        assert!(!text.contains("panicked"), "{what}: {text}");
    }
}

const SPEC: &str = r#"apiVersion: fargateer/v1
kind: AgentDeployment
metadata: {name: "bot"}
spec:
  cluster: "agents"
  image: {uri: "x:1"}
  network: {subnets: ["subnet-0a"]}
  roles: {execution: "agent-execution"}
  container: {environment: {NAME: "value"}}
  tags: {team: "support"}
"#;

/// A piece of text with what acts on a screen, raw or as YAML writes it.
fn piece() -> impl Strategy<Value = String> {
    let raw = select(evil().chars().collect::<Vec<_>>()).prop_map(String::from);
    let written = select(vec!["\\e[31m", "\\0", "\\x9b2J", "\\u202E", "\\r", "\\n", "\\L", "\\t", "\\x7f", "\\u2066"]);
    prop_oneof![raw, written.prop_map(str::to_owned), "[a-z\"\\[{:]{0,3}"]
}

#[test]
fn no_spec_acts_on_a_screen() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sp\u{1b}[31m\u{202e}ec.yaml");
    // The file's name is what the commands are given: they must not repeat it raw either.
    let name = file.to_string_lossy().into_owned();
    let places = [": \"", "[\"", "\"", "\n", "{"];
    let edits = vec((select(places.to_vec()), 0..12_usize, vec(piece(), 1..4)), 1..4);
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let law = |edits: Vec<(&str, usize, Vec<String>)>| {
        let mut text = SPEC.to_owned();
        for (place, number, pieces) in edits {
            let at = text.match_indices(place).map(|(at, _)| at + place.len()).nth(number);
            text.insert_str(at.unwrap_or(text.len()), &pieces.concat());
        }
        fs::write(&file, &text).expect("a spec");
        for arguments in [
            &["validate", &name][..],
            &["validate", "-o", "json", &name],
            &["validate", "-o", "yaml", &name],
            &["render", &name],
            &["convert", &name],
        ] {
            assert_harmless(arguments[0], &binary::run(folder.path(), &[], arguments));
        }
        Ok(())
    };
    runner.run(&edits, law).expect("a law");
}

/// Answers every request on a port with `status` and `body`.
fn daemon(status: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close");
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            // Who asked may be gone.
            drop(stream.get_mut().write_all(answer.as_bytes()));
        }
    });
    address
}

/// An agent every text of which is `text`, its name too.
fn agent(text: &str) -> Value {
    let condition =
        json!({"type": "Ready", "status": text, "reason": text, "message": text, "lastTransitionTime": text});
    json!({
        "metadata": {"name": text, "project": text, "labels": {text: text}},
        "spec": {"region": text, "cluster": text, "container": {"environment": {text: text}}},
        "events": [{"at": text, "reason": text, "message": text}],
        "status": {
            "source": {"location": text},
            "next": {"at": text, "why": text},
            "conditions": [condition],
            "taskDefinitionArn": text,
            "imageDigest": text,
            "cost": {"monthlyUsd": 1.5, "priceDate": text},
            "inventory": {text: text, "list": [text]},
            "rollout": {"id": text, "state": text, "started": text, "reason": text},
            "failure": {"reason": text, "stopCode": text, "exitCode": 1, "advice": text, "log": [text, text]},
        },
    })
}

#[test]
fn no_daemon_acts_on_a_screen() {
    let one = daemon("200 OK", agent(&evil()).to_string());
    let list = daemon("200 OK", json!({"items": [agent(&evil()), agent("plain")]}).to_string());
    let refusal = daemon("404 Not Found", json!({"error": evil()}).to_string());
    let here = binary::repository();
    let run = |arguments: &[&str]| {
        let said = binary::run(&here, &[], arguments);
        assert_harmless(&arguments.join(" "), &said);
        said
    };
    for format in ["text", "wide", "json", "yaml", "name"] {
        let said = run(&["get", "-o", format, "--server", &list]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.out.contains("plain") && said.out.contains("202e"), "{format}: {}", said.out);
        let lines = said.out.lines().count();
        let expected = match format {
            "name" => 2..=2,
            "text" | "wide" => 3..=3,
            _ => 10..=1000,
        };
        assert!(expected.contains(&lines), "{format}: {}", said.out);
    }
    let json: Value = run(&["get", "-o", "json", "--server", &list]).json();
    assert_eq!(json["items"][0], agent(&evil()), "nothing of the document is lost");
    let page = run(&["describe", "x", "--server", &one]);
    assert!(page.out.contains("Failure:") && page.out.contains("\\u{1b}"), "{}", page.out);
    for arguments in [&["get"][..], &["describe", "x"], &["reconcile", "x"], &["prune", "--confirm"]] {
        assert_eq!(run(&[arguments, &["--server", &refusal]].concat()).code, 2);
    }
    run(&["prune", "--server", &list]);
    let name = "x\u{1b}[2J\u{202e}";
    let said = run(&["reconcile", name, "--server", &one]);
    assert!(said.err.contains("is reconciled now"), "{}", said.err);
}

#[test]
fn nothing_aws_says_acts_on_a_screen() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("spec.yaml"), SPEC).expect("a spec");
    let sim = ["sim", "--listen", "127.0.0.1:0", "--speed", "50", "--seed", "spec.yaml"];
    let sim = Running::start(binary::command(folder.path(), &[], &sim));
    let endpoint = running::address(&sim.wait_for("http://"));
    let pairs = [
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_ENDPOINT_URL", &endpoint),
        ("FARGATEER_LOG", "trace"),
    ];
    let environment: Vec<_> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let run = |at: &Path, arguments: &[&str]| {
        let said = binary::run(at, &environment, arguments);
        assert_harmless(&arguments.join(" "), &said);
        said
    };
    for operation in ["DescribeServices", "RegisterTaskDefinition"] {
        let error = ("error", "AccessDeniedException", evil());
        let fault = json!({"kind": error.0, "code": error.1, "message": error.2, "operation": operation}).to_string();
        let ordered = running::http(&endpoint, "POST", "/_sim/faults", &[], &fault);
        assert_eq!(ordered.trim(), "{}");
        for arguments in [
            &["plan", "spec.yaml"][..],
            &["diff", "--format", "json", "spec.yaml"],
            &["plan", "--format", "markdown", "--log-format", "json", "spec.yaml"],
            &["run", "--once", "--timeout", "2s", "--state", "state", "-o", "json", "spec.yaml"],
            &[
                "run",
                "--once",
                "--timeout",
                "2s",
                "--state",
                "state",
                "--log-format",
                "json",
                "-o",
                "yaml",
                "spec.yaml",
            ],
            &["apply", "-y", "--timeout", "2s", "-o", "wide", "spec.yaml"],
        ] {
            let said = run(folder.path(), arguments);
            let told = said.out.contains("202e") || said.err.contains("202e");
            // A plan does not register anything.
            assert!(told || operation != "DescribeServices", "{arguments:?}: {}{}", said.out, said.err);
        }
        running::http(&endpoint, "DELETE", "/_sim/faults", &[], "");
    }
}
