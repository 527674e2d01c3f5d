//! Specs change faster than AWS takes changes (L-5).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fargateer_api::Key;
use fargateer_testkit::figures::{Figure, Test};
use serde_json::{Value, json};

use crate::stage::{Operator, Stage, agent, cluster, document, name};
use crate::steady::{count, float, seconds};
use fargateer_testkit::wiring::REGION;

/// A folder of specs gathers changes for so long before it is read.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// Edits between two reads: a hundred a second.
const EDITS: usize = 20;
/// Ten minutes of it.
const READS: usize = 3000;
/// How many wordings a spec changes between.
const WORDINGS: usize = 5;

/// L-5: a hundred edits a second for ten minutes, each of them a new task definition.
pub async fn churn(agents: usize) -> Test {
    let mut stage = Stage::with(agents, 1).await;
    let operator = Operator::start(&stage).await;
    operator.until_ready(&stage, agents, Duration::from_hours(2)).await.expect("the fleet is Ready");
    stage.ledger.lock().forget();
    stage.ledger.lock().keeps = true;
    let mut last: BTreeMap<usize, usize> = BTreeMap::new();
    let mut worded: BTreeSet<(usize, usize)> = BTreeSet::new();
    for _ in 0..READS {
        for _ in 0..EDITS {
            let (number, wording) = (fastrand::usize(..agents), fastrand::usize(..WORDINGS));
            let spec = document(agent(number).with_env("WORDING", &wording.to_string()));
            stage.documents.insert(Key::new(name(number)), vec![spec]);
            last.insert(number, wording);
        }
        // What is overwritten before the folder is read is nothing anybody could render.
        worded.extend(last.iter().map(|(number, wording)| (*number, *wording)));
        operator.read(&stage);
        stage.pass(DEBOUNCE).await;
    }
    let quiet = stage.sim.now();
    while !operator.controller.is_settled() && stage.sim.now().saturating_sub(quiet) < Duration::from_hours(6) {
        stage.pass(Duration::from_secs(10)).await;
    }
    let settled = stage.sim.now().saturating_sub(quiet);
    operator.end().await;
    let (registered, updates) = written(&stage);
    let distinct: BTreeSet<&(String, String)> = registered.iter().collect();
    let wrong = last.iter().filter(|(number, wording)| runs(&stage, **number) != wording.to_string()).count();
    let edits = count(READS * EDITS);
    let figures = vec![
        Figure::at_least("edits that were coalesced", ((1.0 - count(updates) / edits) * 100.0, 90.0), "%"),
        Figure::at_most("services that do not run the last edit", (count(wrong), 0.0), ""),
        Figure::at_most("revisions registered", (count(registered.len()), count(worded.len())), ""),
        Figure::at_most("revisions registered twice", (count(registered.len() - distinct.len()), 0.0), ""),
        Figure::of("updates of services", count(updates), ""),
        Figure::of("from the last edit until all was settled", seconds(settled), "virtual s"),
        Figure::at_most("calls throttled", (float(stage.ledger.lock().throttled()), 0.0), ""),
    ];
    let setup = format!("{agents} agents, {edits} edits of the environment in ten minutes, five wordings each");
    Test { setup, figures, ..Test::default() }
}

/// The revisions that were registered, by family and wording, and the number of updates.
fn written(stage: &Stage) -> (Vec<(String, String)>, usize) {
    let seen = stage.ledger.lock();
    let mut registered = Vec::new();
    let mut updates = 0;
    for (_, operation, request) in &seen.writes {
        match operation.as_str() {
            "RegisterTaskDefinition" => {
                registered.push((request["family"].as_str().unwrap_or_default().to_owned(), wording(request)));
            }
            "UpdateService" => updates += 1,
            _ => {}
        }
    }
    (registered, updates)
}

/// The wording a service runs.
fn runs(stage: &Stage, number: usize) -> String {
    let service = stage.service(&name(number), cluster(number));
    let request = json!({"taskDefinition": service["taskDefinition"]});
    let answer = stage.sim.call(REGION, "ecs", "DescribeTaskDefinition", request).unwrap_or_default();
    wording(&answer["taskDefinition"])
}

fn wording(definition: &Value) -> String {
    let environment = definition["containerDefinitions"][0]["environment"].as_array().into_iter().flatten();
    let found = environment.clone().find(|entry| entry["name"] == "WORDING");
    found.and_then(|entry| entry["value"].as_str()).unwrap_or_default().to_owned()
}
