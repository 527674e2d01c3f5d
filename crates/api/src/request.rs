//! The seed's flat deployment request (`ECSFargateDeploymentRequest`): the same fields, defaults and ranges, as a
//! document of its own. It is turned into an `AgentDeployment`, whose rules it obeys; faults speak its own field names.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    default,
    fault::Violation,
    path,
    spec::{
        AgentDeployment, AgentDeploymentSpec, ApiVersion, Autoscaling, Container, DeletionPolicy, Drift, HealthCheck,
        Image, Kind, LoadBalancer, Logging, Metadata, Network, Overrides, PropagateTags, Resources, Roles, Rollout,
    },
    validate,
};

/// The seed's `ECSFargateDeploymentRequest`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlatRequest {
    /// `ecs-fargate`.
    #[serde(default)]
    pub deployment_type: DeploymentType,
    /// Name of the agent. Default: `service_name` as a DNS label. (Not in the seed, where a request has no name.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The image to run, the task definition template's `${image_uri}`: required until Fargateer builds images itself.
    pub image_uri: String,
    /// ECS cluster, by name or ARN.
    pub cluster_name: String,
    /// ECS service name.
    pub service_name: String,
    /// Task definition family.
    pub task_definition_family: String,
    /// Name of the container. Default `strands-agent`.
    #[serde(default = "default::container_name")]
    pub container_name: String,
    /// Port the agent serves HTTP on. Default 8000.
    #[serde(default = "default::container_port")]
    pub container_port: u16,
    /// CPU units. Default 256.
    #[serde(default = "default::cpu")]
    pub cpu: u32,
    /// Memory in MiB. Default 512.
    #[serde(default = "default::memory")]
    pub memory: u32,
    /// 1 to 16 subnets.
    pub subnet_ids: Vec<String>,
    /// Up to 5 security groups.
    pub security_group_ids: Vec<String>,
    /// Give each task a public IP. Default false.
    #[serde(default)]
    pub assign_public_ip: bool,
    /// Number of tasks, 1 to 100. Default 1.
    #[serde(default = "default::desired_count")]
    pub desired_count: u32,
    /// Send the container's output to CloudWatch Logs. Default true.
    #[serde(default = "default::yes")]
    pub enable_logging: bool,
    /// An existing target group to attach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_group_arn: Option<String>,
    /// HTTP path of the health check. Default `/health`.
    #[serde(default = "default::health_check_path")]
    pub health_check_path: String,
    /// Let Application Auto Scaling own the task count. Default false.
    #[serde(default)]
    pub enable_autoscaling: bool,
    /// Fewest tasks. Default 1.
    #[serde(default = "default::autoscaling_min")]
    pub min_capacity: u32,
    /// Most tasks. Default 10.
    #[serde(default = "default::autoscaling_max")]
    pub max_capacity: u32,
    /// Target average CPU in percent. Default 70.
    #[serde(default = "target_cpu")]
    pub target_cpu_utilization: u32,
    /// AWS region. Default `us-east-1`.
    #[serde(default = "default::region")]
    pub region: String,
    /// The role ECS uses to pull the image, write logs and read secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_role_arn: Option<String>,
    /// The role the agent's code runs with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_role_arn: Option<String>,
}

/// The one type of deployment a flat request can ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeploymentType {
    /// ECS on Fargate.
    #[default]
    #[serde(rename = "ecs-fargate")]
    EcsFargate,
}

/// Where a flat field went.
const FIELDS: [(&str, &str); 22] = [
    ("metadata.name", "name"),
    ("spec.image.uri", "image_uri"),
    ("spec.image", "image_uri"),
    ("spec.cluster", "cluster_name"),
    ("spec.service", "service_name"),
    ("spec.taskFamily", "task_definition_family"),
    ("spec.container.healthCheck.path", "health_check_path"),
    ("spec.container.name", "container_name"),
    ("spec.container.port", "container_port"),
    ("spec.resources.cpu", "cpu"),
    ("spec.resources.memory", "memory"),
    ("spec.network.subnets", "subnet_ids"),
    ("spec.network.securityGroups", "security_group_ids"),
    ("spec.desiredCount", "desired_count"),
    ("spec.logging.enabled", "enable_logging"),
    ("spec.loadBalancer.targetGroupArn", "target_group_arn"),
    ("spec.autoscaling.min", "min_capacity"),
    ("spec.autoscaling.max", "max_capacity"),
    ("spec.autoscaling.targetCpu", "target_cpu_utilization"),
    ("spec.region", "region"),
    ("spec.roles.execution", "execution_role_arn"),
    ("spec.roles.task", "task_role_arn"),
];

