//! What a plan shows of values that may be secrets: that they differ, not what they are.
//!
//! A secret belongs in `secrets`, by reference; people put them into the environment, a command or a log driver's options
//! all the same. Plans and diffs are posted under pull requests and kept in logs, so there such a value is eight
//! hexadecimal digits of its SHA-256: enough to see that it changed. What is sent to AWS is not touched.

use fargateer_api::visible;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::action::Action;
use crate::difference::Difference;

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
    for (kind, change) in [("taskDefinition", "register"), ("service", "create"), ("service", "update")] {
        if let Some(request) = document.get_mut(kind).and_then(|action| action.get_mut(change)) {
            *request = shown(&mut vec![kind.to_owned()], request);
        }
    }
    document
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
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let Some(start) = words.iter().position(|word| *word == "logConfiguration") {
        return is_open_log(&words[start + 1..]);
    }
    match words.as_slice() {
        ["taskDefinition", "containerDefinitions", _, rest @ ..] => is_open_in_container(rest),
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
    fn what_acts_on_a_screen_is_written_out() {
        let field = "/service/tags/a\u{1b}[2J".to_owned();
        let told =
            difference(Difference { field, have: json!("x\ny"), want: json!({"\u{9b}": 1}), effect: Effect::InPlace });
        assert_eq!(told.field, "/service/tags/a\\u{1b}[2J");
        assert_eq!((told.have, told.want), (json!("x\\ny"), json!({"\\u{9b}": 1})));
    }
}
