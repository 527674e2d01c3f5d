//! Scaling policies: an upsert by name, with the two alarms target tracking makes for itself.

use super::{DIMENSION, check_namespace, key, paged, resource, tracking, unregistered};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};

/// PutScalingPolicy.
pub(super) fn put(region: &mut Region, input: &Value) -> Answer {
    let id = resource(input)?.to_owned();
    let name = input.text("PolicyName").unwrap_or_default().to_owned();
    let target = region.scaling.targets.get(&id).ok_or_else(|| unregistered(&id))?;
    let known = target.policies.get(&name).cloned();
    if known.is_none() && target.policies.len() >= 50 {
        return Err(Refusal::new("LimitExceededException", "Too many scaling policies for the scalable target"));
    }
    if !(1..=256).contains(&name.len()) {
        return Err(Refusal::validation("PolicyName must have between 1 and 256 characters"));
    }
    let before = known.as_ref().and_then(|policy| policy.text("PolicyType")).map(str::to_owned);
    let kind = input.text("PolicyType").map(str::to_owned).or(before).unwrap_or_else(|| "StepScaling".to_owned());
    match kind.as_str() {
        "TargetTrackingScaling" => check_tracking(region, &id, input.get("TargetTrackingScalingPolicyConfiguration"))?,
        "StepScaling" => check_steps(input.get("StepScalingPolicyConfiguration"))?,
        "PredictiveScaling" if input.member("PredictiveScalingPolicyConfiguration").is_some() => {}
        _ => {
            return Err(Refusal::validation(format!(
                "The policy type {kind} is not valid, or lacks its configuration"
            )));
        }
    }
    let policy = known.unwrap_or_else(|| fresh(region, &id, &name, &kind));
    let policy = configured(policy, &kind, input);
    let answer = json!({"PolicyARN": policy["PolicyARN"], "Alarms": policy["Alarms"]});
    if let Some(target) = region.scaling.targets.get_mut(&id) {
        target.policies.insert(name, policy);
    }
    tracking::consider(region, &id);
    Ok(answer)
}

fn fresh(region: &mut Region, id: &str, name: &str, kind: &str) -> Value {
    let unique = region.uuid();
    let arn = region.arn("autoscaling", &format!("scalingPolicy:{unique}:resource/ecs/{id}:policyName/{name}"));
    let mut alarms = Vec::new();
    if kind == "TargetTrackingScaling" {
        for end in ["AlarmHigh", "AlarmLow"] {
            let alarm = format!("TargetTracking-{id}-{end}-{}", region.uuid());
            let alarm_arn = region.arn("cloudwatch", &format!("alarm:{alarm}"));
            alarms.push(json!({"AlarmName": alarm, "AlarmARN": alarm_arn}));
        }
    }
    json!({
        "PolicyARN": arn,
        "PolicyName": name,
        "ServiceNamespace": "ecs",
        "ResourceId": id,
        "ScalableDimension": DIMENSION,
        "Alarms": alarms,
        "CreationTime": region.timestamp(),
    })
}

fn configured(mut policy: Value, kind: &str, input: &Value) -> Value {
    policy.put("PolicyType", json!(kind));
    for name in [
        "TargetTrackingScalingPolicyConfiguration",
        "StepScalingPolicyConfiguration",
        "PredictiveScalingPolicyConfiguration",
    ] {
        if let Some(value) = input.member(name) {
            policy.put(name, value.clone());
        }
    }
    policy
}

fn check_tracking(region: &Region, id: &str, configuration: Option<&Value>) -> Result<(), Refusal> {
    let Some(configuration) = configuration.filter(|configuration| configuration.is_object()) else {
        return Err(Refusal::validation("TargetTrackingScalingPolicyConfiguration is required"));
    };
    if configuration.number("TargetValue").is_none_or(|value| value <= 0.0) {
        return Err(Refusal::validation("TargetValue must be greater than 0"));
    }
    let predefined = configuration.member("PredefinedMetricSpecification");
    let custom = configuration.member("CustomizedMetricSpecification");
    match (predefined, custom) {
        (Some(metric), None) => check_metric(region, id, metric),
        (None, Some(_)) => Ok(()),
        (Some(_), Some(_)) | (None, None) => Err(Refusal::validation(
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified",
        )),
    }
}

