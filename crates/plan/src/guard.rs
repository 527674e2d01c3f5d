//! What we refuse: things that are not ours, managed elsewhere, suspended, or not to be corrected.

use fargateer_api::fault::Violation;
use fargateer_api::freeze::Frozen;
use fargateer_api::seeded::{Bug, has};
use fargateer_api::{Key, Reason};
use jiff::Timestamp;
use serde_json::Value;

use crate::desired::{Circumstances, Departure, Wanted};
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
    /// Outside of its project's policy.
    Rejected(String),
    /// Other agents must be Ready first; or there are none such, or they wait for this one.
    Dependency(Reason, String),
    /// The project's policy lets nothing be changed now.
    Frozen(Timestamp, String),
    /// Others roll, or failed.
    Turn(Reason, String),
    /// Something that must be known could not be seen.
    Unknown(Failure),
    /// The image's tag is not in ECR.
    ImageNotFound(String),
    /// The image is being built.
    Building(String),
    /// The image cannot be built.
    NotBuilt(Failure),
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

/// Whether the project's policy does not allow the agent. Stands before any look at AWS.
pub fn rejected(wanted: &Wanted) -> Option<Gate> {
    let told = |violation: &Violation| format!("{}: {}", violation.path, violation.problem);
    let breaches: Vec<String> = wanted.circumstances.breaches.iter().map(told).collect();
    (!breaches.is_empty()).then(|| Gate::Rejected(breaches.join("; ")))
}

/// Whether agents this one depends on are not Ready, and perhaps never will be.
pub fn dependency(circumstances: &Circumstances) -> Option<Gate> {
    let names = |keys: &[Key], between: &str| keys.iter().map(Key::as_str).collect::<Vec<_>>().join(between);
    let Circumstances { cycle, absent, unready, .. } = circumstances;
    if !cycle.is_empty() {
        let message =
            format!("depends on itself: {}; one of these has to go from spec.dependsOn", names(cycle, " -> "));
        return Some(Gate::Dependency(Reason::DependencyCycle, message));
    }
    if !absent.is_empty() {
        let message = format!("depends on {}, of which there is no spec (spec.dependsOn)", names(absent, ", "));
        return Some(Gate::Dependency(Reason::DependencyMissing, message));
    }
    let message = || format!("waits until {} is Ready", names(unready, ", "));
    (!unready.is_empty()).then(|| Gate::Dependency(Reason::WaitingForDependency, message()))
}

/// Whether the project's policy lets nothing be changed now. What a person forces goes through.
pub fn frozen(circumstances: &Circumstances) -> Option<Gate> {
    let frozen = circumstances.frozen.as_ref().filter(|_| !circumstances.force)?;
    let Frozen { until, window } = frozen;
    let message =
        format!("the project is frozen until {until} ({window}); `fargateer reconcile NAME --force` goes ahead");
    Some(Gate::Frozen(*until, message))
}

/// Whether it is not this agent's turn to roll. What a person forces goes through.
pub fn turn(circumstances: &Circumstances) -> Option<Gate> {
    let (reason, message) = circumstances.turn.refusal().filter(|_| !circumstances.force)?;
    Some(Gate::Turn(reason, message))
}

/// Whether the live service is somebody else's.
pub fn not_ours(live: &service::Live, owner: &str, agent: &str) -> Option<Gate> {
    let name = live.text("serviceName");
    if let Some(message) = managed_elsewhere(live) {
        return Some(Gate::NotOurs(Reason::ManagedElsewhere, message));
    }
    let tags = live.tags();
    if has(Bug::TouchesForeign) {
        return None;
    }
    let message = match tags::ownership(&tags, owner, agent) {
        Ownership::Ours => return None,
        Ownership::Nobodys => {
            format!(
                "service {name} exists without our owner tag; it was made by somebody else (`fargateer adopt` takes it over)"
            )
        }
        Ownership::Installation(other) => format!("service {name} belongs to installation {other}, not to {owner}"),
        Ownership::Agent(other) => format!("service {name} belongs to agent {other}"),
    };
    Some(Gate::NotOurs(Reason::NotOurs, message))
}

