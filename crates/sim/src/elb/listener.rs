//! Listeners, each with its default rule.

use super::{action_rules, actions, paged};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::elb::{Listener, Rule};
use crate::tag::{self, Tags};
use serde_json::{Value, json};

/// The answer when there is no such listener.
pub(super) fn missing(arn: &str) -> Refusal {
    Refusal::new("ListenerNotFound", format!("Listeners '{arn}' not found"))
}

/// CreateListener: one per port; the same settings answer the existing one.
pub(super) fn create(region: &mut Region, input: &Value) -> Answer {
    let balancer = input.text("LoadBalancerArn").unwrap_or_default().to_owned();
    if !region.elb.balancers.contains_key(&balancer) {
        return Err(Refusal::new("LoadBalancerNotFound", format!("Load balancers '[{balancer}]' not found")));
    }
    let port = input.whole("Port").unwrap_or(80);
    let protocol = input.text("Protocol").unwrap_or("HTTP");
    let actions = actions(region, input.get("DefaultActions"))?;
    let asked = json!({"Port": port, "Protocol": protocol, "Certificates": input.get("Certificates")});
    action_rules::check_listener(&balancer, &asked)?;
    action_rules::check_groups(region, &balancer, &actions)?;
    let taken = region.elb.listeners.values().find(|listener| {
        listener.body.text("LoadBalancerArn") == Some(balancer.as_str()) && listener.body.whole("Port") == Some(port)
    });
    if let Some(listener) = taken {
        if listener.body.get("DefaultActions") == Some(&actions) && listener.body.text("Protocol") == Some(protocol) {
            return Ok(json!({"Listeners": [listener.body]}));
        }
        let message = "A listener already exists on this port for this load balancer";
        return Err(Refusal::new("DuplicateListener", message));
    }
    let id = region.hex(16);
    let arn = balancer.replacen(":loadbalancer/", ":listener/", 1) + "/" + &id;
    let mut body = json!({
        "ListenerArn": arn,
        "LoadBalancerArn": balancer,
        "Port": port,
        "Protocol": protocol,
        "DefaultActions": actions,
    });
    for name in ["Certificates", "SslPolicy", "AlpnPolicy"] {
        if let Some(value) = input.member(name) {
            body.put(name, value.clone());
        }
    }
    if matches!(protocol, "HTTPS" | "TLS") {
        body.fill("SslPolicy", json!("ELBSecurityPolicy-2016-08"));
    }
    let tags = tag::UPPER.read(input.items("Tags"));
    region.elb.listeners.insert(arn.clone(), Listener { body: body.clone(), tags });
    let id = region.hex(16);
    let rule_arn = arn.replacen(":listener/", ":listener-rule/", 1) + "/" + &id;
    let rule =
        json!({"RuleArn": rule_arn, "Priority": "default", "Conditions": [], "Actions": actions, "IsDefault": true});
    region.elb.rules.insert(rule_arn, Rule { listener: arn, body: rule, tags: Tags::new() });
    Ok(json!({"Listeners": [body]}))
}

/// DescribeListeners: by load balancer or by ARN.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let arns = input.texts("ListenerArns");
    if let Some(arn) = arns.iter().find(|arn| !region.elb.listeners.contains_key(arn.as_str())) {
        return Err(missing(arn));
    }
    let balancer = input.text("LoadBalancerArn");
    if arns.is_empty() && balancer.is_none() {
        return Err(Refusal::new("ValidationError", "You must specify either listener ARNs or a load balancer ARN"));
    }
    if let Some(arn) = balancer.filter(|arn| !region.elb.balancers.contains_key(*arn)) {
        return Err(Refusal::new("LoadBalancerNotFound", format!("Load balancers '[{arn}]' not found")));
    }
    let wanted = region.elb.listeners.iter().filter(|(arn, listener)| {
        (arns.is_empty() || arns.contains(arn))
            && balancer.is_none_or(|balancer| listener.body.text("LoadBalancerArn") == Some(balancer))
    });
    let page = paged(wanted.map(|(_, listener)| listener.body.clone()).collect(), input)?;
    Ok(json!({"Listeners": page.items, "NextMarker": page.next}))
}

/// ModifyListener.
pub(super) fn modify(region: &mut Region, input: &Value) -> Answer {
    let arn = input.text("ListenerArn").unwrap_or_default().to_owned();
    let new = input.member("DefaultActions").map(|sent| actions(region, Some(sent))).transpose()?;
    let mut body = region.elb.listeners.get(&arn).ok_or_else(|| missing(&arn))?.body.clone();
    if let Some(port) = input.whole("Port") {
        body.put("Port", json!(port));
    }
    for name in ["Protocol", "Certificates", "SslPolicy", "AlpnPolicy"] {
        if let Some(value) = input.member(name) {
            body.put(name, value.clone());
        }
    }
    let balancer = body.text("LoadBalancerArn").unwrap_or_default().to_owned();
    action_rules::check_listener(&balancer, &body)?;
    if let Some(new) = &new {
        action_rules::check_groups(region, &balancer, new)?;
    }
    let listener = region.elb.listeners.get_mut(&arn).ok_or_else(|| missing(&arn))?;
    listener.body = body;
    if let Some(new) = new {
        listener.body.put("DefaultActions", new.clone());
        let mut rules = region.elb.rules.values_mut();
        if let Some(rule) = rules.find(|rule| rule.listener == arn && rule.body.text("Priority") == Some("default")) {
            rule.body.put("Actions", new);
        }
    }
    Ok(json!({"Listeners": [listener.body]}))
}

/// DeleteListener.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let arn = input.text("ListenerArn").unwrap_or_default();
    region.elb.listeners.remove(arn).ok_or_else(|| missing(arn))?;
    region.elb.rules.retain(|_, rule| rule.listener != arn);
    Ok(json!({}))
}
