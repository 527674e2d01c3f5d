//! Tasks that somebody outside runs: what is to be done with them, and what is told of them.
//!
//! The scheduler stays the one of all tasks. From PENDING on a driven task waits for reports where a virtual one waits for a
//! timer. Until its container is reported to run, its end counts as a failed start, as the circuit breaker sees it; from then
//! on ECS's own rules decide, on the health that is reported.

use super::circuit_breaker::{self, Failure};
use super::task_step::{self, Ending};
use super::{scheduler, task, task_definition};
use crate::assignment::{Assignment, Report, Stage};
use crate::behaviour::Behaviour;
use crate::input::Members;
use crate::settings::Tasks;
use crate::state::Region;
use crate::state::ecs::{Health, Phase, Service, Task, Verdict};
use crate::{ecr, elb, logs};
use serde_json::Value;
use std::time::Duration;

/// When a target that somebody outside checks gets its verdict by itself: never.
pub(super) const UNDECIDED: Duration = Duration::from_hours(1_000_000);
/// From SIGTERM to SIGKILL unless the container says otherwise.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the end of a container may be overdue.
const OVERDUE: Duration = Duration::from_secs(20);

type Key = (String, String);

/// Whether a task of a definition is driven: it is to be, and there is something to run.
pub(super) fn is(region: &Region, definition: &Value) -> bool {
    let image = task::main_container(definition).and_then(|container| container.text("image"));
    region.settings.tasks == Tasks::Driven && image.is_some_and(|image| ecr::has_content(region, image))
}

/// Driven tasks behave as they do; only what befalls a task before it runs can be ordered.
pub(super) fn behaviour(region: &Region, definition: &Value) -> Behaviour {
    let image = task::main_container(definition).and_then(|container| container.text("image"));
    let said = region.behaviour(image.unwrap_or_default());
    let befalls = matches!(said, Behaviour::PullFailure | Behaviour::StuckProvisioning);
    if befalls { said } else { Behaviour::Healthy }
}

/// An address of this machine's own network that no other task has.
pub(super) fn address(region: &Region, id: &str) -> String {
    // Not the region's own dice: other simulations on this machine have the same, and the same network.
    let mut random = fastrand::Rng::new();
    loop {
        // Away from the low ones, which people and resolvers use.
        let (second, third, fourth) = (random.u8(16..=250), random.u8(..), random.u8(1..255));
        let address = format!("127.{second}.{third}.{fourth}");
        let tasks = region.ecs.services.values().flat_map(|service| service.tasks.values());
        let taken = tasks.into_iter().any(|task| task.address == address && task.id != id && task.stopped.is_none());
        if !taken {
            return address;
        }
    }
}

/// How long the stop of a container may take.
pub(super) fn patience(region: &Region, task: &Task) -> Duration {
    let definition = task_definition::find(region, &task.definition).map(|definition| &definition.body);
    let said = definition.and_then(task::main_container).and_then(|container| container.seconds("stopTimeout"));
    said.unwrap_or(STOP_TIMEOUT) + OVERDUE
}

/// What is to be done with the driven tasks of a region.
pub(crate) fn assignments(region: &Region) -> Vec<Assignment> {
    let tasks =
        region.ecs.services.values().flat_map(|service| service.tasks.values().map(move |task| (service, task)));
    tasks.filter_map(|(service, task)| assignment(region, service, task)).collect()
}

fn assignment(region: &Region, service: &Service, task: &Task) -> Option<Assignment> {
    let stage = match task.phase {
        _ if !task.driven => return None,
        Phase::Pending | Phase::Activating => Stage::Start,
        Phase::Running | Phase::Deactivating => Stage::Run,
        Phase::Stopping => Stage::Stop,
        Phase::Provisioning | Phase::Deprovisioning | Phase::Stopped => return None,
    };
    let definition = task_definition::find(region, &task.definition)?.body.clone();
    Some(Assignment {
        task: task.arn.clone(),
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        stage,
        container: task::main_container(&definition)?.clone(),
        overrides: overrides(task, &definition),
        definition,
        address: task.address.clone(),
    })
}

