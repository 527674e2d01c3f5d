//! Task sets: they belong to services with a CODE_DEPLOY or EXTERNAL deployment controller, which nobody here has.

use super::service;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::Value;

/// Refuses every operation on task sets: first for what is missing, then for the deployment controller.
pub(super) fn refuse(region: &Region, input: &Value) -> Answer {
    service::key(region, input, "service")?;
    Err(Refusal::invalid(
        "Amazon ECS only supports task sets for services that use the EXTERNAL deployment controller.",
    ))
}
