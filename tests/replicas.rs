//! Two real daemons over one fleet: each works on its share; one that stands still, dies or ends is taken over from, and no
//! agent is ever worked on by both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::binary::{self, repository};
use crate::daemon::is_ready;
use crate::running::{self, Running};

const AGENTS: usize = 8;

/// A simulated AWS in a process of its own, specs, and the table.
struct Place {
    folder: tempfile::TempDir,
    endpoint: String,
    _aws: Running,
}

/// One of the daemons.
struct Replica {
    process: Running,
    server: String,
}

impl Replica {
    #[track_caller]
    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.process.until(what, || holds(self));
    }

    /// How many shards it owns.
    fn shards(&self) -> usize {
        let text = running::http(&self.server, "GET", "/metrics", &[], "");
        let line = text.lines().find(|line| line.starts_with("fargateer_shards_owned "));
        line.and_then(|line| line.rsplit(' ').next()).and_then(|number| number.parse().ok()).expect("the metric")
    }
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let specs = write(folder.path(), "1").display().to_string();
        let arguments = ["sim", "--listen", "127.0.0.1:0", "--speed", "20", "--seed", &specs];
        let aws = Running::start(binary::command(folder.path(), &[], &arguments));
        let place = Self { endpoint: running::address(&aws.wait_for("http://")), _aws: aws, folder };
        let made =
            binary::run(place.folder.path(), &place.environment("AKIAPERSON"), &["table", "create", "fargateer"]);
        assert_eq!(made.code, 0, "{}", made.err);
        place
    }

    fn environment(&self, access_key: &str) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", access_key),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "us-east-1"),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
    }

    /// A replica, known by its access key.
    fn replica(&self, access_key: &str) -> Replica {
        let state = ["--state", "dynamodb://fargateer", "--poll", "1s", "--resync", "5s", "--listen", "127.0.0.1:0"];
        let arguments = [&["run"], state.as_slice(), &["--quota-share", "1", "specs"]].concat();
        let process = Running::start(binary::command(self.folder.path(), &self.environment(access_key), &arguments));
        let server = running::address(&process.wait_for("serving http://"));
        Replica { process, server }
    }

    /// The writes to ECS about agents so far: who made them, about whom.
    fn writes(&self) -> Vec<(String, String, String)> {
        let calls = running::json(&running::http(&self.endpoint, "GET", "/_sim/calls", &[], ""));
        let calls = calls.as_array().cloned().unwrap_or_default();
        let ours = calls.into_iter().filter(|call| call["mutating"] == true && call["service"] == "ecs");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        ours.map(|call| (text(&call["caller"]), text(&call["operation"]), text(&call["resource"]))).collect()
    }
}

/// Writes the specs; `value` is an environment variable's.
fn write(at: &Path, value: &str) -> PathBuf {
    let minimal = fs::read_to_string(repository().join("examples/minimal.yaml")).expect("the example");
    let documents = (0..AGENTS).map(|number| {
        let text = minimal.replace("name: minimal", &format!("name: bot-{number}"));
        format!("{}\n  container: {{environment: {{VALUE: \"{value}\"}}}}\n", text.trim_end())
    });
    let folder = at.join("specs");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("fleet.yaml"), documents.collect::<Vec<_>>().join("---\n")).expect("the specs");
    folder
}

/// Whether all agents run with `value`, as the service's revision says.
fn runs(place: &Place, value: &str) -> bool {
    (0..AGENTS).all(|number| {
        let name = format!("bot-{number}");
        let service =
            running::ecs(&place.endpoint, "DescribeServices", &json!({"cluster": "agents", "services": [name]}));
        let revision = json!({"taskDefinition": service["services"][0]["taskDefinition"]});
        let answer = running::ecs(&place.endpoint, "DescribeTaskDefinition", &revision);
        let environment = &answer["taskDefinition"]["containerDefinitions"][0]["environment"];
        environment.as_array().is_some_and(|pairs| pairs.contains(&json!({"name": "VALUE", "value": value})))
    })
}

#[test]
fn replicas_share_the_fleet_and_take_over_from_one_that_stops_dies_or_ends() {
    let place = Place::new();
    let mut first = place.replica("AKIAFIRST");
    first.until("everything is the first one's", |first| first.shards() == 256);
    let second = place.replica("AKIASECOND");
    second.until("each has a share", |second| second.shards() > 0 && second.shards() + first.shards() == 256);
    first.until("the agents run", |_| runs(&place, "1"));

    // Each agent of an edit is updated once, by the one that owns it.
    let before = place.writes().len();
    write(place.folder.path(), "2");
    first.until("the edit is rolled out", |_| runs(&place, "2"));
    let mut who: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (caller, operation, resource) in place.writes().into_iter().skip(before) {
        if operation == "UpdateService" {
            assert!(who.entry(resource).or_default().insert(caller), "one update each");
        }
    }
    assert_eq!(who.len(), AGENTS, "{who:?}");
    assert!(who.values().all(|callers| callers.len() == 1), "{who:?}");
    assert_eq!(who.values().flatten().collect::<BTreeSet<_>>().len(), 2, "both had a share: {who:?}");

    // One that stands still loses all; when it goes on, it writes nothing it may not, and gets its share again.
    first.process.signal("-STOP");
    write(place.folder.path(), "3");
    second.until("the takeover", |second| second.shards() == 256);
    second.until("the edit is rolled out by the other", |_| runs(&place, "3"));
    let before = place.writes().len();
    first.process.signal("-CONT");
    first.until("its new share", |first| first.shards() > 0 && first.shards() < 256);
    let news = ["RegisterTaskDefinition", "UpdateService", "CreateService"];
    let late = place.writes().into_iter().skip(before);
    let late: Vec<_> =
        late.filter(|(caller, operation, _)| caller == "AKIAFIRST" && news.contains(&operation.as_str())).collect();
    assert_eq!(late, [], "what it still wanted to do was done by the other");

    // One that is killed is taken over from, too.
    drop(second);
    first.until("the takeover from a dead one", |first| first.shards() == 256);
    write(place.folder.path(), "4");
    first.until("the edit is rolled out by the one left", |_| runs(&place, "4"));

    // One that ends hands over: nobody has to wait for its lease.
    let third = place.replica("AKIATHIRD");
    third.until("its share", |third| third.shards() > 0);
    assert_eq!(first.process.end("-TERM").0, Some(0));
    third.until("the handing over", |third| third.shards() == 256);
    third.until("word of what the others did", |third| {
        is_ready(&running::json(&running::http(&third.server, "GET", "/api/v1/agents/bot-0", &[], "")))
    });
}
