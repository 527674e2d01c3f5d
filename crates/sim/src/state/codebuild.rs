//! What CodeBuild holds.

use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Projects by name, builds by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Codebuild {
    pub(crate) projects: BTreeMap<String, Value>,
    pub(crate) builds: BTreeMap<String, Build>,
    /// Ids of builds, the oldest first.
    pub(crate) order: Vec<String>,
    /// What was asked for by a token, when, and the build it became.
    pub(crate) tokens: BTreeMap<String, (Duration, Value, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Build {
    /// As BatchGetBuilds returns it.
    pub(crate) body: Value,
    /// When the phase it is in began.
    pub(crate) since: Duration,
    /// The files it builds from, once it has them.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// What `docker build` made on its machine: an image's configuration by its name.
    pub(crate) images: BTreeMap<String, Value>,
}
