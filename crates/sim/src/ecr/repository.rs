//! ECR repositories: their settings, tags and lifecycle policy.

use super::mutability;
use crate::arn;
use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecr::Repository;
use crate::tag;
use serde_json::{Value, json};

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
    let encryption = encryption(region, input)?;
    let mut body = json!({
        "repositoryArn": region.arn("ecr", &format!("repository/{name}")),
        "registryId": region.account,
        "repositoryName": name,
        "repositoryUri": format!("{}.dkr.ecr.{}.amazonaws.com/{name}", region.account, region.name),
        "createdAt": region.timestamp(),
        "imageScanningConfiguration": input.member("imageScanningConfiguration").cloned().unwrap_or(scanning),
        "encryptionConfiguration": encryption,
    });
    mutability::read(input, &mut body)?;
    let repository = Repository { body: body.clone(), tags, ..Repository::default() };
    region.ecr.repositories.insert(name, repository);
    Ok(json!({"repository": body}))
}

/// AES256 unless a key is asked for; the key is AWS's own unless one is named.
fn encryption(region: &Region, input: &Value) -> Result<Value, Refusal> {
    let wanted = input.member("encryptionConfiguration");
    let kind = wanted.and_then(|wanted| wanted.text("encryptionType")).unwrap_or("AES256");
    let key = wanted.and_then(|wanted| wanted.text("kmsKey"));
    match (kind, key) {
        ("AES256", None) => Ok(json!({"encryptionType": kind})),
        ("AES256", Some(_)) => Err(Refusal::invalid(
            "Invalid parameter at 'encryptionConfiguration' failed to satisfy constraint: 'KMS key is not allowed with AES256'",
        )),
        ("KMS" | "KMS_DSSE", key) => {
            let own = region.arn("kms", "key/00000000-0000-4000-a000-000000000001");
            Ok(json!({"encryptionType": kind, "kmsKey": key.unwrap_or(&own)}))
        }
        _ => Err(Refusal::invalid(
            "Invalid parameter at 'encryptionType' failed to satisfy constraint: 'Member must satisfy enum value set: [AES256, \
             KMS, KMS_DSSE]'",
        )),
    }
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

/// PutImageScanningConfiguration.
pub(super) fn put_scanning(region: &mut Region, input: &Value) -> Answer {
    let account = region.account.clone();
    let wanted = json!({"scanOnPush": input.get("imageScanningConfiguration").and_then(|scan| scan.flag("scanOnPush")).unwrap_or(false)});
    named(region, input)?.body.put("imageScanningConfiguration", wanted.clone());
    let name = input.text("repositoryName");
    Ok(json!({"registryId": account, "repositoryName": name, "imageScanningConfiguration": wanted}))
}

/// PutAccountSetting.
pub(super) fn put_setting(region: &mut Region, input: &Value) -> Value {
    let (name, value) = (input.text("name").unwrap_or_default(), input.text("value").unwrap_or_default());
    region.ecr.settings.insert(name.to_owned(), value.to_owned());
    json!({"name": name, "value": value})
}

/// GetAccountSetting.
pub(super) fn get_setting(region: &Region, input: &Value) -> Value {
    let name = input.text("name").unwrap_or_default();
    let default = match name {
        "BASIC_SCAN_TYPE_VERSION" => "AWS_NATIVE",
        "REGISTRY_POLICY_SCOPE" => "V2",
        _ => "DISABLED",
    };
    let value = region.ecr.settings.get(name).map_or(default, String::as_str);
    json!({"name": name, "value": value})
}

/// DescribeRegistry.
pub(super) fn describe_registry(region: &Region) -> Value {
    json!({"registryId": region.account, "replicationConfiguration": {"rules": []}})
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
