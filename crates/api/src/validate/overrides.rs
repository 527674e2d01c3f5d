//! The escape hatch: what may not be overridden because Fargateer itself lives by it.

use serde_json::Value;

use super::Found;
use crate::{path, spec::AgentDeployment};

/// What may not be overridden, and where to say it instead.
const SERVICE: [(&str, &str); 6] = [
    ("cluster", "`spec.cluster`"),
    ("serviceName", "`spec.service`"),
    ("taskDefinition", "`spec.taskFamily` and the rest of the spec"),
    ("desiredCount", "`spec.desiredCount`"),
    ("tags", "`spec.tags`"),
    ("clientToken", "nothing; Fargateer chooses it"),
];
const TASK_DEFINITION: [(&str, &str); 2] = [("family", "`spec.taskFamily`"), ("tags", "`spec.tags`")];

pub(super) fn check(agent: &AgentDeployment, found: &mut Found) {
    let overrides = &agent.spec.overrides;
    for (base, map, forbidden) in [
        ("spec.overrides.service", &overrides.service, SERVICE.as_slice()),
        ("spec.overrides.taskDefinition", &overrides.task_definition, TASK_DEFINITION.as_slice()),
    ] {
        for (key, instead) in forbidden.iter().filter(|(key, _)| map.contains_key(*key)) {
            found.add(path::field(base, key), format!("`{key}` cannot be overridden"), format!("use {instead}"));
        }
    }
    if let Some(containers) = overrides.task_definition.get("containerDefinitions") {
        container_definitions(agent, containers, found);
    }
}

/// The list is merged by container name, so each entry must name a container the spec has.
fn container_definitions(agent: &AgentDeployment, containers: &Value, found: &mut Found) {
    const BASE: &str = "spec.overrides.taskDefinition.containerDefinitions";
    let sidecars = agent.spec.sidecars.iter().filter_map(|sidecar| sidecar.get("name")?.as_str());
    let known = std::iter::once(agent.spec.container.name.as_str()).chain(sidecars).collect::<Vec<_>>();
    let hint = format!("one of `{}`", known.join("`, `"));
    let Some(containers) = containers.as_array() else {
        return found.add(BASE, "must be a list", "entries are merged by `name`");
    };
    for (index, container) in containers.iter().enumerate() {
        let at = path::field(&path::item(BASE, index), "name");
        match container.get("name").and_then(Value::as_str) {
            Some(name) if known.contains(&name) => {}
            Some(name) => found.add(at, format!("there is no container `{name}`"), hint.clone()),
            None => found.add(at, "the container is not named", hint.clone()),
        }
    }
}
