//! Tables: made, described, listed and deleted, each of which takes a while.

use super::store::{Moment, name_of};
use super::stream;
use super::table_input::{self, Kind, check_definitions, check_name};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::dynamodb::value::size;
use crate::state::dynamodb::{Index, Table};
use crate::tag;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// CreateTable.
pub(super) fn create(region: &mut Region, input: &Value) -> Answer {
    let name = name_of(input).to_owned();
    check_name(&name)?;
    let billing = table_input::billing(input)?;
    let types = table_input::types(input)?;
    let keys = table_input::keys(input.items("KeySchema"))?;
    let ready = region.now + region.settings.table_delay;
    let indexes = indexes(region, &name, input, ready)?;
    check_definitions(&types, &keys, &indexes)?;
    let view = table_input::view(input)?;
    let tags = tag::UPPER.read(input.items("Tags"));
    tag::check(&tags, "ValidationException")?;
    if region.dynamodb.tables.contains_key(&name) {
        return Err(Refusal::new("ResourceInUseException", format!("Table already exists: {name}")));
    }
    let arn = region.arn("dynamodb", &format!("table/{name}"));
    let mut body = json!({
        "AttributeDefinitions": input.get("AttributeDefinitions"),
        "TableName": name,
        "KeySchema": input.get("KeySchema"),
        "CreationDateTime": region.timestamp(),
        "ProvisionedThroughput": table_input::throughput(input),
        "TableArn": arn,
        "TableId": region.uuid(),
        "DeletionProtectionEnabled": input.flag("DeletionProtectionEnabled").unwrap_or(false),
    });
    if billing == "PAY_PER_REQUEST" {
        body.put(
            "BillingModeSummary",
            json!({
            "BillingMode": billing, "LastUpdateToPayPerRequestDateTime": region.timestamp()}),
        );
    }
    if let Some(class) = input.text("TableClass") {
        body.put("TableClassSummary", json!({"TableClass": class}));
    }
    if input.get("SSESpecification").is_some_and(|sse| sse.flag("Enabled") == Some(true)) {
        let key = region.arn("kms", "key/00000000-0000-4000-a000-000000000000");
        body.put("SSEDescription", json!({"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key}));
    }
    let mut table = Table {
        name: name.clone(),
        arn,
        keys,
        types,
        indexes,
        body,
        tags,
        ready,
        updated: ready,
        gone: None,
        items: BTreeMap::new(),
        past: VecDeque::new(),
        time_to_live: None,
        stream: None,
        latest_stream: None,
        backups: false,
    };
    if let Some(view) = view {
        let moment = Moment::of(region);
        stream::open(&mut region.dynamodb.streams, &mut table, &moment, view);
    }
    let described = view_of(&region.dynamodb.streams, &table, region.now);
    region.dynamodb.tables.insert(name, table);
    Ok(json!({"TableDescription": described}))
}

fn indexes(region: &Region, table: &str, input: &Value, ready: Duration) -> Result<Vec<Index>, Refusal> {
    let mut indexes: Vec<Index> = Vec::new();
    for (member, kind) in [("GlobalSecondaryIndexes", Kind::Global), ("LocalSecondaryIndexes", Kind::Local)] {
        for index in input.items(member).unwrap_or_default() {
            let index = table_input::index(region, table, index, (kind, ready))?;
            if indexes.iter().any(|known| known.name == index.name) {
                let name = index.name;
                return Err(table_input::invalid(format!("Duplicate index name: {name}")));
            }
            indexes.push(index);
        }
    }
    Ok(indexes)
}

type Streams = BTreeMap<String, crate::state::dynamodb::Stream>;

/// A table as DescribeTable returns it.
pub(super) fn view_of(streams: &Streams, table: &Table, now: Duration) -> Value {
    let mut body = table.body.clone();
    body.put("TableStatus", json!(status(table, now)));
    body.put("ItemCount", json!(table.items.len()));
    body.put("TableSizeBytes", json!(table.items.values().map(|item| size(item)).sum::<usize>()));
    for (member, local) in [("GlobalSecondaryIndexes", false), ("LocalSecondaryIndexes", true)] {
        let all: Vec<Value> = table
            .indexes
            .iter()
            .filter(|index| index.local == local)
            .map(|index| index_view(table, index, now))
            .collect();
        if !all.is_empty() {
            body.put(member, json!(all));
        }
    }
    if let Some(stream) = table.latest_stream.as_ref().and_then(|arn| streams.get(arn)) {
        body.put("LatestStreamArn", json!(stream.arn));
        body.put("LatestStreamLabel", json!(stream.label));
        if table.stream.is_some() {
            body.put("StreamSpecification", json!({"StreamEnabled": true, "StreamViewType": stream.view}));
        }
    }
    body
}

fn index_view(table: &Table, index: &Index, now: Duration) -> Value {
    let mut body = index.body.clone();
    let held = table.items.values().filter(|item| item.contains_key(&index.keys.hash));
    let sizes: Vec<usize> = held.map(|item| size(item)).collect();
    body.put("ItemCount", json!(sizes.len()));
    body.put("IndexSizeBytes", json!(sizes.iter().sum::<usize>()));
    if !index.local {
        body.put("IndexStatus", json!(if index.ready <= now { "ACTIVE" } else { "CREATING" }));
    }
    body
}

/// The state a table is in.
pub(super) fn status(table: &Table, now: Duration) -> &'static str {
    match table {
        Table { gone: Some(_), .. } => "DELETING",
        Table { ready, .. } if *ready > now => "CREATING",
        Table { updated, .. } if *updated > now => "UPDATING",
        _ => "ACTIVE",
    }
}

/// The answer when there is no such table to describe or change.
pub(super) fn not_found(name: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("Requested resource not found: Table: {name} not found"))
}

/// DescribeTable.
pub(super) fn describe(region: &mut Region, input: &Value) -> Answer {
    let name = name_of(input);
    let table = region.dynamodb.tables.get(name).ok_or_else(|| not_found(name))?;
    Ok(json!({"Table": view_of(&region.dynamodb.streams, table, region.now)}))
}

/// A table that may be changed now.
pub(super) fn idle<'a>(region: &'a mut Region, name: &str) -> Result<&'a mut Table, Refusal> {
    let now = region.now;
    let table = region.dynamodb.tables.get_mut(name).ok_or_else(|| not_found(name))?;
    let doing = match status(table, now) {
        "CREATING" => "created",
        "UPDATING" => "updated",
        "DELETING" => "deleted",
        _ => return Ok(table),
    };
    let message = format!("Attempt to change a resource which is still in use: Table is being {doing}: {name}");
    Err(Refusal::new("ResourceInUseException", message))
}

