//! What RegisterTaskDefinition refuses.
//!
//! ECS developer guide, "Task definition differences for Fargate". Nothing here looks beyond the request: a missing image,
//! log group or secret is found out when a task starts.

use super::{container_rules, task_size};
use crate::input::Members;
use crate::refusal::Refusal;
use serde_json::Value;
use std::collections::BTreeSet;

type Check = Result<(), Refusal>;

/// Every rule in turn; the first broken one is answered.
pub(super) fn check(input: &Value) -> Check {
    let family = input.text("family").unwrap_or_default();
    if !name(family) {
        return Err(Refusal::client("Family contains invalid characters."));
    }
    let containers = input.items("containerDefinitions").unwrap_or_default();
    if containers.is_empty() {
        return Err(Refusal::client("Container list cannot be empty."));
    }
    if containers.len() > 10 {
        return Err(Refusal::client("Task definition can have at most 10 containers."));
    }
    if input.to_string().len() > 64 * 1024 {
        return Err(Refusal::client("Task definition size exceeds the limit of 64 KB."));
    }
    let mut names = BTreeSet::new();
    for container in containers {
        check_container(input, container)?;
        if !names.insert(container.text("name").unwrap_or_default()) {
            return Err(Refusal::client("Container names must be unique within a task definition."));
        }
    }
    if !containers.iter().any(|container| container.flag("essential").unwrap_or(true)) {
        return Err(Refusal::client("A task definition must have at least one essential container."));
    }
    container_rules::check(input, containers)?;
    check_roles(input)?;
    let fargate = input.texts("requiresCompatibilities").iter().any(|name| name == "FARGATE");
    if fargate { check_fargate(input, containers) } else { Ok(()) }
}

/// A role is an ARN of a role, or a short name.
fn check_roles(input: &Value) -> Check {
    for member in ["taskRoleArn", "executionRoleArn"] {
        let role = input.text(member).unwrap_or_default();
        let arn = role.starts_with("arn:") && !role.contains(":role/");
        if arn || role.contains(char::is_whitespace) {
            return Err(Refusal::client("Role is not valid"));
        }
    }
    Ok(())
}

/// Names of families and containers: up to 255 letters, digits, hyphens and underscores.
fn name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn check_container(input: &Value, container: &Value) -> Check {
    let called = container.text("name").unwrap_or_default();
    if called.is_empty() {
        return Err(Refusal::client("Container.name should not be null or empty."));
    }
    if !name(called) {
        return Err(Refusal::client(format!("Invalid container name '{called}'.")));
    }
    let image = container.text("image").unwrap_or_default();
    if image.is_empty() {
        return Err(Refusal::client("Container.image should not be null or empty."));
    }
    if !image_name(image) {
        return Err(Refusal::client(format!("Container.image contains invalid characters or is too long: '{image}'.")));
    }
    check_memory(input, container)?;
    check_environment(input, container)?;
    check_health(container)?;
    check_ports(container)
}

fn check_memory(input: &Value, container: &Value) -> Check {
    let said = container.member("memory").or(container.member("memoryReservation"));
    if input.member("memory").or(said).is_some() {
        return Ok(());
    }
    let called = container.text("name").unwrap_or_default();
    Err(Refusal::client(format!(
        "Invalid setting for container '{called}'. At least one of 'memory' or 'memoryReservation' must be specified."
    )))
}

/// At most 255 characters before a digest; a digest is sha256 and 64 hexadecimal digits.
fn image_name(image: &str) -> bool {
    let (reference, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let hash = |digest: &str| {
        digest
            .strip_prefix("sha256:")
            .is_some_and(|hash| hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit()))
    };
    (1..=255).contains(&reference.len()) && !reference.contains(char::is_whitespace) && digest.is_none_or(hash)
}

