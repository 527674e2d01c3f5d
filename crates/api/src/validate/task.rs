//! The task: size, image, logs and the role ECS needs to start it.

use super::{Found, build, form};
use crate::{
    fargate,
    spec::{AgentDeployment, Image, LogMode, Logging, Resources},
};

/// The retention periods CloudWatch Logs knows.
const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

pub(super) fn check(agent: &AgentDeployment, found: &mut Found) {
    size(&agent.spec.resources, found);
    image(&agent.spec.image, found);
    logging(&agent.spec.logging, found);
    execution_role(agent, found);
}

fn size(resources: &Resources, found: &mut Found) {
    let Resources { cpu, memory, ephemeral_storage_gib, architecture: _ } = resources;
    if !fargate::CPUS.contains(cpu) {
        let all = fargate::CPUS.map(|cpu| cpu.to_string()).join(", ");
        let near =
            fargate::at_least(*cpu, *memory).map(|(cpu, memory)| format!("; the next size is {cpu} with {memory} MiB"));
        found.add("spec.resources.cpu", format!("Fargate has no {cpu} CPU units"), all + &near.unwrap_or_default());
    } else if !fargate::offers(*cpu, *memory) {
        let fits = fargate::describe_memory(*cpu);
        let near = fargate::at_least(*cpu, *memory)
            .filter(|(larger, _)| larger != cpu)
            .map(|(cpu, memory)| format!("; or {memory} MiB with {cpu} CPU units"));
        let hint = format!("{fits} MiB{}", near.unwrap_or_default());
        found.add("spec.resources.memory", format!("{memory} MiB do not go with {cpu} CPU units"), hint);
    }
    if let Some(storage) = ephemeral_storage_gib {
        found.range("spec.resources.ephemeralStorageGiB", *storage, 20..=200, "GiB");
    }
}

fn image(image: &Image, found: &mut Found) {
    match (&image.uri, &image.build) {
        (Some(_), Some(_)) => found.add("spec.image", "both `uri` and `build` are given", "exactly one of them"),
        (None, None) => found.add("spec.image", "no image is given", "`uri: <registry>/<repository>:<tag>`"),
        (Some(_), None) | (None, Some(_)) => {}
    }
    image.build.iter().for_each(|build| build::build(build, found));
    if let Some((uri, fault)) = image.uri.as_ref().and_then(|uri| Some((uri, form::image_fault(uri)?))) {
        found.add("spec.image.uri", format!("`{uri}` is not an image reference"), fault);
    }
}

fn logging(logging: &Logging, found: &mut Found) {
    let Logging { enabled: _, group, retention_days, stream_prefix, mode, max_buffer_size } = logging;
    let group_form =
        |group: &&String| (1..=512).contains(&group.len()) && form::is_of(group, ".-_/#") && !group.starts_with("aws/");
    if let Some(group) = group.as_ref().filter(|group| !group_form(group)) {
        let hint = "1 to 512 letters, digits or `.-_/#`, not beginning with `aws/`";
        found.add("spec.logging.group", format!("`{group}` is not the name of a log group"), hint);
    }
    if let Some(days) = retention_days.filter(|days| !RETENTION_DAYS.contains(days)) {
        let problem = format!("CloudWatch cannot keep logs for {days} days");
        found.add("spec.logging.retentionDays", problem, nearest_days(days));
    }
    if !(1..=128).contains(&stream_prefix.len()) || !form::is_of(stream_prefix, "._/-") {
        let hint = "1 to 128 letters, digits or `._/-`";
        found.add("spec.logging.streamPrefix", format!("`{stream_prefix}` is not a stream prefix"), hint);
    }
    let Some(size) = max_buffer_size else {
        return;
    };
    let digits = size.trim_end_matches(['k', 'm', 'g']);
    if digits.len() + 1 < size.len() || digits.parse::<u32>().map_or(true, |size| size == 0) {
        found.add(
            "spec.logging.maxBufferSize",
            format!("`{size}` is not a size"),
            "a number and `k`, `m` or `g`: `10m`",
        );
    } else if *mode == Some(LogMode::Blocking) {
        let hint = "leave it out, or set `spec.logging.mode` to `non-blocking`";
        found.add("spec.logging.maxBufferSize", "blocking delivery has no buffer", hint);
    }
}

/// The allowed periods around `days`.
fn nearest_days(days: u32) -> String {
    let below = RETENTION_DAYS.into_iter().rev().find(|allowed| *allowed < days);
    let above = RETENTION_DAYS.into_iter().find(|allowed| *allowed > days);
    match (below, above) {
        (Some(below), Some(above)) => format!("{below} or {above}; null keeps them for ever"),
        (Some(only), None) | (None, Some(only)) => format!("{only}; null keeps them for ever"),
        (None, None) => String::new(),
    }
}

/// AWS refuses a task definition without an execution role when starting it needs one.
fn execution_role(agent: &AgentDeployment, found: &mut Found) {
    let spec = &agent.spec;
    let ecr = |uri: &str| form::is_ecr(uri);
    let sidecar = |key: &str| spec.sidecars.iter().any(|sidecar| sidecar.contains_key(key));
    let sidecar_image = |sidecar: &serde_json::Map<_, serde_json::Value>| {
        sidecar.get("image").and_then(serde_json::Value::as_str).is_some_and(ecr)
    };
    let reasons = [
        (spec.logging.enabled, "`spec.logging.enabled`"),
        (!spec.container.secrets.is_empty() || sidecar("secrets"), "secrets"),
        (spec.image.uri.as_deref().is_some_and(ecr) || spec.sidecars.iter().any(sidecar_image), "an ECR image"),
        (sidecar("repositoryCredentials"), "registry credentials"),
    ];
    let needs = reasons.iter().filter(|(needed, _)| *needed).map(|(_, reason)| *reason).collect::<Vec<_>>();
    let given = spec.roles.execution.is_some() || spec.overrides.task_definition.contains_key("executionRoleArn");
    if !needs.is_empty() && !given {
        let problem = format!("an execution role is required by {}", needs.join(" and "));
        let hint = "a role with the policy AmazonECSTaskExecutionRolePolicy, trusted by ecs-tasks.amazonaws.com";
        found.add("spec.roles.execution", problem, hint);
    }
}
