//! The window into a served simulation, under `/_sim`: what is there, what was asked, and the controls of a test.
//!
//! | route | what it does |
//! |---|---|
//! | `GET /_sim` | the routes |
//! | `GET /_sim/state` | everything there is, as a list of account and region |
//! | `POST /_sim/reset` | forgets everything, calls, faults and behaviours included, but not what was kept; time goes on |
//! | `POST /_sim/snapshots` | `{"name"}`: keeps everything as it is under that name, in memory, 64 at most |
//! | `GET /_sim/snapshots` | what is kept: `{name: seconds of simulated time}` |
//! | `POST /_sim/restore` | `{"name"}`: all is again as it was kept, the time included; faults stay ordered, calls recorded |
//! | `POST /_sim/seed` | puts things in place: `{"region", "clusters", "capacity_providers", "target_groups", "images", "log_groups", "buckets", "build_projects", "vpc", "subnets", "security_groups"}` |
//! | `GET /_sim/calls` | the calls so far |
//! | `DELETE /_sim/calls` | forgets them |
//! | `GET /_sim/time` | `{"elapsed", "date", "speed", "next_event"}`, times in seconds of simulated time |
//! | `POST /_sim/time` | `{"advance": seconds, "speed": factor}`, either or both; a speed of 0 stops time |
//! | `POST /_sim/faults` | orders one: `{"kind", "service", "operation", "resource", "skip", "times", "code", "message"}` |
//! | `DELETE /_sim/faults` | cancels all |
//! | `POST /_sim/behave` | `{"pattern": "part of an image", "behaviour": "crash-loop", "exit_code": 1, "seconds": 60}` |
//! | `POST /_sim/metric` | `{"region", "cluster", "service", "cpu"}`: what CloudWatch reports, in percent |
//! | `GET /_sim/balancers` | where load balancers in front of real tasks answer: `{target group: url}` |
//! | `POST /_sim/interrupt` | `{"region", "cluster", "service"}`: takes back Spot capacity |
//!
//! Bodies are JSON objects; a body that is none, or makes no sense, is answered with 400 and `{"error": why}`. Kinds of faults
//! are `throttle`, `server-error`, `html-error`, `access-denied`, `reset-before`, `reset-after`, `hang-before`, `hang-after`
//! and `error` with a code of its own; behaviours are `healthy`, `crash-loop`, `pull-failure`, `never-healthy`,
//! `unhealthy-target`, `slow-start`, `stuck-provisioning` and `out-of-memory`.

use crate::behaviour::Behaviour;
use crate::clock;
use crate::ec2;
use crate::fault::{Fault, FaultKind};
use crate::input::Members;
use crate::seed::Seed;
use crate::simulation::Simulation;
use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, any, get, post};
use serde_json::{Value, json};
use std::time::Duration;

/// The longest leap in time, in seconds.
const LEAP: f64 = 366.0 * 86_400.0;

const ROUTES: [&str; 17] = [
    "GET /_sim/state",
    "POST /_sim/reset",
    "POST /_sim/snapshots",
    "GET /_sim/snapshots",
    "POST /_sim/restore",
    "POST /_sim/seed",
    "GET /_sim/calls",
    "DELETE /_sim/calls",
    "GET /_sim/time",
    "POST /_sim/time",
    "POST /_sim/faults",
    "DELETE /_sim/faults",
    "POST /_sim/behave",
    "POST /_sim/metric",
    "POST /_sim/interrupt",
    "GET /_sim/balancers",
    "GET /_sim",
];

/// What a control answers; the error is for a person.
type Said = Result<Value, String>;

