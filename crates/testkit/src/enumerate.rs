//! Every way a workload can fail once (singles), and every way it can be killed twice (pairs).

use fargateer_sim::FaultKind;

use crate::plan::{Blow, Plan, Slip, Slipping, Strike};
use crate::run::{Outcome, run};
use crate::workload::Workload;

/// A workload as it goes without faults: what all runs with faults are compared with.
#[derive(Debug, Clone)]
pub struct Reference {
    /// The plan without faults.
    pub plan: Plan,
    /// What came of it.
    pub outcome: Outcome,
    /// The number of the first call that belongs to the change.
    pub first: u64,
    /// So large that only its deaths are enumerated, and only in singles.
    pub is_large: bool,
}

impl Reference {
    /// Plays the workload without faults.
    pub fn of(workload: &Workload) -> Self {
        let plan = workload.plan();
        let outcome = run(&plan);
        // What was there at first, alone: as many calls come before the change.
        let steps = plan.steps.iter().filter(|step| step.at < workload.change).cloned().collect();
        let before = run(&Plan { steps, ..plan.clone() });
        let first = if workload.change == 0 { 1 } else { before.calls + 1 };
        Self { plan, outcome, first, is_large: workload.is_large }
    }

    /// How a run with faults differs from the one without (I10, I11); none when it does not.
    pub fn differs(&self, outcome: &Outcome) -> Option<String> {
        if outcome.end != self.outcome.end {
            return Some(format!("I11 the same end: {} instead of {}", outcome.end, self.outcome.end));
        }
        let counted = |outcome: &Outcome, operation: &str| outcome.effects.get(operation).copied().unwrap_or(0);
        // Where the process came too late to delete what was written again meanwhile, nothing is made again either.
        let undeleted = |outcome: &Outcome| {
            counted(outcome, "CreateService").saturating_sub(counted(outcome, "DeleteService").min(1))
        };
        let (have, want) = (counted(outcome, "CreateService"), counted(&self.outcome, "CreateService"));
        if have > want || (have < want && undeleted(outcome) > undeleted(&self.outcome)) {
            return Some(format!("I10 the same updates: {have} times CreateService instead of {want}"));
        }
        for operation in ["CreateLogGroup", "DeleteLogGroup"] {
            let (have, want) = (counted(outcome, operation), counted(&self.outcome, operation));
            if have != want {
                return Some(format!("I10 the same updates: {have} times {operation} instead of {want}"));
            }
        }
        let registered = counted(outcome, "RegisterTaskDefinition");
        let mut allowed = counted(&self.outcome, "RegisterTaskDefinition") + outcome.lost_registrations;
        if self.plan.replicas > 0 || self.plan.rows {
            // Which of several quick edits is brought about depends on who works on it, and when; and on when a table is read.
            allowed = allowed.max(self.plan.wordings() + outcome.lost_registrations);
        }
        (registered > allowed).then(|| format!("I10 the same updates: {registered} revisions, at most {allowed}"))
    }
}

/// So many writes to the lease table are struck: all by which members come, and some beats.
const LEASE_WRITES: u64 = 10;

/// What befalls each call.
pub fn blows() -> Vec<Blow> {
    let faults = [
        FaultKind::Throttle,
        FaultKind::ServerError,
        FaultKind::ServerErrorAfter,
        FaultKind::ResetBefore,
        FaultKind::ResetAfter,
        FaultKind::HangAfter,
        FaultKind::AccessDenied,
    ];
    let crashes = [Blow::CrashBefore, Blow::CrashAfter];
    crashes.into_iter().chain(faults.into_iter().map(Blow::Fault)).collect()
}

/// Every call of the change, with everything that can befall it; every status write, with every slip.
pub fn singles(reference: &Reference) -> Vec<Plan> {
    let mut plans = Vec::new();
    let deaths = if reference.is_large { 2 } else { usize::MAX };
    for call in reference.first..=reference.outcome.calls {
        for blow in blows().into_iter().take(deaths) {
            plans.push(Plan { strikes: vec![Strike { call, blow }], ..reference.plan.clone() });
        }
    }
    // What befalls a lease is of no less interest before the change than after it.
    for call in 1..=reference.outcome.lease_writes.min(LEASE_WRITES) {
        for blow in blows().into_iter().take(deaths) {
            plans.push(Plan { lease_strikes: vec![Strike { call, blow }], ..reference.plan.clone() });
        }
    }
    // Among replicas a status is a row like any other, and the table's faults are among the strikes.
    let slips = if reference.plan.replicas > 0 || reference.is_large { 0 } else { reference.outcome.statuses };
    for write in 1..=slips {
        for how in [Slipping::CrashBefore, Slipping::CrashAfter, Slipping::Fails] {
            plans.push(Plan { slips: vec![Slip { write, how }], ..reference.plan.clone() });
        }
    }
    plans
}

/// Every two calls of the change, the process killed at both: a crash during the recovery from a crash.
pub fn pairs(reference: &Reference) -> Vec<Plan> {
    let crashes = [Blow::CrashBefore, Blow::CrashAfter];
    let mut plans = Vec::new();
    if reference.is_large {
        return plans;
    }
    for first in reference.first..=reference.outcome.calls {
        for second in first + 1..=reference.outcome.calls + 1 {
            for (one, other) in crashes.iter().flat_map(|one| crashes.iter().map(move |other| (one, other))) {
                let strikes =
                    vec![Strike { call: first, blow: one.clone() }, Strike { call: second, blow: other.clone() }];
                plans.push(Plan { strikes, ..reference.plan.clone() });
            }
        }
    }
    plans
}
