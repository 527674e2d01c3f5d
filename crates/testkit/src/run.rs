//! Plays a plan: time passes, people act, calls fail, the process dies and comes back; then everything calms down, and what
//! was promised must hold.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use fargateer_api::Key;
use fargateer_api::status::{Condition, ConditionType, Reason, Truth as Known};
use fargateer_sim::{Behaviour, FaultKind, Settings, Simulation};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::clock::{VirtualClock, pass};
use crate::leaks::{Said, canary};
use crate::operator::{Disk, Gate, Host, Running, asking, resync};
use crate::overseer::{Overseer, Process, Signals};
use crate::people::People;
use crate::plan::{Act, Blow, Plan};
use crate::record::{Record, Records};
use crate::rows::{self, Rows};
use crate::shelf::{Feeds, POLL_BESIDE, Shelf};
use crate::state;
use crate::truth::Want;
use crate::wiring::{self, REGION, TABLE};

/// What whoever stands in two sources is told.
const TWICE: &str = "is used more than once";
/// The source is read again so often.
const POLL: Duration = Duration::from_mins(1);
/// A world without faults is as people want it after so long: ten minutes and a rollout (I1).
const PATIENCE: Duration = Duration::from_mins(25);
/// Where something was denied or failed for good, the next try may be this far off: a slow re-probe, 1 h and a fifth.
const LONG_PATIENCE: Duration = Duration::from_mins(110);
/// Tasks of the runtime at most, while one process runs: workers, sweep, feed, and who keeps it running.
const TASKS: usize = 24;

/// What came of a plan.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// Broken invariants.
    pub violations: Vec<String>,
    /// Calls of the product until all was as it should be.
    pub calls: u64,
    /// Writes among them.
    pub writes: u64,
    /// How many statuses were written until then.
    pub statuses: u64,
    /// Writes to the lease table until then.
    pub lease_writes: u64,
    /// Virtual time of the whole run, in seconds.
    pub seconds: u64,
    /// A hash of all that happened.
    pub trace: u64,
    /// Which faults struck, and how often.
    pub faults: BTreeMap<String, u64>,
    /// Which calls had an effect, and how often.
    pub effects: BTreeMap<String, u64>,
    /// What there was in the end, without times and identities.
    #[serde(skip)]
    pub end: Value,
    /// Answers of RegisterTaskDefinition that were lost.
    pub lost_registrations: u64,
    /// Every call, where it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<String>,
}

impl Outcome {
    /// Whether no invariant was broken.
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }
}

thread_local! {
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

/// Panics are counted, not printed: those of poisoned agents are meant, and all others are violations.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            let meant = panic.payload().downcast_ref::<&str>().is_some_and(|text| *text == "a poisoned agent");
            if !meant {
                others(panic);
            }
        }));
    });
}

/// Plays `plan`. The same plan always has the same outcome.
pub fn run(plan: &Plan) -> Outcome {
    told(plan, false)
}

/// Plays `plan` and tells every call.
pub fn tell(plan: &Plan) -> Outcome {
    told(plan, true)
}

fn told(plan: &Plan, timeline: bool) -> Outcome {
    count_panics();
    PANICS.set(0);
    fastrand::seed(plan.seed);
    #[cfg(feature = "seeded-bugs")]
    fargateer_api::seeded::plant(plan.bug);
    // Listening costs as much as all the rest: one run in 32 is listened to.
    let said = Said::default();
    let listening = lot(plan).is_multiple_of(32).then(|| said.listen());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let mut outcome = match runtime {
        Ok(runtime) => runtime.block_on(play(plan, timeline)),
        Err(error) => Outcome { violations: vec![format!("no runtime: {error}")], ..Outcome::default() },
    };
    drop(listening);
    if said.text().contains(&canary(plan.seed)) {
        outcome.violations.push("I15 no secret is told: it stands in the log".to_owned());
    }
    outcome
}

