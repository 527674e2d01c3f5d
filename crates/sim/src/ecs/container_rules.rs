//! What RegisterTaskDefinition refuses of containers among themselves, and values outside the documented enumerations.
//!
//! ECS API reference, ContainerDefinition, PortMapping, ContainerDependency, ContainerRestartPolicy.

use crate::input::Members;
use crate::refusal::Refusal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Check = Result<(), Refusal>;

/// Every rule in turn; the first broken one is answered.
pub(super) fn check(input: &Value, containers: &[Value]) -> Check {
    check_values(input)?;
    for container in containers {
        check_driver(container)?;
        check_reservation(container)?;
        check_port_names(container)?;
        check_restart(container)?;
    }
    check_port_numbers(input, containers)?;
    check_mounts(input, containers)?;
    check_dependencies(containers)?;
    check_router(containers)
}

/// The members of a task definition that take one of a few words.
const WORDS: [(&str, &[&str]); 3] = [
    ("networkMode", &["bridge", "host", "awsvpc", "none"]),
    ("pidMode", &["host", "task"]),
    ("ipcMode", &["host", "task", "none"]),
];

const SYSTEMS: [&str; 12] = [
    "LINUX",
    "WINDOWS_SERVER_2016_FULL",
    "WINDOWS_SERVER_2004_CORE",
    "WINDOWS_SERVER_2019_FULL",
    "WINDOWS_SERVER_2019_CORE",
    "WINDOWS_SERVER_2022_FULL",
    "WINDOWS_SERVER_2022_CORE",
    "WINDOWS_SERVER_2025_FULL",
    "WINDOWS_SERVER_2025_CORE",
    "WINDOWS_SERVER_20H2_CORE",
    "WINDOWS_SERVER_1909_CORE",
    "WINDOWS_SERVER_1809_CORE",
];

fn unknown(member: &str, value: &str) -> Check {
    Err(Refusal::client(format!("Invalid value '{value}' for {member}.")))
}

fn check_values(input: &Value) -> Check {
    for (member, words) in WORDS {
        if let Some(value) = input.text(member).filter(|value| !words.contains(value)) {
            return unknown(member, value);
        }
    }
    let compatibilities = input.texts("requiresCompatibilities");
    let kinds = ["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"];
    if let Some(value) = compatibilities.iter().find(|value| !kinds.contains(&value.as_str())) {
        return unknown("requiresCompatibilities", value);
    }
    let platform = input.member("runtimePlatform").unwrap_or(&Value::Null);
    let architecture = platform.text("cpuArchitecture").unwrap_or("X86_64");
    if !matches!(architecture, "X86_64" | "ARM64") {
        return unknown("cpuArchitecture", architecture);
    }
    let system = platform.text("operatingSystemFamily").unwrap_or("LINUX");
    if !SYSTEMS.contains(&system) {
        return unknown("operatingSystemFamily", system);
    }
    if system != "LINUX" && architecture == "ARM64" {
        return Err(Refusal::client("Windows tasks do not support the ARM64 architecture."));
    }
    Ok(())
}

const DRIVERS: [&str; 8] = ["awsfirelens", "awslogs", "fluentd", "gelf", "journald", "json-file", "splunk", "syslog"];

fn check_driver(container: &Value) -> Check {
    match container.get("logConfiguration").and_then(|log| log.text("logDriver")) {
        Some(driver) if !DRIVERS.contains(&driver) => unknown("logDriver", driver),
        Some(_) | None => Ok(()),
    }
}

fn check_reservation(container: &Value) -> Check {
    let (hard, soft) = (container.whole("memory"), container.whole("memoryReservation"));
    if hard.zip(soft).is_some_and(|(hard, soft)| soft > hard) {
        return Err(Refusal::client(format!(
            "Invalid setting for container '{}'. The 'memoryReservation' must not be greater than 'memory'.",
            container.text("name").unwrap_or_default()
        )));
    }
    if hard.is_some_and(|hard| hard < 4) || container.whole("cpu").is_some_and(|cpu| cpu < 0) {
        return Err(Refusal::client("A container needs at least 4 MiB of memory, and no negative cpu."));
    }
    Ok(())
}

fn check_port_names(container: &Value) -> Check {
    let mut names = BTreeSet::new();
    for port in container.items("portMappings").unwrap_or_default() {
        let Some(name) = port.text("name") else { continue };
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if !(1..=64).contains(&name.len()) || !name.chars().all(allowed) || name.starts_with('-') {
            return Err(Refusal::client(format!("Invalid port mapping name '{name}'.")));
        }
        if !names.insert(name) {
            return Err(Refusal::client(format!("Port mapping names must be unique: '{name}'.")));
        }
    }
    Ok(())
}

