//! Smoke checks: requests to an agent's running tasks, at their private addresses.
//!
//! Fargateer must be able to reach them: it runs in the VPC, or is peered with it. What cannot be reached has failed.

use fargateer_plan::failure::Failure;
use fargateer_plan::observed::Look;
use fargateer_plan::seen::Seen;
use fargateer_plan::verify::Probe;
use serde_json::Value;

use crate::caller::{Caller, items, text};
use crate::task;

/// So many tasks are asked; the rest runs the same revision.
const TASKS: u32 = 3;

/// What the smoke checks of `look` find.
pub(crate) async fn observe(caller: &Caller<'_>, look: &Look) -> Seen<Probe> {
    let Look::Probe { cluster, service, port, path, invoke } = look else { return Seen::NotLooked };
    let tasks: Result<Vec<Value>, Failure> = task::described(caller, (cluster, service), "RUNNING", TASKS).await;
    let tasks = match tasks {
        Ok(tasks) => tasks,
        Err(failure) => return Seen::Unknown(failure),
    };
    let mut probe = Probe::default();
    for address in tasks.iter().filter_map(address) {
        let base = format!("http://{address}:{port}");
        check(caller, &mut probe, (format!("{base}{path}"), None)).await;
        if let Some(body) = invoke {
            check(caller, &mut probe, (format!("{base}/invocations"), Some(body))).await;
        }
    }
    if probe.tried == 0 {
        probe.failures.push("no running task has an address".to_owned());
    }
    Seen::Present(probe)
}

async fn check(caller: &Caller<'_>, probe: &mut Probe, (url, body): (String, Option<&String>)) {
    probe.tried += 1;
    // A query may hold a token, and what failed is told in statuses and events.
    let shown = url.split('?').next().unwrap_or_default();
    match caller.http.ask(&url, body.map(String::as_str)).await {
        Ok(status) if (200..300).contains(&status) => {}
        Ok(status) => probe.failures.push(format!("{shown} answered {status}")),
        Err(error) => probe.failures.push(format!("{shown}: {error}")),
    }
}

/// The private address of a task.
fn address(task: &Value) -> Option<&str> {
    let mut details = items(task, "attachments").iter().flat_map(|attachment| items(attachment, "details"));
    let detail = details.find(|detail| text(detail, "name") == "privateIPv4Address")?;
    Some(text(detail, "value")).filter(|address| !address.is_empty())
}
