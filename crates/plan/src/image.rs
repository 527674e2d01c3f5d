//! The image reference: whether it is in ECR, and how it is pinned to a digest.
//!
//! Pinned by us, not by ECS, so that a scale-out days later runs the same bytes and a moved tag is seen as a change.

use serde::Serialize;

/// A parsed image reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reference {
    /// The reference as written.
    pub text: String,
    /// ECR coordinates, when the registry is ECR and the reference is not pinned yet.
    pub ecr: Option<EcrTag>,
}

/// A tag in an ECR repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct EcrTag {
    /// Account id of the registry.
    pub registry: String,
    /// Region of the registry.
    pub region: String,
    /// Repository name.
    pub repository: String,
    /// Tag.
    pub tag: String,
}

impl Reference {
    /// Parses `text`. Anything that is not an unpinned ECR reference is used as it stands.
    pub fn parse(text: &str) -> Self {
        Self { text: text.to_owned(), ecr: ecr_tag(text) }
    }

    /// The reference to register: `repository@sha256:...` where a digest is known.
    pub fn pinned(&self, digest: Option<&str>) -> String {
        match (&self.ecr, digest) {
            (Some(_), Some(digest)) => format!("{}@{digest}", without_tag(&self.text)),
            (Some(_) | None, _) => self.text.clone(),
        }
    }

    /// The digest the text itself carries.
    pub fn digest(&self) -> Option<&str> {
        self.text.split_once('@').map(|(_, digest)| digest)
    }
}

/// `<account>.dkr.ecr.<region>.amazonaws.com[.cn]/<repository>[:<tag>]`, not yet pinned by digest.
fn ecr_tag(text: &str) -> Option<EcrTag> {
    let (host, path) = text.split_once('/')?;
    let mut labels = host.split('.');
    let registry = labels.next().filter(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()))?;
    if (labels.next()?, labels.next()?) != ("dkr", "ecr") || path.contains('@') {
        return None;
    }
    let region = labels.next()?;
    let (repository, tag) = path.rsplit_once(':').unwrap_or((path, "latest"));
    Some(EcrTag {
        registry: registry.to_owned(),
        region: region.to_owned(),
        repository: repository.to_owned(),
        tag: tag.to_owned(),
    })
}

/// The reference without its tag; a port in the host is not a tag.
fn without_tag(text: &str) -> &str {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ecr_tag_is_pinned_by_its_digest() {
        let image = Reference::parse("111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/bot:1.4");
        let tag = image.ecr.clone().unwrap();
        assert_eq!(
            (tag.repository.as_str(), tag.tag.as_str(), tag.region.as_str()),
            ("agents/bot", "1.4", "us-east-1")
        );
        assert_eq!(
            image.pinned(Some("sha256:ab")),
            "111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/bot@sha256:ab"
        );
    }

    #[test]
    fn other_registries_and_pinned_references_stay_as_they_are() {
        for text in [
            "public.ecr.aws/x/y:1",
            "localhost:5000/x",
            "python:3.11-slim",
            "111122223333.dkr.ecr.us-east-1.amazonaws.com/a@sha256:ab",
        ] {
            let image = Reference::parse(text);
            assert_eq!(image.ecr, None, "{text}");
            assert_eq!(image.pinned(Some("sha256:zz")), text);
        }
    }

    #[test]
    fn a_missing_tag_means_latest() {
        let image = Reference::parse("111122223333.dkr.ecr.eu-west-1.amazonaws.com/a");
        assert_eq!(image.ecr.unwrap().tag, "latest");
    }

    #[test]
    fn only_a_registry_with_twelve_digits_is_ecr() {
        for registry in ["11112222333", "1111222233334", "abcdefghijkl"] {
            let text = format!("{registry}.dkr.ecr.us-east-1.amazonaws.com/a:1");
            assert_eq!(Reference::parse(&text).ecr, None, "{text}");
        }
        assert_eq!(Reference::parse("111122223333.dkr.s3.us-east-1.amazonaws.com/a:1").ecr, None);
    }

    #[test]
    fn a_digest_is_read_from_the_text_alone() {
        assert_eq!(Reference::parse("x/y@sha256:ab").digest(), Some("sha256:ab"));
        assert_eq!(Reference::parse("x/y:1").digest(), None);
    }
}
