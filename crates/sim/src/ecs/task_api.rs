//! Operations on tasks: list, describe, stop.

use super::{cluster, scheduler, service, service_rules, task_step, task_view};
use crate::arn;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::{Service, Task};
use serde_json::{Value, json};
use std::time::Duration;

/// ListTasks: running ones unless `desiredStatus` says STOPPED; those stay visible for an hour.
pub(super) fn list(region: &Region, input: &Value) -> Answer {
    let cluster = cluster::named(region, input)?;
    if input.text("serviceName").is_some() {
        service::key(region, input, "serviceName")?;
    }
    let name = input.text("serviceName").map(arn::leaf);
    let family = input.text("family");
    let started_by = input.text("startedBy");
    check_filters(input)?;
    // No task is ever meant to be pending.
    let wanted = input.text("desiredStatus").unwrap_or("RUNNING");
    let kind = input.text("launchType");
    let services = region
        .ecs
        .services
        .values()
        .filter(|service| service.cluster == cluster && name.is_none_or(|name| service.name == name));
    let mut arns = Vec::new();
    for service in services {
        for task in service.tasks.values().filter(|task| visible(region, task)) {
            let status = if task.live() { "RUNNING" } else { "STOPPED" };
            if status != wanted || kind.is_some_and(|kind| task_view::launch_type(task) != Some(kind)) {
                continue;
            }
            let of_family = |family: &str| arn::tail(&task.definition).split(':').next() == Some(family);
            if family.is_none_or(of_family) && started_by.is_none_or(|by| task.deployment == by) {
                arns.push(task.arn.clone());
            }
        }
    }
    let page = cluster::paged(arns, input, 100)?;
    Ok(json!({"taskArns": page.items, "nextToken": page.next}))
}

fn check_filters(input: &Value) -> Result<(), Refusal> {
    service_rules::word(input, "desiredStatus", &["RUNNING", "PENDING", "STOPPED"])?;
    service_rules::word(input, "launchType", &["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"])?;
    if input.text("startedBy").is_some() && input.text("serviceName").is_some() {
        return Err(Refusal::invalid("startedBy and serviceName cannot be specified together."));
    }
    if input.text("containerInstance").is_some() {
        return Err(Refusal::invalid("Referenced container instance was not found."));
    }
    Ok(())
}

fn visible(region: &Region, task: &Task) -> bool {
    task.stopped.is_none_or(|stopped| region.now <= stopped + Duration::from_hours(1))
}

/// DescribeTasks: at most a hundred.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let cluster = cluster::named(region, input)?;
    let names = input.texts("tasks");
    if names.is_empty() {
        return Err(Refusal::invalid("Tasks cannot be empty."));
    }
    if names.len() > 100 {
        return Err(Refusal::invalid("Tasks cannot have more than 100 elements."));
    }
    let include = input.texts("include");
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        if let Some((service, task)) = find(region, &cluster, &name).filter(|(_, task)| visible(region, task)) {
            tasks.push(task_view::one(region, service, task, &include));
        } else {
            let arn = region.arn("ecs", &format!("task/{cluster}/{}", arn::leaf(&name)));
            failures.push(json!({"arn": arn, "reason": "MISSING"}));
        }
    }
    Ok(json!({"tasks": tasks, "failures": failures}))
}

/// A task of a cluster by its id or ARN, with the service it belongs to.
pub(super) fn find<'a>(region: &'a Region, cluster: &str, name: &str) -> Option<(&'a Service, &'a Task)> {
    let id = arn::leaf(name);
    let owner = region.ecs.owners.get(id).filter(|(owner, _)| owner == cluster)?;
    let service = region.ecs.services.get(owner)?;
    Some((service, service.tasks.get(id)?))
}

/// StopTask: a service replaces the task.
pub(super) fn stop(region: &mut Region, input: &Value) -> Answer {
    let cluster = cluster::named(region, input)?;
    let id = arn::leaf(input.text("task").unwrap_or_default()).to_owned();
    let reason = input.text("reason").unwrap_or("Task stopped by user").to_owned();
    let missing = || Refusal::invalid("The referenced task was not found.");
    let key = region.ecs.owners.get(&id).filter(|(owner, _)| *owner == cluster).cloned().ok_or_else(missing)?;
    scheduler::with(region, &key, |region, service| {
        task_step::stop(region, service, &id, "UserInitiated", &reason);
        scheduler::pass(region, service);
    });
    let (service, task) = find(region, &cluster, &id).ok_or_else(missing)?;
    Ok(json!({"task": task_view::one(region, service, task, &[])}))
}

/// Takes back the Spot capacity of a service's tasks: they are told to stop, and replaced when there is capacity again.
pub(crate) fn interrupt(region: &mut Region, key: &(String, String)) {
    scheduler::with(region, key, |region, service| {
        let spot = |task: &&Task| task.live() && task_view::provider(task) == Some("FARGATE_SPOT");
        let ids: Vec<String> = service.tasks.values().filter(spot).map(|task| task.id.clone()).collect();
        for id in ids {
            task_step::stop(region, service, &id, "SpotInterruption", "Your Spot Task was interrupted.");
        }
        scheduler::pass(region, service);
    });
}
