//! Repository chores: `cargo xtask test | check | ci | runtime | generate | bench | simulate`. Only what needs no shell: each step is a command
//! a person could type, printed before it runs.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};

/// The version of cargo-deny that `check` installs when none is there.
const CARGO_DENY: &str = "0.20.2";
/// Asks `simulate` for the build that plays fastest.
const CAMPAIGN: &str = "--campaign";
/// Files that are written by `generate` and compared by a test: path, and the arguments that print them.
const GENERATED: &[(&str, &[&str])] = &[
    ("manifests/agentdeployment.schema.json", &["schema"]),
    ("manifests/project.schema.json", &["schema", "project"]),
    ("deploy/iam-policy.json", &["iam-policy"]),
];

fn main() -> ExitCode {
    let tasks: Vec<String> = env::args().skip(1).collect();
    match run(&tasks) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(tasks: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = tasks.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test", more @ ..] => test(more),
        ["check"] => check(),
        ["ci"] => check().and_then(|()| test(&[])),
        ["runtime"] => runtime(),
        ["generate"] => generate(),
        ["bench", more @ ..] => bench(more),
        ["simulate", more @ ..] => simulate(more),
        _ => bail!("usage: cargo xtask test [FILTER] | check | ci | runtime | generate | bench | simulate [--help]"),
    }
}

/// Every test: unit tests, case folders, scenarios, the real binary, independent emulators (installed on first use); without
/// a filter also the Python runtime's own and the simulation every change must pass.
fn test(filter: &[&str]) -> anyhow::Result<()> {
    cargo(&[&["test", "--workspace", "--locked", "--no-fail-fast"], filter].concat())?;
    if !filter.is_empty() {
        return Ok(());
    }
    runtime()?;
    let report = target().join("sim-report.json");
    simulate(&["--level", "gate", "--at-least", "1", "--report", &report.to_string_lossy()])
}

/// The Python runtime of agents: lints, types and tests, with the tools its lock names.
fn runtime() -> anyhow::Result<()> {
    let folder = root().join("crates/image/runtime");
    let python = runtime_python(&folder)?;
    for arguments in [
        &["-m", "ruff", "check", "."][..],
        &["-m", "ruff", "format", "--check", "."],
        &["-m", "ruff", "check", "--isolated", "../../../examples"],
        &["-m", "mypy"],
        &["-m", "pytest", "--quiet"],
    ] {
        step_in(&folder, Command::new(&python).args(arguments))?;
    }
    Ok(())
}

/// A Python with what `requirements-test.lock` says, installed on first use and again when the lock changes.
fn runtime_python(folder: &Path) -> anyhow::Result<PathBuf> {
    let home = target().join("runtime");
    let (lock, installed) = (folder.join("requirements-test.lock"), home.join("installed.lock"));
    let wanted = fs::read(&lock).with_context(|| format!("{} cannot be read", lock.display()))?;
    let python = home.join("venv/bin/python");
    if python.is_file() && fs::read(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    fs::create_dir_all(&home)?;
    step(Command::new("python3").args(["-m", "venv", "--clear"]).arg(home.join("venv")))?;
    let install =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--requirement"];
    step(Command::new(&python).args(install).arg(&lock))?;
    fs::write(installed, wanted)?;
    Ok(python)
}

/// The deterministic simulation, in a release-like profile of its own and with the planted bugs it must find. A campaign is
/// built for minutes and plays a quarter faster.
fn simulate(more: &[&str]) -> anyhow::Result<()> {
    let profile = if more.contains(&CAMPAIGN) { "campaign" } else { "sim" };
    let more: Vec<&str> = more.iter().copied().filter(|word| *word != CAMPAIGN).collect();
    let run = ["run", "--profile", profile, "--package", "fargateer-testkit", "--features", "seeded-bugs"];
    let mut command = Command::new(program());
    // Its allocator keeps what is freed: each scenario asks for the same again (3 % of the time).
    command.env("MIMALLOC_PURGE_DELAY", "-1");
    step(command.args([&run[..], &["--locked", "--quiet", "--"], &more].concat()))
}

/// Format, lints and dependencies.
fn check() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"])?;
    step(Command::new(cargo_deny()?).args(["check", "bans", "licenses", "sources"]))
}

/// Writes the files that are made from the code.
fn generate() -> anyhow::Result<()> {
    for (file, arguments) in GENERATED {
        let text = printed(arguments)?;
        fs::write(root().join(file), text).with_context(|| format!("{file} cannot be written"))?;
        say(&format!("wrote {file}"));
    }
    Ok(())
}

/// The benchmarks, in release mode: they print figures and assert nothing about time. `soak` has a program of its own, and
/// `webhook`, which waits more than it works, is played with the binary of the tests.
fn bench(more: &[&str]) -> anyhow::Result<()> {
    if let ["webhook", more @ ..] = more {
        let webhook = ["bench", "--profile", "dev", "--package", "fargateer", "--bench", "webhook", "--locked", "--"];
        return cargo(&[&webhook[..], more].concat());
    }
    if let ["image", more @ ..] = more {
        return cargo(
            &[&["bench", "--package", "fargateer-image", "--bench", "image", "--locked", "--"], more].concat(),
        );
    }
    if let ["soak", more @ ..] = more {
        let soak =
            ["bench", "--profile", "campaign", "--package", "fargateer-testkit", "--bench", "soak", "--locked", "--"];
        return cargo(&[&soak[..], more].concat());
    }
    cargo(&[&["bench", "--package", "fargateer", "--bench", "fleet", "--locked", "--"], more].concat())
}

/// cargo-deny from the search path, else from our own tools, installed there on first use.
fn cargo_deny() -> anyhow::Result<PathBuf> {
    let tools = target().join("tools");
    let candidates = [PathBuf::from("cargo-deny"), tools.join("bin/cargo-deny")];
    let works =
        |program: &&PathBuf| Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success());
    if let Some(found) = candidates.iter().find(works) {
        return Ok(found.clone());
    }
    let tools_text = tools.to_string_lossy().into_owned();
    cargo(&["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--root", &tools_text])?;
    Ok(tools.join("bin/cargo-deny"))
}

/// What `fargateer` prints for `arguments`.
fn printed(arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let base = ["run", "--quiet", "--locked", "--package", "fargateer", "--"];
    let output = Command::new(program()).args(base).args(arguments).current_dir(root()).output()?;
    if !output.status.success() {
        bail!("fargateer {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    step(Command::new(program()).args(arguments))
}

fn step(command: &mut Command) -> anyhow::Result<()> {
    step_in(&root(), command)
}

/// Runs `command` in `folder`, after saying which.
fn step_in(folder: &Path, command: &mut Command) -> anyhow::Result<()> {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    say(&format!("+ {}", words.join(" ")));
    let status = command.current_dir(folder).status().with_context(|| format!("{} cannot be started", words[0]))?;
    if !status.success() {
        bail!("{} failed", words.join(" "));
    }
    Ok(())
}

fn program() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn root() -> PathBuf {
    // As cargo tells it at the start: what was compiled in may be another checkout that shares the target folder.
    let package =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.ancestors().nth(2).map_or_else(PathBuf::new, Path::to_path_buf)
}

fn say(line: &str) {
    // Nobody is left to tell when standard error is closed.
    drop(writeln!(std::io::stderr(), "{line}"));
}
