//! Tasks that stopped, or should have: read only to explain why a rollout or a deletion does not get on.

use fargateer_api::Reason;
use fargateer_plan::diagnosis::{self, StoppedTask, Stopping};
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::observed::Look;
use fargateer_plan::seen::Seen;
use fargateer_plan::task_definition::Live;
use serde_json::{Value, json};

use crate::caller::{Caller, Operation, items, text};
use crate::error;
use crate::quota::Group;
use crate::task_definition::Revisions;

/// What this file calls.
pub(crate) const PERMISSIONS: &[&str] = &["ecs:DescribeTasks", "ecs:ListTasks", "logs:GetLogEvents"];

const LIST: Operation = Operation::new("ecs.ListTasks", Group::TaskRead);
const DESCRIBE: Operation = Operation::new("ecs.DescribeTasks", Group::TaskRead);
const LOG: Operation = Operation::new("logs.GetLogEvents", Group::LogEvents);

/// How many stopped tasks are read.
const TASKS: u32 = 10;
/// How many tasks that should have stopped are read.
const STOPPING: u32 = 100;
/// Seconds a container has between SIGTERM and SIGKILL where nothing is said (ECS API reference).
const USUAL: u64 = 30;
/// How many log lines of that one are read.
const LINES: u32 = 20;

/// The tasks that stopped lately, newest first, with the last log lines of the one that tells most.
pub(crate) async fn observe(caller: &Caller<'_>, look: &Look) -> Seen<Vec<StoppedTask>> {
    let Look::StoppedTasks { cluster, service, container, logs } = look else { return Seen::NotLooked };
    let documents = match described(caller, (cluster, service), "STOPPED", TASKS).await {
        Ok(documents) => documents,
        Err(failure) => return Seen::Unknown(failure),
    };
    let mut tasks: Vec<StoppedTask> = documents.iter().map(|document| read(document, container)).collect();
    // Those that a scaling stopped after it are newer, and their logs tell of nothing.
    let telling = diagnosis::telling(&tasks).unwrap_or_default();
    if let (Some(task), Some((group, prefix))) = (tasks.get_mut(telling), logs) {
        let id = task.arn.rsplit('/').next().unwrap_or_default();
        task.log = log_lines(caller, group, &format!("{prefix}/{container}/{id}")).await;
    }
    Seen::Present(tasks)
}

/// Whether ECS knows no service of this name: ListTasks refuses it. A second opinion on DescribeServices' MISSING.
pub(crate) async fn of_nobody(caller: &Caller<'_>, cluster: &str, service: &str) -> Seen<()> {
    let request = json!({"cluster": cluster, "serviceName": service, "maxResults": 1});
    let send = |exchange| caller.clients.ecs.list_tasks().customize().interceptor(exchange).send();
    match caller.json(LIST, &request, send).await {
        Err(failure) if matches!(failure.code.as_str(), "ServiceNotFoundException" | "ClusterNotFoundException") => {
            Seen::Absent
        }
        Err(failure) => Seen::Unknown(failure),
        Ok(_) => {
            let message = "DescribeServices calls the service MISSING, ListTasks knows it";
            let told = ("Contradiction", message);
            Seen::Unknown(error::of(LIST.name, Class::NotYetVisible, Reason::NotYetVisible, told))
        }
    }
}

/// The tasks of a service that is being deleted which have not stopped yet, and how long their containers may take.
pub(crate) async fn stopping(
    caller: &Caller<'_>,
    (cluster, service): (&str, &str),
    revisions: &Revisions,
) -> Seen<Stopping> {
    let documents = match described(caller, (cluster, service), "STOPPED", STOPPING).await {
        Ok(documents) => documents,
        Err(failure) => return Seen::Unknown(failure),
    };
    let left: Vec<&Value> = documents.iter().filter(|task| text(task, "lastStatus") != "STOPPED").collect();
    let told = |task: &&&Value| task.get("stoppingAt").and_then(Value::as_f64).unwrap_or(f64::MAX);
    let oldest = left.iter().min_by(|one, other| told(one).total_cmp(&told(other)));
    let since = oldest.and_then(|task| task.get("stoppingAt")?.as_f64());
    let timeout = match oldest {
        // It only explains: where it cannot be read, the usual time is told.
        Some(task) => {
            revisions.observe(caller, text(task, "taskDefinitionArn")).await.present().map_or(USUAL, stop_timeout)
        }
        None => USUAL,
    };
    Seen::Present(Stopping { count: left.len(), since, timeout })
}

/// The longest time any container of a revision has between SIGTERM and SIGKILL.
fn stop_timeout(live: &Live) -> u64 {
    let containers = items(&live.document, "containerDefinitions").iter();
    containers
        .map(|container| container.get("stopTimeout").and_then(Value::as_u64).unwrap_or(USUAL))
        .max()
        .unwrap_or(USUAL)
}

/// Up to `most` tasks of a service that are meant to be `status`, the last to stop first.
pub(crate) async fn described(
    caller: &Caller<'_>,
    (cluster, service): (&str, &str),
    status: &str,
    most: u32,
) -> Result<Vec<Value>, Failure> {
    let ecs = &caller.clients.ecs;
    let request = json!({"cluster": cluster, "serviceName": service, "desiredStatus": status, "maxResults": most});
    let send = |exchange| ecs.list_tasks().customize().interceptor(exchange).send();
    let listed = caller.json(LIST, &request, send).await?;
    let arns: Vec<&str> = items(&listed, "taskArns").iter().filter_map(Value::as_str).collect();
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let request = json!({"cluster": cluster, "tasks": arns});
    let send = |exchange| ecs.describe_tasks().customize().interceptor(exchange).send();
    let described = caller.json(DESCRIBE, &request, send).await?;
    let mut tasks = items(&described, "tasks").to_vec();
    let ended = |task: &Value| task.get("stoppedAt").and_then(Value::as_f64).unwrap_or_default();
    tasks.sort_by(|left, right| ended(right).total_cmp(&ended(left)));
    Ok(tasks)
}

fn read(document: &Value, container: &str) -> StoppedTask {
    let containers = items(document, "containers");
    let main = containers.iter().find(|entry| text(entry, "name") == container).or_else(|| containers.first());
    let exit_code = main.and_then(|main| main.get("exitCode")).and_then(Value::as_i64);
    StoppedTask {
        arn: text(document, "taskArn").to_owned(),
        stop_code: text(document, "stopCode").to_owned(),
        stopped_reason: text(document, "stoppedReason").to_owned(),
        exit_code: exit_code.and_then(|code| i32::try_from(code).ok()),
        container_reason: main.map(|main| text(main, "reason").to_owned()).unwrap_or_default(),
        log: Vec::new(),
    }
}

/// The last lines of a stream; none where they cannot be read, for they only explain.
pub(crate) async fn log_lines(caller: &Caller<'_>, group: &str, stream: &str) -> Vec<String> {
    let request = json!({"logGroupName": group, "logStreamName": stream, "limit": LINES, "startFromHead": false});
    let send = |exchange| caller.clients.logs.get_log_events().customize().interceptor(exchange).send();
    let answer = caller.json(LOG, &request, send).await.unwrap_or_default();
    // What our runtime says of an agent that it cannot load is one line with the whole traceback, whose end counts.
    let most = |line: &str| if line.contains("\"agent_load_failed\"") { 16_000 } else { 400 };
    let printable = |line: &str| line.chars().filter(|letter| !letter.is_control()).take(most(line)).collect();
    items(&answer, "events").iter().map(|event| printable(text(event, "message"))).collect()
}
