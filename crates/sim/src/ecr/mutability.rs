//! Whether a tag may move: by repository, but for tags that match an exclusion.

use super::repository::named;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};

const KINDS: [&str; 4] = ["IMMUTABLE", "MUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"];

/// Reads and checks the mutability a request wants into a repository's body.
pub(super) fn read(input: &Value, body: &mut Value) -> Result<(), Refusal> {
    let kind = input.text("imageTagMutability").unwrap_or("MUTABLE");
    if !KINDS.contains(&kind) {
        return Err(Refusal::invalid(format!(
            "Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: [{}]'",
            KINDS.join(", ")
        )));
    }
    let filters = input.items("imageTagMutabilityExclusionFilters").unwrap_or_default();
    let excluding = kind.ends_with("_WITH_EXCLUSION");
    if excluding == filters.is_empty() || filters.len() > 5 {
        let what =
            if excluding { "1 to 5 exclusion filters are required" } else { "exclusion filters are not allowed" };
        return Err(Refusal::invalid(format!(
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: '{what} with {kind}'"
        )));
    }
    if let Some(bad) = filters.iter().filter_map(|filter| filter.text("filter")).find(|filter| !valid(filter)) {
        return Err(Refusal::invalid(format!(
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'must satisfy regular \
             expression', was '{bad}'"
        )));
    }
    body.put("imageTagMutability", json!(kind));
    let kept = if excluding { json!(filters) } else { Value::Null };
    body.put("imageTagMutabilityExclusionFilters", kept);
    Ok(())
}

fn valid(filter: &str) -> bool {
    let clean = filter.chars().all(|c| c.is_ascii_alphanumeric() || "._*-".contains(c));
    (1..=128).contains(&filter.len()) && clean && filter.matches('*').count() <= 2
}

/// Whether a tag of a repository stays where it is.
pub(super) fn immutable(body: &Value, tag: &str) -> bool {
    let filters = body.items("imageTagMutabilityExclusionFilters").unwrap_or_default();
    let excluded = filters.iter().filter_map(|filter| filter.text("filter")).any(|filter| matches(filter, tag));
    match body.text("imageTagMutability") {
        Some("IMMUTABLE") => true,
        Some("IMMUTABLE_WITH_EXCLUSION") => !excluded,
        Some("MUTABLE_WITH_EXCLUSION") => excluded,
        _ => false,
    }
}

/// Whether a text matches a pattern in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            let ends = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
            ends.filter_map(|at| tail.get(at..)).any(|tail| matches(rest, tail))
        }),
    }
}

/// PutImageTagMutability.
pub(super) fn put(region: &mut Region, input: &Value) -> Answer {
    let account = region.account.clone();
    let repository = named(region, input)?;
    read(input, &mut repository.body)?;
    Ok(json!({
        "registryId": account,
        "repositoryName": input.text("repositoryName"),
        "imageTagMutability": repository.body.get("imageTagMutability"),
        "imageTagMutabilityExclusionFilters": repository.body.get("imageTagMutabilityExclusionFilters"),
    }))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches("latest*", "latest-1") && matches("*", "") && matches("a*b*", "axbyb"));
        assert!(!matches("latest", "latest-1") && !matches("*x", "y"));
    }
}
