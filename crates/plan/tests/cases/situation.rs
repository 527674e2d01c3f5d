//! Reads a case: the spec and what AWS shows.

use std::fs;
use std::path::{Path, PathBuf};

use fargateer_api::project::RolloutRules;
use fargateer_api::status::{ImageStatus, SourceStatus};
use fargateer_api::{AgentDeployment, AgentDeploymentStatus, Generation, Key, Reason, yaml};
use fargateer_plan::build::{self, Work};
use fargateer_plan::desired::{Circumstances, Departure, Desired, Obstacle, Spec, Wanted};
use fargateer_plan::failure::Failure;
use fargateer_plan::log_group;
use fargateer_plan::observed::Observed;
use fargateer_plan::pass::Pass;
use fargateer_plan::policy::{Policy, Standing};
use fargateer_plan::prepared::Prepared;
use fargateer_plan::repository;
use fargateer_plan::scaling;
use fargateer_plan::seen::Seen;
use fargateer_plan::service;
use fargateer_plan::task_definition;
use fargateer_plan::turn::Turn;
use fargateer_plan::verify::Probe;
use serde::Deserialize;
use serde_json::Value;

/// Where images of the cases are built into, and one of them.
const REPOSITORY: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/bot";
const BUILT: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/bot@sha256:ab";

/// A desire and what was seen.
pub(crate) struct Situation {
    pub(crate) key: Key,
    pub(crate) spec: Spec,
    pub(crate) circumstances: Circumstances,
    pub(crate) observed: Observed,
    /// What was told before.
    pub(crate) previous: AgentDeploymentStatus,
}

/// `observed.json`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct World {
    now: Option<String>,
    unready: Vec<String>,
    absent: Vec<String>,
    cycle: Vec<String>,
    turn: Option<Line>,
    force: bool,
    gone: Option<Gone>,
    service: Option<Value>,
    image: Option<Value>,
    repository: Option<Value>,
    build: Option<Value>,
    /// What the status remembers of the image that was built last.
    built: Option<ImageStatus>,
    log_group: Option<Value>,
    scaling: Option<Value>,
    revision: Option<Value>,
    revisions: Option<Value>,
    verdicts: Option<Value>,
    stopped: Option<Value>,
    target_group: Option<Value>,
    confirmed: Option<Value>,
    probe: Option<Value>,
    /// The revision registered in this very pass.
    registered: Option<String>,
    previous: AgentDeploymentStatus,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checks {
    tried: usize,
    failures: Vec<String>,
}

/// The line the agent stands in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    max: u32,
    stop_after_failures: u32,
    rolling: Vec<String>,
    failed: Vec<String>,
    /// Whether nobody asked yet.
    #[serde(default)]
    unasked: bool,
}

