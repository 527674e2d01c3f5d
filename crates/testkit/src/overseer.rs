//! Sees every call of a run: lets faults strike where the plan says, checks the invariants at every effect, keeps count.

use std::collections::BTreeMap;
use std::sync::Arc;

use fargateer_sim::{FaultKind, Meeting, View, Witness};
use serde_json::Value;
use tokio::sync::Notify;

use crate::effects::count;
use crate::invariants;
use crate::plan::Blow;
use crate::record::{Record, Records};

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
