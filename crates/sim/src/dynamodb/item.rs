//! GetItem, PutItem, UpdateItem and DeleteItem, and the writes of transactions, which follow the same rules.

use super::expression::Placeholders;
use super::expression::condition::Condition;
use super::expression::path::{Path, project};
use super::expression::update::Update;
use super::store::{self, Actor, LARGEST, Moment};
use super::{key, not_in_set, read};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::dynamodb::value::{size, write};
use crate::state::dynamodb::{Dynamodb, Item, Key, Table};
use serde_json::{Value, json};
use std::sync::Arc;

/// A write, understood but not yet done.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) table: String,
    pub(super) key: Key,
    condition: Option<Condition>,
    effect: Effect,
    /// Whether the item shall come with the refusal of a failed condition.
    show_old: bool,
}

/// What a write does.
#[derive(Debug)]
enum Effect {
    Put(Item),
    Update(Item, Update),
    Delete,
    Check,
}

/// A write done.
pub(super) struct Done {
    old: Option<Arc<Item>>,
    new: Option<Item>,
}

/// GetItem.
pub(super) fn get(region: &mut Region, input: &Value) -> Answer {
    let moment = Moment::of(region);
    let table = store::table(&region.dynamodb, region.now, input)?;
    let (item, units) = read_one(table, &moment, input)?;
    Ok(json!({"Item": item, "ConsumedCapacity": store::consumed(input, &table.name, units)}))
}

/// Reads one key, with a projection; the item as it is written, and the units it cost.
pub(super) fn read_one(table: &Table, moment: &Moment, input: &Value) -> Result<(Option<Value>, f64), Refusal> {
    let mut placeholders = Placeholders::of(input, &["ProjectionExpression"])?;
    let paths = projection(&mut placeholders, input)?;
    placeholders.all_used()?;
    let key = store::requested(table, input)?;
    let consistent = input.flag("ConsistentRead").unwrap_or(false);
    let item = store::item(table, moment, &key, consistent);
    let units = store::read_units(item.as_deref().map_or(0, size), consistent);
    let shown = item.map(|item| match &paths {
        Some(paths) => write(&project(&item, paths)),
        None => write(&item),
    });
    Ok((shown, units))
}

/// The paths wanted of an item, from either parameter.
pub(super) fn projection(placeholders: &mut Placeholders, input: &Value) -> Result<Option<Vec<Path>>, Refusal> {
    if let Some(paths) = placeholders.projection(input)? {
        return Ok(Some(paths));
    }
    let names = input.member("AttributesToGet").map(|_| input.texts("AttributesToGet"));
    Ok(names.map(|names| names.into_iter().map(|name| Path { name, steps: Vec::new() }).collect()))
}

fn conditioned(input: &Value) -> Result<(Placeholders, Option<Condition>), Refusal> {
    let mut placeholders = Placeholders::of(input, &["ConditionExpression"])?;
    let condition = placeholders.condition(input, "ConditionExpression")?;
    placeholders.all_used()?;
    Ok((placeholders, condition))
}

fn show_old(input: &Value) -> Result<bool, Refusal> {
    match input.text("ReturnValuesOnConditionCheckFailure").unwrap_or("NONE") {
        "NONE" => Ok(false),
        "ALL_OLD" => Ok(true),
        other => Err(not_in_set(other, "returnValuesOnConditionCheckFailure", &["ALL_OLD", "NONE"])),
    }
}

/// Understands a PutItem or the Put of a transaction.
pub(super) fn understand_put(region: &Region, input: &Value) -> Result<Write, Refusal> {
    let (_, condition) = conditioned(input)?;
    let item = read::item(input.get("Item").unwrap_or(&Value::Null))?;
    if size(&item) > LARGEST {
        return Err(Refusal::validation("Item size has exceeded the maximum allowed size"));
    }
    let table = store::table(&region.dynamodb, region.now, input)?;
    let key = key::of_item(table, &item)?;
    let show_old = show_old(input)?;
    Ok(Write { table: table.name.clone(), key, condition, effect: Effect::Put(item), show_old })
}

/// Understands a DeleteItem or the Delete of a transaction.
pub(super) fn understand_delete(region: &Region, input: &Value) -> Result<Write, Refusal> {
    let (_, condition) = conditioned(input)?;
    let table = store::table(&region.dynamodb, region.now, input)?;
    let key = store::requested(table, input)?;
    Ok(Write { table: table.name.clone(), key, condition, effect: Effect::Delete, show_old: show_old(input)? })
}

/// Understands the ConditionCheck of a transaction.
pub(super) fn understand_check(region: &Region, input: &Value) -> Result<Write, Refusal> {
    Ok(Write { effect: Effect::Check, ..understand_delete(region, input)? })
}

