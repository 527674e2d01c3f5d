//! `fargateer validate`: every fault with file:line:column, offline.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fargateer_api::{AgentDeployment, Key, Violation, yaml};
use fargateer_plan::policy::{Policy, Standing};
use serde_json::json;

use crate::cli::{Format, ValidateArgs, WRONG};
use crate::commands::specs::{self, Specs};
use crate::{contexts, output, policy};

/// Runs the command.
pub(crate) fn run(args: &ValidateArgs) -> anyhow::Result<ExitCode> {
    if args.schema {
        return output::data(&fargateer_api::schema::file());
    }
    let policy = policy::open(&args.policy)?;
    let mut found = specs::read_now(&args.paths)?;
    let (circles, codes) = (circles(&found), codes(&found, &args.paths));
    found.faults.extend(circles.into_iter().chain(codes));
    let breaches = policy.map(|policy| breaches(&found, &policy)).unwrap_or_default();
    found.agents.retain(|agent| !breaches.contains_key(&agent.metadata.name));
    found.faults.extend(breaches.into_values().flatten());
    let (agents, faults) = (found.agents.len(), found.faults.len());
    if matches!(args.output, Format::Json | Format::Yaml) {
        let names: Vec<&str> = found.agents.iter().map(|agent| agent.metadata.name.as_str()).collect();
        output::document(&json!({"valid": names, "faults": found.faults}), args.output)?;
    } else {
        for fault in &found.faults {
            output::data(fault)?;
        }
        output::note(&format!("{agents} valid, {faults} {}", if faults == 1 { "fault" } else { "faults" }));
    }
    if agents == 0 && faults == 0 && !args.paths.is_empty() {
        return Err(output::hinted("no AgentDeployment found", "a spec is a .yaml, .yml or .json file"));
    }
    Ok(ExitCode::from(if faults == 0 { 0 } else { WRONG }))
}

/// Agents that wait for one another for ever. A dependency that is not here may be in another source.
fn circles(found: &Specs) -> Vec<String> {
    let graph = specs::graph(&found.agents);
    let circular = found.agents.iter().map(|agent| (agent, graph.cycle(&agent.key())));
    let told = circular.filter(|(_, way)| !way.is_empty()).map(|(agent, way)| {
        let name = &agent.metadata.name;
        let place = found.places.get(name).map(String::as_str).unwrap_or_default();
        let way = way.iter().map(Key::as_str).collect::<Vec<_>>().join(" -> ");
        let problem = format!("{name} depends on itself: {way}; one of these has to go");
        line(name, place, &Violation::new("spec.dependsOn", problem))
    });
    told.collect()
}

/// Code beside the specs that cannot become an image, as far as its files tell.
fn codes(found: &Specs, paths: &[PathBuf]) -> Vec<String> {
    let fault = |agent: &AgentDeployment| {
        // What lies in S3 is not here to be looked at.
        let build = agent.spec.image.build.as_ref().filter(|build| build.object().is_none())?;
        let name = &agent.metadata.name;
        let place = found.places.get(name).map(String::as_str).unwrap_or_default();
        let file = place.rsplit_once(':').map_or(place, |(file, _)| file);
        let folder = contexts::beside(paths, Path::new(file), &build.context);
        let wrong = folder.and_then(|folder| fargateer_image::check(&folder, build)).err()?;
        let hint = wrong.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let problem = wrong.message.trim_start_matches("spec.image.build.context: ");
        Some(line(name, place, &Violation::new("spec.image.build.context", format!("{problem}{hint}"))))
    };
    found.agents.iter().filter_map(fault).collect()
}

/// What the policy does not allow, by agent, each with its place in the agent's file. Where a spec may stand is left to the
/// daemon: offline, a file may be named in another way.
fn breaches(found: &Specs, policy: &Policy) -> BTreeMap<String, Vec<String>> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut told = BTreeMap::new();
    for agent in &found.agents {
        let before = counts.entry(&agent.metadata.project).or_default();
        let standing = Standing { location: None, before: *before };
        *before += 1;
        let breaches = policy.breaches(agent, standing);
        if !breaches.is_empty() {
            let place = found.places.get(&agent.metadata.name).map(String::as_str).unwrap_or_default();
            let lines = breaches.iter().map(|breach| line(&agent.metadata.name, place, breach));
            told.insert(agent.metadata.name.clone(), lines.collect());
        }
    }
    told
}

/// `file:line:column: path: problem`.
fn line(name: &str, place: &str, breach: &Violation) -> String {
    let Violation { path, problem, .. } = breach;
    let file = place.rsplit_once(':').map_or(place, |(file, _)| file);
    let text = std::fs::read_to_string(file).unwrap_or_default();
    match yaml::locate(&text, name, path) {
        Some((line, column)) => format!("{file}:{line}:{column}: {path}: {problem}"),
        None => format!("{place}: {path}: {problem}"),
    }
}
