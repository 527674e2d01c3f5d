//! Images in ECR: which digest a tag means.

use std::time::Duration;

use fargateer_plan::desired::Place;
use fargateer_plan::image::EcrTag;
use fargateer_plan::seen::Seen;
use serde_json::json;

use crate::caller::{Caller, Operation, items, text};
use crate::memory::Memory;
use crate::quota::Group;

/// What this file calls.
pub(crate) const PERMISSIONS: &[&str] = &["ecr:DescribeImages"];

const DESCRIBE: Operation = Operation::new("ecr.DescribeImages", Group::Images);

/// A moved tag is noticed after so long, or sooner where everything is believed for less.
const LONGEST: Duration = Duration::from_mins(1);

/// Digests by tag.
#[derive(Debug)]
pub(crate) struct Images {
    known: Memory<(Place, EcrTag), String>,
}

impl Images {
    pub(crate) fn new(believed: Duration) -> Self {
        Self { known: Memory::new(believed.min(LONGEST)) }
    }

    /// Nothing is believed any more.
    pub(crate) fn distrust(&self) {
        self.known.clear();
    }

    /// The digest `tag` means. For an image of several platforms that is the digest of their index.
    pub(crate) async fn observe(&self, caller: &Caller<'_>, tag: &EcrTag) -> Seen<String> {
        let key = (caller.place.clone(), tag.clone());
        if let Some(digest) = self.known.get(&key) {
            return Seen::Present(digest);
        }
        let request = json!({
            "registryId": tag.registry,
            "repositoryName": tag.repository,
            "imageIds": [{"imageTag": tag.tag}],
        });
        let send = |exchange| caller.clients.ecr.describe_images().customize().interceptor(exchange).send();
        match caller.json(DESCRIBE, &request, send).await {
            Ok(answer) => {
                let digest = items(&answer, "imageDetails").first().map(|image| text(image, "imageDigest").to_owned());
                let Some(digest) = digest.filter(|digest| !digest.is_empty()) else { return Seen::Absent };
                self.known.put(key, digest.clone());
                Seen::Present(digest)
            }
            Err(failure)
                if ["ImageNotFoundException", "RepositoryNotFoundException"].contains(&failure.code.as_str()) =>
            {
                Seen::Absent
            }
            Err(failure) => Seen::Unknown(failure),
        }
    }
}
