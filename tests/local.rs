//! Agents that really run on this machine: `run --local --tasks process` and `dev`, with a small agent of Python's standard
//! library that needs no packages and no network.

mod newcomer;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{self, repository};
use crate::running::{self, Running};

/// An agent that brings a server of its own.
const AGENT: &str = "crates/sim/tests/process/agent.py";

/// The environment a developer has: where programs are.
fn environment() -> Vec<(String, String)> {
    #[expect(clippy::disallowed_methods, reason = "the programs of this machine are found where they are")]
    let path = std::env::var("PATH").expect("a search path");
    vec![("PATH".to_owned(), path)]
}

/// The status and the body of the answer to a request.
fn ask(base: &str, method: &str, path: &str) -> (u16, Value) {
    let answer = running::exchange(base, method, path, &[], "{}");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, answer.split_once("\r\n\r\n").map_or(Value::Null, |(_, body)| running::json(body)))
}

fn code(folder: &Path, more: &str) {
    let agent = fs::read_to_string(repository().join(AGENT)).expect("the agent");
    fs::write(folder.join("agent_server.py"), format!("{more}\n{agent}")).expect("it is saved");
}

/// Whether a process runs: one that is dead and not yet buried does not.
fn runs(process: &Value) -> bool {
    fs::read_link(format!("/proc/{process}/exe")).is_ok()
}

fn dev(folder: &TempDir) -> (Running, String) {
    let agent = folder.path().join("agent");
    fs::create_dir(&agent).expect("a folder");
    code(&agent, "REVISION = 1");
    let process =
        Running::start(binary::command(folder.path(), &environment(), &["dev", "agent", "--env", "REVISION=dev"]));
    let front = running::address(&process.wait_for("agent at http://"));
    (process, front)
}

#[test]
fn a_saved_change_takes_over_and_one_that_is_broken_does_not() {
    let folder = TempDir::new().expect("a folder");
    let (mut process, front) = dev(&folder);
    let agent = folder.path().join("agent");
    assert!(process.wait_for("curl").contains(&format!("{front}/invocations")));
    assert_eq!(ask(&front, "POST", "/invocations").1["revision"], "dev");
    let pid = || ask(&front, "GET", "/environment").1["pid"].clone();
    let (first, model) = (pid(), ask(&front, "GET", "/environment").1["environment"]["AGENT_MODEL"].clone());
    assert_eq!(model, "offline");
    code(&agent, "this is no Python");
    process.wait_for("SyntaxError");
    process.wait_for("the agent from before the change goes on");
    assert_eq!(pid(), first);
    code(&agent, "REVISION = 2");
    process.wait_for("the changed agent answers");
    process.until("the agent before has ended", || !runs(&first));
    let second = pid();
    assert_ne!(second, first);
    let (code, seconds) = process.end("-INT");
    assert_eq!((code, runs(&second)), (Some(0), false), "{}", process.heard());
    assert!(seconds < 30);
}

#[test]
fn an_agent_does_not_outlive_a_program_that_is_killed() {
    let folder = TempDir::new().expect("a folder");
    let (mut process, front) = dev(&folder);
    let pid = ask(&front, "GET", "/environment").1["pid"].clone();
    assert!(runs(&pid));
    process.end("-KILL");
    process.until("the agent has ended, too", || !runs(&pid));
}

#[test]
fn what_processes_need_is_said_before_anything_begins() {
    let folder = TempDir::new().expect("a folder");
    let spec = repository().join("examples/minimal.yaml").display().to_string();
    let cases: [(&[&str], &str); 4] = [
        (&["run", "--local", "--tasks", "process", &spec], "python3.11"),
        (&["run", "--tasks", "process", &spec], "--local"),
        (&["run", "--local", "--tasks", "process", "--speed", "5", &spec], "pace of the clock"),
        (&["dev", "nowhere"], "does not exist"),
    ];
    for (arguments, said) in cases {
        let answer = binary::run(folder.path(), &[("PATH".to_owned(), "/nowhere".to_owned())], arguments);
        assert!(answer.code == 2 && answer.err.contains(said), "{arguments:?}: {} {}", answer.code, answer.err);
    }
}

