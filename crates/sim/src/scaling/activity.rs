//! Scaling activities: what was scaled, when and why.

use super::{DIMENSION, check_namespace, paged};
use crate::input::Members;
use crate::refusal::Answer;
use crate::state::Region;
use serde_json::{Value, json};

/// Records an activity that succeeded at once.
pub(super) fn record(region: &mut Region, id: &str, description: &str, cause: &str) {
    let done = description.replacen("Setting", "Successfully set", 1);
    let activity = json!({
        "ActivityId": region.uuid(),
        "ServiceNamespace": "ecs",
        "ResourceId": id,
        "ScalableDimension": DIMENSION,
        "Description": description,
        "Cause": cause,
        "StartTime": region.timestamp(),
        "EndTime": region.timestamp(),
        "StatusCode": "Successful",
        "StatusMessage": format!("{}. Change successfully fulfilled by ecs.", done.trim_end_matches('.')),
    });
    region.scaling.activities.push(activity);
}

/// DescribeScalingActivities: newest first.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    check_namespace(input)?;
    let wanted = input.text("ResourceId");
    let of_resource = |activity: &&Value| wanted.is_none_or(|wanted| activity.text("ResourceId") == Some(wanted));
    let activities = region.scaling.activities.iter().rev().filter(of_resource).cloned().collect();
    let page = paged(activities, input)?;
    Ok(json!({"ScalingActivities": page.items, "NextToken": page.next}))
}
