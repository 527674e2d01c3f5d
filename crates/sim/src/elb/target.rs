//! Targets and their health, which is a function of time: registered, checked, and one day draining.

use super::group::{balancers_of, missing, named};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::elb::Target;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;

type Address = (String, u16);

/// Registers a target whose checks reach their verdict after a while.
pub(crate) fn register(region: &mut Region, group: &str, address: Address, delay: Duration, healthy: bool) {
    let decided = region.now + delay;
    if let Some(group) = region.elb.groups.get_mut(group) {
        group.targets.insert(address, Target { decided, healthy, draining: None });
    }
}

/// Begins to drain a target, and answers how long that takes: what the group says, else the simulation's default.
pub(crate) fn deregister(region: &mut Region, group: &str, address: &Address) -> Duration {
    let (now, default) = (region.now, region.settings.times.drain);
    let Some(group) = region.elb.groups.get_mut(group) else {
        return Duration::ZERO;
    };
    let said = group.attributes.get("deregistration_delay.timeout_seconds").and_then(|delay| delay.parse().ok());
    let delay = said.map_or(default, Duration::from_secs);
    if let Some(target) = group.targets.get_mut(address) {
        target.draining = Some(now + delay);
    }
    group.targets.retain(|_, target| target.draining.is_none_or(|until| until > now));
    delay
}

/// The verdict on a target that somebody outside checks. False where there is no such target, or it drains.
pub(crate) fn settle(region: &mut Region, group: &str, address: &Address, healthy: bool) -> bool {
    let now = region.now;
    let target = region.elb.groups.get_mut(group).and_then(|group| group.targets.get_mut(address));
    let Some(target) = target.filter(|target| target.draining.is_none()) else { return false };
    (target.decided, target.healthy) = (target.decided.min(now), healthy);
    true
}

/// Whether a target is in service.
pub(crate) fn is_healthy(region: &Region, group: &str, address: &Address) -> bool {
    let target = region.elb.groups.get(group).and_then(|group| group.targets.get(address));
    target.is_some_and(|target| target.healthy && target.draining.is_none() && target.decided <= region.now)
}

/// Removes a target that has drained, or that is no more.
pub(crate) fn forget(region: &mut Region, group: &str, address: &Address) {
    if let Some(group) = region.elb.groups.get_mut(group) {
        group.targets.remove(address);
    }
}

fn address(region: &Region, group: &str, target: &Value) -> Address {
    let default = region.elb.groups.get(group).and_then(|group| group.body.whole("Port"));
    let port = target.whole("Port").or(default).and_then(|port| u16::try_from(port).ok()).unwrap_or(80);
    (target.text("Id").unwrap_or_default().to_owned(), port)
}

fn check(kind: &str, targets: &[Value]) -> Result<(), Refusal> {
    for target in targets {
        let id = target.text("Id").unwrap_or_default();
        let valid = match kind {
            "ip" => id.parse::<IpAddr>().is_ok(),
            "instance" => id.starts_with("i-"),
            _ => id.starts_with("arn:"),
        };
        if !valid {
            let message = format!("The target '{id}' is not valid for a target group of type {kind}");
            return Err(Refusal::new("ValidationError", message));
        }
    }
    Ok(())
}

/// RegisterTargets.
pub(super) fn register_many(region: &mut Region, input: &Value) -> Answer {
    let kind = named(region, input)?.body.text("TargetType").unwrap_or("instance").to_owned();
    let group = input.text("TargetGroupArn").unwrap_or_default();
    let delay = region.settings.times.health;
    let targets = input.items("Targets").unwrap_or_default();
    check(&kind, targets)?;
    for target in input.items("Targets").unwrap_or_default() {
        let address = address(region, group, target);
        register(region, group, address, delay, true);
    }
    Ok(json!({}))
}

/// DeregisterTargets.
pub(super) fn deregister_many(region: &mut Region, input: &Value) -> Answer {
    named(region, input)?;
    let group = input.text("TargetGroupArn").unwrap_or_default();
    for target in input.items("Targets").unwrap_or_default() {
        let address = address(region, group, target);
        deregister(region, group, &address);
    }
    Ok(json!({}))
}

/// DescribeTargetHealth: all targets, or the ones asked for, registered or not.
pub(super) fn describe_health(region: &Region, input: &Value) -> Result<Value, Refusal> {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    let group = region.elb.groups.get(arn).ok_or_else(|| missing(arn))?;
    let used = !balancers_of(region, arn).is_empty();
    let asked = input.items("Targets").filter(|targets| !targets.is_empty());
    let addresses: Vec<Address> = match asked {
        Some(targets) => targets.iter().map(|target| address(region, arn, target)).collect(),
        None => group.targets.keys().cloned().collect(),
    };
    let mut descriptions = Vec::new();
    for address in addresses {
        let target = group.targets.get(&address);
        let gone = target.is_some_and(|target| target.draining.is_some_and(|until| until <= region.now));
        if gone && asked.is_none() {
            continue;
        }
        let health = health(region.now, target.filter(|_| !gone), used);
        descriptions.push(json!({
            "Target": {"Id": address.0, "Port": address.1, "AvailabilityZone": format!("{}a", region.name)},
            "HealthCheckPort": address.1.to_string(),
            "TargetHealth": health,
        }));
    }
    Ok(json!({"TargetHealthDescriptions": descriptions}))
}

fn health(now: Duration, target: Option<&Target>, used: bool) -> Value {
    let (state, reason, text) = match target {
        None => ("unused", "Target.NotRegistered", "Target is not registered"),
        Some(target) if target.draining.is_some() => {
            ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
        }
        Some(_) if !used => ("unused", "Target.NotInUse", "Target group is not used by a load balancer"),
        Some(target) if now < target.decided => {
            ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
        }
        Some(target) if target.healthy => return json!({"State": "healthy"}),
        Some(_) => ("unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
    };
    json!({"State": state, "Reason": reason, "Description": text})
}
