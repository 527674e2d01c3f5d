//! The events of ECS: found by comparing what there is with what was told last, whenever something may have moved.
//!
//! ECS developer guide, "Amazon ECS events". Nothing is looked at while there is no rule.

use super::deliver;
use crate::arn;
use crate::clock;
use crate::ecs;
use crate::input::Members;
use crate::state::Region;
use crate::state::ecs::{Rollout, Service};
use crate::state::eventbridge::Told;
use serde_json::{Value, json};
use std::time::Duration;

/// The members of a task that are moments: events write them as dates.
const MOMENTS: [&str; 9] = [
    "createdAt",
    "connectivityAt",
    "pullStartedAt",
    "pullStoppedAt",
    "startedAt",
    "stoppingAt",
    "executionStoppedAt",
    "stoppedAt",
    "updatedAt",
];

/// Which messages of a service are events, by a part of them: type, name and reason.
const ACTIONS: [(&str, &str, &str, Option<&str>); 5] = [
    ("has reached a steady state", "INFO", "SERVICE_STEADY_STATE", None),
    ("unable to consistently start tasks", "WARN", "SERVICE_TASK_START_IMPAIRED", None),
    ("unable to place a task", "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", Some("RESOURCE:FARGATE")),
    ("operations are being throttled", "ERROR", "ECS_OPERATION_THROTTLED", None),
    ("has stopped ", "INFO", "TASKS_STOPPED", None),
];

/// Tells the rules what has moved since the last time.
pub(crate) fn observe(region: &mut Region) {
    if region.eventbridge.rules.is_empty() {
        region.eventbridge.told.begun = false;
        return;
    }
    let before = std::mem::take(&mut region.eventbridge.told);
    let (told, news) = compare(region, &before);
    region.eventbridge.told = told;
    if before.begun {
        for (kind, resource, detail) in news {
            let detail = detail.unwrap_or_else(|| task(region, &resource));
            publish(region, ("aws.ecs", kind), &[resource], &detail);
        }
    }
}

/// An event's type, its resource, and its detail; that of a task is asked for only when it is told.
type News = (&'static str, String, Option<Value>);

fn compare(region: &Region, before: &Told) -> (Told, Vec<News>) {
    let mut told = Told { begun: true, ..Told::default() };
    let mut news = Vec::new();
    for service in region.ecs.services.values() {
        for task in service.tasks.values() {
            if before.tasks.get(&task.arn) != Some(&task.version) {
                news.push(("ECS Task State Change", task.arn.clone(), None));
            }
            told.tasks.insert(task.arn.clone(), task.version);
        }
        for deployment in &service.deployments {
            let state = format!("{:?}", deployment.rollout);
            if before.deployments.get(&deployment.id) != Some(&state) {
                let detail =
                    rollout(region, deployment.rollout, &deployment.id, (deployment.updated, &deployment.reason));
                news.push(("ECS Deployment State Change", service.arn.clone(), Some(detail)));
            }
            told.deployments.insert(deployment.id.clone(), state);
        }
        let newest = service.events.front().and_then(|event| event.text("id")).unwrap_or_default();
        let known = before.messages.get(&service.arn).map_or("", String::as_str);
        news.extend(actions(region, service, known));
        told.messages.insert(service.arn.clone(), newest.to_owned());
    }
    (told, news)
}

fn rollout(region: &Region, rollout: Rollout, id: &str, (updated, reason): (Duration, &str)) -> Value {
    let (kind, name) = match rollout {
        Rollout::InProgress => ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS"),
        Rollout::Completed => ("INFO", "SERVICE_DEPLOYMENT_COMPLETED"),
        Rollout::Failed => ("ERROR", "SERVICE_DEPLOYMENT_FAILED"),
    };
    let updated = clock::iso(region.settings.epoch, updated);
    json!({"eventType": kind, "eventName": name, "deploymentId": id, "updatedAt": updated, "reason": reason})
}

/// The messages of a service newer than the one known, oldest first.
fn actions(region: &Region, service: &Service, known: &str) -> Vec<News> {
    let fresh = service.events.iter().take_while(|event| event.text("id") != Some(known));
    let mut news: Vec<News> = fresh
        .filter_map(|event| {
            let message = event.text("message")?;
            let (_, kind, name, reason) = ACTIONS.iter().find(|(part, ..)| message.contains(part))?;
            let mut detail = json!({
                "eventType": kind,
                "eventName": name,
                "clusterArn": region.arn("ecs", &format!("cluster/{}", service.cluster)),
                "createdAt": clock::iso(region.settings.epoch, region.now),
            });
            if let Some(reason) = reason {
                detail.put("reason", json!(reason));
            }
            Some(("ECS Service Action", service.arn.clone(), Some(detail)))
        })
        .collect();
    news.reverse();
    news
}

/// A task as it is described, with dates.
fn task(region: &mut Region, arn: &str) -> Value {
    let cluster = arn::tail(arn).split('/').next().unwrap_or_default().to_owned();
    let request = json!({"cluster": cluster, "tasks": [arn]});
    let described = ecs::handle(region, "DescribeTasks", &request).unwrap_or(Value::Null);
    let mut task = described.items("tasks").and_then(<[Value]>::first).cloned().unwrap_or(Value::Null);
    let epoch = region.settings.epoch;
    let start = region.stamp(Duration::ZERO);
    for name in MOMENTS.into_iter().filter(|name| *name != "updatedAt") {
        if let Some(seconds) = task.number(name) {
            task.put(name, json!(clock::iso(epoch, Duration::from_secs_f64((seconds - start).max(0.0)))));
        }
    }
    task.put("updatedAt", json!(clock::iso(epoch, region.now)));
    task
}

/// Makes an event and delivers it; its id.
pub(super) fn publish(
    region: &mut Region,
    (source, kind): (&str, &str),
    resources: &[String],
    detail: &Value,
) -> String {
    region.eventbridge.sent += 1;
    let hash = arn::digest(&format!("event|{}|{}|{}", region.account, region.name, region.eventbridge.sent));
    let part = |from: usize, to: usize| hash.get(7 + from..7 + to).unwrap_or_default();
    let id = format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30));
    let time = clock::iso(region.settings.epoch, region.now);
    let event = json!({
        "version": "0",
        "id": id,
        "detail-type": kind,
        "source": source,
        "account": region.account,
        "time": format!("{}Z", time.split('.').next().unwrap_or(&time)),
        "region": region.name,
        "resources": resources,
        "detail": detail,
    });
    deliver(region, &event);
    id
}
