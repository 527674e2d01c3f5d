//! The operator's policy: a file of Projects, read at the start and again whenever it changes. One that cannot be used is told,
//! and the last good one stays in force.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fargateer_api::yaml;
use fargateer_controller::Controller;
use fargateer_plan::policy::Policy;
use tokio_util::sync::CancellationToken;

use crate::cli::PolicyArgs;
use crate::output::{self, hinted};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The policy `args` name, if any; with a fault in it nothing goes on.
pub(crate) fn open(args: &PolicyArgs) -> anyhow::Result<Option<Policy>> {
    Ok(read(args)?.map(|(policy, _)| policy))
}

/// Puts the policy into force, and every later wording of it, until `stop`.
pub(crate) fn rule(controller: &Arc<Controller>, args: &PolicyArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let (Some(file), Some((policy, text))) = (args.policy.clone(), read(args)?) else { return Ok(()) };
    controller.govern(policy);
    tokio::spawn(watch(Arc::clone(controller), (file, text), stop));
    Ok(())
}

/// The policy and its wording.
fn read(args: &PolicyArgs) -> anyhow::Result<Option<(Policy, String)>> {
    let Some(file) = &args.policy else { return Ok(None) };
    let text = std::fs::read_to_string(file).with_context(|| format!("--policy {} cannot be read", file.display()))?;
    match parse(file, &text) {
        Ok(policy) => Ok(Some((policy, text))),
        Err(faults) => {
            for fault in &faults {
                output::note(fault);
            }
            let hint = "`fargateer schema project` says what a Project may hold";
            Err(hinted(format!("{} faults in the policy", faults.len()), hint))
        }
    }
}

async fn watch(controller: Arc<Controller>, (file, text): (PathBuf, String), stop: CancellationToken) {
    let mut known = Some(Ok(text));
    while tokio::time::timeout(LOOK, stop.cancelled()).await.is_err() {
        let text = tokio::fs::read_to_string(&file).await.map_err(|error| error.to_string());
        if known.as_ref() == Some(&text) {
            continue;
        }
        let faults = match &text {
            Ok(text) => parse(&file, text).map(|policy| controller.govern(policy)).err().unwrap_or_default(),
            Err(error) => vec![format!("{}: {error}", file.display())],
        };
        for fault in &faults {
            tracing::warn!(fault, "fault in the policy; the last good one stays in force");
        }
        if !faults.is_empty() {
            controller.reconciler.fleet.keep_policy(faults);
        }
        known = Some(text);
    }
}

/// The policy `text` means, or every fault in it.
fn parse(file: &Path, text: &str) -> Result<Policy, Vec<String>> {
    let parsed = yaml::parse_projects(&file.to_string_lossy(), text);
    let told = |fault: &fargateer_api::Fault| match &fault.hint {
        Some(hint) => format!("{fault} ({hint})"),
        None => fault.to_string(),
    };
    let mut faults: Vec<String> = parsed.faults.iter().map(told).collect();
    // An empty file is a save that broke off; in force, it would reject everybody.
    if faults.is_empty() && parsed.projects.is_empty() {
        faults.push(format!("{}:1:1: no Project in it", file.display()));
    }
    if faults.is_empty() { Ok(Policy::of(parsed.projects)) } else { Err(faults) }
}
