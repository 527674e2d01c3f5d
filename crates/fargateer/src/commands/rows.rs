//! Rows of a table of specs: `apply --to`, `get --from` and `delete --from`. What they mean is brought about by a daemon that
//! runs on the table.

use std::process::ExitCode;

use fargateer_api::AgentDeployment;
use fargateer_plan::conceal;
use fargateer_store::table::{Entry, SpecTable};
use serde_json::{Value, json};

use crate::cli::{ApplyArgs, DeleteArgs};
use crate::commands::{apply, server, specs};
use crate::output::{self, hinted};
use crate::{address, config, tables};

/// `apply --to`: writes specs from files into rows.
pub(crate) async fn apply(args: &ApplyArgs, to: &str) -> anyhow::Result<ExitCode> {
    let table = table(to).await?;
    let paths: Vec<_> = args.paths.iter().map(std::path::PathBuf::from).collect();
    let agents = specs::read_good(&paths).await?;
    let entries = table.entries().await.map_err(anyhow::Error::msg)?;
    let mut changed = Vec::new();
    for agent in &agents {
        let entry = entries.iter().find(|entry| entry.key == agent.key());
        output::note(&format!("{}: {}", table.location(&agent.metadata.name), effect(entry, agent)));
        changed.extend(entry.is_none_or(|entry| !entry.says(agent)).then_some(agent));
    }
    if changed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !apply::confirmed("apply")? {
        output::note("nothing was changed");
        return Ok(ExitCode::from(1));
    }
    for agent in &changed {
        table.put(agent).await.map_err(anyhow::Error::msg)?;
    }
    let (count, address, rows) = (changed.len(), table.address(), rows(changed.len()));
    output::note(&format!(
        "{count} {rows} written; `fargateer run {address}` brings them about, `fargateer get --from {address}` shows how they are"
    ));
    Ok(ExitCode::SUCCESS)
}

fn rows(count: usize) -> &'static str {
    if count == 1 { "row" } else { "rows" }
}

fn effect(entry: Option<&Entry>, agent: &AgentDeployment) -> &'static str {
    match entry {
        None => "a new row",
        Some(entry) if entry.says(agent) => "unchanged",
        Some(entry) if entry.agent.is_none() => "changed, and understood again",
        Some(_) => "changed",
    }
}

/// `get --from`: the rows as a list of agents, with what the daemon wrote into them.
pub(crate) async fn list(from: &str) -> anyhow::Result<Value> {
    let entries = table(from).await?.entries().await.map_err(anyhow::Error::msg)?;
    let faults: Vec<&String> = entries.iter().flat_map(|entry| &entry.faults).collect();
    let items: Vec<Value> = entries.iter().map(item).collect();
    Ok(json!({"apiVersion": "fargateer/v1", "kind": "AgentDeploymentList", "items": items, "faults": faults}))
}

/// In the same shape as the daemon's, and no more open: whoever may read the row reads its secrets there.
fn item(entry: &Entry) -> Value {
    let mut document = json!({
        "apiVersion": "fargateer/v1",
        "kind": "AgentDeployment",
        "metadata": {"name": entry.key},
        "status": entry.status,
    });
    if let Some(agent) = &entry.agent {
        document["metadata"] = json!(agent.metadata);
        document["spec"] = conceal::spec(&agent.spec);
    }
    document
}

/// `delete --from`: deletes rows; the daemon deletes their agents, or - told so before - hands them back.
pub(crate) async fn delete(args: &DeleteArgs, from: &str) -> anyhow::Result<ExitCode> {
    let table = table(from).await?;
    let entries = table.entries().await.map_err(anyhow::Error::msg)?;
    for name in &args.names {
        if !entries.iter().any(|entry| entry.key.as_str() == name) {
            let hint = format!("`fargateer get --from {}` lists all", table.address());
            return Err(hinted(format!("no row {}", table.location(name)), hint));
        }
        let agent = if args.retain { "its agent handed back as it runs" } else { "its agent with it" };
        output::note(&format!("{} is to be deleted, and {agent}", table.location(name)));
    }
    if !args.yes && !apply::confirmed("delete")? {
        output::note("nothing was changed");
        return Ok(ExitCode::from(1));
    }
    for name in &args.names {
        if args.retain {
            // First, and kept by the daemon: a row that is gone without a word means that the agent goes.
            let path = format!("/api/v1/agents/{name}/delete?retain=true&from={}", table.location(name));
            server::post(&args.server.server, &path).await?;
        }
        table.delete(name).await.map_err(anyhow::Error::msg)?;
    }
    output::note(&format!("{} {} deleted", args.names.len(), rows(args.names.len())));
    Ok(ExitCode::SUCCESS)
}

/// The good specs of the rows `names` of the table at `from`.
pub(crate) async fn specs(from: &str, names: &[String]) -> anyhow::Result<Vec<AgentDeployment>> {
    let table = table(from).await?;
    let entries = table.entries().await.map_err(anyhow::Error::msg)?;
    let spec = |name: &String| {
        let entry = entries.iter().find(|entry| entry.key.as_str() == name);
        entry.and_then(|entry| entry.agent.as_deref().cloned()).ok_or_else(|| {
            let hint = format!("`fargateer get --from {}` lists all", table.address());
            hinted(format!("no row {} with a good spec", table.location(name)), hint)
        })
    };
    names.iter().map(spec).collect()
}

async fn table(place: &str) -> anyhow::Result<SpecTable> {
    let Some(name) = tables::name(place)? else {
        let problem = format!("{} is no table of specs", address::shown(place));
        return Err(hinted(problem, "as in dynamodb://fargateer-specs"));
    };
    Ok(SpecTable::new(&config::aws().await, &name))
}