/// The routes and what answers them.
pub(crate) fn routes(simulation: &Simulation) -> Vec<(&'static str, MethodRouter)> {
    vec![
        ("/_sim", get(|| async { Json(json!({"routes": ROUTES})) })),
        (
            "/_sim/{*rest}",
            any(|| async { (StatusCode::NOT_FOUND, Json(json!({"error": "no such route", "routes": ROUTES}))) }),
        ),
        ("/_sim/state", shown(simulation, Simulation::state)),
        (
            "/_sim/reset",
            told(simulation, |simulation, _| {
                simulation.reset();
                Ok(json!({}))
            }),
        ),
        ("/_sim/snapshots", shown(simulation, snapshots).merge(told(simulation, keep))),
        ("/_sim/restore", told(simulation, restore)),
        ("/_sim/seed", told(simulation, |simulation, input| Ok(seed(simulation, input)))),
        (
            "/_sim/calls",
            shown(simulation, |simulation| json!(simulation.calls())).delete(done(simulation, Simulation::clear_calls)),
        ),
        ("/_sim/time", shown(simulation, time).merge(told(simulation, set_time))),
        ("/_sim/faults", told(simulation, order).delete(done(simulation, Simulation::clear_faults))),
        ("/_sim/behave", told(simulation, behave)),
        ("/_sim/metric", told(simulation, metric)),
        ("/_sim/interrupt", told(simulation, interrupt)),
        ("/_sim/balancers", shown(simulation, |simulation| json!(simulation.fronts()))),
    ]
}

fn shown(simulation: &Simulation, show: fn(&Simulation) -> Value) -> MethodRouter {
    let simulation = simulation.clone();
    get(move || async move { Json(show(&simulation)) })
}

fn told(simulation: &Simulation, tell: fn(&Simulation, &Value) -> Said) -> MethodRouter {
    let simulation = simulation.clone();
    post(move |body: Bytes| async move { answer(read(&body).and_then(|input| tell(&simulation, &input))) })
}

fn done(
    simulation: &Simulation,
    act: fn(&Simulation),
) -> impl Fn() -> std::future::Ready<Json<Value>> + Clone + Send + Sync + 'static + use<> {
    let simulation = simulation.clone();
    move || {
        act(&simulation);
        std::future::ready(Json(json!({})))
    }
}

/// Nothing counts as an empty object.
fn read(body: &[u8]) -> Said {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    if value.is_object() { Ok(value) } else { Err("the body is not a JSON object".to_owned()) }
}

fn answer(said: Said) -> (StatusCode, Json<Value>) {
    match said {
        Ok(value) => (StatusCode::OK, Json(value)),
        Err(why) => (StatusCode::BAD_REQUEST, Json(json!({"error": why}))),
    }
}

fn region(input: &Value) -> String {
    input.text("region").unwrap_or("us-east-1").to_owned()
}

fn seed(simulation: &Simulation, input: &Value) -> Value {
    let (subnets, groups) = (input.texts("subnets"), input.texts("security_groups"));
    let subnets: Vec<&str> = subnets.iter().map(String::as_str).collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let vpc = input.text("vpc").unwrap_or(ec2::VPC);
    simulation.seed_network(&region(input), vpc, &subnets, &groups);
    simulation.seed(Seed {
        region: region(input),
        clusters: input.texts("clusters"),
        capacity_providers: input.flag("capacity_providers").unwrap_or(true),
        target_groups: input.texts("target_groups"),
        images: input.texts("images"),
        log_groups: input.texts("log_groups"),
        buckets: input.texts("buckets"),
        build_projects: input.texts("build_projects"),
    });
    json!({})
}

/// The name a snapshot is given.
fn name(input: &Value) -> Result<&str, String> {
    let name = input.text("name").filter(|name| (1..=100).contains(&name.len()));
    name.ok_or_else(|| "name must be a text of 1 to 100 bytes".to_owned())
}

fn keep(simulation: &Simulation, input: &Value) -> Said {
    let kept = simulation.keep(name(input)?);
    kept.then(|| snapshots(simulation))
        .ok_or_else(|| "64 snapshots are kept already; take one of their names".to_owned())
}

fn snapshots(simulation: &Simulation) -> Value {
    simulation.kept().into_iter().map(|(name, at)| (name, json!(at.as_secs_f64()))).collect()
}

fn restore(simulation: &Simulation, input: &Value) -> Said {
    let name = name(input)?;
    simulation.restore(name).then(|| time(simulation)).ok_or_else(|| format!("no snapshot is called {name}"))
}

fn time(simulation: &Simulation) -> Value {
    let epoch = simulation.date().checked_sub(simulation.now()).unwrap_or(std::time::SystemTime::UNIX_EPOCH);
    json!({
        "elapsed": simulation.now().as_secs_f64(),
        "date": clock::iso(epoch, simulation.now()),
        "speed": simulation.speed(),
        "next_event": simulation.next_event().map(|at| at.as_secs_f64()),
    })
}