async fn play(plan: &Plan, timeline: bool) -> Outcome {
    let Stage { hosts, shelves } = Stage::new(plan);
    if let Some(host) = hosts.first().filter(|host| host.rows) {
        Rows::create(&host.sim).await;
    }
    let mut processes = JoinSet::new();
    for host in &hosts {
        processes.spawn(host.clone().keep_running());
    }
    let Some(mut people) = People::new(&hosts, shelves) else { return Outcome::default() };
    let Some(host) = hosts.first() else { return Outcome::default() };
    people.read();
    people.read_due();
    let begun = Instant::now();
    for step in &plan.steps {
        wait_until(begun + Duration::from_secs(step.at), &mut people).await;
        people.act(&step.act);
        if let Act::HandBack(name) = &step.act {
            people.hand_back(name).await;
        }
    }
    wait_until(begun + Duration::from_secs(plan.end()), &mut people).await;
    let mut outcome = Outcome::default();
    settle(plan, &hosts, &mut people).await;
    {
        let mut record = host.records.lock();
        record.calm = true;
        (outcome.calls, outcome.writes, outcome.statuses) = (record.calls, record.writes, record.statuses);
        outcome.lease_writes = record.lease_writes;
    }
    if host.records.lock().violations.is_empty() {
        stay_calm(plan, &hosts, &mut people).await;
        for host in &hosts {
            tell_no_secret(plan, host).await;
        }
    }
    let truth = host.records.lock().truth.clone();
    outcome.end = state::masked(&mut asking(&host.sim), &truth);
    processes.shutdown().await;
    outcome.seconds = begun.elapsed().as_secs();
    if timeline {
        outcome.timeline = host.sim.calls().iter().map(line).collect();
    }
    let mut record = host.records.lock();
    leave_nothing(plan, &mut record);
    let Record { violations, faults, effects, trace, lost_registrations, .. } = &*record;
    outcome.trace = trace.value();
    (outcome.faults, outcome.effects) = (faults.clone(), effects.clone());
    outcome.violations.clone_from(violations);
    outcome.lost_registrations = *lost_registrations;
    outcome
}

/// A call on one line.
fn line(call: &fargateer_sim::Call) -> String {
    let request = if call.mutating { call.request.to_string() } else { call.resource.clone().unwrap_or_default() };
    let error = call.error.as_deref().map(|error| format!(" -> {error}")).unwrap_or_default();
    format!("{:9.3} {}{error} {request}", call.at.as_secs_f64(), call.operation)
}

/// Everything a run needs, set up.
struct Stage {
    hosts: Vec<Host>,
    shelves: Vec<Shelf>,
}

impl Stage {
    fn new(plan: &Plan) -> Self {
        let settings = Settings {
            throttle: true,
            seed: plan.seed,
            // Where several processes run, time must pass in the middle of a pass.
            latency: if plan.replicas > 0 { Duration::from_millis(300) } else { Duration::ZERO },
            history: if plan.looks_back() { Duration::from_secs(40) } else { Duration::ZERO },
            ..Settings::default()
        };
        let sim = Simulation::new(settings);
        sim.seed(wiring::seed());
        let records = Records::of(plan);
        records.lock().truth.news = if plan.rows { rows::NEWS } else { Duration::ZERO };
        let sources = 1 + usize::from(plan.beside);
        let mut feeds: Vec<Feeds> = vec![Feeds::new(); sources];
        let mut host = |number| {
            let (own, snapshots): (Feeds, Vec<_>) = (0..sources).map(|_| watch::channel(None)).unzip();
            feeds.iter_mut().zip(own).for_each(|(feeds, feed)| feeds.push(feed));
            let signals = Signals::default();
            let statuses = Arc::new(Disk::new(sim.clone(), records.clone(), Arc::clone(&signals.kill)));
            Host {
                number,
                has_peers: plan.replicas > 0,
                rows: plan.rows,
                beside: plan.beside,
                max_rollouts: plan.max_rollouts,
                sim: sim.clone(),
                records: records.clone(),
                signals,
                clock: VirtualClock::default(),
                snapshots,
                statuses,
                policy: Arc::default(),
                gate: Gate::default(),
                table_gate: Gate::default(),
                running: Arc::default(),
                starts: Arc::new(Mutex::new(0)),
            }
        };
        let hosts: Vec<Host> = (0..plan.processes()).map(&mut host).collect();
        let known = hosts.iter().map(|host| {
            let member = host.has_peers.then(|| host.member());
            (host.access_key(), Process { signals: host.signals.clone(), member })
        });
        sim.witness(Box::new(Overseer::new(records.clone(), known.collect(), plan.seed)));
        if plan.replicas > 0 {
            drop(sim.call(REGION, "dynamodb", "CreateTable", table()));
        }
        let mut feeds = feeds.into_iter();
        let first = feeds.next().map(|feeds| Shelf::first(&sim, plan, feeds));
        let shelves = first.into_iter().chain(feeds.map(|feeds| Shelf::beside(&sim, plan, feeds))).collect();
        Self { hosts, shelves }
    }
}

/// The table of leases and statuses.
fn table() -> Value {
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    json!({"TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [attribute("owner"), attribute("item")],
        "KeySchema": [key("owner", "HASH"), key("item", "RANGE")]})
}

