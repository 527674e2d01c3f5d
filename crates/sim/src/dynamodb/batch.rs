//! BatchGetItem and BatchWriteItem: many keys, no conditions, no order.

use super::item::{self, Write};
use super::store::{self, Moment};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// So many bytes come back from one BatchGetItem at most.
const LARGEST: usize = 16 * 1024 * 1024;

fn requests(input: &Value) -> Result<&Map<String, Value>, Refusal> {
    let items = input.get("RequestItems").and_then(Value::as_object).filter(|items| !items.is_empty());
    items.ok_or_else(|| {
        Refusal::validation(
            "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must have length \
             greater than or equal to 1",
        )
    })
}

/// BatchGetItem.
pub(super) fn get(region: &mut Region, input: &Value) -> Answer {
    let requests = requests(input)?;
    let keys = |request: &Value| request.items("Keys").map_or(0, <[Value]>::len);
    if requests.values().map(keys).sum::<usize>() > 100 {
        return Err(Refusal::validation("Too many items requested for the BatchGetItem call"));
    }
    let moment = Moment::of(region);
    let (mut responses, mut left, mut consumed, mut bytes) = (Map::new(), Map::new(), Vec::new(), 0);
    for (name, request) in requests {
        let table = store::table(&region.dynamodb, region.now, &json!({"TableName": name}))?;
        let (mut found, mut unprocessed, mut units, mut seen) = (Vec::new(), Vec::new(), 0.0, BTreeSet::new());
        for key in request.items("Keys").unwrap_or_default() {
            let mut one = request.clone();
            one.put("Key", key.clone());
            if !seen.insert(store::requested(table, &one)?) {
                return Err(Refusal::validation("Provided list of item keys contains duplicates"));
            }
            if bytes > LARGEST {
                unprocessed.push(key.clone());
                continue;
            }
            let (item, cost) = item::read_one(table, &moment, &one)?;
            units += cost;
            bytes += item.as_ref().map_or(0, |item| item.to_string().len());
            found.extend(item);
        }
        responses.insert(name.clone(), json!(found));
        if !unprocessed.is_empty() {
            let mut rest = request.clone();
            rest.put("Keys", json!(unprocessed));
            left.insert(name.clone(), rest);
        }
        consumed.extend(store::consumed(input, name, units));
    }
    Ok(json!({"Responses": responses, "UnprocessedKeys": left, "ConsumedCapacity": some(consumed)}))
}

/// A list, unless it is empty.
pub(super) fn some(list: Vec<Value>) -> Option<Vec<Value>> {
    (!list.is_empty()).then_some(list)
}

/// BatchWriteItem: everything is checked before anything is written.
pub(super) fn write(region: &mut Region, input: &Value) -> Answer {
    let requests = requests(input)?;
    let count: usize = requests.values().map(|list| list.as_array().map_or(0, Vec::len)).sum();
    if count > 25 {
        return Err(Refusal::validation("Too many items requested for the BatchWriteItem call"));
    }
    if count == 0 {
        return Err(Refusal::validation("The batch write request list for a table cannot be null or empty"));
    }
    let (mut writes, mut seen) = (Vec::new(), BTreeSet::new());
    for (name, list) in requests {
        for request in list.as_array().into_iter().flatten() {
            let write = understand(region, name, request)?;
            if !seen.insert((write.table.clone(), write.key.clone())) {
                return Err(Refusal::validation("Provided list of item keys contains duplicates"));
            }
            writes.push(write);
        }
    }
    let tables: BTreeSet<String> = writes.iter().map(|write| write.table.clone()).collect();
    for write in &writes {
        let new = write.outcome(&region.dynamodb)?;
        write.commit(region, new);
    }
    let units =
        |table: &String| u32::try_from(writes.iter().filter(|write| write.table == *table).count()).unwrap_or(0);
    let consumed: Vec<Value> =
        tables.iter().filter_map(|table| store::consumed(input, table, f64::from(units(table)))).collect();
    Ok(json!({"UnprocessedItems": {}, "ConsumedCapacity": some(consumed)}))
}

fn understand(region: &Region, table: &str, request: &Value) -> Result<Write, Refusal> {
    match (request.member("PutRequest"), request.member("DeleteRequest")) {
        (Some(put), None) => item::understand_put(region, &json!({"TableName": table, "Item": put.get("Item")})),
        (None, Some(delete)) => item::understand_delete(region, &json!({"TableName": table, "Key": delete.get("Key")})),
        _ => Err(Refusal::validation(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        )),
    }
}
