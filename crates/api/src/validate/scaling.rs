//! Autoscaling. While it is off, its fields are defaults waiting and no rule speaks of them.

use super::{Found, form};
use crate::{
    path,
    spec::{AgentDeployment, Autoscaling, ScheduledAction},
};

pub(super) fn check(agent: &AgentDeployment, found: &mut Found) {
    let scaling = &agent.spec.autoscaling;
    if !scaling.enabled {
        return;
    }
    range(scaling, found);
    policies(agent, found);
    for (index, action) in scaling.scheduled.iter().enumerate() {
        scheduled(action, &path::item("spec.autoscaling.scheduled", index), found);
    }
    found.unique("spec.autoscaling.scheduled", scaling.scheduled.iter().map(|action| action.name.as_str()));
    names(scaling, found);
}

/// What another tool called its policies and scheduled actions; AWS allows any characters but a few.
fn names(scaling: &Autoscaling, found: &mut Found) {
    const BASE: &str = "spec.autoscaling.names";
    let scheduled = scaling.scheduled.iter().map(|action| action.name.as_str());
    let known: Vec<&str> = ["cpu", "memory", "requests"].into_iter().chain(scheduled).collect();
    for (word, name) in &scaling.names {
        let at = path::field(BASE, word);
        if !known.contains(&word.as_str()) {
            let hint = format!("one of `{}`", known.join("`, `"));
            found.add(&at, format!("`{word}` is neither a policy nor a scheduled change"), hint);
        }
        if !(1..=256).contains(&name.len()) || name.contains([':', '/', '|']) {
            found.add(&at, "not a name AWS accepts", "1 to 256 characters without `:`, `/` and `|`");
        }
    }
    found.unique(BASE, scaling.names.values().map(String::as_str));
}

fn range(scaling: &Autoscaling, found: &mut Found) {
    found.range("spec.autoscaling.max", scaling.max, 1..=5000, "tasks");
    if scaling.min > scaling.max {
        let problem = format!("the fewest tasks ({}) are more than the most ({})", scaling.min, scaling.max);
        found.add("spec.autoscaling.min", problem, "at most `spec.autoscaling.max`");
    }
}

fn policies(agent: &AgentDeployment, found: &mut Found) {
    let scaling = &agent.spec.autoscaling;
    let percents = [("targetCpu", scaling.target_cpu), ("targetMemory", scaling.target_memory)];
    for (field, percent) in percents {
        if let Some(percent) = percent {
            found.range(&path::field("spec.autoscaling", field), percent, 1..=100, "percent");
        }
    }
    if let Some(requests) = scaling.requests_per_target {
        let at = "spec.autoscaling.requestsPerTarget";
        found.range(at, requests, 1..=u32::MAX, "requests");
        if agent.spec.load_balancer.is_none() {
            found.add(at, "there is no target group to count requests at", "a `spec.loadBalancer`");
        }
    }
    let none = percents.iter().all(|(_, percent)| percent.is_none()) && scaling.requests_per_target.is_none();
    if none && scaling.scheduled.is_empty() {
        let hint = "`targetCpu`, `targetMemory`, `requestsPerTarget` or `scheduled`";
        found.add("spec.autoscaling", "nothing says when to scale", hint);
    }
}

fn scheduled(action: &ScheduledAction, at: &str, found: &mut Found) {
    let ScheduledAction { name, schedule, timezone, min, max } = action;
    if !(1..=256).contains(&name.len()) || !form::is_of(name, "_.-") {
        let hint = "letters, digits, `_`, `.` and `-`, 1 to 256 characters";
        found.add(path::field(at, "name"), format!("`{name}` is not a name"), hint);
    }
    if !is_schedule(schedule) {
        let hint = "`at(2026-07-01T08:00:00)`, `rate(1 hour)` or `cron(0 8 * * ? *)`";
        found.add(path::field(at, "schedule"), format!("`{schedule}` is not a schedule"), hint);
    }
    if let Some(zone) = timezone.as_ref().filter(|zone| zone.is_empty() || !form::is_of(zone, "/_+-")) {
        found.add(path::field(at, "timezone"), format!("`{zone}` is not a time zone"), "an IANA name: `Europe/Berlin`");
    }
    match (min, max) {
        (None, None) => found.add(at, "the action changes nothing", "`min`, `max` or both"),
        (Some(min), Some(max)) if min > max => {
            let problem = format!("the fewest tasks ({min}) are more than the most ({max})");
            found.add(path::field(at, "min"), problem, "at most `max`");
        }
        (Some(_), _) | (None, Some(_)) => {}
    }
}

fn is_schedule(text: &str) -> bool {
    let Some((kind, inner)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) else {
        return false;
    };
    match kind {
        "at" => form::is_timestamp(&format!("{inner}Z")),
        "rate" => is_rate(inner),
        "cron" => inner.split(' ').filter(|field| !field.is_empty()).count() == 6 && form::is_of(inner, " *?/,-#"),
        _ => false,
    }
}

fn is_rate(text: &str) -> bool {
    let units = ["minute", "minutes", "hour", "hours", "day", "days"];
    text.split_once(' ')
        .is_some_and(|(number, unit)| number.parse::<u32>().is_ok_and(|n| n > 0) && units.contains(&unit))
}
