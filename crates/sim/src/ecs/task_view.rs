//! Tasks as DescribeTasks shows them.

use super::{task, task_definition, task_size};
use crate::arn;
use crate::behaviour::Behaviour;
use crate::ecr;
use crate::input::Members;
use crate::state::Region;
use crate::state::ecs::{Health, Phase, Service, Task};
use crate::tag;
use serde_json::{Value, json};
use std::time::Duration;

/// One task as it is described.
pub(super) fn one(region: &Region, service: &Service, task: &Task, include: &[String]) -> Value {
    let definition = task_definition::find(region, &task.definition).map(|definition| definition.body.clone());
    let definition = definition.unwrap_or(Value::Null);
    let mut body = json!({
        "taskArn": task.arn,
        "clusterArn": region.arn("ecs", &format!("cluster/{}", service.cluster)),
        "taskDefinitionArn": task.definition,
        "lastStatus": status(task.phase),
        "desiredStatus": if task.live() { "RUNNING" } else { "STOPPED" },
        "healthStatus": health(task.health),
        "cpu": sized(task, &definition, "cpu"),
        "memory": sized(task, &definition, "memory"),
        "group": group(service, task, &definition),
        "startedBy": if service.name.is_empty() { task.settings.text("startedBy") } else { Some(task.deployment.as_str()) },
        "availabilityZone": format!("{}a", region.name),
        "connectivity": task.pulled.map(|_| if task.phase == Phase::Stopped { "DISCONNECTED" } else { "CONNECTED" }),
        "platformVersion": platform(task.settings.text("platformVersion")),
        "platformFamily": "Linux",
        "enableExecuteCommand": task.settings.flag("enableExecuteCommand").unwrap_or(false),
        "version": task.version,
        "createdAt": region.stamp(task.created),
        "attachments": [attachment(region, task)],
        "attributes": [{"name": "ecs.cpu-architecture", "value": architecture(&definition)}],
        "overrides": overrides(task, &definition),
        "containers": containers(region, task, &definition),
        "tags": if include.iter().any(|what| what == "TAGS") { tag::LOWER.write(&task.tags) } else { json!([]) },
        "ephemeralStorage": definition.member("ephemeralStorage").cloned().unwrap_or_else(|| json!({"sizeInGiB": 20})),
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason,
    });
    let storage = body.get("ephemeralStorage").cloned().unwrap_or(Value::Null);
    body.put("fargateEphemeralStorage", storage);
    launched_on(task, &mut body);
    times(region, task, &mut body);
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    body
}

/// The capacity provider a task runs on: the heaviest of its strategy.
pub(super) fn provider(task: &Task) -> Option<&str> {
    let strategy = task.settings.items("capacityProviderStrategy").unwrap_or_default();
    let heaviest = strategy.iter().max_by_key(|item| (item.whole("base"), item.whole("weight")));
    heaviest.and_then(|item| item.text("capacityProvider"))
}

/// The launch type of a task, which one that runs on a capacity provider does not show.
pub(super) fn launch_type(task: &Task) -> Option<&str> {
    Some(task.settings.text("launchType").unwrap_or("FARGATE")).filter(|_| provider(task).is_none())
}

/// A size of a task: RunTask may override the definition's.
fn sized(task: &Task, definition: &Value, member: &str) -> Option<String> {
    let parse = if member == "cpu" { task_size::cpu } else { task_size::memory };
    let said = task.settings.get("overrides").and_then(|overrides| overrides.text(member)).and_then(parse);
    said.map(|size| size.to_string()).or_else(|| definition.text(member).map(str::to_owned))
}

fn architecture(definition: &Value) -> &'static str {
    let platform = definition.member("runtimePlatform").and_then(|platform| platform.text("cpuArchitecture"));
    if platform == Some("ARM64") { "arm64" } else { "x86_64" }
}

/// The overrides of a task: an entry for each container, with what RunTask said of it.
fn overrides(task: &Task, definition: &Value) -> Value {
    let mut overrides = task.settings.member("overrides").cloned().unwrap_or_else(|| json!({}));
    let mut containers = overrides.items("containerOverrides").unwrap_or_default().to_vec();
    for container in definition.items("containerDefinitions").unwrap_or_default() {
        let name = container.text("name").unwrap_or_default();
        if !containers.iter().any(|known| known.text("name") == Some(name)) {
            containers.push(json!({"name": name}));
        }
    }
    overrides.put("containerOverrides", json!(containers));
    overrides.fill("inferenceAcceleratorOverrides", json!([]));
    overrides
}

fn launched_on(task: &Task, body: &mut Value) {
    match provider(task) {
        Some(provider) => body.put("capacityProviderName", json!(provider)),
        None => body.put("launchType", json!(task.settings.text("launchType").unwrap_or("FARGATE"))),
    }
}

fn times(region: &Region, task: &Task, body: &mut Value) {
    let moments: [(&str, Option<Duration>); 7] = [
        ("connectivityAt", task.pulled.map(|(from, _)| from)),
        ("pullStartedAt", task.pulled.map(|(from, _)| from)),
        ("pullStoppedAt", task.pulled.and_then(|(_, to)| to)),
        ("startedAt", task.started),
        ("stoppingAt", task.stopping_at),
        ("executionStoppedAt", task.execution_stopped),
        ("stoppedAt", task.stopped),
    ];
    for (name, at) in moments {
        if let Some(at) = at {
            body.put(name, json!(region.stamp(at)));
        }
    }
}

fn group(service: &Service, task: &Task, definition: &Value) -> String {
    if let Some(group) = task.settings.text("group") {
        group.to_owned()
    } else if service.name.is_empty() {
        format!("family:{}", definition.text("family").unwrap_or_default())
    } else {
        format!("service:{}", service.name)
    }
}