/// DeleteTable.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let name = name_of(input);
    let (now, delay) = (region.now, region.settings.table_delay);
    let table = idle(region, name)?;
    if table.body.flag("DeletionProtectionEnabled") == Some(true) {
        return Err(Refusal::validation(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
        ));
    }
    table.gone = Some(now + delay);
    let stream = table.stream.take();
    let Some(table) = region.dynamodb.tables.get(name) else { return Err(not_found(name)) };
    let mut described = view_of(&region.dynamodb.streams, table, now);
    if let Some(members) = described.as_object_mut() {
        members
            .retain(|member, _| !matches!(member.as_str(), "AttributeDefinitions" | "KeySchema" | "CreationDateTime"));
    }
    if let Some(stream) = stream.and_then(|arn| region.dynamodb.streams.get_mut(&arn)) {
        stream::close(stream, now);
    }
    if delay.is_zero() {
        region.dynamodb.tables.remove(name);
    }
    Ok(json!({"TableDescription": described}))
}

/// ListTables: in the order of names, a hundred a page.
pub(super) fn list(region: &mut Region, input: &Value) -> Answer {
    let limit = match input.whole("Limit") {
        None => 100,
        Some(limit @ 1..=100) => usize::try_from(limit).unwrap_or(100),
        Some(limit) => {
            return Err(Refusal::validation(format!(
                "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value \
                 less than or equal to 100"
            )));
        }
    };
    let after = input.text("ExclusiveStartTableName").unwrap_or_default();
    let mut names = region.dynamodb.tables.keys().filter(|name| name.as_str() > after);
    let page: Vec<&String> = names.by_ref().take(limit).collect();
    let last = names.next().and(page.last());
    Ok(json!({"TableNames": page, "LastEvaluatedTableName": last}))
}

/// UpdateContinuousBackups and DescribeContinuousBackups.
pub(super) fn backups(region: &mut Region, input: &Value) -> Answer {
    let name = name_of(input);
    let wanted =
        input.get("PointInTimeRecoverySpecification").and_then(|wanted| wanted.flag("PointInTimeRecoveryEnabled"));
    let missing = || Refusal::new("TableNotFoundException", format!("Table not found: {name}"));
    let table = region.dynamodb.tables.get_mut(name).ok_or_else(missing)?;
    table.backups = wanted.unwrap_or(table.backups);
    let status = if table.backups { "ENABLED" } else { "DISABLED" };
    Ok(json!({"ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": status},
    }}))
}
