//! `fargateer plan`: what would change, field by field, with effect, order, calls, time and money. Changes nothing.

use std::fmt::Write as _;
use std::process::ExitCode;

use fargateer_plan::conceal;
use fargateer_plan::cost;
use fargateer_plan::difference::Effect;
use fargateer_plan::guard::Gate;
use fargateer_plan::waves::Wave;
use serde_json::{Value, json};

use crate::cli::{Format, PlanArgs, PlanFormat, WRONG};
use crate::commands::survey::{self, Surveyed, Wait, gate_words};
use crate::output;

/// Runs the command: exit code 0 when nothing would change, 1 when something would or should and cannot, 2 when an agent
/// could not be looked at.
pub(crate) async fn run(args: PlanArgs) -> anyhow::Result<ExitCode> {
    let surveyed = survey::run(&args).await?;
    let changes = surveyed.iter().any(|one| !is_quiet(one));
    match args.format {
        PlanFormat::Json => output::document(&document(&surveyed), Format::Json)?,
        PlanFormat::Text => output::data(&text(&surveyed))?,
        PlanFormat::Markdown => output::data(&markdown(&surveyed))?,
    };
    // What could not be looked at is no "no change".
    let blind = surveyed.iter().any(|one| one.pass.plan.unknown().is_some());
    Ok(ExitCode::from(if blind { WRONG } else { u8::from(changes) }))
}

/// The plan for a terminal.
pub(crate) fn text(surveyed: &[Surveyed]) -> String {
    let mut out = String::new();
    for one in surveyed {
        let _ = writeln!(out, "{}: {}", one.agent.metadata.name, summary(one));
        for difference in &one.pass.plan.differences {
            let _ = writeln!(
                out,
                "  ~ {}: {} -> {} ({})",
                difference.field,
                difference.have,
                difference.want,
                difference.effect.words()
            );
        }
        for action in one.pass.plan.waves.iter().flat_map(|wave| &wave.actions) {
            let _ = writeln!(out, "  + {action}");
        }
        out.push_str(&waits(one, "  > "));
    }
    let calls: usize = surveyed.iter().map(calls).sum();
    let money: f64 = surveyed.iter().filter_map(monthly).sum();
    let changing = surveyed.iter().filter(|one| !is_quiet(one)).count();
    let _ = writeln!(
        out,
        "\n{changing} of {} agents would change; {calls} mutating calls; about ${money:.2} a month at the desired counts ({} prices).",
        surveyed.len(),
        cost::PRICE_DATE
    );
    out
}

fn markdown(surveyed: &[Surveyed]) -> String {
    let mut out =
        String::from("### Fargateer plan\n\n| agent | change | effect | calls | monthly |\n|---|---|---|---|---|\n");
    for one in surveyed {
        let money = monthly(one).map_or("?".to_owned(), |usd| format!("${usd:.2}"));
        let name = &one.agent.metadata.name;
        let _ = writeln!(out, "| `{name}` | {} | {} | {} | {money} |", summary(one), effect(one), calls(one));
    }
    for one in surveyed.iter().filter(|one| !is_quiet(one)) {
        let _ = writeln!(out, "\n<details><summary><code>{}</code></summary>\n\n```", one.agent.metadata.name);
        for difference in &one.pass.plan.differences {
            let _ = writeln!(out, "~ {}: {} -> {}", difference.field, difference.have, difference.want);
        }
        for action in one.pass.plan.waves.iter().flat_map(|wave| &wave.actions) {
            let _ = writeln!(out, "+ {action}");
        }
        out.push_str(&waits(one, "> "));
        out.push_str("```\n</details>\n");
    }
    out
}

fn document(surveyed: &[Surveyed]) -> Value {
    let items = surveyed.iter().map(|one| {
        let plan = &one.pass.plan;
        json!({
            "name": one.agent.metadata.name,
            "summary": summary(one),
            "effect": effect(one),
            "gate": plan.gate.as_ref().map(gate_words),
            "drift": plan.drift,
            "differences": plan.differences,
            "waitsFor": one.waits,
            "waves": plan.waves.iter().map(wave).collect::<Vec<_>>(),
            "mutatingCalls": calls(one),
            "monthlyUsd": monthly(one),
        })
    });
    json!({"apiVersion": "fargateer/v1", "kind": "PlanList", "items": items.collect::<Vec<_>>(), "priceDate": cost::PRICE_DATE})
}

/// Whom the change waits for, a line each.
fn waits(one: &Surveyed, indent: &str) -> String {
    let line = |wait: &Wait| format!("{indent}waits until {} is Ready: {}\n", wait.agent, wait.why);
    one.waits.iter().map(line).collect()
}

/// What a request holds in confidence is for `render` to show, not for a pull request.
fn wave(wave: &Wave) -> Value {
    json!({"name": wave.name, "actions": wave.actions.iter().map(conceal::action).collect::<Vec<_>>()})
}

fn summary(one: &Surveyed) -> String {
    let plan = &one.pass.plan;
    if let Some(gate) = &plan.gate {
        return format!("nothing is done: {}", gate_words(gate));
    }
    let verb = if one.pass.observed.service.is_absent() { "create" } else { "change" };
    match (calls(one), plan.drift) {
        (0, _) => "no change".to_owned(),
        (_, true) => format!("correct drift ({})", effect(one)),
        (_, false) => format!("{verb} ({})", effect(one)),
    }
}

fn effect(one: &Surveyed) -> &'static str {
    let strongest = one.pass.plan.differences.iter().map(|difference| difference.effect).max();
    if one.pass.observed.service.is_absent() {
        return "new";
    }
    strongest.map_or("none", Effect::words)
}

fn calls(one: &Surveyed) -> usize {
    one.pass.plan.waves.iter().map(|wave| wave.actions.len()).sum()
}

fn is_quiet(one: &Surveyed) -> bool {
    let as_wished = one.pass.plan.gate.as_ref().is_none_or(|gate| matches!(gate, Gate::Suspended(_)));
    calls(one) == 0 && one.pass.plan.differences.is_empty() && as_wished
}

fn monthly(one: &Surveyed) -> Option<f64> {
    cost::monthly(&one.agent, one.agent.spec.desired_count).map(|cost| cost.monthly_usd)
}
