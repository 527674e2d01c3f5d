//! Bad days: AWS throttles everybody (L-4); one agent in a hundred is poison (L-6).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fargateer_sim::FaultKind;
use fargateer_testkit::figures::{Figure, Test};
use serde_json::json;

use crate::meter::Storm;
use crate::stage::{Operator, RESYNC, Stage, agent, broken, document, name};
use crate::steady::{count, float, seconds};
use std::sync::Arc;

/// Everything is throttled for so long.
const BLACKOUT: Duration = Duration::from_mins(1);
/// And then a fifth of the calls.
const SQUALL: Duration = Duration::from_mins(10);

/// AWS's rates per second of the operations a steady fleet calls, by service and the group it counts to.
fn refill(service: &str, operation: &str) -> (&'static str, f64) {
    match (service, operation) {
        ("ecs", "DescribeServices" | "ListServices") => ("ECS services", 20.0),
        ("ecs", "DescribeTaskDefinition" | "ListTaskDefinitions") => ("ECS task definitions", 20.0),
        ("ecs", "ListServiceDeployments" | "DescribeServiceDeployments") => ("ECS deployments", 20.0),
        ("ecs", "DescribeTasks" | "ListTasks") => ("ECS tasks", 20.0),
        ("logs", _) => ("CloudWatch Logs", 10.0),
        ("application-autoscaling", _) => ("Application Auto Scaling", 10.0),
        _ => ("other", 1.0),
    }
}

/// L-4: a minute in which every call is throttled, from the first call of a sweep on, then ten in which a fifth are.
pub async fn storm(agents: usize) -> Test {
    let stage = Stage::with(agents, 1).await;
    let operator = Operator::start(&stage).await;
    operator.until_ready(&stage, agents, Duration::from_hours(2)).await.expect("the fleet is Ready");
    while quiet_for(&stage) < Duration::from_secs(20) {
        stage.pass(Duration::from_secs(1)).await;
    }
    let throttle = |share: f64| Storm { share, kinds: vec![FaultKind::Throttle] };
    {
        let mut seen = stage.ledger.lock();
        seen.forget();
        seen.brewing = Some(throttle(1.0));
    }
    while stage.ledger.lock().storm.is_none() {
        stage.pass(Duration::from_millis(100)).await;
    }
    let begun = stage.sim.now();
    stage.pass(BLACKOUT).await;
    let mut calls: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for ((service, operation), asked) in &stage.ledger.lock().counts {
        let (group, rate) = refill(service, operation);
        calls.entry(group).or_insert((0.0, rate * seconds(BLACKOUT))).0 += float(asked.asked);
    }
    let worst = calls.values().map(|(asked, refill)| asked / refill).fold(0.0, f64::max);
    stage.ledger.lock().storm = Some(throttle(0.2));
    stage.pass(SQUALL).await;
    stage.ledger.lock().storm = None;
    let calm = stage.sim.now();
    let unready = agents - operator.ready();
    let recovery = operator.until_ready(&stage, agents, Duration::from_hours(1)).await;
    // An agent nobody looked at since the storm broke, though there was time for two sweeps, starved.
    let starved = stage.ledger.lock().described.values().filter(|at| **at < begun).count();
    let oldest = stage.ledger.lock().described.values().map(|at| stage.sim.now().saturating_sub(*at)).max();
    let changes = stage.ledger.lock().changes();
    let throttled = stage.ledger.lock().throttled();
    operator.end().await;
    let figures = vec![
        Figure::at_most("calls in the first minute, of AWS's refill, the worst group", (worst, 2.0), "times"),
        Figure::of("agents not Ready when the storm ended", count(unready), ""),
        Figure::at_most("recovery", (recovery.map_or(f64::INFINITY, seconds), 60.0), "virtual s"),
        Figure::at_most("agents nobody looked at since the storm broke", (count(starved), 0.0), ""),
        Figure::at_most(
            "the oldest look when all were Ready again",
            (oldest.map_or(f64::INFINITY, seconds), seconds(calm.saturating_sub(begun))),
            "virtual s",
        ),
        Figure::at_most("writes", (float(changes), 0.0), ""),
        Figure::at_most("calls throttled for want of tokens", (float(throttled), 0.0), ""),
    ];
    let setup = format!(
        "{agents} agents in one region; from the first call of a sweep on every call is throttled for 60 s, then 20 % for 10 min"
    );
    Test { setup, figures, ..Test::default() }
}

/// How long nobody has called.
fn quiet_for(stage: &Stage) -> Duration {
    let last = stage.ledger.lock().last;
    stage.sim.now().saturating_sub(last)
}

