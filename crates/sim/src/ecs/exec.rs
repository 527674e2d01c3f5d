//! ExecuteCommand: refused as ECS refuses it; a session that is granted leads nowhere.

use super::{cluster, task_api, task_definition};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::Phase;
use serde_json::{Value, json};

/// ExecuteCommand.
pub(super) fn execute(region: &mut Region, input: &Value) -> Answer {
    let cluster = cluster::named(region, input)?;
    if input.text("command").is_none_or(str::is_empty) {
        return Err(Refusal::invalid("The command can not be blank."));
    }
    if input.flag("interactive") != Some(true) {
        return Err(Refusal::invalid("Interactive is the only mode supported currently."));
    }
    let missing = || Refusal::invalid("The referenced task was not found.");
    let (_, task) = task_api::find(region, &cluster, input.text("task").unwrap_or_default()).ok_or_else(missing)?;
    let enabled = task.settings.flag("enableExecuteCommand") == Some(true);
    if !enabled || task.phase != Phase::Running {
        return Err(Refusal::invalid(
            "The execute command failed because execute command was not enabled when the task was run or the execute command \
             agent isn't running. Wait and try again or run a new task with execute command enabled and try again.",
        ));
    }
    let definition = task_definition::find(region, &task.definition);
    let containers =
        definition.and_then(|definition| definition.body.items("containerDefinitions")).unwrap_or_default();
    let names: Vec<&str> = containers.iter().filter_map(|container| container.text("name")).collect();
    let wanted = input.text("container").or(names.first().copied().filter(|_| names.len() == 1));
    let Some(name) = wanted.filter(|wanted| names.contains(wanted)) else {
        return Err(Refusal::invalid("The container name must be specified, and be one of the task's."));
    };
    let (name, task_arn) = (name.to_owned(), task.arn.clone());
    let arn = super::task_view::container_arn(&task_arn, &name);
    let id = format!("ecs-execute-command-{}", region.hex(17));
    Ok(json!({
        "clusterArn": region.arn("ecs", &format!("cluster/{cluster}")),
        "containerArn": arn,
        "containerName": name,
        "interactive": true,
        "session": {
            "sessionId": id,
            "streamUrl": format!("wss://ssmmessages.{}.amazonaws.com/v1/data-channel/{id}?role=publish_subscribe", region.name),
            "tokenValue": "simulated",
        },
        "taskArn": task_arn,
    }))
}
