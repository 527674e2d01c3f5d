//! What people are shown of values that may be secrets: that they differ, not what they are.
//!
//! A secret belongs in `secrets`, by reference; people put them into the environment, a command or a log driver's options
//! all the same. Plans and diffs are posted under pull requests and kept in logs, and the daemon tells its specs to
//! whoever reaches it; so there such a value is eight hexadecimal digits of its SHA-256: enough to see that it changed.
//! What is sent to AWS is not touched, and `fargateer render` shows it, from the file that holds it anyway.

use fargateer_api::spec::AgentDeploymentSpec;
use fargateer_api::{is_confidential, visible};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::action::Action;
use crate::difference::Difference;
use crate::failure::Failure;

/// Fields of a task definition that say nothing in confidence. What is not listed here or below is concealed, so that a
/// field this file has never heard of is.
const OPEN: &[&str] = &[
    "family",
    "cpu",
    "memory",
    "networkMode",
    "requiresCompatibilities",
    "runtimePlatform",
    "executionRoleArn",
    "taskRoleArn",
    "ephemeralStorage",
    "volumes",
    "placementConstraints",
    "pidMode",
    "ipcMode",
    "status",
    "tags",
];

/// The same of a container.
const OPEN_OF_CONTAINER: &[&str] = &[
    "name",
    "image",
    "cpu",
    "memory",
    "memoryReservation",
    "essential",
    "portMappings",
    "stopTimeout",
    "startTimeout",
    "user",
    "workingDirectory",
    "readonlyRootFilesystem",
    "privileged",
    "linuxParameters",
    "dependsOn",
    "mountPoints",
    "volumesFrom",
    "ulimits",
    "systemControls",
    "resourceRequirements",
    "restartPolicy",
    "versionConsistency",
];

/// What a log driver is told that is no secret; `splunk-token` is an option as well.
const OPEN_LOG_OPTIONS: &[&str] = &["mode", "max-buffer-size"];

/// A shorter text is not looked for in sentences of others: it would be found in ordinary words.
const QUOTABLE: usize = 6;

/// A difference as people may see it.
pub fn difference(difference: Difference) -> Difference {
    let Difference { field, have, want, effect } = difference;
    let words: Vec<String> = field.split('/').skip(1).map(str::to_owned).collect();
    let (have, want) = (shown(&mut words.clone(), &have), shown(&mut words.clone(), &want));
    // Names in AWS are whatever somebody called them.
    Difference { field: visible(&field), have, want, effect }
}

/// An action as people may see it, in the form in which it serialises.
pub fn action(action: &Action) -> Value {
    let mut document = json!(action);
    for (kind, request) in requests(&mut document) {
        *request = shown(&mut vec![kind.to_owned()], request);
    }
    document
}

/// A failure of `action` as people may see it: AWS quotes a request where it says what is wrong with it.
pub fn failure(action: &Action, failure: Failure) -> Failure {
    let mut confidential = Vec::new();
    for (kind, request) in requests(&mut json!(action)) {
        quotable(&mut vec![kind.to_owned()], request, &mut confidential);
    }
    // The longest first: one may be a piece of another.
    confidential.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let message = confidential.iter().fold(failure.message, |message, text| message.replace(text, &digest(text)));
    Failure { message, ..failure }
}

/// The confidential texts in `value`, which stands at the path `words`, that would be known again in a sentence.
fn quotable(words: &mut Vec<String>, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                words.push(key.clone());
                quotable(words, value, found);
                words.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                words.push(index.to_string());
                quotable(words, item, found);
                words.pop();
            }
        }
        Value::String(text) if text.len() >= QUOTABLE && !is_open(words) => found.push(text.clone()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The requests in an action's document that may hold something in confidence, each with what it is about.
fn requests(document: &mut Value) -> Vec<(&'static str, &mut Value)> {
    let Some(fields) = document.as_object_mut() else { return Vec::new() };
    let about = |kind: &str| ["taskDefinition", "service"].into_iter().find(|known| *known == kind);
    let changes = fields.iter_mut().filter_map(|(kind, change)| Some((about(kind)?, change.as_object_mut()?)));
    let sent = |change: &str| ["register", "create", "update"].contains(&change);
    let requests =
        changes.flat_map(|(kind, changes)| changes.iter_mut().map(move |(change, request)| (kind, change, request)));
    requests.filter(|(_, change, _)| sent(change)).map(|(kind, _, request)| (kind, request)).collect()
}

/// A spec as people may see it: all its fields and names, and no value that may be a secret.
pub fn spec(spec: &AgentDeploymentSpec) -> Value {
    shown(&mut vec!["spec".to_owned()], &json!(spec))
}

/// `value`, which stands at the path `words`, with what is confidential in it concealed.
fn shown(words: &mut Vec<String>, value: &Value) -> Value {
    let mut below = |word: String, value: &Value| {
        words.push(word);
        let shown = shown(words, value);
        words.pop();
        shown
    };
    match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (visible(key), below(key.clone(), value))).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| below(index.to_string(), item)).collect(),
        Value::String(text) if is_open(words) => Value::from(visible(text)),
        Value::String(text) => Value::from(digest(text)),
        Value::Number(number) if !is_open(words) => Value::from(digest(&number.to_string())),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Whether what stands at this path says nothing in confidence.
