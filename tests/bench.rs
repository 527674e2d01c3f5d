//! Benchmarks of a fleet on the simulated AWS with its real token buckets: figures to print, nothing about time asserted.
//!
//! `cargo xtask bench` runs them all; `cargo xtask bench 5000` with another number of agents.

#![expect(unreachable_pub, reason = "shares the world of the tests")]
#![allow(clippy::allow_attributes, reason = "the next lines hold for the shared world")]
#![allow(dead_code, unused_imports, reason = "sentences of the world that no benchmark needs")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot go on says so")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "figures go to standard output; time is what is measured"
)]

mod world;

use std::collections::BTreeMap;
use std::time::Instant as RealInstant;

use fargateer_api::status::ConditionType;
use serde_json::json;
use tokio::time::Instant;

use world::{Agent, Options, World};

fn main() {
    let count = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(1000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(fleet(count));
}

/// `count` agents, half of them scaled, from nothing to Ready, then one sweep that changes nothing.
async fn fleet(count: usize) {
    let mut world = World::with(Options::default()).await;
    let agents: Vec<Agent> = (0..count).map(agent).collect();
    let (begun, real, cpu) = (Instant::now(), RealInstant::now(), cpu_seconds());
    world.apply(agents).await;
    let ready = (0..count).filter(|number| world.status(&name(*number)).is(ConditionType::Ready)).count();
    assert_eq!(ready, count, "every agent is Ready");
    report("converge", &world, (begun.elapsed().as_secs(), real.elapsed().as_secs_f64(), cpu_seconds() - cpu), count);

    world.forget_calls();
    let (begun, real, cpu) = (Instant::now(), RealInstant::now(), cpu_seconds());
    world.resync().await;
    report(
        "no-op sweep",
        &world,
        (begun.elapsed().as_secs(), real.elapsed().as_secs_f64(), cpu_seconds() - cpu),
        count,
    );
    assert!(world.writes().is_empty(), "a sweep over a settled fleet writes nothing");
}

fn report(what: &str, world: &World, (virtual_seconds, wall, cpu): (u64, f64, f64), count: usize) {
    let calls = world.sim.calls();
    let throttled =
        calls.iter().filter(|call| call.error.as_deref().is_some_and(|error| error.contains("Throttling"))).count();
    let mut by_operation: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &calls {
        *by_operation.entry(call.operation.as_str()).or_default() += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
    let per_agent = calls.len() as f64 / count as f64;
    println!(
        "{what}: {count} agents, {} calls ({per_agent:.2} an agent, {throttled} throttled), {virtual_seconds} virtual s, \
         {wall:.1} wall s, {cpu:.1} CPU s, peak memory {} MiB",
        calls.len(),
        peak_mib()
    );
    println!("  {by_operation:?}");
    assert_eq!(throttled, 0, "no throttle is caused by us");
}

fn name(number: usize) -> String {
    format!("agent-{number:05}")
}

fn agent(number: usize) -> Agent {
    let agent =
        Agent::named(&name(number)).with("cluster", json!(if number.is_multiple_of(4) { "batch" } else { "agents" }));
    if number.is_multiple_of(2) { agent.scaled(1, 4) } else { agent }
}

/// User and system time of this process (Linux: /proc/self/stat, in ticks of 10 ms).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// The most memory this process ever held (Linux: VmHWM).
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
