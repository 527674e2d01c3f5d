//! Amazon ECR: repositories and images, and whether an image can be pulled.
//!
//! The same images are reached by the JSON API and by the registry's own protocol (`registry`). Manifests and layers are kept
//! as they were put, and nothing expires. Replication, pull-through caches, creation templates, signing and what a scan finds are not simulated.

mod content;
mod image;
mod layer;
mod lifecycle;
mod manifest;
mod mutability;
mod policy;
pub(crate) mod registry;
mod repository;

pub use content::{Blob, Content};
pub(crate) use content::{content, empty_layer, has_content, push_bare, put as put_content};
pub(crate) use image::plant as plant_image;
pub(crate) use repository::create as create_repository;

use crate::arn;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};

/// Answers one ECR operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "CreateRepository" => repository::create(region, input),
        "DescribeRepositories" => repository::describe(region, input),
        "DeleteRepository" => repository::delete(region, input),
        "PutLifecyclePolicy" => policy::put_lifecycle(region, input),
        "GetLifecyclePolicy" => policy::get_lifecycle(region, input),
        "DeleteLifecyclePolicy" => policy::delete_lifecycle(region, input),
        "PutImageTagMutability" => mutability::put(region, input),
        "TagResource" => repository::tag(region, input),
        "UntagResource" => repository::untag(region, input),
        "ListTagsForResource" => repository::list_tags(region, input),
        "DescribeImages" => image::describe(region, input),
        "BatchGetImage" => image::batch_get(region, input),
        "BatchDeleteImage" => image::batch_delete(region, input),
        "ListImages" => image::list(region, input),
        "PutImage" => image::put(region, input),
        "GetAuthorizationToken" => Ok(registry::authorization_token(region)),
        "StartLifecyclePolicyPreview" => policy::start_preview(region, input),
        "GetLifecyclePolicyPreview" => policy::get_preview(region, input),
        "SetRepositoryPolicy" => policy::set(region, input),
        "GetRepositoryPolicy" => policy::get(region, input),
        "DeleteRepositoryPolicy" => policy::delete(region, input),
        "PutImageScanningConfiguration" => repository::put_scanning(region, input),
        "StartImageScan" | "DescribeImageScanFindings" => image::scan(region, input),
        "ListImageReferrers" => image::referrers(region, input),
        "DescribeRegistry" => Ok(repository::describe_registry(region)),
        "DescribePullThroughCacheRules" => Ok(json!({"pullThroughCacheRules": []})),
        "GetRegistryScanningConfiguration" => {
            let configuration = json!({"scanType": "BASIC", "rules": []});
            Ok(json!({"registryId": region.account, "scanningConfiguration": configuration}))
        }
        "GetRegistryPolicy" => {
            let message = format!("Registry policy does not exist in the registry with id '{}'", region.account);
            Err(Refusal::new("RegistryPolicyNotFoundException", message))
        }
        "PutAccountSetting" => Ok(repository::put_setting(region, input)),
        "GetAccountSetting" => Ok(repository::get_setting(region, input)),
        "InitiateLayerUpload" => layer::initiate(region, input),
        "UploadLayerPart" => layer::part(region, input),
        "CompleteLayerUpload" => layer::complete(region, input),
        "BatchCheckLayerAvailability" => layer::check(region, input),
        "GetDownloadUrlForLayer" => layer::url(region, input),
        _ => Err(Refusal::unknown_operation()),
    }
}

/// Repository and reference of an image of this account and region; `None` for any other registry's.
fn own<'a>(region: &Region, image: &'a str) -> Option<(&'a str, &'a str)> {
    let host = format!("{}.dkr.ecr.{}.amazonaws.com/", region.account, region.name);
    let rest = image.strip_prefix(host.as_str())?;
    if let Some((name, digest)) = rest.split_once('@') {
        let name = name.split_once(':').map_or(name, |(name, _)| name);
        return Some((name, digest));
    }
    Some(rest.split_once(':').unwrap_or((rest, "latest")))
}

/// Whether a task could pull an image. Other registries are taken to have everything.
pub(crate) fn pullable(region: &Region, image: &str) -> bool {
    let Some((name, reference)) = own(region, image) else {
        return true;
    };
    match region.ecr.repositories.get(name) {
        Some(repository) => image::find(repository, reference).is_some(),
        None => !region.settings.strict.images,
    }
}

/// The digest an image resolves to.
pub(crate) fn digest(region: &Region, image: &str) -> String {
    if let Some((_, digest)) = image.split_once('@') {
        return digest.to_owned();
    }
    let stored = own(region, image).and_then(|(name, reference)| {
        let repository = region.ecr.repositories.get(name)?;
        image::find(repository, reference).map(|(digest, _)| digest.clone())
    });
    stored.unwrap_or_else(|| arn::digest(image))
}
