//! Plays many plans on all cores and keeps count.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant as RealInstant;

use fargateer_api::seeded::Bug;

use crate::bugs::{self, Catch};
use crate::enumerate::Reference;
use crate::plan::Plan;
use crate::report::{Level, Report};
use crate::run::{Outcome, run};
use crate::workload::Workload;

/// A plan to play, and what to compare it with.
#[derive(Debug, Clone)]
pub struct Task {
    /// The plan.
    pub plan: Plan,
    /// The run without faults, where there is one.
    pub reference: Option<Arc<Reference>>,
}

/// A plan that broke something.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The plan.
    pub plan: Plan,
    /// What it broke.
    pub what: String,
    /// Whether the plan alone shows it: a difference from a reference is not told by the plan.
    pub shrinks: bool,
}

/// Plays each workload without faults.
pub fn references(workloads: &[Workload], jobs: usize) -> Vec<Arc<Reference>> {
    let results = Mutex::new(Vec::new());
    each(workloads.len(), jobs, |index| {
        if let Some(workload) = workloads.get(index) {
            let reference = Arc::new(Reference::of(workload));
            results.lock().unwrap_or_else(PoisonError::into_inner).push((index, reference));
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, reference)| reference).collect()
}

/// Workloads that go wrong without any fault.
pub fn failures_of_references(references: &[Arc<Reference>]) -> Vec<Failure> {
    let failing = references.iter().filter(|reference| !reference.outcome.is_good());
    let failure = |reference: &Arc<Reference>| Failure {
        plan: reference.plan.clone(),
        what: reference.outcome.violations.join("; "),
        shrinks: true,
    };
    failing.map(failure).collect()
}

/// The plans `make` makes of each reference.
pub fn against<F>(references: &[Arc<Reference>], make: F) -> impl Iterator<Item = Task> + Send + use<F>
where
    F: Fn(&Reference) -> Vec<Plan> + Send,
{
    let good: Vec<_> = references.iter().filter(|reference| reference.outcome.is_good()).cloned().collect();
    good.into_iter().flat_map(move |reference| {
        let plans = make(&reference);
        plans.into_iter().map(move |plan| Task { plan, reference: Some(Arc::clone(&reference)) })
    })
}

/// The plans of a folder.
pub fn regressions(folder: &Path) -> Result<Vec<Task>, String> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| Ok(Task { plan: Plan::read(path)?, reference: None })).collect()
}

/// Plays all tasks of a level, and adds its figures to `report`. Each is made when its turn comes: a hundred thousand plans
/// at once would take gigabytes.
pub fn level(report: &mut Report, name: &str, jobs: usize, tasks: impl Iterator<Item = Task> + Send) -> Vec<Failure> {
    let tasks = Mutex::new(tasks.enumerate());
    let next = || tasks.lock().unwrap_or_else(PoisonError::into_inner).next();
    let begun = now();
    let sums = Mutex::new((Level::default(), Report::default(), Vec::new()));
    at_once(jobs, || {
        let Some((index, task)) = next() else { return false };
        let cpu = thread_seconds();
        let outcome = run(&task.plan);
        let failure = judge(&task, &outcome);
        let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.0.note(&task.plan, &outcome, failure.is_none());
        sums.0.core_seconds += thread_seconds() - cpu;
        sums.1.tally(&outcome);
        sums.2.extend(failure.map(|failure| (index, failure)));
        true
    });
    let (mut level, more, mut failures) = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
    level.seconds = begun.elapsed().as_secs_f64();
    report.levels.insert(name.to_owned(), level);
    report.merge(&more);
    failures.sort_by_key(|(index, _)| *index);
    failures.into_iter().map(|(_, failure)| failure).collect()
}

/// Plays every plan twice: both must be the same to the last call (I17).
pub fn twice(report: &mut Report, plans: impl Iterator<Item = Plan>) -> Vec<Failure> {
    let (mut level, begun, cpu) = (Level::default(), now(), thread_seconds());
    let mut failures = Vec::new();
    for plan in plans {
        let (one, other) = (run(&plan), run(&plan));
        let same = one.trace == other.trace && one.end == other.end;
        level.note(&plan, &one, same);
        if !same {
            let what = format!("I17 deterministic: traces {:x} and {:x}", one.trace, other.trace);
            failures.push(Failure { plan, what, shrinks: false });
        }
    }
    level.seconds = begun.elapsed().as_secs_f64();
    level.core_seconds = thread_seconds() - cpu;
    report.levels.insert("played twice".to_owned(), level);
    failures
}

/// Hunts every planted bug; answers those that were not found.
pub fn bugs(
    report: &mut Report,
    seeds: &Range<u64>,
    references: &[Arc<Reference>],
    (known, jobs): (&[Plan], usize),
) -> Vec<(Bug, Option<Catch>)> {
    let caught = Mutex::new(Vec::new());
    each(Bug::ALL.len(), jobs, |index| {
        if let Some(bug) = Bug::ALL.get(index) {
            let catch = bugs::hunt(*bug, seeds.clone(), references, known);
            caught.lock().unwrap_or_else(PoisonError::into_inner).push((*bug, catch));
        }
    });
    let mut caught = caught.into_inner().unwrap_or_else(PoisonError::into_inner);
    caught.sort_by_key(|(bug, _)| *bug);
    for (bug, catch) in &caught {
        let name = serde_json::to_value(bug).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
        report.bugs.insert(name, catch.as_ref().map(|catch| catch.scenarios));
    }
    caught
}

fn judge(task: &Task, outcome: &Outcome) -> Option<Failure> {
    let broken = (!outcome.is_good()).then(|| outcome.violations.join("; "));
    let differs = || task.reference.as_ref().and_then(|reference| reference.differs(outcome));
    let shrinks = broken.is_some();
    broken.or_else(differs).map(|what| Failure { plan: task.plan.clone(), what, shrinks })
}

/// Calls `work` with every index below `count`, on `jobs` threads.
fn each(count: usize, jobs: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    at_once(jobs, || {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let more = index < count;
        if more {
            work(index);
        }
        more
    });
}

/// Calls `work` on `jobs` threads until it says that there is no more.
fn at_once(jobs: usize, work: impl Fn() -> bool + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| while work() {});
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "how long a simulation takes is real time")]
fn now() -> RealInstant {
    RealInstant::now()
}

/// Processor time of this thread (Linux: /proc/thread-self/schedstat, in nanoseconds).
fn thread_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    nanoseconds.unwrap_or(0.0) / 1e9
}
