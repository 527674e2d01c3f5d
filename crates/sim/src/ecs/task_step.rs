//! A task's way through its life: PROVISIONING, PENDING, ACTIVATING, RUNNING, and back down to STOPPED.
//!
//! Each step sets the timer of the next. A bumped `turn` voids the timer of a task that was moved by something else.

use super::circuit_breaker::{self, Failure};
use super::{command, driven, event, scheduler, task, task_definition, verdict};
use crate::behaviour::Behaviour;
use crate::input::Members;
use crate::state::ecs::{Health, Phase, Service, Task, Verdict};
use crate::state::{Region, Timer};
use crate::{ecr, elb, logs};
use serde_json::Value;
use std::time::Duration;

/// A timer of a task has come due.
pub(crate) fn advance(region: &mut Region, key: &(String, String), id: &str, turn: u32) {
    scheduler::with(region, key, |region, service| {
        let due = service.tasks.get(id).is_some_and(|task| task.turn == turn);
        if due {
            step(region, service, id);
            scheduler::pass(region, service);
        }
    });
}

fn step(region: &mut Region, service: &mut Service, id: &str) {
    let Some(phase) = service.tasks.get(id).map(|task| task.phase) else {
        return;
    };
    match phase {
        Phase::Provisioning => provision(region, service, id),
        Phase::Pending => pull(region, service, id),
        Phase::Activating => activate(region, service, id),
        Phase::Running => judge(region, service, id),
        Phase::Deactivating => enter(region, service, id, Phase::Stopping, stopping_time(region, service, id)),
        Phase::Stopping => {
            kill(region, service, id);
            enter(region, service, id, Phase::Deprovisioning, region.settings.times.deprovision);
        }
        Phase::Deprovisioning => finish(region, service, id),
        Phase::Stopped => {}
    }
}

/// From SIGTERM to the end of the container. Who runs a driven task tells when it has ended; a while after it should have,
/// nobody does any more.
fn stopping_time(region: &Region, service: &Service, id: &str) -> Duration {
    match service.tasks.get(id) {
        Some(task) if task.driven => driven::patience(region, task),
        Some(_) | None => region.settings.times.stop,
    }
}

/// Moves a task to a phase in which it stays until something is reported of it.
pub(super) fn hold(service: &mut Service, id: &str, phase: Phase) {
    let Some(task) = service.tasks.get_mut(id) else { return };
    task.phase = phase;
    task.turn += 1;
    task.version += 1;
}

/// Moves a task to a phase and sets the timer of its next step.
pub(super) fn enter(region: &mut Region, service: &mut Service, id: &str, phase: Phase, delay: Duration) {
    let Some(task) = service.tasks.get_mut(id) else { return };
    task.phase = phase;
    task.turn += 1;
    task.version += 1;
    let timer = Timer::Task {
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        task: id.to_owned(),
        turn: task.turn,
    };
    region.after(delay, timer);
}

fn provision(region: &mut Region, service: &mut Service, id: &str) {
    let Some(task) = service.tasks.get_mut(id) else { return };
    if task.behaviour == Behaviour::StuckProvisioning {
        return;
    }
    task.pulled = Some((region.now, None));
    if task.driven {
        hold(service, id, Phase::Pending);
        return refuse_missing(region, service, id);
    }
    enter(region, service, id, Phase::Pending, region.settings.times.pull);
}

/// Ends a task of which what RegisterTaskDefinition did not check is found missing.
fn refuse_missing(region: &mut Region, service: &mut Service, id: &str) {
    let Some(task) = service.tasks.get(id) else { return };
    let definition = task_definition::find(region, &task.definition).map(|definition| definition.body.clone());
    let definition = definition.unwrap_or(Value::Null);
    let fault = missing_image(region, task, &definition).or_else(|| missing_log_group(region, &definition));
    if let Some((code, reason)) = fault {
        refuse(region, service, id, code, &reason);
    }
}

/// Ends a task that could not be started, in the words of the part that failed.
pub(super) fn refuse(region: &mut Region, service: &mut Service, id: &str, code: &str, reason: &str) {
    let container = code.starts_with("Cannot").then(|| format!("{code}: {reason}"));
    let stopped = format!("{code}: {reason}");
    never_started(region, service, id, Ending { code: "TaskFailedToStart", stopped, exit: None, container });
}

/// The end of the image pull.
fn pull(region: &mut Region, service: &mut Service, id: &str) {
    refuse_missing(region, service, id);
    let Some(task) = service.tasks.get_mut(id).filter(|task| !task.stopping) else { return };
    let now = region.now;
    task.pulled = task.pulled.map(|(from, _)| (from, Some(now)));
    enter(region, service, id, Phase::Activating, region.settings.times.start);
}

