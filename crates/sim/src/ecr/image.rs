//! ECR images: by digest and by tag.

use super::manifest;
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

fn parsed(image: &Image) -> Value {
    serde_json::from_str(&image.manifest).unwrap_or(Value::Null)
}

fn view(region: &Region, name: &str, digest: &str, image: &Image) -> Value {
    let manifest = parsed(image);
    // An image that was seeded has no layers; it is given a likely size.
    let size = if image.manifest == "{}" { 50_000_000 } else { manifest::size(&manifest) };
    json!({
        "registryId": region.account,
        "repositoryName": name,
        "imageDigest": digest,
        "imageTags": (!image.tags.is_empty()).then_some(&image.tags),
        "imageSizeInBytes": size,
        "imagePushedAt": image.pushed,
        "imageManifestMediaType": image.media_type,
        "artifactMediaType": manifest::artifact(&manifest),
        "lastRecordedPullTime": image.pulled,
        "imageStatus": "ACTIVE",
    })
}

fn wanted(input: &Value, image: &Image) -> bool {
    let filter = input.member("filter");
    match filter.and_then(|filter| filter.text("tagStatus")) {
        Some("TAGGED") => !image.tags.is_empty(),
        Some("UNTAGGED") => image.tags.is_empty(),
        _ => true,
    }
}

/// DescribeImages: a missing one is an error.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default();
    let repository = region.ecr.repositories.get(name).ok_or_else(|| missing(region, name))?;
    let Some(ids) = input.items("imageIds") else {
        let all = repository.images.iter().filter(|(_, image)| wanted(input, image));
        let page = paged(all.map(|(digest, image)| view(region, name, digest, image)).collect(), input)?;
        return Ok(json!({"imageDetails": page.items, "nextToken": page.next}));
    };
    let mut details = Vec::new();
    for id in ids {
        let Some((digest, image)) = find(repository, reference(id)) else {
            return Err(image_missing(region, name, id));
        };
        if !details.iter().any(|seen: &Value| seen.text("imageDigest") == Some(digest)) {
            details.push(view(region, name, digest, image));
        }
    }
    Ok(json!({"imageDetails": details}))
}

pub(super) fn image_missing(region: &Region, name: &str, id: &Value) -> Refusal {
    let part = |name: &str| id.text(name).map_or_else(|| "null".to_owned(), |text| format!("'{text}'"));
    let message = format!(
        "The image with imageId {{imageDigest:{}, imageTag:{}}} does not exist within the repository with name '{name}' in the \
         registry with id '{}'",
        part("imageDigest"),
        part("imageTag"),
        region.account
    );
    Refusal::new("ImageNotFoundException", message)
}

/// Why an id names no image, as the batch operations say it.
fn failure(repository: &Repository, id: &Value) -> Option<Value> {
    let valid = |digest: &str| digest.len() == 71 && digest.starts_with("sha256:");
    let (code, reason) = match (id.text("imageDigest"), id.text("imageTag")) {
        (None, None) => ("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"),
        (Some(digest), _) if !valid(digest) => (
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        ),
        (Some(digest), Some(tag)) => match repository.images.get(digest) {
            None => ("ImageNotFound", "Requested image not found"),
            Some(image) if image.tags.iter().any(|known| known == tag) => return None,
            Some(_) => ("ImageTagDoesNotMatchDigest", "The given tag does not match the given digest"),
        },
        _ if find(repository, reference(id)).is_some() => return None,
        _ => ("ImageNotFound", "Requested image not found"),
    };
    Some(json!({"imageId": id, "failureCode": code, "failureReason": reason}))
}

/// BatchGetImage: a missing one is a failure in the answer.
pub(super) fn batch_get(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default().to_owned();
    let (account, now) = (region.account.clone(), region.timestamp());
    let repository = named(region, input)?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in input.items("imageIds").unwrap_or_default() {
        if let Some(failure) = failure(repository, id) {
            failures.push(failure);
            continue;
        }
        let Some(digest) = find(repository, reference(id)).map(|(digest, _)| digest.clone()) else { continue };
        let Some(image) = repository.images.get_mut(&digest) else { continue };
        image.pulled = Some(now);
        images.push(json!({
            "registryId": account,
            "repositoryName": name,
            "imageId": {"imageDigest": digest, "imageTag": id.text("imageTag")},
            "imageManifest": image.manifest,
            "imageManifestMediaType": image.media_type,
        }));
    }
    Ok(json!({"images": images, "failures": failures}))
}

