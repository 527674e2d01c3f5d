//! Why tasks stop, in words that help: ECS's stop codes and reasons turned into advice.
//!
//! Patterns from the ECS developer guide, "Stopped task error codes" and "Cannot pull image".

use fargateer_api::status::Failure;
use fargateer_api::visible;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A task that stopped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StoppedTask {
    /// ARN.
    pub arn: String,
    /// ECS stop code.
    pub stop_code: String,
    /// ECS's reason for the task.
    pub stopped_reason: String,
    /// Exit code of the agent's container.
    pub exit_code: Option<i32>,
    /// ECS's reason for the container.
    pub container_reason: String,
    /// Its last log lines, where they could be read.
    pub log: Vec<String>,
}

/// The tasks of a service that is being deleted which have not stopped yet.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stopping {
    /// How many.
    pub count: usize,
    /// When the first of them was told to stop: seconds since 1970.
    pub since: Option<f64>,
    /// Seconds its containers have between SIGTERM and SIGKILL, at most.
    pub timeout: u64,
}

/// The exit code of our runtime when it cannot load the agent (EX_CONFIG).
const UNLOADED: i32 = 78;
/// Lines of a traceback that are told: its end says what went wrong and where.
const TRACEBACK: usize = 8;

/// Stops that are ordinary life, not failures.
const ORDINARY: &[&str] =
    &["Scaling activity initiated by", "ECS is performing maintenance", "Your Spot Task was interrupted"];

/// What a piece of a reason means; the first match wins, so the more telling ones stand first.
const ADVICE: &[(&str, &str)] = &[
    ("toomanyrequests", "the registry limits pulls: mirror the base image in ECR"),
    ("no space left on device", "the image does not fit: raise spec.resources.ephemeralStorageGiB"),
    (
        "does not contain descriptor matching platform",
        "the image is built for another CPU: set spec.resources.architecture",
    ),
    ("exec format error", "the image is built for another CPU: set spec.resources.architecture"),
    ("pull access denied", "the execution role may not pull: give it ecr:BatchGetImage and ecr:GetDownloadUrlForLayer"),
    ("403 Forbidden", "the execution role may not pull: give it ecr:BatchGetImage and ecr:GetDownloadUrlForLayer"),
    ("i/o timeout", "no route to the registry: NAT or VPC endpoints (ecr.api, ecr.dkr, s3), security group port 443"),
    (
        "request canceled",
        "no route to the registry: NAT or VPC endpoints (ecr.api, ecr.dkr, s3), security group port 443",
    ),
    ("connection issue between the task", "no route to ECR: NAT or VPC endpoints (ecr.api, ecr.dkr, s3)"),
    ("unable to pull secrets", "the execution role may not read the secret, or there is no route to it"),
    ("log group does not exist", "the log group is missing: let Fargateer create it (spec.logging.enabled)"),
    ("failed to invoke EFS", "the EFS mount failed: security group port 2049 and mount targets"),
    ("unable to assume the role", "the role must trust ecs-tasks.amazonaws.com"),
    ("OutOfMemory", "the container ran out of memory: raise spec.resources.memory"),
    (
        "health checks in (target-group",
        "the load balancer's check fails: its path and port, and the security group between them",
    ),
    (
        "failed container health checks",
        "the container's check fails: spec.container.healthCheck, and whether the image has curl",
    ),
    ("Capacity is unavailable", "no Fargate capacity: more subnets in other zones, or on-demand instead of Spot"),
    ("RESOURCE:", "no Fargate capacity: more subnets in other zones, or on-demand instead of Spot"),
    (
        "limit on the number of vCPUs",
        "the account's Fargate vCPU quota is used up: ask for more (L-3032A538, Spot L-36FBB829)",
    ),
    ("manifest unknown", "the image does not exist: spec.image.uri, or a lifecycle policy removed it"),
    ("failed to resolve ref", "the image does not exist: spec.image.uri, or a lifecycle policy removed it"),
    ("CannotPull", "the image cannot be pulled: spec.image.uri, the execution role and the route to the registry"),
];

/// Which of `tasks`, newest first, failed last.
pub fn telling(tasks: &[StoppedTask]) -> Option<usize> {
    tasks.iter().position(|task| !ORDINARY.iter().any(|text| task.stopped_reason.contains(text)))
}

/// The newest telling failure among `tasks`, with advice.
pub fn failure(tasks: &[StoppedTask]) -> Option<Failure> {
    let task = tasks.get(telling(tasks)?)?;
    let reason = [task.stopped_reason.as_str(), task.container_reason.as_str()];
    let reason = reason.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ");
    let unloaded = unloaded(task);
    let log = unloaded.as_ref().map_or_else(|| task.log.clone(), |(_, traceback)| traceback.clone());
    Some(Failure {
        stop_code: Some(task.stop_code.clone()).filter(|code| !code.is_empty()),
        exit_code: task.exit_code,
        advice: unloaded.map(|(why, _)| visible(&why)).or_else(|| advice(&reason, task.exit_code)),
        reason: visible(&reason),
        // An application may log what moves a cursor.
        log: log.iter().map(|line| visible(line)).collect(),
    })
}