fn missing_image(region: &Region, task: &Task, definition: &Value) -> Option<(&'static str, String)> {
    let image = task::main_container(definition)?.text("image")?;
    let found = task.behaviour != Behaviour::PullFailure && ecr::pullable(region, image);
    let reason =
        || format!("pull image manifest has been retried 5 time(s): failed to resolve ref {image}: {image}: not found");
    (!found).then(|| ("CannotPullContainerError", reason()))
}

fn missing_log_group(region: &Region, definition: &Value) -> Option<(&'static str, String)> {
    for container in definition.items("containerDefinitions")? {
        let log = container.member("logConfiguration").filter(|log| log.text("logDriver") == Some("awslogs"));
        let Some(options) = log.and_then(|log| log.member("options")) else {
            continue;
        };
        let group = options.text("awslogs-group").unwrap_or_default();
        let elsewhere = options.text("awslogs-region").is_some_and(|name| name != region.name);
        let created = options.text("awslogs-create-group") == Some("true");
        let asked = region.settings.strict.log_groups || region.logs.deleted.contains(group);
        if asked && !elsewhere && !created && !region.logs.groups.contains_key(group) {
            let reason = "failed to validate logger args: create stream has been retried 1 times: failed to create \
                          Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit \
                          status 1";
            return Some(("ResourceInitializationError", reason.to_owned()));
        }
    }
    None
}

/// From the started container to RUNNING, unless the container has exited by then.
fn activate(region: &mut Region, service: &mut Service, id: &str) {
    let Some(task) = service.tasks.get(id) else { return };
    let definition = task_definition::find(region, &task.definition).map(|definition| definition.body.clone());
    let definition = definition.unwrap_or(Value::Null);
    let ending = task::main_container(&definition).and_then(|container| command::ending(container, &task.settings));
    match ending {
        Some(ending) => logs::write_lines(region, &definition, id, &ending.said),
        None => logs::write_start(region, &definition, id),
    }
    if let Behaviour::CrashLoop { exit_code } = task.behaviour {
        logs::write_crash(region, &definition, id, exit_code);
        let stopped = "Essential container in task exited".to_owned();
        let ending = Ending { code: "EssentialContainerExited", stopped, exit: Some(exit_code), container: None };
        return never_started(region, service, id, ending);
    }
    let (delay, verdict) = verdict::of(region, service, task, &definition);
    if let Some(task) = service.tasks.get_mut(id) {
        task.verdict = Some(verdict);
    }
    run(region, service, id);
    enter(region, service, id, Phase::Running, delay);
}

/// A task's container runs: the load balancers are told, and its deployment has one that reached RUNNING.
pub(super) fn run(region: &mut Region, service: &mut Service, id: &str) {
    let Some(task) = service.tasks.get(id) else { return };
    let targets = register_targets(region, task);
    let deployment = task.deployment.clone();
    if let Some(task) = service.tasks.get_mut(id) {
        task.started = Some(region.now);
        task.targets.clone_from(&targets);
    }
    if let Some(deployment) = service.deployments.iter_mut().find(|known| known.id == deployment) {
        deployment.reached_running = true;
        deployment.updated = region.now;
    }
    for (group, _) in &targets {
        event::add(region, service, &format!("registered 1 targets in (target-group {group})"));
    }
}

pub(super) fn register_targets(region: &mut Region, task: &Task) -> Vec<(String, u16)> {
    let balancers = task.settings.items("loadBalancers").unwrap_or_default();
    let healthy = !matches!(task.behaviour, Behaviour::UnhealthyTarget | Behaviour::NeverHealthy);
    let slow = if let Behaviour::SlowStart(delay) = task.behaviour { Some(delay) } else { None };
    let slow = if task.driven { Some(driven::UNDECIDED) } else { slow };
    let delay = slow.unwrap_or(region.settings.times.health);
    let mut targets = Vec::new();
    for balancer in balancers {
        let port = balancer.whole("containerPort").and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
        let Some(arn) = balancer.text("targetGroupArn") else {
            continue;
        };
        elb::register(region, arn, (task.address.clone(), port), delay, healthy);
        targets.push((arn.to_owned(), port));
    }
    targets
}

