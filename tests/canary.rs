//! Canaries: a word of its own at every place where a secret may stand, and every output of the real binary searched for
//! all of them - data, notes, logs at their most talkative, faults, statuses on disk, the daemon's HTTP.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{self, Said};
use crate::running::{self, Running};
use crate::tables::dynamodb;

/// The places, each with the word that stands there.
const PLACES: &[(&str, &str)] = &[
    ("a variable of the environment", "canary-variable-9b1e"),
    ("a variable that changes", "canary-changed-41d7"),
    ("a reference to a secret", "canary-reference-77a0"),
    ("an argument of the command", "canary-command-c3f2"),
    ("the entry point", "canary-entrypoint-5d08"),
    ("the command of the health check", "canary-check-e611"),
    ("the body of a smoke check", "canary-smoke-20bc"),
    ("a variable of a sidecar", "canary-sidecar-8ac4"),
    ("an override of the task definition", "canary-override-f09d"),
    ("a value of a broken spec", "canary-broken-3e57"),
    ("AWS's secret key", "canary-secretkey-b86f"),
    ("AWS's session token", "canary-session-d2a9"),
    ("the password in AWS's endpoint", "canary-endpoint-6c35"),
    ("the password in a source", "canary-source-a471"),
    ("the token in a source", "canary-token-0fd8"),
    ("the password in the daemon's address", "canary-server-95e3"),
];

/// The word at a place.
fn word(place: &str) -> &'static str {
    let found = PLACES.iter().find(|(name, _)| name.ends_with(place));
    found.unwrap_or_else(|| panic!("no place {place}")).1
}

/// The spec of an agent whose author keeps secrets everywhere but where they belong.
fn careless() -> String {
    let document = json!({
        "apiVersion": "fargateer/v1",
        "kind": "AgentDeployment",
        "metadata": {"name": "careless"},
        "spec": {
            "cluster": "agents",
            "image": {"uri": "public.ecr.aws/agents/careless:1"},
            "network": {"subnets": ["subnet-0a"]},
            "roles": {"execution": "agent-execution"},
            "container": {
                "environment": {"API_TOKEN": word("of the environment"), "OTHER": "1"},
                "secrets": {"KEY": {"valueFrom": format!("arn:aws:ssm:us-east-1:111122223333:parameter/{}", word("a secret"))}},
                "command": ["serve", "--token", word("the command")],
                "entryPoint": [format!("/bin/{}", word("entry point"))],
                "healthCheck": {"command": ["CMD", "curl", format!("http://localhost/?{}", word("health check"))]},
            },
            "sidecars": [{"name": "proxy", "image": "public.ecr.aws/agents/proxy:1", "essential": false,
                "environment": [{"name": "T", "value": word("a sidecar")}]}],
            "overrides": {"taskDefinition": {"containerDefinitions":
                [{"name": "strands-agent", "dockerLabels": {"token": word("an override of the task definition")}}]}},
        },
    });
    document.to_string()
}

/// An environment with secrets in it, in which everybody who logs is asked to tell all.
fn environment(endpoint: &str) -> Vec<(String, String)> {
    let pairs = [
        ("AWS_ACCESS_KEY_ID", "AKIACARELESS"),
        ("AWS_SECRET_ACCESS_KEY", word("secret key")),
        ("AWS_SESSION_TOKEN", word("session token")),
        ("AWS_ENDPOINT_URL", endpoint),
        ("FARGATEER_LOG", "trace"),
        ("RUST_LOG", "trace"),
        ("RUST_BACKTRACE", "full"),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// A folder with specs, a simulated AWS of its own, and everything that was said so far.
struct Scene {
    folder: TempDir,
    sim: Running,
    endpoint: String,
    outputs: Vec<(String, String)>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("spec.json"), careless()).expect("a spec");
        let sim = ["sim", "--listen", "127.0.0.1:0", "--speed", "50", "--seed", "spec.json"];
        let sim = Running::start(binary::command(folder.path(), &[], &sim));
        let endpoint = running::address(&sim.wait_for("http://"));
        Self { folder, sim, endpoint, outputs: Vec::new() }
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    fn keep(&mut self, what: impl Into<String>, text: impl Into<String>) {
        self.outputs.push((what.into(), text.into()));
    }

    /// Runs a command and keeps all it says.
    fn run(&mut self, arguments: &[&str]) -> Said {
        let endpoint = self.endpoint.clone();
        self.run_at(&endpoint, arguments)
    }

    fn run_at(&mut self, endpoint: &str, arguments: &[&str]) -> Said {
        let said = binary::run(self.at(), &environment(endpoint), arguments);
        assert!(!said.err.contains("panicked"), "{arguments:?}: {}", said.err);
        self.keep(arguments.join(" "), format!("{}\n{}", said.out, said.err));
        said
    }

    /// Changes the spec's variable OTHER.
    fn edit(&self, value: &str) {
        let spec = careless().replace("\"OTHER\":\"1\"", &format!("\"OTHER\":\"{value}\""));
        assert_ne!(spec, careless());
        fs::write(self.at().join("spec.json"), spec).expect("a spec");
    }

    /// Where which word stands in what was said.
    fn found(&self) -> String {
        let mut found = String::new();
        for (what, text) in &self.outputs {
            for (place, word) in PLACES.iter().filter(|(_, word)| text.contains(word)) {
                let line = text.lines().find(|line| line.contains(word)).unwrap_or_default();
                let _ = writeln!(found, "`{what}` tells {place}: {}", line.chars().take(400).collect::<String>());
            }
        }
        found
    }
}

/// Every file below a folder, as one text.
fn files(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = if path.is_dir() { files(&path) } else { fs::read_to_string(&path).expect("a text") };
        all.push_str(&text);
    }
    all
}