/// What our runtime says of an agent that it cannot load (exit code 78, one line of JSON): why, and the end of the traceback.
fn unloaded(task: &StoppedTask) -> Option<(String, Vec<String>)> {
    let said = |line: &String| {
        let line = serde_json::from_str::<Value>(line).ok()?;
        (line.get("event")? == "agent_load_failed").then_some(line)
    };
    let line = task.log.iter().rev().find_map(said).filter(|_| task.exit_code == Some(UNLOADED))?;
    let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
    let hint = text("hint");
    let between = if hint.is_empty() { "" } else { "; " };
    let why = format!("the agent cannot be loaded (AgentLoadFailed): {}{between}{hint}", text("detail"));
    let traceback: Vec<&str> = text("traceback").lines().collect();
    let end = traceback.len().saturating_sub(TRACEBACK);
    Some((why, traceback.into_iter().skip(end).map(str::to_owned).collect()))
}

fn advice(reason: &str, exit_code: Option<i32>) -> Option<String> {
    let known = ADVICE.iter().find(|(pattern, _)| reason.contains(pattern)).map(|(_, advice)| *advice);
    let by_exit = || match exit_code? {
        UNLOADED => Some("the agent cannot be loaded (AgentLoadFailed): its last log line says why"),
        126 | 127 => Some("the command is not there or not executable: spec.container.command"),
        137 => Some("killed: out of memory, or still running when stopTimeout ended"),
        139 => Some("the process crashed (segmentation fault)"),
        143 => Some("the process ended on SIGTERM"),
        0 => Some("the process ended by itself: an agent must keep serving"),
        _ => Some("the agent's process failed: its last log lines say why"),
    };
    known.or_else(by_exit).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(reason: &str, exit_code: Option<i32>) -> StoppedTask {
        StoppedTask { stopped_reason: reason.to_owned(), exit_code, ..StoppedTask::default() }
    }

    #[test]
    fn a_task_scaled_in_is_not_a_failure() {
        let scaled = stopped("Scaling activity initiated by (deployment ecs-svc/1)", None);
        assert_eq!((failure(std::slice::from_ref(&scaled)), telling(std::slice::from_ref(&scaled))), (None, None));
        assert_eq!(telling(&[scaled, stopped("Essential container in task exited", Some(1))]), Some(1));
    }

    #[test]
    fn an_out_of_memory_kill_advises_more_memory() {
        let found = failure(&[stopped("OutOfMemoryError: Container killed due to memory usage", Some(137))]).unwrap();
        assert!(found.advice.unwrap().contains("spec.resources.memory"));
    }

    #[test]
    fn a_crash_points_to_the_log() {
        let found = failure(&[stopped("Essential container in task exited", Some(1))]).unwrap();
        assert!(found.advice.unwrap().contains("log lines"));
    }

    #[test]
    fn an_exit_code_alone_says_what_to_look_at() {
        let advice =
            |code: i32| failure(&[stopped("Essential container in task exited", Some(code))]).unwrap().advice.unwrap();
        for (code, word) in [
            (78, "AgentLoadFailed"),
            (126, "executable"),
            (127, "executable"),
            (137, "out of memory"),
            (139, "crashed"),
            (143, "SIGTERM"),
            (0, "keep serving"),
            (2, "log lines"),
        ] {
            assert!(advice(code).contains(word), "{code}: {}", advice(code));
        }
    }

    #[test]
    fn an_agent_that_cannot_be_loaded_is_told_in_its_own_words() {
        let line = serde_json::json!({"event": "agent_load_failed", "detail": "RuntimeError: no model", "hint": "set MODEL_ID",
            "traceback": (1..=12).map(|number| format!("line {number}")).collect::<Vec<_>>().join("\n")});
        let log = vec!["starting".to_owned(), line.to_string(), "bye".to_owned()];
        let task = |exit_code| StoppedTask { exit_code: Some(exit_code), log: log.clone(), ..StoppedTask::default() };
        let found = failure(&[task(78)]).unwrap();
        let told = "the agent cannot be loaded (AgentLoadFailed): RuntimeError: no model; set MODEL_ID";
        assert_eq!(found.advice.as_deref(), Some(told));
        assert_eq!((found.log.len(), found.log[0].as_str(), found.log[7].as_str()), (8, "line 5", "line 12"));
        assert_eq!(failure(&[task(1)]).unwrap().log, log, "another program may log what it likes");
    }

    #[test]
    fn a_reason_ecs_gives_is_told_whole_and_without_advice_where_none_is_known() {
        let task = StoppedTask {
            stop_code: "TaskFailedToStart".to_owned(),
            stopped_reason: "odd".to_owned(),
            container_reason: "very odd".to_owned(),
            log: vec!["line".to_owned()],
            ..StoppedTask::default()
        };
        let found = failure(&[stopped("Scaling activity initiated by x", None), task]).unwrap();
        assert_eq!((found.reason.as_str(), found.stop_code.as_deref()), ("odd: very odd", Some("TaskFailedToStart")));
        assert_eq!((found.advice, found.log), (None, vec!["line".to_owned()]));
    }
}
