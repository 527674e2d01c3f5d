//! Capacity providers: the two of Fargate, which every account has and nobody makes or deletes, and those of others.
//!
//! A provider of an Auto Scaling group can be made, described and attached; having no instances it runs no task.

use super::cluster::paged;
use crate::arn;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::ServiceStatus;
use crate::tag;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FARGATE: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

/// Checks the providers a cluster shall have, and the default strategy over them.
pub(super) fn check(region: &Region, providers: &[String], strategy: &[Value]) -> Result<(), Refusal> {
    if providers.len() > 20 {
        return Err(Refusal::invalid("A cluster can have at most 20 capacity providers."));
    }
    let exists = |name: &str| FARGATE.contains(&name) || region.ecs.providers.contains_key(name);
    if let Some(unknown) = providers.iter().find(|provider| !exists(provider)) {
        return Err(Refusal::invalid(format!("The specified capacity provider '{unknown}' was not found.")));
    }
    for item in strategy {
        let name = item.text("capacityProvider").unwrap_or_default();
        if !providers.iter().any(|provider| provider == name) {
            return Err(Refusal::invalid(format!(
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the \
                 cluster: '{name}'. Associate the capacity provider with the cluster and try again."
            )));
        }
    }
    check_strategy(strategy)
}

/// Checks a strategy by itself: its numbers, one base at most, no provider twice, some weight.
pub(super) fn check_strategy(items: &[Value]) -> Result<(), Refusal> {
    if items.is_empty() {
        return Ok(());
    }
    if items.len() > 20 {
        return Err(Refusal::invalid("A capacity provider strategy can have at most 20 capacity providers."));
    }
    let number = |item: &Value, name: &str| item.whole(name).unwrap_or(0);
    if items.iter().any(|item| !(0..=1000).contains(&number(item, "weight"))) {
        return Err(Refusal::invalid("The weight of a capacity provider must be between 0 and 1000."));
    }
    if items.iter().any(|item| !(0..=100_000).contains(&number(item, "base"))) {
        return Err(Refusal::invalid("The base of a capacity provider must be between 0 and 100000."));
    }
    let names: BTreeSet<Option<&str>> = items.iter().map(|item| item.text("capacityProvider")).collect();
    if names.len() < items.len() {
        return Err(Refusal::invalid("A capacity provider can be specified only once in a strategy."));
    }
    if items.iter().filter(|item| number(item, "base") > 0).count() > 1 {
        return Err(Refusal::invalid("Only one capacity provider in a strategy can have a base defined."));
    }
    if items.iter().all(|item| number(item, "weight") == 0) {
        return Err(Refusal::invalid(
            "The specified capacity provider strategy must have at least one capacity provider with a weight greater than 0.",
        ));
    }
    Ok(())
}

/// The providers that services of a cluster use.
pub(super) fn used(region: &Region, cluster: &str) -> Vec<String> {
    let services = region.ecs.services.values();
    let active = services.filter(|service| service.cluster == cluster && service.status == ServiceStatus::Active);
    let items = active.flat_map(|service| service.config.items("capacityProviderStrategy").unwrap_or_default());
    items.filter_map(|item| item.text("capacityProvider").map(str::to_owned)).collect()
}

/// DescribeCapacityProviders: all when none is named.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let mut names = input.texts("capacityProviders");
    if names.is_empty() {
        names = FARGATE.map(str::to_owned).to_vec();
        names.extend(region.ecs.providers.keys().cloned());
    }
    let tagged = input.texts("include").iter().any(|what| what == "TAGS");
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let short = arn::tail(&name);
        let arn = region.arn("ecs", &format!("capacity-provider/{short}"));
        if FARGATE.contains(&short) {
            found.push(
                json!({"capacityProviderArn": arn, "name": short, "status": "ACTIVE", "type": short, "tags": []}),
            );
        } else if let Some((body, tags)) = region.ecs.providers.get(short) {
            let mut body = body.clone();
            body.put("tags", if tagged { tag::LOWER.write(tags) } else { json!([]) });
            found.push(body);
        } else {
            failures.push(json!({"arn": arn, "reason": "MISSING"}));
        }
    }
    let page = paged(found, input, 10)?;
    Ok(json!({"capacityProviders": page.items, "failures": failures, "nextToken": page.next}))
}

/// CreateCapacityProvider: for an Auto Scaling group, which nobody looks for.
pub(super) fn create(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("name").unwrap_or_default().to_owned();
    check_name(&name)?;
    let tags = tag::LOWER.read(input.items("tags"));
    tag::check(&tags, "InvalidParameterException")?;
    let Some(group) = input.member("autoScalingGroupProvider") else {
        return Err(Refusal::client("The Auto Scaling group provider must be specified."));
    };
    if region.ecs.providers.contains_key(&name) {
        let message = format!("The specified capacity provider already exists: {name}");
        return Err(Refusal::invalid(message));
    }
    let mut group = group.clone();
    group.fill("managedScaling", json!({"status": "DISABLED"}));
    group.fill("managedTerminationProtection", json!("DISABLED"));
    group.fill("managedDraining", json!("ENABLED"));
    let mut body = json!({
        "capacityProviderArn": region.arn("ecs", &format!("capacity-provider/{name}")),
        "name": name,
        "status": "ACTIVE",
        "updateStatus": "CREATE_COMPLETE",
        "type": "EC2_AUTOSCALING",
        "autoScalingGroupProvider": group,
    });
    region.ecs.providers.insert(name, (body.clone(), tags.clone()));
    body.put("tags", tag::LOWER.write(&tags));
    Ok(json!({"capacityProvider": body}))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let lower = name.to_ascii_lowercase();
    if ["fargate", "aws", "ecs"].iter().any(|reserved| lower.starts_with(reserved)) {
        return Err(Refusal::invalid(
            "The specified capacity provider name is reserved. Names that start with aws, ecs or fargate belong to AWS.",
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(1..=255).contains(&name.len()) || !name.chars().all(allowed) {
        return Err(Refusal::invalid("Invalid capacity provider name."));
    }
    Ok(())
}

/// UpdateCapacityProvider: what is sent replaces, the rest stays.
pub(super) fn update(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("name").unwrap_or_default();
    check_name(name)?;
    let (body, _) = region.ecs.providers.get_mut(name).ok_or_else(|| missing(name))?;
    for (member, value) in input.get("autoScalingGroupProvider").and_then(Value::as_object).into_iter().flatten() {
        if let Some(group) = body.get_mut("autoScalingGroupProvider") {
            group.put(member, value.clone());
        }
    }
    body.put("updateStatus", json!("UPDATE_COMPLETE"));
    Ok(json!({"capacityProvider": body}))
}

/// DeleteCapacityProvider: not while a cluster has it.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let name = arn::tail(input.text("capacityProvider").unwrap_or_default()).to_owned();
    check_name(&name)?;
    let mut clusters = region.ecs.clusters.values().filter(|cluster| !cluster.deleted);
    if clusters.any(|cluster| cluster.providers.contains(&name)) {
        return Err(Refusal::invalid("The specified capacity provider is in use and cannot be removed."));
    }
    let (mut body, _) = region.ecs.providers.remove(&name).ok_or_else(|| missing(&name))?;
    body.put("status", json!("INACTIVE"));
    body.put("updateStatus", json!("DELETE_COMPLETE"));
    Ok(json!({"capacityProvider": body}))
}

fn missing(name: &str) -> Refusal {
    Refusal::invalid(format!("The specified capacity provider '{name}' was not found."))
}
