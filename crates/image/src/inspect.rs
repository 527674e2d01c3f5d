//! Looking at images: what one of ours says of itself, and what is said about it.

use serde::Serialize;
use serde_json::Value;

use crate::builder::Builder;
use crate::compose::{self, BASE_DIGEST, BASE_NAME, Layers};
use crate::error::{Cause, Error};
use crate::inputs::Settings;
use crate::oci::{Descriptor, Index, Manifest};
use crate::push::fallback_tag;
use crate::reference::Reference;
use crate::registry::Repository;
use crate::sbom;

/// An image of ours as it is in a registry.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspected {
    /// The image by its digest.
    pub image: String,
    /// For which machines.
    pub architecture: String,
    /// All layers together, in bytes, as they are sent.
    pub size: u64,
    /// The base image's name.
    pub base: String,
    /// Its digest.
    pub base_digest: String,
    /// The version of Python.
    pub python: String,
    /// The version of the runtime.
    pub runtime: String,
    /// The `module:symbol` that answers, where the runtime is told.
    pub entrypoint: Option<String>,
    /// The layers that are not the base's, lowest first.
    pub layers: Vec<InspectedLayer>,
    /// Labels it was given.
    pub labels: std::collections::BTreeMap<String, String>,
}

/// A layer of an image.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedLayer {
    /// What is in it: `dependencies`, `runtime` or `code`.
    pub holds: &'static str,
    /// Its digest.
    pub digest: String,
    /// Bytes.
    pub size: u64,
}

/// An image of ours, read.
pub(crate) struct Found {
    pub(crate) descriptor: Descriptor,
    pub(crate) manifest: Manifest,
    pub(crate) config: Value,
    pub(crate) settings: Settings,
    pub(crate) layers: Layers,
}

impl Builder {
    /// Reads an image that Fargateer built.
    pub(crate) async fn read(&self, image: &Reference) -> Result<Found, Error> {
        let session = self.session(&image.registry);
        let repository = Repository { session: &session, name: &image.repository };
        let document = repository.manifest(image.version()).await?.ok_or_else(|| not_there(image))?;
        let fault = |problem: String| Error::new(Cause::RegistryRefused, format!("{image}: {problem}"));
        let manifest: Manifest = serde_json::from_slice(&document.bytes)
            .map_err(|error| fault(format!("not the manifest of an image for one platform: {error}")))?;
        let config = repository.blob(&manifest.config.digest).await?;
        let config: Value = serde_json::from_slice(&config).map_err(|error| fault(error.to_string()))?;
        let remembered = compose::remembered(&manifest.layers, &config)?;
        let (settings, layers) = remembered.ok_or_else(|| fault("not an image that Fargateer built".to_owned()))?;
        Ok(Found { descriptor: document.descriptor, manifest, config, settings, layers })
    }

    /// What an image of ours says of itself.
    pub async fn inspect(&self, image: &Reference) -> Result<Inspected, Error> {
        let Found { descriptor, manifest, config, settings, layers } = self.read(image).await?;
        let word = |name: &str| compose::label(&config, name).unwrap_or_default().to_owned();
        let layer = |(holds, layer): (&'static str, &crate::layer::Layer)| InspectedLayer {
            holds,
            digest: layer.descriptor.digest.clone(),
            size: layer.descriptor.size,
        };
        Ok(Inspected {
            image: image.at(&descriptor.digest).to_string(),
            architecture: config.get("architecture").and_then(Value::as_str).unwrap_or_default().to_owned(),
            size: manifest.layers.iter().map(|layer| layer.size).sum(),
            base: word(BASE_NAME),
            base_digest: word(BASE_DIGEST),
            python: settings.python,
            runtime: settings.runtime,
            entrypoint: settings.entrypoint,
            layers: layers.each().map(layer).into_iter().collect(),
            labels: settings.labels,
        })
    }

    /// The bill of materials of an image, as CycloneDX.
    pub async fn sbom(&self, image: &Reference) -> Result<Value, Error> {
        self.said(image, sbom::SBOM).await
    }

    /// Where an image comes from, as an in-toto statement.
    pub async fn provenance(&self, image: &Reference) -> Result<Value, Error> {
        self.said(image, sbom::PROVENANCE).await
    }

    /// The document of this type that refers to an image.
    async fn said(&self, image: &Reference, artifact_type: &str) -> Result<Value, Error> {
        let session = self.session(&image.registry);
        let repository = Repository { session: &session, name: &image.repository };
        let digest = repository.resolve(image.version()).await?.ok_or_else(|| not_there(image))?;
        let listed = repository.referrers(&digest).await?;
        let mut found = listed.as_deref().and_then(|list| referring(list, artifact_type));
        if found.is_none()
            && let Some(list) = repository.manifest(&fallback_tag(&digest)).await?
        {
            found = referring(&list.bytes, artifact_type);
        }
        let nothing =
            || Error::new(Cause::RegistryRefused, format!("{image}: nothing of type {artifact_type} is attached"));
        let artifact = repository.manifest(&found.ok_or_else(nothing)?).await?.ok_or_else(nothing)?;
        let manifest: Manifest = serde_json::from_slice(&artifact.bytes).map_err(|_| nothing())?;
        let content = manifest.layers.first().ok_or_else(nothing)?;
        let bytes = repository.blob(&content.digest).await?;
        serde_json::from_slice(&bytes).map_err(|_| nothing())
    }
}

fn referring(list: &[u8], artifact_type: &str) -> Option<String> {
    let index: Index = serde_json::from_slice(list).ok()?;
    let entry = index.manifests.into_iter().find(|entry| entry.artifact_type.as_deref() == Some(artifact_type))?;
    Some(entry.digest)
}

fn not_there(image: &Reference) -> Error {
    Error::new(Cause::RegistryRefused, format!("{image}: there is no such image"))
}
