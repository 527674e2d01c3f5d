//! AWS Secrets Manager: secrets, their versions and stages, and deletion after a recovery window.
//!
//! Rotation, replication and resource policies are not simulated.

use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::vault::{Secret, Version};
use crate::tag;
use serde_json::{Map, Value, json};
use std::time::Duration;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// Answers one Secrets Manager operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    let now = region.now;
    region.vault.secrets.retain(|_, secret| secret.deleted.is_none_or(|(_, gone)| gone > now));
    match operation {
        "CreateSecret" => create(region, input),
        "GetSecretValue" => get(region, input),
        "PutSecretValue" => put(region, input),
        "UpdateSecret" => update(region, input),
        "DescribeSecret" => describe(region, input),
        "DeleteSecret" => delete(region, input),
        "RestoreSecret" => restore(region, input),
        "ListSecrets" => list(region, input),
        "ListSecretVersionIds" => versions(region, input),
        "TagResource" => {
            let new = tag::UPPER.read(input.items("Tags"));
            named(region, input)?.tags.extend(new);
            Ok(json!({}))
        }
        "UntagResource" => {
            let keys = input.texts("TagKeys");
            named(region, input)?.tags.retain(|key, _| !keys.contains(key));
            Ok(json!({}))
        }
        _ => Err(Refusal::unknown_operation()),
    }
}

fn invalid_request(message: &str) -> Refusal {
    Refusal::new("InvalidRequestException", message)
}

fn missing() -> Refusal {
    Refusal::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

/// The secret of a name, an ARN, or an ARN without its random end.
fn named<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Secret, Refusal> {
    let id = input.text("SecretId").unwrap_or_default();
    let is = |secret: &&mut Secret| {
        let short = secret.arn.rsplit_once('-').map_or("", |(short, _)| short);
        secret.name == id || secret.arn == id || short == id
    };
    region.vault.secrets.values_mut().find(is).ok_or_else(missing)
}

fn live<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Secret, Refusal> {
    let secret = named(region, input)?;
    if secret.deleted.is_some() {
        return Err(invalid_request(
            "You can't perform this operation on the secret because it was marked for deletion.",
        ));
    }
    Ok(secret)
}

fn create(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("Name").unwrap_or_default().to_owned();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    if !(1..=512).contains(&name.len()) || !name.chars().all(allowed) {
        let message =
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
        return Err(Refusal::validation(message));
    }
    match region.vault.secrets.get(&name) {
        Some(secret) if secret.deleted.is_some() => {
            return Err(invalid_request(
                "You can't create this secret because a secret with this name is already scheduled for deletion.",
            ));
        }
        Some(_) => {
            let message = format!("The operation failed because the secret {name} already exists.");
            return Err(Refusal::new("ResourceExistsException", message));
        }
        None => {}
    }
    let tags = tag::UPPER.read(input.items("Tags"));
    tag::check(&tags, "InvalidParameterException")?;
    let ending = region.hex(6);
    let version = version(region, input);
    let secret = Secret {
        arn: region.arn("secretsmanager", &format!("secret:{name}-{ending}")),
        name: name.clone(),
        description: input.text("Description").map(str::to_owned),
        key: input.text("KmsKeyId").map(str::to_owned),
        tags,
        created: region.now,
        changed: region.now,
        deleted: None,
        versions: version.into_iter().collect(),
    };
    let id = secret.versions.first().map(|version| version.id.clone());
    let answer = json!({"ARN": secret.arn, "Name": name, "VersionId": id});
    region.vault.secrets.insert(name, secret);
    Ok(answer)
}

fn version(region: &mut Region, input: &Value) -> Option<Version> {
    let (text, binary) = (input.text("SecretString"), input.text("SecretBinary"));
    if text.is_none() && binary.is_none() {
        return None;
    }
    let id = input.text("ClientRequestToken").map(str::to_owned);
    let stages =
        if input.member("VersionStages").is_some() { input.texts("VersionStages") } else { vec![CURRENT.to_owned()] };
    Some(Version {
        id: id.unwrap_or_else(|| region.uuid()),
        text: text.map(str::to_owned),
        binary: binary.map(str::to_owned),
        stages,
        created: region.now,
    })
}

/// Puts a version in front: the stages it takes leave the others, and what was current becomes previous.
fn push(secret: &mut Secret, version: Version) {
    let current = version.stages.iter().any(|stage| stage == CURRENT);
    for other in &mut secret.versions {
        let was_current = other.stages.iter().any(|stage| stage == CURRENT);
        other.stages.retain(|stage| !(version.stages.contains(stage) || current && stage == PREVIOUS));
        if current && was_current {
            other.stages.push(PREVIOUS.to_owned());
        }
    }
    secret.versions.push(version);
}

fn put(region: &mut Region, input: &Value) -> Answer {
    live(region, input)?;
    let Some(version) = version(region, input) else {
        return Err(invalid_request("You must provide either SecretString or SecretBinary."));
    };
    let now = region.now;
    let secret = live(region, input)?;
    if let Some(known) = secret.versions.iter().find(|known| known.id == version.id) {
        if (&known.text, &known.binary) != (&version.text, &version.binary) {
            let message = format!(
                "You can't use ClientRequestToken {} because that value is already in use for a version of secret {}.",
                version.id, secret.arn
            );
            return Err(Refusal::new("ResourceExistsException", message));
        }
    } else {
        push(secret, version.clone());
        secret.changed = now;
    }
    Ok(json!({"ARN": secret.arn, "Name": secret.name, "VersionId": version.id, "VersionStages": version.stages}))
}

fn update(region: &mut Region, input: &Value) -> Answer {
    live(region, input)?;
    let version = version(region, input);
    let secret = live(region, input)?;
    if let Some(description) = input.text("Description") {
        secret.description = Some(description.to_owned());
    }
    let id = version.as_ref().map(|version| version.id.clone());
    if let Some(version) = version {
        push(secret, version);
    }
    Ok(json!({"ARN": secret.arn, "Name": secret.name, "VersionId": id}))
}

fn get(region: &mut Region, input: &Value) -> Answer {
    let (id, stage) = (input.text("VersionId"), input.text("VersionStage"));
    let secret = live(region, input)?.clone();
    let wanted = |version: &&Version| {
        id.is_none_or(|id| version.id == id)
            && (stage.is_none_or(|stage| version.stages.iter().any(|known| known == stage)))
            && (id.is_some() || stage.is_some() || version.stages.iter().any(|known| known == CURRENT))
    };
    let Some(version) = secret.versions.iter().find(wanted) else {
        let sought =
            id.map_or_else(|| format!("staging label: {}", stage.unwrap_or(CURRENT)), |id| format!("VersionId: {id}"));
        let message = format!("Secrets Manager can't find the specified secret value for {sought}");
        return Err(Refusal::new("ResourceNotFoundException", message));
    };
    Ok(json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version.id,
        "SecretString": version.text,
        "SecretBinary": version.binary,
        "VersionStages": version.stages,
        "CreatedDate": region.stamp(version.created),
    }))
}

