//! Query and Scan: pages of a table or an index.

use super::expression::Placeholders;
use super::expression::condition::Condition;
use super::expression::path::{Path, project};
use super::store::{self, Moment};
use super::{item, key, read};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::dynamodb::value::{size, write};
use crate::state::dynamodb::{Index, Item, Key, KeyNames, Table};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A page ends with the item that makes it this large, in bytes, before any filter.
const PAGE: usize = 1024 * 1024;

/// Where a row is: its key in the index, then its key in the table. Both are the same without an index.
type Position = (Key, Key);

type Rows = Vec<(Position, Arc<Item>)>;

const EXPRESSIONS: [&str; 3] = ["KeyConditionExpression", "FilterExpression", "ProjectionExpression"];

/// What is made of the rows.
struct Shape {
    filter: Option<Condition>,
    paths: Option<Vec<Path>>,
    limit: usize,
    count_only: bool,
    consistent: bool,
}

/// Query: one partition, in the order of sort keys.
pub(super) fn query(region: &mut Region, input: &Value) -> Answer {
    let moment = Moment::of(region);
    let table = store::table(&region.dynamodb, region.now, input)?;
    let index = index(table, input)?;
    let keys = index.map_or(&table.keys, |index| &index.keys);
    let mut placeholders = Placeholders::of(input, &EXPRESSIONS)?;
    let condition = placeholders.key_condition(input)?;
    let shape = shape(&mut placeholders, input, index)?;
    placeholders.all_used()?;
    let mut looked_at = BTreeSet::new();
    if let Some(filter) = &shape.filter {
        filter.names(&mut looked_at);
    }
    if let Some(name) = keys.names().find(|name| looked_at.contains(*name)) {
        return Err(Refusal::validation(format!(
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}"
        )));
    }
    let partition = condition.against(keys, &table.types)?;
    let mut rows = rows(table, index, &moment, shape.consistent);
    rows.retain(|((at, _), item)| at.hash == partition.hash && partition.holds(item));
    let start = start(table, index, input)?;
    if start.as_ref().is_some_and(|(at, _)| at.hash != partition.hash) {
        return Err(Refusal::validation(
            "The provided starting key is outside query boundaries based on provided conditions",
        ));
    }
    let backward = input.flag("ScanIndexForward") == Some(false);
    if backward {
        rows.reverse();
    }
    let after = |at: &Position| start.as_ref().is_none_or(|start| if backward { at < start } else { at > start });
    rows.retain(|(at, _)| after(at));
    Ok(page(table, index, input, (rows, &shape)))
}

/// Scan: everything, or one of several equal shares.
pub(super) fn scan(region: &mut Region, input: &Value) -> Answer {
    let moment = Moment::of(region);
    let table = store::table(&region.dynamodb, region.now, input)?;
    let index = index(table, input)?;
    let mut placeholders = Placeholders::of(input, &["FilterExpression", "ProjectionExpression"])?;
    let shape = shape(&mut placeholders, input, index)?;
    placeholders.all_used()?;
    let (segment, total) = segments(input)?;
    let after = start(table, index, input)?;
    let mut rows = rows(table, index, &moment, shape.consistent);
    let within = |key: &Key| (u128::from(key.slot) * u128::from(total)) >> 64 == u128::from(segment);
    rows.retain(|(at, _)| within(&at.0) && after.as_ref().is_none_or(|after| at > after));
    Ok(page(table, index, input, (rows, &shape)))
}

/// The index a request names; a global one has no consistent reads.
fn index<'a>(table: &'a Table, input: &Value) -> Result<Option<&'a Index>, Refusal> {
    let Some(name) = input.text("IndexName") else { return Ok(None) };
    let Some(index) = table.indexes.iter().find(|index| index.name == name) else {
        return Err(Refusal::validation(format!("The table does not have the specified index: {name}")));
    };
    if input.flag("ConsistentRead") == Some(true) && !index.local {
        return Err(Refusal::validation("Consistent reads are not supported on global secondary indexes"));
    }
    Ok(Some(index))
}

