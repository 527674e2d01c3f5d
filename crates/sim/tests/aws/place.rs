//! A small corner of the simulated AWS in which the tests take place.

use fargateer_sim::{Seed, Settings, Simulation};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const REGION: &str = "us-east-1";
pub(crate) const GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/agents/0123456789abcdef";
pub(crate) const IMAGE: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com/agent:v1";

pub(crate) struct Place {
    pub(crate) aws: Simulation,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let aws = Simulation::new(settings);
        aws.seed(Seed {
            region: REGION.to_owned(),
            clusters: vec!["blue".to_owned()],
            capacity_providers: true,
            target_groups: vec![GROUP.to_owned()],
            images: vec![IMAGE.to_owned(), IMAGE.replace("v1", "v2")],
            log_groups: vec!["/ecs/agent".to_owned()],
            ..Seed::default()
        });
        Self { aws }
    }

    pub(crate) fn ecs(&self, operation: &str, input: Value) -> Value {
        self.call("ecs", operation, input)
    }

    pub(crate) fn call(&self, service: &str, operation: &str, input: Value) -> Value {
        self.aws.call(REGION, service, operation, input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    pub(crate) fn refused(&self, service: &str, operation: &str, input: Value) -> (String, String) {
        match self.aws.call(REGION, service, operation, input) {
            Ok(answer) => panic!("{operation} was not refused: {answer}"),
            Err(refusal) => refusal,
        }
    }

    pub(crate) fn register(&self, definition: Value) -> String {
        let answer = self.ecs("RegisterTaskDefinition", definition);
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    }

    pub(crate) fn service(&self) -> Value {
        self.ecs("DescribeServices", json!({"cluster": "blue", "services": ["agent"], "include": ["TAGS"]}))["services"]
            [0]
        .clone()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        let service = self.service();
        let events = service["events"].as_array().unwrap().iter();
        events.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Creates the service `agent` from `definition()`, changed as said.
    pub(crate) fn create(&self, changes: Value) -> Value {
        self.register(definition());
        self.ecs("CreateService", merged(service(), changes))["service"].clone()
    }
}

/// Lets simulated time pass.
pub(crate) async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

pub(crate) fn definition() -> Value {
    json!({
        "family": "agent",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": ".25 vCPU",
        "memory": "0.5 GB",
        "executionRoleArn": "arn:aws:iam::111122223333:role/exec",
        "containerDefinitions": [{
            "name": "strands-agent",
            "image": IMAGE,
            "portMappings": [{"containerPort": 8000}],
            "healthCheck": {"command": ["CMD-SHELL", "curl -f http://localhost:8000/health || exit 1"]},
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/ecs/agent", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}},
        }],
    })
}

pub(crate) fn service() -> Value {
    json!({
        "cluster": "blue",
        "serviceName": "agent",
        "taskDefinition": "agent",
        "desiredCount": 2,
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"], "securityGroups": ["sg-a"]}},
    })
}

/// A JSON merge patch.
pub(crate) fn merged(mut base: Value, changes: Value) -> Value {
    match (base.as_object_mut(), changes) {
        (Some(members), Value::Object(changes)) => {
            for (name, change) in changes {
                let before = members.remove(&name).unwrap_or(Value::Null);
                if !change.is_null() {
                    members.insert(name, merged(before, change));
                }
            }
            base
        }
        (_, changes) => changes,
    }
}
