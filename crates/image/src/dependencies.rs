//! The dependencies of an agent as a layer: found again where they were made before, else resolved, fetched and packed.
//!
//! What requirements resolved to is remembered under their key, on this machine and in the cache repository: the same
//! requirements are not resolved twice, so that a new version on the index never changes an agent by itself.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::builder::{Builder, blocking};
use crate::cache::Cache;
use crate::error::{Cause, Error};
use crate::inputs::tagged;
use crate::layer::{self, Layer};
use crate::oci::{Document, EMPTY, Manifest};
use crate::prepare::Prepared;
use crate::progress::{Phase, Progress};
use crate::registry::Repository;
use crate::uv::Resolved;
use crate::wheels::{self, Package};

/// Media type of what is remembered, which is the configuration of the artifact that holds the layer.
pub(crate) const DEPENDENCIES: &str = "application/vnd.fargateer.dependencies.v1+json";

/// What requirements came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dependencies {
    /// The key of the requirements.
    pub(crate) requirements: String,
    /// uv's name of the platform.
    pub(crate) platform: String,
    /// Exact versions with their hashes.
    pub(crate) lock: String,
    pub(crate) layer: Layer,
    pub(crate) packages: Vec<Package>,
}

impl Dependencies {
    /// The tag of the artifact of requirements with this key.
    pub(crate) fn tag(key: &str) -> String {
        tagged("d", key)
    }

    /// The artifact: its configuration and its manifest.
    pub(crate) fn artifact(&self) -> (Document, Document) {
        let config = Document::new(DEPENDENCIES, &serde_json::json!(self));
        let manifest = Document::manifest(&config.descriptor, std::slice::from_ref(&self.layer.descriptor));
        (config, manifest)
    }
}

/// Where layers may lie already, besides this machine.
#[derive(Clone, Copy)]
pub(crate) struct Places<'a> {
    /// The repository the image is for.
    pub(crate) target: Repository<'a>,
    /// The one where dependencies are kept.
    pub(crate) cache: Repository<'a>,
}

impl Places<'_> {
    /// What requirements with this key came to, as the cache repository remembers it. One that is not there or not for us
    /// knows nothing; one that does not answer now may know, and resolving anew would be another answer.
    pub(crate) async fn remembers(&self, key: &str) -> Result<Option<Dependencies>, Error> {
        let read = async {
            let Some(document) = self.cache.manifest(&Dependencies::tag(key)).await? else { return Ok(None) };
            let Ok(manifest) = serde_json::from_slice::<Manifest>(&document.bytes) else { return Ok(None) };
            let config = self.cache.blob(&manifest.config.digest).await?;
            Ok::<_, Error>(serde_json::from_slice::<Dependencies>(&config).ok())
        };
        match read.await {
            Ok(found) => Ok(found.filter(|found| found.requirements == key)),
            Err(error) if error.cause == Cause::RegistryUnavailable => Err(error),
            Err(error) => {
                tracing::debug!(%error, "the cache repository knows nothing");
                Ok(None)
            }
        }
    }

    /// Whether the layer is in one of the two.
    async fn holds(&self, layer: &Layer) -> Result<bool, Error> {
        let digest = &layer.descriptor.digest;
        if self.target.has_blob(digest).await? {
            return Ok(true);
        }
        Ok(self.cache.name != self.target.name && self.cache.has_blob(digest).await.unwrap_or(false))
    }
}

impl Builder {
    /// The dependencies of `prepared`, whose layer is then on this machine or on the places.
    pub(crate) async fn dependencies(
        &self,
        prepared: &Prepared,
        places: Option<Places<'_>>,
        progress: &Progress,
    ) -> Result<Dependencies, Error> {
        let key = &prepared.settings.requirements;
        let mut known: Option<Dependencies> = self.cache.record(key);
        if let (None, Some(places)) = (&known, places) {
            known = places.remembers(key).await?;
        }
        if let Some(known) = &known {
            self.cache.keep_record(key, known);
            let here = self.cache.layer(&known.layer.descriptor).is_some();
            if here || matches!(places, Some(places) if places.holds(&known.layer).await?) {
                return Ok(known.clone());
            }
        }
        // One at a time: wheels want the disk and the network alone, and who waits for the same finds it made.
        let _turn = self.installing.lock().await;
        let made: Option<Dependencies> = self.cache.record(key);
        if let Some(made) = made.filter(|made| self.cache.layer(&made.layer.descriptor).is_some()) {
            return Ok(made);
        }
        let scratch = self.cache.scratch()?;
        let folder = TempDir::new_in(&scratch).map_err(|error| Error::local(&scratch, error))?;
        let resolved = if let Some(known) = known {
            Resolved { lock: known.lock, platform: known.platform }
        } else {
            progress.tell(Phase::Resolve);
            self.tools.resolve(&prepared.requirements, &prepared.target, folder.path()).await?
        };
        let wheels = folder.path().join("wheels");
        if !resolved.lock.trim().is_empty() {
            progress.tell(Phase::Install);
            self.tools.install(&resolved, &prepared.target.python, &wheels).await?;
        }
        progress.tell(Phase::Pack);
        let (cache, python) = (self.cache.clone(), prepared.target.python.clone());
        let packed = blocking(move || {
            let packed = pack(&cache, &wheels, &python);
            // Thousands of files to remove: nobody waits for that.
            drop(tokio::task::spawn_blocking(move || drop(folder)));
            packed
        });
        let (layer, packages) = packed.await?;
        let Resolved { lock, platform } = resolved;
        let dependencies = Dependencies { requirements: key.clone(), platform, lock, layer, packages };
        self.cache.keep_record(key, &dependencies);
        Ok(dependencies)
    }
}

fn pack(cache: &Cache, wheels: &Path, python: &str) -> Result<(Layer, Vec<Package>), Error> {
    let (files, packages) = wheels::collect(wheels, python)?;
    let packed = layer::pack(&files, &cache.scratch()?)?;
    cache.keep(&packed.layer.descriptor.digest, packed.file)?;
    Ok((packed.layer, packages))
}

/// The blob of a configuration that says nothing.
pub(crate) fn nothing() -> Document {
    Document::new(EMPTY, &serde_json::json!({}))
}
