//! What Application Auto Scaling holds.

use crate::tag::Tags;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything of Application Auto Scaling in one region: targets by resource id (`service/<cluster>/<service>`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Scaling {
    pub(crate) targets: BTreeMap<String, ScalableTarget>,
    /// What CloudWatch reports of a service, by resource id and metric.
    pub(crate) metrics: BTreeMap<(String, String), f64>,
    /// How often a scheduled action was put, so that a timer of an earlier one is void.
    pub(crate) turns: u64,
    /// Newest last.
    pub(crate) activities: Vec<Value>,
}

#[derive(Clone, Debug)]
pub(crate) struct ScalableTarget {
    pub(crate) arn: String,
    pub(crate) minimum: u32,
    pub(crate) maximum: u32,
    pub(crate) role: String,
    pub(crate) created: f64,
    pub(crate) suspended: Suspended,
    pub(crate) tags: Tags,
    /// By name, as DescribeScalingPolicies returns them.
    pub(crate) policies: BTreeMap<String, Value>,
    /// By name, as DescribeScheduledActions returns them, and when they were put, as a turn.
    pub(crate) actions: BTreeMap<String, (Value, u64)>,
    /// When capacity last changed, for the cooldown.
    pub(crate) scaled: Option<Duration>,
    /// When the alarm that is set goes off.
    pub(crate) alarm: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Suspended {
    pub(crate) scale_in: bool,
    pub(crate) scale_out: bool,
    pub(crate) scheduled: bool,
}
