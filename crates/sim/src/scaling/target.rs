//! Scalable targets: the bounds within which a service's desired count may move.

use super::{DIMENSION, activity, check_namespace, key, paged, resource, tracking, unregistered};
use crate::ecs;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::ServiceStatus;
use crate::state::scaling::{ScalableTarget, Suspended};
use crate::tag;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// RegisterScalableTarget: an upsert, in which what is absent stays.
///
/// Every call reads the current capacity and pushes it into the bounds, even one that names none.
pub(super) fn register(region: &mut Region, input: &Value) -> Answer {
    let id = resource(input)?.to_owned();
    let Some(key) = active(region, &id) else {
        return Err(Refusal::validation(format!("ECS service doesn't exist: {id}")));
    };
    let tags = tag::of_map(input.get("Tags"));
    tag::check(&tags, "ValidationException")?;
    if region.scaling.targets.len() >= 3000 && !region.scaling.targets.contains_key(&id) {
        return Err(Refusal::new("LimitExceededException", "You have reached the limit of ECS scalable targets"));
    }
    let known = region.scaling.targets.get(&id);
    if known.is_some() && !tags.is_empty() {
        return Err(Refusal::validation(
            "The scalable target that you tried to tag already exists. To update tags on an existing scalable target, use the \
             TagResource API.",
        ));
    }
    let (minimum, maximum) = bounds(known, input)?;
    let unique = region.hex(20);
    let arn = region.arn("application-autoscaling", &format!("scalable-target/0ec5{unique}"));
    let created = region.timestamp();
    let role = service_linked_role(&region.account);
    let target = region.scaling.targets.entry(id.clone()).or_insert_with(|| ScalableTarget {
        arn,
        minimum,
        maximum,
        role,
        created,
        suspended: Suspended::default(),
        tags,
        policies: BTreeMap::new(),
        actions: BTreeMap::new(),
        scaled: None,
        alarm: None,
    });
    (target.minimum, target.maximum) = (minimum, maximum);
    suspend(&mut target.suspended, input.get("SuspendedState"));
    let answer = json!({"ScalableTargetARN": target.arn});
    clamp(region, &id, &key);
    tracking::consider(region, &id);
    Ok(answer)
}

fn service_linked_role(account: &str) -> String {
    let name = "AWSServiceRoleForApplicationAutoScaling_ECSService";
    format!("arn:aws:iam::{account}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/{name}")
}

fn active(region: &Region, id: &str) -> Option<(String, String)> {
    let key = key(id)?;
    let service = region.ecs.services.get(&key)?;
    (service.status == ServiceStatus::Active).then_some(key)
}

/// Minimum and maximum: both needed at first, either optional later.
fn bounds(known: Option<&ScalableTarget>, input: &Value) -> Result<(u32, u32), Refusal> {
    let number = |name: &str| input.whole(name).map(|value| u32::try_from(value).ok().filter(|value| *value <= 5000));
    let minimum = number("MinCapacity").or(known.map(|target| Some(target.minimum)));
    let maximum = number("MaxCapacity").or(known.map(|target| Some(target.maximum)));
    let (Some(minimum), Some(maximum)) = (minimum, maximum) else {
        return Err(Refusal::validation(
            "Minimum capacity and maximum capacity are required to register a scalable target",
        ));
    };
    match minimum.zip(maximum) {
        None => Err(Refusal::validation("Capacity must be between 0 and 5000")),
        Some((minimum, maximum)) if minimum > maximum => {
            Err(Refusal::validation("Maximum capacity cannot be less than minimum capacity"))
        }
        Some(bounds) => Ok(bounds),
    }
}

fn suspend(suspended: &mut Suspended, sent: Option<&Value>) {
    let Some(sent) = sent else { return };
    suspended.scale_in = sent.flag("DynamicScalingInSuspended").unwrap_or(suspended.scale_in);
    suspended.scale_out = sent.flag("DynamicScalingOutSuspended").unwrap_or(suspended.scale_out);
    suspended.scheduled = sent.flag("ScheduledScalingSuspended").unwrap_or(suspended.scheduled);
}

/// Pushes a service into the bounds of its target.
pub(super) fn clamp(region: &mut Region, id: &str, key: &(String, String)) {
    let desired = region.ecs.services.get(key).map(|service| service.desired);
    let bounds = region.scaling.targets.get(id).map(|target| (target.minimum, target.maximum));
    let Some((desired, (minimum, maximum))) = desired.zip(bounds) else {
        return;
    };
    let clamped = desired.clamp(minimum, maximum);
    if clamped != desired {
        ecs::rescale(region, key, clamped);
        let which = if clamped > desired { "minimum" } else { "maximum" };
        let cause = format!("{which} capacity was set to {clamped}");
        activity::record(region, id, &format!("Setting desired count to {clamped}."), &cause);
    }
}

/// DeregisterScalableTarget: takes policies and scheduled actions along.
pub(super) fn deregister(region: &mut Region, input: &Value) -> Answer {
    let id = resource(input)?;
    region.scaling.targets.remove(id).map(|_| json!({})).ok_or_else(|| unregistered(id))
}

/// DescribeScalableTargets: what is not registered is simply absent.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    check_namespace(input)?;
    let ids = input.texts("ResourceIds");
    let targets = region.scaling.targets.iter().filter(|(id, _)| ids.is_empty() || ids.contains(id));
    let page = paged(targets.map(|(id, target)| view(id, target)).collect(), input)?;
    Ok(json!({"ScalableTargets": page.items, "NextToken": page.next}))
}

fn view(id: &str, target: &ScalableTarget) -> Value {
    json!({
        "ServiceNamespace": "ecs",
        "ResourceId": id,
        "ScalableDimension": DIMENSION,
        "MinCapacity": target.minimum,
        "MaxCapacity": target.maximum,
        "RoleARN": target.role,
        "CreationTime": target.created,
        "SuspendedState": {
            "DynamicScalingInSuspended": target.suspended.scale_in,
            "DynamicScalingOutSuspended": target.suspended.scale_out,
            "ScheduledScalingSuspended": target.suspended.scheduled,
        },
        "ScalableTargetARN": target.arn,
    })
}