/// The verdict on a running task.
fn judge(region: &mut Region, service: &mut Service, id: &str) {
    let Some(task) = service.tasks.get_mut(id) else { return };
    let deployment = task.deployment.clone();
    match task.verdict.take() {
        Some(Verdict::Healthy) => {
            let body = task_definition::find(region, &task.definition).map(|definition| &definition.body);
            let checked = body.and_then(task::main_container).is_some_and(|main| main.member("healthCheck").is_some());
            task.health = if checked { Health::Healthy } else { Health::Unknown };
            task.ready = true;
            task.version += 1;
            circuit_breaker::reset(service, &deployment);
        }
        Some(Verdict::FailsCheck) => fails_check(region, service, id),
        Some(Verdict::FailsTarget(group)) => fails_target(region, service, id, &group),
        Some(Verdict::Exits(exit_code, reason)) => {
            task.exit_code = Some(exit_code);
            task.container_reason = reason.map(str::to_owned);
            let reason = "Essential container in task exited";
            stop(region, service, id, "EssentialContainerExited", reason);
            circuit_breaker::count(region, service, &deployment, Failure::Ended);
        }
        None => {}
    }
}

/// A task's container fails its health check.
pub(super) fn fails_check(region: &mut Region, service: &mut Service, id: &str) {
    let Some(task) = service.tasks.get_mut(id) else { return };
    task.health = Health::Unhealthy;
    let deployment = task.deployment.clone();
    event::add(region, service, &format!("(task {id}) failed container health checks."));
    stop(region, service, id, "ServiceSchedulerInitiated", "Task failed container health checks");
    circuit_breaker::count(region, service, &deployment, Failure::Unhealthy);
}

/// A load balancer finds a task unhealthy.
pub(super) fn fails_target(region: &mut Region, service: &mut Service, id: &str, group: &str) {
    let Some(task) = service.tasks.get(id) else { return };
    let deployment = task.deployment.clone();
    let message = format!("(task {id}) is unhealthy in (target-group {group}) due to (reason Health checks failed).");
    event::add(region, service, &message);
    let reason = format!("Task failed ELB health checks in (target-group {group})");
    stop(region, service, id, "ServiceSchedulerInitiated", &reason);
    circuit_breaker::count(region, service, &deployment, Failure::Unhealthy);
}

/// How a task that never ran ended.
pub(super) struct Ending {
    pub(super) code: &'static str,
    pub(super) stopped: String,
    pub(super) exit: Option<i32>,
    pub(super) container: Option<String>,
}

pub(super) fn never_started(region: &mut Region, service: &mut Service, id: &str, ending: Ending) {
    let Some(task) = service.tasks.get_mut(id) else { return };
    task.stopping = true;
    task.stop_code = Some(ending.code);
    task.stopped_reason = Some(ending.stopped);
    task.exit_code = ending.exit;
    task.container_reason = ending.container;
    (task.stopping_at, task.execution_stopped) = (Some(region.now), Some(region.now));
    let deployment = task.deployment.clone();
    enter(region, service, id, Phase::Deprovisioning, region.settings.times.deprovision);
    circuit_breaker::count(region, service, &deployment, Failure::NotStarted);
}

/// Stops a task: out of the target groups first, then SIGTERM, then the rest.
pub(super) fn stop(region: &mut Region, service: &mut Service, id: &str, code: &'static str, reason: &str) {
    let Some(task) = service.tasks.get_mut(id).filter(|task| task.live()) else {
        return;
    };
    task.stopping = true;
    task.ready = false;
    task.stop_code = Some(code);
    task.stopped_reason = Some(reason.to_owned());
    task.stopping_at = Some(region.now);
    let (phase, address, targets) = (task.phase, task.address.clone(), std::mem::take(&mut task.targets));
    let mut drain = Duration::ZERO;
    for (group, port) in &targets {
        drain = drain.max(elb::deregister(region, group, &(address.clone(), *port)));
        event::add(region, service, "has begun draining connections on 1 tasks.");
        event::add(region, service, &format!("deregistered 1 targets in (target-group {group})"));
    }
    let (next, delay) = if phase == Phase::Running && !targets.is_empty() {
        (Phase::Deactivating, drain)
    } else if phase >= Phase::Activating {
        (Phase::Stopping, stopping_time(region, service, id))
    } else {
        (Phase::Deprovisioning, region.settings.times.deprovision)
    };
    enter(region, service, id, next, delay);
}

/// The container has ended: 143 is what SIGTERM leaves behind.
pub(super) fn kill(region: &mut Region, service: &mut Service, id: &str) {
    if let Some(task) = service.tasks.get_mut(id) {
        task.exit_code = task.exit_code.or(Some(if task.driven { 137 } else { 143 }));
        task.execution_stopped = Some(region.now);
    }
}

fn finish(region: &mut Region, service: &mut Service, id: &str) {
    let Some(task) = service.tasks.get_mut(id) else { return };
    task.phase = Phase::Stopped;
    task.turn += 1;
    task.version += 1;
    task.stopped = Some(region.now);
}
