//! May an agent whose spec disappeared be deleted? Only after a whole, fresh, non-empty read; only a few at once; only
//! after a grace period. A file that does not parse is *unknown*: its agents keep their last good spec and never get here.

use std::collections::BTreeMap;
use std::time::Duration;

use fargateer_api::seeded::{Bug, has};
use fargateer_api::status::Inventory;
use fargateer_api::{Key, Reason};
use jiff::{SignedDuration, Timestamp};

/// The rules of deletion, from the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// How long a spec must be gone. Default ten minutes.
    pub grace: Duration,
    /// How many distinct reads must miss it. Default 2.
    pub reads: u32,
    /// At least so many may go at once. Default 5.
    pub at_once: usize,
    /// Or so many percent of the project, whichever is more. Default 10.
    pub percent: usize,
    /// A person confirmed: the number at once does not count.
    pub confirmed: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { grace: Duration::from_mins(10), reads: 2, at_once: 5, percent: 10, confirmed: false }
    }
}

/// After so long a deletion says what blocks it. A service drains in a few minutes; the longest stop timeout of Fargate is
/// two, the deregistration delay of a target group at most an hour and by default five minutes.
pub const DEADLINE: Duration = Duration::from_mins(30);

/// What is known of an agent whose spec is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its project.
    pub project: String,
    /// Distinct whole reads that did not have it.
    pub reads: u32,
    /// Time since the first of them.
    pub since: Duration,
    /// A source that shows nothing at all any more, though specs of missing agents stood there: this one may stand there, too.
    pub silent: Option<String>,
}

/// How a person says that what vanished is to be deleted.
const CONFIRM: &str =
    "fargateer delete NAME for one, fargateer prune --confirm for all; --confirm-prune for a run that ends";

/// What may happen to one missing agent; none means: delete it.
pub type Hold = Option<(Reason, String)>;

/// Decides over all `missing` agents of a fleet that has as many agents of each project as `known` says (missing ones
/// included).
pub fn decide(
    missing: &BTreeMap<Key, Missing>,
    known: &BTreeMap<String, usize>,
    policy: &Policy,
) -> BTreeMap<Key, Hold> {
    // An empty source proves nothing: a wrong checkout looks just like it.
    let everything = missing.len() == known.values().sum::<usize>();
    let hold = |missing_agent: &Missing| {
        let project = &missing_agent.project;
        let known = known.get(project).copied().unwrap_or_default();
        let count = missing.values().filter(|other| other.project == *project).count();
        let limit = policy.at_once.max(known * policy.percent / 100);
        let too_many = !policy.confirmed && (count > limit || everything);
        if too_many && !has(Bug::EmptySourceDeletes) {
            let message = format!(
                "{count} of {known} specs of project {project} vanished at once, at most {limit} are deleted without confirmation, and never all there are ({CONFIRM})"
            );
            return Some((Reason::PruneBlocked, message));
        }
        if let Some(source) =
            missing_agent.silent.as_ref().filter(|_| !policy.confirmed && !has(Bug::EmptySourceDeletes))
        {
            let message = format!(
                "{source}, where specs of missing agents stood, shows none at all any more; as long as it does, nothing is deleted without confirmation ({CONFIRM})"
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

/// Whether the deletion of what `inventory` lists has been under way for longer than the deadline.
pub fn is_late(inventory: &Inventory, now: Timestamp) -> bool {
    age(inventory, now).is_some_and(|age| age >= SignedDuration::try_from(DEADLINE).unwrap_or(SignedDuration::MAX))
}

/// For how long that deletion has been under way.
pub fn age(inventory: &Inventory, now: Timestamp) -> Option<SignedDuration> {
    let since: Timestamp = inventory.leaving_since.as_ref()?.parse().ok()?;
    Some(now.duration_since(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(count: usize, reads: u32, seconds: u64) -> BTreeMap<Key, Missing> {
        let since = Duration::from_secs(seconds);
        let agent = Missing { project: "a".to_owned(), reads, since, silent: None };
        (0..count).map(|number| (Key::new(format!("agent-{number}")), agent.clone())).collect()
    }

    /// Decides in a fleet with so many agents of the one project, and as many of another.
    fn decide(missing: &BTreeMap<Key, Missing>, known: usize, policy: &Policy) -> BTreeMap<Key, Hold> {
        super::decide(missing, &[("a".to_owned(), known), ("b".to_owned(), known)].into(), policy)
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
        let whole = |known: &[(&str, usize)]| {
            let known = known.iter().map(|(project, count)| ((*project).to_owned(), *count)).collect();
            reasons(&super::decide(&missing(3, 9, 9_000), &known, &Policy::default()))
        };
        assert_eq!(whole(&[("a", 3)]), vec![Some(Reason::PruneBlocked); 3]);
        assert_eq!(whole(&[("a", 3), ("b", 1)]), vec![None; 3], "a project that ends is not a lost source");
    }

    /// A folder that is not mounted looks like one that somebody emptied.
    #[test]
    fn a_source_that_shows_nothing_deletes_none_of_those_that_stood_in_it() {
        let mut gone = missing(2, 9, 9_000);
        gone.values_mut().take(1).for_each(|agent| agent.silent = Some("night".to_owned()));
        let decided = decide(&gone, 20, &Policy::default());
        assert_eq!(reasons(&decided), vec![Some(Reason::PruneBlocked), None]);
        let said = decided.values().flatten().next().map(|(_, said)| said.clone()).unwrap_or_default();
        assert!(said.starts_with("night, where specs") && said.contains("fargateer delete NAME"), "{said}");
        let confirmed = Policy { confirmed: true, ..Policy::default() };
        assert_eq!(reasons(&decide(&gone, 20, &confirmed)), vec![None; 2]);
    }

    #[test]
    fn the_limit_is_that_of_the_project() {
        let gone = |project: &'static str, count: usize| {
            let since = Duration::from_hours(1);
            let agent = Missing { project: project.to_owned(), reads: 9, since, silent: None };
            (0..count).map(move |number| (Key::new(format!("{project}-{number}")), agent.clone()))
        };
        let both: BTreeMap<Key, Missing> = gone("a", 5).chain(gone("b", 6)).collect();
        let known = [("a".to_owned(), 20), ("b".to_owned(), 20), ("c".to_owned(), 500)].into();
        let decided = reasons(&super::decide(&both, &known, &Policy::default()));
        assert_eq!(decided[..5], [None; 5], "five of project a, though eleven of the fleet");
        assert_eq!(decided[5..], [Some(Reason::PruneBlocked); 6], "whatever the size of the fleet");
    }
}
