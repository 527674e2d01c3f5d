//! What a newcomer does: a new agent of Strands, its image, two real tasks behind a load balancer; then the code changes, and then
//! it is broken, while others use the agent all the time.

#[path = "../../crates/image/tests/it/install.rs"]
#[expect(dead_code, reason = "what the tests of images need besides")]
mod install;

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary;
use crate::running::{self, Running};

/// Others who use the agent at the same time.
const CALLERS: usize = 2;

/// Calls one after another until told to stop; how many there were, and the answers that were none.
fn use_it(front: &str, stop: &Arc<AtomicBool>) -> JoinHandle<(usize, Vec<String>)> {
    let (front, stop) = (front.to_owned(), Arc::clone(stop));
    thread::spawn(move || {
        let (mut calls, mut failed) = (0, Vec::new());
        while !stop.load(Ordering::Relaxed) {
            let headers = [("content-type", "application/json".to_owned())];
            let answer = running::exchange(&front, "POST", "/invocations", &headers, r#"{"prompt": "hello"}"#);
            calls += 1;
            if !(answer.starts_with("HTTP/1.1 200") && answer.contains("[offline] turn 1: hello")) {
                failed.push(answer);
            }
        }
        (calls, failed)
    })
}

/// Where uv is, and what it may know of this machine.
fn environment() -> Vec<(String, String)> {
    let tools = install::tools(&[]);
    let text = |value: OsString| value.into_string().expect("text");
    let known = tools.environment.into_iter().map(|(name, value)| (text(name), text(value)));
    let uv = ("FARGATEER_UV".to_owned(), text(tools.uv.expect("uv").into_os_string()));
    known.chain([uv]).collect()
}

struct Fargate {
    folder: TempDir,
    process: Running,
    server: String,
}

impl Fargate {
    /// A new agent, of which two tasks run behind a load balancer.
    fn start() -> Self {
        let (folder, environment) = (TempDir::new().expect("a folder"), environment());
        let made = binary::run(folder.path(), &environment, &["init", "agent", "bot"]);
        assert_eq!(made.code, 0, "{}", made.err);
        let file = folder.path().join("bot/agent-deployment.yaml");
        let spec = fs::read_to_string(&file).expect("a spec");
        assert!(spec.contains("  # loadBalancer: "), "{spec}");
        let spec = spec.replace("# loadBalancer: ", "loadBalancer: ") + "  desiredCount: 2\n";
        fs::write(&file, spec).expect("it is saved");
        let arguments = [
            "run",
            "--local",
            "--tasks",
            "process",
            "--resync",
            "2s",
            "--poll",
            "1s",
            "--listen",
            "127.0.0.1:0",
            "bot",
        ];
        let process = Running::start(binary::command(folder.path(), &environment, &arguments));
        let server = running::address(&process.wait_for("serving http://"));
        Self { folder, process, server }
    }

    fn status(&self) -> Value {
        running::json(&running::http(&self.server, "GET", "/api/v1/agents/bot", &[], ""))["status"].clone()
    }

    fn reason(&self) -> String {
        let conditions = self.status()["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready").unwrap_or_default();
        ready["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Changes the code.
    fn edit(&self, from: &str, to: &str) {
        let file = self.folder.path().join("bot/generated_agent.py");
        let code = fs::read_to_string(&file).expect("the agent");
        assert!(code.contains(from), "{code}");
        fs::write(&file, code.replace(from, to)).expect("it is saved");
    }
}

#[test]
fn a_new_agent_is_built_and_serves_while_its_code_changes_and_while_it_is_broken() {
    let mut fargate = Fargate::start();
    let front = running::address(&fargate.process.wait_for("load balancer of target group bot at "));
    fargate.process.until("it is ready", || fargate.reason() == "Converged");
    let first = fargate.status();
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS).map(|_| use_it(&front, &stop)).collect();

    fargate.edit("You are a helpful assistant.", "You are a helpful assistant, and brief.");
    fargate.process.until("the changed code runs", || {
        fargate.reason() == "Converged" && fargate.status()["imageDigest"] != first["imageDigest"]
    });
    let second = fargate.status();
    assert_eq!(second["image"]["baseDigest"], first["image"]["baseDigest"]);

    fargate.edit("import os", "import os\nimport nothing_of_this_name");
    fargate.process.until("it is rolled back", || fargate.reason() == "RolledBack");
    stop.store(true, Ordering::Relaxed);
    let served: Vec<_> = callers.into_iter().map(|caller| caller.join().expect("a caller")).collect();
    assert!(served.iter().all(|(calls, failed)| *calls > 0 && failed.is_empty()), "{served:?}");

    let failure = fargate.status()["failure"].clone();
    assert_eq!(failure["exitCode"], json!(78), "{failure}");
    let advice = failure["advice"].as_str().unwrap_or_default();
    assert!(advice.contains("AgentLoadFailed") && advice.contains("requirements.txt"), "{failure}");
    let last = failure["log"].as_array().and_then(|lines| lines.last()).cloned();
    assert_eq!(last, Some(json!("ModuleNotFoundError: No module named 'nothing_of_this_name'")), "{failure}");

    fargate.edit("import nothing_of_this_name\n", "");
    fargate.process.until("the mended code runs", || fargate.reason() == "Converged");
    assert_eq!(fargate.process.end("-TERM").0, Some(0), "{}", fargate.process.heard());
}

/// What the Dockerfile says, done by hand: its files in one folder, its requirements installed, its command started.
#[test]
fn the_dockerfile_of_a_new_agent_makes_what_serves_the_same() {
    let (folder, environment) = (TempDir::new().expect("a folder"), environment());
    let made = binary::run(folder.path(), &environment, &["init", "agent", "bot", "--dockerfile"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let (bot, app) = (folder.path().join("bot"), folder.path().join("app"));
    fs::create_dir(&app).expect("a folder");
    let dockerfile = fs::read_to_string(bot.join("Dockerfile")).expect("a Dockerfile");
    let instruction = |name: &str| dockerfile.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    assert_eq!((instruction("FROM"), instruction("EXPOSE")), (Some("python:3.11-slim"), Some("8000")));
    for copied in dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let file = copied.strip_suffix(" .").expect("one file");
        fs::copy(bot.join(file), app.join(file)).expect("a copy");
    }
    assert_eq!(instruction("RUN pip install"), Some("--no-cache-dir -r requirements.txt"));
    let tools = install::tools(&[]);
    let uv = || {
        let mut uv = Command::new(tools.uv.clone().expect("uv"));
        uv.current_dir(&app).envs(tools.environment.clone());
        uv
    };
    install::run(uv().args(["venv", "--quiet", "--python", "3.11", "venv"]));
    install::run(uv().args(["pip", "install", "--quiet", "--python", "venv/bin/python", "-r", "requirements.txt"]));

    let command: Vec<String> = serde_json::from_str(instruction("CMD").expect("a command")).expect("words");
    assert_eq!(command, ["python", "agent_server.py"]);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let mut server = Command::new(app.join("venv/bin/python"));
    server.args(&command[1..]).current_dir(&app).env_clear().env("HOME", folder.path());
    server.envs([("AGENT_MODEL", "offline"), ("HOST", "127.0.0.1"), ("AWS_REGION", "us-east-1")]);
    let mut server = Running::start({
        server.env("PORT", port.to_string());
        server
    });
    let front = format!("http://127.0.0.1:{port}");
    server.wait_for("ready");
    let health = running::exchange(&front, "GET", "/health", &[], "");
    assert!(health.starts_with("HTTP/1.1 200") && health.contains(r#""contract":"v1""#), "{health}");
    let headers = [("content-type", "application/json".to_owned())];
    let answer = running::exchange(&front, "POST", "/invocations", &headers, r#"{"prompt": "hello"}"#);
    assert!(answer.contains("[offline] turn 1: hello"), "{answer}");
    assert_eq!(server.end("-TERM").0, Some(0), "{}", server.heard());
}
