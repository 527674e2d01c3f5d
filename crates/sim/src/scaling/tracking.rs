//! Target tracking: moves a service's desired count so that a metric comes near its target.
//!
//! Application Auto Scaling user guide, "Target tracking scaling policies": cooldown 300 s for ECS, no scale-in while a
//! deployment runs, nothing at all without data. Between nine tenths of the target and the target nothing happens.

use super::{activity, key};
use crate::ecs;
use crate::input::Members;
use crate::state::ecs::{Rollout, ServiceStatus};
use crate::state::{Region, Timer};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// CloudWatch reports the CPU of a service.
pub(crate) fn observe(region: &mut Region, id: &str, cpu: f64) {
    measure(region, id, "ECSServiceAverageCPUUtilization", cpu);
}

/// CloudWatch reports a metric of a service: a predefined one by its type, a customized one by its name.
pub(crate) fn measure(region: &mut Region, id: &str, metric: &str, value: f64) {
    region.scaling.metrics.insert((id.to_owned(), metric.to_owned()), value);
    consider(region, id);
}

/// A client puts a metric into CloudWatch: every policy customized to follow it sees it.
pub(crate) fn report(region: &mut Region, metric: &Value, value: f64) {
    let follows = |policy: &Value| {
        let tracking = policy.member("TargetTrackingScalingPolicyConfiguration");
        let custom = tracking.and_then(|tracking| tracking.member("CustomizedMetricSpecification"));
        custom.is_some_and(|custom| {
            let same = |member: &str| custom.text(member) == metric.text(member);
            same("Namespace") && same("MetricName") && dimensions(custom) == dimensions(metric)
        })
    };
    let targets = region.scaling.targets.iter().filter(|(_, target)| target.policies.values().any(follows));
    let followers: Vec<String> = targets.map(|(id, _)| id.clone()).collect();
    for id in followers {
        measure(region, &id, metric.text("MetricName").unwrap_or_default(), value);
    }
}

fn dimensions(metric: &Value) -> BTreeSet<(Option<&str>, Option<&str>)> {
    let list = metric.items("Dimensions").unwrap_or_default();
    list.iter().map(|one| (one.text("Name"), one.text("Value"))).collect()
}

/// What a policy wants, and how long after the last change it may have it.
struct Wish {
    desired: u32,
    cooldown: Duration,
}

/// Sets the alarm of a resource whose capacity should change, unless it is set already.
pub(super) fn consider(region: &mut Region, id: &str) {
    let Some(wish) = wish(region, id) else { return };
    // Never at once: a metric that stays where it is must not be acted on twice in one instant.
    let least = region.settings.times.alarm.max(Duration::from_secs(1));
    let now = region.now;
    let Some(target) = region.scaling.targets.get_mut(id).filter(|target| target.alarm.is_none()) else {
        return;
    };
    let cooled = target.scaled.map_or(Duration::ZERO, |scaled| (scaled + wish.cooldown).saturating_sub(now));
    let delay = least.max(cooled);
    target.alarm = Some(now + delay);
    region.after(delay, Timer::Alarm { resource: id.to_owned() });
}

/// The alarm goes off: scales if that is still wanted.
pub(crate) fn evaluate(region: &mut Region, id: &str) {
    let now = region.now;
    let Some(target) = region.scaling.targets.get_mut(id) else {
        return;
    };
    target.alarm = None;
    let scaled = target.scaled;
    let cooled = |wish: &Wish| scaled.is_none_or(|scaled| now >= scaled + wish.cooldown);
    if let (Some(wish), Some(key)) = (wish(region, id).filter(cooled), key(id)) {
        ecs::rescale(region, &key, wish.desired);
        let alarm = format!("monitor alarm TargetTracking-{id} in state ALARM triggered a target tracking policy");
        activity::record(region, id, &format!("Setting desired count to {}.", wish.desired), &alarm);
        if let Some(target) = region.scaling.targets.get_mut(id) {
            target.scaled = Some(now);
        }
    }
    consider(region, id);
}

/// The largest capacity any policy wants, if it is not the present one and may be had now.
fn wish(region: &Region, id: &str) -> Option<Wish> {
    let target = region.scaling.targets.get(id)?;
    let service = region.ecs.services.get(&key(id)?)?;
    let current = service.desired;
    if service.status != ServiceStatus::Active || current == 0 {
        return None;
    }
    let wishes = target.policies.values().filter_map(|policy| wanted(region, id, policy, current));
    let mut wish = wishes.max_by_key(|wish| wish.desired)?;
    wish.desired = wish.desired.clamp(target.minimum, target.maximum);
    let deploying = service.deployments.first().is_some_and(|primary| primary.rollout == Rollout::InProgress);
    let allowed = if wish.desired > current {
        !target.suspended.scale_out
    } else {
        wish.desired < current && !target.suspended.scale_in && !deploying
    };
    allowed.then_some(wish)
}

/// The metric a policy tracks; the high-resolution one is the same metric, seen more often.
fn metric(configuration: &Value) -> Option<&str> {
    let predefined = configuration.member("PredefinedMetricSpecification").and_then(|p| p.text("PredefinedMetricType"));
    let custom = configuration.member("CustomizedMetricSpecification").and_then(|custom| custom.text("MetricName"));
    Some(predefined.or(custom)?.trim_end_matches("HighResolution"))
}

