//! The daemon on the embedded simulated AWS, as a newcomer meets it: it converges, answers, corrects drift, ends.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{self, repository};
use crate::running::{self, Running};

/// A running daemon with the simulated AWS in it.
pub struct Daemon {
    process: Running,
    aws: String,
    server: String,
}

impl Daemon {
    /// Starts `run --local` on `source` and waits until it serves.
    fn start(at: &Path, source: &str) -> Self {
        Self::with(at, &[], &[source])
    }

    /// The same with `more` arguments, the source among them, in `environment`.
    pub fn with(at: &Path, environment: &[(String, String)], more: &[&str]) -> Self {
        Self::every(at, environment, "2s", more)
    }

    /// The same without sweeps in between.
    pub fn sweeping(at: &Path, resync: &str, more: &[&str]) -> Self {
        Self::every(at, &[], resync, more)
    }

    fn every(at: &Path, environment: &[(String, String)], resync: &str, more: &[&str]) -> Self {
        let arguments =
            ["run", "--local", "--speed", "20", "--resync", resync, "--prune-grace", "0s", "--listen", "127.0.0.1:0"];
        let process = Running::start(binary::command(at, environment, &[&arguments, more].concat()));
        let aws = running::address(&process.wait_for("simulated AWS at "));
        let server = running::address(&process.wait_for("serving http://"));
        Self { process, aws, server }
    }

    /// Where it serves.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Where the simulated AWS in it serves.
    pub fn endpoint(&self) -> &str {
        &self.aws
    }

    /// Everything it said.
    pub fn heard(&self) -> String {
        self.process.heard()
    }

    /// Ends it and answers its exit code.
    pub fn end(&mut self) -> Option<i32> {
        self.process.end("-TERM").0
    }

    /// Somebody's call to the simulated AWS, as any AWS CLI would make it.
    pub fn aws(&self, operation: &str, request: &Value) -> Value {
        running::ecs(&self.aws, operation, request)
    }

    /// The document of an agent from the daemon's API.
    pub fn agent(&self, name: &str) -> Value {
        running::json(&running::http(&self.server, "GET", &format!("/api/v1/agents/{name}"), &[], ""))
    }

    /// Asks again and again until `holds` does, for what no line announces.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.process.until(what, || holds(self));
    }
}

pub fn is_ready(agent: &Value) -> bool {
    let conditions = agent["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

#[test]
fn the_demo_fleet_converges_corrects_drift_and_ends_on_a_signal() {
    let mut daemon = Daemon::start(&repository(), "manifests");
    daemon.process.wait_for("12 of 12 agents ready");

    let service = json!({"cluster": "agents", "services": ["invoice-reader"]});
    let count = |daemon: &Daemon| daemon.aws("DescribeServices", &service)["services"][0]["desiredCount"].clone();
    let before = count(&daemon);
    daemon.aws("UpdateService", &json!({"cluster": "agents", "service": "invoice-reader", "desiredCount": 4}));
    assert_eq!(count(&daemon), 4);
    daemon.until("the correction of the count", |daemon| count(daemon) == before);
    daemon.until("a status that tells of it", |daemon| {
        daemon.agent("invoice-reader")["status"]["lastDrift"]["fields"] == json!(["/service/desiredCount"])
    });

    let list = binary::run(&repository(), &[], &["get", "--server", &daemon.server, "-o", "name"]);
    assert_eq!(list.out.lines().count(), 12, "{}{}", list.out, list.err);
    let page = binary::run(&repository(), &[], &["describe", "support-bot", "--server", &daemon.server]);
    assert!(page.out.contains("Conditions:") && page.out.contains("ecs.CreateService"), "{}{}", page.out, page.err);

    let (code, seconds) = daemon.process.end("-TERM");
    assert_eq!(code, Some(0));
    assert!(seconds < 15, "ended after {seconds} s");
}

#[test]
fn a_folder_is_followed_added_changed_broken_and_removed_specs() {
    let folder = tempfile::tempdir().expect("a folder");
    let specs = folder.path().join("specs");
    fs::create_dir(&specs).expect("a folder");
    let minimal = fs::read_to_string(repository().join("examples/minimal.yaml")).expect("the example");
    for name in ["one", "two"] {
        let text = minimal.replace("name: minimal", &format!("name: {name}"));
        assert_ne!(text, minimal, "examples/minimal.yaml names its agent minimal");
        fs::write(specs.join(format!("{name}.yaml")), text).expect("a spec");
    }
    let mut daemon = Daemon::start(folder.path(), "specs");
    daemon.process.wait_for("2 of 2 agents ready");

    fs::write(specs.join("two.yaml"), "apiVersion: [").expect("a broken spec");
    daemon.until("word of the fault", |daemon| {
        let conditions = daemon.agent("two")["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| condition["type"] == "SpecValid" && condition["status"] == "False")
    });
    assert!(is_ready(&daemon.agent("two")), "its last good spec is kept");

    fs::write(specs.join("two.yaml"), minimal.replace("name: minimal", "name: two")).expect("a spec");
    daemon.until("the mended spec", |daemon| {
        let conditions = daemon.agent("two")["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| condition["type"] == "SpecValid" && condition["status"] == "True")
    });
    fs::remove_file(specs.join("two.yaml")).expect("the spec is removed");
    daemon.until("the deletion", |daemon| daemon.agent("two")["error"] == "no agent two");
    assert!(is_ready(&daemon.agent("one")));
    assert_eq!(daemon.process.end("-INT").0, Some(0));
}

#[test]
fn a_run_that_ends_says_what_it_did_as_json() {
    // Those with a folder of code of their own need a package index: `building` and the runtime's tests are theirs.
    let files =
        fs::read_dir(repository().join("examples")).expect("the examples").map(|entry| entry.expect("one").path());
    let files = files.filter(|path| path.is_file() && path.extension().is_some_and(|kind| kind != "md"));
    let files: Vec<String> = files.map(|path| path.display().to_string()).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let run = [&["run", "--once", "--local", "--speed", "50", "-o", "json"][..], &files].concat();
    let said = binary::run(&repository(), &[], &run);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let list = said.json();
    assert_eq!(list["kind"], "AgentDeploymentList");
    let items = list["items"].as_array().expect("items");
    assert!(items.len() >= 6 && items.iter().all(is_ready), "every example runs");
    assert!(list["calls"]["ecs.CreateService"].as_u64().expect("calls") >= 6);
}

#[test]
fn json_logs_are_json_to_the_last_line() {
    let arguments = ["run", "--once", "--local", "--speed", "50", "--log-format", "json", "examples/minimal.yaml"];
    let said = binary::run(&repository(), &[], &arguments);
    assert_eq!(said.code, 0, "{}", said.err);
    let entries: Vec<Value> =
        said.err.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let told = |reason: &str| entries.iter().any(|entry| entry["agent"] == "minimal" && entry["reason"] == reason);
    assert!(told("Applying") && told("Converged"), "{}", said.err);
}
