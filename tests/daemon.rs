//! The daemon on the embedded simulated AWS, as a newcomer meets it: it converges, answers, corrects drift, ends.

#![expect(clippy::disallowed_methods, reason = "a real process runs in real time")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::{self, repository};

/// A step that takes longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running daemon. Dropped, it is killed.
pub struct Daemon {
    child: Child,
    lines: Receiver<String>,
    /// Where the simulated AWS is.
    pub aws: String,
    /// Where the daemon is.
    pub server: String,
}

impl Daemon {
    /// Starts `run --local` on `source` and waits until it serves.
    fn start(at: &Path, source: &str) -> Self {
        let arguments = [
            "run",
            "--local",
            "--speed",
            "20",
            "--resync",
            "2s",
            "--prune-grace",
            "0s",
            "--listen",
            "127.0.0.1:0",
            source,
        ];
        let mut daemon = Self::spawn(at, &[], &arguments);
        daemon.aws = word(&daemon.wait_for("simulated AWS at "), "http://");
        daemon.server = word(&daemon.wait_for("serving http://"), "http://");
        daemon
    }

    /// Starts `fargateer` with `arguments`.
    pub fn spawn(at: &Path, environment: &[(String, String)], arguments: &[&str]) -> Self {
        let mut command = binary::command(at, environment, arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the daemon starts");
        let (sender, lines) = mpsc::channel();
        read(child.stdout.take().expect("its standard output"), sender.clone());
        read(child.stderr.take().expect("its standard error"), sender);
        Self { child, lines, aws: String::new(), server: String::new() }
    }

    /// Sends `signal`.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill");
        assert!(status.success());
    }

    /// The next line that contains `text`.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("no line with `{text}` ({error}); seen:\n{}", seen.join("\n")),
            }
        }
    }

    /// Somebody's call to the simulated AWS, as any AWS CLI would make it.
    pub fn aws(&self, operation: &str, request: &Value) -> Value {
        let credential = "AKIASOMEBODY/20260101/us-east-1/ecs/aws4_request";
        let headers = [
            ("x-amz-target", format!("AmazonEC2ContainerServiceV20141113.{operation}")),
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("authorization", format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")),
        ];
        http(&self.aws, "POST", "/", &headers, &request.to_string())
    }

    /// The document of an agent from the daemon's API.
    fn agent(&self, name: &str) -> Value {
        http(&self.server, "GET", &format!("/api/v1/agents/{name}"), &[], "")
    }

    /// Asks again and again until `holds` does, for what no line announces.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < end, "{what} did not come about");
            // A line, or a moment without one: nothing here sleeps longer than the daemon is silent.
            drop(self.lines.recv_timeout(Duration::from_millis(100)));
        }
    }

    /// Sends `signal` and answers the exit code and the seconds it took.
    pub fn end(mut self, signal: &str) -> (Option<i32>, u64) {
        let begun = Instant::now();
        self.signal(signal);
        let code = self.child.wait().expect("the daemon ends").code();
        (code, begun.elapsed().as_secs())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read(from: impl Read + Send + 'static, sender: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
}

pub fn word(line: &str, start: &str) -> String {
    let at = line.find(start).expect("an address");
    line[at..].split_whitespace().next().expect("a word").to_owned()
}

pub fn http(base: &str, method: &str, path: &str, headers: &[(&str, String)], body: &str) -> Value {
    let answer = ask(base, method, path, headers, body);
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    let json = body.find(['{', '[']).map_or("null", |at| &body[at..=body.rfind(['}', ']']).unwrap_or(at)]);
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// The whole answer to a request.
pub fn ask(base: &str, method: &str, path: &str, headers: &[(&str, String)], body: &str) -> String {
    let host = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("the server answers");
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("the request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

pub fn is_ready(agent: &Value) -> bool {
    let conditions = agent["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

#[test]
fn the_demo_fleet_converges_corrects_drift_and_ends_on_a_signal() {
    let daemon = Daemon::start(&repository(), "manifests");
    daemon.wait_for("12 of 12 agents ready");

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

    let (code, seconds) = daemon.end("-TERM");
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
    let daemon = Daemon::start(folder.path(), "specs");
    daemon.wait_for("2 of 2 agents ready");

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
    assert_eq!(daemon.end("-INT").0, Some(0));
}

#[test]
fn a_run_that_ends_says_what_it_did_as_json() {
    let said =
        binary::run(&repository(), &[], &["run", "--once", "--local", "--speed", "50", "-o", "json", "examples"]);
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