/// Whether the live service is somebody else's and never was seen with our tags: then nothing was made of the spec that is gone,
/// and there is nothing to leave. One that was ours says whose it is now, and is left.
pub fn never_was_ours(live: &service::Live, owner: &str, departure: &Departure) -> bool {
    let was_seen = departure.inventory.arns.contains_key("service");
    !was_seen && not_ours(live, owner, departure.key.as_str()).is_some()
}

/// Why the live service is AWS's or another tool's to manage, whatever tags of ours it carries.
pub fn managed_elsewhere(live: &service::Live) -> Option<String> {
    let name = live.text("serviceName");
    let controller = live.document.get("deploymentController").and_then(|controller| controller.get("type"));
    let controller = controller.and_then(Value::as_str).unwrap_or("ECS");
    let manager = live.text("resourceManagementType");
    if !manager.is_empty() && manager != "CUSTOMER" {
        return Some(format!(
            "service {name} is managed by {manager} (ECS Express Mode); it is never taken over silently"
        ));
    }
    if controller != "ECS" {
        return Some(format!("service {name} is deployed by the {controller} deployment controller, not by ECS"));
    }
    let stack = live.raw_tag("aws:cloudformation:stack-name")?;
    Some(format!("service {name} belongs to the CloudFormation stack {stack}"))
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
    use fargateer_api::status::Inventory;
    use serde_json::json;

    fn live(more: &serde_json::Value) -> service::Live {
        let mut document = json!({"serviceName": "bot", "status": "ACTIVE", "tags": [
            {"key": "fargateer:owner", "value": "prod"}, {"key": "fargateer:agent", "value": "bot"}]});
        let fields = document.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        service::Live { document: fields.clone() }
    }

    fn refused(more: &serde_json::Value) -> Option<Reason> {
        match not_ours(&live(more), "prod", "bot") {
            Some(Gate::NotOurs(reason, _)) => Some(reason),
            _ => None,
        }
    }

    #[test]
    fn what_carries_our_tags_is_ours_also_where_ecs_leaves_the_controller_out() {
        assert_eq!(refused(&json!({})), None);
        let said = json!({"deploymentController": {"type": "ECS"}, "resourceManagementType": "CUSTOMER"});
        assert_eq!(refused(&said), None);
    }

    #[test]
    fn other_tools_services_are_refused_whatever_tags_they_carry() {
        let stack = json!([{"key": "fargateer:owner", "value": "prod"}, {"key": "fargateer:agent", "value": "bot"},
            {"key": "aws:cloudformation:stack-name", "value": "web"}]);
        assert_eq!(refused(&json!({"tags": stack})), Some(Reason::ManagedElsewhere));
        assert_eq!(refused(&json!({"resourceManagementType": "ECS"})), Some(Reason::ManagedElsewhere));
        for controller in ["CODE_DEPLOY", "EXTERNAL"] {
            let said = json!({"deploymentController": {"type": controller}});
            assert_eq!(refused(&said), Some(Reason::ManagedElsewhere));
        }
    }

    #[test]
    fn a_service_without_our_tags_is_refused() {
        assert_eq!(refused(&json!({"tags": []})), Some(Reason::NotOurs));
        assert_eq!(refused(&json!({"tags": null})), Some(Reason::NotOurs));
    }

    #[test]
    fn what_was_ours_once_is_not_forgotten_because_its_tags_are_gone() {
        let mut departure =
            Departure { key: fargateer_api::Key::new("bot"), inventory: Inventory::default(), held: None };
        let foreign = live(&json!({"tags": []}));
        assert!(never_was_ours(&foreign, "prod", &departure));
        assert!(!never_was_ours(&live(&json!({})), "prod", &departure), "it is ours");
        departure.inventory.arns.insert("service".to_owned(), "arn".to_owned());
        assert!(!never_was_ours(&foreign, "prod", &departure));
    }

    #[test]
    fn only_a_draining_service_is_waited_for() {
        assert!(draining(&live(&json!({"status": "DRAINING"}))).is_some());
        assert_eq!(draining(&live(&json!({"status": "ACTIVE"}))), None);
        assert_eq!(draining(&live(&json!({"status": "INACTIVE"}))), None);
    }
}
