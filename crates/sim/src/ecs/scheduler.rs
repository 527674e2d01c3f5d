//! The service scheduler: starts and stops tasks until a service is as it should be, and says so.
//!
//! It runs whenever something it looks at has changed; it holds no state of its own. minimumHealthyPercent is rounded up and
//! maximumPercent down, as ECS does.

use super::{blue_green, deployment, event, protection, quota, task, task_step};
use crate::input::Members;
use crate::state::Region;
use crate::state::ecs::{Phase, Rollout, Service, ServiceStatus, Task};
use serde_json::json;
use std::time::Duration;

/// Lends a service together with its region, which a map that owns both could not.
pub(super) fn with<T>(
    region: &mut Region,
    key: &(String, String),
    work: impl FnOnce(&mut Region, &mut Service) -> T,
) -> Option<T> {
    let mut service = region.ecs.services.remove(key)?;
    let result = work(region, &mut service);
    region.ecs.services.insert(key.clone(), service);
    Some(result)
}

/// The scheduler looks at a service again.
pub(crate) fn wake(region: &mut Region, cluster: String, service: String) {
    with(region, &(cluster, service), pass);
}

/// Sets the desired count of an active service, as Application Auto Scaling does.
pub(crate) fn rescale(region: &mut Region, key: &(String, String), desired: u32) {
    with(region, key, |region, service| {
        if service.status == ServiceStatus::Active {
            service.desired = desired;
            pass(region, service);
        }
    });
}

/// One look at a service.
pub(super) fn pass(region: &mut Region, service: &mut Service) {
    forget(region, service);
    match service.status {
        ServiceStatus::Active => {
            blue_green::advance(region, service);
            stop_excess(region, service);
            start_missing(region, service);
            report_deadlock(region, service);
            forget(region, service);
            settle(region, service);
        }
        ServiceStatus::Draining => drain(region, service),
        ServiceStatus::Inactive => {}
    }
}

/// Drops tasks stopped more than an hour ago, and superseded deployments that have no tasks left.
fn forget(region: &mut Region, service: &mut Service) {
    const VISIBLE: Duration = Duration::from_hours(1);
    let now = region.now;
    service.tasks.retain(|id, task| {
        let keep = task.stopped.is_none_or(|stopped| now <= stopped + VISIBLE);
        if !keep {
            region.ecs.owners.remove(id);
        }
        keep
    });
    let busy: Vec<String> = service
        .tasks
        .values()
        .filter(|task| task.phase < Phase::Deprovisioning)
        .map(|task| task.deployment.clone())
        .collect();
    let mut first = true;
    service.deployments.retain(|deployment| std::mem::take(&mut first) || busy.contains(&deployment.id));
}

fn drain(region: &mut Region, service: &mut Service) {
    let live = ids(service, Task::live);
    let deployment = service.deployments.first().map(|primary| primary.id.clone()).unwrap_or_default();
    stop_all(region, service, &live, &format!("Scaling activity initiated by (deployment {deployment})"));
    if service.tasks.values().all(|task| task.phase == Phase::Stopped) {
        service.status = ServiceStatus::Inactive;
        service.inactive_since = Some(region.now);
        service.deployments.clear();
        service.history.clear();
        service.revisions.clear();
        service.tags.clear();
    }
}

fn ids(service: &Service, test: impl Fn(&Task) -> bool) -> Vec<String> {
    service.tasks.values().filter(|task| test(task)).map(|task| task.id.clone()).collect()
}

fn stop_all(region: &mut Region, service: &mut Service, ids: &[String], reason: &str) {
    if ids.is_empty() {
        return;
    }
    for id in ids {
        task_step::stop(region, service, id, "ServiceSchedulerInitiated", reason);
    }
    service.steady = false;
    let message = format!("has stopped {} running tasks: {}.", ids.len(), event::tasks(ids));
    event::add(region, service, &message);
}

/// A percentage of the desired count, as minimumHealthyPercent and maximumPercent bound it.
fn bounds(service: &Service) -> (usize, usize) {
    let configuration = service.config.get("deploymentConfiguration").cloned().unwrap_or_else(|| json!({}));
    let percent = |name: &str, default: u32| {
        configuration.whole(name).and_then(|percent| u32::try_from(percent).ok()).unwrap_or(default)
    };
    let least = service.desired.saturating_mul(percent("minimumHealthyPercent", 100)).div_ceil(100);
    let most = service.desired.saturating_mul(percent("maximumPercent", 200)) / 100;
    (least as usize, most as usize)
}

