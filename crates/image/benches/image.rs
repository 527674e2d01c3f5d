//! What it takes to turn a folder of code into an image in a registry, and to run it. Figures to print; nothing about time is
//! asserted.
//!
//! `cargo xtask bench image`; a number says how often the agent is asked. Needs what the tests of images need: Debian, its
//! packages and a Python index.

#![allow(clippy::allow_attributes, reason = "the next lines hold for the shared modules")]
#![allow(dead_code, reason = "sentences that no benchmark needs")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot go on says so")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "figures go to standard output; time is what is measured"
)]

#[path = "../tests/it/docker_registry.rs"]
mod docker_registry;
#[path = "../tests/it/install.rs"]
mod install;
#[path = "../tests/it/registry.rs"]
mod registry;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use docker_registry::{Password, Registry, base, config, free_port, start, unpack};
use fargateer_api::spec::{Architecture, Build};
use fargateer_image::{Builder, Built, Destination, Progress, Recipe, Reference};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Who asks at the same time.
const CALLERS: usize = 8;

fn main() {
    let calls = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(2000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        install::packages();
        let registry = Registry::start();
        let hand = registry.hand();
        base(&hand, "3.11-slim", &["amd64", "arm64"], None).await;
        base(&hand, "3.11-newer", &["amd64", "arm64"], Some(registry::BaseLayer::of("newer"))).await;
        let tag = builds(&registry).await;
        runs(&registry, &tag, calls).await;
    });
}

/// The example agent, as somebody starts with it, and where it is to go.
struct Bench {
    folder: TempDir,
    home: TempDir,
    recipe: Recipe,
    host: String,
}

impl Bench {
    fn new(registry: &Registry) -> Self {
        let folder = TempDir::new().expect("a folder");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/strands-agent");
        for name in ["generated_agent.py", "requirements.txt"] {
            fs::copy(example.join(name), folder.path().join(name)).expect("the example");
        }
        let base = format!("{}/library/python:3.11-slim", registry.host);
        let recipe = Recipe {
            context: folder.path().to_owned(),
            build: Build { base: Some(base), ..Build::default() },
            architecture: if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 },
            base_digest: None,
            runtime: None,
            labels: BTreeMap::new(),
        };
        Self { folder, home: TempDir::new().expect("a folder"), recipe, host: registry.host.clone() }
    }

    fn destination(&self, repository: &str) -> Destination {
        let repository = Reference::parse(&format!("{}/agents/{repository}", self.host)).expect("a reference");
        Destination { cache: Some("agents/layer-cache".to_owned()), ..Destination::new(repository) }
    }

    /// Builds and pushes in a process that is new, and tells what that took.
    async fn push(&self, what: &str, (home, repository): (&Path, &str), recipe: &Recipe) -> Built {
        let (begun, cpu) = (Instant::now(), cpu_seconds("self"));
        let (builder, progress) = (builder(home), Progress::silent());
        let prepared = builder.prepare(recipe, &progress).await.expect("sources");
        let built = builder.push(&prepared, &self.destination(repository), &progress).await.expect("an image");
        tell(what, begun.elapsed(), cpu_seconds("self") - cpu, &built);
        built
    }
}

/// A builder as a new process has it. What it and uv keep outlives it, under `home`.
fn builder(home: &Path) -> Builder {
    let packages = home.join("packages");
    let tools = install::tools(&[("UV_CACHE_DIR", &packages)]);
    Builder::new(home.join("builder"), tools, Arc::new(Password)).expect("a builder")
}