/// What RunTask put over the main container's settings.
fn overrides(task: &Task, definition: &Value) -> Value {
    let name = task::main_container(definition).and_then(|container| container.text("name"));
    let all = task.settings.get("overrides").and_then(|overrides| overrides.items("containerOverrides"));
    all.unwrap_or_default().iter().find(|own| own.text("name") == name).cloned().unwrap_or(Value::Null)
}

/// Takes a report of a task. Whatever is told too late is about a task that has moved on, and changes nothing.
pub(crate) fn report(region: &mut Region, id: &str, report: &Report) {
    let Some(key) = region.ecs.owners.get(id).cloned() else { return };
    with(region, &key, |region, service| {
        if service.tasks.get(id).is_some_and(|task| task.driven && task.stopped.is_none()) {
            take(region, service, id, report);
        }
    });
}

fn with(region: &mut Region, key: &Key, work: impl FnOnce(&mut Region, &mut Service)) {
    scheduler::with(region, key, |region, service| {
        work(region, service);
        scheduler::pass(region, service);
    });
}

fn take(region: &mut Region, service: &mut Service, id: &str, report: &Report) {
    let Some(task) = service.tasks.get_mut(id) else { return };
    match (report, task.phase) {
        (Report::Pulled, Phase::Pending) => {
            let now = region.now;
            task.pulled = task.pulled.map(|(from, _)| (from, Some(now)));
            task_step::hold(service, id, Phase::Activating);
        }
        (Report::Started, Phase::Pending | Phase::Activating) => started(region, service, id),
        (Report::Healthy, Phase::Running) if !task.stopping => {
            task.health = Health::Healthy;
            assess(region, service, id);
        }
        (Report::Unhealthy, Phase::Running) if !task.stopping && !in_grace(region, service, id) => {
            task_step::fails_check(region, service, id);
        }
        (Report::Exited { code, reason }, phase) => ended(region, service, id, phase, (*code, reason.as_deref())),
        (Report::Refused { code, reason }, Phase::Pending | Phase::Activating) => {
            task_step::refuse(region, service, id, code, reason);
        }
        (Report::Said(lines), _) => say(region, service, id, lines),
        (Report::Pulled | Report::Started | Report::Healthy | Report::Unhealthy | Report::Refused { .. }, _) => {}
    }
}

fn started(region: &mut Region, service: &mut Service, id: &str) {
    task_step::run(region, service, id);
    if let Some((false, targets)) = checks(region, service, id)
        && targets.is_empty()
    {
        if let Some(task) = service.tasks.get_mut(id) {
            task.verdict = Some(Verdict::Healthy);
        }
        return task_step::enter(region, service, id, Phase::Running, region.settings.times.settle);
    }
    task_step::hold(service, id, Phase::Running);
}

/// Whether a task's container has a health check, and the target groups it stands in.
fn checks(region: &Region, service: &Service, id: &str) -> Option<(bool, Vec<(String, u16)>)> {
    let task = service.tasks.get(id)?;
    let definition = task_definition::find(region, &task.definition)?;
    let checked = task::main_container(&definition.body).is_some_and(|main| main.member("healthCheck").is_some());
    Some((checked, task.targets.clone()))
}

/// Whether failed checks do not count yet.
fn in_grace(region: &Region, service: &Service, id: &str) -> bool {
    let grace = service.config.seconds("healthCheckGracePeriodSeconds").unwrap_or_default();
    let started = service.tasks.get(id).and_then(|task| task.started);
    started.is_some_and(|started| region.now < started + grace)
}

/// A task is ready when its own check and every load balancer's find it healthy.
fn assess(region: &mut Region, service: &mut Service, id: &str) {
    let Some((checked, targets)) = checks(region, service, id) else { return };
    let Some(task) = service.tasks.get_mut(id) else { return };
    let passes = !checked || task.health == Health::Healthy;
    let served = targets.iter().all(|(group, port)| elb::is_healthy(region, group, &(task.address.clone(), *port)));
    if task.ready || !passes || !served {
        return;
    }
    task.ready = true;
    task.version += 1;
    let deployment = task.deployment.clone();
    circuit_breaker::reset(service, &deployment);
}

