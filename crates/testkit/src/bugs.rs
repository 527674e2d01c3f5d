//! Does the simulation bite? Bugs planted in the product are hunted with the same scenarios that guard it; each must be
//! found.

use std::ops::Range;
use std::sync::Arc;

use fargateer_api::seeded::Bug;

use crate::enumerate::{self, Reference};
use crate::plan::Plan;
use crate::run::run;
use crate::swarm;

/// How a planted bug was found.
#[derive(Debug, Clone)]
pub struct Catch {
    /// How many scenarios it took.
    pub scenarios: u64,
    /// The one that found it.
    pub plan: Plan,
    /// What it broke.
    pub what: String,
}

/// Plays the plans that once found a bug, the workloads, some of their failures, then random plans, until `bug` is found.
pub fn hunt(bug: Bug, seeds: Range<u64>, references: &[Arc<Reference>], known: &[Plan]) -> Option<Catch> {
    let known = known.iter().map(|plan| (plan.clone(), None));
    let whole = references.iter().map(|reference| (reference.plan.clone(), Some(reference)));
    let some = references.iter().filter(|reference| !reference.is_large).flat_map(|reference| {
        // Every fifth: a bug that needs one very call is left to the random plans.
        enumerate::singles(reference).into_iter().step_by(5).take(12).map(move |plan| (plan, Some(reference)))
    });
    let random = seeds.map(|seed| (swarm::plan(seed), None));
    for (scenarios, (plan, reference)) in (1..).zip(known.chain(whole).chain(some).chain(random)) {
        let plan = Plan { bug: Some(bug), ..plan };
        let outcome = run(&plan);
        let broken = outcome.violations.first().cloned();
        let found = broken.or_else(|| reference.and_then(|reference| reference.differs(&outcome)));
        if let Some(what) = found {
            return Some(Catch { scenarios, plan, what });
        }
    }
    None
}
