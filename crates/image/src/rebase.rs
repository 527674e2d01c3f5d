//! An image on another base without its sources: its own layers stay where they are, and what is new are documents of a few
//! kilobytes. The result is what a build on that base would give, to the byte and to the tag.

use crate::base;
use crate::builder::Builder;
use crate::cache::Cache;
use crate::compose::{self, BASE_DIGEST};
use crate::dependencies::Dependencies;
use crate::error::{Cause, Error};
use crate::inputs;
use crate::inspect::Found;
use crate::push::{Built, Destination, Documents, Moved, places};
use crate::reference::Reference;

use fargateer_api::spec::Architecture;
use serde_json::Value;

impl Builder {
    /// Puts the image `image` on the base image called `base`, at `digest` if one is given. `destination` is its repository.
    ///
    /// A base with another version of Python is refused: the dependencies would not fit.
    pub async fn rebase(
        &self,
        image: &Reference,
        (base, digest): (&str, Option<&str>),
        destination: &Destination,
    ) -> Result<Built, Error> {
        let Found { descriptor, manifest: _, config, settings, layers } = self.read(image).await?;
        let architecture = match config.get("architecture").and_then(Value::as_str) {
            Some("arm64") => Architecture::Arm64,
            Some(_) | None => Architecture::X86_64,
        };
        let base = self.base(base, digest, base::architecture(architecture)).await?;
        let tag = inputs::tag(&settings, &base.name, base.digest());
        if compose::label(&config, BASE_DIGEST) == Some(base.digest()) {
            return Ok(Built { image: image.at(&descriptor.digest), tag, moved: Moved::default() });
        }
        if let Some(python) = base.python().filter(|python| *python != settings.python) {
            let message =
                format!("base image {} has Python {python}, {image} is made for {}", base.place, settings.python);
            return Err(Error::new(Cause::BaseImageUnusable, message).hinted("build it anew from its sources"));
        }
        let composed = compose::image(&base, &settings, &layers);
        let session = self.session(&destination.repository.registry);
        let known = known(&self.cache, &settings.requirements);
        let dependencies = match known {
            Some(known) => Some(known),
            None => places(&session, destination).remembers(&settings.requirements).await?,
        };
        let documents = Documents {
            image: &composed.manifest,
            config: &composed.config,
            base: &base,
            settings: &settings,
            dependencies: dependencies.as_ref(),
        };
        let (digest, moved) = self.put_documents(&documents, &composed.base_layers, &tag, destination).await?;
        Ok(Built { image: destination.repository.at(&digest), tag, moved })
    }
}

fn known(cache: &Cache, requirements: &str) -> Option<Dependencies> {
    cache.record(requirements)
}