fn check_steps(configuration: Option<&Value>) -> Result<(), Refusal> {
    let configuration = configuration.unwrap_or(&Value::Null);
    let steps = configuration.items("StepAdjustments").unwrap_or_default();
    let kind = configuration.text("AdjustmentType").unwrap_or_default();
    if !matches!(kind, "ChangeInCapacity" | "PercentChangeInCapacity" | "ExactCapacity") {
        return Err(Refusal::validation(format!("AdjustmentType '{kind}' is not valid")));
    }
    if steps.is_empty() {
        return Err(Refusal::validation("At least one StepAdjustment must be specified"));
    }
    if steps.len() > 20 {
        return Err(Refusal::new(
            "LimitExceededException",
            "A step scaling policy can have at most 20 step adjustments",
        ));
    }
    let backward = steps.iter().any(|step| {
        let bounds = step.number("MetricIntervalLowerBound").zip(step.number("MetricIntervalUpperBound"));
        bounds.is_some_and(|(lower, upper)| lower >= upper)
    });
    if backward || steps.iter().any(|step| step.whole("ScalingAdjustment").is_none()) {
        return Err(Refusal::validation(
            "Each StepAdjustment needs a lower bound below its upper bound and an adjustment",
        ));
    }
    Ok(())
}

fn check_metric(region: &Region, id: &str, metric: &Value) -> Result<(), Refusal> {
    let label = metric.text("ResourceLabel");
    match metric.text("PredefinedMetricType") {
        Some("ECSServiceAverageCPUUtilization" | "ECSServiceAverageMemoryUtilization") => no_label(label),
        Some("ECSServiceAverageCPUUtilizationHighResolution" | "ECSServiceAverageMemoryUtilizationHighResolution") => {
            let service = key(id).and_then(|key| region.ecs.services.get(&key));
            if service.is_some_and(|service| service.hidden.member("monitoring").is_some()) {
                no_label(label)
            } else {
                Err(Refusal::validation("High resolution metrics need the service's monitoring configuration"))
            }
        }
        Some("ALBRequestCountPerTarget") => check_label(region, id, label),
        Some(_) | None => Err(Refusal::validation("The predefined metric type is not valid for the service namespace")),
    }
}

fn no_label(label: Option<&str>) -> Result<(), Refusal> {
    match label {
        None => Ok(()),
        Some(_) => Err(Refusal::validation("ResourceLabel can only be specified with ALBRequestCountPerTarget")),
    }
}

/// `app/<name>/<id>/targetgroup/<name>/<id>`: the ends of the two ARNs, of a target group the service is behind.
fn check_label(region: &Region, id: &str, label: Option<&str>) -> Result<(), Refusal> {
    let invalid =
        || Refusal::validation("The resource label is not valid, or its target group is not attached to the service");
    let (balancer, group) = label.and_then(|label| label.split_once("/targetgroup/")).ok_or_else(invalid)?;
    let service = key(id).and_then(|key| region.ecs.services.get(&key)).ok_or_else(invalid)?;
    let groups = service.config.items("loadBalancers").unwrap_or_default().iter();
    let attached = groups
        .filter_map(|group| group.text("targetGroupArn"))
        .any(|arn| arn.ends_with(&format!("targetgroup/{group}")));
    let known = region.elb.balancers.keys().any(|arn| arn.ends_with(&format!("loadbalancer/{balancer}")));
    if attached && known && balancer.starts_with("app/") { Ok(()) } else { Err(invalid()) }
}

/// DeleteScalingPolicy.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let id = resource(input)?;
    let name = input.text("PolicyName").unwrap_or_default();
    let target = region.scaling.targets.get_mut(id).ok_or_else(|| unregistered(id))?;
    let missing = || {
        let message = format!(
            "No scaling policy found for service namespace: ecs, resource ID: {id}, scalable dimension: {DIMENSION}: {name}"
        );
        Refusal::new("ObjectNotFoundException", message)
    };
    target.policies.remove(name).map(|_| json!({})).ok_or_else(missing)
}

/// DescribeScalingPolicies: by resource, by names.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    check_namespace(input)?;
    let (wanted, names) = (input.text("ResourceId"), input.texts("PolicyNames"));
    let targets = region.scaling.targets.iter().filter(|(id, _)| wanted.is_none_or(|wanted| wanted == *id));
    let policies = targets.flat_map(|(_, target)| &target.policies);
    let wanted = policies.filter(|(name, _)| names.is_empty() || names.contains(name));
    let page = paged(wanted.map(|(_, policy)| policy.clone()).collect(), input)?;
    Ok(json!({"ScalingPolicies": page.items, "NextToken": page.next}))
}
