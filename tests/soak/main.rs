//! The soak: large fleets, long times, bad days, against the simulated AWS with its token buckets and under virtual time.
//! Figures with their targets are printed, kept as JSON and told in docs/benchmarks.md; nothing about time is asserted.
//!
//! `cargo xtask bench soak` plays all of it (about an hour); `cargo xtask bench soak L-1 --agents 1000` one part.

#![expect(unreachable_pub, reason = "a program for developers")]
#![expect(clippy::wildcard_enum_match_arm, reason = "of many kinds of looks and actions, few plant anything")]
#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark that cannot go on says so")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "figures go to standard output; time is what is measured"
)]

mod churn;
mod long;
mod meter;
mod stage;
mod steady;
mod storm;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::Parser;
use fargateer_testkit::figures::{Figures, HEAD, Test, in_text};

/// Plays the soak.
#[derive(Debug, Parser)]
#[command(name = "soak")]
struct Args {
    /// Which tests: L-1, L-2, L-4, L-5, L-6, L-8. All of them when none is named.
    tests: Vec<String>,
    /// Agents, where the test does not say.
    #[arg(long)]
    agents: Option<usize>,
    /// Virtual hours of L-1.
    #[arg(long, default_value_t = 24)]
    hours: u64,
    /// Virtual days of L-8.
    #[arg(long, default_value_t = 90)]
    days: u64,
    /// Where the figures go; those of other tests stay.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Plays nothing, puts the figures of the report into docs/benchmarks.md.
    #[arg(long)]
    tell: bool,
    /// Says how often each operation was called.
    #[arg(long)]
    counts: bool,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A test, and the number of agents it is about.
type Part = (&'static str, usize);

/// What is played when nothing is said.
const PARTS: &[Part] = &[
    ("L-1", 1000),
    ("L-1", 10_000),
    ("L-1", 50_000),
    ("L-2", 10_000),
    ("L-4", 10_000),
    ("L-5", 1000),
    ("L-6", 10_000),
    ("L-8", 200),
];

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let report = args.report.clone().unwrap_or_else(|| root.join("soak-report.json"));
    if args.tell {
        return tell(&report, &root.join("docs/benchmarks.md"));
    }
    let parts = parts(args)?;
    match parts.as_slice() {
        [(name, agents)] => keep(&report, name, *agents, play(args, name, *agents)),
        parts => parts.iter().try_for_each(|part| apart(args, part, &report)),
    }
}

fn parts(args: &Args) -> Result<Vec<(String, usize)>, String> {
    if let Some(unknown) = args.tests.iter().find(|name| !PARTS.iter().any(|(known, _)| known == name)) {
        return Err(format!("no test is called {unknown}"));
    }
    let chosen = |name: &str| args.tests.is_empty() || args.tests.iter().any(|test| test == name);
    let parts = PARTS.iter().filter(|(name, _)| chosen(name));
    let mut parts: Vec<(String, usize)> =
        parts.map(|(name, agents)| ((*name).to_owned(), args.agents.unwrap_or(*agents))).collect();
    parts.dedup();
    Ok(parts)
}

/// Every part has a process of its own, so that none finds the memory of another.
fn apart(args: &Args, (name, agents): &(String, usize), report: &Path) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args([name, "--agents", &agents.to_string(), "--hours", &args.hours.to_string()]);
    command.args(["--days", &args.days.to_string()]).arg("--report").arg(report);
    let status = command.status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("{name} with {agents} agents: {status}")) }
}

fn play(args: &Args, name: &str, agents: usize) -> Test {
    fastrand::seed(1);
    silence_poison();
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let test = runtime.expect("a runtime").block_on(async {
        match name {
            "L-1" => steady::steady(agents, args.hours).await,
            "L-2" => steady::cold_start(agents).await,
            "L-4" => storm::storm(agents).await,
            "L-5" => churn::churn(agents).await,
            "L-6" => storm::poison(agents).await,
            _ => long::soak(agents, args.days).await,
        }
    });
    Test { seconds: begun.elapsed().as_secs_f64(), ..test }
}

/// The panics of poisoned agents are meant.
fn silence_poison() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>().map(String::as_str);
        if text.or_else(|| panic.payload().downcast_ref::<&str>().copied()) != Some(stage::POISON) {
            others(panic);
        }
    }));
}

/// Prints the figures of a test and puts them beside those of others.
fn keep(report: &Path, name: &str, agents: usize, test: Test) -> Result<(), String> {
    let name = format!("{name}, {agents} agents");
    println!("{}: {:.0} s\n{HEAD}{}", test.setup, test.seconds, test.rows(&name));
    let mut figures = read(report).unwrap_or_default();
    figures.tests.insert(name, test);
    let json = serde_json::to_string_pretty(&figures).map_err(|error| error.to_string())?;
    std::fs::write(report, json + "\n").map_err(|error| format!("{}: {error}", report.display()))
}

fn read(report: &Path) -> Result<Figures, String> {
    let text = std::fs::read_to_string(report).map_err(|error| format!("{}: {error}", report.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", report.display()))
}

fn tell(report: &Path, page: &Path) -> Result<(), String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", page.display());
    let text = std::fs::read_to_string(page).map_err(wrong)?;
    let text =
        in_text(&text, &read(report)?).ok_or_else(|| format!("{}: no marks <!-- soak --> in it", page.display()))?;
    std::fs::write(page, text).map_err(wrong)
}
