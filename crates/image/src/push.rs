//! Into a registry: what is missing there, then what names it, and the tag last of all.
//!
//! A tag that is there vouches for all of it - layers, bill of materials, provenance - so that one look is enough ever after.

use std::path::PathBuf;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::base::Base;
use crate::build::Assembled;
use crate::builder::Builder;
use crate::dependencies::{Dependencies, Places, nothing};
use crate::error::{Cause, Error};
use crate::inputs::Settings;
use crate::oci::{Descriptor, Document};
use crate::prepare::Prepared;
use crate::progress::{Meter, Phase, Progress, Transfer};
use crate::reference::Reference;
use crate::registry::{Content, Put, Repository, Session};
use crate::sbom::{self, About};

/// So many layers go at the same time.
const AT_ONCE: usize = 4;

/// Where an image shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its repository; a tag or digest in it is not read.
    pub repository: Reference,
    /// Tags it gets besides the one that follows from its inputs. They may move, if the repository lets them.
    pub tags: Vec<String>,
    /// The repository of the same registry where dependencies are kept for all agents. Default: that of the image.
    pub cache: Option<String>,
}

impl Destination {
    /// The repository of `repository`, with its tag, if it has one, as a further tag.
    pub fn new(repository: Reference) -> Self {
        let tags = repository.tag.clone().into_iter().collect();
        Self { repository, tags, cache: None }
    }
}

/// An image that is where it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The image by its digest.
    pub image: Reference,
    /// The tag that follows from its inputs.
    pub tag: String,
    /// What came of its layers.
    pub moved: Moved,
}

/// What came of the layers of an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// So many were there.
    pub present: usize,
    /// So many the registry took from another repository.
    pub mounted: usize,
    /// So many were sent.
    pub sent: usize,
    /// Bytes of layers sent.
    pub bytes: u64,
}

impl Moved {
    fn count(&mut self, layer: &Descriptor, put: Put) {
        match put {
            Put::Present => self.present += 1,
            Put::Mounted => self.mounted += 1,
            Put::Sent => {
                self.sent += 1;
                self.bytes += layer.size;
            }
        }
    }
}

/// Where the bytes of a layer are to be had.
enum Origin<'a> {
    /// In the base image.
    Base(&'a Base),
    /// On this disk, or where dependencies are kept.
    Dependencies,
    /// In this file.
    File(PathBuf),
    /// In the repository: it was seen there.
    There,
}

/// A push under way.
struct Push<'a> {
    builder: &'a Builder,
    places: Places<'a>,
    registry: &'a str,
    transfer: Transfer,
}

impl Builder {
    /// The digest of the image of `prepared`, if the repository has it: one request.
    pub async fn find(&self, prepared: &Prepared, repository: &Reference) -> Result<Option<String>, Error> {
        self.find_tag(&prepared.tag(), repository).await
    }

    /// The digest of what has this tag in the repository, if anything has.
    pub(crate) async fn find_tag(&self, tag: &str, repository: &Reference) -> Result<Option<String>, Error> {
        let session = self.session(&repository.registry);
        Repository { session: &session, name: &repository.repository }.resolve(tag).await
    }

    /// Sees to it that the image of `prepared` is at `destination`. Where it is already, nothing is sent.
    pub async fn push(
        &self,
        prepared: &Prepared,
        destination: &Destination,
        progress: &Progress,
    ) -> Result<Built, Error> {
        let session = self.session(&destination.repository.registry);
        let places = places(&session, destination);
        let tag = prepared.tag();
        // Not a HEAD: without a body nobody could say whether the image or the whole repository is missing.
        if let Some(found) = places.target.manifest(&tag).await? {
            let digest = found.descriptor.digest;
            self.retag(places.target, &digest, &destination.tags).await?;
            let image = destination.repository.at(&digest);
            return Ok(Built { image, tag, moved: Moved::default() });
        }
        let assembled = self.assemble(prepared, Some(places), progress).await?;
        let Assembled { image, dependencies, runtime, code } = &assembled;
        let base = image.base_layers.iter().map(|layer| (layer.clone(), Origin::Base(&prepared.base)));
        let ours = [
            (dependencies.layer.descriptor.clone(), Origin::Dependencies),
            (runtime.layer.descriptor.clone(), Origin::File(runtime.file.path().to_owned())),
            (code.layer.descriptor.clone(), Origin::File(code.file.path().to_owned())),
        ];
        let parts: Vec<_> = base.chain(ours).collect();
        let transfer = progress.transfer(Phase::Push, parts.iter().map(|(layer, _)| layer.size).sum());
        let push = Push { builder: self, places, registry: &destination.repository.registry, transfer };
        let remembered = push.remember(dependencies).await;
        let mut moved = push.layers(parts).await?;
        if remembered {
            moved.bytes += dependencies.layer.descriptor.size;
            moved.sent += 1;
            // It was seen where it had just been sent to.
            moved.present -= usize::from(places.cache.name == places.target.name);
        }
        let about = Documents {
            image: &image.manifest,
            config: &image.config,
            base: &prepared.base,
            settings: &prepared.settings,
            dependencies: Some(dependencies),
        };
        push.documents(&about, &destination.repository).await?;
        let digest = push.claim(&image.manifest, &tag).await?;
        self.retag(places.target, &digest, &destination.tags).await?;
        Ok(Built { image: destination.repository.at(&digest), tag, moved })
    }

