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

/// A process the witness knows.
#[derive(Debug)]
pub(crate) struct Process {
    /// What it can be told.
    pub(crate) signals: Signals,
    /// What its names in the lease table begin with, where there is one.
    pub(crate) member: Option<String>,
}

/// The witness.
#[derive(Debug)]
pub(crate) struct Overseer {
    records: Records,
    processes: BTreeMap<String, Process>,
    /// The access keys of roles that were assumed, and of which process they are.
    assumed: BTreeMap<String, String>,
    random: fastrand::Rng,
}

impl Overseer {
    /// A witness that writes into `records`, of `processes` by their access keys.
    pub(crate) fn new(records: Records, processes: BTreeMap<String, Process>, seed: u64) -> Self {
        Self { records, processes, assumed: BTreeMap::new(), random: fastrand::Rng::with_seed(seed ^ 0x5bd1_e995) }
    }

    /// The process's own access key, whatever role it has assumed.
    fn known_as(&self, caller: &str) -> Option<String> {
        let own = self.assumed.get(caller).map_or(caller, String::as_str);
        self.processes.contains_key(own).then(|| own.to_owned())
    }

    fn befall(&self, blow: Blow, caller: &str) -> Option<FaultKind> {
        let signals = &self.processes.get(caller)?.signals;
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
        let caller = self.known_as(call.caller)?;
        let call = &Meeting { caller: &caller, ..*call };
        let process = self.processes.get(&caller)?;
        let in_table = call.service == "dynamodb";
        let mut record = self.records.lock();
        record.calls += u64::from(!in_table);
        // What DynamoDB is asked for consistently is never old, and a Query is read to its end by the SDK.
        let blow = record.blow(call, &mut self.random).filter(|blow| !in_table || befalls_tables(blow));
        let denied = (record.unreadable && call.operation == "Scan").then_some(Blow::Fault(FaultKind::AccessDenied));
        let blow = blow.or(denied);
        let struck = blow.as_ref().map(name_of);
        record.trace.add(&(call.at, call.operation, call.request, struck));
        if let (true, Some(member)) = (call.mutating && !in_table, &process.member) {
            invariants::one_writer(&mut record, call, (member, world));
        }
        if !call.mutating {
            record.note_look(call.caller);
        }
        if call.mutating && !in_table {
            record.writes += 1;
            record.service_writes += u64::from(call.operation.ends_with("Service"));
            record.note_alike(call);
            invariants::before_a_write(&mut record, call, world);
        }
        record.struck = blow.is_some();
        let blow = blow?;
        count(&mut record.faults, name_of(&blow));
        if matches!(blow, Blow::Fault(FaultKind::Stale(_))) {
            record.stale = Some(call.at);
        }
        if matches!(blow, Blow::Fault(FaultKind::Omit(_))) {
            record.omitted = Some(call.at);
        }
        if matches!(blow, Blow::Stop) || call.mutating || in_table || !matches!(blow, Blow::Fault(_)) {
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
        let (Some(caller), Ok(answer)) = (self.known_as(call.caller), answer) else { return };
        if let Some(key) = answer["Credentials"]["AccessKeyId"].as_str() {
            self.assumed.insert(key.to_owned(), caller);
            return;
        }
        if !call.mutating {
            return;
        }
        let call = &Meeting { caller: &caller, ..*call };
        let mut record = self.records.lock();
        // CreateService with a token that was used before answers what was made then.
        let made = answer["service"]["createdAt"].as_f64().unwrap_or_default();
        let again = call.operation == "CreateService" && made < Record::date_before(call.at);
        if !again {
            count(&mut record.effects, call.operation);
        }
        if call.operation == "RegisterTaskDefinition" {
            record.note_revision(call);
        }
        let starts = answer["service"]["deployments"][0]["createdAt"].as_f64().unwrap_or_default();
        if call.operation == "UpdateService" && !record.struck && starts >= Record::date_before(call.at) {
            record.note_start(call);
        }
        invariants::after_a_write(&mut record, call, world);
    }
}

/// Whether a blow can befall a call to DynamoDB.
fn befalls_tables(blow: &Blow) -> bool {
    !matches!(blow, Blow::Fault(FaultKind::Stale(_) | FaultKind::Omit(_) | FaultKind::Paged(_)))
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
