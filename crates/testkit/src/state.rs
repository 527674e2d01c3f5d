//! What there is in the simulated AWS: whether it satisfies a spec, and all of it without times and identities.

use std::collections::{BTreeMap, BTreeSet};

use fargateer_api::AgentDeployment;
use fargateer_api::spec::DeletionPolicy;
use fargateer_plan::normal::SERVER_OWNED;
use serde_json::{Map, Value, json};

use crate::truth::{Truth, Want};

/// Asks AWS, past faults: service, operation, request.
pub(crate) trait Ask {
    /// The answer; null for an error.
    fn ask(&mut self, service: &str, operation: &str, request: &Value) -> Value;
}

impl<F: FnMut(&str, &str, &Value) -> Value> Ask for F {
    fn ask(&mut self, service: &str, operation: &str, request: &Value) -> Value {
        self(service, operation, request)
    }
}

/// The fields of a service that a spec decides, beside its count, which AWS's own machinery may decide.
pub const DECIDED: [&str; 9] = [
    "status",
    "loadBalancers",
    "networkConfiguration",
    "deploymentConfiguration",
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "propagateTags",
    "launchType",
    "platformVersion",
];

/// The service, null where there is none or only an INACTIVE one.
pub(crate) fn service(aws: &mut dyn Ask, cluster: &str, name: &str) -> Value {
    let request = json!({"cluster": cluster, "services": [name], "include": ["TAGS"]});
    let answer = aws.ask("ecs", "DescribeServices", &request);
    let services = answer["services"].as_array().cloned().unwrap_or_default();
    services.into_iter().find(|service| service["status"] != "INACTIVE").unwrap_or_default()
}

/// The tags of a list of `{key, value}`.
pub(crate) fn tags(list: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.as_array().into_iter().flatten().map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect()
}

/// The scalable target of a service; null where there is none.
pub(crate) fn target(aws: &mut dyn Ask, cluster: &str, name: &str) -> Value {
    let request = json!({"ServiceNamespace": "ecs", "ResourceIds": [format!("service/{cluster}/{name}")]});
    aws.ask("application-autoscaling", "DescribeScalableTargets", &request)["ScalableTargets"][0].clone()
}

/// The scaling policies of a service.
pub(crate) fn policies(aws: &mut dyn Ask, cluster: &str, name: &str) -> Vec<Value> {
    let request = json!({"ServiceNamespace": "ecs", "ResourceId": format!("service/{cluster}/{name}")});
    let answer = aws.ask("application-autoscaling", "DescribeScalingPolicies", &request);
    answer["ScalingPolicies"].as_array().cloned().unwrap_or_default()
}

/// Why the world does not satisfy `agent`; none when it does.
pub(crate) fn unsatisfied(aws: &mut dyn Ask, agent: &AgentDeployment) -> Option<String> {
    let believed = unsatisfied_but_believed(aws, agent).or_else(|| logs_differ(aws, agent));
    believed.or_else(|| policies_differ(aws, agent)).or_else(|| tasks_missing(aws, agent))
}

/// The same without what the product believes for a while and does not look at in every pass.
pub(crate) fn unsatisfied_but_believed(aws: &mut dyn Ask, agent: &AgentDeployment) -> Option<String> {
    let (cluster, name) = (agent.cluster_name().to_owned(), agent.service_name().to_owned());
    let live = service(aws, &cluster, &name);
    if live["status"] != "ACTIVE" {
        return Some(format!("the service is {}", live["status"]));
    }
    let definition = aws.ask("ecs", "DescribeTaskDefinition", &json!({"taskDefinition": live["taskDefinition"]}));
    let reasons = [
        service_differs(&live, agent),
        definition_differs(&definition["taskDefinition"], agent),
        rollout_differs(&live, agent.spec.autoscaling.enabled),
        scaling_differs(aws, agent, &live),
    ];
    reasons.into_iter().flatten().next()
}

