//! Further containers, in the shape of an ECS container definition: what Fargate refuses, and what must agree with the
//! agent's own container.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Found, container, form};
use crate::{nearest::nearest, path, spec::AgentDeployment};

const MAX_CONTAINERS: usize = 10;

const KNOWN: [&str; 28] = [
    "command",
    "cpu",
    "dependsOn",
    "dockerLabels",
    "entryPoint",
    "environment",
    "environmentFiles",
    "essential",
    "firelensConfiguration",
    "healthCheck",
    "image",
    "interactive",
    "linuxParameters",
    "logConfiguration",
    "memory",
    "memoryReservation",
    "mountPoints",
    "name",
    "portMappings",
    "pseudoTerminal",
    "readonlyRootFilesystem",
    "repositoryCredentials",
    "restartPolicy",
    "secrets",
    "startTimeout",
    "stopTimeout",
    "user",
    "workingDirectory",
];
const ALSO_KNOWN: [&str; 6] =
    ["credentialSpecs", "resourceRequirements", "systemControls", "ulimits", "versionConsistency", "volumesFrom"];
const FORBIDDEN: [&str; 9] = [
    "disableNetworking",
    "dnsSearchDomains",
    "dnsServers",
    "dockerSecurityOptions",
    "extraHosts",
    "hostname",
    "links",
    "placementConstraints",
    "privileged",
];
const FORBIDDEN_LINUX: [&str; 5] = ["devices", "maxSwap", "sharedMemorySize", "swappiness", "tmpfs"];

pub(super) fn check(agent: &AgentDeployment, found: &mut Found) {
    let sidecars = &agent.spec.sidecars;
    if sidecars.len() >= MAX_CONTAINERS {
        let problem = format!("{} containers are too many", sidecars.len() + 1);
        found.add("spec.sidecars", problem, format!("at most {MAX_CONTAINERS} in a task"));
    }
    let mut names = BTreeSet::from([agent.spec.container.name.as_str()]);
    let mut ports = BTreeSet::from([u64::from(agent.spec.container.port)]);
    for (index, sidecar) in sidecars.iter().enumerate().take(MAX_CONTAINERS) {
        let at = path::item("spec.sidecars", index);
        name(sidecar, &at, &mut names, found);
        image(sidecar, &at, found);
        fields(sidecar, &at, found);
        linux(sidecar, &at, found);
        ports_of(sidecar, &at, &mut ports, found);
        details(sidecar, &at, found);
    }
    for (index, sidecar) in sidecars.iter().enumerate().take(MAX_CONTAINERS) {
        depends_on(sidecar, &path::item("spec.sidecars", index), &names, found);
    }
    shares(agent, found);
}

fn name<'a>(sidecar: &'a Map<String, Value>, at: &str, names: &mut BTreeSet<&'a str>, found: &mut Found) {
    let at = path::field(at, "name");
    match text(sidecar, "name") {
        None => found.add(at, "a sidecar needs a name", "a string, unique in the task"),
        Some(name) if !form::is_name(name) => {
            let hint = "letters, digits, `_` and `-`, 1 to 255 characters";
            found.add(at, format!("`{name}` is not a name ECS accepts"), hint);
        }
        Some(name) if !names.insert(name) => {
            found.add(at, format!("another container is called `{name}`"), "a name unique in the task");
        }
        Some(_) => {}
    }
}

fn image(sidecar: &Map<String, Value>, at: &str, found: &mut Found) {
    let at = path::field(at, "image");
    match text(sidecar, "image") {
        None => found.add(at, "a sidecar needs an image", "`<registry>/<repository>:<tag>`"),
        Some(uri) => {
            if let Some(fault) = form::image_fault(uri) {
                found.add(at, format!("`{uri}` is not an image reference"), fault);
            }
        }
    }
}

fn fields(sidecar: &Map<String, Value>, at: &str, found: &mut Found) {
    let known = || KNOWN.into_iter().chain(ALSO_KNOWN);
    for key in sidecar.keys() {
        let here = path::field(at, key);
        if FORBIDDEN.contains(&key.as_str()) {
            found.add(here, format!("Fargate does not support `{key}`"), "remove it");
        } else if !known().any(|known| known == key) {
            let hint = match nearest(key, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a field of an ECS container definition".to_owned(),
            };
            found.add(here, format!("unknown field `{key}`"), hint);
        }
    }
    let gpu = |need: &Value| need.get("type").and_then(Value::as_str) == Some("GPU");
    if list(sidecar.get("resourceRequirements")).iter().any(gpu) {
        found.add(path::field(at, "resourceRequirements"), "Fargate has no GPU", "remove it");
    }
}

