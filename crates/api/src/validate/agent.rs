//! Who the agent is and what may be done with it: name, account, cluster, roles, tags, drift, suspension, dependencies.

use super::{Found, form};
use crate::{
    path,
    spec::{Account, AgentDeployment},
};

const LABEL: &str = "lower-case letters, digits and inner hyphens, 1 to 63 characters";
const NAME: &str = "letters, digits, `_` and `-`, 1 to 255 characters";
/// 50 tags a resource, less those Fargateer sets.
const MAX_TAGS: usize = 45;
/// STS takes so many.
const MAX_SESSION_TAGS: usize = 50;

pub(super) fn check(agent: &AgentDeployment, found: &mut Found) {
    names(agent, found);
    place(agent, found);
    roles(agent, found);
    labels(agent, found);
    tags(agent, found);
    drift(agent, found);
    suspend(agent, found);
    depends_on(agent, found);
}

fn names(agent: &AgentDeployment, found: &mut Found) {
    for (field, label) in [("name", &agent.metadata.name), ("project", &agent.metadata.project)] {
        if !form::is_label(label) {
            found.add(path::field("metadata", field), format!("`{label}` is not a DNS label"), LABEL);
        }
    }
    let service = ("spec.service", &agent.spec.service);
    for (field, name) in [service, ("spec.taskFamily", &agent.spec.task_family)] {
        if let Some(name) = name.as_ref().filter(|name| !form::is_name(name)) {
            found.add(field, format!("`{name}` is not a name ECS accepts"), NAME);
        }
    }
}

fn place(agent: &AgentDeployment, found: &mut Found) {
    let (region, cluster) = (&agent.spec.region, &agent.spec.cluster);
    if !form::is_region(region) {
        found.add("spec.region", format!("`{region}` is not a region"), "a region such as `us-east-1`");
    }
    match form::arn(cluster) {
        None if form::is_name(cluster) => {}
        None => found.add("spec.cluster", format!("`{cluster}` is neither a cluster name nor an ARN"), NAME),
        Some(arn) if arn.service == "ecs" && arn.resource.strip_prefix("cluster/").is_some_and(form::is_name) => {
            same_region("spec.cluster", arn.region, region, found);
        }
        Some(_) => found.add(
            "spec.cluster",
            format!("`{cluster}` is not the ARN of a cluster"),
            "`arn:aws:ecs:<region>:<account>:cluster/<name>`, or just the name",
        ),
    }
}

/// What stands in another region than the agent cannot be used by it.
pub(super) fn same_region(path: &str, theirs: &str, ours: &str, found: &mut Found) {
    if theirs != ours {
        found.add(path, format!("stands in region `{theirs}`, the agent in `{ours}`"), "one region, see `spec.region`");
    }
}

fn roles(agent: &AgentDeployment, found: &mut Found) {
    let roles = &agent.spec.roles;
    for (field, role) in [("spec.roles.execution", &roles.execution), ("spec.roles.task", &roles.task)] {
        if let Some(role) = role.as_ref().filter(|role| !form::is_role(role)) {
            let hint = "`arn:aws:iam::<account>:role/<name>`, or just the name";
            found.add(field, format!("`{role}` is neither a role's ARN nor its name"), hint);
        }
    }
    let Some(account) = &agent.spec.account else {
        return;
    };
    if !form::is_role_arn(&account.role_arn) {
        let problem = format!("`{}` is not the ARN of a role", account.role_arn);
        found.add("spec.account.roleArn", problem, "`arn:aws:iam::<account>:role/<name>`");
    }
    let sound = |id: &String| (2..=1224).contains(&id.len()) && form::is_of(id, "+=,.@:/_-");
    if account.external_id.as_ref().is_some_and(|id| !sound(id)) {
        let hint = "2 to 1224 letters, digits or `+=,.@:/_-`";
        found.add("spec.account.externalId", "not an external id", hint);
    }
    session(account, found);
}

