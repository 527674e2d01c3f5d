//! Canonical forms: two spellings AWS treats alike become equal.
//!
//! A task definition is compared whole, so that a field this file has never heard of is still seen when it differs.
//! Where AWS fills a default or reorders a list, the rule stands here once, for the rendered and the described side.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Fields of a described task definition that the server owns: none of them can be asked for.
pub const SERVER_OWNED: &[&str] = &[
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
    "tags",
];

/// Lists whose order means something; every other list is a set.
const ORDERED: &[&str] = &["command", "entryPoint", "environmentFiles", "dnsServers", "dnsSearchDomains", "links"];

/// Flags whose `false` is the same as their absence.
const FALSE_IS_ABSENT: &[&str] = &[
    "readonlyRootFilesystem",
    "privileged",
    "interactive",
    "pseudoTerminal",
    "disableNetworking",
    "readOnly",
    "initProcessEnabled",
    "enableFaultInjection",
];

/// The canonical form of a task definition, rendered or described.
pub fn task_definition(document: &Value) -> Value {
    let mut map = document.as_object().cloned().unwrap_or_default();
    map.retain(|key, _| !SERVER_OWNED.contains(&key.as_str()));
    size(&mut map, "cpu", 1024.0);
    size(&mut map, "memory", 1024.0);
    for role in ["executionRoleArn", "taskRoleArn"] {
        // A role's name and its ARN are equal to ECS.
        let name = map.get(role).and_then(Value::as_str).map(last_segment);
        name.map(|name| map.insert(role.to_owned(), json!(name)));
    }
    if let Some(containers) = map.get_mut("containerDefinitions").and_then(Value::as_array_mut) {
        for item in containers {
            container(item);
        }
    }
    if let Some(volumes) = map.get_mut("volumes").and_then(Value::as_array_mut) {
        for item in volumes {
            volume(item);
        }
    }
    let platform = map.entry("runtimePlatform").or_insert_with(|| json!({}));
    fill(platform, &[("cpuArchitecture", json!("X86_64")), ("operatingSystemFamily", json!("LINUX"))]);
    tidy("", &Value::Object(map)).unwrap_or_else(|| json!({}))
}

/// The canonical form of service settings, rendered or described: the fields in `keys` alone.
pub fn service(settings: &Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    let mut map: Map<String, Value> =
        keys.iter().filter_map(|key| Some(((*key).to_owned(), settings.get(*key)?.clone()))).collect();
    if let Some(network) =
        map.get_mut("networkConfiguration").and_then(|network| network.get_mut("awsvpcConfiguration"))
    {
        fill(network, &[("assignPublicIp", json!("DISABLED")), ("subnets", json!([])), ("securityGroups", json!([]))]);
    }
    if let Some(deployment) = map.get_mut("deploymentConfiguration") {
        deployment_configuration(deployment);
    }
    if let Some(strategy) = map.get_mut("capacityProviderStrategy").and_then(Value::as_array_mut) {
        for item in strategy {
            fill(item, &[("weight", json!(0)), ("base", json!(0))]);
        }
    }
    map.iter().map(|(key, value)| (key.clone(), sorted(key, value))).collect()
}

/// SHA-256 of a canonical form, as 64 hexadecimal digits.
pub fn digest(canonical: &Value) -> String {
    let mut text = String::new();
    write_sorted(canonical, &mut text);
    hex::encode(Sha256::digest(text))
}

/// What follows the last `/` (a name out of an ARN), or the whole.
pub fn last_segment(text: &str) -> String {
    text.rsplit('/').next().unwrap_or(text).to_owned()
}

/// Fills the defaults ECS fills in a deployment configuration, so that "absent" and "default" are equal.
fn deployment_configuration(value: &mut Value) {
    fill(
        value,
        &[
            ("maximumPercent", json!(200)),
            ("minimumHealthyPercent", json!(100)),
            ("strategy", json!("ROLLING")),
            ("deploymentCircuitBreaker", json!({"enable": false, "rollback": false})),
            ("alarms", json!({})),
            ("lifecycleHooks", json!([])),
        ],
    );
    if let Some(alarms) = value.get_mut("alarms") {
        fill(alarms, &[("alarmNames", json!([])), ("enable", json!(false)), ("rollback", json!(false))]);
    }
}

