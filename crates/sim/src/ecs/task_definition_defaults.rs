//! What ECS adds to a task definition that nobody sent: defaults, canonical sizes, what it requires.
//!
//! ECS API reference, the members of TaskDefinition and ContainerDefinition. An unknown member is dropped, a known one kept
//! as it was sent.

use super::task_size;
use crate::input::Members;
use serde_json::{Map, Value, json};

const MEMBERS: [&str; 16] = [
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "ephemeralStorage",
    "runtimePlatform",
    "enableFaultInjection",
];

const CONTAINER_MEMBERS: [&str; 42] = [
    "name",
    "image",
    "repositoryCredentials",
    "cpu",
    "memory",
    "memoryReservation",
    "links",
    "portMappings",
    "essential",
    "restartPolicy",
    "entryPoint",
    "command",
    "environment",
    "environmentFiles",
    "mountPoints",
    "volumesFrom",
    "linuxParameters",
    "secrets",
    "dependsOn",
    "startTimeout",
    "stopTimeout",
    "versionConsistency",
    "hostname",
    "user",
    "workingDirectory",
    "disableNetworking",
    "privileged",
    "readonlyRootFilesystem",
    "dnsServers",
    "dnsSearchDomains",
    "extraHosts",
    "dockerSecurityOptions",
    "interactive",
    "pseudoTerminal",
    "dockerLabels",
    "ulimits",
    "logConfiguration",
    "healthCheck",
    "systemControls",
    "resourceRequirements",
    "firelensConfiguration",
    "credentialSpecs",
];

/// The definition as DescribeTaskDefinition will return it, but for what numbers it.
pub(super) fn fill(input: &Value) -> Value {
    let mut body = known(input, &MEMBERS);
    for (member, parse) in [("cpu", task_size::cpu as fn(&str) -> Option<u32>), ("memory", task_size::memory)] {
        if let Some(size) = input.text(member).and_then(parse) {
            body.put(member, json!(size.to_string()));
        }
    }
    body.fill("volumes", json!([]));
    body.fill("placementConstraints", json!([]));
    let network = input.text("networkMode").unwrap_or("bridge");
    let containers: Value =
        input.items("containerDefinitions").unwrap_or_default().iter().map(|c| container(c, network)).collect();
    body.put("containerDefinitions", containers);
    body.put("compatibilities", compatibilities(input));
    body.put("requiresAttributes", attributes(input));
    body
}

fn known(value: &Value, members: &[&str]) -> Value {
    let kept = members.iter().filter_map(|name| Some(((*name).to_owned(), value.member(name)?.clone())));
    Value::Object(kept.collect::<Map<_, _>>())
}

fn container(sent: &Value, network: &str) -> Value {
    let mut container = known(sent, &CONTAINER_MEMBERS);
    container.fill("cpu", json!(0));
    container.fill("essential", json!(true));
    for list in ["environment", "mountPoints", "volumesFrom", "systemControls", "portMappings"] {
        container.fill(list, json!([]));
    }
    if let Some(ports) = container.get_mut("portMappings").and_then(Value::as_array_mut) {
        for port in ports.iter_mut() {
            fill_port(port, network);
        }
    }
    if let Some(check) = container.get_mut("healthCheck") {
        check.fill("interval", json!(30));
        check.fill("timeout", json!(5));
        check.fill("retries", json!(3));
    }
    container
}

fn fill_port(port: &mut Value, network: &str) {
    if port.text("protocol") != Some("udp") {
        port.put("protocol", json!("tcp"));
    }
    let unset = port.whole("hostPort").unwrap_or(0) == 0;
    if unset && matches!(network, "awsvpc" | "host") {
        let number = port.member("containerPort").cloned().unwrap_or(Value::Null);
        port.put("hostPort", number);
    }
}

fn compatibilities(input: &Value) -> Value {
    let fargate = input.texts("requiresCompatibilities").iter().any(|name| name == "FARGATE");
    if fargate || input.text("networkMode") == Some("awsvpc") { json!(["EC2", "FARGATE"]) } else { json!(["EC2"]) }
}

/// The capabilities an instance would need: server-owned, of no use on Fargate, and returned all the same.
fn attributes(input: &Value) -> Value {
    let containers = input.items("containerDefinitions").unwrap_or_default();
    let any = |test: &dyn Fn(&Value) -> bool| containers.iter().any(test);
    let awslogs = any(&|c| c.get("logConfiguration").and_then(|log| log.text("logDriver")) == Some("awslogs"));
    let ecr = any(&|c| c.text("image").is_some_and(|image| image.contains(".dkr.ecr.")));
    let checked = any(&|c| c.member("healthCheck").is_some());
    let task_role = input.member("taskRoleArn").is_some();
    let execution_role = input.member("executionRoleArn").is_some();
    let needed = [
        (awslogs, "com.amazonaws.ecs.capability.logging-driver.awslogs"),
        (awslogs && execution_role, "ecs.capability.execution-role-awslogs"),
        (ecr, "com.amazonaws.ecs.capability.ecr-auth"),
        (ecr && execution_role, "ecs.capability.execution-role-ecr-pull"),
        (true, "com.amazonaws.ecs.capability.docker-remote-api.1.18"),
        (awslogs, "com.amazonaws.ecs.capability.docker-remote-api.1.19"),
        (checked, "ecs.capability.container-health-check"),
        (task_role, "com.amazonaws.ecs.capability.task-iam-role"),
        (input.text("networkMode") == Some("awsvpc"), "ecs.capability.task-eni"),
    ];
    let names = needed.iter().filter(|(needed, _)| *needed);
    names.map(|(_, name)| json!({"name": name})).collect()
}
