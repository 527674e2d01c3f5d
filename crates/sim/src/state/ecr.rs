//! What ECR holds.

use crate::tag::Tags;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything of ECR in one region: repositories by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ecr {
    pub(crate) repositories: BTreeMap<String, Repository>,
    /// Account settings by name.
    pub(crate) settings: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Repository {
    /// As DescribeRepositories returns it.
    pub(crate) body: Value,
    pub(crate) tags: Tags,
    pub(crate) lifecycle_policy: Option<String>,
    pub(crate) preview: Option<String>,
    pub(crate) policy: Option<String>,
    /// By digest.
    pub(crate) images: BTreeMap<String, Image>,
    /// Configurations and layers, by digest.
    pub(crate) layers: BTreeMap<String, Arc<Vec<u8>>>,
    /// Uploads under way, by id.
    pub(crate) uploads: BTreeMap<String, Upload>,
}

#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) tags: Vec<String>,
    pub(crate) manifest: String,
    pub(crate) media_type: String,
    pub(crate) pushed: f64,
    pub(crate) pulled: Option<f64>,
}

/// A layer that is being uploaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upload {
    pub(crate) bytes: Arc<Vec<u8>>,
    /// How many chunks came.
    pub(crate) parts: u32,
}
