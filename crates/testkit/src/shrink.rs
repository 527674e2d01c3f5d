//! Makes a plan that breaks an invariant as small as it can be: parts are taken out one at a time while it still breaks it.
//! Runs are deterministic, so what is left is exactly what it takes.

use crate::plan::Plan;
use crate::run::run;

/// Runs at most, so that a large plan does not take all day.
const RUNS: usize = 400;

/// What a violation is about: its first words without numbers, names and times.
fn invariant(violation: &str) -> String {
    let text: String = violation.chars().filter(|letter| !letter.is_ascii_digit()).collect();
    text.chars().take(90).collect()
}

/// A smaller plan that still breaks what `plan` breaks, and the number of runs it took.
pub fn shrink(plan: &Plan, violation: &str) -> (Plan, usize) {
    let broken = invariant(violation);
    let breaks = |plan: &Plan| run(plan).violations.iter().any(|other| invariant(other) == broken);
    let (mut best, mut runs) = (plan.clone(), 0);
    loop {
        let before = best.size();
        let mut index = 0;
        while index < best.size() && runs < RUNS {
            let candidate = without(&best, index);
            runs += 1;
            if breaks(&candidate) {
                best = candidate;
            } else {
                index += 1;
            }
        }
        if best.size() == before || runs >= RUNS {
            return (best, runs);
        }
    }
}

/// `plan` without its part number `index`.
fn without(plan: &Plan, index: usize) -> Plan {
    let mut plan = plan.clone();
    let mut left = index;
    macro_rules! take_out {
        ($($list:ident),*) => {$(
            if left < plan.$list.len() {
                plan.$list.remove(left);
                return plan;
            }
            left -= plan.$list.len();
        )*};
    }
    take_out!(strikes, lease_strikes, spells, slips, steps);
    plan
}