/// Time passes until `then`; the source is read now and again.
async fn wait_until(then: Instant, people: &mut People) {
    let mut poll = Instant::now() + POLL;
    while Instant::now() < then {
        let due = people.due().unwrap_or(then);
        pass(then.min(poll).min(due).saturating_duration_since(Instant::now())).await;
        if poll < then && poll <= Instant::now() {
            people.read();
            poll += POLL;
        }
        people.read_due();
    }
}

/// Waits until all is as people want it, or notes that it never gets there (I1).
async fn settle(plan: &Plan, hosts: &[Host], people: &mut People) {
    let Some(host) = hosts.first() else { return };
    let begun = Instant::now();
    let patience = if needs_patience(plan) { LONG_PATIENCE } else { PATIENCE };
    let mut read = Instant::now();
    // What was written last is news to nobody from then on.
    let news = match (host.rows, host.beside) {
        (true, _) => rows::NEWS,
        (false, true) => POLL_BESIDE,
        (false, false) => Duration::from_secs(1),
    };
    wait_until(Instant::now() + news, people).await;
    while let Some(why) = missing(plan, hosts) {
        if begun.elapsed() > patience {
            let now = host.sim.now();
            host.records.lock().violate(now, "I1 what is wanted comes to be", &why);
            return;
        }
        // What takes long may well take a little longer: asking is not for nothing.
        pass((begun.elapsed() / 16).clamp(Duration::from_secs(3), Duration::from_secs(30))).await;
        if read.elapsed() >= POLL {
            read = Instant::now();
            people.read();
        }
        people.read_due();
    }
}

/// Nothing is written any more over two sweeps and a new process, which is half an hour (I1), and little is read (I6).
/// Replicas sweep more often, for they beat and look all the time: half an hour of that costs more than all the rest.
async fn stay_calm(plan: &Plan, hosts: &[Host], people: &mut People) {
    let Some(host) = hosts.first() else { return };
    // What could not be told in a row follows the next read; what died with a process, or went with its row, the next sweep.
    if host.rows && is_unbroken(plan) {
        wait_until(Instant::now() + rows::NEWS, people).await;
        tell_rows(hosts, people);
    }
    // Of an agent that can't run, all but its tasks may still be mended with the next slow look.
    let doomed = doomed(plan, host);
    let meddled = plan.steps.iter().any(|step| matches!(step.act, Act::Meddle(..)));
    // What was begun or undone before two sources spoke of an agent is still put right, and nobody has waited for that.
    let owed = needs_patience(plan) && host.records.lock().truth.has_disputes();
    let needless = move |record: &Record| match (doomed, meddled) {
        _ if owed => 0,
        (0, _) => record.writes,
        (_, false) => record.service_writes,
        (_, true) => 0,
    };
    let (writes, calls) = {
        let record = host.records.lock();
        (needless(&record), record.calls)
    };
    let half = resync(host.has_peers) * 3 / 2;
    wait_until(Instant::now() + half, people).await;
    // Every other run loses the state folder with the process: nothing needed may live there alone.
    let leaving = host.records.lock().truth.all().any(|(_, want)| matches!(want, Want::Absent(_)));
    if lot(plan).is_multiple_of(2) && !leaving {
        host.lose_folder();
    }
    host.signals.kill.notify_one();
    wait_until(Instant::now() + half, people).await;
    // Among replicas calls take time: a sweep that has just begun may end.
    for _ in 0..10 {
        if !hosts.iter().filter_map(Host::running).any(|running| running.is_at_work()) {
            break;
        }
        pass(Duration::from_secs(1)).await;
    }
    let now = host.sim.now();
    let agents = u64::try_from(host.records.lock().truth.all().count()).unwrap_or(u64::MAX);
    let mut record = host.records.lock();
    if needless(&record) != writes {
        let last = host.sim.calls().into_iter().rev().find(|call| call.mutating);
        let what = last.map(|call| format!("{} {}", call.operation, call.request)).unwrap_or_default();
        let number = needless(&record) - writes;
        record.violate(now, "I1 nothing is written without need", &format!("{number} writes, the last {what}"));
    }
    // 30 minutes: at most two calls an agent and minute, and what a new process reads; more where tasks fail all the time.
    let bound = agents * 60 + 40 + doomed * 200 + u64::try_from(plan.replicas).unwrap_or(0) * 40;
    if record.calls - calls > bound {
        let number = record.calls - calls;
        record.violate(now, "I6 calls are bounded", &format!("{number} calls, {bound} at most"));
    }
    drop(record);
    if let Some(why) = missing(plan, hosts) {
        host.records.lock().violate(now, "I1 what is so stays so", &why);
    }
    tell_rows(hosts, people);
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    if tasks > TASKS * hosts.len() {
        host.records.lock().violate(now, "I14 no task is leaked", &format!("{tasks} tasks"));
    }
}

