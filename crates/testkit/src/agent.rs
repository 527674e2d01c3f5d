//! Specs by sentences: `Agent::named("a").with_tasks(2).scaled(1, 5)`.

use serde_json::{Value, json};

/// A target group that every world has, behind a load balancer.
pub const TARGET_GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/bots/73e2d6bc24d8a067";

/// A second one, for deployments that shift traffic.
pub const OTHER_GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/bots-green/83e2d6bc24d8a067";

/// A role that Fargateer assumes for an agent.
pub const ROLE: &str = "arn:aws:iam::111122223333:role/fargateer-agents";

/// A spec in the making.
#[derive(Clone, Debug)]
pub struct Agent(Value);

impl Agent {
    /// A minimal agent.
    pub fn named(name: &str) -> Self {
        Self(json!({
            "apiVersion": "fargateer/v1",
            "kind": "AgentDeployment",
            "metadata": {"name": name},
            "spec": {
                "cluster": "agents",
                "image": {"uri": format!("public.example.com/{name}:1")},
                "network": {"subnets": ["subnet-0a1", "subnet-0b2"], "securityGroups": ["sg-0a1"]},
                "roles": {"execution": "arn:aws:iam::111122223333:role/execution"},
            },
        }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Sets the field at `pointer` below `spec`.
    #[must_use]
    pub fn with(mut self, pointer: &str, value: Value) -> Self {
        let mut at = &mut self.0["spec"];
        for part in pointer.split('/') {
            at = &mut at[part];
        }
        *at = value;
        self
    }

    /// Puts it into a project.
    #[must_use]
    pub fn of_project(mut self, project: &str) -> Self {
        self.0["metadata"]["project"] = json!(project);
        self
    }

    /// Removes the field `key` of `spec`.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        if let Some(spec) = self.0["spec"].as_object_mut() {
            spec.remove(key);
        }
        self
    }

    /// Has Fargateer assume a role for it.
    #[must_use]
    pub fn by_role(self) -> Self {
        self.with("account", json!({"roleArn": ROLE}))
    }

    /// Asks for so many tasks.
    #[must_use]
    pub fn with_tasks(self, count: u32) -> Self {
        self.with("desiredCount", json!(count))
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn with_env(self, name: &str, value: &str) -> Self {
        self.with(&format!("container/environment/{name}"), json!(value))
    }

    /// Runs another image.
    #[must_use]
    pub fn with_image(self, uri: &str) -> Self {
        self.with("image", json!({"uri": uri}))
    }

    /// Lets Application Auto Scaling own the count, by CPU and memory.
    #[must_use]
    pub fn scaled(self, min: u32, max: u32) -> Self {
        self.with("autoscaling", json!({"enabled": true, "min": min, "max": max, "targetMemory": 80}))
    }

    /// Puts it behind the target group of the world.
    #[must_use]
    pub fn behind_the_load_balancer(self) -> Self {
        self.with("loadBalancer", json!({"targetGroupArn": TARGET_GROUP, "gracePeriod": 30}))
    }

    /// Puts it behind both target groups of the world; a deployment shifts traffic from one to the other.
    #[must_use]
    pub fn blue_green(self) -> Self {
        let alternate = json!({
            "targetGroupArn": OTHER_GROUP,
            "productionListenerRule":
                "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener-rule/app/front/1a/2b/3c",
            "roleArn": "arn:aws:iam::111122223333:role/traffic",
        });
        self.behind_the_load_balancer()
            .with("loadBalancer/alternate", alternate)
            .with("rollout", json!({"strategy": "BlueGreen", "bakeMinutes": 1}))
    }

    /// The whole document.
    pub fn document(self) -> Value {
        self.0
    }
}
