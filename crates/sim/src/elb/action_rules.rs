//! What listeners and rules refuse of their actions, conditions and protocols.
//!
//! Elastic Load Balancing API reference, Action, RuleCondition, CreateListener; the quotas are those of the user guide.

use super::forwarded;
use super::group::balancers_of;
use crate::input::Members;
use crate::refusal::Refusal;
use crate::state::Region;
use serde_json::Value;

type Check = Result<(), Refusal>;

fn refuse(message: impl Into<String>) -> Check {
    Err(Refusal::new("ValidationError", message))
}

const TYPES: [&str; 6] =
    ["forward", "redirect", "fixed-response", "authenticate-oidc", "authenticate-cognito", "jwt-validation"];

/// The shape of an action list: known types, one of them ends it, weights within their range.
pub(super) fn check(actions: &Value) -> Check {
    let list = actions.as_array().map(Vec::as_slice).unwrap_or_default();
    let kind = |action: &Value| action.text("Type").unwrap_or_default().to_owned();
    if let Some(action) = list.iter().find(|action| !TYPES.contains(&kind(action).as_str())) {
        return refuse(format!("Action type '{}' must be one of {TYPES:?}", kind(action)));
    }
    let ends = list.iter().filter(|action| matches!(kind(action).as_str(), "forward" | "redirect" | "fixed-response"));
    if ends.count() != 1 {
        return refuse("Exactly one forward, redirect or fixed-response action must be specified");
    }
    list.iter().try_for_each(check_one)
}

fn check_one(action: &Value) -> Check {
    let needs = match action.text("Type") {
        Some("redirect") => "RedirectConfig",
        Some("fixed-response") => "FixedResponseConfig",
        _ => return check_forward(action),
    };
    if action.member(needs).is_none() {
        return refuse(format!("An action of this type must have a {needs}"));
    }
    Ok(())
}

fn check_forward(action: &Value) -> Check {
    let groups = action.member("ForwardConfig").and_then(|forward| forward.items("TargetGroups")).unwrap_or_default();
    if action.text("Type") == Some("forward") && groups.is_empty() && action.text("TargetGroupArn").is_none() {
        return refuse("A forward action must specify at least one target group");
    }
    if groups.len() > 5 {
        let message = "A forward action can have at most 5 target groups";
        return Err(Refusal::new("TooManyTargetGroups", message));
    }
    let heavy = |group: &Value| group.whole("Weight").is_some_and(|weight| !(0..=999).contains(&weight));
    if groups.iter().any(heavy) {
        return refuse("The weight of a target group must be between 0 and 999");
    }
    Ok(())
}

/// A target group serves one load balancer, of its own kind.
pub(super) fn check_groups(region: &Region, balancer: &str, actions: &Value) -> Check {
    let application = balancer.contains(":loadbalancer/app/");
    for arn in forwarded(actions) {
        let protocol = region.elb.groups.get(&arn).and_then(|group| group.body.text("Protocol")).unwrap_or_default();
        if application != matches!(protocol, "HTTP" | "HTTPS" | "") {
            let message =
                format!("The protocol '{protocol}' of the target group '{arn}' is not supported by the load balancer");
            return Err(Refusal::new("IncompatibleProtocols", message));
        }
        if balancers_of(region, &arn).iter().any(|other| other != balancer) {
            let message =
                format!("The following target groups cannot be associated with more than one load balancer: {arn}");
            return Err(Refusal::new("TargetGroupAssociationLimit", message));
        }
    }
    Ok(())
}

/// Port, protocol and certificate of a listener.
pub(super) fn check_listener(balancer: &str, body: &Value) -> Check {
    let protocol = body.text("Protocol").unwrap_or_default();
    let known: &[&str] = if balancer.contains(":loadbalancer/app/") {
        &["HTTP", "HTTPS"]
    } else {
        &["TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC", "GENEVE"]
    };
    if !known.contains(&protocol) {
        return refuse(format!("Listener protocol '{protocol}' must be one of {known:?}"));
    }
    if body.whole("Port").is_none_or(|port| !(1..=65_535).contains(&port)) {
        return refuse("Listener port must be between 1 and 65535");
    }
    let bare = body.items("Certificates").is_none_or(<[Value]>::is_empty);
    if matches!(protocol, "HTTPS" | "TLS") && bare {
        return refuse(format!("A certificate must be specified for {protocol} listeners"));
    }
    Ok(())
}

const FIELDS: [&str; 6] =
    ["host-header", "path-pattern", "http-header", "http-request-method", "query-string", "source-ip"];

/// The conditions of a rule: of known fields, each at most once but for headers and queries, five values in all.
pub(super) fn check_conditions(conditions: &Value) -> Check {
    let list = conditions.as_array().map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() {
        return refuse("A rule must have at least one condition");
    }
    let mut values = 0;
    for (index, condition) in list.iter().enumerate() {
        let field = condition.text("Field").unwrap_or_default();
        if !FIELDS.contains(&field) {
            return refuse(format!("Condition field '{field}' must be one of {FIELDS:?}"));
        }
        let repeatable = matches!(field, "http-header" | "query-string");
        let before = list.get(..index).unwrap_or_default();
        if !repeatable && before.iter().any(|other| other.text("Field") == Some(field)) {
            return refuse(format!("A rule can only have one '{field}' condition"));
        }
        values += count(condition)?;
    }
    if values > 5 {
        return refuse("A rule can only have '5' condition values");
    }
    Ok(())
}

/// The number of values of a condition, in whichever member they are.
fn count(condition: &Value) -> Result<usize, Refusal> {
    let members = condition.as_object().into_iter().flatten();
    let configs = members.filter(|(name, _)| name.ends_with("Config")).map(|(_, config)| {
        ["Values", "RegexValues"].iter().filter_map(|name| config.items(name)).map(<[Value]>::len).sum::<usize>()
    });
    let count = configs.sum::<usize>().max(condition.items("Values").unwrap_or_default().len());
    if count == 0 {
        return refuse("A condition value must be specified").map(|()| 0);
    }
    Ok(count)
}