fn set_time(simulation: &Simulation, input: &Value) -> Said {
    let number = |name: &str, most: f64| match (input.member(name), input.number(name)) {
        (None, _) => Ok(None),
        (Some(_), Some(number)) if (0.0..=most).contains(&number) => Ok(Some(number)),
        _ => Err(format!("{name} must be a number from 0 to {most}")),
    };
    let (advance, speed) = (number("advance", LEAP)?, number("speed", 100_000.0)?);
    if advance.is_none() && speed.is_none() {
        return Err("say advance, speed or both".to_owned());
    }
    if let Some(speed) = speed {
        simulation.set_speed(speed);
    }
    if let Some(seconds) = advance {
        simulation.leap(Duration::from_secs_f64(seconds));
    }
    Ok(time(simulation))
}

fn order(simulation: &Simulation, input: &Value) -> Said {
    let text = |name: &str| input.text(name).map(str::to_owned);
    let count = |name: &str| match input.member(name) {
        None => Ok(None),
        Some(_) => input
            .whole(name)
            .and_then(|count| u32::try_from(count).ok())
            .map(Some)
            .ok_or_else(|| format!("{name} must be a whole number from 0")),
    };
    let kind = match input.text("kind").unwrap_or_default() {
        "throttle" => FaultKind::Throttle,
        "server-error" => FaultKind::ServerError,
        "html-error" => FaultKind::HtmlError,
        "access-denied" => FaultKind::AccessDenied,
        "reset-before" => FaultKind::ResetBefore,
        "reset-after" => FaultKind::ResetAfter,
        "hang-before" => FaultKind::HangBefore,
        "hang-after" => FaultKind::HangAfter,
        "error" => FaultKind::Error {
            code: text("code").ok_or("an error needs a code")?,
            message: text("message").unwrap_or_default(),
        },
        other => return Err(format!("unknown kind of fault: {other:?}")),
    };
    let fault = Fault {
        service: text("service"),
        operation: text("operation"),
        resource: text("resource"),
        skip: count("skip")?.unwrap_or(0),
        times: count("times")?,
        ..Fault::once(kind)
    };
    simulation.fault(fault);
    Ok(json!({}))
}

fn behave(simulation: &Simulation, input: &Value) -> Said {
    let behaviour = behaviour(input).ok_or("unknown behaviour")?;
    simulation.behave(input.text("pattern").unwrap_or_default(), behaviour);
    Ok(json!({}))
}

fn behaviour(input: &Value) -> Option<Behaviour> {
    Some(match input.text("behaviour").unwrap_or("healthy") {
        "healthy" => Behaviour::Healthy,
        "crash-loop" => {
            let exit_code = input.whole("exit_code").unwrap_or(1);
            Behaviour::CrashLoop { exit_code: i32::try_from(exit_code).ok()? }
        }
        "pull-failure" => Behaviour::PullFailure,
        "never-healthy" => Behaviour::NeverHealthy,
        "unhealthy-target" => Behaviour::UnhealthyTarget,
        "slow-start" => Behaviour::SlowStart(input.seconds("seconds").unwrap_or(Duration::from_mins(1))),
        "stuck-provisioning" => Behaviour::StuckProvisioning,
        "out-of-memory" => Behaviour::OutOfMemory,
        _ => return None,
    })
}

/// Cluster and service of a control that is about one.
fn about(input: &Value) -> Result<(&str, &str), String> {
    input.text("cluster").zip(input.text("service")).ok_or_else(|| "say cluster and service".to_owned())
}

fn metric(simulation: &Simulation, input: &Value) -> Said {
    let (cluster, service) = about(input)?;
    let cpu = input.number("cpu").ok_or("cpu must be a number")?;
    simulation.metric(&region(input), cluster, service, cpu);
    Ok(json!({}))
}

fn interrupt(simulation: &Simulation, input: &Value) -> Said {
    let (cluster, service) = about(input)?;
    simulation.interrupt(&region(input), cluster, service);
    Ok(json!({}))
}
