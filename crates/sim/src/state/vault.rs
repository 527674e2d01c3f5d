//! What Secrets Manager and the Parameter Store hold.

use crate::tag::Tags;
use std::collections::BTreeMap;
use std::time::Duration;

/// Secrets and parameters by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vault {
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) parameters: BTreeMap<String, Parameter>,
}

#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) description: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) created: Duration,
    pub(crate) changed: Duration,
    /// When it was asked to go, and when it goes.
    pub(crate) deleted: Option<(Duration, Duration)>,
    /// Oldest first.
    pub(crate) versions: Vec<Version>,
}

#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) text: Option<String>,
    /// In base64.
    pub(crate) binary: Option<String>,
    pub(crate) stages: Vec<String>,
    pub(crate) created: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) kind: String,
    pub(crate) description: Option<String>,
    pub(crate) tier: String,
    pub(crate) data_type: String,
    pub(crate) key: Option<String>,
    pub(crate) tags: Tags,
    /// Values and their dates, oldest first; the first version is 1.
    pub(crate) versions: Vec<(String, Duration)>,
}
