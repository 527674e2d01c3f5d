//! Sees every call of a run: lets faults strike where the plan says, checks the invariants at every effect, keeps count.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fargateer_sim::{FaultKind, Meeting, View, Witness};
use serde_json::Value;
use tokio::sync::Notify;

use crate::effects::{Counts, Trace, count};
use crate::invariants;
use crate::plan::{Blow, Plan, Slip, Slipping, Spell};
use crate::truth::Truth;

/// More like calls than this in a minute go round in circles (I7).
const LIKE_CALLS: usize = 16;
/// Violations kept: one is enough to fail, and a thousand like it say no more.
const KEPT: usize = 8;

/// Everything a run notes, shared by all who watch it.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// What people want.
    pub(crate) truth: Truth,
    /// Broken invariants.
    pub(crate) violations: Vec<String>,
    /// Which faults struck.
    pub(crate) faults: Counts,
    /// Which calls had an effect.
    pub(crate) effects: Counts,
    /// Calls of the product, reads and writes.
    pub(crate) calls: u64,
    /// Writes of the product that reached AWS, refused ones included.
    pub(crate) writes: u64,
    /// Those among them that start tasks or end them.
    pub(crate) service_writes: u64,
    /// All that happened.
    pub(crate) trace: Trace,
    /// Answers of RegisterTaskDefinition that were lost: each may cost a revision (I2).
    pub(crate) lost_registrations: u64,
    /// When somebody or something last disturbed the world.
    pub(crate) disturbed: Duration,
    /// Nothing goes wrong any more.
    pub(crate) calm: bool,
    /// How many statuses were written.
    pub(crate) statuses: u64,
    strikes: BTreeMap<u64, Blow>,
    spells: Vec<Spell>,
    slips: Vec<Slip>,
    alike: BTreeMap<String, VecDeque<Duration>>,
}

impl Record {
    /// Notes a broken invariant.
    pub(crate) fn violate(&mut self, at: Duration, invariant: &str, what: &str) {
        if self.violations.len() < KEPT {
            self.violations.push(format!("{invariant} at {:.1} s: {what}", at.as_secs_f64()));
        }
    }

    /// The slip of the status write that comes now, if any.
    pub(crate) fn slip(&mut self) -> Option<Slip> {
        self.statuses += 1;
        let number = self.statuses;
        let slip = self.slips.iter().find(|slip| slip.write == number && !self.calm).cloned()?;
        let name = if slip.how == Slipping::Fails { "slip-fails" } else { "slip-crash" };
        count(&mut self.faults, name);
        Some(slip)
    }

    /// The date of `at`, in seconds since 1970, a moment earlier.
    fn date_before(at: Duration) -> f64 {
        let epoch = fargateer_sim::Settings::default().epoch.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        (epoch + at).as_secs_f64() - 0.005
    }

    fn blow(&mut self, call: &Meeting<'_>, random: &mut fastrand::Rng) -> Option<Blow> {
        if self.calm {
            return None;
        }
        let struck = self.strikes.remove(&call.number);
        let now = call.at.as_secs();
        let luck = random.u8(0..100);
        let spell = self.spells.iter().find(|spell| (spell.from..spell.until).contains(&now) && luck < spell.percent);
        struck.or_else(|| spell.map(|spell| Blow::Fault(spell.fault.clone())))
    }

    /// The same write again and again is a hot loop, whatever comes of it.
    fn note_alike(&mut self, call: &Meeting<'_>) {
        let what = format!("{} {}", call.operation, call.request);
        let times = self.alike.entry(what).or_default();
        times.push_back(call.at);
        while times.front().is_some_and(|first| call.at.saturating_sub(*first) > Duration::from_mins(1)) {
            times.pop_front();
        }
        if times.len() > LIKE_CALLS {
            let message = format!("{} sent {} times in a minute: {}", call.operation, times.len(), call.request);
            self.violate(call.at, "I7 no hot loop", &message);
        }
    }
}

/// The record, as those who watch hold it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records(Arc<Mutex<Record>>);

