//! What IAM holds: it belongs to the account, and is kept where it was made.

use crate::tag::Tags;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Roles by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Iam {
    pub(crate) roles: BTreeMap<String, Role>,
}

#[derive(Clone, Debug)]
pub(crate) struct Role {
    /// As GetRole returns it.
    pub(crate) body: Value,
    pub(crate) tags: Tags,
    /// ARNs of managed policies.
    pub(crate) attached: BTreeSet<String>,
    /// Inline policies by name.
    pub(crate) inline: BTreeMap<String, String>,
}
