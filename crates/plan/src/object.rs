//! An object in S3, as far as it matters here: what tells it from what it was, and how large it is.

pub use fargateer_api::spec::ObjectAddress as Address;

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Its ETag, without the quotes: another one means other bytes.
    pub etag: String,
    /// In bytes.
    pub size: u64,
}

/// The code of a failure that means: there is no such object.
pub const NO_KEY: &str = "NoSuchKey";
/// The code of a failure that means: there is no such bucket.
pub const NO_BUCKET: &str = "NoSuchBucket";
/// The code of a failure that means: the object is another one by now.
pub const CHANGED: &str = "PreconditionFailed";