fn service_differs(live: &Value, agent: &AgentDeployment) -> Option<String> {
    let network = &live["networkConfiguration"]["awsvpcConfiguration"];
    let set = |list: &Value| -> BTreeSet<String> {
        list.as_array().into_iter().flatten().filter_map(|item| Some(item.as_str()?.to_owned())).collect()
    };
    let spec = &agent.spec;
    let balancer = spec.load_balancer.as_ref();
    let group = balancer.and_then(|balancer| balancer.target_group_arn.clone());
    // A deployment that shifts traffic moves the service to the other target group, and it stays there (lesson 20).
    let other = balancer.and_then(|balancer| Some(balancer.alternate.as_ref()?.target_group_arn.clone()));
    let attached = live["loadBalancers"][0]["targetGroupArn"].as_str().map(str::to_owned);
    let has = tags(&live["tags"]);
    let untagged = spec.tags.iter().find(|(key, value)| has.get(*key) != Some(*value));
    let differs = [
        ("subnets", set(&network["subnets"]) != spec.network.subnets.iter().cloned().collect()),
        ("security groups", set(&network["securityGroups"]) != spec.network.security_groups.iter().cloned().collect()),
        ("target group", attached != group && (other.is_none() || attached != other)),
        ("exec", live["enableExecuteCommand"].as_bool().unwrap_or_default() != spec.enable_execute_command),
        ("tags", untagged.is_some()),
        ("minimum healthy", {
            live["deploymentConfiguration"]["minimumHealthyPercent"] != json!(spec.rollout.minimum_healthy_percent)
        }),
    ];
    differs.iter().find(|(_, differs)| *differs).map(|(what, _)| format!("{what} differ: {live}"))
}