/// Every rule the request breaks, by its own field names.
pub fn check(request: &FlatRequest) -> Vec<Violation> {
    let mut found = Vec::new();
    if !(1..=100).contains(&request.desired_count) {
        let problem = format!("{} tasks is out of range", request.desired_count);
        found.push(Violation::new("desired_count", problem).hint("1 to 100"));
    }
    let broken = validate::check(&AgentDeployment::from(request.clone()));
    let broken = broken.into_iter().map(flatten);
    found.extend(broken.filter(|violation| violation.path != "desired_count"));
    found
}

/// A service name as the name of an agent: lower case, hyphens for underscores, at most 63 characters.
pub fn label(service_name: &str) -> String {
    let lower = service_name.to_ascii_lowercase().replace('_', "-");
    lower.chars().take(63).collect::<String>().trim_matches('-').to_owned()
}

impl From<FlatRequest> for AgentDeployment {
    fn from(request: FlatRequest) -> Self {
        let name = request.name.clone().unwrap_or_else(|| label(&request.service_name));
        Self {
            api_version: ApiVersion::V1,
            kind: Kind::AgentDeployment,
            metadata: Metadata { name, project: default::project(), labels: BTreeMap::new() },
            spec: spec(request),
        }
    }
}

fn spec(request: FlatRequest) -> AgentDeploymentSpec {
    AgentDeploymentSpec {
        region: request.region,
        account: None,
        cluster: request.cluster_name,
        service: Some(request.service_name),
        task_family: Some(request.task_definition_family),
        image: Image { uri: Some(request.image_uri), ..Image::default() },
        container: Container {
            name: request.container_name,
            port: request.container_port,
            health_check: HealthCheck { path: request.health_check_path, ..HealthCheck::default() },
            ..Container::default()
        },
        sidecars: Vec::new(),
        resources: Resources { cpu: request.cpu, memory: request.memory, ..Resources::default() },
        network: Network {
            subnets: request.subnet_ids,
            security_groups: request.security_group_ids,
            assign_public_ip: request.assign_public_ip,
        },
        desired_count: request.desired_count,
        capacity: None,
        logging: Logging { enabled: request.enable_logging, ..Logging::default() },
        load_balancer: request
            .target_group_arn
            .map(|arn| LoadBalancer { target_group_arn: Some(arn), ..LoadBalancer::default() }),
        autoscaling: Autoscaling {
            enabled: request.enable_autoscaling,
            min: request.min_capacity,
            max: request.max_capacity,
            target_cpu: Some(request.target_cpu_utilization),
            ..Autoscaling::default()
        },
        rollout: Rollout::default(),
        roles: Roles { execution: request.execution_role_arn, task: request.task_role_arn },
        tags: BTreeMap::new(),
        enable_execute_command: false,
        propagate_tags: PropagateTags::default(),
        verify: None,
        drift: Drift::default(),
        deletion_policy: DeletionPolicy::default(),
        retain_data: true,
        suspend: None,
        depends_on: Vec::new(),
        overrides: Overrides::default(),
    }
}

/// A violation of the agent as one of the request it came from.
fn flatten(violation: Violation) -> Violation {
    let Violation { path, problem, hint } = violation;
    let home = FIELDS.iter().find(|(spec, _)| path::covers(spec, &path));
    let path = home.map_or_else(|| path.clone(), |(spec, flat)| path.replacen(spec, flat, 1));
    Violation { path, problem: rename(&problem), hint: hint.as_deref().map(rename) }
}

/// Speaks of flat fields where a text speaks of spec fields.
fn rename(text: &str) -> String {
    FIELDS.iter().fold(text.to_owned(), |text, (spec, flat)| text.replace(&format!("`{spec}`"), &format!("`{flat}`")))
}