/// The containers of a task share its network interface, so no two listen on one port.
fn check_port_numbers(input: &Value, containers: &[Value]) -> Check {
    if input.text("networkMode") != Some("awsvpc") {
        return Ok(());
    }
    let mut taken: BTreeMap<(i64, String), usize> = BTreeMap::new();
    for (place, container) in containers.iter().enumerate() {
        for port in container.items("portMappings").unwrap_or_default() {
            let Some(number) = port.whole("containerPort") else { continue };
            let protocol = port.text("protocol").unwrap_or("tcp").to_ascii_lowercase();
            if *taken.entry((number, protocol)).or_insert(place) != place {
                return Err(Refusal::client(format!(
                    "When networkMode=awsvpc, port {number} can be used by one container of the task definition only."
                )));
            }
        }
    }
    Ok(())
}

fn check_restart(container: &Value) -> Check {
    let Some(policy) = container.member("restartPolicy") else {
        return Ok(());
    };
    if policy.whole("restartAttemptPeriod").is_some_and(|period| !(60..=1800).contains(&period)) {
        return Err(Refusal::client("The restartAttemptPeriod must be between 60 and 1800 seconds."));
    }
    if policy.items("ignoredExitCodes").is_some_and(|codes| codes.len() > 50) {
        return Err(Refusal::client("A restart policy can have at most 50 ignored exit codes."));
    }
    Ok(())
}

fn check_mounts(input: &Value, containers: &[Value]) -> Check {
    let volumes = input.items("volumes").unwrap_or_default().iter();
    let volumes: BTreeSet<&str> = volumes.filter_map(|volume| volume.text("name")).collect();
    let names: BTreeSet<&str> = containers.iter().filter_map(|container| container.text("name")).collect();
    for container in containers {
        for mount in container.items("mountPoints").unwrap_or_default() {
            let volume = mount.text("sourceVolume").unwrap_or_default();
            if !volumes.contains(volume) {
                return Err(Refusal::client(format!("Unknown volume '{volume}'.")));
            }
        }
        for other in container.items("volumesFrom").unwrap_or_default() {
            let other = other.text("sourceContainer").unwrap_or_default();
            if !names.contains(other) {
                return Err(Refusal::client(format!("Unknown container '{other}' in volumesFrom.")));
            }
        }
    }
    Ok(())
}

fn check_dependencies(containers: &[Value]) -> Check {
    let by_name: BTreeMap<&str, &Value> =
        containers.iter().filter_map(|container| Some((container.text("name")?, container))).collect();
    let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, container) in &by_name {
        for dependency in container.items("dependsOn").unwrap_or_default() {
            let other = dependency.text("containerName").unwrap_or_default();
            let condition = dependency.text("condition").unwrap_or_default();
            check_dependency(name, by_name.get(other).copied(), condition)?;
            needs.entry(name).or_default().insert(other);
        }
    }
    // What needs nothing that is left can start; what can never start is in a circle.
    loop {
        let free: Vec<&str> =
            by_name.keys().copied().filter(|name| needs.get(name).is_none_or(BTreeSet::is_empty)).collect();
        let before: usize = needs.values().map(BTreeSet::len).sum();
        for others in needs.values_mut() {
            others.retain(|other| !free.contains(other));
        }
        let after: usize = needs.values().map(BTreeSet::len).sum();
        if after == 0 {
            return Ok(());
        }
        if after == before {
            return Err(Refusal::client("The container dependencies contain a cycle."));
        }
    }
}

fn check_dependency(name: &str, other: Option<&Value>, condition: &str) -> Check {
    let Some(other) = other.filter(|other| other.text("name") != Some(name)) else {
        return Err(Refusal::client(format!("Container '{name}' depends on a container that does not exist.")));
    };
    let essential = other.flag("essential").unwrap_or(true);
    match condition {
        "START" => Ok(()),
        "HEALTHY" if other.member("healthCheck").is_some() => Ok(()),
        "HEALTHY" => {
            Err(Refusal::client(format!("Container '{name}' waits for the health of one that has no health check.")))
        }
        "COMPLETE" | "SUCCESS" if !essential => Ok(()),
        "COMPLETE" | "SUCCESS" => {
            Err(Refusal::client(format!("Container '{name}' waits for the end of an essential container.")))
        }
        other => unknown("condition", other),
    }
}

/// awsfirelens needs a container that routes the logs.
fn check_router(containers: &[Value]) -> Check {
    let sends = |container: &Value| {
        container.get("logConfiguration").and_then(|log| log.text("logDriver")) == Some("awsfirelens")
    };
    let router = containers.iter().any(|container| container.member("firelensConfiguration").is_some());
    if containers.iter().any(sends) && !router {
        return Err(Refusal::client(
            "When a container uses the awsfirelens log driver, another one must have a firelensConfiguration.",
        ));
    }
    Ok(())
}
