//! `fargateer diff`: desired against live, field by field. Exit code 0 no difference, 1 a difference.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::Value;

use crate::cli::{Format, PlanArgs, PlanFormat, WRONG};
use crate::commands::survey::{self, Surveyed, gate_words};
use crate::output;

/// Runs the command.
pub(crate) async fn run(args: PlanArgs) -> anyhow::Result<ExitCode> {
    let surveyed = survey::run(&args).await?;
    let differs = |one: &Surveyed| !one.pass.plan.differences.is_empty() || one.pass.observed.service.is_absent();
    if args.format == PlanFormat::Json {
        let items =
            surveyed.iter().map(|one| (one.agent.metadata.name.clone(), serde_json::json!(one.pass.plan.differences)));
        output::document(&items.collect::<serde_json::Map<String, Value>>(), Format::Json)?;
    } else {
        let tell = |one: &&Surveyed| differs(one) || one.pass.plan.gate.is_some();
        let texts: Vec<String> = surveyed.iter().filter(tell).map(text).collect();
        output::data(&if texts.is_empty() { "no difference".to_owned() } else { texts.join("\n") })?;
    }
    let blind = surveyed.iter().any(|one| one.pass.plan.unknown().is_some());
    Ok(ExitCode::from(if blind { WRONG } else { u8::from(surveyed.iter().any(differs)) }))
}

fn text(one: &Surveyed) -> String {
    let name = &one.agent.metadata.name;
    let mut out = format!("--- {name} (AWS)\n+++ {name} (spec)\n");
    if let Some(gate) = &one.pass.plan.gate {
        let _ = writeln!(out, "# {}", gate_words(gate));
    }
    if one.pass.observed.service.is_absent() {
        let _ = writeln!(out, "# the service does not exist yet");
    }
    for difference in &one.pass.plan.differences {
        let _ = writeln!(out, "@@ {} ({}) @@", difference.field, difference.effect.words());
        lines(&mut out, '-', &difference.have);
        lines(&mut out, '+', &difference.want);
    }
    out
}

fn lines(out: &mut String, sign: char, value: &Value) {
    if value.is_null() {
        return;
    }
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    for line in text.lines() {
        let _ = writeln!(out, "{sign}{line}");
    }
}
