//! The documents of OCI images, as far as we write them ourselves. Configurations of base images stay JSON: what a field
//! means that we do not know is not ours to drop.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::hash;

/// Media type of a manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of a list of manifests.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an image's configuration.
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of a layer packed with gzip.
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Media type of "no configuration", whose blob is `{}`.
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Docker's own names of the same, which old base images have.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's list.
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// A blob or manifest, by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    /// What it is.
    pub(crate) media_type: String,
    /// `sha256:<hex>`.
    pub(crate) digest: String,
    /// Bytes.
    pub(crate) size: u64,
}

impl Descriptor {
    pub(crate) fn new(media_type: &str, digest: String, size: u64) -> Self {
        Self { media_type: media_type.to_owned(), digest, size }
    }

    pub(crate) fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, hash::of(bytes), bytes.len() as u64)
    }

    /// The same layer under OCI's name: the bytes of Docker's layers are OCI's.
    pub(crate) fn as_oci_layer(&self) -> Self {
        let media_type = if self.media_type == DOCKER_LAYER { LAYER } else { &self.media_type };
        Self::new(media_type, self.digest.clone(), self.size)
    }
}

/// A document with its bytes as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) descriptor: Descriptor,
    pub(crate) bytes: Vec<u8>,
}

impl Document {
    /// `value`, written canonically.
    pub(crate) fn new(media_type: &str, value: &Value) -> Self {
        let bytes = hash::canonical(value).into_bytes();
        Self { descriptor: Descriptor::of(media_type, &bytes), bytes }
    }

    /// A manifest of these parts.
    pub(crate) fn manifest(config: &Descriptor, layers: &[Descriptor]) -> Self {
        Self::new(MANIFEST, &json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}))
    }

    /// A manifest that says something about `subject`.
    pub(crate) fn artifact(artifact_type: &str, content: &Descriptor, subject: &Descriptor) -> Self {
        let value = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": Descriptor::of(EMPTY, b"{}"),
            "layers": [content],
            "subject": subject,
        });
        Self::new(MANIFEST, &value)
    }

    /// A list of the artifacts about an image, as the specification's fallback tag has it: those of the list `known` with
    /// `artifacts` in the place of others of their types.
    pub(crate) fn referrers(known: &[u8], artifacts: &[(&str, Self)]) -> Self {
        let known: Value = serde_json::from_slice(known).unwrap_or_default();
        let mut manifests = known.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default();
        let replaced =
            |entry: &Value| artifacts.iter().any(|(kind, _)| entry.get("artifactType") == Some(&json!(kind)));
        manifests.retain(|entry| !replaced(entry));
        manifests.extend(artifacts.iter().map(|(artifact_type, document)| {
            let Descriptor { media_type, digest, size } = &document.descriptor;
            json!({"mediaType": media_type, "digest": digest, "size": size, "artifactType": artifact_type})
        }));
        Self::new(INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))
    }
}

/// A manifest as it was read.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) config: Descriptor,
    #[serde(default)]
    pub(crate) layers: Vec<Descriptor>,
}

/// A list of manifests as it was read.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Index {
    #[serde(default)]
    pub(crate) manifests: Vec<IndexEntry>,
}

/// One of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IndexEntry {
    pub(crate) digest: String,
    #[serde(default)]
    pub(crate) artifact_type: Option<String>,
    #[serde(default)]
    pub(crate) platform: Option<IndexPlatform>,
}

/// For which machines a manifest is.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct IndexPlatform {
    pub(crate) os: String,
    pub(crate) architecture: String,
}
