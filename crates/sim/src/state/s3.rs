//! What S3 holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The buckets of one account in one region, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct S3 {
    pub(crate) buckets: BTreeMap<String, Bucket>,
}

#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub(crate) created: Duration,
    pub(crate) objects: BTreeMap<String, Object>,
}

#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) bytes: Arc<Vec<u8>>,
    /// Without its quotes.
    pub(crate) etag: String,
    pub(crate) modified: Duration,
    pub(crate) content_type: String,
    pub(crate) metadata: BTreeMap<String, String>,
}
