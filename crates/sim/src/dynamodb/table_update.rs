//! UpdateTable: streams, billing, protection and indexes.

use super::store::{Moment, name_of};
use super::stream;
use super::table::{idle, not_found, view_of};
use super::table_input::{self, Kind};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::dynamodb::Table;
use serde_json::{Value, json};

/// The members one of which an update must have.
const CHANGES: [&str; 7] = [
    "ProvisionedThroughput",
    "BillingMode",
    "StreamSpecification",
    "GlobalSecondaryIndexUpdates",
    "SSESpecification",
    "DeletionProtectionEnabled",
    "TableClass",
];

/// UpdateTable.
pub(super) fn update(region: &mut Region, input: &Value) -> Answer {
    let name = name_of(input).to_owned();
    if !CHANGES.iter().any(|member| input.member(member).is_some()) {
        return Err(Refusal::validation(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or \
             SSESpecification or ReplicaUpdates is required",
        ));
    }
    let moment = Moment::of(region);
    let busy = region.now + region.settings.table_delay;
    let view = table_input::view(input)?;
    let mut table = idle(region, &name)?.clone();
    let types = table_input::types(input)?;
    table.types.extend(types);
    define(&mut table);
    bill(&mut table, input, &moment)?;
    indexes(region, &mut table, input)?;
    if let Some(protected) = input.flag("DeletionProtectionEnabled") {
        table.body.put("DeletionProtectionEnabled", json!(protected));
    }
    if let Some(class) = input.text("TableClass") {
        table.body.put("TableClassSummary", json!({"TableClass": class}));
    }
    if input.member("StreamSpecification").is_some() {
        switch(region, &mut table, &moment, view)?;
    }
    table.updated = busy;
    let described = view_of(&region.dynamodb.streams, &table, region.now);
    *region.dynamodb.tables.get_mut(&name).ok_or_else(|| not_found(&name))? = table;
    Ok(json!({"TableDescription": described}))
}

fn define(table: &mut Table) {
    let definitions = table.types.iter().map(|(name, kind)| json!({"AttributeName": name, "AttributeType": kind}));
    table.body.put("AttributeDefinitions", definitions.collect());
}

fn bill(table: &mut Table, input: &Value, moment: &Moment) -> Result<(), Refusal> {
    match input.text("BillingMode") {
        Some("PAY_PER_REQUEST") => {
            let since = super::store::stamp(moment);
            let summary = json!({"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": since});
            table.body.put("BillingModeSummary", summary);
            table.body.put("ProvisionedThroughput", table_input::throughput(&Value::Null));
        }
        Some(_) => {
            let mode = table_input::billing(input)?;
            table.body.put("BillingModeSummary", json!({"BillingMode": mode}));
            table.body.put("ProvisionedThroughput", table_input::throughput(input));
        }
        None if input.member("ProvisionedThroughput").is_some() => {
            table.body.put("ProvisionedThroughput", table_input::throughput(input));
        }
        None => {}
    }
    Ok(())
}

fn indexes(region: &Region, table: &mut Table, input: &Value) -> Result<(), Refusal> {
    let ready = region.now + region.settings.table_delay;
    for update in input.items("GlobalSecondaryIndexUpdates").unwrap_or_default() {
        if let Some(new) = update.member("Create") {
            let index = table_input::index(region, &table.name, new, (Kind::Global, ready))?;
            if table.indexes.iter().any(|known| known.name == index.name) {
                return Err(Refusal::validation("Attempting to create an index which already exists"));
            }
            if let Some(name) = index.keys.names().find(|name| !table.types.contains_key(*name)) {
                return Err(table_input::invalid(format!(
                    "Some index key attributes are not defined in AttributeDefinitions. Keys: [{name}]"
                )));
            }
            table.indexes.push(index);
        }
        if let Some(name) = update.member("Delete").and_then(|delete| delete.text("IndexName")) {
            let before = table.indexes.len();
            table.indexes.retain(|index| index.name != name);
            if table.indexes.len() == before {
                return Err(Refusal::new("ResourceNotFoundException", "Requested resource not found"));
            }
        }
    }
    Ok(())
}

/// Switches the stream on or off. A stream switched on again is a new one.
fn switch(region: &mut Region, table: &mut Table, moment: &Moment, view: Option<String>) -> Result<(), Refusal> {
    let name = &table.name;
    match (view, table.stream.take()) {
        (Some(_), Some(_)) => {
            Err(Refusal::validation(format!("Table already has an enabled stream: TableName: {name}")))
        }
        (None, None) => Err(Refusal::validation(format!("Table has no stream to disable: TableName: {name}"))),
        (Some(view), None) => {
            stream::open(&mut region.dynamodb.streams, table, moment, view);
            Ok(())
        }
        (None, Some(arn)) => {
            if let Some(stream) = region.dynamodb.streams.get_mut(&arn) {
                stream::close(stream, moment.now);
            }
            Ok(())
        }
    }
}
