//! Everything a run notes, shared by all who watch it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fargateer_sim::Meeting;
use serde_json::Value;

use crate::effects::{Counts, Trace, count};
use crate::plan::{Blow, Plan, Slip, Slipping, Spell, Strike};
use crate::truth::Truth;

/// More like calls than this in a minute go round in circles (I7).
const LIKE_CALLS: usize = 16;
/// Violations kept: one is enough to fail, and a thousand like it say no more.
const KEPT: usize = 8;
/// A read shows no older past (F8).
const PAST: Duration = Duration::from_secs(30);

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
    /// How often the process behind an access key was started.
    pub(crate) starts: BTreeMap<String, u32>,
    /// Which process registered a revision of a family last, and when.
    registered: BTreeMap<String, (String, u32, Duration)>,
    /// When a read last showed the past.
    pub(crate) stale: Option<Duration>,
    /// When a read last left out what is there.
    pub(crate) omitted: Option<Duration>,
    /// When somebody or something last disturbed the world.
    pub(crate) disturbed: Duration,
    /// Nothing goes wrong any more.
    pub(crate) calm: bool,
    /// Since when nothing may be changed, by a policy.
    pub(crate) frozen: Option<Duration>,
    /// The table of specs can't be read.
    pub(crate) unreadable: bool,
    /// How many statuses were written.
    pub(crate) statuses: u64,
    strikes: BTreeMap<u64, Blow>,
    lease_strikes: BTreeMap<u64, Blow>,
    /// Writes to the lease table.
    pub(crate) lease_writes: u64,
    spells: Vec<Spell>,
    slips: Vec<Slip>,
    /// How many services may roll at the same time (I17).
    pub(crate) max_rollouts: Option<u32>,
    alike: BTreeMap<String, VecDeque<Duration>>,
    /// How many reads each process has made, by its access key and the number of its start.
    looks: BTreeMap<(String, u32), u64>,
    /// How many it had made when it last sent a write, by what it sent.
    sent: BTreeMap<(String, u32, String), u64>,
    /// Whether something befell the call that is under way.
    pub(crate) struck: bool,
    /// When people or the world last did something.
    pub(crate) acted: Duration,
    /// The update that last started a deployment of a service and said so: by which start of which process, what, when.
    started: BTreeMap<String, (String, u32, Value, Duration)>,
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
    pub(crate) fn date_before(at: Duration) -> f64 {
        let epoch = fargateer_sim::Settings::default().epoch.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        (epoch + at).as_secs_f64() - 0.005
    }

    pub(crate) fn blow(&mut self, call: &Meeting<'_>, random: &mut fastrand::Rng) -> Option<Blow> {
        if self.calm {
            return None;
        }
        let struck = if call.service != "dynamodb" {
            self.strikes.remove(&self.calls)
        } else if is_lease(call) {
            self.lease_writes += 1;
            self.lease_strikes.remove(&self.lease_writes)
        } else {
            None
        };
        let now = call.at.as_secs();
        let luck = random.u8(0..100);
        let spell = self.spells.iter().find(|spell| (spell.from..spell.until).contains(&now) && luck < spell.percent);
        struck.or_else(|| spell.map(|spell| Blow::Fault(spell.fault.clone())))
    }

    /// A revision was registered. A process that reads the past cannot know what another did a moment before: that may cost
    /// a revision, too.
    pub(crate) fn note_revision(&mut self, call: &Meeting<'_>) {
        let lately = |at: Duration| call.at.saturating_sub(at) < Duration::from_mins(1);
        let family = call.request["family"].as_str().unwrap_or_default().to_owned();
        let start = self.starts.get(call.caller).copied().unwrap_or_default();
        let before = self.registered.insert(family, (call.caller.to_owned(), start, call.at));
        // Nor can one that was told a moment ago that the service is not there, by two reads in a row.
        let misled = self.omitted.is_some_and(lately);
        let other = before
            .is_some_and(|(caller, number, at)| (caller != call.caller || number != start || misled) && lately(at));
        if other && self.stale.is_some_and(lately) {
            self.lost_registrations += 1;
        }
    }

    /// An update started a deployment, and its process knows.
    pub(crate) fn note_start(&mut self, call: &Meeting<'_>) {
        let start = self.starts.get(call.caller).copied().unwrap_or_default();
        let service = call.request["service"].to_string();
        self.started.insert(service, (call.caller.to_owned(), start, call.request.clone(), call.at));
    }

    /// Who has just started a deployment does not do so again because reads show the past: whatever differs from what was
    /// asked for within that time is not known yet.
    pub(crate) fn is_done_again(&self, call: &Meeting<'_>) -> bool {
        let start = self.starts.get(call.caller).copied().unwrap_or_default();
        let before = self.started.get(&call.request["service"].to_string());
        before.is_some_and(|(caller, number, request, at)| {
            let lately = call.at.saturating_sub(*at) < PAST && self.acted < *at;
            lately && caller == call.caller && *number == start && request == call.request
        })
    }

    /// A process made a read.
    pub(crate) fn note_look(&mut self, caller: &str) {
        let start = self.starts.get(caller).copied().unwrap_or_default();
        *self.looks.entry((caller.to_owned(), start)).or_default() += 1;
    }

    /// The same write again and again is a hot loop, whatever comes of it; sent again before another look, it is blind.
    pub(crate) fn note_alike(&mut self, call: &Meeting<'_>) {
        let what = format!("{} {}", call.operation, call.request);
        let start = self.starts.get(call.caller).copied().unwrap_or_default();
        let process = (call.caller.to_owned(), start);
        let looks = self.looks.get(&process).copied().unwrap_or_default();
        if self.sent.insert((process.0, process.1, what.clone()), looks) == Some(looks) {
            self.violate(call.at, "who tries again looks first", &what);
        }
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

fn by_number(strikes: &[Strike]) -> BTreeMap<u64, Blow> {
    strikes.iter().map(|strike| (strike.call, strike.blow.clone())).collect()
}

/// Whether a call to the table is about leases, and changes something.
fn is_lease(call: &Meeting<'_>) -> bool {
    let items = ["/Item/item/S", "/Key/item/S", "/TransactItems/0/Put/Item/item/S"];
    let item = items.iter().find_map(|path| call.request.pointer(path)?.as_str());
    call.mutating && item.is_some_and(|item| item.starts_with("lease"))
}

/// The record, as those who watch hold it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records(Arc<Mutex<Record>>);

impl Records {
    /// The record of a run of `plan`.
    pub(crate) fn of(plan: &Plan) -> Self {
        let record = Record {
            strikes: by_number(&plan.strikes),
            max_rollouts: plan.max_rollouts,
            lease_strikes: by_number(&plan.lease_strikes),
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