/// Stops what is too much: tasks of the primary deployment above the desired count, and the tasks of older ones as far as
/// enough healthy ones remain.
fn stop_excess(region: &mut Region, service: &mut Service) {
    let Some(primary) = service.deployments.first() else {
        return;
    };
    let (id, failed) = (primary.id.clone(), primary.rollout == Rollout::Failed);
    let reason = format!("Scaling activity initiated by (deployment {id})");
    let mut current: Vec<(bool, Duration, String)> = service
        .tasks
        .values()
        .filter(|task| task.deployment == id && task.live())
        .map(|task| (task.ready, task.created, task.id.clone()))
        .collect();
    current.sort();
    let surplus = current.len().saturating_sub(service.desired as usize);
    current.retain(|(_, _, id)| service.tasks.get(id).is_some_and(|task| !protection::held(region, task)));
    if surplus > current.len() {
        let message = "was unable to reach steady state because it was unable to scale in. Reason: The number of protected \
                       tasks are more than the desired count of tasks.";
        event::add_once(region, service, message);
    }
    let mut stop: Vec<String> = current.into_iter().take(surplus).map(|(_, _, id)| id).collect();
    // The old side of a blue/green deployment stays until the new one has proved itself.
    let kept = blue_green::stage(region, service).is_some_and(|stage| stage.name != "CLEAN_UP");
    if !failed && !kept {
        stop.extend(outdated(region, service, &id, &stop));
    }
    if !failed && kept {
        stop.extend(superseded(region, service, &id));
    }
    stop_all(region, service, &stop, &reason);
}

/// Tasks of deployments that a newer one came before, and that never had the production traffic.
fn superseded(region: &Region, service: &Service, primary: &str) -> Vec<String> {
    let blue = blue_green::blue(service).map(|blue| blue.id.clone()).unwrap_or_default();
    let old = |task: &&Task| task.live() && task.deployment != primary && task.deployment != blue;
    let old = service.tasks.values().filter(old);
    old.filter(|task| !protection::held(region, task)).map(|task| task.id.clone()).collect()
}

/// Tasks of older deployments that may go: unready ones at once, ready ones while enough others are.
fn outdated(region: &Region, service: &Service, primary: &str, stopping: &[String]) -> Vec<String> {
    let (least, _) = bounds(service);
    let ready = service.tasks.values().filter(|task| task.live() && task.ready && !stopping.contains(&task.id)).count();
    let mut spare = ready.saturating_sub(least);
    let old = service
        .tasks
        .values()
        .filter(|task| task.live() && task.deployment != primary && !protection::held(region, task));
    old.filter(|task| {
        let may_go = !task.ready || spare > 0;
        spare -= usize::from(task.ready && spare > 0);
        may_go
    })
    .map(|task| task.id.clone())
    .collect()
}

/// Starts what is missing in the primary deployment, as far as maximumPercent leaves room.
fn start_missing(region: &mut Region, service: &mut Service) {
    let Some(primary) = service.deployments.first() else {
        return;
    };
    if primary.rollout == Rollout::Failed || region.now < service.launch_after {
        return;
    }
    let live = service.tasks.values().filter(|task| task.deployment == primary.id && task.live()).count();
    let counted = service.tasks.values().filter(|task| task.phase <= Phase::Stopping).count();
    let most = if blue_green::shifts(service) { service.desired as usize * 2 } else { bounds(service).1 };
    let missing = (service.desired as usize).saturating_sub(live).min(most.saturating_sub(counted));
    if missing == 0 {
        return;
    }
    if service.config.text("launchType") == Some("EC2") {
        let message = "was unable to place a task because no container instance met all of its requirements. Reason: No \
                       Container Instances were found in your cluster.";
        return event::add_once(region, service, message);
    }
    let allowed = quota::allowed(region, service).min(missing);
    let (placed, allowed) = (allowed, quota::pace(region, service).min(allowed));
    let started: Vec<String> = (0..allowed).filter_map(|_| task::launch(region, service)).collect();
    service.steady = false;
    if !started.is_empty() {
        let message = format!("has started {} tasks: {}.", started.len(), event::tasks(&started));
        event::add(region, service, &message);
    }
    if placed < missing {
        quota::retry(region, service);
    } else if allowed < placed {
        quota::wait(region, service);
    }
}

/// Says so when the deployment configuration allows neither a start nor a stop.
fn report_deadlock(region: &mut Region, service: &mut Service) {
    let Some(primary) = service.deployments.first() else {
        return;
    };
    let live = service.tasks.values().filter(|task| task.deployment == primary.id && task.live()).count();
    let quiet = service.tasks.values().all(|task| task.phase == Phase::Stopped || (task.live() && task.ready));
    let waiting = region.now < service.launch_after || primary.rollout == Rollout::Failed;
    let fargate = service.config.text("launchType") != Some("EC2");
    if live < service.desired as usize && quiet && !waiting && fargate {
        let message = "was unable to stop or start tasks during a deployment because of the service deployment \
                       configuration. Update the minimumHealthyPercent or maximumPercent value and try again.";
        event::add_once(region, service, message);
    }
}

/// Completes the deployment and says "steady state" once every task is of the primary deployment and ready.
fn settle(region: &mut Region, service: &mut Service) {
    let Some(primary) = service.deployments.first() else {
        return;
    };
    let ready = service.tasks.values().filter(|t| t.deployment == primary.id && t.live() && t.ready).count();
    let live = service.tasks.values().filter(|t| t.live()).count();
    let wanted = service.desired as usize;
    let done = ready == wanted && live == wanted && service.deployments.len() == 1;
    if !done || primary.rollout == Rollout::Failed {
        return;
    }
    if primary.rollout == Rollout::InProgress {
        deployment::complete(region, service);
    }
    if !service.steady {
        service.steady = true;
        event::add(region, service, "has reached a steady state.");
    }
}