/// L-6: how quickly the others are served, with one agent in a hundred poisoned and without.
pub async fn poison(agents: usize) -> Test {
    let (calm, _) = served(agents, 0).await;
    let (poisoned, throttled) = served(agents, agents / 100).await;
    let figures = vec![
        Figure::of("edit to write, p99, nobody poisoned", calm.edits, "virtual s"),
        Figure::of("edit to write, p99, with poison", poisoned.edits, "virtual s"),
        Figure::at_most("change of it", ((poisoned.edits / calm.edits - 1.0) * 100.0, 10.0), "%"),
        Figure::of("from the first look of a sweep to an agent's own, p99, nobody poisoned", calm.sweep, "virtual s"),
        Figure::of("from the first look of a sweep to an agent's own, p99, with poison", poisoned.sweep, "virtual s"),
        Figure::at_most("change of it", ((poisoned.sweep / calm.sweep - 1.0) * 100.0, 10.0), "%"),
        Figure::at_most("edits that were not carried out", (poisoned.lost, 0.0), ""),
        Figure::at_most("calls throttled", (float(throttled), 0.0), ""),
    ];
    let setup = format!(
        "{agents} agents in one region; the passes of every two hundredth panic and the spec of as many is invalid; edits of the others \
         over an hour"
    );
    Test { setup, figures, ..Test::default() }
}

/// How quickly agents are served.
struct Served {
    edits: f64,
    sweep: f64,
    lost: f64,
}

async fn served(agents: usize, poisoned: usize) -> (Served, u64) {
    let mut stage = Stage::with(agents, 1).await;
    let is_poisoned = |number: usize| poisoned > 0 && number % (agents / poisoned) == 7;
    let ill: Vec<usize> = (0..agents).filter(|number| is_poisoned(*number)).collect();
    let (panicking, invalid): (Vec<usize>, Vec<usize>) = ill.iter().partition(|number| (*number / 7).is_multiple_of(2));
    for number in &invalid {
        stage.documents.insert(fargateer_api::Key::new(name(*number)), vec![broken(*number)]);
    }
    let panicking: BTreeSet<String> = panicking.into_iter().map(name).collect();
    let operator = Operator::with(&stage, Arc::new(crate::stage::Nowhere), panicking).await;
    operator.until_ready(&stage, agents - ill.len(), Duration::from_hours(2)).await.expect("the others are Ready");
    stage.pass(RESYNC).await;
    stage.ledger.lock().forget();
    stage.ledger.lock().keeps = true;
    let mut edited: BTreeMap<String, Duration> = BTreeMap::new();
    let mut sweeps = Vec::new();
    let mut watch = Watch::default();
    for lot in 0..360 {
        let number = (lot * 7919) % agents;
        if !is_poisoned(number) && !edited.contains_key(&name(number)) {
            // In place: neither a revision nor a rollout stands between the edit and the write.
            let spec = agent(number).with("enableExecuteCommand", json!(true));
            stage.documents.insert(fargateer_api::Key::new(name(number)), vec![document(spec)]);
            edited.insert(name(number), stage.sim.now());
            operator.read(&stage);
        }
        for _ in 0..10 {
            stage.pass(Duration::from_secs(1)).await;
            watch.look(&stage, &mut sweeps);
        }
    }
    stage.pass(RESYNC).await;
    operator.end().await;
    let seen = stage.ledger.lock();
    let mut latencies: BTreeMap<&str, f64> = BTreeMap::new();
    for (at, operation, request) in &seen.writes {
        let service = request["service"].as_str().unwrap_or_default();
        if let (Some((name, begun)), "UpdateService") = (edited.get_key_value(service), operation.as_str()) {
            latencies.entry(name).or_insert(seconds(at.saturating_sub(*begun)));
        }
    }
    let lost = count(edited.len() - latencies.len());
    let served = Served { edits: p99(latencies.into_values().collect()), sweep: p99(sweeps), lost };
    (served, seen.throttled())
}

/// Watches sweeps: a sweep begins when, after a quiet time, many agents are looked at again.
#[derive(Default)]
struct Watch {
    known: BTreeMap<String, Duration>,
    begun: Option<Duration>,
    quiet: u32,
}

impl Watch {
    fn look(&mut self, stage: &Stage, sweeps: &mut Vec<f64>) {
        let seen = stage.ledger.lock();
        let fresh: Vec<(String, Duration)> = seen
            .described
            .iter()
            .filter(|(name, at)| self.known.get(*name) != Some(*at))
            .map(|(name, at)| (name.clone(), *at))
            .collect();
        self.quiet = if fresh.len() < 20 { self.quiet + 1 } else { 0 };
        if self.quiet > 10 {
            self.begun = None;
        }
        if fresh.len() >= 20 {
            let first = fresh.iter().map(|(_, at)| *at).min().unwrap_or_default();
            let begun = *self.begun.get_or_insert(first);
            sweeps.extend(fresh.iter().map(|(_, at)| seconds(at.saturating_sub(begun))));
        }
        self.known.extend(fresh);
    }
}

/// The value that only one in a hundred exceeds.
fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = values.len() * 99 / 100;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::INFINITY)
}
