//! Figures of a simulation: added up over threads and levels, printed on one line, kept as JSON, told in the README.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::effects::{add, count};
use crate::plan::{Blow, Plan};
use crate::run::Outcome;

/// What was simulated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Report {
    /// The levels, by name.
    pub levels: BTreeMap<String, Level>,
    /// Planted bugs that were found, and with how many scenarios.
    pub bugs: BTreeMap<String, Option<u64>>,
    /// Which faults struck, and how often.
    pub faults: BTreeMap<String, u64>,
    /// Which writes had an effect, and how often.
    pub effects: BTreeMap<String, u64>,
}

/// The figures of one level.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Level {
    /// Scenarios played.
    pub scenarios: u64,
    /// Calls at which a process was killed.
    pub crash_points: u64,
    /// Calls of the product.
    pub calls: u64,
    /// Virtual time, in seconds.
    pub virtual_seconds: u64,
    /// Processor time over all threads, in seconds.
    pub core_seconds: f64,
    /// Time on the clock, in seconds.
    pub seconds: f64,
    /// Scenarios that broke an invariant.
    pub violations: u64,
}

impl Level {
    /// Takes in one scenario.
    pub fn note(&mut self, plan: &Plan, outcome: &Outcome, is_good: bool) {
        let crash = |blow: &Blow| matches!(blow, Blow::CrashBefore | Blow::CrashAfter);
        let crashes = plan.strikes.iter().filter(|strike| crash(&strike.blow)).count() + plan.slips.len();
        self.scenarios += 1;
        self.crash_points += u64::try_from(crashes).unwrap_or(0);
        self.calls += outcome.calls;
        self.virtual_seconds += outcome.seconds;
        self.violations += u64::from(!is_good);
    }

    /// Takes in the figures of another thread.
    pub fn add(&mut self, other: &Self) {
        self.scenarios += other.scenarios;
        self.crash_points += other.crash_points;
        self.calls += other.calls;
        self.virtual_seconds += other.virtual_seconds;
        self.core_seconds += other.core_seconds;
        self.violations += other.violations;
    }
}

impl Report {
    /// Takes in what struck and what was done.
    pub fn tally(&mut self, outcome: &Outcome) {
        add(&mut self.faults, &outcome.faults);
        add(&mut self.effects, &outcome.effects);
    }

    /// Adds the sums of another thread.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.faults, &other.faults);
        add(&mut self.effects, &other.effects);
    }

    /// All levels in one.
    pub fn total(&self) -> Level {
        let mut total = Level::default();
        for level in self.levels.values() {
            total.add(level);
            total.seconds += level.seconds;
        }
        total
    }

    /// What never happened although it should have (I18): a fault that never struck, a write that was never done.
    pub fn vacuous(&self, least: u64) -> Vec<String> {
        let faults = FAULTS.iter().filter(|name| self.faults.get(**name).copied().unwrap_or(0) < least);
        let writes = WRITES.iter().filter(|name| self.effects.get(**name).copied().unwrap_or(0) < least);
        faults.chain(writes).map(|name| (*name).to_owned()).collect()
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let total = self.total();
        let caught = self.bugs.values().flatten().count();
        let bugs = if self.bugs.is_empty() { String::new() } else { format!(", bugs {caught}/{}", self.bugs.len()) };
        format!(
            "simulation: {} scenarios, {} crash points, {:.0} virtual hours, {:.0} s ({:.0} scenarios per core-second){bugs}, \
             {} violations",
            total.scenarios,
            total.crash_points,
            hours(total.virtual_seconds),
            total.seconds,
            rate(&total),
            total.violations
        )
    }

    /// The table of the README.
    pub fn table(&self) -> String {
        let mut text = String::from(
            "| level | scenarios | crash points | API calls | simulated time | per core-second | violations |\n\
             |---|---:|---:|---:|---:|---:|---:|\n",
        );
        for (name, level) in &self.levels {
            text += &format!(
                "| {name} | {} | {} | {} | {:.1} years | {:.0} | {} |\n",
                level.scenarios,
                level.crash_points,
                level.calls,
                hours(level.virtual_seconds) / 8766.0,
                rate(level),
                level.violations
            );
        }
        text
    }
}

/// Counts one more of `what` in a sum.
pub fn note(sum: &mut BTreeMap<String, u64>, what: &str) {
    count(sum, what);
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn hours(seconds: u64) -> f64 {
    seconds as f64 / 3600.0
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rate(level: &Level) -> f64 {
    level.scenarios as f64 / level.core_seconds.max(0.001)
}

/// Every fault a plan can order, and what befalls agents with two sources, by the name it is counted under.
const FAULTS: [&str; 36] = [
    "crash-before",
    "crash-after",
    "stop",
    "throttle",
    "throttle-for",
    "server-error",
    "server-error-after",
    "html-error",
    "empty-error",
    "truncated",
    "access-denied",
    "connect-timeout",
    "reset-before",
    "reset-after",
    "hang-before",
    "hang-after",
    "stale",
    "omit-missing",
    "omit-denied",
    "omit-silent",
    "paged-single",
    "paged-empty",
    "paged-repeated",
    "paged-shuffled",
    "paged-expired",
    "error-ExpiredTokenException",
    "error-UnrecognizedClientException",
    "error-LimitExceededException",
    "error-ServiceQuotaExceededException",
    "slip-crash",
    "slip-fails",
    "dispute",
    "dispute-over",
    "move",
    "one-of-two-empty",
    "one-of-two-unreadable",
];

/// Every write Fargateer ever does.
const WRITES: [&str; 16] = [
    "CreateLogGroup",
    "PutRetentionPolicy",
    "DeleteLogGroup",
    "RegisterTaskDefinition",
    "DeregisterTaskDefinition",
    "CreateService",
    "UpdateService",
    "DeleteService",
    "TagResource",
    "UntagResource",
    "RegisterScalableTarget",
    "DeregisterScalableTarget",
    "PutScalingPolicy",
    "DeleteScalingPolicy",
    "PutScheduledAction",
    "DeleteScheduledAction",
];

/// Where the table of the README begins and ends.
const MARKS: (&str, &str) = ("<!-- simulation -->\n", "<!-- /simulation -->");

/// `readme` with the table of `report` between its marks; none where there are no marks.
pub fn in_readme(readme: &str, report: &Report) -> Option<String> {
    let (before, rest) = readme.split_once(MARKS.0)?;
    let (_, after) = rest.split_once(MARKS.1)?;
    let caught = report.bugs.values().flatten().count();
    let bugs = format!("\n{caught} of {} planted bugs were found.\n", report.bugs.len());
    Some([before, MARKS.0, &report.table(), &bugs, MARKS.1, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_the_readme_are_those_of_the_report() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let read = |name: &str| std::fs::read_to_string(format!("{root}/{name}")).expect("a file of the repository");
        let report: Report = serde_json::from_str(&read("sim-report.json")).expect("a report");
        let readme = read("README.md");
        assert_eq!(
            in_readme(&readme, &report).as_deref(),
            Some(readme.as_str()),
            "cargo xtask simulate --readme README.md"
        );
    }
}
