//! What CloudWatch Logs holds.

use crate::tag::Tags;
use std::collections::{BTreeMap, BTreeSet};

/// Everything of CloudWatch Logs in one region: log groups by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logs {
    pub(crate) groups: BTreeMap<String, Group>,
    /// Names of groups that were, and are no more.
    pub(crate) deleted: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) arn: String,
    pub(crate) created: i64,
    pub(crate) retention: Option<i64>,
    pub(crate) class: String,
    pub(crate) protected: bool,
    pub(crate) tags: Tags,
    pub(crate) streams: BTreeMap<String, Stream>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) created: i64,
    pub(crate) lines: Vec<Line>,
}

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: i64,
    pub(crate) ingested: i64,
    pub(crate) text: String,
}
