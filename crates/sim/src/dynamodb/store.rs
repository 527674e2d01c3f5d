//! The items of tables: what is there, what was there a moment ago, and the one way in which they change.

use super::{key, stream};
use crate::arn;
use crate::clock;
use crate::input::Members;
use crate::refusal::Refusal;
use crate::state::Region;
use crate::state::dynamodb::value::{Attribute, size};
use crate::state::dynamodb::{Dynamodb, Item, Key, Table};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The largest item, in bytes, names included.
pub(super) const LARGEST: usize = 400 * 1024;

/// What a change needs to know of its place and time.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) now: Duration,
    pub(super) epoch: SystemTime,
    pub(super) region: String,
    pub(super) stale: Duration,
}

impl Moment {
    pub(super) fn of(region: &Region) -> Self {
        Self {
            now: region.now,
            epoch: region.settings.epoch,
            region: region.name.clone(),
            stale: region.settings.stale_reads,
        }
    }
}

/// Who changes an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    Caller,
    TimeToLive,
}

/// The answer when there is no such table.
pub(super) fn missing() -> Refusal {
    Refusal::new("ResourceNotFoundException", "Requested resource not found")
}

/// The name of the table a request means, by name or ARN.
pub(super) fn name_of(input: &Value) -> &str {
    let name = input.text("TableName").unwrap_or_default();
    arn::tail(name).split('/').next().unwrap_or(name)
}

/// The table a request reads or writes items of.
pub(super) fn table<'a>(dynamodb: &'a Dynamodb, now: Duration, input: &Value) -> Result<&'a Table, Refusal> {
    let found = dynamodb.tables.get(name_of(input));
    found.filter(|table| table.ready <= now && table.gone.is_none()).ok_or_else(missing)
}

/// Does what was due: tables that were being deleted go, expired items are removed, old records are trimmed.
pub(super) fn settle(region: &mut Region) {
    let moment = Moment::of(region);
    let delay = region.settings.time_to_live_delay;
    let state = &mut region.dynamodb;
    state.tables.retain(|_, table| table.gone.is_none_or(|gone| gone > moment.now));
    while let Some((at, name, due)) = next_expired(state, &moment, delay) {
        let then = Moment { now: at, ..moment.clone() };
        change(state, &then, &name, &due.1, (None, Actor::TimeToLive));
        if let Some(expiry) = state.tables.get_mut(&name).and_then(|table| table.time_to_live.as_mut()) {
            expiry.due.remove(&due);
        }
    }
    for stream in state.streams.values_mut() {
        stream::settle(stream, moment.now);
    }
    state.streams.retain(|_, stream| stream.disabled.is_none_or(|at| at + stream::RETENTION > moment.now));
    let cut = moment.now.saturating_sub(Duration::from_mins(10));
    state.transactions.retain(|_, (at, _)| *at > cut);
}

/// The next item that time to live removes by now. Items that expired more than five years ago stay.
fn next_expired(state: &Dynamodb, moment: &Moment, delay: Duration) -> Option<(Duration, String, (u64, Key))> {
    let epoch = moment.epoch.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let oldest = (epoch + moment.now).as_secs().saturating_sub(5 * 365 * 86_400);
    let due = state.tables.values().filter_map(|table| {
        let expiry = table.time_to_live.as_ref().filter(|expiry| expiry.enabled)?;
        let due = expiry.due.iter().find(|(second, _)| *second > oldest)?;
        let removed = Duration::from_secs(due.0).saturating_add(delay);
        let at = removed.saturating_sub(epoch).max(expiry.changed + delay);
        (at <= moment.now).then(|| (at, table.name.clone(), due.clone()))
    });
    due.min_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)))
}

/// The second at which an item expires by the table's time to live attribute.
pub(super) fn expiry(table: &Table, item: &Item) -> Option<u64> {
    let value = item.get(&table.time_to_live.as_ref()?.attribute)?;
    if let Attribute::Number(number) = value { number.whole() } else { None }
}