#[test]
fn commands_that_end_tell_no_secret() {
    let mut scene = Scene::new();
    for arguments in [
        &["validate", "spec.json"][..],
        &["validate", "-o", "json", "spec.json"],
        &["plan", "spec.json"],
        &["plan", "--format", "json", "spec.json"],
        &["diff", "spec.json"],
        &["apply", "-y", "-o", "json", "spec.json"],
        &["diff", "--format", "json", "spec.json"],
    ] {
        scene.run(arguments);
    }
    scene.edit(word("that changes"));
    for arguments in [
        &["plan", "spec.json"][..],
        &["plan", "--format", "json", "spec.json"],
        &["plan", "--format", "markdown", "spec.json"],
        &["diff", "spec.json"],
        &["diff", "--format", "json", "spec.json"],
        &["apply", "spec.json"],
        &["apply", "-y", "-o", "yaml", "--log-format", "json", "spec.json"],
        &["run", "--once", "-o", "wide", "--state", "state", "spec.json"],
        &["run", "--once", "-o", "yaml", "--log-format", "json", "--state", "state", "spec.json"],
    ] {
        let said = scene.run(arguments);
        assert!(said.code < 2 || arguments[1] == "spec.json", "{arguments:?}: {}{}", said.out, said.err);
    }
    let table = "dynamodb://fargateer-specs";
    for arguments in [
        &["table", "create", "--specs", "fargateer-specs"][..],
        &["apply", "--to", table, "-y", "spec.json"],
        &["run", "--once", "-o", "json", "--state", "state", table],
        &["get", "--from", table, "-o", "yaml"],
    ] {
        let said = scene.run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}{}", said.out, said.err);
    }
    let row = json!({"TableName": "fargateer-specs", "Key": {"name": {"S": "careless"}}});
    let status = dynamodb(&scene.endpoint, "GetItem", &row)["Item"]["status"].to_string();
    assert!(status.contains("Converged"), "{status}");
    scene.keep("the status in the row", status);
    let changed = scene.run(&["diff", "spec.json"]);
    assert_eq!(changed.code, 0, "what changed was applied: {}", changed.out);
    let state = files(&scene.at().join("state"));
    assert!(state.contains("Converged"), "{state}");
    scene.keep("the folder of statuses", state);
    assert_eq!(scene.found(), "");

    // The words were there to be told: AWS got them, and `render` shows what is in the file anyway.
    let calls = running::http(&scene.endpoint, "GET", "/_sim/calls", &[], "");
    let rendered = scene.run(&["render", "spec.json"]).out;
    for place in
        ["of the environment", "that changes", "a secret", "the command", "entry point", "health check", "a sidecar"]
    {
        assert!(calls.contains(word(place)) && rendered.contains(word(place)), "{place} was never sent");
    }
}

#[test]
fn a_daemon_tells_no_secret() {
    for format in ["json", "text"] {
        let mut scene = Scene::new();
        let arguments = ["run", "--listen", "127.0.0.1:0", "--poll", "1s", "--state", "state", "--log-format", format];
        let arguments = [&arguments[..], &["--resync", "2s", "spec.json"]].concat();
        let mut daemon = Running::start(binary::command(scene.at(), &environment(&scene.endpoint), &arguments));
        let line = daemon.wait_for("serving http://");
        let server = running::address(&line);
        let server = server.trim_end_matches('"').to_owned();
        let told = |path: &str| running::http(&server, "GET", path, &[], "");
        daemon.until("the first rollout", || told("/api/v1/agents/careless").contains("Converged"));
        scene.edit(word("that changes"));
        daemon.until("the second rollout", || told("/api/v1/events").matches("Converged").count() > 1);
        for path in ["/api/v1/agents", "/api/v1/agents/careless", "/api/v1/events", "/metrics", "/healthz", "/readyz"] {
            scene.keep(path, told(path));
        }
        for arguments in [
            &["get", "-o", "wide"][..],
            &["get", "-o", "yaml"],
            &["get", "careless", "-o", "json"],
            &["describe", "careless"],
            &["reconcile", "careless"],
            &["prune"],
        ] {
            let said = scene.run(&[arguments, &["--server", &server]].concat());
            assert_eq!(said.code, 0, "{arguments:?}: {}{}", said.out, said.err);
            let spec = arguments[0] == "describe" || ["json", "yaml"].contains(&arguments[arguments.len() - 1]);
            assert_eq!(
                spec,
                said.out.contains("sha256:") && said.out.contains("API_TOKEN"),
                "{arguments:?}: {}",
                said.out
            );
        }
        assert_eq!(daemon.end("-TERM").0, Some(0));
        let heard = daemon.heard();
        assert!(heard.contains("Applying"), "the log is at its most talkative: {heard}");
        scene.keep(format!("the daemon's log as {format}"), heard);
        scene.keep("the folder of statuses", files(&scene.at().join("state")));
        assert_eq!(scene.found(), "", "logs as {format}");
    }
}

