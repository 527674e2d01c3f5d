//! Reading values and items from a request, with the refusals of what DynamoDB does not store.

use crate::refusal::Refusal;
use crate::state::dynamodb::Item;
use crate::state::dynamodb::number::{Fault, Number};
use crate::state::dynamodb::value::Attribute;
use aws_smithy_types::base64;
use serde_json::Value;
use std::collections::BTreeSet;

/// Maps and lists are nested so deep at most.
const DEPTH: usize = 32;

/// Reads an item or a key.
pub(super) fn item(value: &Value) -> Result<Item, Refusal> {
    let members = value.as_object().ok_or_else(|| Refusal::validation("The item is not a map of attributes"))?;
    members.iter().map(|(name, value)| Ok((name.clone(), attribute(value)?))).collect()
}

/// Reads a value such as `{"S": "text"}`.
pub(super) fn attribute(value: &Value) -> Result<Attribute, Refusal> {
    nested(value, 0)
}

fn nested(value: &Value, depth: usize) -> Result<Attribute, Refusal> {
    if depth > DEPTH {
        return Err(Refusal::validation("Nesting Levels have exceeded supported limits"));
    }
    let mut members = value.as_object().into_iter().flatten().filter(|(_, member)| !member.is_null());
    let Some((kind, content)) = members.next() else {
        return Err(Refusal::validation(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ));
    };
    if members.next().is_some() {
        return Err(Refusal::validation(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        ));
    }
    let list = || content.as_array().map(Vec::as_slice).ok_or_else(malformed);
    Ok(match kind.as_str() {
        "S" => Attribute::Text(text(content)?),
        "N" => Attribute::Number(number(content)?),
        "B" => Attribute::Bytes(bytes(content)?),
        "BOOL" => Attribute::Flag(content.as_bool().ok_or_else(malformed)?),
        "NULL" if content.as_bool() == Some(true) => Attribute::Null,
        "NULL" => {
            return Err(Refusal::validation(
                "One or more parameter values were invalid: Null attribute value types must have the value of true",
            ));
        }
        "M" => {
            let members = content.as_object().ok_or_else(malformed)?.iter();
            Attribute::Map(
                members
                    .map(|(name, value)| Ok((name.clone(), nested(value, depth + 1)?)))
                    .collect::<Result<_, Refusal>>()?,
            )
        }
        "L" => Attribute::List(list()?.iter().map(|value| nested(value, depth + 1)).collect::<Result<_, _>>()?),
        "SS" => Attribute::Texts(set(list()?, "string", text)?),
        "NS" => Attribute::Numbers(set(list()?, "number", number)?),
        "BS" => Attribute::BytesSet(set(list()?, "binary", bytes)?),
        _ => return Err(malformed()),
    })
}

fn malformed() -> Refusal {
    Refusal::new("SerializationException", "Unexpected value type in payload")
}

fn text(value: &Value) -> Result<String, Refusal> {
    value.as_str().map(str::to_owned).ok_or_else(malformed)
}

fn bytes(value: &Value) -> Result<Vec<u8>, Refusal> {
    base64::decode(value.as_str().ok_or_else(malformed)?).map_err(|_| malformed())
}

fn number(value: &Value) -> Result<Number, Refusal> {
    let text = value.as_str().ok_or_else(malformed)?;
    Number::parse(text).map_err(|fault| match fault {
        Fault::NotNumeric if text.is_empty() => {
            Refusal::validation("The parameter cannot be converted to a numeric value")
        }
        Fault::NotNumeric => {
            Refusal::validation(format!("The parameter cannot be converted to a numeric value: {text}"))
        }
        Fault::TooPrecise | Fault::Overflow | Fault::Underflow => unstorable(fault),
    })
}

/// The refusal of a number that is sent, or that comes of a sum.
pub(super) fn unstorable(fault: Fault) -> Refusal {
    Refusal::validation(match fault {
        Fault::NotNumeric => "The parameter cannot be converted to a numeric value",
        Fault::TooPrecise => "Attempting to store more than 38 significant digits in a Number",
        Fault::Overflow => "Number overflow. Attempting to store a number with magnitude larger than supported range",
        Fault::Underflow => {
            "Number underflow. Attempting to store a number with magnitude smaller than supported range"
        }
    })
}

fn set<T: Ord>(items: &[Value], kind: &str, read: fn(&Value) -> Result<T, Refusal>) -> Result<BTreeSet<T>, Refusal> {
    let invalid = |what: String| Refusal::validation(format!("One or more parameter values were invalid: {what}"));
    if items.is_empty() {
        return Err(invalid(format!("An {kind} set  may not be empty")));
    }
    let read: BTreeSet<T> = items.iter().map(read).collect::<Result<_, _>>()?;
    if read.len() < items.len() {
        let all: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
        return Err(invalid(format!("Input collection [{}] contains duplicates.", all.join(", "))));
    }
    Ok(read)
}
