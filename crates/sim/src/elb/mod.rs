//! Elastic Load Balancing v2: load balancers, listeners, rules, target groups and the health of targets.
//!
//! No traffic flows: a target's health follows from how its task behaves. Certificates, trust stores, attributes of load
//! balancers beyond storing them, and authentication actions are not simulated.

mod action_rules;
mod attribute;
mod balancer;
mod group;
mod listener;
mod rule;
mod tag;
mod target;

pub(crate) use group::balancers_of;
pub(crate) use rule::weigh;
pub(crate) use target::{deregister, forget, is_healthy, register, settle};

use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::Value;

/// Answers one Elastic Load Balancing operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "CreateLoadBalancer" => balancer::create(region, input),
        "DescribeLoadBalancers" => balancer::describe(region, input),
        "DescribeLoadBalancerAttributes" => balancer::describe_attributes(region, input),
        "ModifyLoadBalancerAttributes" => balancer::modify_attributes(region, input),
        "SetSubnets" | "SetSecurityGroups" | "SetIpAddressType" => balancer::set(region, input),
        "DescribeAccountLimits" => balancer::limits(input),
        "DeleteLoadBalancer" => balancer::delete(region, input),
        "CreateTargetGroup" => group::create(region, input),
        "DescribeTargetGroups" => group::describe(region, input),
        "ModifyTargetGroup" => group::modify(region, input),
        "DescribeTargetGroupAttributes" => group::describe_attributes(region, input),
        "ModifyTargetGroupAttributes" => group::modify_attributes(region, input),
        "DeleteTargetGroup" => group::delete(region, input),
        "CreateListener" => listener::create(region, input),
        "DescribeListeners" => listener::describe(region, input),
        "ModifyListener" => listener::modify(region, input),
        "DeleteListener" => listener::delete(region, input),
        "CreateRule" => rule::create(region, input),
        "DescribeRules" => rule::describe(region, input),
        "ModifyRule" => rule::modify(region, input),
        "SetRulePriorities" => rule::set_priorities(region, input),
        "DeleteRule" => rule::delete(region, input),
        "RegisterTargets" => target::register_many(region, input),
        "DeregisterTargets" => target::deregister_many(region, input),
        "DescribeTargetHealth" => target::describe_health(region, input),
        "AddTags" => tag::add(region, input),
        "RemoveTags" => tag::remove(region, input),
        "DescribeTags" => tag::describe(region, input),
        _ => Err(Refusal::new("InvalidAction", "The action is not valid for this endpoint.")),
    }
}

/// A page of an ELB list.
fn paged(all: Vec<Value>, input: &Value) -> Result<page::Page<Value>, Refusal> {
    let size = input.whole("PageSize").unwrap_or(400);
    let size = usize::try_from(size).ok().filter(|size| (1..=400).contains(size));
    let size = size.ok_or_else(|| Refusal::new("ValidationError", "PageSize must be between 1 and 400."))?;
    page::cut(all, input.text("Marker"), size)
        .ok_or_else(|| Refusal::new("ValidationError", "The marker is not valid."))
}

/// Names of load balancers and target groups: at most 32 letters, digits and inner hyphens.
fn check_name(name: &str) -> Result<(), Refusal> {
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !(1..=32).contains(&name.len()) || !letters || name.starts_with('-') || name.ends_with('-') {
        return Err(Refusal::new("ValidationError", format!("The name '{name}' is not valid.")));
    }
    Ok(())
}

/// The target groups an action list forwards to.
fn forwarded(actions: &Value) -> Vec<String> {
    let mut arns = Vec::new();
    for action in actions.as_array().map(Vec::as_slice).unwrap_or_default() {
        arns.extend(action.text("TargetGroupArn").map(str::to_owned));
        let groups = action.member("ForwardConfig").and_then(|forward| forward.items("TargetGroups"));
        for group in groups.unwrap_or_default() {
            arns.extend(group.text("TargetGroupArn").map(str::to_owned));
        }
    }
    arns
}

/// Actions as they are returned: a plain forward also as a weighted one.
fn actions(region: &Region, sent: Option<&Value>) -> Answer {
    let mut actions = sent.cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    action_rules::check(&actions)?;
    for arn in forwarded(&actions) {
        if !region.elb.groups.contains_key(&arn) {
            return Err(Refusal::new("TargetGroupNotFound", format!("Target groups '{arn}' not found")));
        }
    }
    for (index, action) in actions.as_array_mut().into_iter().flatten().enumerate() {
        action.fill("Order", serde_json::json!(index + 1));
        let simple = action.text("TargetGroupArn").map(str::to_owned);
        if let Some(arn) = simple.filter(|_| action.member("ForwardConfig").is_none()) {
            action.put(
                "ForwardConfig",
                serde_json::json!({
                    "TargetGroups": [{"TargetGroupArn": arn, "Weight": 1}],
                    "TargetGroupStickinessConfig": {"Enabled": false},
                }),
            );
        }
    }
    Ok(actions)
}

/// Puts a target group of type ip in place, with a load balancer and a listener in front of it.
pub(crate) fn plant(region: &mut Region, arn: &str) {
    let name = arn.rsplit('/').nth(1).unwrap_or("targets").to_owned();
    if region.elb.groups.contains_key(arn) {
        return;
    }
    let sent = serde_json::json!({"Protocol": "HTTP", "Port": 8000, "VpcId": crate::ec2::VPC, "TargetType": "ip"});
    group::insert(region, arn, group::settings(&name, &sent), crate::tag::Tags::new());
    let short: String = name.chars().take(28).collect();
    let balancer =
        serde_json::json!({"Name": format!("lb-{}", short.trim_end_matches('-')), "Subnets": ["subnet-a", "subnet-b"]});
    let made = balancer::create(region, &balancer).ok();
    let balancer = made.as_ref().and_then(|made| made.items("LoadBalancers")).and_then(|list| list.first());
    let actions = serde_json::json!([{"Type": "forward", "TargetGroupArn": arn}]);
    let listener = serde_json::json!({
        "LoadBalancerArn": balancer.and_then(|balancer| balancer.text("LoadBalancerArn")),
        "Port": 80,
        "Protocol": "HTTP",
        "DefaultActions": actions,
    });
    // A second group of the same name finds the listener taken, and stays without one, as in AWS.
    let _ = listener::create(region, &listener);
}
