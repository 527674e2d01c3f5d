//! Target groups: their health checks, attributes, and the load balancer they serve.
//!
//! Elastic Load Balancing API reference, CreateTargetGroup, for the defaults.

use super::{check_name, forwarded, paged};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::elb::TargetGroup;
use crate::tag;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The answer when there is no such target group.
pub(super) fn missing(arn: &str) -> Refusal {
    Refusal::new("TargetGroupNotFound", format!("Target groups '{arn}' not found"))
}

/// The load balancers that forward to a target group, by a listener's default action or a rule.
pub(crate) fn balancers_of(region: &Region, group: &str) -> Vec<String> {
    let mut arns = BTreeSet::new();
    let forwards =
        |actions: Option<&Value>| actions.is_some_and(|actions| forwarded(actions).iter().any(|arn| arn == group));
    for (arn, listener) in &region.elb.listeners {
        let rules = region.elb.rules.values().filter(|rule| rule.listener == *arn);
        if forwards(listener.body.get("DefaultActions"))
            || rules.into_iter().any(|rule| forwards(rule.body.get("Actions")))
        {
            arns.extend(listener.body.text("LoadBalancerArn").map(str::to_owned));
        }
    }
    arns.into_iter().collect()
}

fn view(region: &Region, arn: &str) -> Value {
    let mut body = region.elb.groups.get(arn).map_or(Value::Null, |group| group.body.clone());
    body.put("LoadBalancerArns", json!(balancers_of(region, arn)));
    body
}

/// CreateTargetGroup: the same settings answer the existing one.
pub(super) fn create(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("Name").unwrap_or_default();
    check_name(name)?;
    let body = settings(name, input);
    check(&body)?;
    if let Some((arn, group)) = called(region, name) {
        let mut before = group.body.clone();
        before.as_object_mut().map(|members| members.remove("TargetGroupArn"));
        if before == body {
            let arn = arn.clone();
            return Ok(json!({"TargetGroups": [view(region, &arn)]}));
        }
        let message = format!("A target group with the same name '{name}' exists, but with different settings");
        return Err(Refusal::new("DuplicateTargetGroupName", message));
    }
    let id = region.hex(16);
    let arn = region.arn("elasticloadbalancing", &format!("targetgroup/{name}/{id}"));
    let tags = tag::UPPER.read(input.items("Tags"));
    tag::check(&tags, "ValidationError")?;
    insert(region, &arn, body, tags);
    Ok(json!({"TargetGroups": [view(region, &arn)]}))
}

fn called<'a>(region: &'a Region, name: &str) -> Option<(&'a String, &'a TargetGroup)> {
    let mut groups = region.elb.groups.iter();
    groups.find(|(_, group)| group.body.text("TargetGroupName") == Some(name))
}

/// Puts a target group in place.
pub(super) fn insert(region: &mut Region, arn: &str, mut body: Value, tags: tag::Tags) {
    body.put("TargetGroupArn", json!(arn));
    let group = TargetGroup { body, attributes: BTreeMap::new(), tags, targets: BTreeMap::new() };
    region.elb.groups.insert(arn.to_owned(), group);
}

/// The settings of a new target group, defaults filled.
pub(super) fn settings(name: &str, input: &Value) -> Value {
    let protocol = input.text("Protocol").unwrap_or("HTTP");
    let web = matches!(protocol, "HTTP" | "HTTPS");
    let check_protocol = input.text("HealthCheckProtocol").unwrap_or(if web { "HTTP" } else { "TCP" });
    let whole = |name: &str, default: i64| json!(input.whole(name).unwrap_or(default));
    let timeout = if check_protocol == "HTTP" { 6 } else { 10 };
    let mut body = json!({
        "TargetGroupName": name,
        "Protocol": protocol,
        "Port": input.whole("Port"),
        "VpcId": input.text("VpcId"),
        "TargetType": input.text("TargetType").unwrap_or("instance"),
        "IpAddressType": input.text("IpAddressType").unwrap_or("ipv4"),
        "HealthCheckEnabled": true,
        "HealthCheckProtocol": check_protocol,
        "HealthCheckPort": input.text("HealthCheckPort").unwrap_or("traffic-port"),
        "HealthCheckIntervalSeconds": whole("HealthCheckIntervalSeconds", 30),
        "HealthCheckTimeoutSeconds": whole("HealthCheckTimeoutSeconds", timeout),
        "HealthyThresholdCount": whole("HealthyThresholdCount", 5),
        "UnhealthyThresholdCount": whole("UnhealthyThresholdCount", 2),
    });
    if web {
        body.put("ProtocolVersion", json!(input.text("ProtocolVersion").unwrap_or("HTTP1")));
    }
    if check_protocol != "TCP" {
        body.put("HealthCheckPath", json!(input.text("HealthCheckPath").unwrap_or("/")));
        let default = json!({"HttpCode": if web { "200" } else { "200-399" }});
        body.put("Matcher", input.member("Matcher").cloned().unwrap_or(default));
    }
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    body
}

