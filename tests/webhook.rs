//! How soon a push is acted on: a fleet from a git repository, a commit that changes one agent, the host's webhook, and the first
//! call to AWS about that agent. Figures to print; asserted is only that no other agent was woken.
//!
//! `cargo xtask bench webhook` takes 1,000 agents; `cargo xtask bench webhook 200` another number. All but those that are
//! measured are suspended: AWS's rates would make the fleet take twenty minutes to come up, which is another benchmark's matter.

#![expect(unreachable_pub, reason = "shares the modules of the tests")]
#![allow(clippy::allow_attributes, reason = "the next lines hold for the shared modules")]
#![allow(dead_code, reason = "sentences that no benchmark needs")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot go on says so")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "figures go to standard output; time is what is measured"
)]

mod binary;
#[path = "git/repository.rs"]
mod repository;
mod running;

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use repository::Repository;
use running::Running;
use serde_json::Value;

/// The secret of the webhook.
const SECRET: &str = "a-benchmark-of-webhooks";
/// A push that is not acted on for so long never will be.
const PATIENCE: Duration = Duration::from_mins(1);
/// Pushes that are measured.
const PUSHES: usize = 10;

fn main() {
    let count = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(1000);
    let repository = Repository::empty();
    let specs: Vec<(String, String)> = (0..count).map(|number| (file(number), spec(number, count, 0))).collect();
    let files: Vec<(&str, &str)> = specs.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    repository.commit(&files);
    let fleet = Fleet::start(&repository);
    let begun = Instant::now();
    fleet.process.wait_within(&format!("{PUSHES} of {count} agents ready"), Duration::from_mins(20));
    // The first look at some may still be under way.
    let begun_looking = Instant::now();
    while fleet.unlooked() > 0 {
        assert!(begun_looking.elapsed() < Duration::from_mins(10), "the first looks never end");
    }
    println!("{PUSHES} of {count} agents ready, the others suspended, after {:.1} s", begun.elapsed().as_secs_f64());
    let pushes: Vec<[Duration; 2]> =
        (1..=PUSHES).map(|push| fleet.push(&repository, (pushed(push, count), count), push)).collect();
    report("the webhook's answer", pushes.iter().map(|[answer, _]| *answer));
    report("the first call to AWS about the agent", pushes.iter().map(|[_, call]| *call));
}

/// A daemon that would look for commits once a day, and at AWS as often.
struct Fleet {
    process: Running,
    aws: String,
    server: String,
}

impl Fleet {
    fn start(repository: &Repository) -> Self {
        let secret = repository.home().join("secret");
        fs::write(&secret, SECRET).expect("a file for the secret");
        let (source, secret) = (format!("{}#main", repository.shown()), secret.display().to_string());
        let told =
            ["--poll", "1d", "--resync", "1d", "--webhook-secret-file", &secret, "--listen", "127.0.0.1:0", &source];
        let arguments = [&["run", "--local", "--speed", "50"][..], &told].concat();
        let process = Running::start(binary::command(repository.home(), &[], &arguments));
        let aws = running::address(&process.wait_for("simulated AWS at "));
        let server = running::address(&process.wait_for("serving http://"));
        Self { process, aws, server }
    }

    /// Changes an agent. Answers how long the webhook and the first call took, both since the webhook was sent.
    fn push(&self, repository: &Repository, (number, count): (usize, usize), wording: usize) -> [Duration; 2] {
        repository.commit(&[(&file(number), &spec(number, count, wording))]);
        running::http(&self.aws, "DELETE", "/_sim/calls", &[], "");
        let headers = [("x-gitlab-token", SECRET.to_owned()), ("x-gitlab-event-uuid", wording.to_string())];
        let begun = Instant::now();
        let answer = running::exchange(&self.server, "POST", "/webhooks/git", &headers, "{}");
        let answered = begun.elapsed();
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
        while self.woken().is_empty() {
            assert!(begun.elapsed() < PATIENCE, "no call after the push; heard:\n{}", self.process.heard());
        }
        let called = begun.elapsed();
        self.process.wait_for(&format!("{}: Ready", name(number)));
        assert_eq!(self.woken(), BTreeSet::from([name(number)]), "nobody else is woken");
        [answered, called]
    }

    /// How many agents were not looked at yet.
    fn unlooked(&self) -> usize {
        let list = running::json(&running::http(&self.server, "GET", "/api/v1/agents", &[], ""));
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let reason = |agent: &Value| {
            let conditions = agent["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.into_iter().find(|condition| condition["type"] == "Ready").map(|ready| ready["reason"].clone())
        };
        items.iter().filter(|agent| !reason(agent).is_some_and(|why| why == "Suspended" || why == "Converged")).count()
    }

    /// The agents that calls were about.
    fn woken(&self) -> BTreeSet<String> {
        let calls = running::json(&running::http(&self.aws, "GET", "/_sim/calls", &[], ""));
        let texts = calls.as_array().into_iter().flatten().map(Value::to_string);
        let names = texts.flat_map(|text| {
            let after = text.split("bot-").skip(1).filter_map(|rest| Some(format!("bot-{}", rest.get(..5)?)));
            after.collect::<Vec<_>>()
        });
        names.collect()
    }
}

fn report(what: &str, times: impl Iterator<Item = Duration>) {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    let (middle, last) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{what}: {:.3} s in the middle, {:.3} s at most, of {} pushes",
        middle.as_secs_f64(),
        last.as_secs_f64(),
        times.len()
    );
}

fn name(number: usize) -> String {
    format!("bot-{number:05}")
}

fn file(number: usize) -> String {
    format!("agents/{}/{}.yaml", number % 10, name(number))
}

/// The number of the agent that a push changes.
fn pushed(push: usize, count: usize) -> usize {
    push * count / (PUSHES + 1)
}

fn spec(number: usize, count: usize, wording: usize) -> String {
    let name = name(number);
    let is_measured = (1..=PUSHES).any(|push| pushed(push, count) == number);
    let suspend = if is_measured { "" } else { "  suspend: {reason: not measured}\n" };
    format!(
        "apiVersion: fargateer/v1
kind: AgentDeployment
metadata: {{name: {name}}}
spec:
  cluster: agents
  image: {{uri: \"111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/{name}:1\"}}
  container: {{environment: {{WORDING: \"{wording}\"}}}}
  network: {{subnets: [subnet-0a1b2c3d4e5f60718]}}
  roles: {{execution: agent-execution}}
  logging: {{enabled: false}}
{suspend}"
    )
}