fn shape(placeholders: &mut Placeholders, input: &Value, index: Option<&Index>) -> Result<Shape, Refusal> {
    let filter = placeholders.condition(input, "FilterExpression")?;
    let paths = item::projection(placeholders, input)?;
    let limit = match input.whole("Limit") {
        Some(limit @ ..=0) => {
            return Err(Refusal::validation(format!(
                "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value \
                 greater than or equal to 1"
            )));
        }
        Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let select = input.text("Select");
    match select {
        Some("ALL_PROJECTED_ATTRIBUTES") if index.is_none() => {
            return Err(Refusal::validation(
                "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
            ));
        }
        Some("SPECIFIC_ATTRIBUTES") if paths.is_none() => {
            return Err(Refusal::validation(
                "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
            ));
        }
        Some("ALL_ATTRIBUTES") if index.is_some_and(|index| !index.local && index.projected.is_some()) => {
            return Err(Refusal::validation(
                "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary \
                 index because its projection type is not ALL",
            ));
        }
        Some("COUNT" | "ALL_ATTRIBUTES") if paths.is_some() => {
            return Err(Refusal::validation(format!(
                "Cannot specify the ProjectionExpression when choosing to get {}",
                select.unwrap_or_default()
            )));
        }
        _ => {}
    }
    let consistent = input.flag("ConsistentRead").unwrap_or(false);
    Ok(Shape { filter, paths, limit, count_only: select == Some("COUNT"), consistent })
}

fn segments(input: &Value) -> Result<(u64, u64), Refusal> {
    match (input.whole("Segment"), input.whole("TotalSegments")) {
        (None, None) => Ok((0, 1)),
        (Some(_), None) => Err(Refusal::validation(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
        )),
        (None, Some(_)) => Err(Refusal::validation(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is present",
        )),
        (Some(segment), Some(total)) => {
            if !(1..=1_000_000).contains(&total) {
                return Err(Refusal::validation(format!(
                    "1 validation error detected: Value '{total}' at 'totalSegments' failed to satisfy constraint: Member must \
                     have value less than or equal to 1000000"
                )));
            }
            if !(0..total).contains(&segment) {
                return Err(Refusal::validation(format!(
                    "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {segment} is \
                     not less than TotalSegments: {total}"
                )));
            }
            Ok((u64::try_from(segment).unwrap_or(0), u64::try_from(total).unwrap_or(1)))
        }
    }
}

/// All rows in order.
fn rows(table: &Table, index: Option<&Index>, moment: &Moment, consistent: bool) -> Rows {
    let items = store::items(table, moment, consistent);
    let Some(index) = index else {
        return items.iter().map(|(at, item)| ((at.clone(), at.clone()), item.clone())).collect();
    };
    let located = items.iter().filter_map(|(base, item)| {
        let at = key::locate(&index.keys, item)?;
        Some(((at, base.clone()), held(table, index, item)))
    });
    let sorted: BTreeMap<Position, Arc<Item>> = located.collect();
    sorted.into_iter().collect()
}

/// The part of an item that an index holds.
fn held(table: &Table, index: &Index, item: &Arc<Item>) -> Arc<Item> {
    let Some(projected) = &index.projected else { return item.clone() };
    let wanted =
        |name: &String| projected.contains(name) || table.keys.names().chain(index.keys.names()).any(|key| key == name);
    let part = item.iter().filter(|(name, _)| wanted(name));
    Arc::new(part.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The position a page starts after.
fn start(table: &Table, index: Option<&Index>, input: &Value) -> Result<Option<Position>, Refusal> {
    let Some(given) = input.member("ExclusiveStartKey") else { return Ok(None) };
    let given = read::item(given)?;
    let invalid = || Refusal::validation("The provided starting key is invalid");
    let right = |names: &KeyNames| {
        names.names().all(|name| {
            given.get(name).is_some_and(|value| table.types.get(name).is_some_and(|kind| kind == value.kind()))
        })
    };
    let names: BTreeSet<&str> =
        table.keys.names().chain(index.into_iter().flat_map(|index| index.keys.names())).collect();
    if given.len() != names.len() || !right(&table.keys) || index.is_some_and(|index| !right(&index.keys)) {
        return Err(invalid());
    }
    let base = key::locate(&table.keys, &given).ok_or_else(invalid)?;
    let at = match index {
        Some(index) => key::locate(&index.keys, &given).ok_or_else(invalid)?,
        None => base.clone(),
    };
    Ok(Some((at, base)))
}

fn page(table: &Table, index: Option<&Index>, input: &Value, (rows, shape): (Rows, &Shape)) -> Value {
    let (mut shown, mut scanned, mut count, mut bytes, mut last) = (Vec::new(), 0_usize, 0_usize, 0_usize, None);
    let total = rows.len();
    for (_, item) in rows {
        scanned += 1;
        bytes += size(&item);
        if shape.filter.as_ref().is_none_or(|filter| filter.met(&item)) {
            count += 1;
            if !shape.count_only {
                shown.push(match &shape.paths {
                    Some(paths) => write(&project(&item, paths)),
                    None => write(&item),
                });
            }
        }
        if scanned >= shape.limit || (bytes >= PAGE && scanned < total) {
            last = Some(item);
            break;
        }
    }
    let units = store::read_units(bytes, shape.consistent);
    json!({
        "Items": (!shape.count_only).then_some(shown),
        "Count": count,
        "ScannedCount": scanned,
        "LastEvaluatedKey": last.map(|item| position(table, index, &item)),
        "ConsumedCapacity": store::consumed(input, &table.name, units),
    })
}

/// The keys of an item, as a page ends with them.
fn position(table: &Table, index: Option<&Index>, item: &Item) -> Value {
    let mut keys = Map::new();
    key::write(&table.keys, item, &mut keys);
    if let Some(index) = index {
        key::write(&index.keys, item, &mut keys);
    }
    keys.into()
}