#[test]
fn without_uv_nothing_is_waited_for() {
    let folder = TempDir::new().expect("a folder");
    code(folder.path(), "");
    let mut environment = environment();
    environment.push(("FARGATEER_UV".to_owned(), "/no/such/uv".to_owned()));
    let answer = binary::run(folder.path(), &environment, &["dev", "."]);
    assert!(answer.code == 2 && answer.err.contains("install uv"), "{} {}", answer.code, answer.err);
}

const GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/real/0123456789abcdef";

/// A daemon whose tasks are processes, and the folder of its specs.
struct Fargate {
    folder: TempDir,
    process: Running,
    aws: String,
    server: String,
}

impl Fargate {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::create_dir(folder.path().join("specs")).expect("a folder");
        let arguments =
            ["run", "--local", "--tasks", "process", "--resync", "2s", "--poll", "1s", "--listen", "127.0.0.1:0"];
        let process =
            Running::start(binary::command(folder.path(), &environment(), &[&arguments[..], &["specs"]].concat()));
        let aws = running::address(&process.wait_for("simulated AWS at "));
        let server = running::address(&process.wait_for("serving http://"));
        Self { folder, process, aws, server }
    }

    fn push(&self, tag: &str, more: &str) {
        let make = json!({"repositoryName": "agents/real"});
        let credential = "AKIASOMEBODY/20260101/us-east-1/ecr/aws4_request";
        let headers = [
            ("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.CreateRepository".to_owned()),
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("authorization", format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")),
        ];
        running::http(&self.aws, "POST", "/", &headers, &make.to_string());
        code(self.folder.path(), more);
        let script = repository().join("tests/local/push.py");
        let mut command = Command::new("python3");
        command.arg(script).args([&self.aws, "agents/real", tag]).arg(self.folder.path().join("agent_server.py"));
        let output = command.output().expect("python3");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn specify(&self, tag: &str) {
        let spec = format!(
            "apiVersion: fargateer/v1
kind: AgentDeployment
metadata: {{name: real}}
spec:
  cluster: agents
  image: {{uri: \"111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/real:{tag}\"}}
  container:
    environment: {{REVISION: {tag}}}
    healthCheck:
      command: [CMD, python3, -I, -S, -c, \"import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=3)\"]
      interval: 5
      timeout: 4
  network: {{subnets: [subnet-0a1b2c3d4e5f60718, subnet-0b2c3d4e5f6071829]}}
  loadBalancer: {{targetGroupArn: \"{GROUP}\"}}
  roles: {{execution: agent-execution}}
"
        );
        fs::write(self.folder.path().join("specs/real.yaml"), spec).expect("it is saved");
    }

    fn condition(&self, kind: &str) -> Value {
        let agent = running::json(&running::http(&self.server, "GET", "/api/v1/agents/real", &[], ""));
        let conditions = agent["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or(Value::Null)
    }
}

#[test]
fn an_agent_runs_behind_its_load_balancer_rolls_and_is_rolled_back() {
    let mut fargate = Fargate::start();
    fargate.push("v1", "");
    fargate.specify("v1");
    let front = running::address(&fargate.process.wait_for("load balancer of target group real at "));
    fargate.process.until("it is ready", || fargate.condition("Ready")["status"] == "True");
    assert_eq!(ask(&front, "POST", "/invocations").1["revision"], "v1");
    let pid = || ask(&front, "GET", "/environment").1["pid"].clone();
    let first = pid();
    fargate.push("v2", "");
    fargate.specify("v2");
    fargate.process.until("the new revision answers and no call fails", || {
        let (status, said) = ask(&front, "POST", "/invocations");
        assert_eq!(status, 200, "{said}");
        said["revision"] == "v2"
    });
    fargate.process.until("the old task has ended", || !runs(&first));
    fargate.process.until("it is ready again", || fargate.condition("Ready")["status"] == "True");
    fargate.push("v3", "raise RuntimeError('broken on purpose')");
    fargate.specify("v3");
    fargate.process.until("it is rolled back and no call fails", || {
        assert_eq!(ask(&front, "POST", "/invocations").0, 200);
        fargate.condition("Ready")["reason"] == "RolledBack"
    });
    let agent = running::http(&fargate.server, "GET", "/api/v1/agents/real", &[], "");
    assert!(agent.contains("broken on purpose"), "{agent}");
    let last = pid();
    let (code, _) = fargate.process.end("-TERM");
    assert_eq!((code, runs(&last)), (Some(0), false), "{}", fargate.process.heard());
}
