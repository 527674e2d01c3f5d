//! Application Auto Scaling of ECS services: targets, policies, scheduled actions, and what they do.
//!
//! Target tracking acts on the metrics a test reports and on those a client puts into CloudWatch, scheduled actions on simulated time. Step and predictive scaling,
//! which wait for alarms and forecasts of CloudWatch, are stored and described but never act.

mod action;
mod activity;
mod policy;
mod schedule;
mod tag;
mod target;
mod tracking;

pub(crate) use action::run as run_scheduled;
pub(crate) use tracking::{evaluate, observe, report};

use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::Value;

/// Answers one Application Auto Scaling operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "RegisterScalableTarget" => target::register(region, input),
        "DeregisterScalableTarget" => target::deregister(region, input),
        "DescribeScalableTargets" => target::describe(region, input),
        "PutScalingPolicy" => policy::put(region, input),
        "DeleteScalingPolicy" => policy::delete(region, input),
        "DescribeScalingPolicies" => policy::describe(region, input),
        "PutScheduledAction" => action::put(region, input),
        "DeleteScheduledAction" => action::delete(region, input),
        "DescribeScheduledActions" => action::describe(region, input),
        "DescribeScalingActivities" => activity::describe(region, input),
        "TagResource" => tag::add(region, input),
        "UntagResource" => tag::remove(region, input),
        "ListTagsForResource" => tag::list(region, input),
        _ => Err(Refusal::unknown_operation()),
    }
}

/// The only dimension simulated.
const DIMENSION: &str = "ecs:service:DesiredCount";

/// The resource a request is about: `service/<cluster>/<service>`.
fn resource(input: &Value) -> Result<&str, Refusal> {
    check_namespace(input)?;
    if input.text("ScalableDimension").is_some_and(|dimension| dimension != DIMENSION) {
        return Err(Refusal::validation("Unsupported service namespace, resource type or scalable dimension"));
    }
    let id = input.text("ResourceId").unwrap_or_default();
    if key(id).is_none() {
        return Err(Refusal::validation(format!("Unsupported resource id: {id}")));
    }
    Ok(id)
}

fn check_namespace(input: &Value) -> Result<(), Refusal> {
    match input.text("ServiceNamespace") {
        Some("ecs") => Ok(()),
        Some(_) | None => {
            Err(Refusal::validation("Unsupported service namespace, resource type or scalable dimension"))
        }
    }
}

/// Cluster and service of a resource id.
fn key(resource: &str) -> Option<(String, String)> {
    let (cluster, service) = resource.strip_prefix("service/")?.split_once('/')?;
    (!cluster.is_empty() && !service.is_empty()).then(|| (cluster.to_owned(), service.to_owned()))
}

/// The answer when a resource is not registered.
fn unregistered(resource: &str) -> Refusal {
    let message = format!(
        "No scalable target registered for service namespace: ecs, resource ID: {resource}, scalable dimension: {DIMENSION}"
    );
    Refusal::new("ObjectNotFoundException", message)
}

/// A page of at most fifty.
fn paged(all: Vec<Value>, input: &Value) -> Result<page::Page<Value>, Refusal> {
    let size = input.whole("MaxResults").unwrap_or(50);
    let size = usize::try_from(size).ok().filter(|size| *size > 0).map(|size| size.min(50));
    let size = size.ok_or_else(|| Refusal::validation("MaxResults must be between 1 and 50"))?;
    let page = page::cut(all, input.text("NextToken"), size);
    page.ok_or_else(|| Refusal::new("InvalidNextTokenException", "The next token supplied was invalid"))
}
