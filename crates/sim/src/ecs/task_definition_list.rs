//! Listing task definitions and their families.

use super::cluster::paged;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};

/// ListTaskDefinitions: `familyPrefix` is the exact family, despite its name; by family and revision.
pub(super) fn list(region: &Region, input: &Value) -> Answer {
    let status = input.text("status").unwrap_or("ACTIVE");
    if !matches!(status, "ACTIVE" | "INACTIVE" | "DELETE_IN_PROGRESS") {
        return Err(Refusal::invalid("Invalid status."));
    }
    let wanted = input.text("familyPrefix");
    let families = region.ecs.families.iter().filter(|(family, _)| wanted.is_none_or(|wanted| *family == wanted));
    let definitions = families.flat_map(|(_, family)| family.revisions.values());
    let mut arns: Vec<&str> = definitions
        .filter(|definition| definition.body.text("status") == Some(status))
        .filter_map(|definition| definition.body.text("taskDefinitionArn"))
        .collect();
    if input.text("sort") == Some("DESC") {
        arns.reverse();
    }
    let page = paged(arns, input, 100)?;
    Ok(json!({"taskDefinitionArns": page.items, "nextToken": page.next}))
}

/// ListTaskDefinitionFamilies: here `familyPrefix` is a prefix. ACTIVE families have an active revision.
pub(super) fn families(region: &Region, input: &Value) -> Answer {
    let prefix = input.text("familyPrefix").unwrap_or_default();
    let status = input.text("status").unwrap_or("ACTIVE");
    let families = region.ecs.families.iter().filter(|(name, _)| name.starts_with(prefix));
    let names: Vec<&String> = families
        .filter(|(_, family)| {
            let active = family.revisions.values().any(|definition| definition.body.text("status") == Some("ACTIVE"));
            status == "ALL" || active == (status == "ACTIVE")
        })
        .map(|(name, _)| name)
        .collect();
    let page = paged(names, input, 100)?;
    Ok(json!({"families": page.items, "nextToken": page.next}))
}