fn target_cpu() -> u32 {
    default::AUTOSCALING_TARGET_CPU
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least() -> FlatRequest {
        serde_json::from_value(serde_json::json!({
            "image_uri": "public.ecr.aws/agents/a:1",
            "cluster_name": "agents",
            "service_name": "Support_Bot",
            "task_definition_family": "support",
            "subnet_ids": ["subnet-1"],
            "security_group_ids": ["sg-1"],
        }))
        .unwrap()
    }

    #[test]
    fn the_defaults_are_the_seeds() {
        let written = serde_json::to_value(least()).unwrap();
        let seed = serde_json::json!({
            "deployment_type": "ecs-fargate",
            "image_uri": "public.ecr.aws/agents/a:1",
            "cluster_name": "agents",
            "service_name": "Support_Bot",
            "task_definition_family": "support",
            "container_name": "strands-agent",
            "container_port": 8000,
            "cpu": 256,
            "memory": 512,
            "subnet_ids": ["subnet-1"],
            "security_group_ids": ["sg-1"],
            "assign_public_ip": false,
            "desired_count": 1,
            "enable_logging": true,
            "health_check_path": "/health",
            "enable_autoscaling": false,
            "min_capacity": 1,
            "max_capacity": 10,
            "target_cpu_utilization": 70,
            "region": "us-east-1",
        });
        assert_eq!(written, seed);
    }

    #[test]
    fn every_field_reaches_the_agent() {
        let request = FlatRequest {
            deployment_type: DeploymentType::EcsFargate,
            name: Some("named".to_owned()),
            image_uri: "public.ecr.aws/agents/b:2".to_owned(),
            cluster_name: "batch".to_owned(),
            service_name: "service".to_owned(),
            task_definition_family: "family".to_owned(),
            container_name: "container".to_owned(),
            container_port: 9000,
            cpu: 1024,
            memory: 2048,
            subnet_ids: vec!["subnet-2".to_owned()],
            security_group_ids: vec!["sg-2".to_owned()],
            assign_public_ip: true,
            desired_count: 7,
            enable_logging: false,
            target_group_arn: Some("group".to_owned()),
            health_check_path: "/ready".to_owned(),
            enable_autoscaling: true,
            min_capacity: 2,
            max_capacity: 20,
            target_cpu_utilization: 55,
            region: "eu-west-1".to_owned(),
            execution_role_arn: Some("execution".to_owned()),
            task_role_arn: Some("task".to_owned()),
        };
        let agent = AgentDeployment::from(request);
        let written = serde_json::to_value(&agent).unwrap();
        let expected = [
            ("/metadata/name", "named".into()),
            ("/spec/image/uri", "public.ecr.aws/agents/b:2".into()),
            ("/spec/cluster", "batch".into()),
            ("/spec/service", "service".into()),
            ("/spec/taskFamily", "family".into()),
            ("/spec/container/name", "container".into()),
            ("/spec/container/port", 9000.into()),
            ("/spec/resources/cpu", 1024.into()),
            ("/spec/resources/memory", 2048.into()),
            ("/spec/network/subnets/0", "subnet-2".into()),
            ("/spec/network/securityGroups/0", "sg-2".into()),
            ("/spec/network/assignPublicIp", true.into()),
            ("/spec/desiredCount", 7.into()),
            ("/spec/logging/enabled", false.into()),
            ("/spec/loadBalancer/targetGroupArn", "group".into()),
            ("/spec/container/healthCheck/path", "/ready".into()),
            ("/spec/autoscaling/enabled", true.into()),
            ("/spec/autoscaling/min", 2.into()),
            ("/spec/autoscaling/max", 20.into()),
            ("/spec/autoscaling/targetCpu", 55.into()),
            ("/spec/region", "eu-west-1".into()),
            ("/spec/roles/execution", "execution".into()),
            ("/spec/roles/task", "task".into()),
        ];
        for (pointer, value) in expected {
            assert_eq!(written.pointer(pointer), Some::<&serde_json::Value>(&value), "{pointer}");
        }
    }

    #[test]
    fn a_request_without_a_name_is_named_after_its_service() {
        assert_eq!(AgentDeployment::from(least()).metadata.name, "support-bot");
        assert_eq!(label(&"a_".repeat(40)).len(), 63);
        assert_eq!(label("__x__"), "x");
    }

    #[test]
    fn a_request_runs_one_to_a_hundred_tasks() {
        let count =
            |desired_count| check(&FlatRequest { desired_count, execution_role_arn: Some("r".to_owned()), ..least() });
        assert_eq!(count(1), []);
        assert_eq!(count(100), []);
        assert_eq!(count(0)[0].clone(), Violation::new("desired_count", "0 tasks is out of range").hint("1 to 100"));
        assert_eq!(count(101).len(), 1);
    }

    #[test]
    fn rules_are_told_in_the_requests_own_words() {
        let broken = check(&FlatRequest { enable_autoscaling: true, min_capacity: 11, ..least() });
        let words = broken.iter().map(|violation| violation.path.as_str()).collect::<Vec<_>>();
        assert_eq!(words, ["execution_role_arn", "min_capacity"]);
        assert_eq!(broken[1].hint.as_deref(), Some("at most `max_capacity`"));
    }
}
