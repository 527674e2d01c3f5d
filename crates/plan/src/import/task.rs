//! The task definition as fields of a spec, and what is left of it as an override.

use fargateer_api::{AgentDeployment, default};
use serde_json::{Map, Value, json};

use super::{Found, list, text};
use crate::image::Reference;
use crate::{merge, normal, service, task_definition};

/// The container that is the agent's own, in its canonical form: the one behind the load balancer, else the first essential
/// one with a port, else the first essential one, else the first. `written` has them in the order in which they stand.
pub(super) fn main<'a>(document: &'a Value, written: &Value, service: &service::Live) -> Option<&'a Value> {
    let balancers = service.document.get("loadBalancers").and_then(Value::as_array).into_iter().flatten();
    let mut balanced = balancers.filter_map(|balancer| balancer.get("containerName")?.as_str());
    let names = list(written, "containerDefinitions").iter().map(|container| text(container, "name"));
    let find = |name: &str| list(document, "containerDefinitions").iter().find(|item| text(item, "name") == name);
    let all: Vec<&Value> = names.filter_map(find).collect();
    let essential = |item: &&&Value| item.get("essential") == Some(&json!(true));
    let serving = all.iter().filter(essential).find(|item| !list(item, "portMappings").is_empty());
    let first = serving.or_else(|| all.iter().find(essential)).or_else(|| all.first()).copied();
    balanced.find_map(find).or(first)
}

/// The port the agent serves on: the load balancer's, else its first; where it has none, one nobody in the task uses.
pub(super) fn port(document: &Value, main: &Value, service: &service::Live) -> u16 {
    let balancers = service.document.get("loadBalancers").and_then(Value::as_array).into_iter().flatten();
    let own = balancers.filter(|balancer| balancer.get("containerName") == main.get("name"));
    let mappings = list(main, "portMappings").iter();
    let asked = own.chain(mappings).find_map(|item| number(item.get("containerPort")?));
    let containers = list(document, "containerDefinitions").iter();
    let taken: Vec<u64> = containers
        .flat_map(|container| list(container, "portMappings"))
        .filter_map(|mapping| mapping.get("containerPort")?.as_u64())
        .collect();
    let free = (default::CONTAINER_PORT..=u16::MAX).find(|port| !taken.contains(&u64::from(*port)));
    asked.or(free).unwrap_or(default::CONTAINER_PORT)
}

