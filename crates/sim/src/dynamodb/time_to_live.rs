//! Time to live: which attribute holds the second at which an item expires.
//!
//! What expired is removed `Settings::time_to_live_delay` later; until then it is read and written like any item.

use super::store;
use super::store::name_of;
use super::table::idle;
use super::table_input::invalid;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::dynamodb::TimeToLive;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// UpdateTimeToLive: once an hour.
pub(super) fn update(region: &mut Region, input: &Value) -> Answer {
    let specification = input.get("TimeToLiveSpecification").cloned().unwrap_or(Value::Null);
    let enabled = specification.flag("Enabled").unwrap_or(false);
    let attribute = specification.text("AttributeName").unwrap_or_default().to_owned();
    if attribute.is_empty() {
        return Err(invalid("TimeToLiveSpecification.AttributeName must not be empty"));
    }
    let now = region.now;
    let table = idle(region, name_of(input))?;
    match &table.time_to_live {
        Some(before) if now < before.changed + Duration::from_hours(1) => {
            return Err(Refusal::validation("Time to live has been modified multiple times within a fixed interval"));
        }
        Some(before) if before.enabled && enabled => {
            return Err(Refusal::validation("TimeToLive is already enabled"));
        }
        Some(before) if before.enabled && before.attribute != attribute => {
            let (old, new) = (&before.attribute, &attribute);
            return Err(Refusal::validation(format!(
                "TimeToLive is active on a different AttributeName: current AttributeName is {old}, given {new}"
            )));
        }
        _ => {}
    }
    if !enabled && table.time_to_live.as_ref().is_none_or(|before| !before.enabled) {
        return Err(Refusal::validation("TimeToLive is already disabled"));
    }
    table.time_to_live = Some(TimeToLive { attribute, enabled, changed: now, due: BTreeSet::new() });
    let due = table.items.iter().filter_map(|(key, item)| Some((store::expiry(table, item)?, key.clone()))).collect();
    if let Some(expiry) = &mut table.time_to_live {
        expiry.due = due;
    }
    Ok(json!({"TimeToLiveSpecification": specification}))
}

/// DescribeTimeToLive.
pub(super) fn describe(region: &mut Region, input: &Value) -> Answer {
    let name = name_of(input);
    let table = region.dynamodb.tables.get(name).ok_or_else(|| super::table::not_found(name))?;
    let described = match &table.time_to_live {
        Some(expiry) if expiry.enabled => {
            json!({"TimeToLiveStatus": "ENABLED", "AttributeName": expiry.attribute})
        }
        _ => json!({"TimeToLiveStatus": "DISABLED"}),
    };
    Ok(json!({"TimeToLiveDescription": described}))
}
