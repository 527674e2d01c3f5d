//! A deletion that takes too long: since when, and what stands in its way. It is tried on all the same.

use jiff::Timestamp;

use crate::desired::Desired;
use crate::failure::Failure;
use crate::guard::Gate;
use crate::pass::Pass;
use crate::prune;

/// What a failed call was to do, in words.
const STEPS: &[(&str, &str)] = &[
    ("application-autoscaling.DeregisterScalableTarget", "the scalable target could not be deregistered"),
    ("ecs.DeleteService", "the service could not be deleted"),
    ("ecs.DeregisterTaskDefinition", "a revision could not be deregistered"),
    ("logs.DeleteLogGroup", "the log group could not be deleted"),
    ("ecs.UntagResource", "the owner tags could not be removed"),
    ("logs.UntagResource", "the owner tags of the log group could not be removed"),
];

/// What blocks the deletion that `pass` was to carry on; none while it is within its deadline.
pub fn blocker(pass: &Pass, result: &Result<(), Failure>, now: Timestamp) -> Option<String> {
    let Desired::Absent(departure, _) = &pass.desired else { return None };
    let late = departure.held.is_none() && prune::is_late(&departure.inventory, now);
    let age = prune::age(&departure.inventory, now).filter(|_| late)?;
    let why = match (result, &pass.plan.gate) {
        (Err(failure), _) | (Ok(()), Some(Gate::Unknown(failure))) => failed(failure),
        (Ok(()), _) => draining(pass, now),
    };
    Some(format!("not deleted after {} min, and tried on: {why}", age.as_mins()))
}

fn failed(failure: &Failure) -> String {
    let step = STEPS.iter().find(|(operation, _)| *operation == failure.operation);
    let Failure { operation, code, message, class: _, reason: _ } = failure;
    step.map_or_else(|| format!("{operation}: {code}: {message}"), |(_, words)| format!("{words}: {code}: {message}"))
}

fn draining(pass: &Pass, now: Timestamp) -> String {
    let Some(live) = pass.observed.service.present() else {
        return "waits until ECS has drained the service".to_owned();
    };
    let (name, status) = (live.text("serviceName"), live.text("status"));
    let left = live.count("runningCount") + live.count("pendingCount");
    let Some(stopping) = pass.observed.stopping.present().filter(|stopping| stopping.count > 0) else {
        return format!("service {name} is {status}: {left} tasks are not gone yet");
    };
    let since = stopping.since.and_then(time);
    let oldest = since.map(|since| format!(", the oldest for {} min", now.duration_since(since).as_mins()));
    let (count, timeout) = (stopping.count, stopping.timeout);
    format!(
        "service {name} is {status}: {count} tasks still stop{} (stopTimeout {timeout} s)",
        oldest.unwrap_or_default()
    )
}

/// A time of AWS.
fn time(seconds: f64) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit an i64 for 290 million years")]
    Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{Circumstances, Departure, Spec};
    use crate::diagnosis::Stopping;
    use crate::failure::Class;
    use crate::seen::Seen;
    use fargateer_api::status::Inventory;
    use fargateer_api::{Key, Reason};
    use serde_json::json;

    fn at(minute: u8) -> Timestamp {
        format!("2026-07-01T12:{minute:02}:00Z").parse().unwrap()
    }

    fn leaving() -> Pass {
        let inventory =
            Inventory { service: "bot".to_owned(), leaving_since: Some(at(0).to_string()), ..Inventory::default() };
        let departure = Departure { key: Key::new("bot"), inventory, held: None };
        let mut pass = Pass::toward(Key::new("bot"), Spec::Gone(Box::new(departure)), Circumstances::default());
        let document = json!({"serviceName": "bot", "status": "DRAINING", "runningCount": 2});
        pass.observed.service = Seen::Present(crate::service::Live { document: document.as_object().unwrap().clone() });
        pass
    }

    #[test]
    fn a_deletion_says_nothing_of_blockers_before_its_deadline() {
        assert_eq!(blocker(&leaving(), &Ok(()), at(29)), None);
        assert!(blocker(&leaving(), &Ok(()), at(30)).is_some());
    }

    #[test]
    fn tasks_that_do_not_stop_are_told_with_their_age_and_time_out() {
        let mut pass = leaving();
        let plain = blocker(&pass, &Ok(()), at(31)).unwrap();
        assert!(plain.ends_with("service bot is DRAINING: 2 tasks are not gone yet"), "{plain}");
        pass.observed.stopping = Seen::Present(Stopping { count: 2, since: Some(1_782_907_200.0), timeout: 120 });
        let told = blocker(&pass, &Ok(()), at(31)).unwrap();
        let expected = "service bot is DRAINING: 2 tasks still stop, the oldest for 31 min (stopTimeout 120 s)";
        assert_eq!(told, format!("not deleted after 31 min, and tried on: {expected}"));
    }

    #[test]
    fn a_call_that_is_refused_is_told_by_what_it_was_to_do() {
        let failure = |operation: &str| Failure {
            class: Class::Denied,
            reason: Reason::AccessDenied,
            operation: operation.to_owned(),
            code: "AccessDeniedException".to_owned(),
            message: "no".to_owned(),
        };
        let told = |operation: &str| blocker(&leaving(), &Err(failure(operation)), at(40)).unwrap();
        let target = told("application-autoscaling.DeregisterScalableTarget");
        assert!(
            target.ends_with(": the scalable target could not be deregistered: AccessDeniedException: no"),
            "{target}"
        );
        assert!(told("ecs.Novelty").ends_with(": ecs.Novelty: AccessDeniedException: no"));
    }
}
