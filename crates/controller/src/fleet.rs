//! The fleet: the last good spec of every agent, over all sources, and what may happen to agents whose spec is gone.

mod merging;
mod relations;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fargateer_api::seeded::{Bug, has};
use fargateer_api::status::{ConditionType, Inventory, Reason};
use fargateer_api::{AgentDeployment, Key};
use fargateer_plan::desired::{Departure, Desired, Obstacle, Spec};
use fargateer_plan::pass::Pass;
use fargateer_plan::prune::{self, Missing, Policy};
use jiff::Timestamp;
use tokio::time::Instant;

use self::merging::{Memory, stands_in};
use self::relations::Relations;
use crate::board::Board;
use crate::port::Snapshot;
use crate::turns::Turns;

/// The desired state of all agents.
#[derive(Debug)]
pub struct Fleet {
    board: Arc<Board>,
    owner: String,
    turns: Turns,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    policy: Policy,
    snapshots: BTreeMap<String, Snapshot>,
    memory: Memory,
    specs: BTreeMap<Key, Spec>,
    missing: BTreeMap<Key, Gone>,
    /// Agents a person wants handed back when their specs are gone, with when that was said.
    released: BTreeMap<Key, String>,
    forced: BTreeSet<Key>,
    expected_sources: usize,
    relations: Relations,
}

#[derive(Debug)]
struct Gone {
    /// Whole reads that did not have it, by source: it may have stood in any of them.
    reads: BTreeMap<String, u32>,
    /// The sources in which a commit took it out: of those no second read is needed.
    removed: BTreeSet<String>,
    since: Instant,
    past: Past,
    /// A person confirmed that this one goes, however many go with it.
    confirmed: bool,
    /// A person named this very one: it goes without its grace.
    named: bool,
}

/// What an agent was whose spec is gone.
#[derive(Debug)]
struct Past {
    /// The project it counted to.
    project: String,
    /// Where its spec stood.
    place: String,
    /// Its service is somebody else's and never was ours: nothing of it is deleted, whatever becomes of it here.
    foreign: bool,
}

/// Why a person's word that an agent is to go does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// Its spec still stands there.
    Stands(String),
    /// Its spec may still stand in what cannot be read, and why it cannot.
    Unread(String),
    /// Nobody knows it.
    Unknown,
}

/// What a snapshot changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Agents whose spec is new, changed or gone. That it stands elsewhere is no change.
    pub changed: Vec<Key>,
    /// Agents whose spec is missing, still or again.
    pub missing: Vec<Key>,
    /// Agents whose dependencies came, went or became a cycle, or do so no more.
    pub related: Vec<Key>,
}

impl Objection {
    /// The same in a sentence, with what would help.
    pub fn words(&self, key: &Key) -> String {
        match self {
            Self::Stands(place) => {
                format!("the spec of {key} still stands at {place}; remove it there first, and the deletion follows")
            }
            Self::Unread(why) => {
                format!("the spec of {key} may stand in a source that cannot be read; nothing is deleted: {why}")
            }
            Self::Unknown => format!("no agent {key}"),
        }
    }
}

impl Fleet {
    /// A fleet fed by `sources` sources, owned by installation `owner`.
    pub fn new(board: Arc<Board>, owner: &str, policy: Policy, sources: usize) -> Self {
        let state = State { policy, expected_sources: sources, ..State::default() };
        Self { board, owner: owner.to_owned(), turns: Turns::default(), state: Mutex::new(state) }
    }

    /// Takes a snapshot in and says whom to wake.
    pub fn update(&self, snapshot: Snapshot) -> Changes {
        let (known_before, made) = (self.board.known(), self.made());
        let incumbents = known_before.iter().filter(|(_, has_service)| **has_service);
        let incumbents: BTreeSet<Key> = incumbents.map(|(key, _)| key.clone()).collect();
        let mut state = self.lock();
        let source = snapshot.source.clone();
        let was_silent = state.is_silent(&source);
        state.hear(snapshot);
        // Who stands in two sources is in neither as before: of two that nobody knew, the faster one must not win.
        if state.snapshots.len() < state.expected_sources {
            return Changes::default();
        }
        let specs = state.merged(&incumbents, &self.board);
        let whole = state.is_whole();
        // Until every source was read whole, a spec that is not there may stand in one that was not read.
        let absent = state.specs.iter().filter(|(key, _)| !whole && !specs.contains_key(*key));
        let why = state.obstacle();
        let kept: BTreeMap<Key, Spec> = absent.map(|(key, spec)| (key.clone(), kept(spec, why.as_deref()))).collect();
        let specs: BTreeMap<Key, Spec> = specs.into_iter().chain(kept).collect();
        let known = state.specs.keys().chain(specs.keys());
        let mut changed: BTreeSet<Key> = known.filter(|key| state.differs(key, specs.get(*key))).cloned().collect();
        // Who is back is not to be handed back any more either.
        let back: Vec<Key> = state.missing.keys().filter(|key| specs.contains_key(*key)).cloned().collect();
        for key in back {
            state.released.remove(&key);
            self.board.withdraw_release(&key);
        }
        let before = std::mem::replace(&mut state.specs, specs);
        let gone: BTreeSet<Key> = state.missing.keys().cloned().collect();
        if whole {
            state.count_missing(&source, known_before.keys(), |key| self.past(key, before.get(key)));
        }
        if was_silent && !state.is_silent(&source) {
            state.miss_anew(&source);
        }
        let missing: Vec<Key> = state.missing.keys().cloned().collect();
        // That a spec is gone is news once; who is stalled would hear of it in an hour otherwise.
        changed.retain(|key| !(gone.contains(key) && state.missing.contains_key(key)));
        let related = state.relate(&made).into_iter().collect();
        Changes { changed: changed.into_iter().collect(), missing, related }
    }

