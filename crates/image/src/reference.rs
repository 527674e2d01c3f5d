//! References to images: `registry/repository:tag@digest`.

use std::fmt;

use crate::error::{Cause, Error};

/// Where an image is, or shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Host and port of the registry.
    pub registry: String,
    /// The repository.
    pub repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// The digest, which counts more than the tag.
    pub digest: Option<String>,
}

/// What a name without a registry means, to Docker and to us.
const DOCKER_HUB: &str = "docker.io";

impl Reference {
    /// Reads a reference. A name without a registry is one of Docker Hub's.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let fault = || {
            Error::new(Cause::ContextInvalid, format!("`{text}` is not an image reference"))
                .hinted("`<registry>/<repository>:<tag>` or `<registry>/<repository>@sha256:<digest>`")
        };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) if is_digest(digest) => (name, Some(digest.to_owned())),
            Some(_) => return Err(fault()),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            Some(_) | None => (name, None),
        };
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest.to_owned()),
            Some(_) => (DOCKER_HUB, name.to_owned()),
            None => (DOCKER_HUB, format!("library/{name}")),
        };
        let found = Self { registry: registry.to_owned(), repository, tag, digest };
        if found.is_well_formed() { Ok(found) } else { Err(fault()) }
    }

    fn is_well_formed(&self) -> bool {
        let part = |part: &str| {
            let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
            !part.is_empty() && part.chars().all(inner) && !part.starts_with(['.', '-', '_'])
        };
        let tag = |tag: &String| {
            let inner = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            (1..=128).contains(&tag.len()) && tag.chars().all(inner) && !tag.starts_with(['.', '-'])
        };
        let host = |c: char| c.is_ascii_alphanumeric() || ".:-[]".contains(c);
        self.registry.chars().all(host) && self.repository.split('/').all(part) && self.tag.as_ref().is_none_or(tag)
    }

    /// What a manifest is asked for by: the digest, else the tag, else `latest`.
    pub fn version(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }

    /// The same repository with another digest and no tag.
    #[must_use]
    pub fn at(&self, digest: &str) -> Self {
        Self { tag: None, digest: Some(digest.to_owned()), ..self.clone() }
    }
}

/// Whether `text` is `sha256:` and 64 hexadecimal digits.
pub(crate) fn is_digest(text: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    text.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.chars().all(hex))
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_mean_what_docker_means_by_them() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let cases = [
            ("python", "docker.io/library/python"),
            ("python:3.11-slim", "docker.io/library/python:3.11-slim"),
            ("acme/bot", "docker.io/acme/bot"),
            ("localhost/bot:1", "localhost/bot:1"),
            ("127.0.0.1:5000/a/b:v1", "127.0.0.1:5000/a/b:v1"),
            ("public.ecr.aws/docker/library/python:3.11-slim", "public.ecr.aws/docker/library/python:3.11-slim"),
        ];
        for (text, full) in cases {
            assert_eq!(Reference::parse(text).unwrap().to_string(), full);
        }
        let pinned = Reference::parse(&format!("a.b/c:1@{digest}")).unwrap();
        assert_eq!(pinned.version(), digest);
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in ["", "UPPER/case", "a.b/", "a.b/c:", "a.b/c@sha256:12", "a.b/../c", "a.b/c d", "a.b//c"] {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
    }
}
