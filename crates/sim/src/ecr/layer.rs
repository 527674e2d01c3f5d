//! The layers API: a layer in parts of 5 to 20 MiB, for clients that do not speak the registry's own protocol.

use super::repository::{missing, named};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecr::{Repository, Upload};
use aws_smithy_types::base64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The smallest part that is not the last, in bytes.
const PART: usize = 5 * 1024 * 1024;

/// `sha256:` and the hash of some bytes.
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// InitiateLayerUpload.
pub(super) fn initiate(region: &mut Region, input: &Value) -> Answer {
    let id = region.uuid();
    named(region, input)?.uploads.insert(id.clone(), Upload::default());
    Ok(json!({"uploadId": id, "partSize": 10_485_760}))
}

fn upload<'a>(repository: &'a mut Repository, input: &Value, account: &str) -> Result<&'a mut Upload, Refusal> {
    let id = input.text("uploadId").unwrap_or_default();
    repository.uploads.get_mut(id).ok_or_else(|| {
        let name = input.text("repositoryName").unwrap_or_default();
        let message = format!(
            "Upload with id '{id}' does not exist in the repository with name '{name}' in the registry with id '{account}'"
        );
        Refusal::new("UploadNotFoundException", message)
    })
}

/// UploadLayerPart: parts follow one another without a gap.
pub(super) fn part(region: &mut Region, input: &Value) -> Answer {
    let account = region.account.clone();
    let upload = upload(named(region, input)?, input, &account)?;
    let size = |name: &str| input.whole(name).and_then(|at| usize::try_from(at).ok());
    let (first, last) = (size("partFirstByte").unwrap_or(0), size("partLastByte").unwrap_or(0));
    let blob = input.text("layerPartBlob").and_then(|text| base64::decode(text).ok()).unwrap_or_default();
    let received = upload.bytes.len();
    if first != received || last.checked_sub(first).map(|length| length.saturating_add(1)) != Some(blob.len()) {
        let message = format!("Layer part upload is invalid: the next part must begin at byte {received}");
        let detail = json!({
            "registryId": account,
            "repositoryName": input.text("repositoryName"),
            "uploadId": input.text("uploadId"),
            "lastValidByteReceived": received.saturating_sub(1),
        });
        return Err(Refusal::new("InvalidLayerPartException", message).with(detail));
    }
    upload.parts += 1;
    // A part that is too small is known for it only when another follows: the first small one is remembered in the sum.
    let mut bytes = upload.bytes.as_ref().clone();
    bytes.extend(blob);
    upload.bytes = Arc::new(bytes);
    Ok(json!({
        "registryId": account,
        "repositoryName": input.text("repositoryName"),
        "uploadId": input.text("uploadId"),
        "lastByteReceived": last,
    }))
}

/// CompleteLayerUpload: the layer must have one of the digests given.
pub(super) fn complete(region: &mut Region, input: &Value) -> Answer {
    let account = region.account.clone();
    let name = input.text("repositoryName").unwrap_or_default();
    let repository = named(region, input)?;
    let upload = upload(repository, input, &account)?.clone();
    let parts = usize::try_from(upload.parts).unwrap_or(0);
    if parts == 0 {
        let message = format!(
            "There are no layer parts uploaded for upload with id '{}'",
            input.text("uploadId").unwrap_or_default()
        );
        return Err(Refusal::new("EmptyUploadException", message));
    }
    if upload.bytes.len() <= parts.saturating_sub(1).saturating_mul(PART) && parts > 1 {
        let message = "Layer parts must be at least 5 MiB in size, except for the last one.";
        return Err(Refusal::new("LayerPartTooSmallException", message));
    }
    let digest = digest(&upload.bytes);
    if !input.texts("layerDigests").contains(&digest) {
        let message = format!("Layer digests do not match the calculated digest '{digest}' of the uploaded layer");
        return Err(Refusal::new("InvalidLayerException", message));
    }
    if repository.layers.contains_key(&digest) {
        let message = format!(
            "Layer with digest '{digest}' already exists in the repository with name '{name}' in registry with id '{account}'"
        );
        return Err(Refusal::new("LayerAlreadyExistsException", message));
    }
    repository.layers.insert(digest.clone(), upload.bytes);
    repository.uploads.remove(input.text("uploadId").unwrap_or_default());
    Ok(json!({
        "registryId": account,
        "repositoryName": name,
        "uploadId": input.text("uploadId"),
        "layerDigest": digest,
    }))
}

/// BatchCheckLayerAvailability.
pub(super) fn check(region: &Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default();
    let repository = region.ecr.repositories.get(name).ok_or_else(|| missing(region, name))?;
    let (mut layers, mut failures) = (Vec::new(), Vec::new());
    for digest in input.texts("layerDigests") {
        if digest.len() != 71 || !digest.starts_with("sha256:") {
            failures.push(json!({
                "layerDigest": digest,
                "failureCode": "InvalidLayerDigest",
                "failureReason": "Invalid layer digest",
            }));
            continue;
        }
        layers.push(match repository.layers.get(&digest) {
            Some(bytes) => json!({
                "layerDigest": digest,
                "layerAvailability": "AVAILABLE",
                "layerSize": bytes.len(),
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            }),
            None => json!({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"}),
        });
    }
    Ok(json!({"layers": layers, "failures": failures}))
}

/// GetDownloadUrlForLayer: the registry's own address of the blob.
pub(super) fn url(region: &Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default();
    let repository = region.ecr.repositories.get(name).ok_or_else(|| missing(region, name))?;
    let digest = input.text("layerDigest").unwrap_or_default();
    if !repository.layers.contains_key(digest) {
        let message = format!(
            "Layer with digest '{digest}' does not exist in the repository with name '{name}' in the registry with id '{}'",
            region.account
        );
        return Err(Refusal::new("LayersNotFoundException", message));
    }
    let endpoint = super::registry::endpoint(region);
    Ok(json!({"layerDigest": digest, "downloadUrl": format!("{endpoint}/v2/{name}/blobs/{digest}")}))
}
