//! What CreateService and UpdateService refuse alike: rules about the settings a service would have.
//!
//! ECS API reference, CreateService; the texts are those of the service.

use super::capacity_provider;
use crate::input::Members;
use crate::refusal::Refusal;
use crate::state::Region;
use crate::state::ecs::Definition;
use crate::{ec2, elb};
use serde_json::Value;

type Check = Result<(), Refusal>;

/// Checks the settings a service would have.
///
/// What lies outside the request (target groups, providers) is looked at only when the request names it: a service can be
/// scaled down after its listener is gone.
pub(super) fn check(region: &Region, cluster: &str, config: &Value, definition: &Definition, input: &Value) -> Check {
    check_values(config)?;
    check_platform(config, definition)?;
    check_placement(config)?;
    check_network(config, definition)?;
    if input.member("networkConfiguration").is_some() {
        check_places(region, config)?;
    }
    if input.member("capacityProviderStrategy").is_some() {
        check_strategy(region, cluster, config)?;
    }
    check_deployment(config)?;
    check_load_balancers(region, config, definition, input)?;
    if input.member("healthCheckGracePeriodSeconds").is_some() {
        check_grace_period(config, definition)?;
    }
    Ok(())
}

fn check_load_balancers(region: &Region, config: &Value, definition: &Definition, input: &Value) -> Check {
    let balancers = config.items("loadBalancers").unwrap_or_default();
    if balancers.len() > 5 {
        return Err(Refusal::invalid("loadBalancers can have at most 5 items."));
    }
    for balancer in balancers {
        if input.member("loadBalancers").is_some() {
            check_target_group(region, balancer, definition)?;
        }
        check_container(balancer, definition)?;
    }
    Ok(())
}

/// Checks that a desired count is one ECS takes.
pub(super) fn desired_count(count: i64) -> Result<u32, Refusal> {
    let count = u32::try_from(count).ok().filter(|count| *count <= 5000);
    count.ok_or_else(|| Refusal::invalid("The desired count must be between 0 and 5000."))
}

/// The settings that take one of a few words.
const WORDS: [(&str, &[&str]); 4] = [
    ("launchType", &["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"]),
    ("schedulingStrategy", &["REPLICA", "DAEMON"]),
    ("propagateTags", &["TASK_DEFINITION", "SERVICE", "NONE"]),
    ("availabilityZoneRebalancing", &["ENABLED", "DISABLED"]),
];