/// As STS has it: a name that CloudTrail can show, and tags like those of resources.
fn session(account: &Account, found: &mut Found) {
    let named = |name: &String| (2..=64).contains(&name.len()) && form::is_of(name, "_=,.@-");
    if let Some(name) = account.session_name.as_ref().filter(|name| !named(name)) {
        let hint = "2 to 64 letters, digits or `_=,.@-`";
        found.add("spec.account.sessionName", format!("`{name}` is not the name of a session"), hint);
    }
    let sound = |text: &str, least: usize, most: usize| {
        let count = text.chars().count();
        let known = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
        (least..=most).contains(&count) && text.chars().all(known)
    };
    for (key, value) in &account.session_tags {
        if !sound(key, 1, 128) || !sound(value, 0, 256) || key.to_lowercase().starts_with("aws:") {
            let hint = "a key of 1 to 128 and a value of up to 256 letters, digits, spaces or `_.:/=+-@`, not `aws:*`";
            found.add(path::field("spec.account.sessionTags", key), "not a session tag", hint);
        }
    }
    if account.session_tags.len() > MAX_SESSION_TAGS {
        found.add("spec.account.sessionTags", "too many tags", format!("at most {MAX_SESSION_TAGS}"));
    }
}

fn labels(agent: &AgentDeployment, found: &mut Found) {
    let sound = |text: &str| text.len() <= 63 && form::is_of(text, "._/-");
    for (key, value) in &agent.metadata.labels {
        if key.is_empty() || !sound(key) || !sound(value) {
            let at = path::field("metadata.labels", key);
            let hint = "letters, digits, `.`, `_`, `/` and `-`, at most 63 characters each";
            found.add(at, format!("`{key}={value}` is not a label"), hint);
        }
    }
}

fn tags(agent: &AgentDeployment, found: &mut Found) {
    let tags = &agent.spec.tags;
    if tags.len() > MAX_TAGS {
        let hint = format!("at most {MAX_TAGS}; AWS allows 50 and Fargateer sets its own");
        found.add("spec.tags", format!("{} tags are too many", tags.len()), hint);
    }
    let known = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    let sound = |text: &str, longest: usize| text.chars().count() <= longest && text.chars().all(known);
    for (key, value) in tags {
        let at = path::field("spec.tags", key);
        let lower = key.to_ascii_lowercase();
        if let Some(prefix) = ["aws:", "fargateer:"].into_iter().find(|prefix| lower.starts_with(prefix)) {
            found.add(at, format!("tag keys that begin with `{prefix}` are reserved"), "choose another key");
        } else if key.is_empty() || !sound(key, 128) || !sound(value, 256) {
            let hint = "letters, digits, spaces and `_.:/=+-@`; key 1 to 128 characters, value up to 256";
            found.add(at, "not a tag AWS accepts", hint);
        }
    }
}

fn drift(agent: &AgentDeployment, found: &mut Found) {
    let roots = ["/service/", "/taskDefinition/", "/logGroup/", "/scaling/"];
    let known = |field: &str| roots.iter().any(|root| field.strip_prefix(root).is_some_and(|rest| !rest.is_empty()));
    for (index, field) in agent.spec.drift.ignore.iter().enumerate().filter(|(_, field)| !known(field)) {
        let hint = "a field such as `/service/desiredCount`; also `/taskDefinition/`, `/logGroup/`, `/scaling/`";
        found.add(path::item("spec.drift.ignore", index), format!("`{field}` is no path of a live field"), hint);
    }
    found.unique("spec.drift.ignore", agent.spec.drift.ignore.iter().map(String::as_str));
}

fn suspend(agent: &AgentDeployment, found: &mut Found) {
    let Some(suspend) = &agent.spec.suspend else {
        return;
    };
    if suspend.reason.trim().is_empty() {
        found.add("spec.suspend.reason", "the reason is empty", "why the agent is left alone");
    }
    if let Some(until) = suspend.until.as_ref().filter(|until| !form::is_timestamp(until)) {
        let problem = format!("`{until}` is not a point in time");
        found.add("spec.suspend.until", problem, "RFC 3339, such as `2026-07-01T12:00:00Z`");
    }
}

fn depends_on(agent: &AgentDeployment, found: &mut Found) {
    for (index, name) in agent.spec.depends_on.iter().enumerate() {
        let at = path::item("spec.dependsOn", index);
        if *name == agent.metadata.name {
            found.add(at, "an agent cannot depend on itself", "name other agents");
        } else if !form::is_label(name) {
            found.add(at, format!("`{name}` is not the name of an agent"), LABEL);
        }
    }
    found.unique("spec.dependsOn", agent.spec.depends_on.iter().map(String::as_str));
}
