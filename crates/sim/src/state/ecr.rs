//! What ECR holds.

use crate::tag::Tags;
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything of ECR in one region: repositories by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ecr {
    pub(crate) repositories: BTreeMap<String, Repository>,
}

#[derive(Clone, Debug)]
pub(crate) struct Repository {
    /// As DescribeRepositories returns it.
    pub(crate) body: Value,
    pub(crate) tags: Tags,
    pub(crate) lifecycle_policy: Option<String>,
    /// By digest.
    pub(crate) images: BTreeMap<String, Image>,
}

#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) tags: Vec<String>,
    pub(crate) manifest: String,
    pub(crate) media_type: String,
    pub(crate) pushed: f64,
}
