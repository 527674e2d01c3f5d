//! What is in the simulated AWS, and what was asked of it, in the words of a scenario.

use std::time::Duration;

use fargateer_sim::{Fault, FaultKind};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{PATIENCE, World, pass};

impl World {
    /// Nothing was written since the last `forget_calls`.
    #[track_caller]
    pub fn assert_no_writes(&self) {
        assert_eq!(self.writes(), Vec::<String>::new(), "writes where none was due: {:?}", self.differing());
    }

    /// A sweep changes nothing, nor does a new process that remembers nothing but the statuses, nor one without them.
    pub async fn assert_nothing_to_do(self) -> Self {
        self.forget_calls();
        self.resync().await;
        self.assert_no_writes();
        let world = self.restart().await;
        world.settle().await;
        world.assert_no_writes();
        let world = world.restart_without_statuses().await;
        world.settle().await;
        world.assert_no_writes();
        world
    }

    /// The ARNs of the active revisions of a family, oldest first.
    pub fn revisions(&self, family: &str) -> Vec<String> {
        let answer = self.ask("ecs", "ListTaskDefinitions", json!({"familyPrefix": family, "maxResults": 100}));
        texts(&answer["taskDefinitionArns"])
    }

    /// The answer of DescribeTaskDefinition for what the service runs.
    pub fn definition(&self, name: &str) -> Value {
        let arn = self.service(name)["taskDefinition"].clone();
        self.ask("ecs", "DescribeTaskDefinition", json!({"taskDefinition": arn, "include": ["TAGS"]}))
    }

    /// The main container of what the service runs.
    pub fn container(&self, name: &str) -> Value {
        self.definition(name)["taskDefinition"]["containerDefinitions"][0].clone()
    }

    /// The scalable target of a service; null where there is none.
    pub fn target(&self, name: &str) -> Value {
        let request = json!({"ServiceNamespace": "ecs", "ResourceIds": [format!("service/agents/{name}")]});
        let answer = self.ask("application-autoscaling", "DescribeScalableTargets", request);
        answer["ScalableTargets"].get(0).cloned().unwrap_or_default()
    }

    /// The scaling policies of a service.
    pub fn policies(&self, name: &str) -> Vec<Value> {
        let request = json!({"ServiceNamespace": "ecs", "ResourceId": format!("service/agents/{name}")});
        let answer = self.ask("application-autoscaling", "DescribeScalingPolicies", request);
        answer["ScalingPolicies"].as_array().cloned().unwrap_or_default()
    }

    /// The names of all log groups.
    pub fn log_groups(&self) -> Vec<String> {
        let answer = self.ask("logs", "DescribeLogGroups", json!({}));
        let groups = answer["logGroups"].as_array().cloned().unwrap_or_default();
        groups.iter().filter_map(|group| Some(group["logGroupName"].as_str()?.to_owned())).collect()
    }

    /// The tags of the service.
    pub fn tags(&self, name: &str) -> std::collections::BTreeMap<String, String> {
        let service = self.service(name);
        let tags = service["tags"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        tags.iter().map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect()
    }

    /// How often `operation` was called since the last `forget_calls`, failed calls included.
    pub fn count(&self, operation: &str) -> usize {
        self.sim.calls().iter().filter(|call| call.operation == operation).count()
    }

    /// Virtual time since `begun`, as the simulation counts it.
    pub fn since(&self, begun: Duration) -> Duration {
        self.sim.now().saturating_sub(begun)
    }

    /// Every call of `operation` goes wrong, until `mend`.
    pub fn break_operation(&self, operation: &str, kind: FaultKind) {
        self.sim.fault(Fault { operation: Some(operation.to_owned()), times: None, ..Fault::once(kind) });
    }

    /// The next call of `operation` goes wrong.
    pub fn break_once(&self, operation: &str, kind: FaultKind) {
        self.sim.fault(Fault { operation: Some(operation.to_owned()), ..Fault::once(kind) });
    }

    /// Nothing goes wrong any more.
    pub fn mend(&self) {
        self.sim.clear_faults();
    }

    /// Lets virtual time pass until `holds`.
    #[track_caller]
    pub fn until<'a>(&'a self, what: &'a str, holds: impl Fn(&Self) -> bool + 'a) -> impl Future<Output = ()> + 'a {
        let begun = Instant::now();
        async move {
            while !holds(self) {
                assert!(begun.elapsed() < PATIENCE, "never: {what}: {:?}", self.differing());
                pass(Duration::from_millis(200)).await;
            }
        }
    }

    /// What is said of all agents: for messages of failed scenarios.
    pub fn differing(&self) -> Vec<String> {
        let keys = self.controller.reconciler.fleet.keys();
        let line = |name: &str| {
            let status = self.status(name);
            let history: Vec<_> = status.history.iter().map(|entry| entry.actions.join("; ")).collect();
            format!(
                "{name}: {:?} {}; drift {:?}; history {history:?}",
                self.reason(name),
                self.message(name),
                status.last_drift
            )
        };
        keys.iter().take(5).map(|key| line(key.as_str())).collect()
    }
}

/// The texts of a list.
pub fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|item| Some(item.as_str()?.to_owned())).collect()
}
