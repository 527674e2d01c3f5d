//! The ports: what the controller needs from the world, each verb with its contract. Adapters implement them; the
//! controller never names an adapter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use fargateer_api::status::SourceStatus;
use fargateer_api::{AgentDeployment, AgentDeploymentStatus, Key};
use fargateer_plan::action::Action;
use fargateer_plan::build::{self, Order};
use fargateer_plan::desired::Place;
use fargateer_plan::echo::Done;
use fargateer_plan::failure::Failure;
use fargateer_plan::object::{self, Address};
use fargateer_plan::observed::{Finding, Look};
use fargateer_plan::remote::{Job, Project, Run};
use fargateer_plan::seen::Seen;
use jiff::Timestamp;

/// AWS.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Looks at each of `looks` and answers in the same order. Never writes. A failed look is a finding `Unknown`,
    /// never `Absent`; `Absent` means that AWS said so.
    async fn look(&self, place: &Place, looks: &[Look]) -> Vec<Finding>;

    /// Another replica may have changed what was seen: nothing is believed any more without another look.
    fn distrust(&self) {}

    /// Carries out one action: exactly one mutating call in effect, however often the network makes us try.
    async fn act(&self, place: &Place, action: &Action) -> Result<Done, Failure>;
}

/// Images built from agents' code, beside everything else.
#[async_trait]
pub trait Images: Send + Sync {
    /// How far the image of `order` is. Changes nothing; a failure that belongs to the code or to the registry is a finding.
    async fn look(&self, place: &Place, order: &Order) -> Seen<build::Live>;

    /// Starts building the image of `order`, unless it is there or under way, and answers at once. Whoever builds sees to it
    /// that the agent is woken in the end.
    async fn build(&self, place: &Place, order: &Order) -> Result<build::Live, Failure>;
}

/// Objects in S3.
#[async_trait]
pub trait Objects: Send + Sync {
    /// What is at `object`. One that is not there is a failure with the code `object::NO_KEY` or `object::NO_BUCKET`.
    async fn find(&self, place: &Place, object: &Address) -> Result<object::Live, Failure>;

    /// Writes the bytes of `object` to the file `into`, if its ETag is still `etag`; else a failure with the code
    /// `object::CHANGED`.
    async fn fetch(&self, place: &Place, object: &Address, etag: &str, into: &Path) -> Result<(), Failure>;

    /// Puts the file `from` at `object`, whatever is there.
    async fn put(&self, place: &Place, object: &Address, from: &Path) -> Result<(), Failure>;
}

/// Builds that CodeBuild carries out.
#[async_trait]
pub trait Builds: Send + Sync {
    /// The project `name`. One that is not there is a failure with the code `remote::NO_PROJECT`.
    async fn project(&self, place: &Place, name: &str) -> Result<Project, Failure>;

    /// The latest builds of the project, the newest first: all that may still be under way.
    async fn latest(&self, place: &Place, project: &str) -> Result<Vec<Run>, Failure>;

    /// How far the build `id` is; one that failed is told with the end of its log. None where it is forgotten.
    async fn run(&self, place: &Place, id: &str) -> Result<Option<Run>, Failure>;

    /// Starts `job`. The same job once more, after an answer that was lost, is the same build.
    async fn start(&self, place: &Place, job: &Job) -> Result<Run, Failure>;
}

/// Where specs come from.
#[async_trait]
pub trait Source: Send {
    /// The next snapshot: the first call answers as soon as the source was read, later ones when something changed or
    /// the source was read again. A read that failed is a snapshot that is not whole. Cancel-safe.
    async fn next(&mut self) -> Snapshot;
}

/// Everything a source says at one moment. Never half a commit.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Which source, for people.
    pub source: String,
    /// Whether the source was read whole: only then does a missing spec mean anything.
    pub whole: bool,
    /// The documents by agent. Several for one agent are a conflict.
    pub documents: BTreeMap<Key, Vec<Document>>,
    /// Faults that belong to no agent: files that cannot be read, documents without a name.
    pub faults: Vec<String>,
    /// Agents that somebody took out on purpose since the snapshot before, as a commit does that removes a file: this one
    /// whole read proves as much as several.
    pub removed: BTreeSet<Key>,
}

/// What a source says about one agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The newest usable wording, if there ever was one.
    pub agent: Option<Arc<AgentDeployment>>,
    /// What is wrong with the newest wording, if anything: `file:line:column: path: problem`.
    pub faults: Vec<String>,
    /// Where it stands.
    pub source: SourceStatus,
}

/// Where statuses are kept.
#[async_trait]
pub trait Statuses: Send + Sync {
    /// All statuses there are, at the start.
    async fn load(&self) -> Result<BTreeMap<Key, AgentDeploymentStatus>, String>;

    /// Keeps a status. A failure is told and does not stop anything: the next status replaces this one.
    async fn save(&self, key: &Key, status: &AgentDeploymentStatus) -> Result<(), String>;

    /// Forgets an agent that is gone.
    async fn remove(&self, key: &Key) -> Result<(), String>;
}

/// The right to write.
pub trait Lease: Send + Sync {
    /// Whether `key` is ours and a write may start now.
    fn holds(&self, key: &Key) -> bool;
}

/// One process without peers: it always holds its lease.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalLease;

impl Lease for LocalLease {
    fn holds(&self, _key: &Key) -> bool {
        true
    }
}

/// The time of day, for people (timestamps); durations are tokio's business.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}
