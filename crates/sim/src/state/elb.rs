//! What Elastic Load Balancing v2 holds.

use crate::tag::Tags;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything of Elastic Load Balancing in one region, by ARN.
#[derive(Clone, Debug, Default)]
pub(crate) struct Elb {
    pub(crate) balancers: BTreeMap<String, LoadBalancer>,
    pub(crate) groups: BTreeMap<String, TargetGroup>,
    pub(crate) listeners: BTreeMap<String, Listener>,
    pub(crate) rules: BTreeMap<String, Rule>,
}

#[derive(Clone, Debug)]
pub(crate) struct LoadBalancer {
    /// As DescribeLoadBalancers returns it.
    pub(crate) body: Value,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct TargetGroup {
    /// As DescribeTargetGroups returns it, but for `LoadBalancerArns`, which follows from listeners and rules.
    pub(crate) body: Value,
    /// Only what was set; the rest is default.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) tags: Tags,
    /// By address and port.
    pub(crate) targets: BTreeMap<(String, u16), Target>,
}

/// A registered target. Its health is a function of time.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// When the checks reach their verdict.
    pub(crate) decided: Duration,
    pub(crate) healthy: bool,
    /// Until when it drains, once it is deregistered.
    pub(crate) draining: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) body: Value,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) listener: String,
    pub(crate) body: Value,
    pub(crate) tags: Tags,
}
