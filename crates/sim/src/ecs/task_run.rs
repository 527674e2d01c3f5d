//! RunTask: up to ten tasks that belong to no service.
//!
//! ECS API reference, RunTask, TaskOverride. A client token is remembered with what it was used for.

use super::{
    capacity_provider, cluster, instance, scheduler, service, service_rules, task, task_definition, task_size,
    task_view,
};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::{Definition, Service};
use crate::tag::{self, Tags};
use serde_json::{Value, json};

type Key = (String, String);

/// RunTask.
pub(super) fn run(region: &mut Region, input: &Value) -> Answer {
    let key = (cluster::named(region, input)?, String::new());
    if let Some(answer) = repeated(region, &key, input) {
        return answer;
    }
    let definition = check(region, &key.0, input)?;
    let now = region.now;
    region.ecs.services.entry(key.clone()).or_insert_with(|| service::empty(now, &key.0, ""));
    let settings = settings(region, &key.0, input);
    let ids = scheduler::with(region, &key, |region, service| start(region, service, &definition, &settings));
    let ids = ids.unwrap_or_default();
    if let Some(token) = input.text("clientToken") {
        region.ecs.runs.insert(token.to_owned(), (input.clone(), ids.clone()));
    }
    Ok(answer(region, &key, &ids))
}

fn answer(region: &Region, key: &Key, ids: &[String]) -> Value {
    let include = ["TAGS".to_owned()];
    let service = region.ecs.services.get(key);
    let tasks = service.into_iter().flat_map(|service| {
        let tasks = ids.iter().filter_map(|id| service.tasks.get(id));
        tasks.map(|task| task_view::one(region, service, task, &include)).collect::<Vec<_>>()
    });
    json!({"tasks": tasks.collect::<Vec<_>>(), "failures": []})
}

/// What is answered to a token that was used before.
fn repeated(region: &Region, key: &Key, input: &Value) -> Option<Answer> {
    let (before, ids) = region.ecs.runs.get(input.text("clientToken")?)?;
    if before == input {
        return Some(Ok(answer(region, key, ids)));
    }
    let message = "The client token was used before with different parameters.";
    Some(Err(Refusal::new("ConflictException", message)))
}

fn check(region: &Region, cluster: &str, input: &Value) -> Result<Definition, Refusal> {
    if !(1..=10).contains(&input.whole("count").unwrap_or(1)) {
        return Err(Refusal::invalid("count must be between 1 and 10."));
    }
    if input.text("startedBy").is_some_and(|by| by.len() > 128) {
        return Err(Refusal::invalid("startedBy can have at most 128 characters."));
    }
    service_rules::word(input, "launchType", &["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"])?;
    service_rules::word(input, "propagateTags", &["TASK_DEFINITION", "NONE"])?;
    tag::check(&tag::LOWER.read(input.items("tags")), "InvalidParameterException")?;
    let named = input.text("taskDefinition").filter(|name| !name.is_empty());
    let named = named.ok_or_else(|| Refusal::invalid("TaskDefinition can not be blank."))?;
    let definition = task_definition::usable(region, named)?;
    check_overrides(&definition.body, input)?;
    check_launch(region, cluster, &definition, input)?;
    Ok(definition)
}

/// Launch type or strategy, platform and network, as a service would have them.
fn check_launch(region: &Region, cluster: &str, definition: &Definition, input: &Value) -> Result<(), Refusal> {
    let strategy = input.items("capacityProviderStrategy").unwrap_or_default();
    if !strategy.is_empty() && input.member("launchType").is_some() {
        return Err(Refusal::invalid("Specify either Launch Type or Capacity Provider Strategy, but not both."));
    }
    capacity_provider::check_strategy(strategy)?;
    let network = definition.body.text("networkMode") == Some("awsvpc");
    if network && input.member("networkConfiguration").is_none() {
        return Err(Refusal::invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified."));
    }
    let settings = settings(region, cluster, input);
    let by_provider = settings.items("capacityProviderStrategy").is_some_and(|items| !items.is_empty());
    if !by_provider && settings.text("launchType") != Some("FARGATE") {
        return Err(instance::none());
    }
    service_rules::check(region, cluster, &settings, definition, input)
}

/// What the tasks are launched with: the request, and the cluster's default strategy where it says nothing.
fn settings(region: &Region, cluster: &str, input: &Value) -> Value {
    let mut settings = input.clone();
    let default = region.ecs.clusters.get(cluster).map(|cluster| cluster.default_strategy.clone()).unwrap_or_default();
    let silent =
        input.member("launchType").is_none() && input.items("capacityProviderStrategy").is_none_or(<[Value]>::is_empty);
    if silent && !default.is_empty() {
        settings.put("capacityProviderStrategy", json!(default));
    }
    settings.fill("platformFamily", json!("Linux"));
    settings
}

fn check_overrides(definition: &Value, input: &Value) -> Result<(), Refusal> {
    let Some(overrides) = input.member("overrides") else {
        return Ok(());
    };
    let containers = definition.items("containerDefinitions").unwrap_or_default();
    for item in overrides.items("containerOverrides").unwrap_or_default() {
        let name = item.text("name").unwrap_or_default();
        if !containers.iter().any(|container| container.text("name") == Some(name)) {
            let message = format!("Override for container named {name} is not a container in the TaskDefinition.");
            return Err(Refusal::invalid(message));
        }
    }
    let size = |member: &str| overrides.text(member).or(definition.text(member)).unwrap_or_default().to_owned();
    let pair = task_size::cpu(&size("cpu")).zip(task_size::memory(&size("memory")));
    if pair.is_none_or(|(cpu, memory)| !task_size::exists(cpu, memory)) {
        return Err(Refusal::client(format!(
            "No Fargate configuration exists for given values: {} CPU, {} memory. See the Amazon ECS documentation for the \
             valid values.",
            size("cpu"),
            size("memory")
        )));
    }
    Ok(())
}

fn start(region: &mut Region, service: &mut Service, definition: &Definition, settings: &Value) -> Vec<String> {
    let arn = definition.body.text("taskDefinitionArn").unwrap_or_default();
    let mut tags = tag::LOWER.read(settings.items("tags"));
    if settings.text("propagateTags") == Some("TASK_DEFINITION") {
        let own: Tags = std::mem::take(&mut tags);
        tags = definition.tags.clone();
        tags.extend(own);
    }
    if settings.flag("enableECSManagedTags") == Some(true) {
        tags.insert("aws:ecs:clusterName".to_owned(), service.cluster.clone());
    }
    let mut ids = Vec::new();
    for _ in 0..settings.whole("count").unwrap_or(1) {
        let Some(mut task) = task::new(region, service, arn, settings) else {
            continue;
        };
        task.tags.clone_from(&tags);
        settings.text("startedBy").unwrap_or_default().clone_into(&mut task.deployment);
        ids.push(task.id.clone());
        service.tasks.insert(task.id.clone(), task);
    }
    ids
}
