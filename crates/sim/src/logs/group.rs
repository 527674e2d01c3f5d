//! Log groups: retention is separate from creation, and only certain numbers of days are taken.

use crate::clock;
use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::logs::Group;
use crate::tag;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DAYS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// The name of a group from a name or either form of its ARN.
fn name_of(text: &str) -> &str {
    text.split_once(":log-group:").map_or(text, |(_, name)| name.trim_end_matches(":*"))
}

/// The group a request names.
pub(super) fn named<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Group, Refusal> {
    let name = input.text("logGroupName").or_else(|| input.text("logGroupIdentifier")).unwrap_or_default();
    region.logs.groups.get_mut(name_of(name)).ok_or_else(missing)
}

/// The answer when there is no such group.
pub(super) fn missing() -> Refusal {
    Refusal::new("ResourceNotFoundException", "The specified log group does not exist.")
}

/// CreateLogGroup.
pub(super) fn create(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("logGroupName").unwrap_or_default().to_owned();
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
    if !(1..=512).contains(&name.len()) || !name.chars().all(allowed) || name.starts_with("aws/") {
        return Err(Refusal::invalid(format!("Invalid log group name: {name}")));
    }
    if region.logs.groups.contains_key(&name) {
        let message = "The specified log group already exists";
        return Err(Refusal::new("ResourceAlreadyExistsException", message));
    }
    let class = input.text("logGroupClass").unwrap_or("STANDARD");
    if !matches!(class, "STANDARD" | "INFREQUENT_ACCESS" | "ESSENTIALS" | "DELIVERY") {
        return Err(Refusal::invalid(format!(
            "1 validation error detected: Value '{class}' at 'logGroupClass' failed to satisfy constraint: Member must satisfy \
             enum value set: [STANDARD, INFREQUENT_ACCESS, ESSENTIALS, DELIVERY]"
        )));
    }
    let tags = tag::of_map(input.get("tags"));
    tag::check(&tags, "InvalidParameterException")?;
    let group = Group {
        arn: region.arn("logs", &format!("log-group:{name}")),
        created: clock::milliseconds(region.settings.epoch, region.now),
        retention: None,
        class: class.to_owned(),
        protected: input.flag("deletionProtectionEnabled").unwrap_or(false),
        tags,
        streams: BTreeMap::new(),
    };
    region.logs.groups.insert(name, group);
    Ok(json!({}))
}

/// DescribeLogGroups: by prefix, by part of the name, or by identifiers; pages of fifty.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let prefix = input.text("logGroupNamePrefix").unwrap_or_default();
    let pattern = input.text("logGroupNamePattern").unwrap_or_default().to_ascii_lowercase();
    let identifiers = input.texts("logGroupIdentifiers");
    if identifiers.len() > 50 {
        return Err(Refusal::invalid("logGroupIdentifiers can have at most 50 elements."));
    }
    if !prefix.is_empty() && !pattern.is_empty() {
        return Err(Refusal::invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let groups = region.logs.groups.iter().filter(|(name, _)| {
        let identified = identifiers.is_empty() || identifiers.iter().any(|text| name_of(text) == name.as_str());
        identified && name.starts_with(prefix) && name.to_ascii_lowercase().contains(&pattern)
    });
    let views = groups.map(|(name, group)| view(name, group)).collect();
    let limit = input.whole("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(50);
    if limit == 0 || limit > 50 {
        return Err(Refusal::invalid("The limit must be between 1 and 50."));
    }
    let page = page::cut(views, input.text("nextToken"), limit);
    let page = page.ok_or_else(|| Refusal::invalid("The specified nextToken is invalid."))?;
    Ok(json!({"logGroups": page.items, "nextToken": page.next}))
}

fn view(name: &str, group: &Group) -> Value {
    let bytes: usize = group.streams.values().flat_map(|stream| &stream.lines).map(|line| line.text.len() + 26).sum();
    let mut body = json!({
        "logGroupName": name,
        "arn": format!("{}:*", group.arn),
        "logGroupArn": group.arn,
        "creationTime": group.created,
        "metricFilterCount": 0,
        "storedBytes": bytes,
        "logGroupClass": group.class,
        "deletionProtectionEnabled": group.protected,
    });
    if let Some(days) = group.retention {
        body.put("retentionInDays", json!(days));
    }
    body
}

/// DeleteLogGroup.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    if named(region, input)?.protected {
        return Err(Refusal::new("ValidationException", "The log group is protected against deletion."));
    }
    let name = name_of(input.text("logGroupName").unwrap_or_default()).to_owned();
    region.logs.groups.remove(&name);
    region.logs.deleted.insert(name);
    Ok(json!({}))
}

/// PutRetentionPolicy.
pub(super) fn put_retention(region: &mut Region, input: &Value) -> Answer {
    let days = input.whole("retentionInDays").unwrap_or(0);
    if !DAYS.contains(&days) {
        return Err(Refusal::invalid(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy \
             enum value set: {DAYS:?}"
        )));
    }
    named(region, input)?.retention = Some(days);
    Ok(json!({}))
}

/// DeleteRetentionPolicy.
pub(super) fn delete_retention(region: &mut Region, input: &Value) -> Answer {
    named(region, input)?.retention = None;
    Ok(json!({}))
}

fn by_arn<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Group, Refusal> {
    let arn = input.text("resourceArn").unwrap_or_default();
    if arn.ends_with(":*") {
        return Err(Refusal::invalid("The resource ARN must not end with ':*'."));
    }
    region.logs.groups.get_mut(name_of(arn)).ok_or_else(missing)
}

/// TagResource.
pub(super) fn tag(region: &mut Region, input: &Value) -> Answer {
    let new = tag::of_map(input.get("tags"));
    tag::check(&new, "InvalidParameterException")?;
    let group = by_arn(region, input)?;
    group.tags.extend(new);
    if group.tags.len() > 50 {
        return Err(Refusal::new("TooManyTagsException", "A resource can have no more than 50 tags."));
    }
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
    Ok(json!({"tags": by_arn(region, input)?.tags}))
}

/// TagLogGroup: the older call, by name.
pub(super) fn tag_by_name(region: &mut Region, input: &Value) -> Answer {
    let new = tag::of_map(input.get("tags"));
    tag::check(&new, "InvalidParameterException")?;
    named(region, input)?.tags.extend(new);
    Ok(json!({}))
}

/// UntagLogGroup: the older call, by name.
pub(super) fn untag_by_name(region: &mut Region, input: &Value) -> Answer {
    let keys = input.texts("tags");
    named(region, input)?.tags.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

/// ListTagsLogGroup: the older call, by name.
pub(super) fn list_tags_by_name(region: &mut Region, input: &Value) -> Answer {
    Ok(json!({"tags": named(region, input)?.tags}))
}