/// Whether no process dies, stands still or loses its source.
fn is_unbroken(plan: &Plan) -> bool {
    fn dies(act: &Act) -> bool {
        match act {
            Act::Kill | Act::KillAndForget | Act::Stop | Act::Replica(..) | Act::Freeze(_) | Act::Lose(_) => true,
            Act::Beside(act) => dies(act),
            _ => false,
        }
    }
    let strikes = plan.strikes.iter().chain(&plan.lease_strikes);
    plan.slips.is_empty()
        && !plan.steps.iter().any(|step| dies(&step.act))
        && strikes.into_iter().all(|strike| matches!(strike.blow, Blow::Fault(_)))
}

/// Rows tell how their agents are.
fn tell_rows(hosts: &[Host], people: &People) {
    let Some(host) = hosts.first().filter(|host| host.rows) else { return };
    let running: Vec<Running> = hosts.iter().filter_map(Host::running).collect();
    let ready = |name: &str| {
        let key = Key::new(name);
        let owner = running.iter().find(|running| running.lease.holds(&key));
        let status = owner.map(|owner| owner.controller.reconciler.board.status(&key));
        let ready = status.as_ref().and_then(|status| status.condition(ConditionType::Ready));
        ready.map_or_else(String::new, |ready| format!("{:?}", ready.status))
    };
    let truth = host.records.lock().truth.clone();
    let others = people.names_beside();
    if let Some(why) = Rows::untold(&host.sim, &truth, (&others, ready)) {
        let now = host.sim.now();
        host.records.lock().violate(now, "rows tell what is so", &why);
    }
}

/// What the process says holds no secret (I15).
async fn tell_no_secret(plan: &Plan, host: &Host) {
    let Some(running) = host.running() else { return };
    let reconciler = &running.controller.reconciler;
    let mut said = String::new();
    if let Err(error) = prometheus_client::encoding::text::encode(&mut said, &running.registry) {
        host.records.lock().violate(host.sim.now(), "metrics are text", &error.to_string());
    }
    said += &format!("{:?}", reconciler.board.events().list(None));
    said += &serde_json::to_string(&reconciler.board.all().values().map(Arc::as_ref).collect::<Vec<_>>())
        .unwrap_or_default();
    let poisoned = host.records.lock().truth.poisoned.clone();
    for key in reconciler.fleet.keys().iter().filter(|key| !poisoned.iter().any(|name| *name == key.to_string())) {
        let mut pass = reconciler.fleet.pass(key, fargateer_controller::port::Clock::now(&host.clock));
        // A spec that differs in everything that may be secret: its plan names fields, never values.
        drop(fargateer_controller::reconcile::survey(running.aws.as_ref(), &mut pass).await);
        said += &serde_json::to_string(&pass.plan.differences).unwrap_or_default();
        for action in pass.plan.waves.iter().flat_map(|wave| &wave.actions) {
            said += &action.to_string();
        }
    }
    if said.contains(&canary(plan.seed)) {
        let now = host.sim.now();
        host.records.lock().violate(now, "I15 no secret is told", "it stands in statuses, events, metrics or plans");
    }
}

/// A process that ended left no task, and nothing panicked but what was poisoned (I14).
fn leave_nothing(plan: &Plan, record: &mut Record) {
    let poisoned = plan.steps.iter().any(|step| matches!(step.act, Act::Poison(_)));
    let panics = PANICS.get();
    if panics > 0 && !poisoned {
        record.violate(Duration::ZERO, "I14 no panic", &format!("{panics} panics"));
    }
}

/// Whether something in the plan may make the product wait long before it tries again.
fn needs_patience(plan: &Plan) -> bool {
    let slow = |kind: &FaultKind| matches!(kind, FaultKind::AccessDenied | FaultKind::Error { .. });
    plan.steps.iter().any(|step| matches!(step.act, Act::Behave(..) | Act::Meddle(..) | Act::Skew(_)))
        || plan.spells.iter().any(|spell| slow(&spell.fault))
        || plan.strikes.iter().any(|strike| matches!(&strike.blow, Blow::Fault(kind) if slow(kind)))
}

