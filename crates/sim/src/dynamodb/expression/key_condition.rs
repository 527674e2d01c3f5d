//! The key condition of a query: one partition, and perhaps a range of sort keys.

use super::condition::{Comparator, Condition, Operand};
use crate::refusal::Refusal;
use crate::state::dynamodb::value::Attribute;
use crate::state::dynamodb::{Item, KeyNames};
use std::collections::{BTreeMap, BTreeSet};

/// A query's key condition, before it is known which attribute is which key.
#[derive(Clone, Debug)]
pub(crate) struct KeyCondition {
    parts: Vec<(String, Condition)>,
}

/// A query's key condition against a table or an index.
#[derive(Clone, Debug)]
pub(crate) struct Partition {
    pub(crate) hash: Attribute,
    range: Option<Condition>,
}

impl Partition {
    /// Whether an item of the partition is in the range.
    pub(crate) fn holds(&self, item: &Item) -> bool {
        self.range.as_ref().is_none_or(|range| range.met(item))
    }
}

fn unsupported() -> Refusal {
    Refusal::validation("Query key condition not supported")
}

impl KeyCondition {
    /// Takes the condition apart at its ANDs.
    pub(super) fn of(condition: Condition) -> Result<Self, Refusal> {
        let mut parts = Vec::new();
        let mut open = vec![condition];
        while let Some(condition) = open.pop() {
            match condition {
                Condition::Both(one, other) => open.extend([*other, *one]),
                Condition::Either(..) => return Err(invalid("Invalid operator used in KeyConditionExpression: OR")),
                Condition::Not(_) => return Err(invalid("Invalid operator used in KeyConditionExpression: NOT")),
                Condition::In(..) => return Err(invalid("Invalid operator used in KeyConditionExpression: IN")),
                Condition::Compare(_, Comparator::NotEqual, _) => {
                    return Err(invalid("Invalid operator used in KeyConditionExpression: <>"));
                }
                Condition::Exists(_) => return Err(invalid(function("attribute_exists").as_str())),
                Condition::Missing(_) => return Err(invalid(function("attribute_not_exists").as_str())),
                Condition::OfType(..) => return Err(invalid(function("attribute_type").as_str())),
                Condition::Contains(..) => return Err(invalid(function("contains").as_str())),
                part @ (Condition::Compare(..) | Condition::Between(..) | Condition::BeginsWith(..)) => {
                    parts.push((subject(&part)?, part));
                }
            }
        }
        if parts.len() > 2 {
            return Err(Refusal::validation("Conditions can be of length 1 or 2 only"));
        }
        let names: BTreeSet<&String> = parts.iter().map(|(name, _)| name).collect();
        if names.len() < parts.len() {
            return Err(invalid("KeyConditionExpressions must only contain one condition per key"));
        }
        Ok(Self { parts })
    }

    /// Matches the parts with the keys, and the values with the keys' types.
    pub(crate) fn against(self, keys: &KeyNames, types: &BTreeMap<String, String>) -> Result<Partition, Refusal> {
        let mut parts: BTreeMap<String, Condition> = self.parts.into_iter().collect();
        let missed = |key: &str| Refusal::validation(format!("Query condition missed key schema element: {key}"));
        let hash = match parts.remove(&keys.hash) {
            Some(Condition::Compare(_, Comparator::Equal, Operand::Value(value))) => value,
            Some(_) => return Err(unsupported()),
            None => return Err(missed(&keys.hash)),
        };
        let range = keys.range.as_ref().and_then(|name| parts.remove(name));
        if !parts.is_empty() {
            return Err(keys.range.as_deref().map_or_else(unsupported, missed));
        }
        let fits = |name: &str, value: &Attribute| types.get(name).is_none_or(|kind| kind == value.kind());
        let range_fits =
            keys.range.as_deref().is_none_or(|name| range.iter().flat_map(values).all(|value| fits(name, value)));
        if !fits(&keys.hash, &hash) || !range_fits {
            return Err(Refusal::validation(
                "One or more parameter values were invalid: Condition parameter type does not match schema type",
            ));
        }
        Ok(Partition { hash, range })
    }
}

fn invalid(what: &str) -> Refusal {
    Refusal::validation(what)
}

fn function(name: &str) -> String {
    format!("Invalid operator used in KeyConditionExpression: {name}")
}

/// The attribute a part is about: a bare name compared with values only.
fn subject(part: &Condition) -> Result<String, Refusal> {
    let (Condition::Compare(operand, ..) | Condition::Between(operand, ..) | Condition::BeginsWith(operand, _)) = part
    else {
        return Err(unsupported());
    };
    match operand {
        Operand::Path(path) if path.steps.is_empty() => Ok(path.name.clone()),
        Operand::Path(_) | Operand::Value(_) | Operand::Size(_) => Err(unsupported()),
    }
}

fn values(part: &Condition) -> Vec<&Attribute> {
    let mut operands = Vec::new();
    if let Condition::Compare(_, _, one) | Condition::BeginsWith(_, one) = part {
        operands.push(one);
    }
    if let Condition::Between(_, low, high) = part {
        operands.extend([low, high]);
    }
    let values = operands.into_iter().filter_map(|operand| match operand {
        Operand::Value(value) => Some(value),
        Operand::Path(_) | Operand::Size(_) => None,
    });
    values.collect()
}