/// Puts an item in place, or removes it, and tells the stream. Returns what was there.
pub(super) fn change(
    state: &mut Dynamodb,
    moment: &Moment,
    name: &str,
    key: &Key,
    (new, actor): (Option<Item>, Actor),
) -> Option<Arc<Item>> {
    let table = state.tables.get_mut(name)?;
    let new = new.map(Arc::new);
    let old = match &new {
        Some(item) => table.items.insert(key.clone(), item.clone()),
        None => table.items.remove(key),
    };
    expect(table, key, old.as_deref(), new.as_deref());
    let cut = moment.now.saturating_sub(moment.stale);
    table.past.retain(|(at, _, _)| *at > cut);
    if !moment.stale.is_zero() {
        table.past.push_back((moment.now, key.clone(), old.clone()));
    }
    let keys = table.keys.clone();
    let stream = table.stream.as_ref().and_then(|arn| state.streams.get_mut(arn));
    if let Some(stream) = stream {
        stream::record(stream, moment, &keys, (old.as_deref(), new.as_deref(), actor));
    }
    old
}

/// Keeps the order of expiries.
fn expect(table: &mut Table, key: &Key, old: Option<&Item>, new: Option<&Item>) {
    let (before, after) = (old.and_then(|item| expiry(table, item)), new.and_then(|item| expiry(table, item)));
    if let Some(expiry) = &mut table.time_to_live {
        if let Some(second) = before {
            expiry.due.remove(&(second, key.clone()));
        }
        if let Some(second) = after {
            expiry.due.insert((second, key.clone()));
        }
    }
}

/// The items a read sees: the present ones, or those of a while ago when it is not consistent.
pub(super) fn items<'a>(table: &'a Table, moment: &Moment, consistent: bool) -> Cow<'a, BTreeMap<Key, Arc<Item>>> {
    let cut = moment.now.saturating_sub(moment.stale);
    let mut later = table.past.iter().rev().take_while(|(at, _, _)| *at > cut).peekable();
    if consistent || moment.stale.is_zero() || later.peek().is_none() {
        return Cow::Borrowed(&table.items);
    }
    let mut items = table.items.clone();
    for (_, key, before) in later {
        match before {
            Some(item) => items.insert(key.clone(), item.clone()),
            None => items.remove(key),
        };
    }
    Cow::Owned(items)
}

/// The item a read of one key sees.
pub(super) fn item(table: &Table, moment: &Moment, key: &Key, consistent: bool) -> Option<Arc<Item>> {
    let cut = moment.now.saturating_sub(moment.stale);
    let before = table.past.iter().find(|(at, changed, _)| *at > cut && changed == key);
    match before.filter(|_| !consistent) {
        Some((_, _, before)) => before.clone(),
        None => table.items.get(key).cloned(),
    }
}

/// The present item of a key.
pub(super) fn current(state: &Dynamodb, name: &str, key: &Key) -> Option<Arc<Item>> {
    state.tables.get(name)?.items.get(key).cloned()
}

/// The capacity a request consumed, if it asks.
pub(super) fn consumed(input: &Value, table: &str, units: f64) -> Option<Value> {
    match input.text("ReturnConsumedCapacity")? {
        "TOTAL" => Some(json!({"TableName": table, "CapacityUnits": units})),
        "INDEXES" => Some(json!({"TableName": table, "CapacityUnits": units, "Table": {"CapacityUnits": units}})),
        _ => None,
    }
}

/// The units a read of so many bytes costs.
pub(super) fn read_units(bytes: usize, consistent: bool) -> f64 {
    let blocks = u32::try_from(bytes.div_ceil(4096).max(1)).unwrap_or(u32::MAX);
    f64::from(blocks) * if consistent { 1.0 } else { 0.5 }
}

/// The units a write of an item costs.
pub(super) fn write_units(old: Option<&Item>, new: Option<&Item>) -> f64 {
    let bytes = old.map_or(0, size).max(new.map_or(0, size));
    f64::from(u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX))
}

/// The present second since 1970, as tables write their dates.
pub(super) fn stamp(moment: &Moment) -> f64 {
    clock::seconds(moment.epoch, moment.now)
}

/// The key of an item in a request.
pub(super) fn requested(table: &Table, input: &Value) -> Result<Key, Refusal> {
    let given = super::read::item(input.get("Key").unwrap_or(&Value::Null))?;
    key::of_request(table, &given)
}