    /// Gives an image that is there further tags.
    async fn retag(&self, target: Repository<'_>, digest: &str, tags: &[String]) -> Result<(), Error> {
        for tag in tags {
            if target.resolve(tag).await?.as_deref() == Some(digest) {
                continue;
            }
            let manifest = target.manifest(digest).await?.ok_or_else(|| vanished(digest))?;
            target.put_manifest(&manifest, tag).await?;
        }
        Ok(())
    }

    /// Puts an image whose layers are in the repository: the last steps of a push.
    pub(crate) async fn put_documents(
        &self,
        documents: &Documents<'_>,
        base_layers: &[Descriptor],
        tag: &str,
        destination: &Destination,
    ) -> Result<(String, Moved), Error> {
        let session = self.session(&destination.repository.registry);
        let places = places(&session, destination);
        let total = base_layers.iter().map(|layer| layer.size).sum();
        let transfer = Progress::silent().transfer(Phase::Push, total);
        let push = Push { builder: self, places, registry: &destination.repository.registry, transfer };
        let base = base_layers.iter().map(|layer| (layer.clone(), Origin::Base(documents.base)));
        let ours = documents.ours().into_iter().map(|layer| (layer, Origin::There));
        let moved = push.layers(base.chain(ours).collect()).await?;
        push.documents(documents, &destination.repository).await?;
        let digest = push.claim(documents.image, tag).await?;
        self.retag(places.target, &digest, &destination.tags).await?;
        Ok((digest, moved))
    }
}

/// The repositories of a destination.
pub(crate) fn places<'a>(session: &'a Session, destination: &'a Destination) -> Places<'a> {
    let target = Repository { session, name: &destination.repository.repository };
    let cache = destination.cache.as_deref().map_or(target, |name| Repository { session, name });
    Places { target, cache }
}

fn vanished(digest: &str) -> Error {
    Error::new(Cause::RegistryUnavailable, format!("{digest} was there a moment ago"))
}

/// What names and explains an image.
pub(crate) struct Documents<'a> {
    pub(crate) image: &'a Document,
    pub(crate) config: &'a Document,
    pub(crate) base: &'a Base,
    pub(crate) settings: &'a Settings,
    pub(crate) dependencies: Option<&'a Dependencies>,
}

impl Documents<'_> {
    /// The layers that are not the base's.
    fn ours(&self) -> Vec<Descriptor> {
        let manifest = serde_json::from_slice::<crate::oci::Manifest>(&self.image.bytes);
        let layers = manifest.map(|manifest| manifest.layers).unwrap_or_default();
        layers.into_iter().skip(self.base.manifest.layers.len()).collect()
    }
}