/// Checks that a member is one of a few words.
pub(super) fn word(config: &Value, member: &str, words: &[&str]) -> Check {
    match config.text(member) {
        Some(value) if !words.contains(&value) => {
            Err(Refusal::invalid(format!("Invalid value '{value}' for {member}. Valid values: {words:?}")))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_values(config: &Value) -> Check {
    for (member, words) in WORDS {
        word(config, member, words)?;
    }
    let part = |name: &str| config.get(name).unwrap_or(&Value::Null);
    word(part("deploymentController"), "type", &["ECS", "CODE_DEPLOY", "EXTERNAL"])?;
    let configuration = part("deploymentConfiguration");
    word(configuration, "strategy", &["ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"])?;
    let vpc = part("networkConfiguration").get("awsvpcConfiguration").unwrap_or(&Value::Null);
    word(vpc, "assignPublicIp", &["ENABLED", "DISABLED"])?;
    if config.whole("healthCheckGracePeriodSeconds").is_some_and(|seconds| !(0..=2_147_483_647).contains(&seconds)) {
        return Err(Refusal::invalid("The health check grace period must be between 0 and 2147483647 seconds."));
    }
    Ok(())
}

/// Placement is for instances.
fn check_placement(config: &Value) -> Check {
    if config.text("platformFamily").is_none() {
        return Ok(());
    }
    for (member, what) in [("placementStrategy", "strategies"), ("placementConstraints", "constraints")] {
        if config.items(member).is_some_and(|items| !items.is_empty()) {
            return Err(Refusal::invalid(format!("Placement {what} are not supported with FARGATE launch type.")));
        }
    }
    Ok(())
}

fn check_platform(config: &Value, definition: &Definition) -> Check {
    let compatible = definition.body.texts("compatibilities");
    if config.text("launchType") == Some("FARGATE") && !compatible.iter().any(|name| name == "FARGATE") {
        return Err(Refusal::invalid("Task definition does not support launch_type FARGATE."));
    }
    match config.text("platformVersion") {
        None | Some("LATEST" | "1.4.0" | "1.3.0") => {}
        Some(_) => {
            return Err(Refusal::new("PlatformUnknownException", "The specified platform version does not exist."));
        }
    }
    let large = definition.body.member("ephemeralStorage").is_some();
    if config.text("platformVersion") == Some("1.3.0") && large {
        let message = "The specified platform does not satisfy the task definition's required capabilities.";
        return Err(Refusal::new("PlatformTaskDefinitionIncompatibilityException", message));
    }
    Ok(())
}

fn check_network(config: &Value, definition: &Definition) -> Check {
    let awsvpc = definition.body.text("networkMode") == Some("awsvpc");
    let vpc = config.member("networkConfiguration").and_then(|network| network.member("awsvpcConfiguration"));
    let Some(vpc) = vpc else {
        return if awsvpc {
            Err(Refusal::invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified."))
        } else {
            Ok(())
        };
    };
    if !awsvpc {
        return Err(Refusal::invalid(
            "Network Configuration is not valid for the given networkMode of this task definition.",
        ));
    }
    let (subnets, groups) = (vpc.texts("subnets"), vpc.texts("securityGroups"));
    if subnets.is_empty() {
        return Err(Refusal::invalid("subnets can not be empty."));
    }
    if subnets.len() > 16 {
        return Err(Refusal::invalid("subnets can have at most 16 items."));
    }
    if groups.len() > 5 {
        return Err(Refusal::invalid("securityGroups can have at most 5 items."));
    }
    Ok(())
}

/// Refuses subnets and security groups that don't exist.
fn check_places(region: &Region, config: &Value) -> Check {
    let vpc = config.member("networkConfiguration").and_then(|network| network.member("awsvpcConfiguration"));
    let places = |member: &str| vpc.map(|vpc| vpc.texts(member)).unwrap_or_default();
    let absent = |id: &&String, prefix: &str| !id.starts_with(prefix) || !ec2::exists(region, id);
    if let Some(subnet) = places("subnets").iter().find(|id| absent(id, "subnet-")) {
        return Err(Refusal::invalid(format!(
            "Error retrieving subnet information for [{subnet}]: The subnet ID '{subnet}' does not exist (ErrorCode: \
             InvalidSubnetID.NotFound)"
        )));
    }
    if let Some(group) = places("securityGroups").iter().find(|id| absent(id, "sg-")) {
        return Err(Refusal::invalid(format!(
            "Error retrieving security group information for [{group}]: The security group '{group}' does not exist \
             (ErrorCode: InvalidGroup.NotFound)"
        )));
    }
    Ok(())
}

fn check_strategy(region: &Region, cluster: &str, config: &Value) -> Check {
    let Some(items) = config.items("capacityProviderStrategy").filter(|items| !items.is_empty()) else {
        return Ok(());
    };
    let providers = region.ecs.clusters.get(cluster).map(|cluster| cluster.providers.clone()).unwrap_or_default();
    let associated = |item: &Value| {
        let name = item.text("capacityProvider").unwrap_or_default();
        providers.iter().any(|provider| provider == name)
    };
    if !items.iter().all(associated) {
        return Err(Refusal::invalid(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the \
             cluster. Associate the capacity provider with the cluster and try again.",
        ));
    }
    capacity_provider::check_strategy(items)
}

fn check_deployment(config: &Value) -> Check {
    let configuration = config.get("deploymentConfiguration").unwrap_or(&Value::Null);
    let least = configuration.whole("minimumHealthyPercent").unwrap_or(100);
    let most = configuration.whole("maximumPercent").unwrap_or(200);
    if least < 0 || most < 0 || least > most {
        return Err(Refusal::invalid(
            "The deployment configuration's minimumHealthyPercent must not be greater than its maximumPercent.",
        ));
    }
    let strategy = configuration.text("strategy").unwrap_or("ROLLING");
    let limit =
        configuration.get("deploymentCircuitBreaker").and_then(|breaker| breaker.member("thresholdConfiguration"));
    word(limit.unwrap_or(&Value::Null), "type", &["COUNT", "BOUNDED_PERCENT", "UNBOUNDED_PERCENT"])?;
    if limit.is_some_and(|limit| limit.whole("value").is_none_or(|value| value < 1)) {
        return Err(Refusal::invalid("The value of a thresholdConfiguration must be at least 1."));
    }
    let alarms = configuration.get("alarms").unwrap_or(&Value::Null);
    if alarms.flag("enable") == Some(true) && alarms.texts("alarmNames").is_empty() {
        return Err(Refusal::invalid("At least one alarm name must be specified when deployment alarms are enabled."));
    }
    check_shift(config, configuration, strategy)?;
    let breaker = configuration.get("deploymentCircuitBreaker").and_then(|breaker| breaker.flag("enable"));
    if breaker == Some(true) && strategy != "ROLLING" {
        return Err(Refusal::invalid(
            "The deployment circuit breaker can only be used with the rolling update deployment.",
        ));
    }
    Ok(())
}

/// What deployments that shift traffic need: a second target group for each, and numbers within their ranges.
fn check_shift(config: &Value, configuration: &Value, strategy: &str) -> Check {
    let part = |name: &str| configuration.get(name).unwrap_or(&Value::Null);
    let ranges = [
        (configuration, "bakeTimeInMinutes", 0.0, 1440.0),
        (part("linearConfiguration"), "stepPercent", 3.0, 100.0),
        (part("linearConfiguration"), "stepBakeTimeInMinutes", 0.0, 1440.0),
        (part("canaryConfiguration"), "canaryPercent", 0.1, 100.0),
        (part("canaryConfiguration"), "canaryBakeTimeInMinutes", 0.0, 1440.0),
    ];
    for (part, member, least, most) in ranges {
        if part.number(member).is_some_and(|value| !(least..=most).contains(&value)) {
            return Err(Refusal::invalid(format!("{member} must be between {least} and {most}.")));
        }
    }
    let balanced = config.items("loadBalancers").is_some_and(|balancers| !balancers.is_empty());
    let connected = config.member("serviceConnectConfiguration").and_then(|connect| connect.flag("enabled"));
    if matches!(strategy, "LINEAR" | "CANARY") && !balanced && connected != Some(true) {
        return Err(Refusal::invalid(format!(
            "The {strategy} deployment strategy requires an Application Load Balancer or Service Connect."
        )));
    }
    let bare = |balancer: &Value| {
        let advanced = balancer.get("advancedConfiguration").unwrap_or(&Value::Null);
        ["alternateTargetGroupArn", "productionListenerRule", "roleArn"]
            .iter()
            .any(|name| advanced.text(name).is_none())
    };
    if strategy != "ROLLING" && config.items("loadBalancers").unwrap_or_default().iter().any(bare) {
        return Err(Refusal::invalid(format!(
            "advancedConfiguration with alternateTargetGroupArn, productionListenerRule and roleArn is required for load \
             balancers of services with the {strategy} deployment strategy."
        )));
    }
    Ok(())
}

fn check_target_group(region: &Region, balancer: &Value, definition: &Definition) -> Check {
    let arn = balancer.text("targetGroupArn").unwrap_or_default();
    let Some(group) = region.elb.groups.get(arn) else {
        return Err(Refusal::invalid(format!("The specified target group does not exist. targetGroupArn: {arn}")));
    };
    if elb::balancers_of(region, arn).is_empty() {
        return Err(Refusal::invalid(format!(
            "The target group with targetGroupArn {arn} does not have an associated load balancer."
        )));
    }
    let awsvpc = definition.body.text("networkMode") == Some("awsvpc");
    if awsvpc && group.body.text("TargetType") != Some("ip") {
        return Err(Refusal::invalid(format!(
            "The provided target group {arn} has target type {}, which is incompatible with the awsvpc network mode \
             specified in the task definition.",
            group.body.text("TargetType").unwrap_or("instance")
        )));
    }
    Ok(())
}

fn check_container(balancer: &Value, definition: &Definition) -> Check {
    let name = balancer.text("containerName").unwrap_or_default();
    let port = balancer.whole("containerPort").unwrap_or(0);
    let containers = definition.body.items("containerDefinitions").unwrap_or_default();
    let Some(container) = containers.iter().find(|container| container.text("name") == Some(name)) else {
        return Err(Refusal::invalid(format!("The container {name} does not exist in the task definition.")));
    };
    let mut ports = container.items("portMappings").unwrap_or_default().iter();
    if ports.any(|mapping| mapping.whole("containerPort") == Some(port)) {
        return Ok(());
    }
    Err(Refusal::invalid(format!("The container {name} did not have a container port {port} defined.")))
}

/// The grace period covers load balancers and, more recently, container health checks.
fn check_grace_period(config: &Value, definition: &Definition) -> Check {
    let balanced = !config.items("loadBalancers").unwrap_or_default().is_empty();
    let containers = definition.body.items("containerDefinitions").unwrap_or_default();
    let checked = containers.iter().any(|container| container.member("healthCheck").is_some());
    if config.whole("healthCheckGracePeriodSeconds").unwrap_or(0) > 0 && !balanced && !checked {
        return Err(Refusal::invalid(
            "Health check grace period is only valid for services configured to use load balancers",
        ));
    }
    Ok(())
}
