//! From what was asked for to what will be built: everything is read and decided, nothing is made yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fargateer_api::default::BASE_IMAGE;
use fargateer_api::spec::{Architecture, Build};

use crate::base::{self, Base};
use crate::builder::{Builder, blocking};
use crate::context::{Context, Limits};
use crate::entry;
use crate::error::{Cause, Error};
use crate::inputs::{self, LAYOUT, Settings};
use crate::oci::Manifest;
use crate::progress::{Phase, Progress};
use crate::reference::{Reference, is_digest};
use crate::registry::Repository;
use crate::requirements::{Requirements, Target};

/// What to build.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The folder of agent code. `build.context` is not read: what it is relative to, the caller knows.
    pub context: PathBuf,
    /// The spec's part.
    pub build: Build,
    /// `spec.resources.architecture`.
    pub architecture: Architecture,
    /// The digest that the base image's tag stood for when the spec was last changed. Without it the tag is asked.
    pub base_digest: Option<String>,
    /// The version of the runtime that the tag is to tell of. Default: the one there is, and no other can be built.
    pub runtime: Option<String>,
    /// Labels of the image, beside Fargateer's own: a commit, a team. A change of them is a new image.
    pub labels: BTreeMap<String, String>,
}

/// An image that is decided on.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(crate) context: Context,
    pub(crate) requirements: Requirements,
    pub(crate) target: Target,
    pub(crate) base: Base,
    pub(crate) settings: Settings,
}

impl Prepared {
    /// The tag that follows from the inputs: where it is in the repository, nothing is to be done.
    pub fn tag(&self) -> String {
        inputs::tag(&self.settings, &self.base.name, self.base.digest())
    }

    /// The digest of the base image for the platform: to be remembered, and given again as `Recipe::base_digest`.
    pub fn base_digest(&self) -> &str {
        self.base.digest()
    }

    /// The version of the runtime in it.
    pub fn runtime(&self) -> &str {
        &self.settings.runtime
    }

    /// How many bytes of code there are.
    pub fn code_size(&self) -> u64 {
        self.context.size()
    }
}

/// Whether the code in `folder` can become an image as `build` says, as far as the files alone tell: what may not be in it, what is
/// missing, requirements nobody can read, an agent that is not there. Nothing is run, nobody is asked.
pub fn check(folder: &Path, build: &Build) -> Result<(), Error> {
    read(folder, build, Limits::default()).map(drop)
}

/// The code, what it requires, and what of it is run.
fn read(folder: &Path, build: &Build, limits: Limits) -> Result<(Context, Requirements, Option<String>), Error> {
    let context = Context::read(folder, &build.allow_secret_files, limits)?;
    let requirements = Requirements::read(&context, build)?;
    let entrypoint = entry::entrypoint(&context, build)?;
    Ok((context, requirements, entrypoint))
}

impl Builder {
    /// Reads and decides everything that `recipe` leaves open. Asks a registry only for a base image that is not known yet.
    pub async fn prepare(&self, recipe: &Recipe, progress: &Progress) -> Result<Prepared, Error> {
        progress.tell(Phase::Context);
        let Recipe { context, build, architecture, base_digest, runtime, labels } = recipe.clone();
        let limits = self.limits;
        let (context, requirements, entrypoint) = blocking(move || read(&context, &build, limits)).await?;
        progress.tell(Phase::Base);
        let name = recipe.build.base.as_deref().unwrap_or(BASE_IMAGE);
        let architecture = base::architecture(architecture);
        let base = self.base(name, base_digest.as_deref(), architecture).await?;
        let python = python(&recipe.build, &base)?;
        if let Some(date) = &recipe.build.exclude_newer {
            is_date(date)?;
        }
        let target = Target { architecture, python, exclude_newer: recipe.build.exclude_newer.clone() };
        let settings = Settings {
            layout: LAYOUT,
            python: target.python.clone(),
            requirements: requirements.key(&target),
            runtime: runtime.unwrap_or_else(crate::runtime::version),
            code: inputs::code(&context.entries),
            entrypoint,
            labels,
        };
        Ok(Prepared { context, requirements, target, base, settings })
    }

    /// The base image called `name`, at `digest` if one is given.
    pub(crate) async fn base(&self, name: &str, digest: Option<&str>, architecture: &str) -> Result<Base, Error> {
        let mut place = Reference::parse(name)?;
        if let Some(digest) = digest.filter(|digest| is_digest(digest)) {
            place.digest = Some(digest.to_owned());
        }
        let session = self.session(&place.registry);
        let repository = Repository { session: &session, name: &place.repository };
        let manifest = match place.digest.as_deref().and_then(|digest| self.cache.manifest(digest)) {
            Some(known) => known,
            None => base::manifest(repository, &place, architecture).await?,
        };
        let config = self.config(repository, &manifest.bytes, &place).await?;
        let found = base::parse(name, &place, (&manifest, &config), architecture)?;
        self.cache.keep_document(&manifest.bytes);
        self.cache.keep_document(&config);
        Ok(found)
    }

    /// The configuration that a manifest names.
    async fn config(&self, repository: Repository<'_>, manifest: &[u8], place: &Reference) -> Result<Vec<u8>, Error> {
        let manifest: Manifest = serde_json::from_slice(manifest).map_err(|error| {
            Error::new(Cause::BaseImageUnusable, format!("base image {place}: not an image: {error}"))
        })?;
        match self.cache.document(&manifest.config.digest) {
            Some(known) => Ok(known),
            None => repository.blob(&manifest.config.digest).await.map_err(|error| base::unavailable(place, error)),
        }
    }
}

/// Whether `exclude_newer` is a date or a time: uv takes other words, too, which would mean another day tomorrow.
fn is_date(text: &str) -> Result<(), Error> {
    let inner = |c: char| c.is_ascii_digit() || "-:.TZ+".contains(c);
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(inner) {
        return Ok(());
    }
    Err(Error::context("excludeNewer", format!("`{text}` is no date")).hinted("as in `excludeNewer: 2026-11-20`"))
}

/// The version of Python the image has.
fn python(build: &Build, base: &Base) -> Result<String, Error> {
    let Some(version) = build.python.clone().or_else(|| base.python()) else {
        let problem = format!("base image {}: it does not say which Python it has", base.place);
        return Err(Error::new(Cause::BaseImageUnusable, problem).hinted("name it in `python`, as `3.11`"));
    };
    let is_version = version.split_once('.').is_some_and(|(major, minor)| {
        major == "3" && !minor.is_empty() && minor.len() <= 2 && minor.chars().all(|c| c.is_ascii_digit())
    });
    if is_version {
        return Ok(version);
    }
    Err(Error::context("python", format!("`{version}` is not a version of Python")).hinted("as in `python: \"3.11\"`"))
}
