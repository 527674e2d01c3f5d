//! Deployments of a service: how one starts, completes, fails and is rolled back.
//!
//! Each keeps two records in step: the entry in `deployments[]`, which lives as long as it has tasks, and the service
//! deployment, which is history.

use super::{blue_green, circuit_breaker, event, service_revision};
use crate::input::Members;
use crate::state::Region;
use crate::state::ecs::{Deployment, Rollout, Service, ServiceDeployment};
use serde_json::{Value, json};

/// The settings a deployment fixes for its tasks.
const SETTINGS: [&str; 10] = [
    "networkConfiguration",
    "platformVersion",
    "platformFamily",
    "launchType",
    "capacityProviderStrategy",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// Starts a deployment of the service's present settings; the running one becomes ACTIVE and its record STOPPED.
pub(super) fn start(region: &mut Region, service: &mut Service) {
    let now = region.now;
    let id = format!("ecs-svc/{}", region.digits(19));
    let settings = settings(service);
    let task_definition = service.config.text("taskDefinition").unwrap_or_default().to_owned();
    let revision = service_revision::record(region, service, &settings);
    let before = blue_green::blue(service).map(|before| before.alternate);
    let alternate = blue_green::shifts(service) && before == Some(false);
    if let (Some(body), Some(resolved)) = (service.revisions.last_mut(), blue_green::resolved(&settings, alternate)) {
        body.put("resolvedConfiguration", resolved);
    }
    let first = before.is_none();
    let deployment = Deployment {
        reason: format!("ECS deployment {id} in progress."),
        id,
        revision,
        task_definition,
        settings,
        created: now,
        updated: now,
        failed: 0,
        rollout: Rollout::InProgress,
        reached_running: false,
        alternate,
        scaled: None,
    };
    supersede(region, service);
    open(region, service, &deployment);
    service.deployments.insert(0, deployment);
    if first {
        blue_green::settle(region, service);
    }
    (service.steady, service.failures, service.launch_after) = (false, 0, now);
}

fn settings(service: &Service) -> Value {
    let mut settings = json!({});
    for name in SETTINGS {
        if let Some(value) = service.config.member(name).or_else(|| service.hidden.member(name)) {
            settings.put(name, value.clone());
        }
    }
    settings
}

/// The record of a deployment that was still going when a newer one came.
fn supersede(region: &Region, service: &mut Service) {
    let Some(record) = service.history.last_mut() else {
        return;
    };
    if matches!(record.status, "PENDING" | "IN_PROGRESS" | "ROLLBACK_IN_PROGRESS") {
        record.status = "STOPPED";
        record.reason =
            Some("The service deployment was stopped because a new service deployment was started.".to_owned());
        (record.updated, record.stopped, record.finished) = (region.now, Some(region.now), Some(region.now));
    }
}

fn open(region: &mut Region, service: &mut Service, deployment: &Deployment) {
    let id = region.hex(22);
    let before = service.deployments.first();
    let sources = before.map(|before| before.revision.clone()).into_iter().collect();
    let resource = format!("service-deployment/{}/{}/{id}", service.cluster, service.name);
    service.history.push(ServiceDeployment {
        arn: region.arn("ecs", &resource),
        status: "IN_PROGRESS",
        reason: None,
        created: region.now,
        updated: region.now,
        finished: None,
        stopped: None,
        sources,
        target: deployment.revision.clone(),
        rollback: None,
        configuration: service.config.get("deploymentConfiguration").cloned().unwrap_or(Value::Null),
        failures: 0,
        threshold: circuit_breaker::threshold(service),
        desired: service.desired,
        stage: None,
    });
}

/// Marks the primary deployment completed.
pub(super) fn complete(region: &mut Region, service: &mut Service) {
    let now = region.now;
    let Some(primary) = service.deployments.first_mut() else {
        return;
    };
    primary.rollout = Rollout::Completed;
    primary.updated = now;
    primary.reason = format!("ECS deployment {} completed.", primary.id);
    let message = format!("(deployment {}) deployment completed.", primary.id);
    service.completed = Some(primary.clone());
    if let Some(record) = service.history.last_mut() {
        record.status = if record.rollback.is_some() { "ROLLBACK_SUCCESSFUL" } else { "SUCCESSFUL" };
        (record.updated, record.finished) = (now, Some(now));
    }
    event::add(region, service, &message);
}

/// Fails the primary deployment, and rolls back to the last completed one when there is one and it is wanted.
///
/// Without one the deployment just stalls: it launches nothing more.
pub(super) fn fail(region: &mut Region, service: &mut Service, cause: &str, rollback: Rollback) {
    let now = region.now;
    let target = service.completed.clone();
    let Some(primary) = service.deployments.first_mut() else {
        return;
    };
    primary.rollout = Rollout::Failed;
    primary.updated = now;
    cause.clone_into(&mut primary.reason);
    let message = format!("(deployment {}) deployment failed: {}", primary.id, lower(cause));
    if let Some(record) = service.history.last_mut() {
        record.updated = now;
        record.reason = Some(cause.to_owned());
    }
    event::add(region, service, &message);
    match (rollback, target) {
        (Rollback::Wanted, Some(target)) => roll_back(region, service, target, cause),
        (Rollback::Wanted, None) => end(region, service, "ROLLBACK_FAILED"),
        (Rollback::Unwanted, _) => end(region, service, "STOPPED"),
    }
}

/// Whether a failed deployment shall be undone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rollback {
    Wanted,
    Unwanted,
}

fn lower(cause: &str) -> String {
    cause.trim_start_matches("ECS deployment circuit breaker: ").to_owned()
}

fn end(region: &Region, service: &mut Service, status: &'static str) {
    if let Some(record) = service.history.last_mut() {
        record.status = status;
        (record.finished, record.stopped) = (Some(region.now), Some(region.now));
    }
}

/// Puts the last completed deployment back in front. Its running tasks, if any are left, are kept.
fn roll_back(region: &mut Region, service: &mut Service, mut target: Deployment, cause: &str) {
    let now = region.now;
    restore(service, &target);
    if let Some(record) = service.history.last_mut() {
        record.status = "ROLLBACK_IN_PROGRESS";
        record.rollback = Some(json!({
            "reason": cause,
            "startedAt": region.stamp(now),
            "serviceRevisionArn": target.revision,
        }));
    }
    target.reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {}.", target.id);
    let message = format!("rolling back to (deployment {}).", target.id);
    service.deployments.retain(|deployment| deployment.id != target.id);
    (target.rollout, target.updated, target.failed, target.reached_running) = (Rollout::InProgress, now, 0, false);
    service.deployments.insert(0, target);
    blue_green::settle(region, service);
    // Not eligible again until it completes.
    service.completed = None;
    (service.steady, service.failures, service.launch_after) = (false, 0, now);
    event::add(region, service, &message);
}

/// Gives the service back the settings of a deployment.
fn restore(service: &mut Service, target: &Deployment) {
    for name in SETTINGS {
        let hidden = super::service_input::HIDDEN.contains(&name);
        let home = if hidden { &mut service.hidden } else { &mut service.config };
        let Some(members) = home.as_object_mut() else { continue };
        match target.settings.member(name) {
            Some(value) => members.insert(name.to_owned(), value.clone()),
            None => members.remove(name),
        };
    }
    service.config.put("taskDefinition", json!(target.task_definition));
}
