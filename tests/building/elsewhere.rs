//! Images whose code lies in S3, and images that CodeBuild builds: the real binary and a simulated AWS in a process of its own,
//! which outlives it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{CODE, SERVER, condition, write};
use crate::binary::{self, Said};
use crate::daemon::{self, is_ready};
use crate::running::{self, Running};
use crate::tables::dynamodb;

const TABLE: &str = "fargateer-specs";
/// The bucket that the seeded project builds from.
const CONTEXTS: &str = "fargateer-images-111122223333-us-east-1";

/// A simulated AWS, and a folder for whoever runs on it.
struct Place {
    home: TempDir,
    endpoint: String,
    _aws: Running,
}

/// A daemon on it.
struct Daemon<'a> {
    place: &'a Place,
    process: Running,
    server: String,
}

fn spec(name: &str, build: &str) -> String {
    super::spec(name, "x").replace("{build: {context: x}}", &format!("{{build: {build}}}"))
}

impl Place {
    /// With what `specs` need in place.
    fn new(specs: &[(&str, &str)]) -> Self {
        let home = TempDir::new().expect("a folder");
        for (path, text) in specs {
            write(home.path(), path, text);
        }
        write(home.path(), "seed/bot.yaml", &spec("seed", "{context: ., strategy: codebuild}"));
        let arguments = ["sim", "--listen", "127.0.0.1:0", "--speed", "20", "--seed", "seed/bot.yaml"];
        let aws = Running::start(binary::command(home.path(), &[], &arguments));
        Self { endpoint: running::address(&aws.wait_for("http://")), _aws: aws, home }
    }

    fn environment(&self) -> Vec<(String, String)> {
        binary::operator(&self.endpoint)
    }

    fn run(&self, arguments: &[&str]) -> Said {
        binary::run(self.home.path(), &self.environment(), arguments)
    }

    /// A daemon that sweeps once an hour, and looks at its sources every second.
    fn daemon(&self, source: &str) -> Daemon<'_> {
        let periods = ["--poll", "1s", "--resync", "1h", "--prune-grace", "0s", "--listen", "127.0.0.1:0"];
        let arguments = [&["run", "--quota-share", "1"], periods.as_slice(), &[source]].concat();
        let process = Running::start(binary::command(self.home.path(), &self.environment(), &arguments));
        let server = running::address(&process.wait_for("serving http://"));
        Daemon { place: self, process, server }
    }

    fn s3(&self, method: &str, path: &str, body: &[u8]) -> String {
        s3(&self.endpoint, method, path, body)
    }

    /// The folder `folder`, packed, at `path` in S3.
    fn upload(&self, folder: &str, path: &str) {
        upload(&self.endpoint, &self.home.path().join(folder), path);
    }

    fn sim(&self, method: &str, path: &str, body: &Value) -> Value {
        running::json(&running::http(&self.endpoint, method, path, &[], &body.to_string()))
    }

    /// How often an operation was called.
    fn calls(&self, service: &str, operation: &str) -> usize {
        let calls = self.sim("GET", "/_sim/calls", &json!({}));
        let is = |call: &&Value| call["service"] == service && call["operation"] == operation;
        calls.as_array().expect("calls").iter().filter(is).count()
    }

    /// The image that the agent's service runs.
    fn image(&self, name: &str) -> String {
        self.container(name)["image"].as_str().unwrap_or_default().to_owned()
    }

    fn container(&self, name: &str) -> Value {
        let services = json!({"cluster": "agents", "services": [name]});
        let services = running::ecs(&self.endpoint, "DescribeServices", &services);
        let revision = json!({"taskDefinition": services["services"][0]["taskDefinition"]});
        let answer = running::ecs(&self.endpoint, "DescribeTaskDefinition", &revision);
        answer["taskDefinition"]["containerDefinitions"][0].clone()
    }
}

impl Daemon<'_> {
    fn agent(&self, name: &str) -> Value {
        running::json(&running::http(&self.server, "GET", &format!("/api/v1/agents/{name}"), &[], ""))
    }

    #[track_caller]
    fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.process.until(what, || holds(&self.agent("bot")));
        self.agent("bot")
    }

    /// Waits until the agent is not ready for this reason, and answers the message.
    #[track_caller]
    fn until_stalled(&self, reason: &str, words: &str) -> String {
        let agent = self.until(words, |agent| {
            let (status, why, message) = condition(agent, "ImageReady");
            status == "False" && why == reason && message.contains(words)
        });
        condition(&agent, "ImageReady").2
    }
}

