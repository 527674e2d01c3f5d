//! Tags of clusters, services, tasks and task definitions, by ARN.

use super::task_definition;
use crate::arn;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::ServiceStatus;
use crate::tag::{self, Tags};
use serde_json::{Value, json};

/// TagResource.
pub(super) fn add(region: &mut Region, input: &Value) -> Answer {
    let new = tag::LOWER.read(input.items("tags"));
    tag::check(&new, "InvalidParameterException")?;
    let tags = tags(region, input)?;
    let mut all = tags.clone();
    all.extend(new);
    // Those that ECS adds itself don't count.
    if all.keys().filter(|key| !key.starts_with("aws:")).count() > 50 {
        return Err(Refusal::new("LimitExceededException", "The number of tags exceeds the maximum of 50."));
    }
    *tags = all;
    Ok(json!({}))
}

/// UntagResource.
pub(super) fn remove(region: &mut Region, input: &Value) -> Answer {
    let tags = tags(region, input)?;
    for key in input.texts("tagKeys") {
        tags.remove(&key);
    }
    Ok(json!({}))
}

/// ListTagsForResource.
pub(super) fn list(region: &mut Region, input: &Value) -> Answer {
    let tags = tags(region, input)?;
    Ok(json!({"tags": tag::LOWER.write(tags)}))
}

/// The tags of the resource an ARN names. A service needs the long ARN, with its cluster.
fn tags<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Tags, Refusal> {
    let arn = input.text("resourceArn").unwrap_or_default();
    let missing = || Refusal::invalid(format!("The specified resource '{arn}' was not found."));
    if arn::service(arn) != Some("ecs") {
        return Err(Refusal::invalid("Invalid ARN."));
    }
    let kind = arn.split(':').nth(5).and_then(|resource| resource.split('/').next()).unwrap_or_default();
    let tail = arn::tail(arn).to_owned();
    let (first, second) = tail.split_once('/').unwrap_or((&tail, ""));
    let key = (first.to_owned(), second.to_owned());
    let found = match kind {
        "cluster" => region.ecs.clusters.get_mut(&tail).map(|cluster| &mut cluster.tags),
        "capacity-provider" => region.ecs.providers.get_mut(&tail).map(|(_, tags)| tags),
        "service" if second.is_empty() => {
            return Err(Refusal::invalid("Long arn format must be used for tagging operations."));
        }
        "service" => {
            let service = region.ecs.services.get_mut(&key);
            service.filter(|service| service.status != ServiceStatus::Inactive).map(|service| &mut service.tags)
        }
        "task" => {
            let owner = region.ecs.owners.get(second).cloned();
            let service = owner.and_then(|owner| region.ecs.services.get_mut(&owner));
            service.and_then(|service| service.tasks.get_mut(second)).map(|task| &mut task.tags)
        }
        "task-definition" => task_definition::resolve(region, arn).and_then(|(family, revision)| {
            let definition = region.ecs.families.get_mut(&family)?.revisions.get_mut(&revision)?;
            Some(&mut definition.tags)
        }),
        _ => None,
    };
    found.ok_or_else(missing)
}
