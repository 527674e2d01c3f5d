//! Scheduled actions: stored and described. Simulated time never runs them.

use super::{DIMENSION, check_namespace, paged, resource, unregistered};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};

/// PutScheduledAction: an upsert by name; a start or end that is not sent again is gone.
pub(super) fn put(region: &mut Region, input: &Value) -> Answer {
    let id = resource(input)?.to_owned();
    let name = input.text("ScheduledActionName").unwrap_or_default().to_owned();
    let unique = region.uuid();
    let fresh =
        region.arn("autoscaling", &format!("scheduledAction:{unique}:resource/ecs/{id}:scheduledActionName/{name}"));
    let now = region.timestamp();
    let target = region.scaling.targets.get_mut(&id).ok_or_else(|| unregistered(&id))?;
    let known = target.actions.get(&name);
    if known.is_none() && target.actions.len() >= 200 {
        return Err(Refusal::new("LimitExceededException", "Too many scheduled actions for the scalable target"));
    }
    let kept = |member: &str| known.and_then(|known| known.member(member)).cloned();
    let schedule = input.member("Schedule").cloned().or(kept("Schedule"));
    check_schedule(schedule.as_ref())?;
    let mut action = json!({
        "ScheduledActionName": name,
        "ScheduledActionARN": kept("ScheduledActionARN").unwrap_or(json!(fresh)),
        "ServiceNamespace": "ecs",
        "ResourceId": id,
        "ScalableDimension": DIMENSION,
        "Schedule": schedule,
        "CreationTime": kept("CreationTime").unwrap_or(json!(now)),
    });
    for member in ["Timezone", "ScalableTargetAction"] {
        if let Some(value) = input.member(member).cloned().or(kept(member)) {
            action.put(member, value);
        }
    }
    for member in ["StartTime", "EndTime"] {
        if let Some(value) = input.member(member) {
            action.put(member, value.clone());
        }
    }
    target.actions.insert(name, action);
    Ok(json!({}))
}

fn check_schedule(schedule: Option<&Value>) -> Result<(), Refusal> {
    let text = schedule.and_then(Value::as_str).unwrap_or_default();
    let known = ["at(", "rate(", "cron("].iter().any(|kind| text.starts_with(kind));
    let fields = text.trim_start_matches("cron(").trim_end_matches(')').split_whitespace().count();
    if !known || !text.ends_with(')') || (text.starts_with("cron(") && fields != 6) {
        return Err(Refusal::validation(format!("Invalid schedule expression: {text}")));
    }
    Ok(())
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
    let page = paged(wanted.map(|(_, action)| action.clone()).collect(), input)?;
    Ok(json!({"ScheduledActions": page.items, "NextToken": page.next}))
}