    /// A pass for `key` at `now`.
    pub fn pass(&self, key: &Key, now: Timestamp) -> Pass {
        let spec = self.spec(key);
        let circumstances = self.lock().circumstances(key, &spec, now, (&self.owner, &self.board));
        Pass::toward(key.clone(), spec, circumstances)
    }

    /// Whether what `pass` brings about is still what the sources say.
    pub fn still_wants(&self, pass: &Pass) -> bool {
        match (self.spec(&pass.key), &pass.desired) {
            (Spec::Present { agent, .. }, Desired::Present(wanted)) => agent == wanted.agent,
            (Spec::Gone(now), Desired::Absent(then, _)) => {
                let same = now.inventory.release.is_some() == then.inventory.release.is_some();
                same && now.held.is_none() == then.held.is_none()
            }
            (Spec::Broken { .. }, Desired::Unclear(..)) => true,
            (Spec::Present { .. } | Spec::Gone(_) | Spec::Broken { .. }, _) => false,
        }
    }

    /// What the sources say about `key`.
    pub fn spec(&self, key: &Key) -> Spec {
        let mut inventory = self.board.status(key).inventory.clone();
        let state = self.lock();
        if let Some(spec) = state.specs.get(key) {
            return spec.clone();
        }
        inventory.release = state.released.get(key).cloned().or(inventory.release);
        let retained =
            (Reason::Retained, "the spec is gone; deletionPolicy Retain leaves the resources running".to_owned());
        let held = match (&inventory.release, inventory.retain) {
            // It is deleted by nobody: neither grace nor numbers matter.
            (Some(_), _) => (!state.is_whole() || !state.missing.contains_key(key)).then(|| state.unread()),
            (None, true) => Some(retained),
            (None, false) => state.hold(key),
        };
        Spec::Gone(Box::new(Departure { key: key.clone(), inventory, held }))
    }

    /// The good spec of `key`.
    pub fn agent(&self, key: &Key) -> Option<AgentDeployment> {
        match self.lock().specs.get(key) {
            Some(Spec::Present { agent, .. }) => Some(AgentDeployment::clone(agent)),
            Some(Spec::Broken { .. } | Spec::Gone(_)) | None => None,
        }
    }

    /// All agents: those with a spec and those that are leaving.
    pub fn keys(&self) -> Vec<Key> {
        let state = self.lock();
        state.specs.keys().chain(state.missing.keys()).cloned().collect::<BTreeSet<Key>>().into_iter().collect()
    }

    /// The project an agent counts to.
    pub fn project(&self, key: &Key) -> String {
        self.agent(key).map_or_else(|| fargateer_api::default::PROJECT.to_owned(), |agent| agent.metadata.project)
    }

    /// What is known of an agent whose spec, last `spec`, is gone.
    fn past(&self, key: &Key, spec: Option<&Spec>) -> Past {
        let status = self.board.status(key);
        let reason = status.condition(ConditionType::Ready).map(|ready| ready.reason);
        let refused = matches!(reason, Some(Reason::NotOurs | Reason::ManagedElsewhere));
        let Inventory { project, specified_in, arns, .. } = &status.inventory;
        let place = match spec {
            Some(Spec::Present { source, .. } | Spec::Broken { source, .. }) => source.location.clone(),
            Some(Spec::Gone(_)) | None => specified_in.clone(),
        };
        let project = if project.is_empty() { fargateer_api::default::PROJECT.to_owned() } else { project.clone() };
        Past { project, place, foreign: refused && !arns.contains_key("service") }
    }

