//! Listener rules: unique priorities, a default rule that stays.

use super::{action_rules, actions, listener, paged};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::elb::Rule;
use crate::tag;
use serde_json::{Value, json};

fn missing(arn: &str) -> Refusal {
    Refusal::new("RuleNotFound", format!("One or more rules not found: {arn}"))
}

fn priority(number: Option<i64>) -> Result<i64, Refusal> {
    let number = number.filter(|number| (1..=50_000).contains(number));
    number.ok_or_else(|| Refusal::new("ValidationError", "Rule priority must be between 1 and 50000"))
}

fn in_use(region: &Region, listener: &str, priority: i64, except: &[String]) -> Result<(), Refusal> {
    let clash = region.elb.rules.iter().any(|(arn, rule)| {
        rule.listener == listener && rule.body.whole("Priority") == Some(priority) && !except.contains(arn)
    });
    if clash {
        Err(Refusal::new("PriorityInUse", format!("Priority '{priority}' is currently in use")))
    } else {
        Ok(())
    }
}

/// CreateRule.
pub(super) fn create(region: &mut Region, input: &Value) -> Answer {
    let listener_arn = input.text("ListenerArn").unwrap_or_default().to_owned();
    if !region.elb.listeners.contains_key(&listener_arn) {
        return Err(listener::missing(&listener_arn));
    }
    let priority = priority(input.whole("Priority"))?;
    in_use(region, &listener_arn, priority, &[])?;
    let conditions = input.member("Conditions").cloned().unwrap_or_else(|| json!([]));
    action_rules::check_conditions(&conditions)?;
    let actions = actions(region, input.get("Actions"))?;
    action_rules::check_groups(region, &balancer(region, &listener_arn), &actions)?;
    check_quota(region, &listener_arn)?;
    let id = region.hex(16);
    let arn = listener_arn.replacen(":listener/", ":listener-rule/", 1) + "/" + &id;
    let body = json!({
        "RuleArn": arn,
        "Priority": priority.to_string(),
        "Conditions": filled(conditions),
        "Actions": actions,
        "IsDefault": false,
    });
    let tags = tag::UPPER.read(input.items("Tags"));
    region.elb.rules.insert(arn, Rule { listener: listener_arn, body: body.clone(), tags });
    Ok(json!({"Rules": [body]}))
}

fn balancer(region: &Region, listener: &str) -> String {
    let listener = region.elb.listeners.get(listener);
    listener.and_then(|listener| listener.body.text("LoadBalancerArn")).unwrap_or_default().to_owned()
}

/// A hundred rules a load balancer, default rules not counted.
fn check_quota(region: &Region, listener: &str) -> Result<(), Refusal> {
    let balancer = balancer(region, listener);
    let of_balancer = |rule: &&Rule| self::balancer(region, &rule.listener) == balancer;
    let rules = region.elb.rules.values().filter(of_balancer);
    if rules.filter(|rule| rule.body.text("Priority") != Some("default")).count() < 100 {
        return Ok(());
    }
    Err(Refusal::new("TooManyRules", "The maximum number of rules for the load balancer has been reached"))
}

/// Conditions as they are returned: the old `Values` and the newer config of a kind each fill the other.
fn filled(mut conditions: Value) -> Value {
    for condition in conditions.as_array_mut().into_iter().flatten() {
        let config = match condition.text("Field") {
            Some("path-pattern") => "PathPatternConfig",
            Some("host-header") => "HostHeaderConfig",
            Some(_) | None => continue,
        };
        let newer = condition.get(config).map(|config| config.texts("Values")).unwrap_or_default();
        let values = if newer.is_empty() { condition.texts("Values") } else { newer };
        condition.put("Values", json!(values));
        condition.put(config, json!({"Values": values}));
    }
    conditions
}

