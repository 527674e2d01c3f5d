//! The events of a service: what its scheduler did, in the words of ECS.
//!
//! ECS developer guide, "Amazon ECS service event messages". Newest first, at most a hundred.

use crate::arn;
use crate::input::Members;
use crate::state::Region;
use crate::state::ecs::{Service, ServiceStatus};
use serde_json::{Value, json};

/// Adds `(service NAME) MESSAGE`.
pub(super) fn add(region: &mut Region, service: &mut Service, message: &str) {
    for event in repeated(region, service).into_iter().rev() {
        service.events.push_front(event);
    }
    let event = json!({
        "id": region.uuid(),
        "createdAt": region.timestamp(),
        "message": format!("(service {}) {message}", service.name),
    });
    service.events.push_front(event);
    service.events.truncate(100);
}

/// How often a service that stays as it should be says so again.
const AGAIN: f64 = 6.0 * 3600.0;
const STEADY: &str = "has reached a steady state.";

/// The steady states that were not written down, newest first: nobody looked when they were said.
fn repeated(region: &Region, service: &Service) -> Vec<Value> {
    let newest = service.events.front().filter(|_| service.status == ServiceStatus::Active);
    let message = newest.and_then(|event| event.text("message")).filter(|message| message.ends_with(STEADY));
    let said = newest.and_then(|event| event.number("createdAt"));
    let (Some(message), Some(said)) = (message, said) else {
        return Vec::new();
    };
    let now = region.timestamp();
    let times = (1_u32..).map(|time| said + f64::from(time) * AGAIN).take_while(|at| *at <= now);
    let mut events: Vec<Value> = times
        .map(|at| json!({"id": arn::uuid(&format!("{} {at}", service.arn)), "createdAt": at, "message": message}))
        .collect();
    events.reverse();
    events.truncate(100);
    events
}

/// The events as they are described, newest first.
pub(super) fn shown(region: &Region, service: &Service) -> Vec<Value> {
    let mut events = repeated(region, service);
    events.extend(service.events.iter().cloned());
    events.truncate(100);
    events
}

/// Adds a message unless it is the newest already.
pub(super) fn add_once(region: &mut Region, service: &mut Service, message: &str) {
    let newest = service.events.front().and_then(|event| event.text("message"));
    if !newest.is_some_and(|newest| newest.ends_with(message)) {
        add(region, service, message);
    }
}

/// `(task a) (task b)`.
pub(super) fn tasks(ids: &[String]) -> String {
    ids.iter().map(|id| format!("(task {id})")).collect::<Vec<_>>().join(" ")
}