/// What a revision says otherwise than `agent` does.
pub(crate) fn definition_differs(definition: &Value, agent: &AgentDeployment) -> Option<String> {
    let container = &definition["containerDefinitions"][0];
    let pairs = container["environment"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let environment: BTreeMap<String, String> = pairs.map(|pair| (text(&pair["name"]), text(&pair["value"]))).collect();
    let spec = &agent.spec;
    let differs = [
        ("image", container["image"].as_str() != spec.image.uri.as_deref()),
        ("environment", environment != spec.container.environment),
        ("cpu", definition["cpu"] != json!(spec.resources.cpu.to_string())),
        ("memory", definition["memory"] != json!(spec.resources.memory.to_string())),
    ];
    differs.iter().find(|(_, differs)| *differs).map(|(what, _)| format!("{what} differs"))
}

fn rollout_differs(live: &Value, scaled: bool) -> Option<String> {
    let deployments = live["deployments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let primary = deployments.iter().find(|deployment| deployment["status"] == "PRIMARY")?;
    let done = primary["rolloutState"] == "COMPLETED" && deployments.len() == 1;
    // Tasks that fail and are replaced may be gone again in the moment between a look and the word on it, and who scales may
    // want more of them by then.
    let fails = primary["failedTasks"].as_u64().unwrap_or_default() > 0;
    let running = live["runningCount"] == live["desiredCount"] || fails || scaled;
    let current = primary["taskDefinition"] == live["taskDefinition"];
    (!done || !running || !current).then(|| format!("not rolled out: {deployments:?}"))
}

fn tasks_missing(aws: &mut dyn Ask, agent: &AgentDeployment) -> Option<String> {
    let live = service(aws, agent.cluster_name(), agent.service_name());
    let (running, wanted) = (&live["runningCount"], &live["desiredCount"]);
    (running != wanted).then(|| format!("{running} of {wanted} tasks run"))
}

fn scaling_differs(aws: &mut dyn Ask, agent: &AgentDeployment, live: &Value) -> Option<String> {
    let (cluster, name, scaling) = (agent.cluster_name(), agent.service_name(), &agent.spec.autoscaling);
    let target = target(aws, cluster, name);
    if !scaling.enabled {
        let frozen = tags(&live["tags"]).contains_key("fargateer:frozen-count");
        let count = live["desiredCount"] == json!(agent.spec.desired_count) || frozen;
        return (!target.is_null() || !count).then(|| format!("count {} or target {target}", live["desiredCount"]));
    }
    let range = (target["MinCapacity"] == json!(scaling.min)) && (target["MaxCapacity"] == json!(scaling.max));
    let count = live["desiredCount"].as_u64().unwrap_or_default();
    let inside = (u64::from(scaling.min)..=u64::from(scaling.max)).contains(&count);
    (!range || !inside).then(|| format!("count {count}, target {target}"))
}

fn policies_differ(aws: &mut dyn Ask, agent: &AgentDeployment) -> Option<String> {
    let (cluster, name, scaling) = (agent.cluster_name(), agent.service_name(), &agent.spec.autoscaling);
    let wanted = [scaling.target_cpu, scaling.target_memory, scaling.requests_per_target].into_iter().flatten();
    let mut wanted: Vec<u32> = wanted.filter(|_| scaling.enabled).collect();
    wanted.sort_unstable();
    let policies = policies(aws, cluster, name);
    let value = |policy: &Value| policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"].as_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "target values of specs are small")]
    let mut values: Vec<u32> = policies.iter().filter_map(value).map(|value| value.round() as u32).collect();
    values.sort_unstable();
    (values != wanted).then(|| format!("policies {values:?} instead of {wanted:?}"))
}

fn logs_differ(aws: &mut dyn Ask, agent: &AgentDeployment) -> Option<String> {
    let logging = &agent.spec.logging;
    if !logging.enabled {
        return None;
    }
    let family = agent.spec.task_family.clone().unwrap_or_else(|| agent.metadata.name.clone());
    let group = logging.group.clone().unwrap_or_else(|| format!("/ecs/{family}"));
    let live = log_group(aws, &group);
    (live.is_null() || live["retentionInDays"].as_u64() != logging.retention_days.map(u64::from))
        .then(|| format!("log group {group}: {live}"))
}

fn log_group(aws: &mut dyn Ask, name: &str) -> Value {
    let answer = aws.ask("logs", "DescribeLogGroups", &json!({"logGroupNamePrefix": name}));
    let groups = answer["logGroups"].as_array().cloned().unwrap_or_default();
    groups.into_iter().find(|group| group["logGroupName"] == name).unwrap_or_default()
}

/// What is left of an agent that should be gone; none when nothing is, or when it was to be retained.
pub(crate) fn left_over(aws: &mut dyn Ask, agent: &AgentDeployment) -> Option<String> {
    if agent.spec.deletion_policy == DeletionPolicy::Retain {
        return None;
    }
    let (cluster, name) = (agent.cluster_name(), agent.service_name());
    let live = service(aws, cluster, name);
    let target = target(aws, cluster, name);
    (!live.is_null() || !target.is_null()).then(|| format!("still there: service {}, target {target}", live["status"]))
}

/// What differs from an agent that was handed back: it runs, and no tag of ours is on its service.
pub(crate) fn not_handed_back(aws: &mut dyn Ask, agent: &AgentDeployment) -> Option<String> {
    let live = service(aws, agent.cluster_name(), agent.service_name());
    let ours = tags(&live["tags"]).into_keys().find(|key| key.starts_with("fargateer:"));
    (live["status"] != "ACTIVE" || ours.is_some()).then(|| format!("service {}, tag {ours:?}", live["status"]))
}

/// Everything there is of all agents, without times, identities and counts that AWS's own machinery decides.
pub(crate) fn masked(aws: &mut dyn Ask, truth: &Truth) -> Value {
    let mut all = Map::new();
    for (name, want) in truth.all() {
        let (Want::Present(agent) | Want::Absent(agent)) = want;
        let (cluster, service_name) = (agent.cluster_name().to_owned(), agent.service_name().to_owned());
        let live = service(aws, &cluster, &service_name);
        let definition = definition_of(aws, &live);
        let kept: Map<String, Value> = DECIDED.iter().map(|key| ((*key).to_owned(), live[*key].clone())).collect();
        let target = target(aws, &cluster, &service_name);
        let policies: Vec<Value> = policies(aws, &cluster, &service_name)
            .iter()
            .map(|policy| json!([policy["PolicyName"], policy["TargetTrackingScalingPolicyConfiguration"]]))
            .collect();
        let group = log_group(aws, &format!("/ecs/{name}"));
        let mut remembered = tags(&live["tags"]);
        // Numbers of revisions differ from run to run: a lost answer makes one more.
        remembered.remove("fargateer:revision");
        all.insert(
            name.clone(),
            json!({
                "service": kept,
                "count": live["desiredCount"],
                "tags": remembered,
                "definition": definition,
                "range": [target["MinCapacity"], target["MaxCapacity"]],
                "policies": policies,
                "logs": [group["logGroupName"], group["retentionInDays"]],
            }),
        );
    }
    Value::Object(all)
}

fn definition_of(aws: &mut dyn Ask, live: &Value) -> Value {
    if live.is_null() {
        return Value::Null;
    }
    let answer = aws.ask("ecs", "DescribeTaskDefinition", &json!({"taskDefinition": live["taskDefinition"]}));
    let mut definition = answer["taskDefinition"].clone();
    if let Some(fields) = definition.as_object_mut() {
        fields.retain(|key, _| key == "status" || !SERVER_OWNED.contains(&key.as_str()));
    }
    definition
}