fn view(region: &Region, secret: &Secret, versions: &str) -> Value {
    let current = secret.versions.iter().filter(|version| !version.stages.is_empty());
    let stages: Map<String, Value> = current.map(|version| (version.id.clone(), json!(version.stages))).collect();
    json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "Description": secret.description,
        "KmsKeyId": secret.key,
        "Tags": tag::UPPER.write(&secret.tags),
        "CreatedDate": region.stamp(secret.created),
        "LastChangedDate": region.stamp(secret.changed),
        "DeletedDate": secret.deleted.map(|(at, _)| region.stamp(at)),
        versions: stages,
    })
}

fn describe(region: &mut Region, input: &Value) -> Answer {
    let secret = named(region, input)?.clone();
    Ok(view(region, &secret, "VersionIdsToStages"))
}

fn delete(region: &mut Region, input: &Value) -> Answer {
    let forced = input.flag("ForceDeleteWithoutRecovery") == Some(true);
    let days = input.whole("RecoveryWindowInDays");
    if forced && days.is_some() {
        return Err(Refusal::invalid(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    let window = u64::try_from(days.unwrap_or(30)).unwrap_or(0);
    if !(7..=30).contains(&window) {
        return Err(Refusal::invalid("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."));
    }
    let now = region.now;
    let gone = if forced { now } else { now + Duration::from_hours(24 * window) };
    let secret = live(region, input)?;
    secret.deleted = Some((now, gone));
    let (arn, name) = (secret.arn.clone(), secret.name.clone());
    if forced {
        region.vault.secrets.remove(&name);
    }
    Ok(json!({"ARN": arn, "Name": name, "DeletionDate": region.stamp(gone)}))
}

fn restore(region: &mut Region, input: &Value) -> Answer {
    let secret = named(region, input)?;
    secret.deleted = None;
    Ok(json!({"ARN": secret.arn, "Name": secret.name}))
}

fn list(region: &mut Region, input: &Value) -> Answer {
    let planned = input.flag("IncludePlannedDeletion") == Some(true);
    let filters = input.items("Filters").unwrap_or_default();
    let passes = |secret: &Secret| {
        filters.iter().all(|filter| {
            let any = |text: &str| filter.texts("Values").iter().any(|value| text.starts_with(value.as_str()));
            match filter.text("Key") {
                Some("name") => any(&secret.name),
                Some("description") => any(secret.description.as_deref().unwrap_or_default()),
                Some("tag-key") => secret.tags.keys().any(|key| any(key)),
                Some("tag-value") => secret.tags.values().any(|value| any(value)),
                _ => true,
            }
        })
    };
    let all = region.vault.secrets.values().filter(|secret| (planned || secret.deleted.is_none()) && passes(secret));
    let all: Vec<Value> = all.map(|secret| view(region, secret, "SecretVersionsToStages")).collect();
    let size = input.whole("MaxResults").and_then(|size| usize::try_from(size).ok()).unwrap_or(100);
    let invalid = || Refusal::new("InvalidNextTokenException", "The NextToken value is invalid.");
    let page = page::cut(all, input.text("NextToken"), size).ok_or_else(invalid)?;
    Ok(json!({"SecretList": page.items, "NextToken": page.next}))
}

fn versions(region: &mut Region, input: &Value) -> Answer {
    let all = input.flag("IncludeDeprecated") == Some(true);
    let secret = named(region, input)?.clone();
    let shown = secret.versions.iter().filter(|version| all || !version.stages.is_empty());
    let view = |version: &Version| {
        let created = region.stamp(version.created);
        json!({"VersionId": version.id, "VersionStages": version.stages, "CreatedDate": created})
    };
    Ok(json!({"ARN": secret.arn, "Name": secret.name, "Versions": shown.map(view).collect::<Vec<_>>()}))
}