/// BatchDeleteImage: a tag is removed; an image goes with its digest or its last tag.
pub(super) fn batch_delete(region: &mut Region, input: &Value) -> Answer {
    let repository = named(region, input)?;
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for id in input.items("imageIds").unwrap_or_default() {
        if let Some(failure) = failure(repository, id) {
            failures.push(failure);
            continue;
        }
        let Some(digest) = find(repository, reference(id)).map(|(digest, _)| digest.clone()) else { continue };
        let Some(image) = repository.images.get_mut(&digest) else { continue };
        let tags = match id.text("imageTag") {
            Some(tag) => vec![tag.to_owned()],
            None => image.tags.clone(),
        };
        image.tags.retain(|known| !tags.contains(known));
        if image.tags.is_empty() {
            let referenced = holder(repository, &digest);
            if let Some(index) = referenced {
                let reason = format!("Requested image referenced by manifest list: [{index}]");
                failures.push(
                    json!({"imageId": id, "failureCode": "ImageReferencedByManifestList", "failureReason": reason}),
                );
                continue;
            }
            repository.images.remove(&digest);
        }
        if tags.is_empty() {
            deleted.push(json!({"imageDigest": digest}));
        }
        deleted.extend(tags.into_iter().map(|tag| json!({"imageDigest": digest, "imageTag": tag})));
    }
    Ok(json!({"imageIds": deleted, "failures": failures}))
}

/// The index that refers to an image.
pub(super) fn holder(repository: &Repository, digest: &str) -> Option<String> {
    let holds = |image: &Image| manifest::images(&parsed(image)).any(|part| part == digest);
    repository.images.iter().find(|(_, image)| holds(image)).map(|(index, _)| index.clone())
}

/// ListImages.
pub(super) fn list(region: &Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default();
    let repository = region.ecr.repositories.get(name).ok_or_else(|| missing(region, name))?;
    let mut ids = Vec::new();
    for (digest, image) in repository.images.iter().filter(|(_, image)| wanted(input, image)) {
        if image.tags.is_empty() {
            ids.push(json!({"imageDigest": digest}));
        }
        ids.extend(image.tags.iter().map(|tag| json!({"imageDigest": digest, "imageTag": tag})));
    }
    let page = paged(ids, input)?;
    Ok(json!({"imageIds": page.items, "nextToken": page.next}))
}

/// ListImageReferrers: signatures and the like of an image.
pub(super) fn referrers(region: &Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default();
    let repository = region.ecr.repositories.get(name).ok_or_else(|| missing(region, name))?;
    let subject = input.get("subjectId").and_then(|subject| subject.text("imageDigest")).unwrap_or_default();
    let all = repository.images.iter().map(|(digest, image)| (digest, image, parsed(image)));
    let referring = all.filter(|(_, _, manifest)| manifest::subject(manifest) == Some(subject));
    let referrers: Vec<Value> = referring
        .map(|(digest, image, manifest)| {
            json!({
                "digest": digest,
                "mediaType": image.media_type,
                "artifactType": manifest::artifact(&manifest),
                "size": image.manifest.len(),
                "annotations": manifest.get("annotations"),
                "artifactStatus": "ACTIVE",
            })
        })
        .collect();
    let page = paged(referrers, input)?;
    Ok(json!({"referrers": page.items, "nextToken": page.next}))
}

/// An image to be stored.
pub(super) struct Pushed<'a> {
    pub(super) manifest: &'a str,
    pub(super) media_type: Option<&'a str>,
    pub(super) tag: Option<&'a str>,
    /// The digest the client says it has.
    pub(super) digest: Option<&'a str>,
}

/// What became of an image that was pushed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// It is in place, by its digest.
    New(String),
    /// It was there already, with that tag.
    Same(String),
}

/// Stores an image: a tag moves in a mutable repository and clashes in an immutable one.
pub(super) fn store(region: &mut Region, name: &str, pushed: &Pushed) -> Result<Stored, Refusal> {
    let account = region.account.clone();
    let digest = arn::digest(pushed.manifest);
    if let Some(said) = pushed.digest.filter(|said| *said != digest) {
        let message =
            format!("The image digest '{said}' does not match the calculated digest '{digest}' of the manifest");
        return Err(Refusal::new("ImageDigestDoesNotMatchException", message));
    }
    let parsed: Value = serde_json::from_str(pushed.manifest).map_err(|_| {
        Refusal::invalid("Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'")
    })?;
    if let Some(tag) = pushed.tag.filter(|tag| !valid_tag(tag)) {
        return Err(Refusal::invalid(format!(
            "Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular expression \
             '[a-zA-Z0-9_][a-zA-Z0-9._-]{{0,299}}'', was '{tag}'"
        )));
    }
    let at = region.timestamp();
    let (missing, strict) = (missing(region, name), region.settings.strict.images);
    let repository = region.ecr.repositories.get_mut(name).ok_or(missing)?;
    check_parts(repository, &parsed, strict, (name, &account))?;
    let holder = pushed.tag.and_then(|tag| find(repository, tag)).map(|(digest, _)| digest.clone());
    if holder.as_ref() == Some(&digest) || (pushed.tag.is_none() && repository.images.contains_key(&digest)) {
        return Ok(Stored::Same(digest));
    }
    if let Some(tag) = pushed.tag.filter(|tag| holder.is_some() && super::mutability::immutable(&repository.body, tag))
    {
        return Err(tag_exists(name, tag));
    }
    for image in repository.images.values_mut() {
        image.tags.retain(|known| Some(known.as_str()) != pushed.tag);
    }
    let media_type = manifest::media_type(&parsed, pushed.media_type);
    let fresh = Image { tags: Vec::new(), manifest: pushed.manifest.to_owned(), media_type, pushed: at, pulled: None };
    let image = repository.images.entry(digest.clone()).or_insert(fresh);
    image.tags.extend(pushed.tag.map(str::to_owned));
    Ok(Stored::New(digest))
}

