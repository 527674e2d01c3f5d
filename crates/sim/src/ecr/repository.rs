//! ECR repositories: their settings, tags and lifecycle policy.

use crate::arn;
use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecr::Repository;
use crate::tag;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The repository a request names.
pub(super) fn named<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Repository, Refusal> {
    let name = input.text("repositoryName").unwrap_or_default();
    let missing = missing(region, name);
    region.ecr.repositories.get_mut(name).ok_or(missing)
}

/// The answer when there is no such repository.
pub(super) fn missing(region: &Region, name: &str) -> Refusal {
    let message =
        format!("The repository with name '{name}' does not exist in the registry with id '{}'", region.account);
    Refusal::new("RepositoryNotFoundException", message)
}

/// Lower-case words joined by `.`, `_`, `__` or hyphens, in parts joined by slashes, beginning with a letter.
fn valid(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| {
        part.starts_with(word) && part.ends_with(word) && part.chars().all(|c| word(c) || matches!(c, '.' | '_' | '-'))
    };
    (2..=256).contains(&name.len()) && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('/').all(part)
}

/// CreateRepository.
pub(crate) fn create(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default().to_owned();
    if !valid(&name) {
        return Err(Refusal::invalid(format!(
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression', was '{name}'"
        )));
    }
    if region.ecr.repositories.contains_key(&name) {
        let account = &region.account;
        let message = format!("The repository with name '{name}' already exists in the registry with id '{account}'");
        return Err(Refusal::new("RepositoryAlreadyExistsException", message));
    }
    let tags = tag::UPPER.read(input.items("tags"));
    tag::check(&tags, "InvalidTagParameterException")?;
    let scanning = json!({"scanOnPush": false});
    let encryption = json!({"encryptionType": "AES256"});
    let body = json!({
        "repositoryArn": region.arn("ecr", &format!("repository/{name}")),
        "registryId": region.account,
        "repositoryName": name,
        "repositoryUri": format!("{}.dkr.ecr.{}.amazonaws.com/{name}", region.account, region.name),
        "createdAt": region.timestamp(),
        "imageTagMutability": input.text("imageTagMutability").unwrap_or("MUTABLE"),
        "imageScanningConfiguration": input.member("imageScanningConfiguration").cloned().unwrap_or(scanning),
        "encryptionConfiguration": input.member("encryptionConfiguration").cloned().unwrap_or(encryption),
    });
    let repository = Repository { body: body.clone(), tags, lifecycle_policy: None, images: BTreeMap::new() };
    region.ecr.repositories.insert(name, repository);
    Ok(json!({"repository": body}))
}

/// DescribeRepositories.
pub(super) fn describe(region: &mut Region, input: &Value) -> Answer {
    let names = input.texts("repositoryNames");
    if let Some(name) = names.iter().find(|name| !region.ecr.repositories.contains_key(name.as_str())) {
        return Err(missing(region, name));
    }
    let all = region.ecr.repositories.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
    let bodies: Vec<&Value> = all.map(|(_, repository)| &repository.body).collect();
    let page = paged(bodies, input)?;
    Ok(json!({"repositories": page.items, "nextToken": page.next}))
}

/// A page of an ECR list.
pub(super) fn paged<T>(all: Vec<T>, input: &Value) -> Result<page::Page<T>, Refusal> {
    let size = input.whole("maxResults").and_then(|size| usize::try_from(size).ok()).unwrap_or(100).min(1000);
    page::cut(all, input.text("nextToken"), size).ok_or_else(|| Refusal::invalid("Invalid token."))
}

/// DeleteRepository: a full one only by force.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let force = input.flag("force").unwrap_or(false);
    let repository = named(region, input)?;
    if !repository.images.is_empty() && !force {
        let message = "The repository cannot be deleted because it still contains images.";
        return Err(Refusal::new("RepositoryNotEmptyException", message));
    }
    let body = repository.body.clone();
    region.ecr.repositories.remove(input.text("repositoryName").unwrap_or_default());
    Ok(json!({"repository": body}))
}

