//! Service deployments: the history of a service's deployments, and how one is stopped.

use super::deployment::{self, Rollback};
use super::{cluster, scheduler, service, service_view};
use crate::arn;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::{Service, ServiceDeployment};
use serde_json::{Value, json};

/// ListServiceDeployments: newest first, by status and date.
pub(super) fn list(region: &Region, input: &Value) -> Answer {
    let key = service::key(region, input, "service")?;
    let statuses = input.texts("status");
    let created = input.member("createdAt");
    let after = created.and_then(|range| range.number("after")).unwrap_or(f64::MIN);
    let before = created.and_then(|range| range.number("before")).unwrap_or(f64::MAX);
    let service = region.ecs.services.get(&key);
    let history =
        service.into_iter().flat_map(|service| service.history.iter().rev().map(move |record| (service, record)));
    let briefs: Vec<Value> = history
        .filter(|(_, record)| statuses.is_empty() || statuses.iter().any(|status| status == record.status))
        .filter(|(_, record)| (after..=before).contains(&region.stamp(record.created)))
        .map(|(service, record)| brief(region, service, record))
        .collect();
    let page = cluster::paged(briefs, input, 20)?;
    Ok(json!({"serviceDeployments": page.items, "nextToken": page.next}))
}

fn brief(region: &Region, service: &Service, record: &ServiceDeployment) -> Value {
    let mut body = json!({
        "serviceDeploymentArn": record.arn,
        "serviceArn": service.arn,
        "clusterArn": region.arn("ecs", &format!("cluster/{}", service.cluster)),
        "startedAt": region.stamp(record.created),
        "createdAt": region.stamp(record.created),
        "targetServiceRevisionArn": record.target,
        "status": record.status,
    });
    if let Some(finished) = record.finished {
        body.put("finishedAt", json!(region.stamp(finished)));
    }
    if let Some(reason) = &record.reason {
        body.put("statusReason", json!(reason));
    }
    body
}

/// DescribeServiceDeployments: at most twenty.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let arns = input.texts("serviceDeploymentArns");
    if arns.is_empty() || arns.len() > 20 {
        return Err(Refusal::invalid("serviceDeploymentArns must have between 1 and 20 elements."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        match find(region, &arn) {
            Some((service, record)) => found.push(view(region, service, record)),
            None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
        }
    }
    Ok(json!({"serviceDeployments": found, "failures": failures}))
}

fn find<'a>(region: &'a Region, arn: &str) -> Option<(&'a Service, &'a ServiceDeployment)> {
    let mut parts = arn::tail(arn).split('/');
    let key = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let service = region.ecs.services.get(&key)?;
    service.history.iter().find(|record| record.arn == arn).map(|record| (service, record))
}

fn view(region: &Region, service: &Service, record: &ServiceDeployment) -> Value {
    let mut body = brief(region, service, record);
    let stage = record.stage.map_or("SCALE_UP", |(name, _, _)| name);
    let stage = if record.finished.is_some() { "CLEAN_UP" } else { stage };
    let sources: Value = record.sources.iter().map(|arn| summary(service, arn, None)).collect();
    body.put("updatedAt", json!(region.stamp(record.updated)));
    body.put("sourceServiceRevisions", sources);
    body.put("targetServiceRevision", summary(service, &record.target, Some(record.desired)));
    if let Some((_, production, test)) = record.stage {
        if let Some(target) = body.get_mut("targetServiceRevision") {
            target.put("requestedProductionTrafficWeight", json!(production));
            target.put("requestedTestTrafficWeight", json!(test));
        }
        for source in body.get_mut("sourceServiceRevisions").and_then(Value::as_array_mut).into_iter().flatten() {
            source.put("requestedProductionTrafficWeight", json!(100 - production));
            source.put("requestedTestTrafficWeight", json!(100 - test));
        }
    }
    body.put("lifecycleStage", json!(stage));
    body.put("deploymentConfiguration", record.configuration.clone());
    body.put("deploymentCircuitBreaker", breaker(record));
    body.put("alarms", alarms(record));
    body.as_object_mut().map(|members| members.remove("targetServiceRevisionArn"));
    if let Some(stopped) = record.stopped {
        body.put("stoppedAt", json!(region.stamp(stopped)));
    }
    if let Some(rollback) = &record.rollback {
        body.put("rollback", rollback.clone());
    }
    body
}

fn breaker(record: &ServiceDeployment) -> Value {
    let enabled = record.configuration.get("deploymentCircuitBreaker").and_then(|breaker| breaker.flag("enable"));
    let status = match enabled {
        Some(true) if record.failures >= record.threshold => "TRIGGERED",
        Some(true) if record.finished.is_some() => "MONITORING_COMPLETE",
        Some(true) => "MONITORING",
        Some(false) | None => "DISABLED",
    };
    json!({"status": status, "failureCount": record.failures, "threshold": record.threshold})
}

/// The alarms that watch a deployment; none ever goes off here.
fn alarms(record: &ServiceDeployment) -> Value {
    let alarms = record.configuration.get("alarms").unwrap_or(&Value::Null);
    let status = match alarms.flag("enable") {
        Some(true) if record.finished.is_some() => "MONITORING_COMPLETE",
        Some(true) => "MONITORING",
        Some(false) | None => "DISABLED",
    };
    json!({"status": status, "alarmNames": alarms.texts("alarmNames"), "triggeredAlarmNames": []})
}

fn summary(service: &Service, arn: &str, requested: Option<u32>) -> Value {
    let deployment = service.deployments.iter().find(|deployment| deployment.revision == arn);
    let (running, pending) = deployment.map_or((0, 0), |deployment| service_view::counts(service, &deployment.id));
    json!({
        "arn": arn,
        "requestedTaskCount": requested.map_or(running + pending, |requested| requested as usize),
        "runningTaskCount": running,
        "pendingTaskCount": pending,
    })
}

/// ContinueServiceDeployment: resumes a deployment that pauses at a hook; none ever does here.
pub(super) fn resume(region: &Region, input: &Value) -> Answer {
    find(region, input.text("serviceDeploymentArn").unwrap_or_default()).ok_or_else(missing)?;
    let message = "The service deployment is not paused at a lifecycle hook.";
    Err(Refusal::new("ConflictException", message))
}

fn missing() -> Refusal {
    let message = "The service deployment was not found.";
    Refusal::new("ServiceDeploymentNotFoundException", message)
}

/// StopServiceDeployment: rolls back, whether or not the circuit breaker would have.
pub(super) fn stop(region: &mut Region, input: &Value) -> Answer {
    let arn = input.text("serviceDeploymentArn").unwrap_or_default().to_owned();
    if input.text("stopType").is_some_and(|kind| kind != "ROLLBACK") {
        return Err(Refusal::invalid("The only supported stop type is ROLLBACK."));
    }
    let (service, record) = find(region, &arn).ok_or_else(missing)?;
    if record.status != "IN_PROGRESS" {
        let message = "The service deployment is not in a state that can be stopped.";
        return Err(Refusal::new("ConflictException", message));
    }
    let key = (service.cluster.clone(), service.name.clone());
    scheduler::with(region, &key, |region, service| {
        let cause = "The service deployment was stopped by a user.";
        deployment::fail(region, service, cause, Rollback::Wanted);
        if let Some(record) = service.history.last_mut() {
            record.stopped = Some(region.now);
        }
        scheduler::pass(region, service);
    });
    Ok(json!({"serviceDeploymentArn": arn}))
}
