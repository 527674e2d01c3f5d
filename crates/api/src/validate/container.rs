//! The agent's own container.

use super::{Found, form};
use crate::{
    path,
    spec::{AgentDeployment, Container, HealthCheck},
};

pub(super) fn check(agent: &AgentDeployment, found: &mut Found) {
    let container = &agent.spec.container;
    if !form::is_name(&container.name) {
        let problem = format!("`{}` is not a name ECS accepts", container.name);
        found.add("spec.container.name", problem, "letters, digits, `_` and `-`, 1 to 255 characters");
    }
    if container.port == 0 {
        found.add("spec.container.port", "0 is not a port", "1 to 65535");
    }
    if let Some(seconds) = container.stop_timeout {
        found.range("spec.container.stopTimeout", seconds, 2..=120, "seconds");
    }
    words(container, found);
    environment(container, found);
    concealed(container, found);
    secrets(container, found);
    health_check(&container.health_check, found);
}

fn words(container: &Container, found: &mut Found) {
    if let Some(user) = container.user.as_ref().filter(|user| user.is_empty() || !form::is_of(user, "_.:-")) {
        found.add("spec.container.user", format!("`{user}` is not a user"), "`uid`, `uid:gid` or names");
    }
    if let Some(folder) = container.working_directory.as_ref().filter(|folder| !folder.starts_with('/')) {
        let problem = format!("`{folder}` is not an absolute path");
        found.add("spec.container.workingDirectory", problem, "a path that begins with `/`");
    }
}

fn environment(container: &Container, found: &mut Found) {
    for name in container.environment.keys().filter(|name| !is_variable(name)) {
        variable("spec.container.environment", name, found);
    }
}

/// Values copied from what Fargateer shows of an agent, where they are digests of themselves.
fn concealed(container: &Container, found: &mut Found) {
    let variables = container.environment.iter();
    let variables = variables.map(|(name, value)| (path::field("spec.container.environment", name), value));
    let words = [("spec.container.command", &container.command), ("spec.container.entryPoint", &container.entry_point)];
    let words = words
        .into_iter()
        .flat_map(|(base, words)| words.iter().enumerate().map(move |(index, word)| (path::item(base, index), word)));
    for (at, _) in variables.chain(words).filter(|(_, value)| is_concealed(value)) {
        let hint = "`get`, `describe` and `plan` show digests of values; write the value itself";
        found.add(at, "is the digest that stands for a value, not the value", hint);
    }
}

/// `sha256:` and eight digits; no digest in earnest is as short.
fn is_concealed(value: &str) -> bool {
    let hex = |text: &str| text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    value.strip_prefix("sha256:").is_some_and(hex)
}

fn secrets(container: &Container, found: &mut Found) {
    for (name, secret) in &container.secrets {
        let at = path::field("spec.container.secrets", name);
        if !is_variable(name) {
            variable("spec.container.secrets", name, found);
        }
        if container.environment.contains_key(name) {
            let hint = "keep one; names are unique across both lists";
            found.add(&at, format!("`{name}` is an environment variable, too"), hint);
        }
        if !is_secret(&secret.value_from) {
            let hint = "the ARN of a Secrets Manager secret or SSM parameter, or the name of a parameter";
            found.add(path::field(&at, "valueFrom"), "does not refer to a secret", hint);
        }
    }
}

fn variable(base: &str, name: &str, found: &mut Found) {
    let hint = "letters, digits, `_`, `.` and `-`, not beginning with a digit";
    found.add(path::field(base, name), format!("`{name}` is not the name of a variable"), hint);
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.len() <= 255 && form::is_of(name, "_.-")
}

/// Whether `secrets[].valueFrom` may be this.
pub(super) fn is_secret(from: &str) -> bool {
    if !from.starts_with("arn:") {
        return (1..=2048).contains(&from.len()) && form::is_of(from, "_./-");
    }
    form::arn(from).is_some_and(|arn| match arn.service {
        "secretsmanager" => arn.resource.strip_prefix("secret:").is_some_and(|name| !name.is_empty()),
        "ssm" => arn.resource.strip_prefix("parameter/").is_some_and(|name| !name.is_empty()),
        _ => false,
    })
}

fn health_check(check: &HealthCheck, found: &mut Found) {
    let HealthCheck { path, command, interval, timeout, retries, start_period } = check;
    found.range("spec.container.healthCheck.interval", *interval, 5..=300, "seconds");
    found.range("spec.container.healthCheck.timeout", *timeout, 2..=60, "seconds");
    found.range("spec.container.healthCheck.retries", *retries, 1..=10, "");
    found.range("spec.container.healthCheck.startPeriod", *start_period, 0..=300, "seconds");
    if timeout > interval && (2..=60).contains(timeout) {
        let problem = format!("a check may take {timeout} seconds and the next comes after {interval}");
        found.add("spec.container.healthCheck.timeout", problem, "at most the `interval`");
    }
    // The path becomes part of a shell command: nothing a shell would act on.
    if !path.starts_with('/') || !form::is_of(path, "/_.~%=:@+,-?") {
        let problem = format!("`{path}` is not a path the check can use");
        let hint = "begins with `/`; letters, digits and `/_.~%=:@+,-?`; for anything else give a `command`";
        found.add("spec.container.healthCheck.path", problem, hint);
    }
    health_command(command, found);
}

fn health_command(command: &[String], found: &mut Found) {
    let sound = match command {
        [] => true,
        [first, rest @ ..] if first == "CMD" => !rest.is_empty(),
        [first, rest @ ..] if first == "CMD-SHELL" => rest.len() == 1,
        _ => false,
    };
    if !sound {
        let hint = "`[CMD, program, argument, ...]` or `[CMD-SHELL, \"one shell command\"]`";
        found.add("spec.container.healthCheck.command", "not a health check command", hint);
    }
}
