//! Attribute values as JSON and back.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value};

/// `value` as JSON. The paths of binary values, which JSON has none of, go to `binary`; they become null.
pub(super) fn json(value: &AttributeValue, path: &str, binary: &mut Vec<String>) -> Value {
    let texts = |texts: &[String]| texts.iter().map(|text| Value::from(text.as_str())).collect::<Vec<_>>();
    match value {
        AttributeValue::S(text) => Value::from(text.as_str()),
        AttributeValue::N(digits) => number(digits),
        AttributeValue::Bool(truth) => Value::from(*truth),
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::L(items) => {
            let items = items.iter().enumerate();
            items.map(|(index, item)| json(item, &format!("{path}[{index}]"), binary)).collect()
        }
        AttributeValue::M(fields) => {
            let fields =
                fields.iter().map(|(name, field)| (name.clone(), json(field, &format!("{path}.{name}"), binary)));
            Value::Object(fields.collect())
        }
        AttributeValue::Ss(set) => sorted(texts(set)),
        AttributeValue::Ns(set) => sorted(set.iter().map(|digits| number(digits)).collect()),
        // And whatever DynamoDB may have one day.
        AttributeValue::B(_) | AttributeValue::Bs(_) | _ => {
            binary.push(path.to_owned());
            Value::Null
        }
    }
}

/// `value` as an attribute value.
pub(super) fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(items) => AttributeValue::L(items.into_iter().map(attribute).collect()),
        Value::Object(fields) => AttributeValue::M(attributes(fields)),
    }
}

/// The fields of an object as attributes.
pub(super) fn attributes(fields: Map<String, Value>) -> HashMap<String, AttributeValue> {
    fields.into_iter().map(|(name, field)| (name, attribute(field))).collect()
}

/// A number as JSON has it; one that JSON has not stays text, and is refused wherever a number is wanted.
fn number(digits: &str) -> Value {
    serde_json::from_str::<Number>(digits).map_or_else(|_| Value::from(digits), Value::Number)
}

/// A set comes in any order.
fn sorted(mut items: Vec<Value>) -> Value {
    items.sort_by_key(Value::to_string);
    Value::Array(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::primitives::Blob;
    use serde_json::json as document;

    #[test]
    fn json_becomes_attributes_and_the_same_json_again() {
        let value = document!({"a": [1, -2, 1.5, "", null, true], "b": {"c": {}}, "d": u64::MAX});
        assert_eq!(json(&attribute(value.clone()), "", &mut Vec::new()), value);
    }

    #[test]
    fn a_binary_value_is_told_with_its_path() {
        let list = AttributeValue::L(vec![AttributeValue::Bool(true), AttributeValue::B(Blob::new("x"))]);
        let mut binary = Vec::new();
        let fields = HashMap::from([("b".to_owned(), list)]);
        assert_eq!(json(&AttributeValue::M(fields), "spec", &mut binary), document!({"b": [true, null]}));
        assert_eq!(binary, ["spec.b[1]"]);
    }

    #[test]
    fn a_set_is_a_list_in_one_order() {
        let set = |items: [&str; 2]| AttributeValue::Ss(items.map(str::to_owned).to_vec());
        assert_eq!(json(&set(["b", "a"]), "", &mut Vec::new()), document!(["a", "b"]));
    }
}
