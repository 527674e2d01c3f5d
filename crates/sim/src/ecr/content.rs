//! What is in an image: its configuration and its layers, for whoever runs it.

use super::image::{self, Pushed, Stored, find};
use super::{layer, manifest, own};
use crate::arn;
use crate::input::Members;
use crate::refusal::Refusal;
use crate::state::Region;
use crate::state::ecr::Repository;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write as _;
use std::sync::Arc;

/// A layer as it was pushed.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its digest.
    pub digest: String,
    /// How it is packed.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Arc<Vec<u8>>,
}

/// An image that has content here.
#[derive(Clone, Debug)]
pub struct Content {
    /// The digest of its manifest for the platform.
    pub digest: String,
    /// Its configuration.
    pub config: Value,
    /// Its layers, the lowest first.
    pub layers: Vec<Blob>,
}

/// Whether an image was pushed here, rather than seeded by name or kept in another registry.
pub(crate) fn has_content(region: &Region, image: &str) -> bool {
    stored(region, image).is_some()
}

fn stored<'a>(region: &'a Region, image: &str) -> Option<(&'a Repository, &'a String, Value)> {
    let (name, reference) = own(region, image)?;
    let repository = region.ecr.repositories.get(name)?;
    let (digest, image) = find(repository, reference)?;
    let manifest: Value = serde_json::from_str(&image.manifest).ok()?;
    let whole = manifest.member("layers").is_some() || manifest.member("manifests").is_some();
    whole.then_some((repository, digest, manifest))
}

/// An image for this platform (`amd64` or `arm64`), or what is wrong with it.
pub(crate) fn content(region: &Region, image: &str, architecture: &str) -> Result<Content, String> {
    let missing = || format!("{image}: not found");
    let (repository, digest, document) = stored(region, image).ok_or_else(missing)?;
    let (digest, document) = match document.items("manifests") {
        None => (digest.clone(), document),
        Some(entries) => {
            let fits = |entry: &&Value| {
                let platform = entry.member("platform");
                platform.is_some_and(|platform| platform.text("architecture") == Some(architecture))
            };
            let entry = entries.iter().find(fits).and_then(|entry| entry.text("digest")).ok_or_else(|| {
                format!("image Manifest does not contain descriptor matching platform 'linux/{architecture}'")
            })?;
            let (digest, image) = find(repository, entry).ok_or_else(missing)?;
            (digest.clone(), serde_json::from_str(&image.manifest).unwrap_or(Value::Null))
        }
    };
    let blob = |digest: &str| repository.layers.get(digest).cloned().ok_or_else(|| format!("blob {digest}: not found"));
    let config = blob(manifest::configuration(&document).unwrap_or_default())?;
    let config = serde_json::from_slice(&config).map_err(|_| "its configuration is not JSON".to_owned())?;
    let mut layers = Vec::new();
    for layer in document.items("layers").unwrap_or_default() {
        let digest = layer.text("digest").unwrap_or_default().to_owned();
        let media_type = layer.text("mediaType").unwrap_or_default().to_owned();
        layers.push(Blob { bytes: blob(&digest)?, digest, media_type });
    }
    Ok(Content { digest, config, layers })
}

/// A layer with nothing in it, packed, and its digest unpacked.
pub(crate) fn empty_layer() -> (Vec<u8>, String) {
    // Two empty blocks end an archive.
    let archive = [0; 1024];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let packed = gzip.write_all(&archive).and_then(|()| gzip.finish());
    // Writing to memory does not fail.
    (packed.unwrap_or_default(), layer::digest(&archive))
}

/// Puts an image in place under a tag, one manifest for both platforms; answers its digest.
pub(crate) fn put(region: &mut Region, name: &str, tag: &str, (config, layer): (&Value, &[u8])) -> Option<String> {
    // Who made the repository before is of no matter.
    let _ = super::create_repository(region, &json!({"repositoryName": name}));
    let repository = region.ecr.repositories.get_mut(name)?;
    let blob = layer::digest(layer);
    repository.layers.insert(blob.clone(), Arc::new(layer.to_vec()));
    let mut entries = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let mut config = config.clone();
        config.put("architecture", json!(architecture));
        let bytes = config.to_string().into_bytes();
        let digest = layer::digest(&bytes);
        let document = json!({
            "schemaVersion": 2,
            "mediaType": manifest::OCI,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": bytes.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": blob, "size": layer.len()}],
        });
        region.ecr.repositories.get_mut(name)?.layers.insert(digest, Arc::new(bytes));
        let text = document.to_string();
        store(region, name, &text, None);
        entries.push(json!({
            "mediaType": manifest::OCI,
            "digest": arn::digest(&text),
            "size": text.len(),
            "platform": {"os": "linux", "architecture": architecture},
        }));
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": entries,
    });
    let text = index.to_string();
    store(region, name, &text, Some(tag));
    Some(arn::digest(&text))
}

/// Pushes an image that has a configuration and nothing else, as for whoever does not look into it; answers its digest.
pub(crate) fn push_bare(region: &mut Region, (name, tag): (&str, &str), config: &Value) -> Result<String, Refusal> {
    let bytes = config.to_string().into_bytes();
    let (digest, size) = (layer::digest(&bytes), bytes.len());
    if let Some(repository) = region.ecr.repositories.get_mut(name) {
        repository.layers.insert(digest.clone(), Arc::new(bytes));
    }
    let config = json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": size});
    let manifest = json!({"schemaVersion": 2, "mediaType": manifest::OCI, "config": config}).to_string();
    let pushed = Pushed { manifest: &manifest, media_type: Some(manifest::OCI), tag: Some(tag), digest: None };
    match image::store(region, name, &pushed)? {
        Stored::New(digest) | Stored::Same(digest) => Ok(digest),
    }
}

/// An image that is there already is what was wanted.
fn store(region: &mut Region, name: &str, manifest: &str, tag: Option<&str>) {
    let _ = image::store(region, name, &Pushed { manifest, media_type: None, tag, digest: None });
}