fn container(value: &mut Value) {
    fill(value, &[("essential", json!(true))]);
    let Some(map) = value.as_object_mut() else { return };
    for mapping in list(map, "portMappings") {
        let port = mapping.get("containerPort").cloned().unwrap_or(Value::Null);
        // In awsvpc the host port is the container port; 0 asks for a dynamic one, which awsvpc does not have.
        let unset = mapping.get("hostPort").is_none_or(|host| host.is_null() || host == &json!(0));
        if unset && let Some(fields) = mapping.as_object_mut() {
            fields.insert("hostPort".to_owned(), port);
        }
        fill(mapping, &[("protocol", json!("tcp"))]);
    }
    if let Some(check) = map.get_mut("healthCheck") {
        let defaults = [("interval", 30), ("timeout", 5), ("retries", 3), ("startPeriod", 0)];
        fill(check, &defaults.map(|(key, value)| (key, json!(value))));
    }
    drop_equal(map, "cpu", &json!(0));
    drop_equal(map, "versionConsistency", &json!("enabled"));
    if map.get("restartPolicy").is_some_and(|policy| policy.get("enabled") == Some(&json!(false))) {
        map.remove("restartPolicy");
    }
}

fn volume(value: &mut Value) {
    if let Some(efs) = value.get_mut("efsVolumeConfiguration") {
        fill(efs, &[("rootDirectory", json!("/")), ("transitEncryption", json!("DISABLED"))]);
    }
}

/// Adds each default that is missing or null.
fn fill(value: &mut Value, defaults: &[(&str, Value)]) {
    let Some(map) = value.as_object_mut() else { return };
    for (key, default) in defaults {
        if map.get(*key).is_none_or(Value::is_null) {
            map.insert((*key).to_owned(), default.clone());
        }
    }
}

fn list<'a>(map: &'a mut Map<String, Value>, key: &str) -> impl Iterator<Item = &'a mut Value> {
    map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

fn drop_equal(map: &mut Map<String, Value>, key: &str, default: &Value) {
    if map.get(key) == Some(default) {
        map.remove(key);
    }
}

/// `"1 vCPU"`, `".5 vcpu"`, `"2 GB"`, `1024` and `"1024"` all become the integer string ECS answers with.
fn size(map: &mut Map<String, Value>, key: &str, unit: f64) {
    let Some(value) = map.get(key) else { return };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned).to_lowercase();
    let number = text.trim().trim_end_matches("vcpu").trim_end_matches("gb").trim();
    let scale = if number.len() == text.trim().len() { 1.0 } else { unit };
    if let Ok(amount) = number.parse::<f64>() {
        map.insert(key.to_owned(), json!(format!("{:.0}", amount * scale)));
    }
}

/// Drops nulls, empty lists and maps, and flags that are false by default; sorts sets. Empty strings stay.
fn tidy(key: &str, value: &Value) -> Option<Value> {
    if let Some(map) = value.as_object() {
        let kept: Map<String, Value> =
            map.iter().filter_map(|(key, value)| Some((key.clone(), tidy(key, value)?))).collect();
        return (!kept.is_empty()).then_some(Value::Object(kept));
    }
    if let Some(items) = value.as_array() {
        let kept = Value::Array(items.iter().filter_map(|item| tidy("", item)).collect());
        return (kept != json!([])).then(|| sorted(key, &kept));
    }
    let absent = value.is_null() || (FALSE_IS_ABSENT.contains(&key) && value == &json!(false));
    (!absent).then(|| value.clone())
}

/// Sorts every list in `value` that is a set.
fn sorted(key: &str, value: &Value) -> Value {
    if let Some(map) = value.as_object() {
        return map.iter().map(|(key, value)| (key.clone(), sorted(key, value))).collect();
    }
    let Some(items) = value.as_array() else {
        return value.clone();
    };
    let mut items: Vec<Value> = items.iter().map(|item| sorted("", item)).collect();
    if !ORDERED.contains(&key) {
        items.sort_by_cached_key(|item| {
            let name = item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let mut text = String::new();
            write_sorted(item, &mut text);
            (name, text)
        });
    }
    Value::Array(items)
}