/// Understands an UpdateItem or the Update of a transaction.
pub(super) fn understand_update(region: &Region, input: &Value) -> Result<Write, Refusal> {
    let mut placeholders = Placeholders::of(input, &["UpdateExpression", "ConditionExpression"])?;
    let update = placeholders.update(input)?;
    let condition = placeholders.condition(input, "ConditionExpression")?;
    placeholders.all_used()?;
    let table = store::table(&region.dynamodb, region.now, input)?;
    let given = read::item(input.get("Key").unwrap_or(&Value::Null))?;
    let key = key::of_request(table, &given)?;
    let update = update.unwrap_or_default();
    for path in update.paths() {
        if table.keys.names().any(|name| name == path.name) {
            let name = path.name;
            return Err(Refusal::validation(format!(
                "One or more parameter values were invalid: Cannot update attribute {name}. This attribute is part of the key"
            )));
        }
    }
    let effect = Effect::Update(given, update);
    Ok(Write { table: table.name.clone(), key, condition, effect, show_old: show_old(input)? })
}

impl Write {
    /// What the item would be afterwards; the error is the refusal.
    pub(super) fn outcome(&self, state: &Dynamodb) -> Result<Option<Item>, Refusal> {
        let old = store::current(state, &self.table, &self.key);
        let nothing = Item::new();
        if self.condition.as_ref().is_some_and(|condition| !condition.met(old.as_deref().unwrap_or(&nothing))) {
            let refusal = Refusal::new("ConditionalCheckFailedException", "The conditional request failed");
            let shown = old.filter(|_| self.show_old).map(|old| json!({"Item": write(&old)}));
            return Err(refusal.with(shown.unwrap_or(Value::Null)));
        }
        match &self.effect {
            Effect::Put(item) => Ok(Some(item.clone())),
            Effect::Delete => Ok(None),
            Effect::Check => Ok(old.as_deref().cloned()),
            Effect::Update(given, update) => {
                let new = update.apply(old.as_deref().unwrap_or(given))?;
                if size(&new) > LARGEST {
                    return Err(Refusal::validation("Item size to update has exceeded the maximum allowed size"));
                }
                if let Some(table) = state.tables.get(&self.table) {
                    key::of_item(table, &new)?;
                }
                Ok(Some(new))
            }
        }
    }

    /// Does it, given the outcome.
    pub(super) fn commit(&self, region: &mut Region, new: Option<Item>) -> Done {
        if matches!(self.effect, Effect::Check) {
            return Done { old: None, new };
        }
        let moment = Moment::of(region);
        let change = (new.clone(), Actor::Caller);
        let old = store::change(&mut region.dynamodb, &moment, &self.table, &self.key, change);
        Done { old, new }
    }

    /// The paths an update writes to, unless lists are written into: then whole attributes are shown.
    fn updated(&self) -> Vec<Path> {
        match &self.effect {
            Effect::Update(_, update) if update.touches_lists() => {
                update.paths().into_iter().map(|path| Path { steps: Vec::new(), ..path }).collect()
            }
            Effect::Update(_, update) => update.paths(),
            Effect::Put(_) | Effect::Delete | Effect::Check => Vec::new(),
        }
    }
}

fn perform(region: &mut Region, input: &Value, write: &Write, returned: &str) -> Answer {
    let new = write.outcome(&region.dynamodb)?;
    let done = write.commit(region, new);
    let units = store::write_units(done.old.as_deref(), done.new.as_ref());
    let consumed = store::consumed(input, &write.table, units);
    let attributes = returned_values(write, &done, returned);
    Ok(json!({"Attributes": attributes, "ConsumedCapacity": consumed}))
}

fn returned_values(done: &Write, result: &Done, returned: &str) -> Option<Value> {
    let (old, new) = (result.old.as_deref(), result.new.as_ref());
    let part = |item: Option<&Item>| {
        let part = project(item?, &done.updated());
        (!part.is_empty()).then(|| write(&part))
    };
    match returned {
        "ALL_OLD" => old.map(write),
        "ALL_NEW" => new.map(write),
        "UPDATED_OLD" => part(old),
        "UPDATED_NEW" => part(new),
        _ => None,
    }
}

fn returned<'a>(input: &'a Value, allowed: &[&str]) -> Result<&'a str, Refusal> {
    const ALL: [&str; 5] = ["ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"];
    let wanted = input.text("ReturnValues").unwrap_or("NONE");
    if !ALL.contains(&wanted) {
        return Err(not_in_set(wanted, "returnValues", &ALL));
    }
    if allowed.contains(&wanted) { Ok(wanted) } else { Err(Refusal::validation("Return values set to invalid value")) }
}

/// PutItem.
pub(super) fn put(region: &mut Region, input: &Value) -> Answer {
    let returned = returned(input, &["NONE", "ALL_OLD"])?;
    let write = understand_put(region, input)?;
    perform(region, input, &write, returned)
}

/// DeleteItem: no error when there is none.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let returned = returned(input, &["NONE", "ALL_OLD"])?;
    let write = understand_delete(region, input)?;
    perform(region, input, &write, returned)
}

/// UpdateItem: makes the item when there is none.
pub(super) fn update(region: &mut Region, input: &Value) -> Answer {
    let returned = returned(input, &["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"])?;
    let write = understand_update(region, input)?;
    perform(region, input, &write, returned)
}
