//! Task protection: tasks that neither scale-in nor a deployment may stop, for a while.
//!
//! ECS API reference, UpdateTaskProtection: two hours unless said, at most two days; tasks of services only.

use super::{cluster, scheduler, task_api};
use crate::arn;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::ecs::Task;
use crate::state::{Region, Timer};
use serde_json::{Value, json};
use std::time::Duration;

/// UpdateTaskProtection.
pub(super) fn update(region: &mut Region, input: &Value) -> Answer {
    let cluster = cluster::named(region, input)?;
    let names = names(input, 10)?;
    let Some(enabled) = input.flag("protectionEnabled") else {
        return Err(Refusal::invalid("protectionEnabled can not be blank."));
    };
    let minutes = input.whole("expiresInMinutes").unwrap_or(120);
    let minutes = u64::try_from(minutes).ok().filter(|minutes| (1..=2880).contains(minutes));
    let minutes = minutes.ok_or_else(|| Refusal::invalid("expiresInMinutes must be between 1 and 2880."))?;
    let until = enabled.then(|| region.now + Duration::from_mins(minutes));
    let (mut protected, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match protect(region, &cluster, &name, until) {
            Ok(view) => protected.push(view),
            Err(failure) => failures.push(failure),
        }
    }
    Ok(json!({"protectedTasks": protected, "failures": failures}))
}

/// GetTaskProtection: the tasks named, or every protected one of the cluster.
pub(super) fn get(region: &Region, input: &Value) -> Answer {
    let cluster = cluster::named(region, input)?;
    let (mut protected, mut failures) = (Vec::new(), Vec::new());
    if input.items("tasks").is_none_or(<[Value]>::is_empty) {
        let services = region.ecs.services.values().filter(|service| service.cluster == cluster);
        let tasks = services.flat_map(|service| service.tasks.values());
        protected.extend(tasks.filter(|task| held(region, task)).map(|task| view(region, task)));
        return Ok(json!({"protectedTasks": protected, "failures": []}));
    }
    for name in names(input, 100)? {
        match known(region, &cluster, &name) {
            Ok(task) => protected.push(view(region, task)),
            Err(failure) => failures.push(failure),
        }
    }
    Ok(json!({"protectedTasks": protected, "failures": failures}))
}

fn names(input: &Value, most: usize) -> Result<Vec<String>, Refusal> {
    let names = input.texts("tasks");
    if names.is_empty() || names.len() > most {
        return Err(Refusal::invalid(format!("Tasks must have between 1 and {most} elements.")));
    }
    Ok(names)
}

/// Whether the scheduler may not stop a task.
pub(super) fn held(region: &Region, task: &Task) -> bool {
    task.protected.is_some_and(|until| region.now < until)
}

/// A live task of a service, or the failure that says what it is instead.
fn known<'a>(region: &'a Region, cluster: &str, name: &str) -> Result<&'a Task, Value> {
    let id = arn::leaf(name);
    let arn = region.arn("ecs", &format!("task/{cluster}/{id}"));
    let Some((service, task)) = task_api::find(region, cluster, id) else {
        return Err(json!({"arn": arn, "reason": "MISSING"}));
    };
    if service.name.is_empty() || !task.live() {
        let detail = "The task is not part of a service, or is not running.";
        return Err(json!({"arn": arn, "reason": "TASK_NOT_VALID", "detail": detail}));
    }
    Ok(task)
}

fn protect(region: &mut Region, cluster: &str, name: &str, until: Option<Duration>) -> Result<Value, Value> {
    let id = known(region, cluster, name)?.id.clone();
    let Some(key) = region.ecs.owners.get(&id).cloned() else {
        return Err(json!({"arn": name, "reason": "MISSING"}));
    };
    scheduler::with(region, &key, |region, service| {
        if let Some(task) = service.tasks.get_mut(&id) {
            task.protected = until;
        }
        scheduler::pass(region, service);
    });
    if let Some(until) = until {
        let timer = Timer::Service { cluster: key.0, service: key.1 };
        region.after(until.saturating_sub(region.now), timer);
    }
    known(region, cluster, name).map(|task| view(region, task))
}

fn view(region: &Region, task: &Task) -> Value {
    let until = task.protected.filter(|_| held(region, task));
    json!({
        "taskArn": task.arn,
        "protectionEnabled": until.is_some(),
        "expirationDate": until.map(|until| region.stamp(until)),
    })
}
