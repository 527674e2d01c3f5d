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

#[cfg(test)]
mod tests {
    use super::*;

    fn label(load_balancers: &[&str]) -> Option<String> {
        let arn = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/bot/9".to_owned();
        let load_balancers = load_balancers.iter().map(|arn| (*arn).to_owned()).collect();
        Live { arn, load_balancers, ..Live::default() }.resource_label()
    }

    #[test]
    fn requests_are_counted_at_an_application_load_balancer_alone() {
        let application = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/front/50";
        assert_eq!(label(&[application]).as_deref(), Some("app/front/50/targetgroup/bot/9"));
        assert_eq!(label(&["arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/front/50"]), None);
        assert_eq!(label(&[]), None);
    }
}