fn linux(sidecar: &Map<String, Value>, at: &str, found: &mut Found) {
    let Some(linux) = sidecar.get("linuxParameters").and_then(Value::as_object) else {
        return;
    };
    let at = path::field(at, "linuxParameters");
    for key in linux.keys().filter(|key| FORBIDDEN_LINUX.contains(&key.as_str())) {
        found.add(path::field(&at, key), format!("Fargate does not support `{key}`"), "remove it");
    }
    let added = list(linux.get("capabilities").and_then(|capabilities| capabilities.get("add")));
    if added.iter().any(|capability| capability.as_str() != Some("SYS_PTRACE")) {
        let at = path::field(&path::field(&at, "capabilities"), "add");
        found.add(at, "Fargate adds no such capability", "`SYS_PTRACE` alone");
    }
}

/// Containers of a task share one network interface, and so its ports.
fn ports_of(sidecar: &Map<String, Value>, at: &str, ports: &mut BTreeSet<u64>, found: &mut Found) {
    let at = path::field(at, "portMappings");
    for (index, mapping) in list(sidecar.get("portMappings")).iter().enumerate() {
        let at = path::field(&path::item(&at, index), "containerPort");
        match mapping.get("containerPort").and_then(Value::as_u64) {
            Some(port) if !(1..=65535).contains(&port) => found.add(at, format!("{port} is not a port"), "1 to 65535"),
            Some(port) if !ports.insert(port) => {
                let hint = "containers of a task share one network interface";
                found.add(at, format!("port {port} is taken by another container"), hint);
            }
            Some(_) => {}
            None => found.add(at, "a port mapping needs a containerPort", "a number from 1 to 65535"),
        }
    }
}

fn details(sidecar: &Map<String, Value>, at: &str, found: &mut Found) {
    for key in ["startTimeout", "stopTimeout"] {
        if let Some(seconds) = sidecar.get(key).filter(|value| !value.as_u64().is_some_and(|n| (2..=120).contains(&n)))
        {
            found.add(path::field(at, key), format!("{seconds} is out of range"), "2 to 120 seconds");
        }
    }
    let driver = sidecar.get("logConfiguration").and_then(|log| log.get("logDriver")).and_then(Value::as_str);
    if let Some(driver) = driver.filter(|driver| !["awslogs", "splunk", "awsfirelens"].contains(driver)) {
        let at = path::field(&path::field(at, "logConfiguration"), "logDriver");
        found.add(at, format!("Fargate has no log driver `{driver}`"), "`awslogs`, `splunk` or `awsfirelens`");
    }
    for (index, variable) in list(sidecar.get("environment")).iter().enumerate() {
        let sound = ["name", "value"].iter().all(|key| variable.get(*key).is_some_and(Value::is_string));
        if !sound {
            let at = path::item(&path::field(at, "environment"), index);
            found.add(at, "not an environment variable", "`{name: ..., value: ...}`, both strings: quote numbers");
        }
    }
    for (index, secret) in list(sidecar.get("secrets")).iter().enumerate() {
        let from = secret.get("valueFrom").and_then(Value::as_str);
        if !from.is_some_and(container::is_secret) || !secret.get("name").is_some_and(Value::is_string) {
            let at = path::item(&path::field(at, "secrets"), index);
            found.add(at, "not a secret", "`{name: ..., valueFrom: <ARN or parameter name>}`");
        }
    }
}

fn depends_on(sidecar: &Map<String, Value>, at: &str, names: &BTreeSet<&str>, found: &mut Found) {
    for (index, dependency) in list(sidecar.get("dependsOn")).iter().enumerate() {
        let at = path::field(&path::item(&path::field(at, "dependsOn"), index), "containerName");
        match dependency.get("containerName").and_then(Value::as_str) {
            Some(name) if names.contains(name) && text(sidecar, "name") != Some(name) => {}
            Some(name) => found.add(at, format!("there is no other container `{name}`"), "a container of this task"),
            None => found.add(at, "the dependency is not named", "`containerName: ...`"),
        }
    }
}

/// What containers reserve for themselves may not exceed the task.
fn shares(agent: &AgentDeployment, found: &mut Found) {
    let resources = &agent.spec.resources;
    for (key, whole) in [("cpu", resources.cpu), ("memory", resources.memory)] {
        let reserved = agent.spec.sidecars.iter().filter_map(|sidecar| sidecar.get(key)?.as_u64());
        let sum = reserved.fold(0, u64::saturating_add);
        if sum > u64::from(whole) {
            let problem = format!("the sidecars reserve {sum} {key} of the task's {whole}");
            found.add("spec.sidecars", problem, format!("less, or more `spec.resources.{key}`"));
        }
    }
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
