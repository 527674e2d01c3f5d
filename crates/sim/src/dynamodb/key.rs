//! Keys: found in items and requests, checked against the schema.

use crate::refusal::Refusal;
use crate::state::dynamodb::value::Attribute;
use crate::state::dynamodb::{Index, Item, Key, KeyNames, Table};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn invalid(what: &str) -> Refusal {
    Refusal::validation(format!("One or more parameter values were invalid: {what}"))
}

/// The refusal of a key that is not made of the schema's attributes.
pub(super) fn mismatch() -> Refusal {
    Refusal::validation("The provided key element does not match the schema")
}

/// The key an item has under some key names, if it has one.
pub(super) fn locate(names: &KeyNames, item: &Item) -> Option<Key> {
    let hash = item.get(&names.hash)?.clone();
    let range = match &names.range {
        Some(name) => Some(item.get(name)?.clone()),
        None => None,
    };
    Some(Key { slot: slot(&hash), hash, range })
}

/// Where a partition key lies.
pub(super) fn slot(hash: &Attribute) -> u64 {
    let text = hash.write().to_string();
    Sha256::digest(text.as_bytes()).iter().take(8).fold(0, |slot, byte| slot << 8 | u64::from(*byte))
}

/// The key of an item to be stored.
pub(super) fn of_item(table: &Table, item: &Item) -> Result<Key, Refusal> {
    for name in table.keys.names() {
        let kind = table.types.get(name).map_or("S", String::as_str);
        match item.get(name) {
            None => return Err(invalid(&format!("Missing the key {name} in the item"))),
            Some(value) if value.kind() != kind => {
                let actual = value.kind();
                return Err(invalid(&format!("Type mismatch for key {name} expected: {kind} actual: {actual}")));
            }
            Some(value) => check_size(name, value, name == table.keys.hash)?,
        }
    }
    table.indexes.iter().try_for_each(|index| check_index(table, index, item))?;
    locate(&table.keys, item).ok_or_else(mismatch)
}

/// The key of a request: exactly the attributes of the schema.
pub(super) fn of_request(table: &Table, key: &Item) -> Result<Key, Refusal> {
    let fits =
        |name: &str| key.get(name).is_some_and(|value| table.types.get(name).is_some_and(|kind| kind == value.kind()));
    if key.len() != table.keys.names().count() || !table.keys.names().all(fits) {
        return Err(mismatch());
    }
    for name in table.keys.names() {
        if let Some(value) = key.get(name) {
            check_size(name, value, name == table.keys.hash)?;
        }
    }
    locate(&table.keys, key).ok_or_else(mismatch)
}

fn check_size(name: &str, value: &Attribute, is_hash: bool) -> Result<(), Refusal> {
    let empty = matches!(value, Attribute::Text(text) if text.is_empty());
    if empty || matches!(value, Attribute::Bytes(bytes) if bytes.is_empty()) {
        let kind = if empty { "string" } else { "binary" };
        return Err(Refusal::validation(format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty \
             {kind} value. Key: {name}"
        )));
    }
    if is_hash && value.size() > 2048 {
        return Err(invalid("Size of hashkey has exceeded the maximum size limit of2048 bytes"));
    }
    if !is_hash && value.size() > 1024 {
        return Err(invalid("Aggregated size of all range keys has exceeded the size limit of 1024 bytes"));
    }
    Ok(())
}

fn check_index(table: &Table, index: &Index, item: &Item) -> Result<(), Refusal> {
    for name in index.keys.names() {
        let (Some(value), Some(kind)) = (item.get(name), table.types.get(name)) else { continue };
        if value.kind() != kind {
            return Err(invalid(&format!(
                "Type mismatch for Index Key {name} Expected: {kind} Actual: {} IndexName: {}",
                value.kind(),
                index.name
            )));
        }
        if matches!(value, Attribute::Text(text) if text.is_empty()) {
            return Err(Refusal::validation(format!(
                "One or more parameter values are not valid. A value specified for a secondary index key is not supported. \
                 The AttributeValue for a key attribute cannot contain an empty string value. IndexName: {}, IndexKey: {name}",
                index.name
            )));
        }
    }
    Ok(())
}

/// The key attributes of a table in an item, written.
pub(super) fn write(names: &KeyNames, item: &Item, into: &mut serde_json::Map<String, Value>) {
    for name in names.names() {
        if let Some(value) = item.get(name) {
            into.insert(name.to_owned(), value.write());
        }
    }
}
