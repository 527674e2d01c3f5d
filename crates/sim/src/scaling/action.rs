//! Scheduled actions: stored, described, and run when their time comes. Running one rewrites the bounds of its target.

use super::{DIMENSION, activity, check_namespace, key, paged, resource, schedule, target, unregistered};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::scaling::ScalableTarget;
use crate::state::{Region, Timer};
use serde_json::{Value, json};
use std::time::Duration;

/// PutScheduledAction: an upsert by name; a start or end that is not sent again is gone.
pub(super) fn put(region: &mut Region, input: &Value) -> Answer {
    let id = resource(input)?.to_owned();
    let name = input.text("ScheduledActionName").unwrap_or_default().to_owned();
    let fresh = fresh(region, &id, &name);
    let target = region.scaling.targets.get(&id).ok_or_else(|| unregistered(&id))?;
    let known = target.actions.get(&name).map(|(known, _)| known);
    if known.is_none() && target.actions.len() >= 200 {
        return Err(Refusal::new("LimitExceededException", "Too many scheduled actions for the scalable target"));
    }
    let action = merged(known.cloned().unwrap_or(fresh), input);
    check(target, &name, &action)?;
    region.scaling.turns += 1;
    let turn = region.scaling.turns;
    arm(region, &id, &name, &action, turn);
    if let Some(target) = region.scaling.targets.get_mut(&id) {
        target.actions.insert(name, (action, turn));
    }
    Ok(json!({}))
}

fn fresh(region: &mut Region, id: &str, name: &str) -> Value {
    let unique = region.uuid();
    let resource = format!("scheduledAction:{unique}:resource/ecs/{id}:scheduledActionName/{name}");
    json!({
        "ScheduledActionName": name,
        "ScheduledActionARN": region.arn("autoscaling", &resource),
        "ServiceNamespace": "ecs",
        "ResourceId": id,
        "ScalableDimension": DIMENSION,
        "CreationTime": region.timestamp(),
    })
}

/// What is sent replaces; of what is not, only start and end are dropped.
fn merged(mut action: Value, input: &Value) -> Value {
    for member in ["Schedule", "Timezone", "ScalableTargetAction", "StartTime", "EndTime"] {
        if let Some(value) = input.member(member) {
            action.put(member, value.clone());
        } else if member.ends_with("Time") {
            action.as_object_mut().map(|members| members.remove(member));
        }
    }
    action
}

fn check(target: &ScalableTarget, name: &str, action: &Value) -> Result<(), Refusal> {
    if !(1..=256).contains(&name.len()) {
        return Err(Refusal::validation("ScheduledActionName must have between 1 and 256 characters"));
    }
    let text = action.text("Schedule").unwrap_or_default();
    if schedule::parse(text).is_none() {
        return Err(Refusal::validation(format!("Invalid schedule expression: {text}")));
    }
    if let Some(zone) = action.text("Timezone").filter(|zone| !schedule::zone(zone)) {
        return Err(Refusal::validation(format!("Invalid timezone: {zone}")));
    }
    let Some(bounds) = action.member("ScalableTargetAction") else {
        return Ok(());
    };
    let (minimum, maximum) = (bounds.whole("MinCapacity"), bounds.whole("MaxCapacity"));
    if minimum.or(maximum).is_none() {
        return Err(Refusal::validation(
            "A scheduled action must set the minimum capacity, the maximum capacity, or both",
        ));
    }
    let most = maximum.unwrap_or(i64::from(target.maximum));
    let both = minimum.is_some() && maximum.is_some();
    if minimum.unwrap_or(0) < 0 || most < 0 || (both && minimum > maximum) {
        return Err(Refusal::validation("Maximum capacity cannot be less than minimum capacity"));
    }
    Ok(())
}

/// Sets the timer of the next run, if there is one before the action ends.
fn arm(region: &mut Region, id: &str, name: &str, action: &Value, turn: u64) {
    let Some(when) = action.text("Schedule").and_then(schedule::parse) else {
        return;
    };
    let now = whole(region.timestamp());
    let from = action.number("StartTime").map_or(now, |start| whole(start).max(now));
    let next = schedule::next(&when, action.text("Timezone").unwrap_or("UTC"), from);
    let next = next.filter(|next| action.number("EndTime").is_none_or(|end| *next <= whole(end)));
    if let Some(wait) = next.and_then(|next| u64::try_from(next - now).ok()) {
        let timer = Timer::Schedule { resource: id.to_owned(), action: name.to_owned(), turn };
        region.after(Duration::from_secs(wait), timer);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cut to two centuries since 1970")]
fn whole(seconds: f64) -> i64 {
    seconds.floor().clamp(0.0, 7e9) as i64
}

/// An action is due: the bounds of its target change, and the service is pushed into them.
pub(crate) fn run(region: &mut Region, id: &str, name: &str, turn: u64) {
    let target = region.scaling.targets.get_mut(id);
    let Some((target, action)) = target.and_then(|target| {
        let action = target.actions.get(name).filter(|(_, current)| *current == turn)?.0.clone();
        Some((target, action))
    }) else {
        return;
    };
    let bounds = action.get("ScalableTargetAction").unwrap_or(&Value::Null);
    let number =
        |member: &str, now: u32| bounds.whole(member).and_then(|value| u32::try_from(value).ok()).unwrap_or(now);
    let (minimum, maximum) = (number("MinCapacity", target.minimum), number("MaxCapacity", target.maximum));
    if !target.suspended.scheduled && minimum <= maximum {
        (target.minimum, target.maximum) = (minimum, maximum);
        let description = format!("Setting min capacity to {minimum} and max capacity to {maximum}");
        activity::record(region, id, &description, &format!("scheduled action name {name} was triggered"));
        if let Some(key) = key(id) {
            target::clamp(region, id, &key);
        }
    }
    arm(region, id, name, &action, turn);
}

/// DeleteScheduledAction.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let id = resource(input)?;
    let name = input.text("ScheduledActionName").unwrap_or_default();
    let target = region.scaling.targets.get_mut(id).ok_or_else(|| unregistered(id))?;
    let missing = || Refusal::new("ObjectNotFoundException", format!("No scheduled action found: {name}"));
    target.actions.remove(name).map(|_| json!({})).ok_or_else(missing)
}

/// DescribeScheduledActions: by resource, by names.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    check_namespace(input)?;
    let (wanted, names) = (input.text("ResourceId"), input.texts("ScheduledActionNames"));
    let targets = region.scaling.targets.iter().filter(|(id, _)| wanted.is_none_or(|wanted| wanted == *id));
    let actions = targets.flat_map(|(_, target)| &target.actions);
    let wanted = actions.filter(|(name, _)| names.is_empty() || names.contains(name));
    let page = paged(wanted.map(|(_, (action, _))| action.clone()).collect(), input)?;
    Ok(json!({"ScheduledActions": page.items, "NextToken": page.next}))
}
