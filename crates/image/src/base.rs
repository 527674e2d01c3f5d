//! The base image: which one a name means for a platform, and what it brings along.

use fargateer_api::spec::Architecture;
use serde_json::Value;

use crate::error::{Cause, Error};
use crate::oci::{DOCKER_LIST, Document, INDEX, Index, Manifest};
use crate::reference::Reference;
use crate::registry::Repository;

/// A base image for one platform.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// As it was written.
    pub(crate) name: String,
    /// Where it is, by the digest of its manifest for the platform.
    pub(crate) place: Reference,
    pub(crate) manifest: Manifest,
    /// Its configuration, whatever stands in it.
    pub(crate) config: Value,
}

/// The names OCI has for what a task runs on.
pub(crate) fn architecture(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "amd64",
        Architecture::Arm64 => "arm64",
    }
}

impl Base {
    /// The digest of its manifest for the platform.
    pub(crate) fn digest(&self) -> &str {
        self.place.digest.as_deref().unwrap_or_default()
    }

    /// The version of its Python, as it says itself: `3.11`.
    pub(crate) fn python(&self) -> Option<String> {
        let version =
            environment(&self.config).find_map(|(name, value)| (name == "PYTHON_VERSION").then_some(value))?;
        let mut parts = version.split('.');
        Some(format!("{}.{}", parts.next()?, parts.next()?))
    }

    /// The digests of its layers unpacked.
    pub(crate) fn diff_ids(&self) -> Vec<Value> {
        self.config.pointer("/rootfs/diff_ids").and_then(Value::as_array).cloned().unwrap_or_default()
    }
}

/// The variables an image's configuration sets.
pub(crate) fn environment(config: &Value) -> impl Iterator<Item = (&str, &str)> {
    let variables = config.pointer("/config/Env").and_then(Value::as_array).into_iter().flatten();
    variables.filter_map(|variable| variable.as_str()?.split_once('='))
}

/// The manifest of `name` for the platform, going through an index where there is one.
pub(crate) async fn manifest(
    repository: Repository<'_>,
    place: &Reference,
    architecture: &str,
) -> Result<Document, Error> {
    let document = repository.manifest(place.version()).await.map_err(|error| unavailable(place, error))?;
    let document = document.ok_or_else(|| missing(place, "there is no such image"))?;
    if ![INDEX, DOCKER_LIST].contains(&document.descriptor.media_type.as_str()) {
        return Ok(document);
    }
    let index: Index = parsed(place, &document.bytes)?;
    let fits = index.manifests.iter().find(|entry| {
        entry.platform.as_ref().is_some_and(|platform| platform.os == "linux" && platform.architecture == architecture)
    });
    let Some(fits) = fits else {
        let known: Vec<String> = index
            .manifests
            .iter()
            .filter_map(|entry| entry.platform.as_ref())
            .map(|platform| format!("{}/{}", platform.os, platform.architecture))
            .collect();
        return Err(missing(place, &format!("there is none for linux/{architecture}, only {}", known.join(", "))));
    };
    let found = repository.manifest(&fits.digest).await.map_err(|error| unavailable(place, error))?;
    found.ok_or_else(|| missing(place, "its index names a manifest that is not there"))
}

/// The base image of a manifest and a configuration that were read, if an agent can stand on it.
pub(crate) fn parse(
    name: &str,
    place: &Reference,
    (manifest, config): (&Document, &[u8]),
    architecture: &str,
) -> Result<Base, Error> {
    let place = place.at(&manifest.descriptor.digest);
    let manifest: Manifest = parsed(&place, &manifest.bytes)?;
    let config: Value = parsed(&place, config)?;
    let base = Base { name: name.to_owned(), place, manifest, config };
    let found = base.config.get("architecture").and_then(Value::as_str).unwrap_or_default();
    if found != architecture {
        return Err(missing(&base.place, &format!("it is for {found}, and the tasks run on {architecture}")));
    }
    if base.diff_ids().len() != base.manifest.layers.len() {
        return Err(missing(&base.place, "its configuration and its manifest disagree about its layers"));
    }
    Ok(base)
}

fn parsed<T: serde::de::DeserializeOwned>(place: &Reference, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| missing(place, &format!("not an image: {error}")))
}

fn missing(place: &Reference, problem: &str) -> Error {
    Error::new(Cause::BaseImageUnusable, format!("base image {place}: {problem}"))
        .hinted("`base` names an image with Python in /usr/local/bin/python3")
}

/// A registry's failure where a base image is wanted.
pub(crate) fn unavailable(place: &Reference, error: Error) -> Error {
    let cause = match error.cause {
        Cause::RegistryDenied | Cause::RegistryUnavailable => Cause::BaseImageUnavailable,
        Cause::RepositoryMissing | Cause::RegistryRefused => Cause::BaseImageUnusable,
        other @ (Cause::ContextInvalid
        | Cause::ContextChanged
        | Cause::DependenciesUnresolvable
        | Cause::PackageIndexUnavailable
        | Cause::ToolMissing
        | Cause::BaseImageUnavailable
        | Cause::BaseImageUnusable
        | Cause::TagTaken
        | Cause::ContextDenied
        | Cause::BuildFailed
        | Cause::ServiceUnavailable
        | Cause::Local) => other,
    };
    let another = || "name one that can be reached in `base` (`--base`); `fargateer run --local` brings one of its own";
    let hint = error.hint.or_else(|| (cause == Cause::BaseImageUnavailable).then(|| another().to_owned()));
    Error { cause, message: format!("base image {place}: {}", error.message), hint }
}