#[test]
fn what_goes_wrong_tells_no_secret() {
    let mut scene = Scene::new();
    let quoting = format!("1 validation error: value '{}' is not allowed", word("of the environment"));
    for kind in ["access-denied", "html-error", "server-error", "error"] {
        let operation = "RegisterTaskDefinition";
        let fault = json!({"kind": kind, "code": "ClientException", "message": quoting, "operation": operation});
        let ordered = running::http(&scene.endpoint, "POST", "/_sim/faults", &[], &fault.to_string());
        assert_eq!(ordered, "{}");
        let said = scene.run(&["run", "--once", "-o", "json", "--timeout", "2s", "--state", "state", "spec.json"]);
        assert_ne!(said.code, 0, "{}", said.out);
        assert_eq!(said.out.contains("value 'sha256:"), kind == "error", "{}", said.out);
        running::http(&scene.endpoint, "DELETE", "/_sim/faults", &[], "");
    }
    let broken = careless().replace("\"OTHER\":\"1\"", &format!("\"OTHER\":{{\"a\":\"{}\"}}", word("broken spec")));
    fs::write(scene.at().join("broken.json"), broken).expect("a spec");
    for arguments in [&["validate", "broken.json"][..], &["plan", "broken.json"], &["run", "--once", "broken.json"]] {
        assert_ne!(scene.run(arguments).code, 0, "{arguments:?}");
    }
    let password = word("AWS's endpoint");
    scene.run_at(password, &["run", "--once", "--timeout", "2s", "spec.json"]);
    for endpoint in ["http://u:PASS@127.0.0.1:9", "http://u:PASS/x@127.0.0.1:9", "PASS"] {
        scene.run_at(&endpoint.replace("PASS", password), &["plan", "--log-format", "json", "spec.json"]);
    }
    let source =
        format!("https://u:{}@localhost/specs?token={}", word("password in a source"), word("token in a source"));
    let said = scene.run(&["run", "--once", &source]);
    assert!(said.err.contains("https://localhost/specs?...: "), "{}", said.err);
    scene.run(&["run", "--once", &source, &source]);
    let said = scene.run(&["run", "--once", "--state", &source, "spec.json"]);
    assert!(said.err.contains("'https://localhost/specs?...'"), "{}", said.err);
    for server in ["http://u:PASS@127.0.0.1:9", "u:PASS@127.0.0.1:9", "http://u:PASS/x@127.0.0.1:9", "http://PASS@"] {
        let server = server.replace("PASS", word("daemon's address"));
        assert_ne!(scene.run(&["get", "--server", &server]).code, 0, "{server}");
    }
    scene.keep("the folder of statuses", files(&scene.at().join("state")));
    assert_eq!(scene.found(), "");
}

#[test]
fn help_and_the_demo_tell_no_secret() {
    let mut scene = Scene::new();
    let server = format!("http://u:{}@127.0.0.1:9", word("daemon's address"));
    for arguments in [&["--help"][..], &["get", "--help"], &["run", "--help"], &["version"], &["completion", "bash"]] {
        let mut environment = environment("http://127.0.0.1:9");
        for name in ["SERVER", "LISTEN", "STATE", "OWNER"] {
            environment.push((format!("FARGATEER_{name}"), server.clone()));
        }
        let said = binary::run(scene.at(), &environment, arguments);
        scene.keep(arguments.join(" "), format!("{}\n{}", said.out, said.err));
    }
    let mut spec: Value = serde_json::from_str(&careless()).expect("JSON");
    spec["spec"]["verify"] = json!({"http": {"path": "/ready", "invoke": {"token": word("smoke check")}}});
    fs::write(scene.at().join("spec.json"), spec.to_string()).expect("a spec");
    for format in ["json", "yaml", "wide"] {
        let said = scene.run(&["run", "--once", "--local", "--speed", "50", "-o", format, "spec.json"]);
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    }
    assert_eq!(scene.found(), "");
}

/// What the logs of libraries would tell, and only a person who asks for it by name is told.
#[test]
fn logs_of_libraries_tell_secrets_only_to_who_asks_for_them() {
    let mut scene = Scene::new();
    let said = scene.run(&["plan", "--log-secrets", "spec.json"]);
    assert!(said.err.contains("aws_smithy") || said.err.contains("hyper"), "{}", said.err);
    scene.outputs.clear();
    let said = scene.run(&["run", "--once", "--log-secrets", "--state", "state", "spec.json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_ne!(scene.found(), "", "libraries told nothing: the other tests prove nothing about their logs");
    let simulated = scene.sim.heard();
    assert!(PLACES.iter().all(|(_, word)| !simulated.contains(word)), "{simulated}");
}
