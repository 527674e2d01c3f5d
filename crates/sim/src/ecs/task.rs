//! How a task begins: its identity, address and settings. What becomes of it is in `task_step`.

use super::{blue_green, command, driven, task_definition};
use crate::behaviour::Behaviour;
use crate::input::Members;
use crate::state::ecs::{Health, Phase, Service, Task};
use crate::state::{Region, Timer};
use crate::tag::Tags;
use serde_json::{Value, json};

/// The first essential container: the one whose image decides how the task behaves.
pub(super) fn main_container(definition: &Value) -> Option<&Value> {
    let containers = definition.items("containerDefinitions")?;
    containers.iter().find(|container| container.flag("essential").unwrap_or(true)).or_else(|| containers.first())
}

/// How a task behaves: what was said of its image, else what its command plainly comes to.
pub(super) fn behaviour(region: &Region, definition: &Value, settings: &Value) -> Behaviour {
    let Some(container) = main_container(definition) else {
        return Behaviour::Healthy;
    };
    let said = region.behaviour(container.text("image").unwrap_or_default());
    match command::ending(container, settings) {
        Some(ending) if said == Behaviour::Healthy && ending.code != 0 && ending.after.is_zero() => {
            Behaviour::CrashLoop { exit_code: ending.code }
        }
        _ => said,
    }
}

/// Launches one task of the service's primary deployment.
pub(super) fn launch(region: &mut Region, service: &mut Service) -> Option<String> {
    let primary = service.deployments.first()?.clone();
    let tags = propagated(region, service, &primary.task_definition);
    let mut settings = primary.settings.clone();
    // Not a setting of the deployment: it is whatever the service says when the task is launched.
    settings.put("enableExecuteCommand", json!(service.config.flag("enableExecuteCommand").unwrap_or(false)));
    blue_green::side(&mut settings, primary.alternate);
    let task = new(region, service, &primary.task_definition, &settings)?;
    let id = task.id.clone();
    let task = Task { deployment: primary.id, tags, ..task };
    service.tasks.insert(id.clone(), task);
    Some(id)
}

/// A task in PROVISIONING, with its first timer set.
pub(super) fn new(region: &mut Region, service: &Service, definition: &str, settings: &Value) -> Option<Task> {
    let body = task_definition::find(region, definition)?.body.clone();
    let id = region.hex(32);
    let (third, fourth) = (region.random.u8(..), region.random.u8(1..255));
    let driven = driven::is(region, &body);
    let task = Task {
        arn: region.arn("ecs", &format!("task/{}/{id}", service.cluster)),
        deployment: String::new(),
        definition: body.text("taskDefinitionArn").unwrap_or_default().to_owned(),
        settings: settings.clone(),
        behaviour: if driven { driven::behaviour(region, &body) } else { behaviour(region, &body, settings) },
        driven,
        phase: Phase::Provisioning,
        turn: 0,
        version: 1,
        health: Health::Unknown,
        verdict: None,
        ready: false,
        protected: None,
        stopping: false,
        stop_code: None,
        stopped_reason: None,
        exit_code: None,
        container_reason: None,
        address: if driven { driven::address(region, &id) } else { format!("10.0.{third}.{fourth}") },
        interface: format!("eni-{}", region.hex(17)),
        tags: Tags::new(),
        created: region.now,
        pulled: None,
        started: None,
        stopping_at: None,
        execution_stopped: None,
        stopped: None,
        targets: Vec::new(),
        id: id.clone(),
    };
    let (cluster, name) = (service.cluster.clone(), service.name.clone());
    region.ecs.owners.insert(id.clone(), (cluster.clone(), name.clone()));
    let delay = region.settings.times.provision;
    region.after(delay, Timer::Task { cluster, service: name, task: id, turn: 0 });
    Some(task)
}

fn propagated(region: &Region, service: &Service, definition: &str) -> Tags {
    let mut tags = match service.config.text("propagateTags") {
        Some("SERVICE") => service.tags.clone(),
        Some("TASK_DEFINITION") => {
            task_definition::find(region, definition).map(|definition| definition.tags.clone()).unwrap_or_default()
        }
        Some(_) | None => Tags::new(),
    };
    if service.config.flag("enableECSManagedTags") == Some(true) {
        tags.insert("aws:ecs:clusterName".to_owned(), service.cluster.clone());
        tags.insert("aws:ecs:serviceName".to_owned(), service.name.clone());
    }
    tags
}
