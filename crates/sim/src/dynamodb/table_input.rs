//! What CreateTable and UpdateTable are given: schemas, indexes, billing.

use super::not_in_set;
use crate::input::Members;
use crate::refusal::Refusal;
use crate::state::Region;
use crate::state::dynamodb::{Index, KeyNames};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One or more parameter values were invalid.
pub(super) fn invalid(what: impl std::fmt::Display) -> Refusal {
    Refusal::validation(format!("One or more parameter values were invalid: {what}"))
}

/// Refuses a name no table has.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if !(3..=255).contains(&name.len()) {
        return Err(Refusal::validation(
            "TableName must be at least 3 characters long and at most 255 characters long",
        ));
    }
    if !name.chars().all(allowed) {
        return Err(Refusal::validation(format!(
            "1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [a-zA-Z0-9_.-]+"
        )));
    }
    Ok(())
}

/// The types of the defined attributes.
pub(super) fn types(input: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let mut types = BTreeMap::new();
    for definition in input.items("AttributeDefinitions").unwrap_or_default() {
        let name = definition.text("AttributeName").unwrap_or_default();
        let kind = definition.text("AttributeType").unwrap_or_default();
        if !["S", "N", "B"].contains(&kind) {
            return Err(not_in_set(kind, "attributeDefinitions.1.member.attributeType", &["B", "N", "S"]));
        }
        if types.insert(name.to_owned(), kind.to_owned()).is_some() {
            return Err(Refusal::validation("Cannot have two attributes with the same name"));
        }
    }
    Ok(types)
}

/// The names in a key schema.
pub(super) fn keys(schema: Option<&[Value]>) -> Result<KeyNames, Refusal> {
    let schema = schema.unwrap_or_default();
    let name = |element: &Value| element.text("AttributeName").unwrap_or_default().to_owned();
    let kind = |element: &Value| element.text("KeyType").unwrap_or_default().to_owned();
    let first = schema.first().ok_or_else(|| {
        Refusal::validation(
            "1 validation error detected: Value '[]' at 'keySchema' failed to satisfy constraint: Member must have length \
             greater than or equal to 1",
        )
    })?;
    if kind(first) != "HASH" {
        return Err(invalid("The first KeySchemaElement is not a HASH key type"));
    }
    match schema.get(1) {
        None => Ok(KeyNames { hash: name(first), range: None }),
        Some(second) if kind(second) != "RANGE" => Err(invalid("The second KeySchemaElement is not a RANGE key type")),
        Some(second) if name(second) == name(first) => {
            Err(invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name"))
        }
        Some(second) => Ok(KeyNames { hash: name(first), range: Some(name(second)) }),
    }
}

/// Refuses definitions that are not exactly those of the keys.
pub(super) fn check_definitions(
    types: &BTreeMap<String, String>,
    keys: &KeyNames,
    indexes: &[Index],
) -> Result<(), Refusal> {
    let list = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join(", ");
    let defined: BTreeSet<&str> = types.keys().map(String::as_str).collect();
    let all = keys.names().chain(indexes.iter().flat_map(|index| index.keys.names()));
    let used: BTreeSet<&str> = all.collect();
    if !used.is_subset(&defined) {
        return Err(invalid(format!(
            "Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], AttributeDefinitions: [{}]",
            list(&used),
            list(&defined)
        )));
    }
    if used.len() < defined.len() {
        return Err(if indexes.is_empty() {
            invalid(
                "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
            )
        } else {
            invalid(format!(
                "Some AttributeDefinitions are not used. AttributeDefinitions: [{}], keys used: [{}]",
                list(&defined),
                list(&used)
            ))
        });
    }
    Ok(())
}

/// Which kind of secondary index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Global,
    Local,
}

/// A secondary index, ready at a given time.
pub(super) fn index(
    region: &Region,
    table: &str,
    input: &Value,
    (kind, ready): (Kind, Duration),
) -> Result<Index, Refusal> {
    let name = input.text("IndexName").unwrap_or_default().to_owned();
    let keys = keys(input.items("KeySchema"))?;
    let projection = input.get("Projection").cloned().unwrap_or(Value::Null);
    let projected = match projection.text("ProjectionType") {
        Some("ALL") => None,
        Some("KEYS_ONLY") => Some(BTreeSet::new()),
        Some("INCLUDE") => Some(projection.texts("NonKeyAttributes").into_iter().collect()),
        Some(other) => return Err(not_in_set(other, "projection.projectionType", &["ALL", "INCLUDE", "KEYS_ONLY"])),
        None => return Err(invalid("Unknown ProjectionType: null")),
    };
    let mut body = json!({
        "IndexName": name,
        "KeySchema": input.get("KeySchema"),
        "Projection": projection,
        "IndexArn": region.arn("dynamodb", &format!("table/{table}/index/{name}")),
    });
    if kind == Kind::Global {
        body.put("ProvisionedThroughput", throughput(input));
    }
    Ok(Index { name, keys, local: kind == Kind::Local, projected, body, ready })
}

/// The provisioned throughput as DescribeTable returns it; zeros when on demand.
pub(super) fn throughput(input: &Value) -> Value {
    let given = input.get("ProvisionedThroughput");
    let units = |name: &str| given.and_then(|given| given.whole(name)).unwrap_or(0);
    json!({
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": units("ReadCapacityUnits"),
        "WriteCapacityUnits": units("WriteCapacityUnits"),
    })
}

/// The billing mode; refuses a throughput that does not fit it.
pub(super) fn billing(input: &Value) -> Result<&'static str, Refusal> {
    let given = input.member("ProvisionedThroughput").is_some();
    match (input.text("BillingMode").unwrap_or("PROVISIONED"), given) {
        ("PROVISIONED", true) => Ok("PROVISIONED"),
        ("PAY_PER_REQUEST", false) => Ok("PAY_PER_REQUEST"),
        ("PROVISIONED", false) => Err(invalid(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        )),
        ("PAY_PER_REQUEST", true) => Err(invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        )),
        (other, _) => Err(not_in_set(other, "billingMode", &["PROVISIONED", "PAY_PER_REQUEST"])),
    }
}

/// The view type of a stream specification; `None` when it switches the stream off or is missing.
pub(super) fn view(input: &Value) -> Result<Option<String>, Refusal> {
    const VIEWS: [&str; 4] = ["NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY"];
    let Some(specification) = input.member("StreamSpecification") else { return Ok(None) };
    let view = specification.text("StreamViewType");
    match (specification.flag("StreamEnabled").unwrap_or(false), view) {
        (true, Some(view)) if VIEWS.contains(&view) => Ok(Some(view.to_owned())),
        (true, Some(view)) => Err(not_in_set(view, "streamSpecification.streamViewType", &VIEWS)),
        (true, None) => Err(invalid("StreamViewType is required when StreamEnabled is true")),
        (false, Some(_)) => Err(invalid("StreamViewType cannot be specified when StreamEnabled is false")),
        (false, None) => Ok(None),
    }
}
