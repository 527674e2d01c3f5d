//! Container instances: a cluster on Fargate has none, and says so in the words of ECS.

use super::cluster;
use crate::arn;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};

/// ListContainerInstances.
pub(super) fn list(region: &Region, input: &Value) -> Answer {
    cluster::named(region, input)?;
    cluster::paged(Vec::<String>::new(), input, 100)?;
    Ok(json!({"containerInstanceArns": []}))
}

/// DescribeContainerInstances and UpdateContainerInstancesState.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let cluster = cluster::named(region, input)?;
    let names = input.texts("containerInstances");
    if names.is_empty() || names.len() > 100 {
        return Err(Refusal::invalid("Container instances must have between 1 and 100 elements."));
    }
    let missing = names.iter().map(|name| {
        let arn = region.arn("ecs", &format!("container-instance/{cluster}/{}", arn::leaf(name)));
        json!({"arn": arn, "reason": "MISSING"})
    });
    Ok(json!({"containerInstances": [], "failures": missing.collect::<Vec<_>>()}))
}

/// DeregisterContainerInstance and UpdateContainerAgent.
pub(super) fn change(region: &Region, input: &Value) -> Answer {
    cluster::named(region, input)?;
    Err(Refusal::invalid("Referenced container instance was not found."))
}

/// StartTask: places tasks on instances that are named, of which there are none.
pub(super) fn start_task(region: &Region, input: &Value) -> Answer {
    cluster::named(region, input)?;
    Err(none())
}

/// The answer to whoever wants a task on an instance.
pub(super) fn none() -> Refusal {
    Refusal::invalid("No Container Instances were found in your cluster.")
}

/// ListAttributes.
pub(super) fn attributes(region: &Region, input: &Value) -> Answer {
    cluster::named(region, input)?;
    if input.text("targetType") != Some("container-instance") {
        return Err(Refusal::invalid("The target type must be container-instance."));
    }
    Ok(json!({"attributes": []}))
}

/// PutAttributes and DeleteAttributes.
pub(super) fn change_attributes(region: &Region, input: &Value) -> Answer {
    cluster::named(region, input)?;
    Err(Refusal::new("TargetNotFoundException", "The specified target wasn't found."))
}