/// Images, one after the other; the tag of one that runs here.
async fn builds(registry: &Registry) -> String {
    println!("| what | seconds | CPU seconds | layers there, mounted, sent | bytes of layers sent |");
    println!("|---|---:|---:|---:|---:|");
    let bench = Bench::new(registry);
    let (home, recipe) = (bench.home.path(), &bench.recipe);
    let first = bench.push("first image ever: nothing cached", (home, "greeter"), recipe).await;
    bench.push("the same again", (home, "greeter"), recipe).await;
    let elsewhere = TempDir::new().expect("a folder");
    bench.push("the same again, from a machine that has nothing", (elsewhere.path(), "greeter"), recipe).await;
    bench.push("another agent with these requirements", (home, "second"), recipe).await;
    let other = match recipe.architecture {
        Architecture::Arm64 => Architecture::X86_64,
        Architecture::X86_64 => Architecture::Arm64,
    };
    let foreign = Recipe { architecture: other, ..recipe.clone() };
    bench.push("for the other kind of processor", (home, "greeter"), &foreign).await;
    let code = bench.folder.path().join("generated_agent.py");
    let changed = fs::read_to_string(&code).expect("the code") + "\n# A change.\n";
    fs::write(&code, changed).expect("the code");
    let built = bench.push("a change of the code", (home, "greeter"), recipe).await;
    let requirements = bench.folder.path().join("requirements.txt");
    let more = fs::read_to_string(&requirements).expect("the requirements") + "idna==3.10\n";
    fs::write(&requirements, more).expect("the requirements");
    bench.push("one more requirement", (home, "greeter"), recipe).await;
    let (begun, cpu) = (Instant::now(), cpu_seconds("self"));
    let newer = format!("{}/library/python:3.11-newer", registry.host);
    let rebased = builder(elsewhere.path()).rebase(&first.image, (&newer, None), &bench.destination("greeter")).await;
    tell("another base image", begun.elapsed(), cpu_seconds("self") - cpu, &rebased.expect("an image"));
    built.tag
}

fn tell(what: &str, took: Duration, cpu: f64, built: &Built) {
    let moved = built.moved;
    let layers = format!("{}, {}, {}", moved.present, moved.mounted, moved.sent);
    println!("| {what} | {:.2} | {cpu:.2} | {layers} | {} |", took.as_secs_f64(), moved.bytes);
}

/// The image `tag` as a task: how long it takes to start, and what it takes while it answers.
async fn runs(registry: &Registry, tag: &str, calls: usize) {
    let (root, port) = (unpack(registry, tag), free_port());
    let (begun, running) = (Instant::now(), start(&root, &config(registry, tag), port, Stdio::null()));
    let http = reqwest::Client::new();
    let health = format!("http://127.0.0.1:{port}/health");
    while !http.get(&health).send().await.is_ok_and(|answer| answer.status().is_success()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let agent = running.agent().to_string();
    println!("\nhealthy after {:.2} s and {:.2} CPU seconds", begun.elapsed().as_secs_f64(), cpu_seconds(&agent));
    let (begun, cpu) = (Instant::now(), cpu_seconds(&agent));
    let (left, mut callers) = (Arc::new(AtomicUsize::new(calls)), JoinSet::new());
    for _ in 0..CALLERS {
        callers.spawn(call(format!("http://127.0.0.1:{port}/invocations"), Arc::clone(&left)));
    }
    let mut answered = Vec::new();
    while left.load(Ordering::Relaxed) > 0 {
        let asked = Instant::now();
        let answer = http.get(&health).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.status());
        answered.push(asked.elapsed());
    }
    let busy: usize = callers.join_all().await.into_iter().sum();
    let (took, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds(&agent) - cpu);
    let rate = f64::from(u32::try_from(calls).unwrap_or(u32::MAX)) / took;
    println!(
        "{calls} invocations by {CALLERS} callers: {rate:.0} a second, {busy} told to come again, {cpu:.2} CPU seconds"
    );
    answered.sort();
    let at =
        |share: usize| answered.get(answered.len() * share / 100).copied().unwrap_or_default().as_secs_f64() * 1000.0;
    let longest = answered.last().copied().unwrap_or_default().as_secs_f64() * 1000.0;
    println!(
        "/health meanwhile: {:.1} ms in the middle, {:.1} ms at the 99th percentile, {longest:.1} ms at most",
        at(50),
        at(99)
    );
    let status = fs::read_to_string(format!("/proc/{agent}/status")).expect("its memory");
    let line =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    println!("memory: {} now, {} at most", line("VmRSS:"), line("VmHWM:"));
}

/// Asks until nobody need ask any more; how often there was no room.
async fn call(url: String, left: Arc<AtomicUsize>) -> usize {
    let (http, mut busy) = (reqwest::Client::new(), 0);
    let take = |left: usize| left.checked_sub(1);
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
        let answer = http.post(&url).json(&json!({"prompt": "hello"})).send().await.expect("an answer");
        if answer.status() == 429 {
            busy += 1;
            left.fetch_add(1, Ordering::Relaxed);
        } else {
            assert!(answer.status().is_success(), "{}", answer.status());
        }
    }
    busy
}

/// Processor seconds of a process and of its children that have ended (proc(5), stat: fields 14 to 17, in hundredths).
fn cpu_seconds(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("its times");
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}
