//! How an image is built from agents' code, as a spec says it, and where that code lies.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::default;

/// How to build the image.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Build {
    /// Folder with the agent's code, relative to this document; or an archive of one in S3, as `s3://bucket/key.zip` (or
    /// `.tar.gz`, `.tgz`), read with the agent's role. An agent whose spec stands in a table has no folder beside it.
    pub context: String,
    /// Who builds it. `layered`: Fargateer itself, without a Docker daemon and without running anything of the agent's.
    /// `codebuild`: AWS CodeBuild, from the Dockerfile in the context. Default `layered`.
    #[serde(default, skip_serializing_if = "BuildStrategy::is_default")]
    pub strategy: BuildStrategy,
    /// The file that defines the agent, in the context. Default `generated_agent.py`. With `layered` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What in it answers, as `module:symbol`. Default: the first of `create_agent`, `get_agent`, `build_agent`, `agent`, `app`,
    /// `invoke`, `handler` and `main` that the file defines. With `layered` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<String>,
    /// Python requirements, in the context: a list of requirements (with hashes it is taken as it is), a `uv.lock` or a
    /// `pyproject.toml`. Default: the first of `requirements.txt`, `uv.lock` and `pyproject.toml` that is there; else none.
    /// With `layered` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirements: Option<String>,
    /// Requirements are resolved as if it were this date (`2026-11-20`) or time: nothing published later counts. Changing it
    /// resolves anew what the requirements leave open. With `layered` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_newer: Option<String>,
    /// Base image, with Python in `/usr/local/bin/python3`. Default `public.ecr.aws/docker/library/python:3.11-slim`. With
    /// `layered` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Python's version in the base image, as `3.11`. Default: what the image's own `PYTHON_VERSION` says. With `layered` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// The Dockerfile, in the context. Default `Dockerfile`. With `codebuild` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<String>,
    /// The CodeBuild project that builds, in the agent's account and region; its source is a bucket of S3. Default
    /// `fargateer-images`. With `codebuild` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// ECR repository to push to, in the agent's account and region; made where it is missing. Default
    /// `agents/<metadata.name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Files of the context that may look like secrets. Anything else that does is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_secret_files: Vec<String>,
}

/// Who builds an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BuildStrategy {
    /// Fargateer itself: layers on a base image.
    #[default]
    Layered,
    /// AWS CodeBuild: `docker build` of a Dockerfile.
    #[serde(rename = "codebuild")]
    CodeBuild,
}

/// An object in S3.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ObjectAddress {
    /// The bucket.
    pub bucket: String,
    /// The key in it.
    pub key: String,
}

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// `.zip`.
    Zip,
    /// `.tar.gz` or `.tgz`.
    TarGz,
}

/// How an address of S3 begins.
const SCHEME: &str = "s3://";

impl Build {
    /// The archive the code lies in, where that is S3; none where it is a folder, or the address is none.
    pub fn object(&self) -> Option<ObjectAddress> {
        ObjectAddress::parse(&self.context)
    }

    /// Whether the code is said to lie in S3.
    pub(crate) fn is_remote(&self) -> bool {
        self.context.starts_with(SCHEME)
    }

    /// The Dockerfile: `dockerfile`, else the usual one.
    pub fn dockerfile(&self) -> &str {
        self.dockerfile.as_deref().unwrap_or(default::DOCKERFILE)
    }

    /// The CodeBuild project: `project`, else the usual one.
    pub fn project(&self) -> &str {
        self.project.as_deref().unwrap_or(default::BUILD_PROJECT)
    }
}

impl BuildStrategy {
    /// Whether this is what the default says, so that it need not be written.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field out by reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl ObjectAddress {
    /// `s3://bucket/key`, if `text` is one.
    pub fn parse(text: &str) -> Option<Self> {
        let (bucket, key) = text.strip_prefix(SCHEME)?.split_once('/')?;
        let sound = !bucket.is_empty() && !key.is_empty() && !text.chars().any(char::is_control);
        sound.then(|| Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// How what lies there is packed, by its name.
    pub fn packing(&self) -> Option<Packing> {
        let key = self.key.to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| key.ends_with(ending));
        if ends(&[".zip"]) {
            return Some(Packing::Zip);
        }
        ends(&[".tar.gz", ".tgz"]).then_some(Packing::TarGz)
    }

    /// Its ARN, as IAM policies name it.
    pub fn arn(&self) -> String {
        format!("arn:aws:s3:::{}/{}", self.bucket, self.key)
    }
}

impl fmt::Display for ObjectAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_bucket_and_a_key() {
        let address = ObjectAddress::parse("s3://code/agents/bot.tar.gz").unwrap();
        assert_eq!((address.bucket.as_str(), address.key.as_str()), ("code", "agents/bot.tar.gz"));
        assert_eq!(address.to_string(), "s3://code/agents/bot.tar.gz");
        assert_eq!(address.packing(), Some(Packing::TarGz));
        let packing = |key: &str| ObjectAddress { bucket: "b".to_owned(), key: key.to_owned() }.packing();
        assert_eq!(
            (packing("a.ZIP"), packing("a.tgz"), packing("a.tar")),
            (Some(Packing::Zip), Some(Packing::TarGz), None)
        );
        for text in ["code/a.zip", "s3://code", "s3://code/", "s3:///a.zip", "https://code/a.zip", "s3://code/a\n.zip"]
        {
            assert_eq!(ObjectAddress::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_a_build_leaves_out_is_not_written() {
        let build: Build = serde_json::from_str(r#"{"context": "."}"#).unwrap();
        assert_eq!(serde_json::to_string(&build).unwrap(), r#"{"context":"."}"#);
        assert_eq!((build.dockerfile(), build.project()), ("Dockerfile", "fargateer-images"));
        let build: Build = serde_json::from_str(r#"{"context": ".", "strategy": "codebuild"}"#).unwrap();
        assert_eq!(serde_json::to_string(&build).unwrap(), r#"{"context":".","strategy":"codebuild"}"#);
    }
}
