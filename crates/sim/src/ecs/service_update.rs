//! UpdateService: a merge patch. What is absent stays, an empty list removes; some changes start a deployment.
//!
//! ECS API reference, UpdateService: each parameter says whether it "triggers a new service deployment".

use super::{
    cluster::strategy, deployment, scheduler, service, service_input, service_rules, service_view, task_definition,
};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::{Service, ServiceStatus};
use serde_json::{Value, json};

/// The settings whose change starts a deployment.
const TRIGGERS: [&str; 8] = [
    "taskDefinition",
    "platformVersion",
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// UpdateService.
pub(super) fn update(region: &mut Region, input: &Value) -> Answer {
    let key = service::key(region, input, "service")?;
    let (config, hidden, desired) = match region.ecs.services.get(&key) {
        Some(service) if service.status == ServiceStatus::Active => settings(region, service, input)?,
        Some(_) | None => return Err(Refusal::new("ServiceNotActiveException", "Service was not ACTIVE.")),
    };
    let force = input.flag("forceNewDeployment").unwrap_or(false);
    scheduler::with(region, &key, |region, service| {
        let triggered = force || changed(service, &config, &hidden);
        (service.config, service.hidden) = (config, hidden);
        if let Some(desired) = desired {
            service.desired = desired;
        }
        if triggered {
            deployment::start(region, service);
        }
        scheduler::pass(region, service);
    });
    Ok(json!({"service": service_view::one(region, &key, &[])}))
}

/// The settings the service would have, checked.
fn settings(region: &Region, service: &Service, input: &Value) -> Result<(Value, Value, Option<u32>), Refusal> {
    let mut config = service.config.clone();
    for name in [
        "platformVersion",
        "loadBalancers",
        "serviceRegistries",
        "placementConstraints",
        "placementStrategy",
        "healthCheckGracePeriodSeconds",
        "propagateTags",
        "enableECSManagedTags",
        "enableExecuteCommand",
        "availabilityZoneRebalancing",
        "deploymentController",
    ] {
        if let Some(value) = input.member(name) {
            config.put(name, value.clone());
        }
    }
    if let Some(network) = input.member("networkConfiguration") {
        config.put("networkConfiguration", service_input::network_configuration(network));
    }
    let before = config.get("deploymentConfiguration").cloned().unwrap_or_else(|| json!({}));
    let sent = input.member("deploymentConfiguration");
    config.put("deploymentConfiguration", service_input::deployment_configuration(&before, sent));
    change_strategy(region, service, input, &mut config)?;
    let definition = task_definition(region, service, input)?;
    config.put("taskDefinition", definition.body.get("taskDefinitionArn").cloned().unwrap_or(Value::Null));
    service_rules::check(region, &service.cluster, &config, &definition, input)?;
    let desired = input.whole("desiredCount").map(service_rules::desired_count).transpose()?;
    let mut hidden = service.hidden.clone();
    for name in service_input::HIDDEN {
        if let Some(value) = input.member(name) {
            hidden.put(name, value.clone());
        }
    }
    Ok((config, hidden, desired))
}

/// The definition the service would run. One it runs already may be inactive.
fn task_definition(
    region: &Region,
    service: &Service,
    input: &Value,
) -> Result<crate::state::ecs::Definition, Refusal> {
    let current = service.config.text("taskDefinition").unwrap_or_default();
    let Some(name) = input.text("taskDefinition") else {
        return task_definition::find(region, current)
            .cloned()
            .ok_or_else(|| Refusal::client("TaskDefinition not found."));
    };
    if service.config.get("deploymentController").and_then(|c| c.text("type")) == Some("CODE_DEPLOY") {
        return Err(Refusal::invalid(
            "Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to \
             trigger a new deployment.",
        ));
    }
    task_definition::usable(region, name)
}

fn change_strategy(region: &Region, service: &Service, input: &Value, config: &mut Value) -> Result<(), Refusal> {
    let Some(items) = input.items("capacityProviderStrategy") else {
        return Ok(());
    };
    let default = region.ecs.clusters.get(&service.cluster).map(|c| c.default_strategy.clone()).unwrap_or_default();
    let wanted = if items.is_empty() { default } else { strategy(Some(items)) };
    let current = service.config.items("capacityProviderStrategy").unwrap_or_default();
    if wanted == current {
        if wanted.is_empty() && service.config.member("launchType").is_none() {
            return Err(Refusal::invalid(
                "No launch type to fall back to for empty capacity provider strategy. Your service was not created with a \
                 launch type.",
            ));
        }
        return Ok(());
    }
    if !input.flag("forceNewDeployment").unwrap_or(false) {
        return Err(Refusal::invalid(
            "When switching from launch type to capacity provider strategy on an existing service, or making a change to a \
             capacity provider strategy on a service that is already using one, you must force a new deployment.",
        ));
    }
    fall_back(service, &wanted, config)
}

fn fall_back(service: &Service, wanted: &[Value], config: &mut Value) -> Result<(), Refusal> {
    let created_with = service.request.text("launchType");
    let Some(members) = config.as_object_mut() else {
        return Ok(());
    };
    if !wanted.is_empty() {
        members.remove("launchType");
        members.insert("capacityProviderStrategy".to_owned(), json!(wanted));
        return Ok(());
    }
    let Some(launch_type) = created_with else {
        return Err(Refusal::invalid(
            "No launch type to fall back to for empty capacity provider strategy. Your service was not created with a launch \
             type.",
        ));
    };
    members.remove("capacityProviderStrategy");
    members.insert("launchType".to_owned(), json!(launch_type));
    Ok(())
}

fn changed(service: &Service, config: &Value, hidden: &Value) -> bool {
    TRIGGERS.iter().any(|name| {
        let before = service.config.member(name).or_else(|| service.hidden.member(name));
        let after = config.member(name).or_else(|| hidden.member(name));
        canonical(before) != canonical(after)
    })
}

/// A setting with its unordered lists in order: subnets and security groups have none.
fn canonical(value: Option<&Value>) -> Value {
    match value {
        None => Value::Null,
        Some(Value::Array(items)) => {
            let mut items: Vec<Value> = items.iter().map(|item| canonical(Some(item))).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Some(Value::Object(members)) => members
            .iter()
            .map(|(name, member)| (name.clone(), canonical(Some(member))))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Some(other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))) => other.clone(),
    }
}
