//! Images that the daemon builds, with the real binary: from a folder beside the spec, from a commit, and what is told of
//! folders that cannot become one. The agents bring a server of their own, so that nothing has to be fetched for them.

mod elsewhere;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{self, Said};
use crate::daemon::{Daemon, is_ready};
use crate::git::repository::Repository;

const SERVER: &str = "print('served')\n";
const CODE: &str = "def agent(prompt):\n    return 'one'\n";

fn spec(name: &str, context: &str) -> String {
    format!(
        "apiVersion: fargateer/v1
kind: AgentDeployment
metadata: {{name: {name}}}
spec:
  cluster: agents
  image: {{build: {{context: {context}}}}}
  network: {{subnets: [subnet-0a1b2c3d4e5f60718]}}
  roles: {{execution: agent-execution}}
"
    )
}

/// A folder `specs` with one agent `bot`, whose code is in `bot` beside its spec.
fn folder() -> TempDir {
    let home = TempDir::new().expect("a folder");
    write(home.path(), "specs/bot.yaml", &spec("bot", "bot"));
    write(home.path(), "specs/bot/agent_server.py", SERVER);
    write(home.path(), "specs/bot/generated_agent.py", CODE);
    home
}

fn write(home: &Path, path: &str, text: &str) {
    let path = home.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

fn once(home: &Path) -> Said {
    let run = ["run", "--once", "--local", "--speed", "50", "--timeout", "60s", "-o", "json", "specs"];
    binary::run(home, &[], &run)
}

/// The condition `kind` of an agent: its status, reason and message.
fn condition(agent: &Value, kind: &str) -> (String, String, String) {
    let conditions = agent["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default();
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"), text("message"))
}

#[test]
fn a_folder_of_code_becomes_an_image_in_a_repository_of_its_own_and_runs_by_its_digest() {
    let home = folder();
    let said = once(home.path());
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let list = said.json();
    let agent = &list["items"][0];
    assert!(is_ready(agent), "{agent}");
    assert_eq!(condition(agent, "ImageReady").0, "True");
    let (status, inventory) = (&agent["status"], &agent["status"]["inventory"]);
    let digest = status["imageDigest"].as_str().expect("a digest");
    assert!(digest.starts_with("sha256:"), "{digest}");
    assert_eq!(inventory["repository"], "agents/bot");
    let image = &status["image"];
    assert_eq!(image["repository"], "111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/bot");
    assert!(image["tag"].as_str().is_some_and(|tag| tag.starts_with("b-")), "{image}");
    assert!(image["baseDigest"].as_str().is_some_and(|base| base.starts_with("sha256:")), "{image}");
    let calls = &list["calls"];
    for (call, times) in [("ecr.CreateRepository", 1), ("ecr.PutLifecyclePolicy", 1), ("ecs.RegisterTaskDefinition", 1)]
    {
        assert_eq!(calls[call], times, "{calls}");
    }
}

#[test]
fn a_change_of_the_code_alone_is_a_rollout_of_another_image() {
    let home = folder();
    // No sweep finds it: the change of the code itself wakes the agent.
    let mut daemon = Daemon::sweeping(home.path(), "1h", &["specs"]);
    daemon.until("the agent", |daemon| is_ready(&daemon.agent("bot")));
    let before = daemon.agent("bot");
    let image = |daemon: &Daemon| {
        let services = daemon.aws("DescribeServices", &json!({"cluster": "agents", "services": ["bot"]}));
        let revision = services["services"][0]["taskDefinition"].clone();
        let answer = daemon.aws("DescribeTaskDefinition", &json!({"taskDefinition": revision}));
        answer["taskDefinition"]["containerDefinitions"][0]["image"].as_str().unwrap_or_default().to_owned()
    };
    let first = image(&daemon);
    assert!(first.ends_with(before["status"]["imageDigest"].as_str().expect("a digest")), "{first}");
    write(home.path(), "specs/bot/generated_agent.py", &CODE.replace("one", "two"));
    daemon.until("another image", |daemon| {
        let agent = daemon.agent("bot");
        is_ready(&agent) && agent["status"]["imageDigest"] != before["status"]["imageDigest"]
    });
    assert_ne!(image(&daemon), first);
    let after = daemon.agent("bot");
    assert_eq!(after["status"]["observedGeneration"], before["status"]["observedGeneration"], "the spec is the same");
    assert_ne!(after["status"]["source"]["code"], before["status"]["source"]["code"]);
    assert_eq!(after["status"]["image"]["baseDigest"], before["status"]["image"]["baseDigest"]);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn code_in_a_repository_is_built_as_its_commits_say() {
    let agent = |text: &str| CODE.replace("one", text);
    let repository = Repository::with(&[
        ("agents/bot.yaml", &spec("bot", "../code")),
        ("code/agent_server.py", SERVER),
        ("code/generated_agent.py", &agent("one")),
    ]);
    let source = format!("{}#main:agents", repository.shown());
    let mut daemon = Daemon::sweeping(repository.home(), "1h", &["--poll", "1s", &source]);
    daemon.until("the agent", |daemon| is_ready(&daemon.agent("bot")));
    let before = daemon.agent("bot");
    let tree = |repository: &Repository| repository.git(&["rev-parse", "HEAD:code"]);
    assert_eq!(before["status"]["source"]["code"], tree(&repository));
    let second = repository.commit(&[("code/generated_agent.py", &agent("two"))]);
    daemon.until("another image", |daemon| {
        let agent = daemon.agent("bot");
        is_ready(&agent) && agent["status"]["imageDigest"] != before["status"]["imageDigest"]
    });
    let source = &daemon.agent("bot")["status"]["source"];
    assert_eq!((&source["code"], &source["commit"]), (&json!(tree(&repository)), &json!(second)));
    // What was there before is there still: nothing is built.
    repository.commit(&[("code/generated_agent.py", &agent("one"))]);
    daemon.until("the first image", |daemon| {
        let agent = daemon.agent("bot");
        is_ready(&agent) && agent["status"]["imageDigest"] == before["status"]["imageDigest"]
    });
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn a_folder_that_cannot_become_an_image_is_told_and_nothing_is_made() {
    let cases: [(&str, &str, &str, &str); 4] = [
        ("specs/bot/generated_agent.py", "x = 1\n", "bot", "generated_agent.py"),
        ("specs/bot/id_rsa", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "bot", "id_rsa"),
        ("private/generated_agent.py", CODE, "../private", "outside of the folder of specs"),
        ("specs/other.txt", "", "nowhere", "nowhere"),
    ];
    for (path, text, context, told) in cases {
        let home = folder();
        write(home.path(), "specs/bot.yaml", &spec("bot", context));
        write(home.path(), path, text);
        if path.ends_with("generated_agent.py") && context == "bot" {
            fs::remove_file(home.path().join("specs/bot/agent_server.py")).expect("a file");
        }
        let said = once(home.path());
        assert_eq!(said.code, 1, "{told}: {}{}", said.out, said.err);
        let list = said.json();
        let (status, reason, message) = condition(&list["items"][0], "Stalled");
        assert_eq!((status.as_str(), reason.as_str()), ("True", "ContextInvalid"), "{message}");
        assert!(message.contains(told), "{message}");
        assert_eq!(list["calls"].get("ecr.CreateRepository"), None, "{}", list["calls"]);
    }
}

#[test]
fn what_would_be_built_is_rendered_offline() {
    let home = folder();
    let said = binary::run(home.path(), &[], &["render", "specs"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    for told in ["ecr.CreateRepository", "image.Build", "agents/bot@<digest of the image>", "ecs.CreateService"] {
        assert!(said.out.contains(told), "{told}: {}", said.out);
    }
}