fn is_open(words: &[String]) -> bool {
    is_open_at(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn is_open_at(words: &[&str]) -> bool {
    if let Some(start) = words.iter().position(|word| *word == "logConfiguration") {
        return is_open_log(&words[start + 1..]);
    }
    match words {
        // Sidecars and overrides are written in ECS's own form.
        ["spec", "sidecars", _, rest @ ..] | ["taskDefinition", "containerDefinitions", _, rest @ ..] => {
            is_open_in_container(rest)
        }
        ["spec", "overrides", rest @ ..] => is_open_at(rest),
        ["spec", ..] => !is_confidential(&words.join(".")),
        ["taskDefinition", field, ..] => OPEN.contains(field),
        _ => true,
    }
}

fn is_open_in_container(words: &[&str]) -> bool {
    match words {
        ["healthCheck", field, ..] => *field != "command",
        // A list of variables as it is sent, not as differences name them: that has no positions.
        ["environment" | "secrets", position, "name"] => position.parse::<usize>().is_ok(),
        [field, ..] => OPEN_OF_CONTAINER.contains(field),
        [] => true,
    }
}

fn is_open_log(words: &[&str]) -> bool {
    match words {
        ["options", option] => option.starts_with("awslogs-") || OPEN_LOG_OPTIONS.contains(option),
        ["logDriver"] => true,
        _ => false,
    }
}

fn digest(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text)).chars().take(8).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::difference::Effect;
    use crate::{service, task_definition};

    fn told(field: &str, want: Value) -> Value {
        let difference = Difference { field: field.to_owned(), have: Value::Null, want, effect: Effect::InPlace };
        super::difference(difference).want
    }

    #[test]
    fn a_variable_is_told_by_its_name_and_the_digest_of_its_value() {
        let base = "/taskDefinition/containerDefinitions/bot";
        let hidden = "sha256:2bb80d53";
        assert_eq!(told(&format!("{base}/environment/TOKEN"), json!("secret")), hidden);
        assert_eq!(told(&format!("{base}/environment"), json!({"TOKEN": "secret"})), json!({"TOKEN": hidden}));
        assert_eq!(told(base, json!({"environment": {"name": "secret"}})), json!({"environment": {"name": hidden}}));
        assert_eq!(told(&format!("{base}/environment/TOKEN"), Value::Null), Value::Null);
    }

    #[test]
    fn a_field_nobody_has_heard_of_is_concealed_and_a_number_in_it_too() {
        assert_eq!(told("/taskDefinition/novelty", json!("secret")), "sha256:2bb80d53");
        assert_ne!(told("/taskDefinition/containerDefinitions/bot/novelty", json!([123_456])), json!([123_456]));
        assert_eq!(told("/taskDefinition/cpu", json!("256")), "256");
        assert_eq!(told("/service/desiredCount", json!(2)), 2);
    }

    #[test]
    fn the_options_of_a_log_driver_are_concealed_unless_they_are_known() {
        let options = json!({"awslogs-group": "/x", "mode": "blocking", "splunk-token": "secret"});
        let shown = json!({"awslogs-group": "/x", "mode": "blocking", "splunk-token": "sha256:2bb80d53"});
        let logs = json!({"logDriver": "splunk", "options": options, "secretOptions": []});
        let told_logs = json!({"logDriver": "splunk", "options": shown, "secretOptions": []});
        assert_eq!(told("/taskDefinition/containerDefinitions/bot/logConfiguration", logs.clone()), told_logs);
        let connect = json!({"logConfiguration": logs});
        assert_eq!(told("/service/serviceConnectConfiguration", connect), json!({"logConfiguration": told_logs}));
    }

    #[test]
    fn a_command_is_concealed_and_the_numbers_of_a_health_check_are_not() {
        let check = json!({"command": ["CMD", "secret"], "interval": 30});
        let shown = told("/taskDefinition/containerDefinitions/bot/healthCheck", check);
        assert_eq!((&shown["command"][1], &shown["interval"]), (&json!("sha256:2bb80d53"), &json!(30)));
        let command = told("/taskDefinition/containerDefinitions/bot/command", json!(["--token", "secret"]));
        assert_eq!(command[1], "sha256:2bb80d53");
    }

    #[test]
    fn a_request_is_shown_with_names_and_without_values() {
        let environment = json!([{"name": "TOKEN", "value": "secret"}]);
        let request = json!({"family": "bot", "containerDefinitions": [{"name": "a", "environment": environment}]});
        let shown = action(&Action::TaskDefinition(task_definition::Change::Register(request)));
        let told = json!([{"name": "TOKEN", "value": "sha256:2bb80d53"}]);
        let expected = json!({"family": "bot", "containerDefinitions": [{"name": "a", "environment": told}]});
        assert_eq!(shown, json!({"taskDefinition": {"register": expected}}));
        let create = Action::Service(service::Change::Create(json!({"serviceName": "bot"})));
        assert_eq!(action(&create), json!(create));
    }

    #[test]
    fn what_aws_quotes_of_a_request_is_concealed_and_the_rest_of_its_sentence_is_not() {
        let variables = json!([{"name": "TOKEN", "value": "secret"}, {"name": "MORE", "value": "secret-2"}, {"name": "N", "value": "a"}]);
        let request = json!({"family": "bot", "containerDefinitions": [{"name": "bot", "environment": variables}]});
        let action = Action::TaskDefinition(task_definition::Change::Register(request));
        let told = |message: &str| {
            let failed = Failure {
                class: crate::failure::Class::Invalid,
                reason: fargateer_api::Reason::InvalidRequest,
                operation: "ecs.RegisterTaskDefinition".to_owned(),
                code: "ClientException".to_owned(),
                message: message.to_owned(),
            };
            failure(&action, failed).message
        };
        assert_eq!(told("value 'secret' of TOKEN in bot is bad"), "value 'sha256:2bb80d53' of TOKEN in bot is bad");
        assert!(!told("value 'secret-2' is bad").contains("-2"));
    }

    #[test]
    fn a_spec_is_shown_with_its_names_and_without_what_may_be_a_secret() {
        let written = json!({
            "cluster": "agents",
            "account": {"roleArn": "arn:aws:iam::111122223333:role/x", "externalId": "secret"},
            "image": {"uri": "x:1"},
            "network": {"subnets": ["subnet-1"]},
            "tags": {"environment": "production"},
            "container": {
                "environment": {"TOKEN": "secret", "0": "secret"},
                "secrets": {"KEY": {"valueFrom": "secret"}},
                "command": ["secret"],
                "entryPoint": ["secret"],
                "healthCheck": {"command": ["CMD", "secret"]},
            },
            "verify": {"http": {"path": "/ready", "invoke": {"token": "secret"}}},
            "sidecars": [{"name": "a", "image": "b:1", "environment": [{"name": "N", "value": "secret"}]}],
            "overrides": {
                "taskDefinition": {"containerDefinitions": [{"name": "bot", "secrets": [{"name": "S", "valueFrom": "secret"}]}]},
                "service": {"serviceConnectConfiguration": {"logConfiguration": {"options": {"splunk-token": "secret"}}}},
            },
        });
        let parsed: AgentDeploymentSpec = serde_json::from_value(written.clone()).unwrap();
        let told = spec(&parsed);
        assert_eq!(told.to_string().matches("sha256:2bb80d53").count(), 11, "{told}");
        for open in ["/cluster", "/account/roleArn", "/image", "/tags", "/verify/http/path", "/sidecars/0/name"] {
            assert_eq!(told.pointer(open), written.pointer(open), "{open}");
        }
        let names =
            ["/sidecars/0/environment/0/name", "/overrides/taskDefinition/containerDefinitions/0/secrets/0/name"];
        assert_eq!(names.map(|name| told.pointer(name)), names.map(|name| written.pointer(name)));
    }

    #[test]
    fn what_acts_on_a_screen_is_written_out() {
        let field = "/service/tags/a\u{1b}[2J".to_owned();
        let told =
            difference(Difference { field, have: json!("x\ny"), want: json!({"\u{9b}": 1}), effect: Effect::InPlace });
        assert_eq!(told.field, "/service/tags/a\\u{1b}[2J");
        assert_eq!((told.have, told.want), (json!("x\\ny"), json!({"\\u{9b}": 1})));
    }
}
