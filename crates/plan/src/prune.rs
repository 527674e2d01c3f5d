//! May an agent whose spec disappeared be deleted? Only after a whole, fresh, non-empty read; only a few at once; only
//! after a grace period. A file that does not parse is *unknown*: its agents keep their last good spec and never get here.

use std::collections::BTreeMap;
use std::time::Duration;

use fargateer_api::seeded::{Bug, has};
use fargateer_api::{Key, Reason};

/// The rules of deletion, from the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// How long a spec must be gone. Default ten minutes.
    pub grace: Duration,
    /// How many distinct reads must miss it. Default 2.
    pub reads: u32,
    /// At least so many may go at once. Default 5.
    pub at_once: usize,
    /// Or so many percent of the fleet, whichever is more. Default 10.
    pub percent: usize,
    /// A person confirmed: the number at once does not count.
    pub confirmed: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { grace: Duration::from_mins(10), reads: 2, at_once: 5, percent: 10, confirmed: false }
    }
}

/// What is known of an agent whose spec is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// Distinct whole reads that did not have it.
    pub reads: u32,
    /// Time since the first of them.
    pub since: Duration,
}

/// What may happen to one missing agent; none means: delete it.
pub type Hold = Option<(Reason, String)>;

/// Decides over all `missing` agents of a fleet of `known` agents (missing ones included).
pub fn decide(missing: &BTreeMap<Key, Missing>, known: usize, policy: &Policy) -> BTreeMap<Key, Hold> {
    let limit = policy.at_once.max(known * policy.percent / 100);
    // An empty source proves nothing: a wrong checkout looks just like it.
    let everything = missing.len() == known;
    let too_many = !policy.confirmed && (missing.len() > limit || everything);
    let too_many = too_many && !has(Bug::EmptySourceDeletes);
    let hold = |missing_agent: &Missing| {
        if too_many {
            let count = missing.len();
            let message = format!(
                "{count} of {known} specs vanished at once, at most {limit} are deleted without confirmation (fargateer prune --confirm; for one run --confirm-prune)"
            );
            return Some((Reason::PruneBlocked, message));
        }
        let waiting = missing_agent.reads < policy.reads || missing_agent.since < policy.grace;
        waiting.then(|| {
            let grace = policy.grace.as_secs();
            (
                Reason::PruneGrace,
                format!("the spec is gone; deleted when it stays gone for {grace} s and {} reads", policy.reads),
            )
        })
    };
    missing.iter().map(|(key, agent)| (key.clone(), hold(agent))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(count: usize, reads: u32, seconds: u64) -> BTreeMap<Key, Missing> {
        let agent = Missing { reads, since: Duration::from_secs(seconds) };
        (0..count).map(|number| (Key::new(format!("agent-{number}")), agent)).collect()
    }

    fn reasons(decisions: &BTreeMap<Key, Hold>) -> Vec<Option<Reason>> {
        decisions.values().map(|hold| hold.as_ref().map(|(reason, _)| *reason)).collect()
    }

    #[test]
    fn a_spec_must_be_missed_twice_and_for_the_whole_grace_period() {
        let policy = Policy::default();
        assert_eq!(reasons(&decide(&missing(1, 1, 900), 20, &policy)), vec![Some(Reason::PruneGrace)]);
        assert_eq!(reasons(&decide(&missing(1, 2, 599), 20, &policy)), vec![Some(Reason::PruneGrace)]);
        assert_eq!(reasons(&decide(&missing(1, 2, 600), 20, &policy)), vec![None]);
    }

    #[test]
    fn a_mass_disappearance_deletes_nothing_until_confirmed() {
        let gone = missing(6, 9, 9_000);
        assert_eq!(reasons(&decide(&gone, 20, &Policy::default())), vec![Some(Reason::PruneBlocked); 6]);
        let confirmed = Policy { confirmed: true, ..Policy::default() };
        assert_eq!(reasons(&decide(&gone, 20, &confirmed)), vec![None; 6]);
        assert_eq!(reasons(&decide(&missing(6, 9, 9_000), 100, &Policy::default())), vec![None; 6]);
    }

    #[test]
    fn a_fleet_that_vanished_altogether_is_never_deleted_by_itself() {
        assert_eq!(reasons(&decide(&missing(3, 9, 9_000), 3, &Policy::default())), vec![Some(Reason::PruneBlocked); 3]);
    }
}
