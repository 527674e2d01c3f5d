//! `fargateer convert`: a flat deployment request becomes the AgentDeployment it means.

use std::process::ExitCode;

use anyhow::Context as _;
use fargateer_api::yaml;

use crate::cli::PathArgs;
use crate::commands::specs;
use crate::output::{self, hinted};

/// Runs the command.
pub(crate) fn run(args: &PathArgs) -> anyhow::Result<ExitCode> {
    let mut documents = Vec::new();
    let mut faults = Vec::new();
    for path in &args.paths {
        specs::exists(path)?;
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let parsed = yaml::parse_bytes(&path.to_string_lossy(), &bytes);
        faults.extend(parsed.faults);
        documents.extend(parsed.agents.iter().map(|located| yaml::print(&located.agent)));
    }
    for fault in &faults {
        output::note(&fault.to_string());
        if let Some(hint) = &fault.hint {
            output::note(&format!("  hint: {hint}"));
        }
    }
    if !faults.is_empty() {
        return Err(hinted(format!("{} faults, nothing converted", faults.len()), "see examples/flat-request.json"));
    }
    output::data(&documents.join("---\n"))
}
