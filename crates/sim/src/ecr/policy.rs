//! Policies of a repository: who may use it, and which images go after a while.

use super::lifecycle;
use super::repository::{missing, named, paged};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The longest lifecycle policy, in characters.
const LONGEST: usize = 30_720;

/// SetRepositoryPolicy.
pub(super) fn set(region: &mut Region, input: &Value) -> Answer {
    let account = region.account.clone();
    let text = input.text("policyText").unwrap_or_default();
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    if parsed.is_none_or(|policy| policy.member("Statement").is_none()) {
        return Err(Refusal::invalid(
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'",
        ));
    }
    named(region, input)?.policy = Some(text.to_owned());
    Ok(json!({"registryId": account, "repositoryName": input.text("repositoryName"), "policyText": text}))
}

/// GetRepositoryPolicy and DeleteRepositoryPolicy.
pub(super) fn get(region: &mut Region, input: &Value) -> Answer {
    let account = region.account.clone();
    let name = input.text("repositoryName").unwrap_or_default();
    let Some(text) = named(region, input)?.policy.clone() else {
        let message = format!(
            "Repository policy does not exist for the repository with name '{name}' in the registry with id '{account}'"
        );
        return Err(Refusal::new("RepositoryPolicyNotFoundException", message));
    };
    Ok(json!({"registryId": account, "repositoryName": name, "policyText": text}))
}

/// DeleteRepositoryPolicy.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let answer = get(region, input)?;
    named(region, input)?.policy = None;
    Ok(answer)
}

fn malformed(what: &str) -> Refusal {
    Refusal::invalid(format!(
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: {what}'"
    ))
}

/// Refuses a policy that breaks the documented rules.
fn check(text: &str) -> Result<(), Refusal> {
    let policy: Value = serde_json::from_str(text).map_err(|_| malformed("not valid JSON"))?;
    let rules = policy.items("rules").unwrap_or_default();
    if !(1..=50).contains(&rules.len()) || text.chars().count() > LONGEST {
        return Err(malformed("a policy has 1 to 50 rules and at most 30720 characters"));
    }
    let priorities: Vec<i64> = rules.iter().filter_map(|rule| rule.whole("rulePriority")).collect();
    let distinct: BTreeSet<&i64> = priorities.iter().collect();
    if distinct.len() < rules.len() || priorities.iter().any(|priority| *priority < 1) {
        return Err(malformed("each rule needs a rulePriority of its own, 1 or greater"));
    }
    for rule in rules {
        let Some(selection) = rule.member("selection") else { continue };
        check_selection(selection)?;
        let last = priorities.iter().max().copied();
        if selection.text("tagStatus") == Some("any") && rule.whole("rulePriority") != last {
            return Err(malformed("the rule with tagStatus any must have the highest rulePriority"));
        }
    }
    Ok(())
}

fn check_selection(selection: &Value) -> Result<(), Refusal> {
    let tags = selection.items("tagPrefixList").or_else(|| selection.items("tagPatternList")).unwrap_or_default();
    match selection.text("tagStatus") {
        Some("tagged") if tags.is_empty() => {
            return Err(malformed("tagStatus tagged needs a tagPrefixList or a tagPatternList"));
        }
        Some("untagged" | "any") if !tags.is_empty() => {
            return Err(malformed("only tagStatus tagged takes a list of tags"));
        }
        Some("tagged" | "untagged" | "any") => {}
        _ => return Err(malformed("tagStatus is one of tagged, untagged, any")),
    }
    let counted = selection.text("countType");
    match counted {
        Some("imageCountMoreThan") if selection.member("countUnit").is_none() => {}
        Some("sinceImagePushed" | "sinceImagePulled" | "sinceImageTransitioned")
            if selection.text("countUnit") == Some("days") => {}
        _ => return Err(malformed("countType and countUnit do not fit")),
    }
    if selection.whole("countNumber").is_none_or(|number| number < 1) {
        return Err(malformed("countNumber must be 1 or greater"));
    }
    Ok(())
}

/// PutLifecyclePolicy: stored as it was sent.
pub(super) fn put_lifecycle(region: &mut Region, input: &Value) -> Answer {
    let account = region.account.clone();
    let text = input.text("lifecyclePolicyText").unwrap_or_default();
    check(text)?;
    named(region, input)?.lifecycle_policy = Some(text.to_owned());
    let name = input.text("repositoryName");
    Ok(json!({"registryId": account, "repositoryName": name, "lifecyclePolicyText": text}))
}

/// GetLifecyclePolicy.
pub(super) fn get_lifecycle(region: &mut Region, input: &Value) -> Answer {
    let (account, evaluated) = (region.account.clone(), region.timestamp());
    let name = input.text("repositoryName").unwrap_or_default();
    let Some(text) = named(region, input)?.lifecycle_policy.clone() else {
        return Err(no_policy(&account, name));
    };
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
pub(super) fn delete_lifecycle(region: &mut Region, input: &Value) -> Answer {
    let answer = get_lifecycle(region, input)?;
    named(region, input)?.lifecycle_policy = None;
    Ok(answer)
}

/// StartLifecyclePolicyPreview: of the policy given, or the one in place.
pub(super) fn start_preview(region: &mut Region, input: &Value) -> Answer {
    let account = region.account.clone();
    let name = input.text("repositoryName").unwrap_or_default();
    let repository = named(region, input)?;
    let text = input.text("lifecyclePolicyText").map(str::to_owned).or_else(|| repository.lifecycle_policy.clone());
    let Some(text) = text else { return Err(no_policy(&account, name)) };
    check(&text)?;
    repository.preview = Some(text.clone());
    Ok(json!({
        "registryId": account,
        "repositoryName": name,
        "lifecyclePolicyText": text,
        "status": "IN_PROGRESS",
    }))
}

/// GetLifecyclePolicyPreview: complete when first looked at.
pub(super) fn get_preview(region: &Region, input: &Value) -> Answer {
    let name = input.text("repositoryName").unwrap_or_default();
    let repository = region.ecr.repositories.get(name).ok_or_else(|| missing(region, name))?;
    let Some(text) = &repository.preview else {
        let message = format!(
            "Lifecycle policy preview does not exist for the repository with name '{name}' in the registry with id '{}'",
            region.account
        );
        return Err(Refusal::new("LifecyclePolicyPreviewNotFoundException", message));
    };
    let gone = lifecycle::expiring(repository, text, region.timestamp());
    let count = gone.len();
    let page = paged(gone, input)?;
    Ok(json!({
        "registryId": region.account,
        "repositoryName": name,
        "lifecyclePolicyText": text,
        "status": "COMPLETE",
        "previewResults": page.items,
        "nextToken": page.next,
        "summary": {"expiringImageTotalCount": count},
    }))
}
