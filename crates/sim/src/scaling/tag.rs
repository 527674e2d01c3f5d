//! Tags of scalable targets, by ARN.

use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::tag::{self, Tags};
use serde_json::{Value, json};

fn tags<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Tags, Refusal> {
    let arn = input.text("ResourceARN").unwrap_or_default();
    let missing = || Refusal::new("ResourceNotFoundException", format!("The resource {arn} was not found"));
    region
        .scaling
        .targets
        .values_mut()
        .find(|target| target.arn == arn)
        .map(|target| &mut target.tags)
        .ok_or_else(missing)
}

/// TagResource.
pub(super) fn add(region: &mut Region, input: &Value) -> Answer {
    let new = tag::of_map(input.get("Tags"));
    tag::check(&new, "ValidationException")?;
    let tags = tags(region, input)?;
    tags.extend(new);
    if tags.len() > 50 {
        return Err(Refusal::new("TooManyTagsException", "The resource has too many tags"));
    }
    Ok(json!({}))
}

/// UntagResource.
pub(super) fn remove(region: &mut Region, input: &Value) -> Answer {
    let keys = input.texts("TagKeys");
    tags(region, input)?.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

/// ListTagsForResource.
pub(super) fn list(region: &mut Region, input: &Value) -> Answer {
    Ok(json!({"Tags": tags(region, input)?}))
}
