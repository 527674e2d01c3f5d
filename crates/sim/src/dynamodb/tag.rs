//! The tags of tables.

use crate::arn;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::dynamodb::Table;
use crate::tag;
use serde_json::{Value, json};

fn named<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Table, Refusal> {
    let arn = input.text("ResourceArn").unwrap_or_default();
    if !arn.starts_with("arn:") {
        return Err(Refusal::validation(format!("Invalid TableArn: Invalid ResourceArn provided as input {arn}")));
    }
    let missing = || {
        let message = format!("Requested resource not found: ResourcArn: {arn} not found");
        Refusal::new("ResourceNotFoundException", message)
    };
    region.dynamodb.tables.get_mut(arn::tail(arn)).ok_or_else(missing)
}

/// TagResource.
pub(super) fn add(region: &mut Region, input: &Value) -> Answer {
    let new = tag::UPPER.read(input.items("Tags"));
    let table = named(region, input)?;
    let mut tags = table.tags.clone();
    tags.extend(new);
    tag::check(&tags, "ValidationException")?;
    table.tags = tags;
    Ok(json!({}))
}

/// UntagResource.
pub(super) fn remove(region: &mut Region, input: &Value) -> Answer {
    let keys = input.texts("TagKeys");
    named(region, input)?.tags.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

/// ListTagsOfResource.
pub(super) fn list(region: &mut Region, input: &Value) -> Answer {
    Ok(json!({"Tags": tag::UPPER.write(&named(region, input)?.tags)}))
}