fn check(body: &Value) -> Result<(), Refusal> {
    let rules = [
        ("HealthCheckIntervalSeconds", 5, 300),
        ("HealthCheckTimeoutSeconds", 2, 120),
        ("HealthyThresholdCount", 2, 10),
        ("UnhealthyThresholdCount", 2, 10),
    ];
    for (name, least, most) in rules {
        if body.whole(name).is_some_and(|value| !(least..=most).contains(&value)) {
            return Err(Refusal::new("ValidationError", format!("{name} must be between {least} and {most}")));
        }
    }
    if body.whole("HealthCheckTimeoutSeconds") >= body.whole("HealthCheckIntervalSeconds") {
        let message = "Health check interval must be greater than the timeout.";
        return Err(Refusal::new("ValidationError", message));
    }
    if body.text("TargetType") != Some("lambda") && (body.member("Port").is_none() || body.member("VpcId").is_none()) {
        return Err(Refusal::new("ValidationError", "A port and a VPC must be specified"));
    }
    Ok(())
}

/// DescribeTargetGroups.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let (arns, names) = (input.texts("TargetGroupArns"), input.texts("Names"));
    let balancer = input.text("LoadBalancerArn");
    if let Some(arn) = arns.iter().find(|arn| !region.elb.groups.contains_key(arn.as_str())) {
        return Err(missing(arn));
    }
    if let Some(name) = names.iter().find(|name| called(region, name).is_none()) {
        return Err(missing(name));
    }
    let wanted = region.elb.groups.iter().filter(|(arn, group)| {
        let name = group.body.text("TargetGroupName").unwrap_or_default();
        let serves = |balancer: &str| balancers_of(region, arn).iter().any(|arn| arn == balancer);
        (arns.is_empty() || arns.contains(arn))
            && (names.is_empty() || names.iter().any(|wanted| wanted == name))
            && balancer.is_none_or(serves)
    });
    let page = paged(wanted.map(|(arn, _)| view(region, arn)).collect(), input)?;
    Ok(json!({"TargetGroups": page.items, "NextMarker": page.next}))
}

/// The target group a request names.
pub(super) fn named<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut TargetGroup, Refusal> {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    region.elb.groups.get_mut(arn).ok_or_else(|| missing(arn))
}

/// ModifyTargetGroup: the health check only; all else is fixed at creation.
pub(super) fn modify(region: &mut Region, input: &Value) -> Answer {
    let group = named(region, input)?;
    let mut body = group.body.clone();
    for name in ["HealthCheckProtocol", "HealthCheckPort", "HealthCheckPath", "Matcher"] {
        if let Some(value) = input.member(name) {
            body.put(name, value.clone());
        }
    }
    let numbers =
        ["HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds", "HealthyThresholdCount", "UnhealthyThresholdCount"];
    for name in numbers {
        if let Some(value) = input.whole(name) {
            body.put(name, json!(value));
        }
    }
    check(&body)?;
    group.body = body;
    Ok(json!({"TargetGroups": [view(region, input.text("TargetGroupArn").unwrap_or_default())]}))
}

/// Attributes nobody has set.
const DEFAULTS: [(&str, &str); 9] = [
    ("deregistration_delay.timeout_seconds", "300"),
    ("stickiness.enabled", "false"),
    ("stickiness.type", "lb_cookie"),
    ("stickiness.lb_cookie.duration_seconds", "86400"),
    ("slow_start.duration_seconds", "0"),
    ("load_balancing.algorithm.type", "round_robin"),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
];

fn attributes(group: &TargetGroup) -> Value {
    let mut all: BTreeMap<&str, &str> = DEFAULTS.into_iter().collect();
    all.extend(group.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    all.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// DescribeTargetGroupAttributes.
pub(super) fn describe_attributes(region: &mut Region, input: &Value) -> Answer {
    Ok(json!({"Attributes": attributes(named(region, input)?)}))
}

/// ModifyTargetGroupAttributes.
pub(super) fn modify_attributes(region: &mut Region, input: &Value) -> Answer {
    let sent = tag::UPPER.read(input.items("Attributes"));
    let delay = sent.get("deregistration_delay.timeout_seconds").map(|delay| delay.parse::<u32>());
    if delay.is_some_and(|delay| delay.is_err() || delay.is_ok_and(|delay| delay > 3600)) {
        let message = "'deregistration_delay.timeout_seconds' must be between 0 and 3600";
        return Err(Refusal::new("InvalidConfigurationRequest", message));
    }
    let group = named(region, input)?;
    group.attributes.extend(sent);
    Ok(json!({"Attributes": attributes(group)}))
}

/// DeleteTargetGroup: not while a listener or a rule forwards to it.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    if !balancers_of(region, arn).is_empty() {
        let message = format!("Target group '{arn}' is currently in use by a listener or a rule");
        return Err(Refusal::new("ResourceInUse", message));
    }
    region.elb.groups.remove(arn).map(|_| json!({})).ok_or_else(|| missing(arn))
}
