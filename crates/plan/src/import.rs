//! A spec out of a live service that somebody else made: every field that has a home in the spec goes there, the rest of
//! the task definition and of the service's settings becomes `overrides`. Whether that is all is not for this file to say:
//! whoever imports plans the spec against the service it came from, and the plan must be empty.

use fargateer_api::{AgentDeployment, request};
use serde_json::{Map, Value, json};

use crate::{log_group, normal, scaling as live_scaling, service as live_service, tags, task_definition};

mod scaling;
mod service;
mod task;

/// What was read of a service.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The region it stands in.
    pub region: &'a str,
    /// The service.
    pub service: &'a live_service::Live,
    /// The revision it runs.
    pub revision: &'a task_definition::Live,
    /// Its scaling, scheduled actions included, where it has some.
    pub scaling: Option<&'a live_scaling::Live>,
    /// The log group its agent writes to, where there is one.
    pub log_group: Option<&'a log_group::Live>,
}

/// What a live service means as a spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The spec.
    pub agent: AgentDeployment,
    /// What it cannot say.
    pub unsaid: Vec<Unsaid>,
    /// Variables of containers whose values look like secrets, by name.
    pub secretive: Vec<String>,
}

/// Something of a live service that no field of a spec can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsaid {
    /// Where it stands.
    pub field: String,
    /// What it is, and what becomes of it.
    pub why: String,
}

/// The name of the log group of the container that `found` takes for the agent's.
pub fn log_group_name(service: &live_service::Live, revision: &task_definition::Live) -> Option<String> {
    let document = normal::task_definition(&revision.document);
    let main = task::main(&document, &revision.document, service)?;
    let log = main.get("logConfiguration").filter(|log| log.get("logDriver").is_some_and(|driver| driver == "awslogs"));
    log?.pointer("/options/awslogs-group")?.as_str().map(str::to_owned)
}

/// The spec that `found` means. An error says which live value no spec can hold.
pub fn spec(found: &Found<'_>) -> Result<Imported, String> {
    let document = normal::task_definition(&found.revision.document);
    let main = task::main(&document, &found.revision.document, found.service);
    let main = main.ok_or_else(|| "its task definition has no container".to_owned())?;
    let port = task::port(&document, main, found.service);
    let name = name(found.service);
    let (autoscaling, ignored, unsaid) = scaling::fields(found.scaling);
    let mut spec = Map::new();
    spec.extend(task::fields(&document, (main, port), found));
    spec.extend(service::fields((main, port), found, &name));
    spec.insert("autoscaling".to_owned(), autoscaling);
    spec.insert("drift".to_owned(), json!({"ignore": ignored}));
    spec.retain(|_, value| !value.is_null());
    let whole =
        json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": name}, "spec": spec});
    let mut agent: AgentDeployment = serde_json::from_value(whole).map_err(|error| error.to_string())?;
    agent.spec.overrides.task_definition = task::rest(&agent, &document);
    agent.spec.overrides.service = service::rest(&agent, found.service);
    Ok(Imported { agent, unsaid, secretive: secretive(&document) })
}

/// What the agent is called: as our tag says, where there is one, else after the service.
fn name(service: &live_service::Live) -> String {
    let tagged = service.tags().get(tags::AGENT).cloned();
    tagged.unwrap_or_else(|| request::label(service.text("serviceName")))
}

/// Variables of any container whose name or value looks like that of a secret.
fn secretive(document: &Value) -> Vec<String> {
    let variables = list(document, "containerDefinitions").iter().flat_map(|container| list(container, "environment"));
    let looks = |variable: &&Value| looks_secret(text(variable, "name"), text(variable, "value"));
    variables.filter(looks).map(|variable| text(variable, "name").to_owned()).collect()
}

fn looks_secret(name: &str, value: &str) -> bool {
    const NAMES: &[&str] = &[
        "secret",
        "token",
        "passw",
        "pwd",
        "apikey",
        "privatekey",
        "accesskey",
        "credential",
        "authkey",
        "webhookurl",
    ];
    const VALUES: &[&str] = &["AKIA", "ASIA", "-----BEGIN", "ghp_", "github_pat_", "glpat-", "xox", "sk-", "eyJ"];
    let plain = name.to_lowercase().replace(['_', '-', '.'], "");
    // A reference to a secret is none, nor is an empty value.
    let refers = value.is_empty() || value.starts_with("arn:");
    let in_url = value.split_once("://").is_some_and(|(_, rest)| {
        rest.split('/').next().is_some_and(|host| host.split_once('@').is_some_and(|(user, _)| user.contains(':')))
    });
    let named = NAMES.iter().any(|word| plain.contains(word));
    !refers && (named || in_url || VALUES.iter().any(|start| value.starts_with(start)))
}

/// The list at `key`; empty where there is none.
fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The text at `key`; empty where there is none.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_look_like_secrets_are_told_by_name_or_value() {
        for (name, value) in [
            ("DB_PASSWORD", "x"),
            ("OPENAI_API_KEY", "x"),
            ("Github-Token", "x"),
            ("PLAIN", "ghp_0123"),
            ("DATABASE_URL", "postgres://app:hunter2@db/app"),
        ] {
            assert!(looks_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("LOG_LEVEL", "info"),
            ("SECRET_ARN", "arn:aws:secretsmanager:us-east-1:1:secret:x"),
            ("API_TOKEN", ""),
            ("HOME_URL", "https://example.com/@kim:home"),
        ] {
            assert!(!looks_secret(name, value), "{name}");
        }
    }

    #[test]
    fn only_variables_that_look_like_secrets_are_told_of_any_container() {
        let variable = |name: &str| json!({"name": name, "value": "x"});
        let containers = json!([{"environment": [variable("LOG_LEVEL")]}, {"environment": [variable("DB_PASSWORD")]}]);
        assert_eq!(secretive(&json!({"containerDefinitions": containers})), ["DB_PASSWORD"]);
        let calm = json!([{"environment": [variable("LOG_LEVEL")]}]);
        assert_eq!(secretive(&json!({"containerDefinitions": calm})), Vec::<String>::new());
    }

    #[test]
    fn the_log_group_is_the_one_awslogs_writes_to() {
        let named = |driver: &str| {
            let logging = json!({"logDriver": driver, "options": {"awslogs-group": "/ecs/web"}});
            let containers = json!([{"name": "web", "image": "x", "logConfiguration": logging}]);
            let answer = json!({"taskDefinition": {"taskDefinitionArn": "web:1", "containerDefinitions": containers}});
            let revision = task_definition::Live::from_answer(&answer).unwrap();
            let service = json!({"serviceName": "web"}).as_object().unwrap().clone();
            log_group_name(&live_service::Live { document: service }, &revision)
        };
        assert_eq!((named("awslogs").as_deref(), named("fluentd")), (Some("/ecs/web"), None));
    }
}
