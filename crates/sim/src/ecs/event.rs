//! The events of a service: what its scheduler did, in the words of ECS.
//!
//! ECS developer guide, "Amazon ECS service event messages". Newest first, at most a hundred.

use crate::input::Members;
use crate::state::Region;
use crate::state::ecs::Service;
use serde_json::json;

/// Adds `(service NAME) MESSAGE`.
pub(super) fn add(region: &mut Region, service: &mut Service, message: &str) {
    let event = json!({
        "id": region.uuid(),
        "createdAt": region.timestamp(),
        "message": format!("(service {}) {message}", service.name),
    });
    service.events.push_front(event);
    service.events.truncate(100);
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
