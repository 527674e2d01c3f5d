//! Target groups: their health checks, attributes, and the load balancer they serve.
//!
//! Elastic Load Balancing API reference, CreateTargetGroup, for the defaults.

use super::{attribute, check_name, forwarded, paged};
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
    check_words(&body)?;
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
    let tags = super::tag::sent(input)?;
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
        let path = if input.text("ProtocolVersion") == Some("GRPC") { "/AWS.ALB/healthcheck" } else { "/" };
        body.put("HealthCheckPath", json!(input.text("HealthCheckPath").unwrap_or(path)));
        let grpc = input.text("ProtocolVersion") == Some("GRPC");
        let code = if web { "200" } else { "200-399" };
        let default = if grpc { json!({"GrpcCode": "12"}) } else { json!({"HttpCode": code}) };
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

/// Protocol, type and address type, port and matcher.
fn check_words(body: &Value) -> Result<(), Refusal> {
    let words: [(&str, &[&str]); 5] = [
        ("Protocol", &["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"]),
        ("TargetType", &["instance", "ip", "lambda", "alb"]),
        ("IpAddressType", &["ipv4", "ipv6"]),
        ("ProtocolVersion", &["HTTP1", "HTTP2", "GRPC"]),
        ("HealthCheckProtocol", &["HTTP", "HTTPS", "TCP"]),
    ];
    for (member, words) in words {
        if let Some(value) = body.text(member).filter(|value| !words.contains(value)) {
            return Err(Refusal::new("ValidationError", format!("{member} '{value}' must be one of {words:?}")));
        }
    }
    if body.whole("Port").is_some_and(|port| !(1..=65_535).contains(&port)) {
        return Err(Refusal::new("ValidationError", "Port must be between 1 and 65535"));
    }
    check_matcher(body)
}

/// A matcher is codes, lists and ranges: of 200 to 499, to 599 behind a network load balancer, 0 to 99 for gRPC.
fn check_matcher(body: &Value) -> Result<(), Refusal> {
    let matcher = body.member("Matcher").unwrap_or(&Value::Null);
    let web = matches!(body.text("Protocol"), Some("HTTP" | "HTTPS"));
    let (codes, least, most) = match (matcher.text("HttpCode"), matcher.text("GrpcCode")) {
        (Some(codes), _) => (codes, 200, if web { 499 } else { 599 }),
        (None, Some(codes)) => (codes, 0, 99),
        (None, None) => return Ok(()),
    };
    let code = |text: &str| text.trim().parse::<u32>().ok().filter(|code| (least..=most).contains(code));
    let valid = |part: &str| match part.split_once('-') {
        Some((from, to)) => code(from).zip(code(to)).is_some_and(|(from, to)| from <= to),
        None => code(part).is_some(),
    };
    if codes.split(',').all(valid) {
        return Ok(());
    }
    let message = format!("Health check matcher '{codes}' must be codes or ranges within {least}-{most}");
    Err(Refusal::new("ValidationError", message))
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
    check_words(&body)?;
    group.body = body;
    Ok(json!({"TargetGroups": [view(region, input.text("TargetGroupArn").unwrap_or_default())]}))
}

fn attributes(group: &TargetGroup) -> Value {
    let mut all: BTreeMap<&str, &str> = attribute::DEFAULTS.into_iter().collect();
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
    let group = named(region, input)?;
    attribute::check(&sent)?;
    group.attributes.extend(sent);
    Ok(json!({"Attributes": attributes(group)}))
}

/// DeleteTargetGroup: not while a listener or a rule forwards to it; one that does not exist is deleted already.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    if !balancers_of(region, arn).is_empty() {
        let message = format!("Target group '{arn}' is currently in use by a listener or a rule");
        return Err(Refusal::new("ResourceInUse", message));
    }
    region.elb.groups.remove(arn);
    Ok(json!({}))
}
