//! What a document's values mean: an agent, or everything that keeps them from being one.

use std::sync::LazyLock;

use serde_json::Value;

use crate::{
    fault::{ENOUGH, Violation},
    path,
    project::Project,
    request::{self, FlatRequest},
    shape::Shape,
    spec::AgentDeployment,
    structure::{self, Typed},
    validate,
    visible::is_control,
};

static AGENT: LazyLock<Shape> = LazyLock::new(Shape::of::<AgentDeployment>);
static PROJECT: LazyLock<Shape> = LazyLock::new(Shape::of::<Project>);
static REQUEST: LazyLock<Shape> = LazyLock::new(Shape::of::<FlatRequest>);

/// What a document is about, or what is wrong.
pub(crate) struct Meaning<T = AgentDeployment> {
    /// The agent (or project), when nothing is wrong.
    pub(crate) subject: Option<T>,
    /// Violations whose place is that of their key: unknown fields.
    pub(crate) at_key: Vec<Violation>,
    /// Violations whose place is that of the value.
    pub(crate) at_value: Vec<Violation>,
}

/// Reads an `AgentDeployment`. A `status` beside the spec (output of `get -o yaml`) says nothing and is left out.
pub(crate) fn of_agent(mut value: Value) -> Meaning {
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    if let Some(violation) = other_kind(&value, "AgentDeployment") {
        return Meaning { subject: None, at_key: Vec::new(), at_value: vec![violation] };
    }
    let controls = controls(&value);
    let typed = structure::read::<AgentDeployment>(&AGENT, value);
    let broken = typed.value.as_ref().map(validate::check).unwrap_or_default();
    conclude(typed, broken, controls, |agent| agent)
}

/// Reads a `Project`.
pub(crate) fn of_project(value: Value) -> Meaning<Project> {
    if let Some(violation) = other_kind(&value, "Project") {
        return Meaning { subject: None, at_key: Vec::new(), at_value: vec![violation] };
    }
    let controls = controls(&value);
    let typed = structure::read::<Project>(&PROJECT, value);
    let broken = typed.value.as_ref().map(validate::check_project).unwrap_or_default();
    conclude(typed, broken, controls, |project| project)
}

/// Reads a flat request.
pub(crate) fn of_request(value: Value) -> Meaning {
    let controls = controls(&value);
    let typed = structure::read::<FlatRequest>(&REQUEST, value);
    let broken = typed.value.as_ref().map(request::check).unwrap_or_default();
    conclude(typed, broken, controls, AgentDeployment::from)
}

fn conclude<T, U>(
    typed: Typed<T>,
    broken: Vec<Violation>,
    controls: Vec<Violation>,
    into: impl FnOnce(T) -> U,
) -> Meaning<U> {
    let Typed { value, unknown, wrong, mut spoiled } = typed;
    spoiled.extend(controls.iter().map(|violation| violation.path.clone()));
    let consequence = |violation: &Violation| spoiled.iter().any(|spoiled| explains(spoiled, &violation.path));
    let broken = broken.into_iter().filter(|violation| !consequence(violation));
    let at_value = wrong.into_iter().chain(controls).chain(broken).collect::<Vec<_>>();
    let sound = at_value.is_empty() && unknown.is_empty();
    Meaning { subject: value.filter(|_| sound).map(into), at_key: unknown, at_value }
}

/// A field and those whose rules look at it: a fault in the first makes a rule broken at the others worthless.
const CONSEQUENCES: [(&str, &[&str]); 13] = [
    ("spec.region", &["spec.cluster", "spec.loadBalancer"]),
    ("spec.resources.cpu", &["spec.resources.memory", "spec.sidecars"]),
    ("spec.resources.memory", &["spec.sidecars"]),
    ("spec.container.name", &["spec.sidecars", "spec.overrides.taskDefinition"]),
    ("spec.container.healthCheck.interval", &["spec.container.healthCheck.timeout"]),
    ("spec.logging.enabled", &["spec.roles.execution"]),
    ("spec.desiredCount", &["spec.rollout.maximumPercent"]),
    ("spec.rollout.minimumHealthyPercent", &["spec.rollout.maximumPercent"]),
    ("spec.rollout.strategy", &["spec.rollout.bakeMinutes", "spec.loadBalancer.alternate"]),
    ("spec.loadBalancer", &["spec.rollout.strategy", "spec.autoscaling.requestsPerTarget"]),
    ("spec.autoscaling.max", &["spec.autoscaling.min"]),
    ("cpu", &["memory"]),
    ("max_capacity", &["min_capacity"]),
];

/// Whether the fault at `spoiled` may be why a rule is broken at `path`.
fn explains(spoiled: &str, path: &str) -> bool {
    let related = |one: &str, other: &str| path::covers(one, other) || path::covers(other, one);
    let follows = |effects: &[&str]| effects.iter().any(|effect| path::covers(effect, path));
    related(spoiled, path) || (CONSEQUENCES.iter()).any(|(cause, effects)| related(cause, spoiled) && follows(effects))
}

/// A document of another kind altogether: one fault says it better than one for each of its fields.
fn other_kind(value: &Value, here: &str) -> Option<Violation> {
    let kind = value.get("kind")?.as_str()?;
    let far = strsim::jaro_winkler(kind, here) < 0.85;
    let hint = match kind {
        "Project" => format!("`{here}`; a Project stands in the file given by --policy"),
        _ => format!("`{here}`"),
    };
    far.then(|| Violation::new("kind", format!("`{kind}` is no kind of document here")).hint(hint))
}

fn controls(value: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    look(value, &mut String::new(), &mut found);
    found
}

/// Like the outline's walk, with one path for all.
fn look(value: &Value, path: &mut String, found: &mut Vec<Violation>) {
    let length = path.len();
    if found.len() >= ENOUGH {
        return;
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => found.extend(control(text, path)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path::push_item(path, index);
                look(item, path, found);
                path.truncate(length);
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                path::push_field(path, key);
                found.extend(control(key, path));
                look(entry, path, found);
                path.truncate(length);
            }
        }
    }
}

fn control(text: &str, path: &str) -> Option<Violation> {
    let strange = |character: &char| is_control(*character) || *character == '\r';
    let character = text.chars().find(strange)?;
    let problem = format!("control character U+{:04X} in a string", u32::from(character));
    Some(Violation::new(path, problem).hint("remove it"))
}