fn wanted(region: &Region, id: &str, policy: &Value, current: u32) -> Option<Wish> {
    let configuration = policy.member("TargetTrackingScalingPolicyConfiguration")?;
    let key = (id.to_owned(), metric(configuration)?.to_owned());
    let value = *region.scaling.metrics.get(&key)?;
    let target = configuration.number("TargetValue").filter(|target| *target > 0.0)?;
    // A policy that may not scale in has no say in it.
    if value <= target && configuration.flag("DisableScaleIn").unwrap_or(false) {
        return None;
    }
    let proportional = capacity(f64::from(current) * value / target);
    let desired = if value > target || value <= 0.9 * target { proportional } else { current };
    let cooldown = cooldown(configuration, desired > current);
    Some(Wish { desired, cooldown })
}

fn cooldown(configuration: &Value, out: bool) -> Duration {
    let member = if out { "ScaleOutCooldown" } else { "ScaleInCooldown" };
    configuration.seconds(member).unwrap_or(Duration::from_mins(5))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what ECS takes")]
fn capacity(exact: f64) -> u32 {
    exact.ceil().clamp(0.0, 5000.0) as u32
}

#[cfg(test)]
mod tests {
    use super::measure;
    use crate::Settings;
    use crate::state::Region;
    use crate::{ecs, scaling};
    use serde_json::{Value, json};
    use std::sync::Arc;

    const ID: &str = "service/blue/agent";

    /// A region with a service of two tasks and these policies: metric, target value, whether it may scale in.
    fn region(policies: &[(&str, f64, bool)]) -> Region {
        let mut region = Region::new("111122223333", "us-east-1", Arc::new(Settings::default()));
        ecs(&mut region, "CreateCluster", &json!({"clusterName": "blue"}));
        let containers = json!([{"name": "app", "image": "agent"}]);
        let definition = json!({"family": "agent", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512", "containerDefinitions": containers});
        ecs(&mut region, "RegisterTaskDefinition", &definition);
        let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
        let service = json!({"cluster": "blue", "serviceName": "agent", "taskDefinition": "agent", "desiredCount": 2,
            "launchType": "FARGATE", "networkConfiguration": network});
        ecs(&mut region, "CreateService", &service);
        aas(&mut region, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 9}));
        for (metric, target, scale_in) in policies {
            let metric = json!({"PredefinedMetricType": metric});
            let tracking =
                json!({"TargetValue": target, "PredefinedMetricSpecification": metric, "DisableScaleIn": !scale_in});
            let policy = json!({"PolicyName": metric.to_string(), "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": tracking});
            aas(&mut region, "PutScalingPolicy", policy);
        }
        pass(&mut region, 60);
        region
    }

    fn ecs(region: &mut Region, operation: &str, input: &Value) {
        ecs::handle(region, operation, input).unwrap();
    }

    fn aas(region: &mut Region, operation: &str, mut input: Value) {
        let members = input.as_object_mut().unwrap();
        members.insert("ServiceNamespace".to_owned(), json!("ecs"));
        members.insert("ResourceId".to_owned(), json!(ID));
        members.insert("ScalableDimension".to_owned(), json!("ecs:service:DesiredCount"));
        scaling::handle(region, operation, &input).unwrap();
    }

    fn pass(region: &mut Region, seconds: u64) {
        let until = region.now + std::time::Duration::from_secs(seconds);
        crate::world::advance(region, until);
    }

    fn desired(region: &Region) -> u32 {
        region.ecs.services[&("blue".to_owned(), "agent".to_owned())].desired
    }

    const CPU: &str = "ECSServiceAverageCPUUtilization";
    const MEMORY: &str = "ECSServiceAverageMemoryUtilization";

    #[test]
    fn the_policy_that_wants_most_wins() {
        let mut region = region(&[(CPU, 50.0, true), (MEMORY, 50.0, true)]);
        measure(&mut region, ID, CPU, 10.0);
        measure(&mut region, ID, MEMORY, 100.0);
        pass(&mut region, 120);
        assert_eq!(desired(&region), 4);
    }

    #[test]
    fn it_scales_in_only_when_all_agree() {
        let mut region = region(&[(CPU, 50.0, true), (MEMORY, 50.0, true)]);
        measure(&mut region, ID, MEMORY, 49.0);
        measure(&mut region, ID, CPU, 10.0);
        pass(&mut region, 120);
        assert_eq!(desired(&region), 2);
        measure(&mut region, ID, MEMORY, 10.0);
        pass(&mut region, 120);
        assert_eq!(desired(&region), 1);
    }

    #[test]
    fn a_policy_that_may_not_scale_in_has_no_say_in_it() {
        let mut region = region(&[(CPU, 50.0, true), (MEMORY, 50.0, false)]);
        measure(&mut region, ID, MEMORY, 10.0);
        pass(&mut region, 120);
        assert_eq!(desired(&region), 2);
        measure(&mut region, ID, CPU, 10.0);
        pass(&mut region, 120);
        assert_eq!(desired(&region), 1);
    }
}
