//! /metrics in the OpenMetrics text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use fargateer_api::status::ConditionType;
use prometheus_client::encoding::text::encode;

use crate::wire::Machine;

/// The metrics as they are now.
pub(crate) async fn show(State(machine): State<Machine>) -> Response {
    machine.controller.measure();
    let mut text = String::new();
    if encode(&mut text, &machine.registry).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let end = text.trim_end_matches("# EOF\n").len();
    text.truncate(end);
    calls(&mut text, &machine);
    agents(&mut text, &machine);
    text.push_str("# EOF\n");
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

fn calls(text: &mut String, machine: &Machine) {
    text.push_str("# HELP fargateer_aws_api_calls AWS API calls by operation and outcome.\n# TYPE fargateer_aws_api_calls counter\n");
    for ((operation, outcome), count) in machine.aws.counts().all() {
        let (service, operation) = operation.split_once('.').unwrap_or(("", operation));
        let _ = writeln!(
            text,
            "fargateer_aws_api_calls_total{{service=\"{service}\",operation=\"{operation}\",outcome=\"{outcome}\"}} {count}"
        );
    }
}

/// Agents by reason: a handful of series, however large the fleet is.
fn agents(text: &mut String, machine: &Machine) {
    let mut counts: BTreeMap<(String, &str), u64> = BTreeMap::new();
    for status in machine.controller.reconciler.board.all().values() {
        let Some(ready) = status.condition(ConditionType::Ready) else { continue };
        let is_ready = if status.is(ConditionType::Ready) { "true" } else { "false" };
        *counts.entry((ready.reason.name(), is_ready)).or_default() += 1;
    }
    text.push_str("# HELP fargateer_agents Agents by readiness and reason.\n# TYPE fargateer_agents gauge\n");
    for ((reason, ready), count) in counts {
        let _ = writeln!(text, "fargateer_agents{{ready=\"{ready}\",reason=\"{reason}\"}} {count}");
    }
}