fn check_environment(input: &Value, container: &Value) -> Check {
    let mut names = BTreeSet::new();
    for variable in container.items("environment").unwrap_or_default() {
        names.insert(variable.text("name").unwrap_or_default());
    }
    let secrets = container.items("secrets").unwrap_or_default();
    for secret in secrets {
        let name = secret.text("name").unwrap_or_default();
        if !names.insert(name) {
            return Err(Refusal::client(format!(
                "The secret name must be unique and not shared with any new or existing environment variables set on the \
                 container, such as '{name}'."
            )));
        }
    }
    if !secrets.is_empty() && input.member("executionRoleArn").is_none() {
        return Err(Refusal::client(
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
        ));
    }
    Ok(())
}

/// The ranges of a health check's numbers.
const HEALTH: [(&str, i64, i64); 4] =
    [("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300)];

fn check_health(container: &Value) -> Check {
    let Some(health) = container.member("healthCheck") else {
        return Ok(());
    };
    let command = health.texts("command");
    if !matches!(command.first().map(String::as_str), Some("CMD" | "CMD-SHELL" | "NONE")) {
        return Err(Refusal::client("The health check command must begin with CMD or CMD-SHELL."));
    }
    for (member, least, most) in HEALTH {
        let value = health.whole(member);
        if value.is_some_and(|value| !(least..=most).contains(&value)) {
            return Err(Refusal::client(format!("The health check {member} must be between {least} and {most}.")));
        }
    }
    Ok(())
}

fn check_ports(container: &Value) -> Check {
    for port in container.items("portMappings").unwrap_or_default() {
        let number = port.whole("containerPort").unwrap_or(0);
        if !(1..=65_535).contains(&number) && port.member("containerPortRange").is_none() {
            return Err(Refusal::client(format!("Invalid container port '{number}'.")));
        }
    }
    Ok(())
}

fn check_fargate(input: &Value, containers: &[Value]) -> Check {
    if input.text("networkMode") != Some("awsvpc") {
        return Err(Refusal::client("Fargate only supports network mode ‘awsvpc’."));
    }
    check_size(input, containers)?;
    if let Some(mode) = input.text("pidMode").filter(|mode| *mode != "task") {
        return Err(Refusal::client(format!(
            "Tasks using the Fargate launch type do not support pidMode '{mode}'. The supported value for pidMode is 'task'."
        )));
    }
    for member in ["ipcMode", "placementConstraints"] {
        if input.member(member).is_some_and(set) {
            return unsupported(member);
        }
    }
    check_storage(input)?;
    for container in containers {
        check_execution_role(input, container)?;
        check_forbidden(container)?;
        check_timeouts(container)?;
        check_host_port(container)?;
    }
    Ok(())
}

fn check_size(input: &Value, containers: &[Value]) -> Check {
    let (Some(cpu_text), Some(memory_text)) = (input.text("cpu"), input.text("memory")) else {
        let missing = if input.text("cpu").is_none() { "cpu" } else { "memory" };
        return Err(Refusal::client(format!("Fargate requires that '{missing}' be defined at the task level.")));
    };
    let size = task_size::cpu(cpu_text).zip(task_size::memory(memory_text));
    let Some((cpu, memory)) = size.filter(|(cpu, memory)| task_size::exists(*cpu, *memory)) else {
        return Err(Refusal::client(format!(
            "No Fargate configuration exists for given values: {cpu_text} CPU, {memory_text} memory. See the Amazon ECS \
             documentation for the valid values."
        )));
    };
    let sum =
        |member: &str| containers.iter().filter_map(|container| container.whole(member)).fold(0, i64::saturating_add);
    if sum("cpu") > i64::from(cpu) {
        return Err(Refusal::client("The sum of the cpu values of all containers exceeds the task's cpu."));
    }
    if sum("memoryReservation").max(sum("memory")) > i64::from(memory) {
        return Err(Refusal::client("The sum of the memory values of all containers exceeds the task's memory."));
    }
    Ok(())
}

fn check_storage(input: &Value) -> Check {
    let size = input.member("ephemeralStorage").and_then(|storage| storage.whole("sizeInGiB"));
    if size.is_some_and(|size| !(21..=200).contains(&size)) {
        return Err(Refusal::client("The ephemeral storage size must be between 21 and 200 GiB."));
    }
    for volume in input.items("volumes").unwrap_or_default() {
        let host = volume.member("host").is_some_and(|host| host.member("sourcePath").is_some());
        if host || volume.member("dockerVolumeConfiguration").is_some() {
            return Err(Refusal::client("Fargate does not support host source paths or Docker volumes."));
        }
    }
    Ok(())
}

fn check_execution_role(input: &Value, container: &Value) -> Check {
    if input.member("executionRoleArn").is_some() {
        return Ok(());
    }
    if container.text("image").is_some_and(|image| image.contains(".dkr.ecr.")) {
        return Err(Refusal::client(
            "Fargate requires task definition to have execution role ARN to support ECR images.",
        ));
    }
    if container.get("logConfiguration").and_then(|log| log.text("logDriver")) == Some("awslogs") {
        return Err(Refusal::client(
            "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
        ));
    }
    Ok(())
}

/// Whether a member says anything: false and an empty list don't.
fn set(value: &Value) -> bool {
    value.as_bool() != Some(false) && value.as_array().is_none_or(|list| !list.is_empty())
}

fn unsupported(what: &str) -> Check {
    let message = format!("Tasks using the Fargate launch type do not support '{what}'.");
    Err(Refusal::client(message))
}

/// Members of a container Fargate knows nothing of.
const MEMBERS: [&str; 8] = [
    "disableNetworking",
    "dnsSearchDomains",
    "dnsServers",
    "dockerSecurityOptions",
    "extraHosts",
    "links",
    "privileged",
    "hostname",
];

/// Linux parameters Fargate knows nothing of.
const LINUX: [&str; 5] = ["maxSwap", "swappiness", "devices", "sharedMemorySize", "tmpfs"];

fn check_forbidden(container: &Value) -> Check {
    for member in MEMBERS {
        if container.member(member).is_some_and(set) {
            return unsupported(member);
        }
    }
    let linux = container.member("linuxParameters").unwrap_or(&Value::Null);
    if let Some(member) = LINUX.iter().find(|member| linux.member(member).is_some_and(set)) {
        return unsupported(member);
    }
    let added = linux.member("capabilities").map(|capabilities| capabilities.texts("add")).unwrap_or_default();
    if let Some(capability) = added.iter().find(|capability| *capability != "SYS_PTRACE") {
        return unsupported(capability);
    }
    let resources = container.items("resourceRequirements").unwrap_or_default();
    if resources.iter().any(|resource| resource.text("type") == Some("GPU")) {
        return unsupported("gpu");
    }
    match container.get("logConfiguration").and_then(|log| log.text("logDriver")) {
        None | Some("awslogs" | "splunk" | "awsfirelens") => check_log_options(container),
        Some(driver) => unsupported(&format!("log driver {driver}")),
    }
}

fn check_log_options(container: &Value) -> Check {
    let Some(log) = container.member("logConfiguration").filter(|log| log.text("logDriver") == Some("awslogs")) else {
        return Ok(());
    };
    let missing = |option: &&str| log.get("options").and_then(|options| options.text(option)).is_none();
    match ["awslogs-group", "awslogs-region", "awslogs-stream-prefix"].into_iter().find(missing) {
        Some(option) => Err(Refusal::client(format!("Log driver awslogs requires options: {option}"))),
        None => Ok(()),
    }
}

fn check_timeouts(container: &Value) -> Check {
    for member in ["stopTimeout", "startTimeout"] {
        if container.whole(member).is_some_and(|value| !(2..=120).contains(&value)) {
            return Err(Refusal::client(format!("{member} must be between 2 and 120 seconds on Fargate.")));
        }
    }
    Ok(())
}

fn check_host_port(container: &Value) -> Check {
    for port in container.items("portMappings").unwrap_or_default() {
        let (inner, outer) = (port.whole("containerPort"), port.whole("hostPort").filter(|port| *port != 0));
        if outer.is_some() && outer != inner {
            return Err(Refusal::client(
                "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
            ));
        }
    }
    Ok(())
}