impl Records {
    /// The record of a run of `plan`.
    pub(crate) fn of(plan: &Plan) -> Self {
        let record = Record {
            strikes: plan.strikes.iter().map(|strike| (strike.call, strike.blow.clone())).collect(),
            spells: plan.spells.clone(),
            slips: plan.slips.clone(),
            ..Record::default()
        };
        Self(Arc::new(Mutex::new(record)))
    }

    /// The record. Never held while AWS is asked.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a process can be told from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    /// It is killed.
    pub(crate) kill: Arc<Notify>,
    /// It is asked to end.
    pub(crate) stop: Arc<Notify>,
}

/// The witness.
#[derive(Debug)]
pub(crate) struct Overseer {
    records: Records,
    signals: BTreeMap<String, Signals>,
    random: fastrand::Rng,
}

impl Overseer {
    /// A witness that writes into `records`; `signals` by the access key of each process.
    pub(crate) fn new(records: Records, signals: BTreeMap<String, Signals>, seed: u64) -> Self {
        Self { records, signals, random: fastrand::Rng::with_seed(seed ^ 0x5bd1_e995) }
    }

    fn befall(&self, blow: Blow, caller: &str) -> Option<FaultKind> {
        let signals = self.signals.get(caller)?;
        match blow {
            Blow::Fault(kind) => Some(kind),
            Blow::CrashBefore => {
                signals.kill.notify_one();
                Some(FaultKind::HangBefore)
            }
            Blow::CrashAfter => {
                signals.kill.notify_one();
                Some(FaultKind::HangAfter)
            }
            Blow::Stop => {
                signals.stop.notify_one();
                None
            }
        }
    }
}

impl Witness for Overseer {
    fn before(&mut self, call: &Meeting<'_>, world: &mut View<'_>) -> Option<FaultKind> {
        if !self.signals.contains_key(call.caller) {
            return None;
        }
        let mut record = self.records.lock();
        record.calls += 1;
        let blow = record.blow(call, &mut self.random);
        let struck = blow.as_ref().map(name_of);
        let line = format!("{:?} {} {} {}", call.at, call.operation, call.request, struck.unwrap_or_default());
        record.trace.add(&line);
        if call.mutating {
            record.writes += 1;
            record.service_writes += u64::from(call.operation.ends_with("Service"));
            record.note_alike(call);
            invariants::before_a_write(&mut record, call, world);
        }
        let blow = blow?;
        count(&mut record.faults, name_of(&blow));
        if matches!(blow, Blow::Stop) || call.mutating || !matches!(blow, Blow::Fault(_)) {
            record.disturbed = call.at;
        }
        drop(record);
        let kind = self.befall(blow, call.caller);
        let is_lost = kind.as_ref().is_some_and(|kind| {
            matches!(
                kind,
                FaultKind::ResetAfter | FaultKind::HangAfter | FaultKind::ServerErrorAfter | FaultKind::Truncated
            )
        });
        if is_lost && call.operation == "RegisterTaskDefinition" {
            self.records.lock().lost_registrations += 1;
        }
        kind
    }

    fn after(&mut self, call: &Meeting<'_>, answer: Result<&Value, &str>, world: &mut View<'_>) {
        if !call.mutating || !self.signals.contains_key(call.caller) {
            return;
        }
        let mut record = self.records.lock();
        let Ok(answer) = answer else { return };
        // CreateService with a token that was used before answers what was made then.
        let made = answer["service"]["createdAt"].as_f64().unwrap_or_default();
        let again = call.operation == "CreateService" && made < Record::date_before(call.at);
        if !again {
            count(&mut record.effects, call.operation);
        }
        invariants::after_a_write(&mut record, call, world);
    }
}

/// The name of a blow, as it is counted.
pub(crate) fn name_of(blow: &Blow) -> String {
    let value = serde_json::to_value(blow).unwrap_or_default();
    let kind = value.get("fault").cloned().unwrap_or(value);
    match &kind {
        Value::String(name) => name.clone(),
        Value::Object(fields) => {
            let Some((name, detail)) = fields.iter().next() else { return String::new() };
            detail
                .as_str()
                .or_else(|| detail.get("code")?.as_str())
                .map_or_else(|| name.clone(), |detail| format!("{name}-{detail}"))
        }
        _ => String::new(),
    }
}
