//! The service as fields of a spec, and what is left of its settings as an override.

use fargateer_api::AgentDeployment;
use serde_json::{Map, Value, json};

use super::task::some;
use super::{Found, list, text};
use crate::service::{self, Live, unset};
use crate::{merge, normal, task_definition};

/// Settings that a spec can override, whatever it says elsewhere.
const KEYS: &[&str] = &[
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "platformVersion",
    "deploymentConfiguration",
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "enableECSManagedTags",
    "propagateTags",
    "availabilityZoneRebalancing",
];

/// What ECS writes out that is not nothing, and means no more.
const USUAL: (&str, bool) = ("resetOnHealthyTask", true);

/// ECS's own bake time where none is given.
const BAKE_MINUTES: u64 = 15;

/// Everything of the service that has a field of its own.
pub(super) fn fields((main, port): (&Value, u16), found: &Found<'_>, agent: &str) -> Map<String, Value> {
    let live = found.service;
    let document = Value::Object(live.document.clone());
    let vpc = document.pointer("/networkConfiguration/awsvpcConfiguration").cloned().unwrap_or_default();
    let family = task_definition::family_of(&found.revision.arn);
    let mut tags = live.tags();
    tags.retain(|key, _| !key.starts_with("fargateer:"));
    let public = vpc.get("assignPublicIp").is_some_and(|public| public == "ENABLED");
    let network = json!({"subnets": list(&vpc, "subnets"), "securityGroups": list(&vpc, "securityGroups"), "assignPublicIp": public});
    let fields = [
        ("region", json!(found.region)),
        ("cluster", json!(normal::last_segment(live.text("clusterArn")))),
        ("service", json!(Some(live.text("serviceName")).filter(|name| *name != agent))),
        ("taskFamily", json!(Some(family).filter(|family| *family != agent))),
        ("network", network),
        // Scaling owns the count of a scaled service; what it happens to be is nobody's wish.
        ("desiredCount", json!(found.scaling.is_none().then(|| live.count("desiredCount")))),
        ("capacity", capacity(&document)),
        ("loadBalancer", load_balancer(&document, main, port)),
        ("rollout", rollout(&document)),
        ("tags", json!(tags)),
        ("enableExecuteCommand", json!(document.get("enableExecuteCommand") == Some(&json!(true)))),
        ("propagateTags", propagate_tags(live)),
    ];
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The override of the service that says what `agent` does not.
pub(super) fn rest(agent: &AgentDeployment, live: &Live) -> Map<String, Value> {
    let (have, want) = (live.settings(), service::from_spec(agent, Some(live)).settings);
    let rest = KEYS.iter().filter_map(|key| {
        let side = |settings: &Map<String, Value>| {
            normal::service(settings, &[key]).remove(*key).unwrap_or_else(|| unset(key))
        };
        let (have, want) = (side(&have), side(&want));
        // What a new service has anyway.
        let usual = *key == "availabilityZoneRebalancing" && have == "ENABLED";
        let patch = merge::patch(&want, &lean(&have, &want)).filter(|patch| !usual && !patch.is_null())?;
        Some(((*key).to_owned(), patch))
    });
    rest.collect()
}

/// `have` without what `want` does not speak of and that says nothing: ECS writes its own defaults out.
fn lean(have: &Value, want: &Value) -> Value {
    let (Some(left), Some(right)) = (have.as_object(), want.as_object()) else { return have.clone() };
    let nothing = [Value::Null, json!(false), json!(0), json!(0.0), json!(""), json!([]), json!({})];
    let fields = left.iter().filter_map(|(key, have)| match right.get(key) {
        Some(want) => Some((key.clone(), lean(have, want))),
        None => (!nothing.contains(have) && (key.as_str(), have) != (USUAL.0, &json!(USUAL.1)))
            .then(|| (key.clone(), have.clone())),
    });
    fields.collect()
}

fn capacity(document: &Value) -> Value {
    let version = document.get("platformVersion").filter(|version| *version != "LATEST");
    let items = list(document, "capacityProviderStrategy");
    let plain = |item: &Value| {
        some(json!({"provider": item.get("capacityProvider"), "weight": item.get("weight"), "base": item.get("base")}))
    };
    let alone = match items {
        [item] if item.get("weight") == Some(&json!(1)) && [None, Some(&json!(0))].contains(&item.get("base")) => {
            item.get("capacityProvider")
        }
        _ => None,
    };
    let strategy = (alone.is_none() && !items.is_empty()).then(|| items.iter().map(plain).collect::<Value>());
    let capacity = some(json!({"provider": alone, "strategy": strategy, "platformVersion": version}));
    if capacity == json!({}) { Value::Null } else { capacity }
}

fn load_balancer(document: &Value, main: &Value, port: u16) -> Value {
    let own = |entry: &&Value| {
        entry.get("containerName") == main.get("name") && entry.get("containerPort") == Some(&json!(port))
    };
    let entry = list(document, "loadBalancers").iter().filter(own).find(|entry| entry.get("targetGroupArn").is_some());
    let Some(entry) = entry else { return Value::Null };
    let grace = document.get("healthCheckGracePeriodSeconds").filter(|seconds| **seconds != json!(0));
    let other = entry.get("advancedConfiguration");
    let alternate = other.map(|other| {
        some(json!({
            "targetGroupArn": other.get("alternateTargetGroupArn"),
            "productionListenerRule": other.get("productionListenerRule"),
            "testListenerRule": other.get("testListenerRule"),
            "roleArn": other.get("roleArn"),
        }))
    });
    let needed = ["targetGroupArn", "productionListenerRule", "roleArn"];
    let alternate = alternate.filter(|alternate| needed.iter().all(|key| alternate.get(*key).is_some()));
    some(json!({"targetGroupArn": entry.get("targetGroupArn"), "gracePeriod": grace, "alternate": alternate}))
}

fn rollout(document: &Value) -> Value {
    let configuration = document.get("deploymentConfiguration").cloned().unwrap_or_default();
    let strategy = match text(&configuration, "strategy") {
        "BLUE_GREEN" => "BlueGreen",
        "CANARY" => "Canary",
        "LINEAR" => "Linear",
        _ => "Rolling",
    };
    let rolling = strategy == "Rolling";
    let flag = |part: &str, key: &str| configuration.pointer(&format!("/{part}/{key}")) == Some(&json!(true));
    let names = configuration.pointer("/alarms/alarmNames").cloned().unwrap_or_default();
    let alarmed = flag("alarms", "enable") && names.as_array().is_some_and(|names| !names.is_empty());
    // The breaker exists for rolling deployments alone; one word says for both whether a failure rolls back.
    let breaks = flag("deploymentCircuitBreaker", "enable") || !rolling;
    let from = if rolling && breaks { "deploymentCircuitBreaker" } else { "alarms" };
    let rollback = if (rolling && breaks) || alarmed { flag(from, "rollback") } else { true };
    let bake =
        configuration.get("bakeTimeInMinutes").filter(|minutes| !rolling && minutes.as_u64() != Some(BAKE_MINUTES));
    some(json!({
        "strategy": strategy,
        "minimumHealthyPercent": configuration.get("minimumHealthyPercent"),
        "maximumPercent": configuration.get("maximumPercent"),
        "circuitBreaker": {"enabled": breaks, "rollback": rollback},
        "alarms": alarmed.then_some(names),
        "bakeMinutes": bake,
    }))
}

fn propagate_tags(live: &Live) -> Value {
    match live.text("propagateTags") {
        "SERVICE" => json!("Service"),
        "TASK_DEFINITION" => json!("TaskDefinition"),
        _ => json!("None"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ecs_writes_out_and_says_nothing_is_no_override() {
        let have =
            json!({"strategy": "ROLLING", "bakeTimeInMinutes": 0, "lifecycleHooks": [], "alarms": {"enable": false}});
        let want = json!({"strategy": "ROLLING", "alarms": {"enable": false, "rollback": false}});
        assert_eq!(lean(&have, &want), json!({"strategy": "ROLLING", "alarms": {"enable": false}}));
        let hooks = json!({"strategy": "ROLLING", "lifecycleHooks": [{"hookTargetArn": "arn"}]});
        assert_eq!(lean(&hooks, &want), hooks);
    }

    #[test]
    fn one_provider_of_the_usual_weight_is_no_strategy() {
        let of = |more: Value| {
            let mut item = json!({"capacityProvider": "FARGATE_SPOT"});
            item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            capacity(&json!({"capacityProviderStrategy": [item]}))
        };
        assert_eq!(of(json!({"weight": 1})), json!({"provider": "FARGATE_SPOT"}));
        assert_eq!(of(json!({"weight": 1, "base": 0})), json!({"provider": "FARGATE_SPOT"}));
        assert!(
            of(json!({"weight": 2}))["strategy"].is_array()
                && of(json!({"weight": 1, "base": 1}))["strategy"].is_array()
        );
    }

    #[test]
    fn our_own_tags_are_no_part_of_the_spec() {
        let tags = json!([{"key": "fargateer:owner", "value": "prod"}, {"key": "team", "value": "web"}]);
        let live = json!({"serviceName": "web", "clusterArn": "cluster/agents", "desiredCount": 1, "tags": tags});
        let service = Live { document: live.as_object().unwrap().clone() };
        let answer =
            json!({"taskDefinition": {"taskDefinitionArn": "task-definition/web:1", "containerDefinitions": []}});
        let revision = task_definition::Live::from_answer(&answer).unwrap();
        let found =
            Found { region: "us-east-1", service: &service, revision: &revision, scaling: None, log_group: None };
        let fields = fields((&json!({"name": "web"}), 8000), &found, "web");
        assert_eq!(fields.get("tags"), Some(&json!({"team": "web"})));
    }
}