/// What is not yet as people want it, or told otherwise than it is; none when all is well.
fn missing(plan: &Plan, hosts: &[Host]) -> Option<String> {
    let host = hosts.first()?;
    let running: Vec<Running> = hosts.iter().filter_map(Host::running).collect();
    // The record is held while AWS is asked past the witness: nobody else runs in this thread meanwhile.
    let record = host.records.lock();
    let truth = &record.truth;
    if running.iter().any(Running::is_at_work) {
        return Some("a pass runs".to_owned());
    }
    let mut aws = asking(&host.sim);
    for (name, want) in truth.all() {
        let key = Key::new(name);
        let Some(running) = running.iter().find(|running| running.lease.holds(&key)) else {
            return Some(format!("{name}: nobody works on it"));
        };
        let status = running.controller.reconciler.board.status(&key);
        let ready = status.condition(ConditionType::Ready);
        let told = || format!("{name}: {:?}", ready.map(|ready| (ready.status, ready.reason, &ready.message)));
        let (truly, reason) = ready.map_or((Known::Unknown, Reason::NotObserved), |ready| (ready.status, ready.reason));
        let why = match want {
            Want::Absent(_) if truth.is_hands_off(name) || truth.poisoned.contains(name) => None,
            Want::Present(_) if truth.is_hands_off(name) => (reason != Reason::NotOurs && !truth.is_disputed(name))
                .then(|| format!("{} is not told as disowned", told())),
            Want::Present(_) if truth.poisoned.contains(name) => (reason != Reason::InternalError
                && !truth.is_disputed(name))
            .then(|| format!("{} is not told as poisoned", told())),
            // Also of an agent that was deleted before two sources spoke of it: neither is followed.
            Want::Present(_) | Want::Absent(_) if truth.is_disputed(name) => {
                let valid = status.condition(ConditionType::SpecValid);
                let is_told = |said: &Condition| {
                    said.status == Known::False && said.reason == Reason::Conflict && said.message.contains(TWICE)
                };
                (!valid.is_some_and(is_told)).then(|| format!("{} is not told as disputed: {valid:?}", told()))
            }
            Want::Present(agent) if is_doomed(plan, agent) => {
                let failed = [
                    Reason::RolledBack,
                    Reason::FirstDeploymentFailed,
                    Reason::DeploymentFailed,
                    Reason::TasksFailing,
                    Reason::ClusterNotFound,
                ];
                // Without a rollout nobody watches health: a task that runs for a while before it is replaced counts.
                let runs = said_of(plan, agent) == Some(Behaviour::NeverHealthy) || agent.spec.desired_count == 0;
                let idle = runs && truly == Known::True;
                (!failed.contains(&reason) && !idle).then(|| format!("{} is not told as failed", told()))
            }
            Want::Present(agent) => {
                let current = status.observed_generation.as_ref() == truth.generation(name);
                let well_told = truly == Known::True && current;
                (!well_told).then(told).or_else(|| state::unsatisfied(&mut aws, agent))
            }
            Want::Absent(agent) => {
                let forgotten = !running.controller.reconciler.fleet.keys().contains(&key)
                    || agent.spec.deletion_policy == fargateer_api::spec::DeletionPolicy::Retain;
                let is_handed = truth.handed(name).is_some();
                let left = if is_handed { state::not_handed_back } else { state::left_over };
                (!forgotten).then(told).or_else(|| left(&mut aws, agent))
            }
        };
        if let Some(why) = why {
            return Some(format!("{name}: {why}"));
        }
    }
    None
}

/// How many agents can't run.
fn doomed(plan: &Plan, host: &Host) -> u64 {
    let record = host.records.lock();
    let doomed = |want: &Want| matches!(want, Want::Present(agent) if is_doomed(plan, agent));
    record.truth.all().map(|(_, want)| u64::from(doomed(want))).sum()
}

/// Whether `agent` can't run: its cluster does not exist, or its image is bad by the last word on it.
fn is_doomed(plan: &Plan, agent: &fargateer_api::AgentDeployment) -> bool {
    !wiring::CLUSTERS.contains(&agent.cluster_name())
        || !matches!(said_of(plan, agent), None | Some(Behaviour::Healthy | Behaviour::SlowStart(_)))
}

/// The last word on how the image of `agent` behaves.
fn said_of(plan: &Plan, agent: &fargateer_api::AgentDeployment) -> Option<Behaviour> {
    let image = agent.spec.image.uri.clone().unwrap_or_default();
    plan.steps.iter().rev().find_map(|step| match &step.act {
        Act::Behave(pattern, behaviour) if image.contains(pattern.as_str()) => Some(behaviour.clone()),
        _ => None,
    })
}

/// A number that differs from plan to plan, for what is done with some of them only.
fn lot(plan: &Plan) -> u64 {
    plan.strikes.iter().map(|strike| strike.call).sum::<u64>() + plan.seed
}