/// The platform version `LATEST` stands for.
pub(super) fn platform(version: Option<&str>) -> &str {
    version.filter(|version| *version != "LATEST").unwrap_or("1.4.0")
}

fn attachment(region: &Region, task: &Task) -> Value {
    let vpc = task.settings.get("networkConfiguration").and_then(|network| network.get("awsvpcConfiguration"));
    let subnet = vpc.and_then(|vpc| vpc.texts("subnets").into_iter().next()).unwrap_or_default();
    let state = match task.phase {
        Phase::Provisioning => "PRECREATED",
        Phase::Stopped => "DELETED",
        Phase::Pending
        | Phase::Activating
        | Phase::Running
        | Phase::Deactivating
        | Phase::Stopping
        | Phase::Deprovisioning => "ATTACHED",
    };
    json!({
        "id": attachment_id(task),
        "type": "ElasticNetworkInterface",
        "status": state,
        "details": [
            {"name": "subnetId", "value": subnet},
            {"name": "networkInterfaceId", "value": task.interface},
            {"name": "macAddress", "value": mac(task)},
            {"name": "privateDnsName", "value": format!("ip-{}.{}.compute.internal", task.address.replace('.', "-"), region.name)},
            {"name": "privateIPv4Address", "value": task.address},
        ],
    })
}

fn attachment_id(task: &Task) -> String {
    arn::uuid(&task.interface)
}

/// A locally administered MAC address that follows from the interface.
fn mac(task: &Task) -> String {
    let digest = arn::digest(&task.interface);
    let octets = (0..5).map(|index| digest.get(7 + 2 * index..9 + 2 * index).unwrap_or("00"));
    std::iter::once("0e").chain(octets).collect::<Vec<_>>().join(":")
}

/// The ARN of a container of a task.
pub(super) fn container_arn(task: &str, name: &str) -> String {
    format!("{}/{}", task.replacen(":task/", ":container/", 1), arn::uuid(&format!("{task}/{name}")))
}

fn runtime_number(name: &str) -> u32 {
    let digest = arn::digest(name);
    u32::from_str_radix(digest.get(7..14).unwrap_or("0"), 16).unwrap_or(0)
}

fn containers(region: &Region, task: &Task, definition: &Value) -> Vec<Value> {
    let main = task::main_container(definition).and_then(|container| container.text("name"));
    let all = definition.items("containerDefinitions").unwrap_or_default().iter();
    all.map(|container| one_container(region, task, container, container.text("name") == main)).collect()
}

fn one_container(region: &Region, task: &Task, container: &Value, is_main: bool) -> Value {
    let name = container.text("name").unwrap_or_default();
    let image = container.text("image").unwrap_or_default();
    let pulled = task.pulled.is_some_and(|(_, to)| to.is_some());
    let checked = container.member("healthCheck").is_some();
    let last = match task.phase {
        Phase::Provisioning | Phase::Pending | Phase::Activating => "PENDING",
        Phase::Running | Phase::Deactivating | Phase::Stopping => "RUNNING",
        Phase::Deprovisioning | Phase::Stopped => "STOPPED",
    };
    let mut body = json!({
        "containerArn": container_arn(&task.arn, name),
        "taskArn": task.arn,
        "name": name,
        "image": image,
        "imageDigest": pulled.then(|| ecr::digest(region, image)),
        "runtimeId": pulled.then(|| format!("{}-{}", task.id, runtime_number(name))),
        "lastStatus": last,
        "networkBindings": [],
        "networkInterfaces": [{"attachmentId": attachment_id(task), "privateIpv4Address": task.address}],
        "healthStatus": if checked { health(task.health) } else { "UNKNOWN" },
        "cpu": container.whole("cpu").unwrap_or(0).to_string(),
        "memory": container.whole("memory").map(|memory| memory.to_string()),
        "memoryReservation": container.whole("memoryReservation").map(|memory| memory.to_string()),
        "exitCode": if is_main || task.execution_stopped.is_some() { exit(task, is_main) } else { None },
        "reason": if is_main { task.container_reason.clone() } else { None },
    });
    if task.settings.flag("enableExecuteCommand") == Some(true) {
        body.put("managedAgents", json!([agent(region, task)]));
    }
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    body
}

/// The agent through which commands are executed in a container.
fn agent(region: &Region, task: &Task) -> Value {
    let status = match task.phase {
        Phase::Provisioning | Phase::Pending | Phase::Activating => "PENDING",
        Phase::Running | Phase::Deactivating => "RUNNING",
        Phase::Stopping | Phase::Deprovisioning | Phase::Stopped => "STOPPED",
    };
    let started = task.started.map(|at| region.stamp(at));
    json!({"name": "ExecuteCommandAgent", "lastStatus": status, "lastStartedAt": started})
}

fn exit(task: &Task, is_main: bool) -> Option<i32> {
    let crashed = matches!(task.behaviour, Behaviour::CrashLoop { .. } | Behaviour::OutOfMemory);
    if is_main || !crashed { task.exit_code } else { task.exit_code.map(|_| 143) }
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Unknown => "UNKNOWN",
        Health::Healthy => "HEALTHY",
        Health::Unhealthy => "UNHEALTHY",
    }
}

/// The name of a phase.
pub(super) fn status(phase: Phase) -> &'static str {
    match phase {
        Phase::Provisioning => "PROVISIONING",
        Phase::Pending => "PENDING",
        Phase::Activating => "ACTIVATING",
        Phase::Running => "RUNNING",
        Phase::Deactivating => "DEACTIVATING",
        Phase::Stopping => "STOPPING",
        Phase::Deprovisioning => "DEPROVISIONING",
        Phase::Stopped => "STOPPED",
    }
}
