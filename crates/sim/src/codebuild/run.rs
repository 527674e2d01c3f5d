//! A build's way through its phases (CodeBuild user guide, "Build phase transitions").

use super::{buildspec, docker, source};
use crate::input::Members;
use crate::logs;
use crate::state::codebuild::Build;
use crate::state::{Region, Timer};
use serde_json::{Value, json};
use std::time::Duration;

/// The phases in their order. A phase of one's own commands that fails goes on with FINALIZING, but BUILD with POST_BUILD.
const PHASES: [&str; 11] = [
    "SUBMITTED",
    "QUEUED",
    "PROVISIONING",
    "DOWNLOAD_SOURCE",
    "INSTALL",
    "PRE_BUILD",
    "BUILD",
    "POST_BUILD",
    "UPLOAD_ARTIFACTS",
    "FINALIZING",
    "COMPLETED",
];

/// Why a phase failed: a code, and a message.
pub(super) type Fault = (&'static str, String);

/// The build enters a phase, and what it does there takes its time.
pub(super) fn enter(region: &mut Region, id: &str, phase: &str) {
    let takes = if ["PROVISIONING", "DOWNLOAD_SOURCE", "PRE_BUILD", "BUILD"].contains(&phase) {
        region.settings.times.build
    } else {
        Duration::ZERO
    };
    let (now, at) = (region.now, region.timestamp());
    let Some(build) = region.codebuild.builds.get_mut(id) else { return };
    build.since = now;
    build.body.put("currentPhase", json!(phase));
    push(&mut build.body, json!({"phaseType": phase, "startTime": at}));
    if phase != "COMPLETED" {
        region.after(takes, Timer::Build { id: id.to_owned(), phase: phase.to_owned() });
        return;
    }
    build.body.put("buildComplete", json!(true));
    build.body.put("endTime", json!(at));
    if build.body.text("buildStatus") == Some("IN_PROGRESS") {
        build.body.put("buildStatus", json!("SUCCEEDED"));
    }
}

/// The time of a phase is over: what it does is done, and the next one begins.
pub(crate) fn advance(region: &mut Region, id: &str, phase: &str) {
    let current = region.codebuild.builds.get(id).and_then(|build| build.body.text("currentPhase").map(str::to_owned));
    if current.as_deref() != Some(phase) {
        return;
    }
    let fault = work(region, id, phase).err();
    leave(region, id, fault.as_ref());
    let failed = fault.is_some();
    let next = match phase {
        "BUILD" => "POST_BUILD",
        "PROVISIONING" | "DOWNLOAD_SOURCE" | "INSTALL" | "PRE_BUILD" | "POST_BUILD" if failed => "FINALIZING",
        other => {
            let place = PHASES.iter().position(|known| *known == other).unwrap_or(PHASES.len());
            PHASES.get(place + 1).copied().unwrap_or("COMPLETED")
        }
    };
    enter(region, id, next);
}

/// Ends the phase the build is in.
fn leave(region: &mut Region, id: &str, fault: Option<&Fault>) {
    let (now, at) = (region.now, region.timestamp());
    let Some(build) = region.codebuild.builds.get_mut(id) else { return };
    let took = now.saturating_sub(build.since).as_secs();
    let (status, contexts) = match fault {
        None => ("SUCCEEDED", json!([{"statusCode": "", "message": ""}])),
        Some((code, message)) => ("FAILED", json!([{"statusCode": code, "message": message}])),
    };
    if fault.is_some() {
        build.body.put("buildStatus", json!("FAILED"));
    }
    let phases = build.body.get_mut("phases").and_then(Value::as_array_mut);
    if let Some(phase) = phases.and_then(|phases| phases.last_mut()) {
        phase.put("phaseStatus", json!(status));
        phase.put("contexts", contexts);
        phase.put("endTime", json!(at));
        phase.put("durationInSeconds", json!(took));
    }
}

/// Somebody stops the build where it is.
pub(super) fn stop(region: &mut Region, id: &str) {
    let at = region.timestamp();
    let Some(build) = region.codebuild.builds.get_mut(id) else { return };
    if build.body.flag("buildComplete") == Some(true) {
        return;
    }
    let phases = build.body.get_mut("phases").and_then(Value::as_array_mut);
    if let Some(phase) = phases.and_then(|phases| phases.last_mut()) {
        phase.put("phaseStatus", json!("STOPPED"));
        phase.put("endTime", json!(at));
    }
    build.body.put("buildStatus", json!("STOPPED"));
    enter(region, id, "COMPLETED");
}

fn push(body: &mut Value, phase: Value) {
    if let Some(phases) = body.get_mut("phases").and_then(Value::as_array_mut) {
        phases.push(phase);
    }
}

/// What a phase does.
fn work(region: &mut Region, id: &str, phase: &str) -> Result<(), Fault> {
    match phase {
        "PROVISIONING" => provision(region, id),
        "DOWNLOAD_SOURCE" => {
            let files = source::fetch(region, id)?;
            if let Some(build) = region.codebuild.builds.get_mut(id) {
                build.files = files;
            }
            spec(region, id).map(drop)
        }
        "INSTALL" | "PRE_BUILD" | "BUILD" | "POST_BUILD" => {
            let commands = spec(region, id)?.remove(&phase.to_lowercase()).unwrap_or_default();
            commands.iter().try_for_each(|command| obey(region, id, command))
        }
        _ => Ok(()),
    }
}

/// A machine of one processor cannot start an image of the other.
fn provision(region: &Region, id: &str) -> Result<(), Fault> {
    let Some(build) = region.codebuild.builds.get(id) else { return Ok(()) };
    let environment = build.body.get("environment").cloned().unwrap_or_default();
    let image = environment.text("image").unwrap_or_default();
    let arm = environment.text("type").is_some_and(|kind| kind.starts_with("ARM_"));
    if (arm && image.contains("x86_64")) || (!arm && image.contains("aarch64")) {
        let message = format!(
            "Unable to pull customer's container image. CannotPullContainerError: {image}: no matching manifest"
        );
        return Err(("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE", message));
    }
    Ok(())
}

/// The commands of the build's buildspec, by phase.
fn spec(region: &Region, id: &str) -> Result<buildspec::Phases, Fault> {
    let Some(build) = region.codebuild.builds.get(id) else { return Ok(buildspec::Phases::new()) };
    let said = build.body.get("source").and_then(|source| source.text("buildspec")).map(str::to_owned);
    let beside = || build.files.get("buildspec.yml").map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let Some(text) = said.or_else(beside) else {
        return Err(("YAML_FILE_ERROR", "YAML file does not exist".to_owned()));
    };
    buildspec::parse(&text).map_err(|problem| ("YAML_FILE_ERROR", problem))
}

/// Carries out a command, and writes down what it says.
fn obey(region: &mut Region, id: &str, command: &str) -> Result<(), Fault> {
    let Some(build) = region.codebuild.builds.get(id).cloned() else { return Ok(()) };
    let done = docker::carry_out(region, &build, command);
    let mut lines = vec![format!("[Container] Running command {command}")];
    lines.extend(done.lines);
    tell(region, &build, &lines);
    if let (Some(image), Some(build)) = (done.image, region.codebuild.builds.get_mut(id)) {
        build.images.insert(image.0, image.1);
    }
    if done.status == 0 {
        return Ok(());
    }
    let message = format!("Error while executing command: {command}. Reason: exit status {}", done.status);
    Err(("COMMAND_EXECUTION_ERROR", message))
}

fn tell(region: &mut Region, build: &Build, lines: &[String]) {
    let log = build.body.get("logs").cloned().unwrap_or_default();
    let name = |member: &str| log.text(member).unwrap_or_default();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    logs::write_stream(region, (name("groupName"), name("streamName")), &lines);
}