/// Somebody's call to the S3 at `base`.
fn s3(base: &str, method: &str, path: &str, body: &[u8]) -> String {
    let credential = "AKIASOMEBODY/20260101/us-east-1/s3/aws4_request";
    let text = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
    running::exchange(base, method, path, &[("authorization", text)], body)
}

/// The same to a bucket that is in another region than the agents.
fn s3_far(base: &str, method: &str, path: &str, body: &[u8]) -> String {
    let credential = "AKIASOMEBODY/20260101/eu-west-1/s3/aws4_request";
    let text = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
    running::exchange(base, method, path, &[("authorization", text)], body)
}

/// A folder, packed.
fn packed(folder: &Path) -> Vec<u8> {
    let packed = Command::new("tar").args(["-czf", "-", "-C"]).arg(folder).arg(".").output();
    packed.expect("tar runs").stdout
}

/// A folder, packed, at `path` in the S3 at `base`.
fn upload(base: &str, folder: &Path, path: &str) {
    let answer = s3(base, "PUT", path, &packed(folder));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn put_row(base: &str, name: &str, spec: &str) {
    let item = json!({"name": {"S": name}, "spec": {"S": spec}});
    dynamodb(base, "PutItem", &json!({"TableName": TABLE, "Item": item}));
}

/// The spec alone, as it stands in a row.
fn row(build: &str) -> String {
    let text = spec("bot", build);
    let (_, inner) = text.split_once("spec:\n").expect("a spec");
    let lines: Vec<&str> = inner.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    lines.join("\n")
}

#[test]
fn an_agent_of_a_row_is_built_from_its_archive_and_built_anew_from_another() {
    let home = TempDir::new().expect("a folder");
    write(home.path(), "bot/agent_server.py", SERVER);
    write(home.path(), "bot/generated_agent.py", CODE);
    let mut daemon = daemon::Daemon::sweeping(home.path(), "1h", &["--poll", "1s", "dynamodb://fargateer-specs"]);
    let base = daemon.endpoint().to_owned();
    s3(&base, "PUT", "/team-code", b"");
    upload(&base, &home.path().join("bot"), "/team-code/agents/bot.tgz");
    put_row(&base, "bot", &row("{context: \"s3://team-code/agents/bot.tgz\"}"));
    daemon.until("the agent", |daemon| is_ready(&daemon.agent("bot")));
    let before = daemon.agent("bot");
    assert!(
        before["status"]["image"]["baseDigest"].as_str().is_some_and(|base| base.starts_with("sha256:")),
        "{before}"
    );
    write(home.path(), "bot/generated_agent.py", &CODE.replace("one", "two"));
    upload(&base, &home.path().join("bot"), "/team-code/agents/bot.tgz");
    daemon.until("another image", |daemon| {
        let agent = daemon.agent("bot");
        is_ready(&agent) && agent["status"]["imageDigest"] != before["status"]["imageDigest"]
    });
    let after = daemon.agent("bot");
    assert_eq!(after["status"]["observedGeneration"], before["status"]["observedGeneration"], "the spec is the same");
    assert_ne!(after["status"]["source"]["code"], before["status"]["source"]["code"]);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn an_archive_that_goes_and_comes_back_is_told_and_what_runs_goes_on() {
    let place = Place::new(&[("bot/agent_server.py", SERVER), ("bot/generated_agent.py", CODE)]);
    let made = place.run(&["table", "create", "--specs", TABLE]);
    assert_eq!(made.code, 0, "{}", made.err);
    // The base image that stands in for the usual one is only there where AWS is part of the daemon.
    let dockerfile = "FROM scratch\nCOPY . /app\n";
    write(place.home.path(), "bot/Dockerfile", dockerfile);
    place.s3("PUT", "/team-code", b"");
    place.upload("bot", "/team-code/bot.tgz");
    put_row(&place.endpoint, "bot", &row("{context: \"s3://team-code/bot.tgz\", strategy: codebuild}"));
    let daemon = place.daemon("dynamodb://fargateer-specs");
    let before = daemon.until("the agent", is_ready);
    let first = place.image("bot");
    assert!(first.ends_with(before["status"]["imageDigest"].as_str().expect("a digest")), "{first}");
    let code = before["status"]["source"]["code"].as_str().expect("an ETag").to_owned();
    assert_eq!(code.len(), 32, "{code}");

    write(place.home.path(), "bot/generated_agent.py", &CODE.replace("one", "two"));
    place.upload("bot", "/team-code/bot.tgz");
    let after = daemon.until("another image", |agent| {
        is_ready(agent) && agent["status"]["imageDigest"] != before["status"]["imageDigest"]
    });
    assert_ne!(place.image("bot"), first);
    assert_ne!(after["status"]["source"]["code"], json!(code));
    assert_eq!(after["status"]["observedGeneration"], before["status"]["observedGeneration"], "the spec is the same");

    // Somebody takes it away: what runs goes on, and the status says so.
    place.s3("DELETE", "/team-code/bot.tgz", b"");
    let message = daemon.until_stalled("ContextInvalid", "there is no object s3://team-code/bot.tgz");
    assert!(message.contains("aws s3 cp"), "{message}");
    assert_ne!(place.image("bot"), first);
    place.upload("bot", "/team-code/bot.tgz");
    daemon.until("the agent again", is_ready);
}

#[test]
fn an_archive_in_another_region_is_fetched_from_there_and_told_of_when_it_is_gone() {
    let text = spec("bot", "{context: \"s3://far-code/bot.tgz\", strategy: codebuild}");
    let place = Place::new(&[("specs/bot.yaml", &text), ("code/Dockerfile", "FROM scratch\n")]);
    let there =
        b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    s3_far(&place.endpoint, "PUT", "/far-code", there);
    let daemon = place.daemon("specs");
    daemon.until_stalled("ContextInvalid", "there is no object s3://far-code/bot.tgz");
    let answer = s3_far(&place.endpoint, "PUT", "/far-code/bot.tgz", &packed(&place.home.path().join("code")));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    daemon.until("the agent", is_ready);
}

#[test]
fn an_archive_that_cannot_be_had_or_is_none_is_told_with_what_would_be_right() {
    let place = Place::new(&[("specs/bot.yaml", &spec("bot", "{context: \"s3://team-code/bot.zip\"}"))]);
    let daemon = place.daemon("specs");
    daemon.until_stalled("ContextInvalid", "there is no bucket team-code");
    place.s3("PUT", "/team-code", b"");
    daemon.until_stalled("ContextInvalid", "there is no object s3://team-code/bot.zip");
    place.s3("PUT", "/team-code/bot.zip", b"no archive");
    daemon.until_stalled("ContextInvalid", "s3://team-code/bot.zip: archive: not a zip archive");
    assert_eq!(place.calls("ecr", "CreateRepository"), 0);
    place.sim("POST", "/_sim/faults", &json!({"kind": "access-denied", "service": "s3"}));
    let message = daemon.until_stalled("ContextInvalid", "may not be read");
    let right = "allow s3:GetObject on arn:aws:s3:::team-code/bot.zip to Fargateer's own role";
    assert!(message.contains(right), "{message}");
    running::http(&place.endpoint, "DELETE", "/_sim/faults", &[], "");
    let foreign = spec("bot", "{context: \"s3://team-code/bot.tar\"}");
    write(place.home.path(), "specs/bot.yaml", &foreign);
    let said = place.run(&["validate", "specs"]);
    assert!(said.code == 2 && said.out.contains("is not an archive in S3"), "{}{}", said.out, said.err);
}

#[test]
fn codebuild_builds_a_dockerfile_and_the_agent_runs_what_it_pushed() {
    let text = spec("bot", "{context: bot, strategy: codebuild}");
    let place = Place::new(&[("specs/bot.yaml", &text), ("specs/bot/app.py", "x = 1\n")]);
    let daemon = place.daemon("specs");
    daemon.until_stalled("ContextInvalid", "Dockerfile: there is no such file in the context");
    write(place.home.path(), "specs/bot/Dockerfile", "FROM scratch\nRUN exit 3\n");
    let message = daemon.until_stalled("BuilderFailed", "the build failed in phase BUILD");
    for told in ["exit code: 3", "the whole log: https://console.aws.amazon.com/cloudwatch"] {
        assert!(message.contains(told), "{message}");
    }
    write(place.home.path(), "specs/bot/Dockerfile", "FROM scratch\n");
    let agent = daemon.until("the agent", is_ready);
    let image = &agent["status"]["image"];
    assert!(image["tag"].as_str().is_some_and(|tag| tag.starts_with("c-")), "{image}");
    assert_eq!(image.get("baseDigest"), None, "{image}");
    assert!(place.image("bot").contains("/agents/bot@sha256:"));
    // What is in it is the Dockerfile's: its health is asked as for any image.
    let container = place.container("bot");
    assert!(
        container["healthCheck"]["command"][1].as_str().is_some_and(|text| text.starts_with("curl")),
        "{container}"
    );
    assert_eq!(container["environment"], json!([]));
    let objects = place.s3("GET", &format!("/{CONTEXTS}?list-type=2&prefix=fargateer/contexts/"), b"");
    assert_eq!(objects.matches("<Key>fargateer/contexts/").count(), 2, "{objects}");
}

#[test]
fn a_daemon_that_is_replaced_finds_the_build_under_way_and_starts_no_other() {
    let text = spec("bot", "{context: bot, strategy: codebuild}");
    let place = Place::new(&[("specs/bot.yaml", &text), ("specs/bot/Dockerfile", "FROM scratch\n")]);
    place.sim("POST", "/_sim/time", &json!({"speed": 0.1}));
    let first = place.daemon("specs");
    let building = |agent: &Value| condition(agent, "ImageReady").2.contains("CodeBuild is getting a machine");
    first.until("the build", building);
    drop(first);
    let second = place.daemon("specs");
    second.until("the build again", building);
    place.sim("POST", "/_sim/time", &json!({"speed": 20}));
    second.until("the agent", is_ready);
    assert_eq!(place.calls("codebuild", "StartBuild"), 1);
}

#[test]
fn what_is_missing_for_codebuild_is_told_with_what_makes_it() {
    let text = spec("bot", "{context: bot, strategy: codebuild, project: other-project}");
    let place = Place::new(&[("specs/bot.yaml", &text), ("specs/bot/Dockerfile", "FROM scratch\n")]);
    let daemon = place.daemon("specs");
    let message = daemon.until_stalled("BuilderFailed", "there is no CodeBuild project other-project in us-east-1");
    assert!(message.contains("deploy/codebuild.yaml"), "{message}");
    fs::write(place.home.path().join("specs/bot.yaml"), text.replace(", project: other-project", "")).expect("a spec");
    place.s3("DELETE", &format!("/{CONTEXTS}"), b"");
    daemon.until_stalled("BuilderFailed", &format!("there is no bucket {CONTEXTS}"));
}

#[test]
fn image_build_says_who_builds_what() {
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), "bot.yaml", &spec("bot", "{context: code, strategy: codebuild}"));
    write(folder.path(), "far.yaml", &spec("bot", "{context: \"s3://team-code/bot.zip\"}"));
    write(folder.path(), "code/Dockerfile", "FROM scratch\n");
    let run = |path: &Path| binary::run(folder.path(), &[], &["image", "build", &path.display().to_string()]);
    let said = run(Path::new("bot.yaml"));
    assert!(
        said.code == 2 && said.err.contains("is built by CodeBuild") && said.err.contains("--docker"),
        "{}",
        said.err
    );
    let said = run(Path::new("far.yaml"));
    assert!(said.code == 2 && said.err.contains("aws s3 cp s3://team-code/bot.zip"), "{}", said.err);
}

#[test]
fn the_template_makes_the_project_that_specs_mean_where_they_name_none() {
    let path = binary::repository().join("deploy/codebuild.yaml");
    let text = fs::read_to_string(path).expect("the template");
    let project = format!("Default: {}\n", fargateer_api::default::BUILD_PROJECT);
    let contexts = format!("Location: !Sub \"${{Contexts}}/{}\"", fargateer_image::CONTEXTS);
    let prefix = format!("Prefix: {}\n", fargateer_image::CONTEXTS);
    let repositories = format!("Default: {}*\n", fargateer_api::default::REPOSITORIES);
    for expected in [&project, &contexts, &prefix, &repositories] {
        assert!(text.contains(expected.as_str()), "{expected}");
    }
}