    /// Whether every source was read at least once.
    pub fn is_loaded(&self) -> bool {
        let state = self.lock();
        state.snapshots.len() >= state.expected_sources
    }

    /// Every fault of the specs, over all sources, and of the policy.
    pub fn faults(&self) -> Vec<String> {
        let policy = self.lock().relations.faults.clone();
        policy.into_iter().chain(self.spec_faults()).collect()
    }

    /// Every fault of the specs, over all sources.
    pub fn spec_faults(&self) -> Vec<String> {
        let state = self.lock();
        let of_documents = |snapshot: &Snapshot| {
            let documents = snapshot.documents.values().flatten();
            documents.flat_map(|document| document.faults.clone()).collect::<Vec<String>>()
        };
        let all =
            state.snapshots.values().flat_map(|snapshot| [snapshot.faults.clone(), of_documents(snapshot)].concat());
        all.collect::<BTreeSet<String>>().into_iter().collect()
    }

    /// The next pass over `key` tries a held revision again.
    pub fn force(&self, key: &Key) {
        self.lock().forced.insert(key.clone());
    }

    /// A person confirmed that the agents missing now may be deleted, however many. Answers whom to wake.
    pub fn confirm_prune(&self) -> Vec<Key> {
        let mut state = self.lock();
        state.missing.values_mut().for_each(|gone| gone.confirmed = true);
        state.missing.keys().cloned().collect()
    }

    /// Why `key` cannot go although a person wants it to.
    pub fn objection(&self, key: &Key) -> Option<Objection> {
        let state = self.lock();
        if !state.is_whole() {
            let why = state.obstacle().unwrap_or_else(|| "not every source was read".to_owned());
            return Some(Objection::Unread(why));
        }
        match state.specs.get(key) {
            Some(Spec::Present { source, .. } | Spec::Broken { source, .. }) => {
                Some(Objection::Stands(source.location.clone()))
            }
            Some(Spec::Gone(_)) | None => (!state.missing.contains_key(key)).then_some(Objection::Unknown),
        }
    }

    /// A person wants this very agent gone: then neither grace nor numbers hold it, as soon as its spec is gone.
    pub fn name(&self, key: &Key) {
        if let Some(gone) = self.lock().missing.get_mut(key) {
            (gone.confirmed, gone.named) = (true, true);
        }
    }

    /// A person said at `now` that `key` is to be handed back, not deleted, when its spec is gone.
    pub fn release(&self, key: &Key, now: &str) {
        self.lock().released.insert(key.clone(), now.to_owned());
    }

    /// The wish to hand `key` back could not be kept.
    pub fn withdraw(&self, key: &Key) {
        self.lock().released.remove(key);
    }

    /// An agent that is gone is not missing any more.
    pub fn forget(&self, key: &Key) {
        let mut state = self.lock();
        state.missing.remove(key);
        state.released.remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a spec that is not there is really gone: every source was read, and nothing in it is faulty. One lost
    /// line can swallow the document after it, so while anything is faulty nobody is deleted.
    fn is_whole(&self) -> bool {
        let faultless =
            |snapshot: &Snapshot| snapshot.documents.values().flatten().all(|document| document.faults.is_empty());
        let read = |snapshot: &Snapshot| snapshot.whole && (faultless(snapshot) || has(Bug::GarbledIsDeleted));
        self.snapshots.len() >= self.expected_sources && self.snapshots.values().all(read)
    }

    /// A fault because of which a spec that is not there may be there all the same.
    fn obstacle(&self) -> Option<String> {
        let of_source =
            self.snapshots.values().filter(|snapshot| !snapshot.whole).flat_map(|snapshot| &snapshot.faults);
        let documents = self.snapshots.values().flat_map(|snapshot| snapshot.documents.values().flatten());
        of_source.chain(documents.flat_map(|document| &document.faults)).next().cloned()
    }

    /// Counts one more whole read of `source` for every agent that has a status but no spec. `past` says what it was.
    fn count_missing<'a>(&mut self, source: &str, known: impl Iterator<Item = &'a Key>, past: impl Fn(&Key) -> Past) {
        let (specs, missing, snapshots) = (&self.specs, &mut self.missing, &self.snapshots);
        missing.retain(|key, _| !specs.contains_key(key));
        for key in known.filter(|key| !specs.contains_key(*key)) {
            let all = || snapshots.keys().map(|source| (source.clone(), 1)).collect();
            match missing.get_mut(key) {
                Some(gone) => *gone.reads.entry(source.to_owned()).or_default() += 1,
                None => drop(missing.insert(key.clone(), Gone::since_now(all(), past(key)))),
            }
            let removed = snapshots.values().filter(|snapshot| snapshot.removed.contains(key));
            if let Some(gone) = missing.get_mut(key) {
                gone.removed.extend(removed.map(|snapshot| snapshot.source.clone()));
            }
        }
    }

