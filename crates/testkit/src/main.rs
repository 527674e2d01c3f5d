//! Plays simulations: `cargo xtask simulate` builds this program in the right profile and runs it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for developers")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use fargateer_testkit::plan::Plan;
use fargateer_testkit::report::Report;
use fargateer_testkit::run::tell as tell_all;
use fargateer_testkit::{enumerate, play, shrink, swarm, workload};

/// A simulation is mostly small JSON documents: half of its time goes into allocating them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Plays simulations of Fargateer against the simulated AWS.
#[derive(Debug, Parser)]
#[command(name = "simulate")]
struct Args {
    /// Seeds of the swarm, `A..B`.
    #[arg(long, default_value = "0..2000", value_parser = seeds)]
    seeds: std::ops::Range<u64>,
    /// What is played.
    #[arg(long, value_enum, default_value = "gate")]
    level: LevelName,
    /// Plays one plan, from a file or as it was printed, and tells all of it.
    #[arg(long)]
    replay: Option<String>,
    /// Only workloads whose name contains this.
    #[arg(long)]
    workload: Option<String>,
    /// Puts the figures into this file, between the marks `<!-- simulation -->`.
    #[arg(long)]
    readme: Option<PathBuf>,
    /// Where the shrunk plan of each planted bug goes.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Lists the workloads with the numbers of their calls.
    #[arg(long)]
    list: bool,
    /// So many failures are shrunk and told.
    #[arg(long, default_value_t = 5)]
    tell: usize,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Where the figures go.
    #[arg(long, default_value = "sim-report.json")]
    report: PathBuf,
    /// Where plans that once found a bug stand.
    #[arg(long, default_value = "regressions")]
    regressions: PathBuf,
    /// How often each fault and each write must have happened, or the simulation proves nothing.
    #[arg(long, default_value_t = 0)]
    at_least: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelName {
    /// The workloads without any fault.
    References,
    /// Every call with every fault, once.
    Singles,
    /// The process killed at every two calls.
    Pairs,
    /// Random plans.
    Swarm,
    /// Plans that once found a bug.
    Regressions,
    /// Every planted bug must be found.
    Bugs,
    /// The same seed has the same trace.
    Determinism,
    /// Singles, swarm, regressions, determinism and bugs: what must pass before a change lands.
    Gate,
    /// All of it.
    All,
}

fn seeds(text: &str) -> Result<std::ops::Range<u64>, String> {
    let wrong = || format!("{text}: not of the form A..B");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    Ok(from.parse().map_err(|_| wrong())?..to.parse().map_err(|_| wrong())?)
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match &args.replay {
        Some(plan) => replay(plan),
        None => simulate(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Plays one plan and tells all of it.
fn replay(given: &str) -> Result<bool, String> {
    let plan = if given.trim_start().starts_with('{') {
        serde_json::from_str(given).map_err(|error| format!("the plan: {error}"))?
    } else {
        Plan::read(Path::new(given))?
    };
    let outcome = tell_all(&plan);
    println!("{}", serde_json::to_string_pretty(&outcome).unwrap_or_default());
    Ok(outcome.is_good())
}

/// Whether `args` ask for `level`.
fn wants(args: &Args, level: LevelName) -> bool {
    let in_gate = !matches!(level, LevelName::Pairs);
    args.level == level || args.level == LevelName::All || (args.level == LevelName::Gate && in_gate)
}

fn simulate(args: &Args) -> Result<bool, String> {
    let mut report = Report::default();
    let (mut found, caught) = enumerated(&mut report, args);
    if wants(args, LevelName::Swarm) {
        let plans = args.seeds.clone().map(|seed| play::Task { plan: swarm::plan(seed), reference: None });
        found.extend(play::level(&mut report, "swarm", args.jobs, plans));
    }
    if wants(args, LevelName::Regressions) {
        let plans = play::regressions(&args.regressions)?;
        found.extend(play::level(&mut report, "regressions", args.jobs, plans.into_iter()));
    }
    if wants(args, LevelName::Determinism) {
        let plans = args.seeds.clone().take(100).map(swarm::plan);
        found.extend(play::twice(&mut report, plans));
    }
    for failure in found.iter().take(300) {
        eprintln!("{} {}: {}", failure.plan.name, failure.plan.seed, failure.what);
    }
    for (number, failure) in found.iter().take(args.tell).enumerate() {
        tell(failure, &args.report.with_file_name(format!("sim-failure-{number}.json")));
    }
    let vacuous = report.vacuous(args.at_least);
    if !vacuous.is_empty() {
        eprintln!("I18 not vacuous: fewer than {} times: {}", args.at_least, vacuous.join(", "));
    }
    let text = serde_json::to_string_pretty(&report).unwrap_or_default();
    std::fs::write(&args.report, text + "\n").map_err(|error| format!("{}: {error}", args.report.display()))?;
    println!("{}", report.line());
    if let Some(file) = &args.readme {
        write_figures(file, &report)?;
    }
    Ok(caught && found.is_empty() && vacuous.is_empty())
}

/// What starts from workloads: singles, pairs, the hunt for planted bugs. Answers what failed, and whether all were found.
fn enumerated(report: &mut Report, args: &Args) -> (Vec<play::Failure>, bool) {
    let levels = [LevelName::Bugs, LevelName::References, LevelName::Singles, LevelName::Pairs];
    if !levels.into_iter().any(|level| wants(args, level)) {
        return (Vec::new(), true);
    }
    let chosen = |name: &str| args.workload.as_deref().is_none_or(|part| name.contains(part));
    let workloads: Vec<_> = workload::all().into_iter().filter(|workload| chosen(workload.name)).collect();
    let references = play::references(&workloads, args.jobs);
    let mut found = play::failures_of_references(&references);
    for reference in references.iter().filter(|_| args.list) {
        let (name, first, last) = (&reference.plan.name, reference.first, reference.outcome.calls);
        println!("{name}: calls {first}..={last}, {} s", reference.outcome.seconds);
    }
    let caught = !wants(args, LevelName::Bugs) || hunt(report, args, &references);
    if wants(args, LevelName::Singles) {
        let tasks = play::against(&references, enumerate::singles);
        found.extend(play::level(report, "singles", args.jobs, tasks));
    }
    if wants(args, LevelName::Pairs) {
        let tasks = play::against(&references, enumerate::pairs);
        found.extend(play::level(report, "crash pairs", args.jobs, tasks));
    }
    (found, caught)
}

/// Puts the figures into the README.
fn write_figures(file: &Path, report: &Report) -> Result<(), String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(wrong)?;
    let text = fargateer_testkit::report::in_readme(&text, report);
    let text = text.ok_or_else(|| format!("{}: no marks <!-- simulation --> in it", file.display()))?;
    std::fs::write(file, text).map_err(wrong)
}

/// Hunts the planted bugs; false when one got away.
fn hunt(report: &mut Report, args: &Args, references: &[std::sync::Arc<enumerate::Reference>]) -> bool {
    if !cfg!(feature = "seeded-bugs") {
        eprintln!("no bug is planted in this build: build with --features seeded-bugs");
        return false;
    }
    let known: Vec<Plan> = match play::regressions(&args.regressions) {
        Ok(tasks) => tasks.into_iter().map(|task| task.plan).collect(),
        Err(error) => {
            eprintln!("{error}");
            return false;
        }
    };
    let caught = play::bugs(report, &args.seeds, references, (&known, args.jobs));
    for (bug, catch) in &caught {
        match catch {
            Some(catch) if args.list => println!("{bug:?}: after {}: {}", catch.scenarios, catch.what),
            Some(_) => {}
            None => eprintln!("{bug:?} was not found"),
        }
        if let (Some(folder), Some(catch)) = (&args.keep, catch) {
            let (plan, _) = shrink::shrink(&catch.plan, &catch.what);
            let text = serde_json::to_string_pretty(&plan).unwrap_or_default();
            if let Err(error) = std::fs::write(folder.join(format!("{bug:?}.json")), text + "\n") {
                eprintln!("{}: {error}", folder.display());
            }
        }
    }
    caught.iter().all(|(_, catch)| catch.is_some())
}

/// Tells what broke, as small as it can be made, and how to play it again.
fn tell(failure: &play::Failure, file: &Path) {
    let (plan, runs) =
        if failure.shrinks { shrink::shrink(&failure.plan, &failure.what) } else { (failure.plan.clone(), 0) };
    let text = serde_json::to_string_pretty(&plan).unwrap_or_default();
    match std::fs::write(file, text + "\n") {
        Ok(()) => eprintln!(
            "\n{}: {}\nshrunk in {runs} runs to {} parts: cargo xtask simulate --replay {}",
            failure.plan.name,
            failure.what,
            plan.size(),
            file.display()
        ),
        Err(_) => eprintln!("cargo xtask simulate --replay '{}'", plan.line()),
    }
}