/// Everything of the task that has a field of its own.
pub(super) fn fields(document: &Value, (main, port): (&Value, u16), found: &Found<'_>) -> Map<String, Value> {
    let written = &found.revision.document;
    let uri = text(main, "image");
    let architecture = document.pointer("/runtimePlatform/cpuArchitecture").and_then(Value::as_str);
    let containers = list(document, "containerDefinitions").iter();
    let sidecars = containers.filter(|container| container.get("name") != main.get("name"));
    let fields = [
        // Other tools give ECS the tag; resolving it would make a new revision.
        ("image", json!({"uri": uri, "pin": Reference::parse(uri).ecr.is_none()})),
        ("container", container(main, port)),
        ("sidecars", sidecars.map(plain).collect()),
        (
            "resources",
            some(json!({
                "cpu": amount(document, "cpu"),
                "memory": amount(document, "memory"),
                "ephemeralStorageGiB": document.pointer("/ephemeralStorage/sizeInGiB"),
                "architecture": architecture.filter(|name| ["X86_64", "ARM64"].contains(name)),
            })),
        ),
        ("roles", some(json!({"execution": written.get("executionRoleArn"), "task": written.get("taskRoleArn")}))),
        ("logging", logging(main, found)),
    ];
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The override of the task definition that says what `agent` does not: what is left of `document`.
pub(super) fn rest(agent: &AgentDeployment, document: &Value) -> Map<String, Value> {
    let image = agent.spec.image.uri.as_deref().unwrap_or_default();
    let rendered = normal::task_definition(&task_definition::from_spec(agent, image, None).document());
    let (mut have, mut want) = (document.clone(), rendered.clone());
    for side in [&mut have, &mut want] {
        side.as_object_mut().map(|fields| fields.remove("containerDefinitions"));
    }
    let mut rest = merge::patch(&want, &have).and_then(|patch| patch.as_object().cloned()).unwrap_or_default();
    let containers = list(&rendered, "containerDefinitions").iter();
    let patches: Vec<Value> = containers.filter_map(|want| container_rest(want, document)).collect();
    if !patches.is_empty() {
        rest.insert("containerDefinitions".to_owned(), json!(patches));
    }
    rest
}

/// The patch of one container, under its name.
fn container_rest(want: &Value, document: &Value) -> Option<Value> {
    let have = list(document, "containerDefinitions").iter().find(|have| have.get("name") == want.get("name"))?;
    let mut patch = merge::patch(want, have)?;
    patch.as_object_mut()?.insert("name".to_owned(), want.get("name")?.clone());
    Some(patch)
}

fn container(main: &Value, port: u16) -> Value {
    let get = |key: &str| main.get(key).cloned().unwrap_or_default();
    let absolute = main.get("workingDirectory").filter(|path| path.as_str().is_some_and(|path| path.starts_with('/')));
    some(json!({
        "name": get("name"),
        "port": port,
        "command": get("command"),
        "entryPoint": get("entryPoint"),
        "workingDirectory": absolute,
        "user": get("user"),
        "readonlyRootFilesystem": get("readonlyRootFilesystem"),
        "initProcess": main.pointer("/linuxParameters/initProcessEnabled"),
        "stopTimeout": get("stopTimeout"),
        "environment": variables(main, "environment", "value", Value::clone),
        "secrets": variables(main, "secrets", "valueFrom", |from| json!({"valueFrom": from})),
        "healthCheck": main.get("healthCheck").map(|check| health_check(check, port)),
    }))
}

/// A list of variables by name, unless it cannot be written so: then it is left for the override.
fn variables(main: &Value, key: &str, field: &str, form: impl Fn(&Value) -> Value) -> Option<Map<String, Value>> {
    let items = list(main, key);
    let sound = |name: &str| {
        let first = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
        name.starts_with(first) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    let pairs = items.iter().filter_map(|item| Some((text(item, "name").to_owned(), form(item.get(field)?))));
    let named: Map<String, Value> = pairs.filter(|(name, _)| sound(name)).collect();
    (named.len() == items.len()).then_some(named)
}

/// A check by path, where the command is the one that a path stands for.
fn health_check(check: &Value, port: u16) -> Value {
    let words: Vec<&str> = list(check, "command").iter().filter_map(Value::as_str).collect();
    let safe = |path: &&str| path.chars().all(|c| c.is_ascii_alphanumeric() || "/_.~%=:@+,-?".contains(c));
    let path = match words.as_slice() {
        ["CMD-SHELL", line] => line
            .strip_prefix(&format!("curl -f http://localhost:{port}"))
            .and_then(|rest| rest.strip_suffix(" || exit 1"))
            .filter(|path| path.starts_with('/'))
            .filter(safe),
        _ => None,
    };
    let sound = matches!(words.as_slice(), ["CMD-SHELL", _] | ["CMD", _, ..]);
    some(json!({
        "path": path,
        "command": (path.is_none() && sound).then_some(words),
        "interval": check.get("interval"),
        "timeout": check.get("timeout"),
        "retries": check.get("retries"),
        "startPeriod": check.get("startPeriod"),
    }))
}

fn logging(main: &Value, found: &Found<'_>) -> Value {
    let log = main.get("logConfiguration").filter(|log| text(log, "logDriver") == "awslogs");
    let Some(options) =
        log.and_then(|log| log.get("options")).filter(|options| !text(options, "awslogs-group").is_empty())
    else {
        return json!({"enabled": false});
    };
    let mut logging = some(json!({
        "group": options.get("awslogs-group"),
        "streamPrefix": options.get("awslogs-stream-prefix"),
        "mode": options.get("mode"),
        "maxBufferSize": options.get("max-buffer-size"),
    }));
    if let Some(group) = found.log_group {
        logging["retentionDays"] = json!(group.retention);
    }
    logging
}

/// A container without what ECS fills in.
fn plain(container: &Value) -> Value {
    let mut plain = container.clone();
    let drop = |value: &mut Value, key: &str, default: &Value| {
        if let Some(fields) = value.as_object_mut().filter(|fields| fields.get(key) == Some(default)) {
            fields.remove(key);
        }
    };
    drop(&mut plain, "essential", &json!(true));
    for mapping in plain.get_mut("portMappings").and_then(Value::as_array_mut).into_iter().flatten() {
        let port = mapping.get("containerPort").cloned().unwrap_or_default();
        drop(mapping, "hostPort", &port);
        drop(mapping, "protocol", &json!("tcp"));
    }
    if let Some(check) = plain.get_mut("healthCheck") {
        for (key, default) in [("interval", 30), ("timeout", 5), ("retries", 3), ("startPeriod", 0)] {
            drop(check, key, &json!(default));
        }
    }
    plain
}

fn amount(document: &Value, key: &str) -> Option<u32> {
    text(document, key).parse().ok()
}

fn number(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|number| u16::try_from(number).ok())
}

/// `fields` without those that are null: absent, so that the default counts.
pub(super) fn some(fields: Value) -> Value {
    let mut fields = fields;
    if let Some(map) = fields.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    fields
}
