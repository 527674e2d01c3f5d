//! The values of attributes, and how they are written on the wire: `{"S": "text"}`.

use super::number::Number;
use aws_smithy_types::base64;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The value of an attribute. The order is the one of sort keys, within a type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attribute {
    Text(String),
    Number(Number),
    Bytes(Vec<u8>),
    Flag(bool),
    Null,
    Map(BTreeMap<String, Attribute>),
    List(Vec<Attribute>),
    Texts(BTreeSet<String>),
    Numbers(BTreeSet<Number>),
    BytesSet(BTreeSet<Vec<u8>>),
}

impl Attribute {
    /// The name of its type on the wire.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "S",
            Self::Number(_) => "N",
            Self::Bytes(_) => "B",
            Self::Flag(_) => "BOOL",
            Self::Null => "NULL",
            Self::Map(_) => "M",
            Self::List(_) => "L",
            Self::Texts(_) => "SS",
            Self::Numbers(_) => "NS",
            Self::BytesSet(_) => "BS",
        }
    }

    /// The name of its type in an error.
    pub(crate) fn kind_in_words(&self) -> &'static str {
        match self {
            Self::Text(_) => "STRING",
            Self::Number(_) => "NUMBER",
            Self::Bytes(_) => "BINARY",
            Self::Flag(_) => "BOOLEAN",
            Self::Null => "NULL",
            Self::Map(_) => "MAP",
            Self::List(_) => "LIST",
            Self::Texts(_) => "STRING_SET",
            Self::Numbers(_) => "NUMBER_SET",
            Self::BytesSet(_) => "BINARY_SET",
        }
    }

    /// As it is written on the wire.
    pub(crate) fn write(&self) -> Value {
        match self {
            Self::Text(text) => json!({"S": text}),
            Self::Number(number) => json!({"N": number.text()}),
            Self::Bytes(bytes) => json!({"B": base64::encode(bytes)}),
            Self::Flag(flag) => json!({"BOOL": flag}),
            Self::Null => json!({"NULL": true}),
            Self::Map(members) => json!({"M": write(members)}),
            Self::List(items) => json!({"L": items.iter().map(Self::write).collect::<Vec<_>>()}),
            Self::Texts(texts) => json!({"SS": texts}),
            Self::Numbers(numbers) => json!({"NS": numbers.iter().map(Number::text).collect::<Vec<_>>()}),
            Self::BytesSet(all) => json!({"BS": all.iter().map(base64::encode).collect::<Vec<_>>()}),
        }
    }

    /// What it counts for in the size of an item, in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(number) => number.size(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Flag(_) | Self::Null => 1,
            Self::Map(members) => 3 + size(members) + members.len(),
            Self::List(items) => 3 + items.iter().map(|item| item.size() + 1).sum::<usize>(),
            Self::Texts(texts) => texts.iter().map(String::len).sum(),
            Self::Numbers(numbers) => numbers.iter().map(Number::size).sum(),
            Self::BytesSet(all) => all.iter().map(Vec::len).sum(),
        }
    }
}

/// Attributes as they are written on the wire.
pub(crate) fn write(attributes: &BTreeMap<String, Attribute>) -> Value {
    attributes.iter().map(|(name, value)| (name.clone(), value.write())).collect::<Map<_, _>>().into()
}

/// The size of attributes with their names, in bytes.
pub(crate) fn size(attributes: &BTreeMap<String, Attribute>) -> usize {
    attributes.iter().map(|(name, value)| name.len() + value.size()).sum()
}
