//! Application Auto Scaling of ECS services: targets, policies, scheduled actions, and what they do.

use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::Value;

/// Answers one Application Auto Scaling operation.
pub(crate) fn handle(_region: &mut Region, _operation: &str, _input: &Value) -> Answer {
    Err(Refusal::unknown_operation())
}

/// An alarm is evaluated.
pub(crate) fn evaluate(_region: &mut Region, _resource: &str) {}

/// CloudWatch reports the CPU of a service.
pub(crate) fn observe(_region: &mut Region, _resource: &str, _cpu: f64) {}
