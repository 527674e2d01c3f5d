//! What a manifest says: its type, and the blobs and manifests it refers to.

use crate::input::Members;
use serde_json::Value;

/// The type of a manifest that names none.
pub(super) const OCI: &str = "application/vnd.oci.image.manifest.v1+json";

/// The media type: as said by the client, by the manifest, or the usual one.
pub(super) fn media_type(manifest: &Value, said: Option<&str>) -> String {
    let index = || manifest.member("manifests").map(|_| "application/vnd.oci.image.index.v1+json");
    said.or_else(|| manifest.text("mediaType")).or_else(index).unwrap_or(OCI).to_owned()
}

/// The digests of the layers, of an image that is no index.
pub(super) fn layers(manifest: &Value) -> impl Iterator<Item = &str> {
    manifest.items("layers").unwrap_or_default().iter().filter_map(|layer| layer.text("digest"))
}

/// The digest of the configuration.
pub(super) fn configuration(manifest: &Value) -> Option<&str> {
    manifest.get("config")?.text("digest")
}

/// The digests of the images of an index.
pub(super) fn images(manifest: &Value) -> impl Iterator<Item = &str> {
    manifest.items("manifests").unwrap_or_default().iter().filter_map(|image| image.text("digest"))
}

/// The digest of the image this is about, of a signature or a bill of materials.
pub(super) fn subject(manifest: &Value) -> Option<&str> {
    manifest.get("subject")?.text("digest")
}

/// What kind of thing it is, if it is not simply an image.
pub(super) fn artifact(manifest: &Value) -> Option<&str> {
    let configured = manifest.get("config").and_then(|config| config.text("mediaType"));
    manifest.text("artifactType").or(configured)
}

/// The size of everything it refers to, in bytes.
pub(super) fn size(manifest: &Value) -> i64 {
    let layers = manifest.items("layers").unwrap_or_default().iter();
    let sizes = layers.chain(manifest.get("config")).filter_map(|part| part.whole("size"));
    sizes.fold(0, i64::saturating_add)
}
