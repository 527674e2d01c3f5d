//! Amazon DynamoDB and DynamoDB Streams: tables, items, expressions, transactions, time to live and the stream of changes.
//!
//! API version 2012-08-10. Conditions and updates are expressions only; the parameters they replaced (`Expected`,
//! `AttributeUpdates`, `KeyConditions`, `QueryFilter`, `ScanFilter`) are refused, as are global tables, backups and PartiQL.

mod batch;
mod expression;
mod item;
mod key;
mod read;
mod scan;
mod store;
mod stream;
mod table;
mod table_input;
mod table_update;
mod tag;
mod time_to_live;
mod transaction;

use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};

/// Answers one DynamoDB operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    store::settle(region);
    legacy(input)?;
    match operation {
        "CreateTable" => table::create(region, input),
        "DescribeTable" => table::describe(region, input),
        "UpdateTable" => table_update::update(region, input),
        "DeleteTable" => table::delete(region, input),
        "ListTables" => table::list(region, input),
        "UpdateTimeToLive" => time_to_live::update(region, input),
        "DescribeTimeToLive" => time_to_live::describe(region, input),
        "UpdateContinuousBackups" | "DescribeContinuousBackups" => table::backups(region, input),
        "DescribeLimits" => Ok(json!({
            "AccountMaxReadCapacityUnits": 80_000,
            "AccountMaxWriteCapacityUnits": 80_000,
            "TableMaxReadCapacityUnits": 40_000,
            "TableMaxWriteCapacityUnits": 40_000,
        })),
        "TagResource" => tag::add(region, input),
        "UntagResource" => tag::remove(region, input),
        "ListTagsOfResource" => tag::list(region, input),
        "GetItem" => item::get(region, input),
        "PutItem" => item::put(region, input),
        "UpdateItem" => item::update(region, input),
        "DeleteItem" => item::delete(region, input),
        "Query" => scan::query(region, input),
        "Scan" => scan::scan(region, input),
        "BatchGetItem" => batch::get(region, input),
        "BatchWriteItem" => batch::write(region, input),
        "TransactGetItems" => transaction::get(region, input),
        "TransactWriteItems" => transaction::write(region, input),
        _ => Err(Refusal::unknown_operation()),
    }
}

/// Answers one DynamoDB Streams operation.
pub(crate) fn handle_stream(region: &mut Region, operation: &str, input: &Value) -> Answer {
    store::settle(region);
    match operation {
        "ListStreams" => Ok(stream::list(region, input)),
        "DescribeStream" => stream::describe(region, input),
        "GetShardIterator" => stream::iterator(region, input),
        "GetRecords" => stream::records(region, input),
        _ => Err(Refusal::unknown_operation()),
    }
}

fn legacy(input: &Value) -> Result<(), Refusal> {
    const OLD: [&str; 5] = ["Expected", "AttributeUpdates", "KeyConditions", "QueryFilter", "ScanFilter"];
    match OLD.iter().find(|name| input.member(name).is_some()) {
        Some(name) => Err(Refusal::validation(format!("{name} is not simulated; write an expression instead"))),
        None => Ok(()),
    }
}

/// The refusal of a value that is not in a member's enumeration.
fn not_in_set(value: &str, member: &str, set: &[&str]) -> Refusal {
    Refusal::validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must satisfy enum \
         value set: [{}]",
        set.join(", ")
    ))
}
