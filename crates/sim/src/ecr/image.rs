//! ECR images: by digest and by tag.

use super::repository::{missing, named, paged};
use crate::arn;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecr::{Image, Repository};
use serde_json::{Value, json};

/// The image of a tag or a digest.
pub(super) fn find<'a>(repository: &'a Repository, reference: &str) -> Option<(&'a String, &'a Image)> {
    let by_tag = |image: &Image| image.tags.iter().any(|tag| tag == reference);
    repository.images.iter().find(|(digest, image)| *digest == reference || by_tag(image))
}

fn reference(id: &Value) -> &str {
    id.text("imageDigest").or_else(|| id.text("imageTag")).unwrap_or_default()
}

fn view(region: &Region, name: &str, digest: &str, image: &Image) -> Value {
    let mut body = json!({
        "registryId": region.account,
        "repositoryName": name,
        "imageDigest": digest,
        "imageSizeInBytes": image.manifest.len() + 50_000_000,
        "imagePushedAt": image.pushed,
        "imageManifestMediaType": image.media_type,
        "imageStatus": "ACTIVE",
    });
    if !image.tags.is_empty() {
        body.put("imageTags", json!(image.tags));
    }
    body
}

/// DescribeImages: a missing one is an error.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default();
    let repository = region.ecr.repositories.get(name).ok_or_else(|| missing(region, name))?;
    let Some(ids) = input.items("imageIds") else {
        let all = repository.images.iter().map(|(digest, image)| view(region, name, digest, image)).collect();
        let page = paged(all, input)?;
        return Ok(json!({"imageDetails": page.items, "nextToken": page.next}));
    };
    let mut details = Vec::new();
    for id in ids {
        let Some((digest, image)) = find(repository, reference(id)) else {
            return Err(image_missing(region, name, id));
        };
        details.push(view(region, name, digest, image));
    }
    Ok(json!({"imageDetails": details}))
}

fn image_missing(region: &Region, name: &str, id: &Value) -> Refusal {
    let tag = id.text("imageTag").unwrap_or("null");
    let digest = id.text("imageDigest").unwrap_or("null");
    let message = format!(
        "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the repository with name \
         '{name}' in the registry with id '{}'",
        region.account
    );
    Refusal::new("ImageNotFoundException", message)
}

/// BatchGetImage: a missing one is a failure in the answer.
pub(super) fn batch_get(region: &Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default();
    let repository = region.ecr.repositories.get(name).ok_or_else(|| missing(region, name))?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in input.items("imageIds").unwrap_or_default() {
        match find(repository, reference(id)) {
            Some((digest, image)) => {
                let mut full = json!({"imageDigest": digest});
                if let Some(tag) = id.text("imageTag") {
                    full.put("imageTag", json!(tag));
                }
                images.push(json!({
                    "registryId": region.account,
                    "repositoryName": name,
                    "imageId": full,
                    "imageManifest": image.manifest,
                    "imageManifestMediaType": image.media_type,
                }));
            }
            None => failures.push(failure(id)),
        }
    }
    Ok(json!({"images": images, "failures": failures}))
}

fn failure(id: &Value) -> Value {
    json!({"imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"})
}

/// BatchDeleteImage: a tag is removed; an image goes with its digest or its last tag.
pub(super) fn batch_delete(region: &mut Region, input: &Value) -> Answer {
    let repository = named(region, input)?;
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for id in input.items("imageIds").unwrap_or_default() {
        let Some(digest) = find(repository, reference(id)).map(|(digest, _)| digest.clone()) else {
            failures.push(failure(id));
            continue;
        };
        if let (Some(tag), Some(image)) = (id.text("imageTag"), repository.images.get_mut(&digest)) {
            image.tags.retain(|known| known != tag);
        }
        if id.text("imageTag").is_none() || repository.images.get(&digest).is_some_and(|image| image.tags.is_empty()) {
            repository.images.remove(&digest);
        }
        deleted.push(id.clone());
    }
    Ok(json!({"imageIds": deleted, "failures": failures}))
}

/// ListImages.
pub(super) fn list(region: &Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default();
    let repository = region.ecr.repositories.get(name).ok_or_else(|| missing(region, name))?;
    let wanted = input.member("filter").and_then(|filter| filter.text("tagStatus"));
    let mut ids = Vec::new();
    for (digest, image) in &repository.images {
        if image.tags.is_empty() && wanted != Some("TAGGED") {
            ids.push(json!({"imageDigest": digest}));
        }
        if wanted != Some("UNTAGGED") {
            ids.extend(image.tags.iter().map(|tag| json!({"imageDigest": digest, "imageTag": tag})));
        }
    }
    let page = paged(ids, input)?;
    Ok(json!({"imageIds": page.items, "nextToken": page.next}))
}

/// PutImage: a tag moves in a mutable repository and clashes in an immutable one.
pub(crate) fn put(region: &mut Region, input: &Value) -> Answer {
    let (account, pushed) = (region.account.clone(), region.timestamp());
    let manifest = input.text("imageManifest").unwrap_or_default().to_owned();
    let digest = input.text("imageDigest").map_or_else(|| arn::digest(&manifest), str::to_owned);
    let tag = input.text("imageTag").map(str::to_owned);
    let media = input.text("imageManifestMediaType").unwrap_or("application/vnd.oci.image.manifest.v1+json").to_owned();
    let repository = named(region, input)?;
    let holder = tag.as_deref().and_then(|tag| find(repository, tag)).map(|(digest, _)| digest.clone());
    if holder.as_ref() == Some(&digest) || (tag.is_none() && repository.images.contains_key(&digest)) {
        let message = format!("Image with digest '{digest}' and tag '{}' already exists", tag.unwrap_or_default());
        return Err(Refusal::new("ImageAlreadyExistsException", message));
    }
    if holder.is_some() && repository.body.text("imageTagMutability") == Some("IMMUTABLE") {
        let message = format!(
            "The image tag '{}' already exists and cannot be overwritten because the repository is immutable.",
            tag.unwrap_or_default()
        );
        return Err(Refusal::new("ImageTagAlreadyExistsException", message));
    }
    for image in repository.images.values_mut() {
        image.tags.retain(|known| Some(known) != tag.as_ref());
    }
    let fresh = || Image { tags: Vec::new(), manifest: manifest.clone(), media_type: media, pushed };
    let image = repository.images.entry(digest.clone()).or_insert_with(fresh);
    image.tags.extend(tag.clone());
    let name = input.text("repositoryName");
    Ok(json!({"image": {
        "registryId": account,
        "repositoryName": name,
        "imageId": {"imageDigest": digest, "imageTag": tag},
        "imageManifest": manifest,
    }}))
}
