//! Facts of a target group the spec names. It is attached, never modified.

use serde::{Deserialize, Serialize};

/// A target group, as ELBv2 describes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// ARN.
    pub arn: String,
    /// `ip` is what Fargate needs.
    pub target_type: String,
    /// Load balancers it is attached to.
    pub load_balancers: Vec<String>,
    /// States of its targets, with the reason where one is given.
    pub targets: Vec<Target>,
}

/// One registered target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// IP address.
    pub id: String,
    /// `healthy`, `initial`, `unhealthy`, `draining`, `unused`, ...
    pub state: String,
    /// Such as `Target.FailedHealthChecks`.
    pub reason: Option<String>,
}

impl Live {
    /// The ResourceLabel of a policy on requests: `app/<lb>/<id>/targetgroup/<tg>/<id>`. None for a network load balancer.
    pub fn resource_label(&self) -> Option<String> {
        let load_balancer = self.load_balancers.first()?.split_once("loadbalancer/")?.1;
        let group = self.arn.rsplit(':').next()?;
        load_balancer.starts_with("app/").then(|| format!("{load_balancer}/{group}"))
    }
}
