//! Nothing changes (L-1), and a process that knows nothing comes to a fleet that runs (L-2).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fargateer_testkit::figures::{Figure, Test};
use serde_json::json;

use crate::meter::{cpu_seconds, heap, resident};
use crate::stage::{Operator, RESYNC, Stage, name};

/// More agents than this do not fit into the rates of one region.
const IN_A_REGION: usize = 10_000;

fn regions(agents: usize) -> usize {
    agents.div_ceil(IN_A_REGION).clamp(1, 5)
}

/// Calls and memory promised for a fleet of this size.
fn memory_target(agents: usize) -> Option<f64> {
    match agents {
        10_000 => Some(60.0),
        50_000 => Some(250.0),
        _ => None,
    }
}

/// L-1: `agents` agents, no change, so many virtual hours.
pub async fn steady(agents: usize, hours: u64) -> Test {
    let bare = resident();
    let regions = regions(agents);
    let stage = Stage::with(agents, regions).await;
    let (world, world_resident) = (heap(), resident());
    let operator = Operator::start(&stage).await;
    let settled = operator.until_ready(&stage, agents, Duration::from_hours(4)).await.expect("the fleet is Ready");
    stage.pass(RESYNC).await;
    let mut most = heap();
    stage.ledger.lock().forget();
    let (cpu, clock) = (cpu_seconds(), Instant::now());
    let (inside, passes) = (operator.door.seconds(), operator.passes());
    for _ in 0..hours * 60 {
        stage.pass(Duration::from_mins(1)).await;
        most = most.max(heap());
    }
    let cpu = cpu_seconds() - cpu;
    // The thread is never idle: the simulated AWS took of its processor time what it took of its time on the clock.
    let own = cpu * (1.0 - (operator.door.seconds() - inside) / clock.elapsed().as_secs_f64());
    let passes = (operator.passes() - passes) / count(agents);
    let grown = resident() - world_resident;
    let (with, series) = (heap(), operator.series());
    operator.end().await;
    let at_rest = with - heap();
    let world_grown = heap() - world;
    let seen = stage.ledger.lock();
    for ((service, operation), asked) in seen.counts.iter().filter(|_| std::env::args().any(|word| word == "--counts"))
    {
        println!("{service}.{operation}: {}", asked.asked);
    }
    let reads = seen.sum(|service, _| service == "ecs").asked;
    let virtual_seconds = seconds(Duration::from_hours(hours));
    let resyncs = virtual_seconds / RESYNC.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let reads = reads as f64 / count(agents) / resyncs;
    let resident_peak = bare + most - world - world_grown;
    let (share, all) = (own / virtual_seconds * 100.0, cpu / virtual_seconds * 100.0);
    let mut figures = vec![
        Figure::at_most("ECS reads per agent and resync", (reads, 0.11), ""),
        Figure::at_most("writes", (float(seen.changes()), 0.0), ""),
        Figure::at_most("calls throttled", (float(seen.throttled()), 0.0), ""),
    ];
    figures.push(match memory_target(agents) {
        Some(most) => {
            Figure::at_most("memory: the bare process and the operator's heap at its peak", (resident_peak, most), "MB")
        }
        None => Figure::of("memory: the bare process and the operator's heap at its peak", resident_peak, "MB"),
    });
    figures.push(match agents {
        10_000 => Figure::at_most("CPU of a core, without the simulated AWS", (share, 3.0), "%"),
        _ => Figure::of("CPU of a core, without the simulated AWS", share, "%"),
    });
    figures.extend([
        Figure::of("CPU of a core, with it", all, "%"),
        Figure::of("heap that ending the operator frees", at_rest, "MB"),
        Figure::of("growth of the simulated AWS meanwhile", world_grown, "MB"),
        Figure::of("growth of the resident memory since the world stood", grown, "MB"),
        Figure::of("passes per agent and resync", passes / resyncs, ""),
        Figure::of("time until all were Ready", seconds(settled), "virtual s"),
        Figure::of("metric series", count(series), ""),
    ]);
    let setup = format!("{agents} agents in {regions} region(s), nothing changes for {hours} virtual hours");
    Test { setup, figures, ..Test::default() }
}

/// L-2: the operator starts, with nothing in its memory, beside `agents` agents; ten of them drifted while it was away.
pub async fn cold_start(agents: usize) -> Test {
    let stage = Stage::with(agents, 1).await;
    let drifted: Vec<usize> = (0..10).map(|lot| (lot * agents / 10) | 1).collect();
    for number in &drifted {
        stage.meddle(*number, 1, &json!({"enableExecuteCommand": true}));
    }
    stage.pass(Duration::from_mins(2)).await;
    stage.ledger.lock().keeps = true;
    let begun = stage.sim.now();
    let operator = Operator::start(&stage).await;
    let mut observed = None;
    let mut ready = None;
    while ready.is_none() && stage.sim.now().saturating_sub(begun) < Duration::from_hours(2) {
        stage.pass(Duration::from_secs(1)).await;
        let now = stage.sim.now().saturating_sub(begun);
        if stage.ledger.lock().described.len() >= agents {
            observed = observed.or(Some(now));
        }
        if operator.ready() >= agents {
            ready = Some(now);
        }
    }
    stage.pass(RESYNC).await;
    operator.end().await;
    let seen = stage.ledger.lock();
    let names: BTreeSet<String> = drifted.iter().map(|number| name(*number)).collect();
    let is_fix = |request: &serde_json::Value| request["service"].as_str().is_some_and(|name| names.contains(name));
    let needless = seen.writes.iter().filter(|(_, _, request)| !is_fix(request)).count();
    let fixes: Vec<f64> = seen
        .writes
        .iter()
        .filter(|(_, _, request)| is_fix(request))
        .map(|(at, ..)| seconds(at.saturating_sub(begun)))
        .collect();
    let never = f64::INFINITY;
    let figures = vec![
        Figure::at_most("every service observed", (observed.map_or(never, seconds), 120.0), "virtual s"),
        Figure::of("every agent Ready", ready.map_or(never, seconds), "virtual s"),
        Figure::at_most("first drift fixed", (fixes.iter().copied().fold(never, f64::min), 150.0), "virtual s"),
        Figure::of("last drift fixed", fixes.iter().copied().fold(0.0, f64::max), "virtual s"),
        Figure::at_least("drifts fixed", (count(fixes.len()), 10.0), "of 10"),
        Figure::at_most("other writes", (count(needless), 0.0), ""),
        Figure::at_most("calls throttled", (float(seen.throttled()), 0.0), ""),
    ];
    let setup = format!(
        "{agents} agents run in one region, ten drifted; the operator starts with empty caches and no statuses"
    );
    Test { setup, figures, ..Test::default() }
}

/// A duration as a figure.
pub fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// A number of things as a figure.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn count(things: usize) -> f64 {
    things as f64
}

/// A number of calls as a figure.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn float(calls: u64) -> f64 {
    calls as f64
}