/// DescribeRules: by listener or by ARN, lowest priority first, the default rule last.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let arns = input.texts("RuleArns");
    if let Some(arn) = arns.iter().find(|arn| !region.elb.rules.contains_key(arn.as_str())) {
        return Err(missing(arn));
    }
    let wanted = input.text("ListenerArn");
    if arns.is_empty() && wanted.is_none() {
        return Err(Refusal::new("ValidationError", "You must specify either listener ARN or rule ARNs"));
    }
    if let Some(arn) = wanted.filter(|arn| !region.elb.listeners.contains_key(*arn)) {
        return Err(listener::missing(arn));
    }
    let rules = region.elb.rules.iter().filter(|(arn, rule)| {
        (arns.is_empty() || arns.contains(arn)) && wanted.is_none_or(|wanted| rule.listener == wanted)
    });
    let mut bodies: Vec<Value> = rules.map(|(_, rule)| rule.body.clone()).collect();
    bodies.sort_by_key(|body| body.whole("Priority").unwrap_or(i64::MAX));
    let page = paged(bodies, input)?;
    Ok(json!({"Rules": page.items, "NextMarker": page.next}))
}

/// ModifyRule: conditions and actions.
pub(super) fn modify(region: &mut Region, input: &Value) -> Answer {
    let arn = input.text("RuleArn").unwrap_or_default();
    let new = input.member("Actions").map(|sent| actions(region, Some(sent))).transpose()?;
    let listener = region.elb.rules.get(arn).ok_or_else(|| missing(arn))?.listener.clone();
    if let Some(new) = &new {
        action_rules::check_groups(region, &balancer(region, &listener), new)?;
    }
    input.member("Conditions").map(action_rules::check_conditions).transpose()?;
    let rule = region.elb.rules.get_mut(arn).ok_or_else(|| missing(arn))?;
    if let Some(new) = new {
        rule.body.put("Actions", new);
    }
    if let Some(conditions) = input.member("Conditions") {
        rule.body.put("Conditions", filled(conditions.clone()));
    }
    Ok(json!({"Rules": [rule.body]}))
}

/// Has a rule forward to two target groups by weight, as ECS does during a blue/green deployment. A listener's ARN means its
/// default rule; what does not exist stays so.
pub(crate) fn weigh(region: &mut Region, arn: &str, weights: [(&str, u32); 2]) {
    let groups = weights.map(|(group, weight)| json!({"TargetGroupArn": group, "Weight": weight}));
    let forward = json!({"TargetGroups": groups, "TargetGroupStickinessConfig": {"Enabled": false}});
    let actions = json!([{"Type": "forward", "Order": 1, "ForwardConfig": forward}]);
    let is_default = |rule: &Rule| rule.body.text("Priority") == Some("default");
    let mut rules = region.elb.rules.iter_mut();
    let named = |(known, rule): &(&String, &mut Rule)| *known == arn || (rule.listener == arn && is_default(rule));
    let Some((_, rule)) = rules.find(named) else { return };
    rule.body.put("Actions", actions.clone());
    let listener = Some(rule.listener.clone()).filter(|_| is_default(rule));
    if let Some(listener) = listener.and_then(|listener| region.elb.listeners.get_mut(&listener)) {
        listener.body.put("DefaultActions", actions);
    }
}

/// SetRulePriorities: all at once, so that two rules can change places.
pub(super) fn set_priorities(region: &mut Region, input: &Value) -> Answer {
    let pairs = input.items("RulePriorities").unwrap_or_default();
    let moved: Vec<String> = pairs.iter().filter_map(|pair| pair.text("RuleArn").map(str::to_owned)).collect();
    let mut wanted = Vec::new();
    for pair in pairs {
        let arn = pair.text("RuleArn").unwrap_or_default();
        let listener = region.elb.rules.get(arn).ok_or_else(|| missing(arn))?.listener.clone();
        let priority = priority(pair.whole("Priority"))?;
        in_use(region, &listener, priority, &moved)?;
        wanted.push((arn, priority));
    }
    let mut bodies = Vec::new();
    for (arn, priority) in wanted {
        if let Some(rule) = region.elb.rules.get_mut(arn) {
            rule.body.put("Priority", json!(priority.to_string()));
            bodies.push(rule.body.clone());
        }
    }
    Ok(json!({"Rules": bodies}))
}

/// DeleteRule: never the default one.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let arn = input.text("RuleArn").unwrap_or_default();
    let rule = region.elb.rules.get(arn).ok_or_else(|| missing(arn))?;
    if rule.body.text("Priority") == Some("default") {
        return Err(Refusal::new("OperationNotPermitted", "Default rule cannot be deleted"));
    }
    region.elb.rules.remove(arn);
    Ok(json!({}))
}
