//! An image built from a folder of agent code: what is asked for, how far it is, and the one write there is to it.
//!
//! What an image is made of decides its tag; where the tag is in the repository, there is nothing to build. How images are
//! built is no business of this file.

use fargateer_api::spec::Architecture;
use fargateer_api::spec::Build;
use serde::Serialize;

use crate::failure::Failure;

/// What is to be built, and from what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The agent.
    pub agent: String,
    /// The repository, as `<registry>/<name>`; none while it is not made.
    pub repository: Option<String>,
    /// Where the spec stands: the context is relative to it.
    pub location: String,
    /// What tells the code from any other, as the source says it.
    pub code: Option<String>,
    /// How.
    pub build: Build,
    /// For which kind of processor.
    pub architecture: Architecture,
    /// Digest of the base image that was used last.
    pub base_digest: Option<String>,
    /// Version of the runtime that was used last.
    pub runtime: Option<String>,
}

/// How far an image is.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// The tag that follows from what it is made of.
    pub tag: String,
    /// Digest of the base image; empty where a Dockerfile says it.
    pub base_digest: String,
    /// Version of the runtime; empty where it is not ours.
    pub runtime: String,
    /// What tells the code from any other, where the source of the spec does not know: the ETag of an archive in S3.
    pub code: Option<String>,
    /// Whether it is there.
    pub work: Work,
}

/// Whether an image is there, and if not, what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// It is not there, and nobody builds it.
    Missing,
    /// It is being built.
    UnderWay(Progress),
    /// The last attempt failed.
    Failed(Failure),
    /// It is in the repository, by this digest.
    Done(String),
}

/// How far a build is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, in a few words.
    pub doing: String,
    /// Bytes so far, where bytes are what it takes.
    pub done: u64,
    /// Bytes in all, where that is known.
    pub total: Option<u64>,
    /// For how many seconds it has been under way.
    pub seconds: u64,
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { doing, done, total, seconds } = self;
        write!(f, "the image is being built: {doing}")?;
        if let Some(total) = total.filter(|total| *total > 0) {
            write!(f, ", {} of {} MB", megabytes(*done), megabytes(total))?;
        }
        write!(f, ", {seconds} s so far")
    }
}

/// With one decimal.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// A write.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Build it and push it, beside everything else.
    Build(Box<Order>),
}

impl Live {
    /// Its digest, once it is in the repository.
    pub fn digest(&self) -> Option<&str> {
        if let Work::Done(digest) = &self.work { Some(digest) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_with_bytes_where_bytes_are_what_it_takes() {
        let doing = |done, total| Progress { doing: "sending layers".to_owned(), done, total, seconds: 7 }.to_string();
        assert_eq!(doing(0, None), "the image is being built: sending layers, 7 s so far");
        let told = "the image is being built: sending layers, 1.2 of 28.9 MB, 7 s so far";
        assert_eq!(doing(1_250_000, Some(28_910_000)), told);
    }
}