    /// What holds an agent whose spec may be there all the same.
    fn unread(&self) -> (Reason, String) {
        let why = self.obstacle().map(|fault| format!(": {fault}")).unwrap_or_default();
        (Reason::PruneGrace, format!("the sources were not read whole; nothing is deleted{why}"))
    }

    /// A source that shows nothing at all, though agents are missing that stood there: a folder that is not mounted looks like
    /// that. What a commit removed is gone on purpose, and what a person confirmed is, too.
    fn silent(&self) -> Option<&String> {
        self.snapshots.keys().find(|source| self.is_silent(source))
    }

    fn is_silent(&self, source: &String) -> bool {
        let is_empty = self.snapshots.get(source).is_some_and(|read| read.whole && read.documents.is_empty());
        let counts = |gone: &Gone| !gone.confirmed && !gone.removed.contains(source);
        is_empty && self.missing.values().any(|gone| counts(gone) && stands_in(&gone.past.place, source))
    }

    /// `source` shows something again. That nothing was there proved nothing about the agents that stood in it: those that are
    /// missing still are missed from now on, in every source.
    fn miss_anew(&mut self, source: &str) {
        let (missing, snapshots) = (&mut self.missing, &self.snapshots);
        for gone in missing.values_mut().filter(|gone| stands_in(&gone.past.place, source)) {
            gone.since = Instant::now();
            gone.reads = snapshots.keys().map(|source| (source.clone(), 1)).collect();
        }
    }

    fn hold(&self, key: &Key) -> Option<(Reason, String)> {
        // It was gone, read after read - and may be back since in what can't be read now.
        if !self.is_whole() && !has(Bug::DeletesUnread) {
            return Some(self.unread());
        }
        if self.missing.get(key).is_some_and(|gone| gone.named) {
            return None;
        }
        let confirmed = self.missing.get(key).is_some_and(|gone| gone.confirmed);
        let policy = Policy { confirmed: confirmed || self.policy.confirmed, ..self.policy.clone() };
        let silent = self.silent();
        // Those a person confirmed do not count against those that vanish later.
        let counted = self.missing.iter().filter(|(_, gone)| gone.confirmed == confirmed);
        let missing: BTreeMap<Key, Missing> =
            counted.map(|(key, gone)| (key.clone(), gone.missing(policy.reads, silent))).collect();
        let projects = self.specs.values().map(project_of).chain(missing.values().map(|gone| gone.project.as_str()));
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        projects.for_each(|project| *known.entry(project.to_owned()).or_default() += 1);
        prune::decide(&missing, &known, &policy).remove(key).unwrap_or_else(|| Some(self.unread()))
    }
}

impl Gone {
    fn since_now(reads: BTreeMap<String, u32>, past: Past) -> Self {
        let (removed, since) = (BTreeSet::new(), Instant::now());
        // What is not ours is not deleted, and need not be confirmed.
        let confirmed = past.foreign;
        Self { reads, removed, since, past, confirmed, named: false }
    }

    /// The same for those who decide: what a commit removed is as good as `enough` reads of its source, and says nothing of
    /// the others, where the spec may have been put meanwhile.
    fn missing(&self, enough: u32, silent: Option<&String>) -> Missing {
        let counted = |(source, reads): (&String, &u32)| if self.removed.contains(source) { enough } else { *reads };
        let mut reads = self.reads.iter().map(counted).min().unwrap_or_default();
        if has(Bug::OneSourceIsEnough) && !self.removed.is_empty() {
            reads = enough;
        }
        Missing { project: self.past.project.clone(), reads, since: self.since.elapsed(), silent: silent.cloned() }
    }
}

/// The project a spec counts to; one that never was understood counts to the default one.
fn project_of(spec: &Spec) -> &str {
    match spec {
        Spec::Present { agent, .. } => &agent.metadata.project,
        Spec::Broken { .. } | Spec::Gone(_) => fargateer_api::default::PROJECT,
    }
}

/// A spec that the last read did not find and that is kept all the same, because the read was not whole.
fn kept(spec: &Spec, why: Option<&str>) -> Spec {
    let mut spec = spec.clone();
    if let Spec::Present { faults, obstacle, .. } = &mut spec {
        *obstacle = Obstacle::Source;
        let why = why.map(|fault| format!(": {fault}")).unwrap_or_default();
        *faults = vec![format!("not found by the last read, which was not whole{why}")];
    }
    spec
}
