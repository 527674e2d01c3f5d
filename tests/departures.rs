//! `fargateer delete` and the daemon: refused while the spec stands, at once when it is gone, or handed back.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{self, Said};
use crate::running::{self, Running};

/// A daemon on a folder of specs whose grace period nobody waits for.
struct Daemon {
    folder: tempfile::TempDir,
    process: Running,
    aws: String,
    server: String,
}

fn spec(at: &Path, name: &str) {
    let text = format!(
        "apiVersion: fargateer/v1\nkind: AgentDeployment\nmetadata: {{name: {name}}}\nspec:\n  cluster: agents\n  \
         image: {{uri: \"public.ecr.aws/x/{name}:1\"}}\n  network: {{subnets: [subnet-0a]}}\n  roles: {{execution: e}}\n"
    );
    fs::write(at.join(format!("specs/{name}.yaml")), text).expect("a file");
}

impl Daemon {
    fn with(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("specs")).expect("a folder");
        for name in names {
            spec(folder.path(), name);
        }
        let arguments = ["run", "--local", "--speed", "20", "--resync", "2s", "--prune-grace", "1h", "--poll", "1s"];
        let arguments = [&arguments[..], &["--listen", "127.0.0.1:0", "specs"]].concat();
        let process = Running::start(binary::command(folder.path(), &[], &arguments));
        let aws = running::address(&process.wait_for("simulated AWS at "));
        let server = running::address(&process.wait_for("serving http://"));
        let daemon = Self { folder, process, aws, server };
        daemon.process.until("all are Ready", || names.iter().all(|name| daemon.reason(name) == "Converged"));
        daemon
    }

    fn delete(&self, more: &[&str]) -> Said {
        let arguments = [&["delete", "-y", "--server", &self.server], more].concat();
        binary::run(self.folder.path(), &[], &arguments)
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join(format!("specs/{name}.yaml"))).expect("the file");
        self.process.until("the spec is missed", || self.reason(name) == "PruneGrace");
    }

    fn reason(&self, name: &str) -> String {
        let agent = running::json(&running::http(&self.server, "GET", &format!("/api/v1/agents/{name}"), &[], ""));
        let conditions = agent["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready").unwrap_or_default();
        ready["reason"].as_str().unwrap_or_default().to_owned()
    }

    fn service(&self, name: &str) -> Value {
        let request = json!({"cluster": "agents", "services": [name], "include": ["TAGS"]});
        running::ecs(&self.aws, "DescribeServices", &request)["services"][0].clone()
    }
}

#[test]
fn an_agent_is_deleted_at_once_only_when_its_spec_is_gone() {
    let daemon = Daemon::with(&["one", "two", "three"]);
    let stands = daemon.delete(&["one"]);
    assert!(stands.code == 2 && stands.err.contains("specs/one.yaml:1"), "{}", stands.err);
    let stands = daemon.delete(&["--retain", "one"]);
    assert!(stands.code == 2 && stands.err.contains("remove it there first"), "{}", stands.err);
    let nobody = daemon.delete(&["nobody"]);
    assert!(nobody.code == 2 && nobody.err.contains("no agent nobody"), "{}", nobody.err);
    daemon.remove("one");
    daemon.remove("two");
    let said = daemon.delete(&["one"]);
    assert_eq!(said.code, 0, "{}", said.err);
    daemon.process.until("one is gone", || daemon.service("one")["status"] == "INACTIVE");
    assert_eq!(daemon.service("two")["status"], "ACTIVE", "its grace is not over");
    let asked = binary::run(daemon.folder.path(), &[], &["delete", "--server", &daemon.server, "two"]);
    assert!(asked.code == 2 && asked.err.contains("add -y"), "{}", asked.err);
}

/// The grace period here is an hour: an agent that were missed would say so.
#[test]
fn a_file_that_is_renamed_deletes_nobody() {
    let daemon = Daemon::with(&["one", "two"]);
    let before = daemon.service("one")["deployments"][0]["id"].clone();
    let specs = daemon.folder.path().join("specs");
    fs::create_dir(specs.join("team")).expect("a folder");
    fs::rename(specs.join("one.yaml"), specs.join("team/uno.yml")).expect("the file");
    let location = || {
        let agent = running::json(&running::http(&daemon.server, "GET", "/api/v1/agents/one", &[], ""));
        agent["status"]["source"]["location"].as_str().unwrap_or_default().to_owned()
    };
    daemon.process.until("it is told from its new place", || location().contains("team/uno.yml"));
    assert_eq!(daemon.reason("one"), "Converged");
    assert_eq!(daemon.service("one")["deployments"][0]["id"], before);
    let events = running::http(&daemon.server, "GET", "/api/v1/events", &[], "");
    assert!(events.contains("Converged") && !events.contains("PruneGrace"), "{events}");
}

#[test]
fn an_agent_is_handed_back_and_may_be_adopted_again() {
    let daemon = Daemon::with(&["one", "two"]);
    daemon.remove("one");
    let said = daemon.delete(&["--retain", "one"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let bare = |daemon: &Daemon| !daemon.service("one")["tags"].to_string().contains("fargateer:");
    daemon.process.until("one carries no tag of ours", || bare(&daemon));
    daemon.process.until("one is forgotten", || daemon.reason("one").is_empty());
    assert_eq!(daemon.service("one")["status"], "ACTIVE");
    // Its spec is back, and the daemon does not take over what is nobody's.
    spec(daemon.folder.path(), "one");
    daemon.process.until("one is not ours", || daemon.reason("one") == "NotOurs");
    let environment =
        [("AWS_ENDPOINT_URL", daemon.aws.as_str()), ("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let environment: Vec<(String, String)> =
        environment.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let adopted = binary::run(daemon.folder.path(), &environment, &["adopt", "-y", "specs/one.yaml"]);
    assert!(adopted.code == 0 && adopted.err.contains("fargateer reconcile one"), "{}", adopted.err);
    let asked = binary::run(daemon.folder.path(), &[], &["reconcile", "--server", &daemon.server, "one"]);
    assert_eq!(asked.code, 0, "{}", asked.err);
    daemon.process.until("one is ours again", || daemon.reason("one") == "Converged");
}

/// What is handed back is nobody's. Its spec comes back and goes again: nothing of it was ours meanwhile, and nothing has to be
/// confirmed for it, though no other agent is left.
#[test]
fn an_agent_that_was_handed_back_is_forgotten_when_its_spec_comes_and_goes() {
    let daemon = Daemon::with(&["one"]);
    fs::remove_file(daemon.folder.path().join("specs/one.yaml")).expect("the file");
    daemon.process.until("the last spec is missed", || daemon.reason("one") == "PruneBlocked");
    let said = daemon.delete(&["--retain", "one"]);
    assert_eq!(said.code, 0, "{}", said.err);
    daemon.process.until("one is forgotten", || daemon.reason("one").is_empty());
    spec(daemon.folder.path(), "one");
    daemon.process.until("one is not ours", || daemon.reason("one") == "NotOurs");
    daemon.remove("one");
    let said = daemon.delete(&["one"]);
    assert_eq!(said.code, 0, "{}", said.err);
    daemon.process.until("one is forgotten again", || daemon.reason("one").is_empty());
    assert_eq!(daemon.service("one")["status"], "ACTIVE", "it is not ours to delete");
}
