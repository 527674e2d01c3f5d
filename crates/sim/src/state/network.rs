//! What EC2 knows of networks that were put in place; others are made up when somebody asks.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Subnets and security groups by id, each with its VPC.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    pub(crate) subnets: BTreeMap<String, String>,
    pub(crate) groups: BTreeMap<String, String>,
    /// Those a caller made.
    pub(crate) vpcs: BTreeSet<String>,
    /// What was said of a thing when it was made, in the spelling of answers, by id.
    pub(crate) made: BTreeMap<String, Value>,
    /// Ids of what was here, and is no more.
    pub(crate) deleted: BTreeSet<String>,
}
