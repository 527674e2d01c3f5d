//! What SQS holds.

use crate::tag::Tags;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Queues by name, and when queues of other names were deleted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sqs {
    pub(crate) queues: BTreeMap<String, Queue>,
    pub(crate) deleted: BTreeMap<String, Duration>,
    /// How many messages there ever were.
    pub(crate) sent: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    /// As they were set.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) tags: Tags,
    pub(crate) created: Duration,
    pub(crate) changed: Duration,
    pub(crate) purged: Option<Duration>,
    /// Oldest first.
    pub(crate) messages: VecDeque<Message>,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) attributes: Value,
    pub(crate) sent: Duration,
    /// Nobody receives it before.
    pub(crate) visible: Duration,
    pub(crate) received: u32,
    pub(crate) first_received: Option<Duration>,
}
