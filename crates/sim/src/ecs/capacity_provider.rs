//! Capacity providers: the two of Fargate, which every account has and nobody makes or deletes.
//!
//! Providers of Auto Scaling groups are not simulated: without instances they would have no capacity.

use super::cluster::paged;
use crate::arn;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::ServiceStatus;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FARGATE: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

/// Checks the providers a cluster shall have, and the default strategy over them.
pub(super) fn check(providers: &[String], strategy: &[Value]) -> Result<(), Refusal> {
    if providers.len() > 20 {
        return Err(Refusal::invalid("A cluster can have at most 20 capacity providers."));
    }
    if let Some(unknown) = providers.iter().find(|provider| !FARGATE.contains(&provider.as_str())) {
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
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let short = arn::tail(&name);
        let arn = region.arn("ecs", &format!("capacity-provider/{short}"));
        if FARGATE.contains(&short) {
            found.push(
                json!({"capacityProviderArn": arn, "name": short, "status": "ACTIVE", "type": short, "tags": []}),
            );
        } else {
            failures.push(json!({"arn": arn, "reason": "MISSING"}));
        }
    }
    let page = paged(found, input, 10)?;
    Ok(json!({"capacityProviders": page.items, "failures": failures, "nextToken": page.next}))
}

/// CreateCapacityProvider, UpdateCapacityProvider, DeleteCapacityProvider.
pub(super) fn change(input: &Value) -> Answer {
    let name = input.text("name").or_else(|| input.text("capacityProvider")).unwrap_or_default();
    let lower = arn::tail(name).to_ascii_lowercase();
    if ["fargate", "aws", "ecs"].iter().any(|reserved| lower.starts_with(reserved)) {
        let message = "The specified capacity provider name is reserved. Names that start with aws, ecs or fargate belong to AWS.";
        return Err(Refusal::invalid(message));
    }
    Err(Refusal::client(
        "The specified capacity provider does not exist, or needs an Auto Scaling group that does not exist.",
    ))
}