/// The spec was removed.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Gone {
    #[serde(default)]
    held: Option<(Reason, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogGroup {
    retention: Option<u32>,
    #[serde(default)]
    policy_retention: bool,
    #[serde(default)]
    believed: bool,
    #[serde(default)]
    tags: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repository {
    #[serde(default)]
    mutability: Option<String>,
    #[serde(default)]
    lifecycle: Option<bool>,
    #[serde(default)]
    tags: fargateer_plan::tags::Tags,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scaling {
    min: u32,
    max: u32,
    #[serde(default)]
    suspended: bool,
    #[serde(default)]
    policies: Vec<Value>,
    #[serde(default)]
    scheduled: Vec<Value>,
    #[serde(default)]
    tags: fargateer_plan::tags::Tags,
}

impl Situation {
    /// The case in `folder`.
    pub(crate) fn read(folder: &Path) -> Self {
        let agent = agent(folder);
        let text = fill_in(&fs::read_to_string(folder.join("observed.json")).unwrap(), &agent);
        let world: World = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let now = world.now.as_deref().unwrap_or("2026-07-01T12:00:00Z").parse().unwrap();
        let policy = policy(folder);
        let circumstances = Circumstances {
            owner: "prod".to_owned(),
            breaches: policy.as_ref().map(|policy| policy.breaches(&agent, Standing::default())).unwrap_or_default(),
            cycle: keys(&world.cycle),
            absent: keys(&world.absent),
            unready: keys(&world.unready),
            frozen: policy.as_ref().and_then(|policy| policy.frozen(&agent.metadata.project, now)),
            turn: turn(world.turn.as_ref()),
            wave: now,
            now,
            force: world.force,
            source: SourceStatus { location: "specs/bot.yaml:1".to_owned(), ..SourceStatus::default() },
            image: world.built.clone().map(Box::new),
        };
        let key = agent.key();
        let spec = match &world.gone {
            None => Spec::Present {
                agent: Prepared::shared(agent),
                source: SourceStatus::default(),
                faults: Vec::new(),
                obstacle: Obstacle::Wording,
            },
            Some(gone) => {
                let inventory = Wanted::new(Prepared::shared(agent), Vec::new(), circumstances.clone()).inventory();
                Spec::Gone(Box::new(Departure { key: key.clone(), inventory, held: gone.held.clone() }))
            }
        };
        Self { key, spec, circumstances, observed: observed(&world), previous: world.previous }
    }

    /// What should be.
    pub(crate) fn desired(&self) -> Desired {
        Desired::of(self.spec.clone(), self.circumstances.clone())
    }

    /// A pass that has seen all there is to see and decided.
    pub(crate) fn pass(&self) -> Pass {
        let mut pass = Pass::toward(self.key.clone(), self.spec.clone(), self.circumstances.clone());
        pass.observed = self.observed.clone();
        pass.decide().unwrap();
        pass
    }
}

/// Every case, by name.
pub(crate) fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut folders: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// The name of the case in `folder`.
pub(crate) fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}

fn keys(names: &[String]) -> Vec<Key> {
    names.iter().map(Key::new).collect()
}

/// `project.yaml`, where a folder has one.
fn policy(folder: &Path) -> Option<Policy> {
    let file = folder.join("project.yaml");
    let text = fs::read_to_string(&file).ok()?;
    let parsed = yaml::parse_projects(&file.display().to_string(), &text);
    assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
    Some(Policy::of(parsed.projects))
}

fn turn(line: Option<&Line>) -> Turn {
    let Some(Line { max, stop_after_failures, rolling, failed, unasked }) = line else { return Turn::Given };
    if *unasked {
        return Turn::Unasked;
    }
    let rules = RolloutRules { max: Some(*max), stop_after_failures: Some(*stop_after_failures) };
    let (rolling, failed) = (keys(rolling), keys(failed));
    fargateer_plan::turn::Line { rules, rolling, failed, ..fargateer_plan::turn::Line::default() }.turn()
}

fn agent(folder: &Path) -> AgentDeployment {
    let file = folder.join("spec.yaml");
    let parsed = yaml::parse(&file.display().to_string(), &fs::read_to_string(&file).unwrap());
    assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
    parsed.agents.into_iter().next().unwrap().agent
}

/// `$generation` stands for the spec's generation, `$digest` for the digest of its task definition,
/// `$sent` for that of the overrides ECS does not describe.
fn fill_in(text: &str, agent: &AgentDeployment) -> String {
    let image = agent.spec.image.uri.clone().unwrap_or_else(|| BUILT.to_owned());
    let digest = task_definition::from_spec(agent, &image, None).digest;
    let sent = service::sent(agent).unwrap_or_default();
    let text = text.replace("$generation", Generation::of(&agent.spec).as_str());
    text.replace("$digest", &digest).replace("$sent", &sent)
}

fn observed(world: &World) -> Observed {
    Observed {
        service: seen(world.service.as_ref(), plain),
        gone: seen(world.confirmed.as_ref(), |_| ()),
        image: seen(world.image.as_ref(), plain),
        repository: seen(world.repository.as_ref(), repository),
        build: seen(world.build.as_ref(), build),
        log_group: seen(world.log_group.as_ref(), log_group),
        scaling: seen(world.scaling.as_ref(), scaling),
        revision: seen(world.revision.as_ref(), revision),
        registered: world.registered.clone(),
        revisions: seen(world.revisions.as_ref(), |list| list.as_array().unwrap().iter().map(revision).collect()),
        verdicts: seen(world.verdicts.as_ref(), plain),
        stopped: seen(world.stopped.as_ref(), plain),
        stopping: Seen::NotLooked,
        target_group: seen(world.target_group.as_ref(), plain),
        probe: seen(world.probe.as_ref(), probe),
    }
}

fn seen<T>(value: Option<&Value>, read: impl FnOnce(&Value) -> T) -> Seen<T> {
    let Some(value) = value else { return Seen::NotLooked };
    if value == "absent" {
        return Seen::Absent;
    }
    if let Some(failure) = value.get("unknown") {
        return Seen::Unknown(serde_json::from_value::<Failure>(failure.clone()).unwrap());
    }
    Seen::Present(read(value))
}

fn plain<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn revision(answer: &Value) -> task_definition::Live {
    task_definition::Live::from_answer(answer).unwrap()
}

fn log_group(value: &Value) -> log_group::Live {
    let LogGroup { retention, policy_retention, believed, tags } = plain(value);
    let arn = "arn:aws:logs:us-east-1:111122223333:log-group:x".to_owned();
    log_group::Live { arn, retention, policy_retention, believed, tags: seen(tags.as_ref(), plain) }
}

fn repository(value: &Value) -> repository::Live {
    let Repository { mutability, lifecycle, tags } = plain(value);
    let mutability = mutability.unwrap_or_else(|| "IMMUTABLE".to_owned());
    let (arn, uri) = ("arn:aws:ecr:us-east-1:111122223333:repository/agents/bot".to_owned(), REPOSITORY.to_owned());
    repository::Live { arn, uri, mutability, scans: true, has_lifecycle: lifecycle.unwrap_or(true), tags }
}

/// `missing`, a digest, words about what is being done, or `{"failed": failure}`.
fn build(value: &Value) -> build::Live {
    let doing = |doing: &str| build::Progress { doing: doing.to_owned(), done: 0, total: None, seconds: 3 };
    let work = match value.as_str() {
        Some("missing") => Work::Missing,
        Some(digest) if digest.starts_with("sha256:") => Work::Done(digest.to_owned()),
        Some(words) => Work::UnderWay(doing(words)),
        None => Work::Failed(plain(&value["failed"])),
    };
    let (tag, base_digest, runtime) = ("b-1".to_owned(), "sha256:base".to_owned(), "r1".to_owned());
    build::Live { tag, base_digest, runtime, code: None, work }
}

fn probe(value: &Value) -> Probe {
    let Checks { tried, failures } = plain(value);
    Probe { tried, failures }
}

fn scaling(value: &Value) -> scaling::Live {
    let Scaling { min, max, suspended, policies, scheduled, tags } = plain(value);
    scaling::Live { min, max, suspended, policies, scheduled, tags }
}