impl Push<'_> {
    /// Keeps the dependencies for others; whether their layer was sent for that. Whoever has no such repository, or may not
    /// write to it, only loses time - and where it is the image's own, the next request fails as well, and is told.
    async fn remember(&self, dependencies: &Dependencies) -> bool {
        let done = self.put_dependencies(dependencies).await;
        done.unwrap_or_else(|error| {
            tracing::warn!(%error, repository = self.places.cache.name, "dependencies are not kept for other builds");
            false
        })
    }

    async fn put_dependencies(&self, dependencies: &Dependencies) -> Result<bool, Error> {
        let cache = self.places.cache;
        let tag = Dependencies::tag(&dependencies.requirements);
        // Whoever was first counts: an equal one is the same, another resolution stays what others were built with.
        if cache.resolve(&tag).await?.is_some() {
            return Ok(false);
        }
        let (config, manifest) = dependencies.artifact();
        let layer = &dependencies.layer.descriptor;
        let sends = !cache.has_blob(&layer.digest).await?;
        if sends {
            let path = self.builder.cache.layer(layer).ok_or_else(|| vanished(&layer.digest))?;
            cache.put_blob(layer, &Content::File(path), None, &self.transfer.meter()).await?;
        }
        cache.put_blob(&config.descriptor, &Content::Bytes(config.bytes.clone()), None, &uncounted()).await?;
        cache.put_manifest(&manifest, &tag).await?;
        Ok(sends)
    }

    async fn layers(&self, parts: Vec<(Descriptor, Origin<'_>)>) -> Result<Moved, Error> {
        // Collected first: a lazy iterator of borrowing futures is not `Send` enough for the compiler.
        let puts: Vec<_> = parts.iter().map(|(layer, origin)| self.counted(layer, origin)).collect();
        // Tried to the end is tried in vain once one is refused: the first failure drops the others.
        let puts: Vec<(&Descriptor, Put)> = stream::iter(puts).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut moved = Moved::default();
        for (layer, put) in puts {
            moved.count(layer, put);
        }
        Ok(moved)
    }

    async fn counted<'l>(&self, layer: &'l Descriptor, origin: &Origin<'_>) -> Result<(&'l Descriptor, Put), Error> {
        Ok((layer, self.layer(layer, origin).await?))
    }

    async fn layer(&self, layer: &Descriptor, origin: &Origin<'_>) -> Result<Put, Error> {
        let target = self.places.target;
        if target.has_blob(&layer.digest).await? {
            return Ok(Put::Present);
        }
        let from = match origin {
            Origin::Base(base) if base.place.registry == self.registry => Some(base.place.repository.as_str()),
            Origin::Dependencies if self.places.cache.name != target.name => Some(self.places.cache.name),
            Origin::Base(_) | Origin::Dependencies | Origin::File(_) | Origin::There => None,
        };
        if let Some(from) = from
            && target.mount_blob(&layer.digest, from).await?
        {
            return Ok(Put::Mounted);
        }
        let meter = self.transfer.meter();
        let path = match origin {
            Origin::Base(base) => self.builder.base_layer(base, layer, &uncounted()).await?,
            Origin::Dependencies => self.dependencies_file(layer).await?,
            Origin::File(path) => path.clone(),
            Origin::There => return Err(vanished(&layer.digest)),
        };
        target.put_blob(layer, &Content::File(path), None, &meter).await
    }

    async fn dependencies_file(&self, layer: &Descriptor) -> Result<PathBuf, Error> {
        if let Some(path) = self.builder.cache.layer(layer) {
            return Ok(path);
        }
        let file = self.places.cache.download(layer, &self.builder.cache.scratch()?, &uncounted()).await?;
        self.builder.cache.keep(&layer.digest, file)
    }

    /// The configuration, the manifest by its digest, and what is said about it.
    async fn documents(&self, documents: &Documents<'_>, repository: &Reference) -> Result<(), Error> {
        let Documents { image, config, base, settings, dependencies } = documents;
        let target = self.places.target;
        target.put_blob(&config.descriptor, &Content::Bytes(config.bytes.clone()), None, &uncounted()).await?;
        let digest = &image.descriptor.digest;
        target.put_manifest(image, digest).await?;
        let Some(dependencies) = dependencies else { return Ok(()) };
        let about = About {
            repository,
            image: &image.descriptor,
            base: (&base.name, base.digest()),
            runtime: &settings.runtime,
            code: &settings.code,
            dependencies,
        };
        self.referrers(&about).await
    }

    /// The bill of materials and the provenance, found by the registry's own list or by the tag that stands in for it.
    async fn referrers(&self, about: &About<'_>) -> Result<(), Error> {
        let target = self.places.target;
        let contents = [(sbom::SBOM, sbom::bill(about)), (sbom::PROVENANCE, sbom::provenance(about))];
        let nothing = nothing();
        target.put_blob(&nothing.descriptor, &Content::Bytes(nothing.bytes.clone()), None, &uncounted()).await?;
        let mut artifacts = Vec::new();
        let mut listed = true;
        for (media_type, value) in contents {
            let content = Document::new(media_type, &value);
            let blob = Content::Bytes(content.bytes.clone());
            target.put_blob(&content.descriptor, &blob, None, &uncounted()).await?;
            let artifact = Document::artifact(media_type, &content.descriptor, about.image);
            listed &= target.put_manifest(&artifact, &artifact.descriptor.digest).await?;
            artifacts.push((media_type, artifact));
        }
        if listed {
            return Ok(());
        }
        let tag = fallback_tag(&about.image.digest);
        let known = target.manifest(&tag).await?.map(|known| known.bytes).unwrap_or_default();
        let put = target.put_manifest(&Document::referrers(&known, &artifacts), &tag).await;
        match put {
            // Somebody said the same before, in an immutable repository and in other words: those stay.
            Err(error) if error.cause == Cause::TagTaken => Ok(()),
            put => put.map(drop),
        }
    }

    /// Puts the tag that follows from the inputs; the digest that has it. Where somebody with the same inputs was quicker, and
    /// got other wheels for requirements that leave that open, his is the image.
    async fn claim(&self, image: &Document, tag: &str) -> Result<String, Error> {
        let target = self.places.target;
        match target.put_manifest(image, tag).await {
            Err(error) if error.cause == Cause::TagTaken => target.resolve(tag).await?.ok_or(error),
            put => put.map(|_| image.descriptor.digest.clone()),
        }
    }
}

/// Documents are too small to be counted.
fn uncounted() -> Meter {
    Progress::silent().transfer(Phase::Push, 0).meter()
}

/// The tag that lists what refers to an image, where the registry does not.
pub(crate) fn fallback_tag(digest: &str) -> String {
    digest.replace(':', "-")
}
