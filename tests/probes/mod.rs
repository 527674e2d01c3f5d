//! What AWS documents, asked of our simulator by boto3 over the loopback endpoint, check by check.
//!
//! The checks are Python beside this file; `probe.py` runs them against any server by hand, too. How the emulators of
//! others fare is in `departures.md`, which a run with `FARGATEER_UPDATE_CASES=1` writes anew: it takes half a minute, most
//! of it waiting for what never happens there.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fargateer_sim::{Settings, Simulation};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::binary::repository;
use crate::emulators::{self, Emulators};

/// Simulated seconds a second: a rollout takes half a second, and nothing is over before a client can look.
const SPEED: f64 = 50.0;

fn folder() -> PathBuf {
    repository().join("tests/probes")
}

/// Runs the checks against a server; one result a check, in their order.
fn probe(endpoint: &str, patience: &str) -> (Vec<Value>, String) {
    let home = TempDir::new().expect("a folder for the results");
    let results = home.path().join("results.json");
    let mut command = Command::new(emulators::python());
    command
        .arg(folder().join("probe.py"))
        .args(["--endpoint", endpoint, "--patience", patience, "--json"])
        .arg(&results);
    command.env_clear().env("HOME", home.path()).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().expect("python starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (read(&results, &said), said)
}

fn read(results: &Path, said: &str) -> Vec<Value> {
    let text = fs::read_to_string(results).unwrap_or_else(|error| panic!("no results: {error}\n{said}"));
    serde_json::from_str(&text).expect("the results are JSON")
}

fn passed(result: &Value) -> bool {
    result["passed"] == true
}

async fn ours() -> (Vec<Value>, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
    let simulation = Simulation::new(Settings { speed: SPEED, ..Settings::default() });
    let served = tokio::spawn(simulation.serve(listener, std::future::pending()));
    let results = tokio::task::spawn_blocking(move || probe(&endpoint, "30")).await.expect("the checks run");
    served.abort();
    results
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulator_does_what_aws_documents() {
    let (results, said) = ours().await;
    assert!(results.len() >= 130, "only {} checks", results.len());
    assert!(results.iter().all(passed), "{said}");
    if update() {
        let table = tokio::task::spawn_blocking(move || departures(&results)).await.expect("the emulators are asked");
        fs::write(folder().join("departures.md"), table).expect("departures.md can be written");
    }
}

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the program")]
fn update() -> bool {
    std::env::var_os("FARGATEER_UPDATE_CASES").is_some()
}

/// The table of who departs from AWS where.
fn departures(ours: &[Value]) -> String {
    let emulators = Emulators::start();
    let others = emulators.endpoints().map(|(name, endpoint)| (name, by_id(&probe(&endpoint, "2").0)));
    let mut rows = String::new();
    for result in ours {
        let id = result["id"].as_str().unwrap_or_default();
        let word = |passed: bool| if passed { "yes" } else { "**no**" };
        let cells = others.iter().map(|(_, results)| word(results.get(id).copied().unwrap_or(false)));
        let cells: Vec<&str> = std::iter::once(word(passed(result))).chain(cells).collect();
        let documented = result["documented"].as_str().unwrap_or_default().replace('|', "\\|");
        writeln!(rows, "| `{id}` | {documented} | {} |", cells.join(" | ")).expect("text can be written");
    }
    let count = |results: &BTreeMap<String, bool>| results.values().filter(|passed| **passed).count().to_string();
    let mut counts = vec![ours.iter().filter(|result| passed(result)).count().to_string()];
    counts.extend(others.iter().map(|(_, results)| count(results)));
    format!(
        "# Who does what AWS documents\n\nWritten by `FARGATEER_UPDATE_CASES=1 cargo test -p fargateer --test e2e probes`. A server \
         that lacks a service or an operation, or cannot reach the state a check is about, says no to its checks.\n\n| check \
         | documented | fargateer sim | moto | ministack |\n|---|---|---|---|---|\n| all {} | | {} |\n{rows}",
        ours.len(),
        counts.join(" | ")
    )
}

fn by_id(results: &[Value]) -> BTreeMap<String, bool> {
    results.iter().map(|result| (result["id"].as_str().unwrap_or_default().to_owned(), passed(result))).collect()
}
