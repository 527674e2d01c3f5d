//! Task definitions: register, describe, deregister, delete.
//!
//! A definition is kept as JSON, so that every documented member survives. A revision number is never given twice.

use super::{task_definition_defaults as defaults, task_definition_rules as rules};
use crate::arn;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::ecs::{Definition, Phase};
use crate::state::{Region, Timer};
use crate::tag;
use serde_json::{Value, json};
use std::time::Duration;

/// RegisterTaskDefinition: always makes a revision, there is no token.
pub(super) fn register(region: &mut Region, input: &Value) -> Answer {
    rules::check(input)?;
    let tags = tag::LOWER.read(input.items("tags"));
    tag::check(&tags, "InvalidParameterException")?;
    let family = input.text("family").unwrap_or_default().to_owned();
    let revision = region.ecs.families.get(&family).map_or(0, |family| family.last) + 1;
    let mut body = defaults::fill(input);
    let arn = region.arn("ecs", &format!("task-definition/{family}:{revision}"));
    body.put("taskDefinitionArn", json!(arn));
    body.put("revision", json!(revision));
    body.put("status", json!("ACTIVE"));
    body.put("registeredAt", json!(region.timestamp()));
    body.put("registeredBy", json!(format!("arn:aws:iam::{}:root", region.account)));
    let entry = region.ecs.families.entry(family).or_default();
    entry.last = revision;
    let answer = json!({"taskDefinition": body, "tags": tag::LOWER.write(&tags)});
    entry.revisions.insert(revision, Definition { body, tags });
    Ok(answer)
}

/// Family and revision of what a caller calls a task definition; without a revision the latest active one.
pub(super) fn resolve(region: &Region, name: &str) -> Option<(String, u32)> {
    let (family, revision) = match arn::tail(name).split_once(':') {
        Some((family, revision)) => (family, Some(revision.parse().ok()?)),
        None => (arn::tail(name), None),
    };
    let revisions = &region.ecs.families.get(family)?.revisions;
    let revision = match revision {
        Some(revision) => revision,
        None => *revisions.iter().rev().find(|(_, definition)| definition.body.text("status") == Some("ACTIVE"))?.0,
    };
    revisions.contains_key(&revision).then(|| (family.to_owned(), revision))
}

/// The definition a caller names.
pub(super) fn find<'a>(region: &'a Region, name: &str) -> Option<&'a Definition> {
    let (family, revision) = resolve(region, name)?;
    region.ecs.families.get(&family)?.revisions.get(&revision)
}

fn find_mut<'a>(region: &'a mut Region, name: &str) -> Option<&'a mut Definition> {
    let (family, revision) = resolve(region, name)?;
    region.ecs.families.get_mut(&family)?.revisions.get_mut(&revision)
}

/// The definition a service or a task shall run: it must be active.
pub(super) fn usable(region: &Region, name: &str) -> Result<Definition, Refusal> {
    let definition = find(region, name).ok_or_else(|| Refusal::client("TaskDefinition not found."))?;
    match definition.body.text("status") {
        Some("ACTIVE") => Ok(definition.clone()),
        Some(_) | None => Err(Refusal::client("TaskDefinition is inactive")),
    }
}

/// DescribeTaskDefinition. There is no NotFound exception: a missing one is a ClientException.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let name = input.text("taskDefinition").unwrap_or_default();
    let definition = find(region, name).ok_or_else(|| Refusal::client("Unable to describe task definition."))?;
    let mut answer = json!({"taskDefinition": definition.body});
    if input.texts("include").iter().any(|include| include == "TAGS") {
        answer.put("tags", tag::LOWER.write(&definition.tags));
    }
    Ok(answer)
}

/// DeregisterTaskDefinition: needs a revision; running services keep it.
pub(super) fn deregister(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("taskDefinition").unwrap_or_default().to_owned();
    if !arn::tail(&name).contains(':') {
        return Err(Refusal::invalid("Invalid revision number. Number: "));
    }
    let now = region.timestamp();
    let missing = || Refusal::client("The specified task definition does not exist.");
    let definition = find_mut(region, &name).ok_or_else(missing)?;
    if definition.body.text("status") == Some("ACTIVE") {
        definition.body.put("status", json!("INACTIVE"));
        definition.body.put("deregisteredAt", json!(now));
    }
    Ok(json!({"taskDefinition": definition.body}))
}

/// DeleteTaskDefinitions: at most ten, only inactive ones; gone once nothing uses them.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let names = input.texts("taskDefinitions");
    if names.is_empty() || names.len() > 10 {
        return Err(Refusal::invalid("Between 1 and 10 task definitions can be deleted at once."));
    }
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match delete_one(region, &name) {
            Ok(body) => deleted.push(body),
            Err(reason) => failures.push(json!({"arn": name, "reason": reason})),
        }
    }
    Ok(json!({"taskDefinitions": deleted, "failures": failures}))
}

fn delete_one(region: &mut Region, name: &str) -> Result<Value, &'static str> {
    let now = region.timestamp();
    let (family, revision) = resolve(region, name).ok_or("The specified task definition does not exist.")?;
    let definition = find_mut(region, name).ok_or("The specified task definition does not exist.")?;
    if definition.body.text("status") == Some("ACTIVE") {
        return Err(
            "The specified task definition is still in ACTIVE status. Please deregister the target and try again.",
        );
    }
    definition.body.put("status", json!("DELETE_IN_PROGRESS"));
    definition.body.put("deleteRequestedAt", json!(now));
    let body = definition.body.clone();
    // Stays DELETE_IN_PROGRESS for a while, and as long as anything uses it.
    let timer = Timer::Definition { family, revision };
    region.after(LINGER, timer);
    Ok(body)
}

/// How long a deleted revision that nothing uses stays describable.
const LINGER: Duration = Duration::from_mins(10);

/// A deleted revision goes, or waits for what still uses it.
pub(crate) fn purge(region: &mut Region, family: String, revision: u32) {
    let revisions = region.ecs.families.get(&family).map(|family| &family.revisions);
    let Some(definition) = revisions.and_then(|revisions| revisions.get(&revision)) else {
        return;
    };
    if used(region, definition.body.text("taskDefinitionArn").unwrap_or_default()) {
        region.after(LINGER, Timer::Definition { family, revision });
    } else if let Some(family) = region.ecs.families.get_mut(&family) {
        family.revisions.remove(&revision);
    }
}

fn used(region: &Region, arn: &str) -> bool {
    region.ecs.services.values().any(|service| {
        service.deployments.iter().any(|deployment| deployment.task_definition == arn)
            || service.tasks.values().any(|task| task.definition == arn && task.phase != Phase::Stopped)
    })
}
