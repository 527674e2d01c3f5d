//! What EventBridge holds.

use crate::tag::Tags;
use serde_json::Value;
use std::collections::BTreeMap;

/// The rules of the default bus, and what of ECS was told to them already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Eventbridge {
    pub(crate) rules: BTreeMap<String, Rule>,
    pub(crate) told: Told,
    /// How many events there ever were.
    pub(crate) sent: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) arn: String,
    /// As it was sent.
    pub(crate) pattern: Option<String>,
    pub(crate) schedule: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) enabled: bool,
    /// By id.
    pub(crate) targets: BTreeMap<String, Value>,
    pub(crate) tags: Tags,
}

/// What was seen of ECS when somebody was last told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Whether anything was looked at before.
    pub(crate) begun: bool,
    /// The versions of tasks, by ARN.
    pub(crate) tasks: BTreeMap<String, u32>,
    /// The rollout states of deployments, by id.
    pub(crate) deployments: BTreeMap<String, String>,
    /// The newest event of each service, by service ARN.
    pub(crate) messages: BTreeMap<String, String>,
}
