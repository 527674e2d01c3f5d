//! From the parameters of CreateService to the settings DescribeServices returns: every default ECS fills.
//!
//! ECS API reference, the members of Service and DeploymentConfiguration.

use super::cluster::strategy;
use crate::input::Members;
use crate::state::Region;
use serde_json::{Value, json};

/// The settings DescribeServices does not return at the level of the service.
pub(super) const HIDDEN: [&str; 5] = [
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
    "monitoring",
];

/// The settings of a new service, defaults filled. `definition` is a full ARN.
pub(super) fn settings(region: &Region, cluster: &str, input: &Value, definition: &str) -> Value {
    let mut config = json!({
        "taskDefinition": definition,
        "schedulingStrategy": "REPLICA",
        "deploymentController": input.member("deploymentController").cloned().unwrap_or_else(|| json!({"type": "ECS"})),
        "deploymentConfiguration": deployment_configuration(&json!({}), input.get("deploymentConfiguration")),
        "placementConstraints": input.member("placementConstraints").cloned().unwrap_or_else(|| json!([])),
        "placementStrategy": input.member("placementStrategy").cloned().unwrap_or_else(|| json!([])),
        "loadBalancers": input.member("loadBalancers").cloned().unwrap_or_else(|| json!([])),
        "serviceRegistries": input.member("serviceRegistries").cloned().unwrap_or_else(|| json!([])),
        "healthCheckGracePeriodSeconds": input.whole("healthCheckGracePeriodSeconds").unwrap_or(0),
        "propagateTags": input.text("propagateTags").unwrap_or("NONE"),
        "enableECSManagedTags": input.flag("enableECSManagedTags").unwrap_or(false),
        "enableExecuteCommand": input.flag("enableExecuteCommand").unwrap_or(false),
        "availabilityZoneRebalancing": input.text("availabilityZoneRebalancing").unwrap_or("ENABLED"),
        "roleArn": format!("arn:aws:iam::{}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", region.account),
        "createdBy": format!("arn:aws:iam::{}:root", region.account),
        "resourceManagementType": "CUSTOMER",
    });
    if let Some(network) = input.member("networkConfiguration") {
        config.put("networkConfiguration", network_configuration(network));
    }
    launch(region, cluster, input, &mut config);
    config
}

/// Launch type or strategy: what was asked for, else the cluster's default strategy, else EC2, as ECS has it.
fn launch(region: &Region, cluster: &str, input: &Value, config: &mut Value) {
    let asked = strategy(input.items("capacityProviderStrategy"));
    let default = region.ecs.clusters.get(cluster).map(|cluster| cluster.default_strategy.clone()).unwrap_or_default();
    if !asked.is_empty() {
        config.put("capacityProviderStrategy", json!(asked));
    } else if let Some(launch_type) = input.text("launchType") {
        config.put("launchType", json!(launch_type));
    } else if !default.is_empty() {
        config.put("capacityProviderStrategy", json!(default));
    } else {
        config.put("launchType", json!("EC2"));
    }
    if config.text("launchType") != Some("EC2") {
        config.put("platformVersion", json!(input.text("platformVersion").unwrap_or("LATEST")));
        config.put("platformFamily", json!("Linux"));
    }
}

/// A network configuration as it is returned.
pub(super) fn network_configuration(sent: &Value) -> Value {
    let mut network = sent.clone();
    if let Some(vpc) = network.get_mut("awsvpcConfiguration") {
        vpc.fill("assignPublicIp", json!("DISABLED"));
        vpc.fill("securityGroups", json!([]));
    }
    network
}

/// A deployment configuration as it is returned: what was there, then what is sent, then the defaults.
pub(super) fn deployment_configuration(before: &Value, sent: Option<&Value>) -> Value {
    let mut configuration = before.clone();
    for (name, value) in sent.and_then(Value::as_object).into_iter().flatten() {
        if !value.is_null() {
            configuration.put(name, value.clone());
        }
    }
    configuration.fill("deploymentCircuitBreaker", json!({"enable": false, "rollback": false}));
    configuration.fill("maximumPercent", json!(200));
    configuration.fill("minimumHealthyPercent", json!(100));
    configuration.fill("alarms", json!({"alarmNames": [], "enable": false, "rollback": false}));
    configuration.fill("strategy", json!("ROLLING"));
    let strategy = configuration.text("strategy").unwrap_or_default().to_owned();
    let changed = before.text("strategy").unwrap_or("ROLLING") != strategy;
    if changed && sent.and_then(|sent| sent.member("bakeTimeInMinutes")).is_none() {
        configuration.put("bakeTimeInMinutes", json!(if strategy == "ROLLING" { 0 } else { 15 }));
    }
    configuration.fill("bakeTimeInMinutes", json!(0));
    let parts = [
        ("LINEAR", "linearConfiguration", json!({"stepPercent": 10.0, "stepBakeTimeInMinutes": 6})),
        ("CANARY", "canaryConfiguration", json!({"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10})),
    ];
    for (kind, part, default) in parts {
        if strategy == kind {
            configuration.fill(part, default);
        }
    }
    configuration
}

/// The settings kept apart.
pub(super) fn hidden(input: &Value) -> Value {
    let mut hidden = json!({});
    for name in HIDDEN {
        if let Some(value) = input.member(name) {
            hidden.put(name, value.clone());
        }
    }
    hidden
}