/// JSON with sorted keys whatever map type serde_json was built with: a digest must not depend on a build feature.
fn write_sorted(value: &Value, out: &mut String) {
    if let Some(map) = value.as_object() {
        let mut keys: Vec<&String> = map.keys().collect();
        keys.sort();
        out.push('{');
        for key in keys {
            out.push_str(&json!(key).to_string());
            out.push(':');
            write_sorted(&map[key], out);
            out.push(',');
        }
        out.push('}');
    } else if let Some(items) = value.as_array() {
        out.push('[');
        for item in items {
            write_sorted(item, out);
            out.push(',');
        }
        out.push(']');
    } else {
        out.push_str(&value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_fills_in_makes_no_difference() {
        let sent = json!({"family": "a", "cpu": ".25 vCPU", "memory": "0.5 GB", "executionRoleArn": "exec",
            "containerDefinitions": [{"name": "c", "portMappings": [{"containerPort": 8000}],
                "healthCheck": {"command": ["CMD", "x"]}, "environment": [{"name": "B", "value": ""}, {"name": "A", "value": "1"}]}]});
        let described = json!({"family": "a", "cpu": "256", "memory": "512", "executionRoleArn": "arn:aws:iam::1:role/exec",
            "revision": 3, "status": "ACTIVE", "volumes": [], "placementConstraints": [], "compatibilities": ["EC2", "FARGATE"],
            "containerDefinitions": [{"name": "c", "cpu": 0, "essential": true, "mountPoints": [], "volumesFrom": [], "systemControls": [],
                "portMappings": [{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}],
                "healthCheck": {"command": ["CMD", "x"], "interval": 30, "timeout": 5, "retries": 3},
                "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}]}]});
        assert_eq!(task_definition(&sent), task_definition(&described));
    }

    #[test]
    fn a_field_nobody_listed_is_still_seen() {
        let plain = json!({"family": "a", "containerDefinitions": [{"name": "c"}]});
        let changed = json!({"family": "a", "containerDefinitions": [{"name": "c", "novelty": 1}]});
        assert_ne!(task_definition(&plain), task_definition(&changed));
    }

    #[test]
    fn the_order_of_a_command_matters_and_that_of_subnets_does_not() {
        let command =
            |words: Value| task_definition(&json!({"containerDefinitions": [{"name": "c", "command": words}]}));
        assert_ne!(command(json!(["a", "b"])), command(json!(["b", "a"])));
        let network = |subnets: Value| {
            let settings = json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": subnets}}});
            service(settings.as_object().unwrap(), &["networkConfiguration"])
        };
        assert_eq!(network(json!(["b", "a"])), network(json!(["a", "b"])));
    }

    #[test]
    fn an_empty_environment_value_is_kept() {
        let with = json!({"containerDefinitions": [{"name": "c", "environment": [{"name": "A", "value": ""}]}]});
        assert!(task_definition(&with).to_string().contains(r#""value":"""#));
    }

    #[test]
    fn sizes_are_equal_in_every_spelling() {
        for (text, plain) in [("1 vCPU", "1024"), (".5 vcpu", "512"), ("2vCPU", "2048"), ("256", "256")] {
            assert_eq!(task_definition(&json!({"cpu": text}))["cpu"], plain);
        }
        assert_eq!(task_definition(&json!({"memory": "3GB"}))["memory"], "3072");
        assert_eq!(task_definition(&json!({"memory": 512}))["memory"], "512");
    }

    #[test]
    fn a_restart_policy_that_is_off_is_none_and_one_that_is_on_is_kept() {
        let with =
            |policy: Value| task_definition(&json!({"containerDefinitions": [{"name": "c", "restartPolicy": policy}]}));
        let without = task_definition(&json!({"containerDefinitions": [{"name": "c"}]}));
        assert_eq!(with(json!({"enabled": false})), without);
        assert_ne!(with(json!({"enabled": true})), without);
    }

    #[test]
    fn a_host_port_of_zero_is_the_containers_and_another_one_differs() {
        let with = |host: Value| {
            let mapping = json!({"containerPort": 80, "hostPort": host});
            task_definition(&json!({"containerDefinitions": [{"name": "c", "portMappings": [mapping]}]}))
        };
        assert_eq!(with(json!(0)), with(json!(80)));
        assert_eq!(with(Value::Null), with(json!(80)));
        assert_ne!(with(json!(81)), with(json!(80)));
    }

    #[test]
    fn flags_that_are_false_by_default_are_absent_and_others_stay() {
        let with =
            |key: &str, flag: bool| task_definition(&json!({"containerDefinitions": [{"name": "c", key: flag}]}));
        let without = task_definition(&json!({"containerDefinitions": [{"name": "c"}]}));
        assert_eq!(with("readonlyRootFilesystem", false), without);
        assert_ne!(with("readonlyRootFilesystem", true), without);
        assert_ne!(with("essential", false), without);
        assert_eq!(with("essential", true), without);
    }

    #[test]
    fn efs_defaults_and_role_names_make_no_difference() {
        let with = |efs: Value, role: &str| {
            task_definition(&json!({"taskRoleArn": role, "volumes": [{"name": "v", "efsVolumeConfiguration": efs}]}))
        };
        let full = json!({"fileSystemId": "fs-1", "rootDirectory": "/", "transitEncryption": "DISABLED"});
        assert_eq!(with(json!({"fileSystemId": "fs-1"}), "task"), with(full, "arn:aws:iam::1:role/task"));
        assert_ne!(with(json!({"fileSystemId": "fs-1"}), "task"), with(json!({"fileSystemId": "fs-2"}), "task"));
    }
}
