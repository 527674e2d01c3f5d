//! `fargateer validate`: every fault with file:line:column, offline.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::{Format, ValidateArgs, WRONG};
use crate::commands::specs;
use crate::output;

/// Runs the command.
pub(crate) fn run(args: &ValidateArgs) -> anyhow::Result<ExitCode> {
    if args.schema {
        return output::data(&fargateer_api::schema::file());
    }
    let found = specs::read_now(&args.paths)?;
    let (agents, faults) = (found.agents.len(), found.faults.len());
    if matches!(args.output, Format::Json | Format::Yaml) {
        let names: Vec<&str> = found.agents.iter().map(|agent| agent.metadata.name.as_str()).collect();
        output::document(&json!({"valid": names, "faults": found.faults}), args.output)?;
    } else {
        for fault in &found.faults {
            output::data(fault)?;
        }
        output::note(&format!("{agents} valid, {faults} faults"));
    }
    if agents == 0 && faults == 0 {
        return Err(output::hinted("no AgentDeployment found", "a spec is a .yaml, .yml or .json file"));
    }
    Ok(ExitCode::from(if faults == 0 { 0 } else { WRONG }))
}