/// The refusal to move a tag that must stay.
pub(super) fn tag_exists(name: &str, tag: &str) -> Refusal {
    let message = format!(
        "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the tag is immutable."
    );
    Refusal::new("ImageTagAlreadyExistsException", message)
}

fn valid_tag(tag: &str) -> bool {
    let first = tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    first && tag.len() <= 300 && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Refuses a manifest whose layers or images are not there. Layers are asked for only where something was uploaded or the
/// settings are strict: many a test pushes a bare manifest, and means no layer by it.
fn check_parts(
    repository: &Repository,
    parsed: &Value,
    strict: bool,
    (name, account): (&str, &str),
) -> Result<(), Refusal> {
    let place = format!("in the repository with name '{name}' in the registry with id '{account}'");
    let asked = strict || !repository.layers.is_empty();
    let mut layers = manifest::layers(parsed).chain(manifest::configuration(parsed)).filter(|_| asked);
    if let Some(layer) = layers.find(|digest| !repository.layers.contains_key(*digest)) {
        let message =
            format!("Layers with digests '[{layer}]' required for pushing image into repository do not exist {place}");
        return Err(Refusal::new("LayersNotFoundException", message));
    }
    if let Some(image) = manifest::images(parsed).find(|digest| !repository.images.contains_key(*digest)) {
        let message =
            format!("Images with digests '[{image}]' required for pushing image into repository do not exist {place}");
        return Err(Refusal::new("ReferencedImagesNotFoundException", message));
    }
    Ok(())
}

/// PutImage.
pub(super) fn put(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default();
    let manifest = input.text("imageManifest").unwrap_or_default();
    let tag = input.text("imageTag");
    let media_type = input.text("imageManifestMediaType");
    let pushed = Pushed { manifest, media_type, tag, digest: input.text("imageDigest") };
    let account = region.account.clone();
    match store(region, name, &pushed)? {
        Stored::Same(digest) => {
            let message = format!(
                "Image with digest '{digest}' and tag '{}' already exists in the repository with name '{name}' in registry with \
                 id '{account}'",
                tag.unwrap_or_default()
            );
            Err(Refusal::new("ImageAlreadyExistsException", message))
        }
        Stored::New(digest) => Ok(json!({"image": {
            "registryId": account,
            "repositoryName": name,
            "imageId": {"imageDigest": digest, "imageTag": tag},
            "imageManifest": manifest,
            "imageManifestMediaType": manifest::media_type(&serde_json::from_str(manifest).unwrap_or(Value::Null), media_type),
        }})),
    }
}

/// Puts an image in place of which nothing is known but its name: it has an empty manifest and a made-up digest.
pub(crate) fn plant(region: &mut Region, name: &str, tag: &str, digest: &str) {
    let pushed = region.timestamp();
    let Some(repository) = region.ecr.repositories.get_mut(name) else { return };
    if find(repository, tag).is_some() {
        return;
    }
    let (manifest, media_type) = ("{}".to_owned(), manifest::OCI.to_owned());
    let fresh = Image { tags: Vec::new(), manifest, media_type, pushed, pulled: None };
    repository.images.entry(digest.to_owned()).or_insert(fresh).tags.push(tag.to_owned());
}

/// DescribeImageScanFindings and StartImageScan: every scan is complete and finds nothing.
pub(super) fn scan(region: &Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default();
    let repository = region.ecr.repositories.get(name).ok_or_else(|| missing(region, name))?;
    let id = input.get("imageId").cloned().unwrap_or(Value::Null);
    let Some((digest, image)) = find(repository, reference(&id)) else {
        return Err(image_missing(region, name, &id));
    };
    Ok(json!({
        "registryId": region.account,
        "repositoryName": name,
        "imageId": {"imageDigest": digest, "imageTag": id.text("imageTag")},
        "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed successfully."},
        "imageScanFindings": {"findings": [], "findingSeverityCounts": {}, "imageScanCompletedAt": image.pushed},
    }))
}
