//! A plan in words: one line a fact, in the order in which they were decided.

use std::fmt::Write as _;

use fargateer_api::status::{AgentDeploymentStatus, ConditionType};
use fargateer_api::yaml;
use fargateer_plan::{status, waves};

use crate::situation::Situation;

/// What the planner makes of `situation`.
pub(crate) fn of(situation: &Situation) -> String {
    let plan = waves::plan(&situation.desired(), &situation.observed);
    let mut text = String::new();
    let mut line = |words: String| writeln!(text, "{words}").unwrap();
    for look in &plan.looks {
        line(format!("look {}", serde_json::to_string(look).unwrap()));
    }
    if let Some(gate) = &plan.gate {
        line(format!("gate {gate:?}"));
    }
    for difference in &plan.differences {
        line(format!(
            "{} {}: {} -> {} ({})",
            if plan.drift { "drift" } else { "change" },
            difference.field,
            difference.have,
            difference.want,
            difference.effect.words()
        ));
    }
    for wave in &plan.waves {
        line(format!("wave {}", wave.name));
        for action in &wave.actions {
            line(format!("  {action}"));
            line(format!("    {}", serde_json::to_string(action).unwrap()));
        }
    }
    for look in &plan.explaining {
        line(format!("explain {}", serde_json::to_string(look).unwrap()));
    }
    if plan.asks {
        line("asks whether it may roll".to_owned());
    }
    if plan.gone {
        line("gone".to_owned());
    }
    // A status is told of a pass that has done all it can.
    if plan.looks.is_empty() && plan.waves.is_empty() {
        line(report(situation));
    }
    text
}

/// The whole status after `situation`.
pub(crate) fn status(situation: &Situation) -> String {
    let status = status::report(&situation.pass(), &Ok(()), &situation.previous, situation.circumstances.now);
    yaml::print_value(&serde_json::to_value(status).unwrap())
}

fn report(situation: &Situation) -> String {
    let pass = situation.pass();
    let previous = AgentDeploymentStatus::default();
    let status = status::report(&pass, &Ok(()), &previous, situation.circumstances.now);
    let ready = status.condition(ConditionType::Ready).unwrap();
    let flag = |kind: ConditionType| if status.is(kind) { format!(" +{}", kind.name()) } else { String::new() };
    let flags: String =
        [ConditionType::Reconciling, ConditionType::Stalled, ConditionType::DriftDetected, ConditionType::RolledBack]
            .map(flag)
            .concat();
    format!("ready {:?} {}{flags}: {}", ready.status, ready.reason.name(), ready.message)
}
