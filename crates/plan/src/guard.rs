//! What we refuse: things that are not ours, managed elsewhere, suspended, or not to be corrected.

use fargateer_api::Reason;
use jiff::Timestamp;

use crate::desired::Wanted;
use crate::failure::Failure;
use crate::service;
use crate::tags::{self, Ownership};

/// Why nothing is done.
#[derive(Debug, Clone, PartialEq)]
pub enum Gate {
    /// The spec is not usable.
    Unclear(Reason, String),
    /// Hands off was asked for.
    Suspended(String),
    /// Other agents must be Ready first.
    Dependency(String),
    /// Something that must be known could not be seen.
    Unknown(Failure),
    /// The image's tag is not in ECR.
    ImageNotFound(String),
    /// The target group is not there.
    TargetGroupNotFound(String),
    /// Not ours to touch.
    NotOurs(Reason, String),
    /// A service of the same name is on its way out.
    Draining(String),
    /// ECS rejected this very revision; held until the spec changes or a person retries.
    RolledBack(String),
    /// Drift was seen and is left alone by the spec's wish.
    DriftLeftAlone,
    /// A deletion waits (grace, confirmation) or is not wanted (retained).
    Kept(Reason, String),
}

/// Whether the spec suspends the agent at `now`; an unreadable or past `until` is validation's and time's business.
pub fn suspended(wanted: &Wanted) -> Option<Gate> {
    let suspend = wanted.agent.spec.suspend.as_ref()?;
    let until = suspend.until.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    if until.is_some_and(|until| until <= wanted.circumstances.now) {
        return None;
    }
    let by = suspend.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let until = suspend.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
    Some(Gate::Suspended(format!("suspended{by}{until}: {}", suspend.reason)))
}

/// Whether agents this one depends on are not Ready.
pub fn dependency(wanted: &Wanted) -> Option<Gate> {
    let names: Vec<&str> = wanted.circumstances.unready.iter().map(fargateer_api::Key::as_str).collect();
    (!names.is_empty()).then(|| Gate::Dependency(format!("waits until {} is Ready", names.join(", "))))
}

/// Whether the live service is somebody else's.
pub fn not_ours(live: &service::Live, owner: &str, agent: &str) -> Option<Gate> {
    let name = live.text("serviceName");
    let controller = live.document.get("deploymentController").and_then(|controller| controller.get("type"));
    let controller = controller.and_then(serde_json::Value::as_str).unwrap_or("ECS");
    let manager = live.text("resourceManagementType");
    if !manager.is_empty() && manager != "CUSTOMER" {
        let message =
            format!("service {name} is managed by {manager} (ECS Express Mode); it is never taken over silently");
        return Some(Gate::NotOurs(Reason::ManagedElsewhere, message));
    }
    if controller != "ECS" {
        let message = format!("service {name} is deployed by the {controller} deployment controller, not by ECS");
        return Some(Gate::NotOurs(Reason::ManagedElsewhere, message));
    }
    let tags = live.tags();
    let message = match tags::ownership(&tags, owner, agent) {
        Ownership::Ours => return None,
        Ownership::Nobodys => format!("service {name} exists without our owner tag; it was made by somebody else"),
        Ownership::Installation(other) => format!("service {name} belongs to installation {other}, not to {owner}"),
        Ownership::Agent(other) => format!("service {name} belongs to agent {other}"),
    };
    Some(Gate::NotOurs(Reason::NotOurs, message))
}

/// Whether the live service is on its way out, so that its name cannot be used yet.
pub fn draining(live: &service::Live) -> Option<Gate> {
    let message =
        format!("service {} is still draining; its name is free when it is INACTIVE", live.text("serviceName"));
    (live.text("status") == "DRAINING").then_some(Gate::Draining(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn refusal(more: &Value) -> Option<Reason> {
        let mut document = json!({
            "serviceName": "bot",
            "status": "ACTIVE",
            "tags": [{"key": tags::OWNER, "value": "default"}, {"key": tags::AGENT, "value": "bot"}],
        });
        let fields = document.as_object_mut().expect("an object");
        fields.extend(more.as_object().cloned().unwrap_or_default());
        let live = service::Live { document: fields.clone() };
        not_ours(&live, "default", "bot")
            .map(|gate| if let Gate::NotOurs(reason, _) = gate { reason } else { Reason::Fine })
    }

    #[test]
    fn a_service_that_carries_our_tags_is_ours() {
        assert_eq!(refusal(&json!({})), None);
        assert_eq!(
            refusal(&json!({"resourceManagementType": "CUSTOMER", "deploymentController": {"type": "ECS"}})),
            None
        );
    }

    /// Lesson 27: tags are not enough, for they can be copied or inherited.
    #[test]
    fn a_service_of_express_mode_is_refused_whatever_its_tags_say() {
        assert_eq!(refusal(&json!({"resourceManagementType": "ECS"})), Some(Reason::ManagedElsewhere));
    }

    #[test]
    fn a_service_of_another_deployment_controller_is_refused_whatever_its_tags_say() {
        for controller in ["CODE_DEPLOY", "EXTERNAL"] {
            let live = json!({"deploymentController": {"type": controller}});
            assert_eq!(refusal(&live), Some(Reason::ManagedElsewhere));
        }
    }
}
