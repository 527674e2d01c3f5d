//! What CloudWatch holds.

use crate::tag::Tags;
use serde_json::Value;
use std::collections::BTreeMap;

/// Alarms by name, and data points in the order they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cloudwatch {
    pub(crate) alarms: BTreeMap<String, Alarm>,
    /// By namespace, name and dimensions as text.
    pub(crate) metrics: BTreeMap<String, Metric>,
}

#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    /// As DescribeAlarms returns it.
    pub(crate) body: Value,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug)]
pub(crate) struct Metric {
    /// Namespace, name and dimensions.
    pub(crate) body: Value,
    /// Seconds since 1970, and the value.
    pub(crate) points: Vec<(f64, f64)>,
}