/// The container has ended, by itself or because it was told to.
fn ended(region: &mut Region, service: &mut Service, id: &str, phase: Phase, (code, reason): (i32, Option<&str>)) {
    let Some(task) = service.tasks.get_mut(id) else { return };
    let stopped = "Essential container in task exited";
    let reason = reason.map(str::to_owned);
    match phase {
        Phase::Pending | Phase::Activating => {
            let ending = Ending {
                code: "EssentialContainerExited",
                stopped: stopped.to_owned(),
                exit: Some(code),
                container: reason,
            };
            task_step::never_started(region, service, id, ending);
        }
        Phase::Running => {
            (task.exit_code, task.container_reason) = (Some(code), reason);
            let deployment = task.deployment.clone();
            task_step::stop(region, service, id, "EssentialContainerExited", stopped);
            leave(region, service, id);
            circuit_breaker::count(region, service, &deployment, Failure::Ended);
        }
        Phase::Deactivating | Phase::Stopping => {
            (task.exit_code, task.container_reason) = (Some(code), reason);
            leave(region, service, id);
        }
        Phase::Provisioning | Phase::Deprovisioning | Phase::Stopped => {}
    }
}

/// There is no container any more: nothing drains, nothing stops.
fn leave(region: &mut Region, service: &mut Service, id: &str) {
    let Some(task) = service.tasks.get(id) else { return };
    for address in addresses(region, &task.address) {
        elb::forget(region, &address.0, &address.1);
    }
    task_step::kill(region, service, id);
    task_step::enter(region, service, id, Phase::Deprovisioning, region.settings.times.deprovision);
}

/// Where an address stands as a target.
fn addresses(region: &Region, address: &str) -> Vec<(String, (String, u16))> {
    let groups = region.elb.groups.iter();
    groups
        .flat_map(|(arn, group)| group.targets.keys().map(move |target| (arn, target)))
        .filter(|(_, target)| target.0 == address)
        .map(|(arn, target)| (arn.clone(), target.clone()))
        .collect()
}

/// The verdict of a load balancer on a target.
pub(crate) fn judge_target(region: &mut Region, group: &str, address: &(String, u16), healthy: bool) {
    if !elb::settle(region, group, address, healthy) {
        return;
    }
    let Some((key, id)) = running_at(region, &address.0) else { return };
    with(region, &key, |region, service| match healthy {
        true => assess(region, service, &id),
        false if in_grace(region, service, &id) => {}
        false => task_step::fails_target(region, service, &id, group),
    });
}

/// A target that drains has no connection left: nothing keeps its task from being stopped any more.
pub(crate) fn drained(region: &mut Region, group: &str, address: &(String, u16)) {
    elb::forget(region, group, address);
    if !addresses(region, &address.0).is_empty() {
        return;
    }
    let leaving = |task: &&Task| task.driven && task.phase == Phase::Deactivating && task.address == address.0;
    let found = region
        .ecs
        .services
        .iter()
        .find_map(|(key, service)| service.tasks.values().find(leaving).map(|task| (key.clone(), task.id.clone())));
    let Some((key, id)) = found else { return };
    with(region, &key, |region, service| {
        let Some(task) = service.tasks.get(&id) else { return };
        let patience = patience(region, task);
        task_step::enter(region, service, &id, Phase::Stopping, patience);
    });
}

/// The driven task that runs at an address.
fn running_at(region: &Region, address: &str) -> Option<(Key, String)> {
    let here = |task: &&Task| task.driven && task.phase == Phase::Running && !task.stopping && task.address == address;
    region
        .ecs
        .services
        .iter()
        .find_map(|(key, service)| service.tasks.values().find(here).map(|task| (key.clone(), task.id.clone())))
}

fn say(region: &mut Region, service: &Service, id: &str, lines: &[String]) {
    let Some(task) = service.tasks.get(id) else { return };
    let definition = task_definition::find(region, &task.definition).map(|definition| definition.body.clone());
    let Some(container) = definition.as_ref().and_then(task::main_container) else { return };
    // CloudWatch takes no empty line.
    let lines: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    logs::write_container(region, container, id, &lines);
}
