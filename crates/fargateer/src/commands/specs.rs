//! Specs read from folders and files for commands that end: all faults are told, then the command stops.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use fargateer_api::{AgentDeployment, Key};
use fargateer_controller::port::{Document, Source as _};
use fargateer_plan::dependency::Graph;

use crate::output::{self, hinted};
use crate::wire;

/// What the paths hold.
pub(crate) struct Specs {
    /// The good specs, sorted by name.
    pub(crate) agents: Vec<AgentDeployment>,
    /// Where each of them begins: `file:line`.
    pub(crate) places: BTreeMap<String, String>,
    /// Every fault, `file:line:column: path: problem`.
    pub(crate) faults: Vec<String>,
}

/// Reads every spec under `paths`.
pub(crate) async fn read(paths: &[PathBuf]) -> anyhow::Result<Specs> {
    let mut specs = Specs { agents: Vec::new(), places: BTreeMap::new(), faults: Vec::new() };
    let mut all: BTreeMap<Key, Vec<Document>> = BTreeMap::new();
    for path in paths {
        exists(path)?;
        let mut source = wire::source(&path.to_string_lossy(), Duration::from_hours(1))?;
        let snapshot = source.next().await;
        specs.faults.extend(snapshot.faults);
        for (key, documents) in snapshot.documents {
            all.entry(key).or_default().extend(documents);
        }
    }
    take(&mut specs, all);
    specs.agents.sort_by(|left, right| left.metadata.name.cmp(&right.metadata.name));
    let shared = shared_services(&specs.agents);
    specs.faults.extend(shared);
    Ok(specs)
}

/// Reads every spec under `paths`; one fault and nothing goes on.
pub(crate) async fn read_good(paths: &[PathBuf]) -> anyhow::Result<Vec<AgentDeployment>> {
    Ok(read_sound(paths).await?.agents)
}

/// The same, with where each of them stands.
pub(crate) async fn read_sound(paths: &[PathBuf]) -> anyhow::Result<Specs> {
    let specs = read(paths).await?;
    if specs.faults.is_empty() && !specs.agents.is_empty() {
        return Ok(specs);
    }
    for fault in &specs.faults {
        output::note(fault);
    }
    if specs.faults.is_empty() {
        return Err(hinted(
            "no AgentDeployment found",
            "a spec is a .yaml, .yml or .json file; see examples/minimal.yaml",
        ));
    }
    Err(hinted(
        format!("{} {} in the specs", specs.faults.len(), if specs.faults.len() == 1 { "fault" } else { "faults" }),
        "nothing was changed; `fargateer validate` shows them all",
    ))
}

/// The same, for commands that are not asynchronous.
pub(crate) fn read_now(paths: &[PathBuf]) -> anyhow::Result<Specs> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(read(paths))
}

/// Whether `path` can be read at all.
pub(crate) fn exists(path: &Path) -> anyhow::Result<()> {
    let found = path.try_exists().with_context(|| format!("{} cannot be read", path.display()))?;
    if found {
        return Ok(());
    }
    Err(hinted(format!("{} does not exist", path.display()), "name a folder or a file of AgentDeployment YAML"))
}

/// Who of `agents` depends on whom.
pub(crate) fn graph(agents: &[AgentDeployment]) -> Graph {
    let needs = |agent: &AgentDeployment| agent.spec.depends_on.iter().map(Key::new).collect();
    Graph::of(agents.iter().map(|agent| (agent.key(), needs(agent))).collect())
}

/// ECS services that more than one spec means.
fn shared_services(agents: &[AgentDeployment]) -> Vec<String> {
    let mut claims: BTreeMap<(&str, Option<&str>, &str, &str), Vec<&str>> = BTreeMap::new();
    for agent in agents {
        let role = agent.spec.account.as_ref().map(|account| account.role_arn.as_str());
        let service = (agent.spec.region.as_str(), role, agent.cluster_name(), agent.service_name());
        claims.entry(service).or_default().push(&agent.metadata.name);
    }
    // A name that is used twice is told as such.
    claims.values_mut().for_each(Vec::dedup);
    let shared = claims.into_iter().filter(|(_, names)| names.len() > 1);
    let told = shared.map(|((_, _, cluster, service), names)| {
        format!("the ECS service {cluster}/{service} is claimed by {}; one agent a service", names.join(", "))
    });
    told.collect()
}

fn take(specs: &mut Specs, all: BTreeMap<Key, Vec<Document>>) {
    for (key, documents) in all {
        if documents.len() > 1 {
            let places: Vec<&str> = documents.iter().map(|document| document.source.location.as_str()).collect();
            specs.faults.push(format!("{}: the name {key} is used more than once: {}", places[0], places.join(", ")));
        }
        for document in documents {
            specs.faults.extend(document.faults);
            specs.places.insert(key.to_string(), document.source.location);
            specs.agents.extend(document.agent.map(std::sync::Arc::unwrap_or_clone));
        }
    }
}