/// PutLifecyclePolicy: stored as it was sent.
pub(super) fn put_lifecycle_policy(region: &mut Region, input: &Value) -> Answer {
    let account = region.account.clone();
    let text = input.text("lifecyclePolicyText").unwrap_or_default().to_owned();
    let parsed: Option<Value> = serde_json::from_str(&text).ok();
    if parsed.and_then(|policy| policy.items("rules").map(<[Value]>::len)).is_none_or(|rules| rules == 0 || rules > 50)
    {
        return Err(Refusal::invalid(
            "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure'",
        ));
    }
    let repository = named(region, input)?;
    repository.lifecycle_policy = Some(text.clone());
    let name = input.text("repositoryName");
    Ok(json!({"registryId": account, "repositoryName": name, "lifecyclePolicyText": text}))
}

/// GetLifecyclePolicy.
pub(super) fn get_lifecycle_policy(region: &mut Region, input: &Value) -> Answer {
    let account = region.account.clone();
    let name = input.text("repositoryName").unwrap_or_default();
    let Some(text) = named(region, input)?.lifecycle_policy.clone() else {
        return Err(no_policy(&account, name));
    };
    let evaluated = region.timestamp();
    Ok(json!({
        "registryId": account,
        "repositoryName": name,
        "lifecyclePolicyText": text,
        "lastEvaluatedAt": evaluated,
    }))
}

fn no_policy(account: &str, name: &str) -> Refusal {
    let message = format!(
        "Lifecycle policy does not exist for the repository with name '{name}' in the registry with id '{account}'"
    );
    Refusal::new("LifecyclePolicyNotFoundException", message)
}

/// DeleteLifecyclePolicy.
pub(super) fn delete_lifecycle_policy(region: &mut Region, input: &Value) -> Answer {
    let account = region.account.clone();
    let name = input.text("repositoryName").unwrap_or_default();
    let Some(text) = named(region, input)?.lifecycle_policy.take() else {
        return Err(no_policy(&account, name));
    };
    Ok(json!({"registryId": account, "repositoryName": name, "lifecyclePolicyText": text}))
}

/// PutImageTagMutability.
pub(super) fn put_tag_mutability(region: &mut Region, input: &Value) -> Answer {
    let account = region.account.clone();
    let mutability = input.text("imageTagMutability").unwrap_or("MUTABLE");
    named(region, input)?.body.put("imageTagMutability", json!(mutability));
    let name = input.text("repositoryName");
    Ok(json!({"registryId": account, "repositoryName": name, "imageTagMutability": mutability}))
}

fn by_arn<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Repository, Refusal> {
    let name = arn::tail(input.text("resourceArn").unwrap_or_default()).to_owned();
    let missing = missing(region, &name);
    region.ecr.repositories.get_mut(&name).ok_or(missing)
}

/// TagResource.
pub(super) fn tag(region: &mut Region, input: &Value) -> Answer {
    let new = tag::UPPER.read(input.items("tags"));
    tag::check(&new, "InvalidTagParameterException")?;
    by_arn(region, input)?.tags.extend(new);
    Ok(json!({}))
}

/// UntagResource.
pub(super) fn untag(region: &mut Region, input: &Value) -> Answer {
    let keys = input.texts("tagKeys");
    by_arn(region, input)?.tags.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

/// ListTagsForResource.
pub(super) fn list_tags(region: &mut Region, input: &Value) -> Answer {
    Ok(json!({"tags": tag::UPPER.write(&by_arn(region, input)?.tags)}))
}

/// GetAuthorizationToken: `AWS:password` in base64, good for twelve hours.
pub(super) fn authorization_token(region: &Region) -> Value {
    let endpoint = format!("https://{}.dkr.ecr.{}.amazonaws.com", region.account, region.name);
    let expires = region.stamp(region.now + Duration::from_hours(12));
    // The base64 of "AWS:simulated".
    json!({"authorizationData": [{"authorizationToken": "QVdTOnNpbXVsYXRlZA==", "expiresAt": expires, "proxyEndpoint": endpoint}]})
}
