//! What all sources say together. Whoever two of them speak of follows neither: of two wordings the newer one is not the
//! right one, and what a source that cannot be read said last may stand there still.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fargateer_api::seeded::{Bug, has};
use fargateer_api::status::{AgentDeploymentStatus, ConditionType, Reason, SourceStatus};
use fargateer_api::{AgentDeployment, Key};
use fargateer_plan::desired::{Obstacle, Spec};
use fargateer_plan::prepared::Prepared;

use super::State;
use crate::board::Board;
use crate::port::{Document, Snapshot};

/// What sources said that is not in their newest snapshots, and how much of them was ever read.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By source: the documents that its last reads, which were not whole, did not find any more.
    overlooked: BTreeMap<String, BTreeMap<Key, Vec<Document>>>,
    /// The sources that were read whole once, since this process started.
    read: BTreeSet<String>,
}

impl Memory {
    /// Takes in that `before` was what the source said before it said `now`.
    fn replace(&mut self, before: Option<Snapshot>, now: &Snapshot) {
        if now.whole {
            self.overlooked.remove(&now.source);
            self.read.insert(now.source.clone());
            return;
        }
        let overlooked = self.overlooked.entry(now.source.clone()).or_default();
        overlooked.extend(before.into_iter().flat_map(|before| before.documents));
        overlooked.retain(|key, _| !now.documents.contains_key(key));
    }
}

impl State {
    /// Takes in what a source says now.
    pub(super) fn hear(&mut self, snapshot: Snapshot) {
        let before = self.snapshots.remove(&snapshot.source);
        self.memory.replace(before, &snapshot);
        self.snapshots.insert(snapshot.source.clone(), snapshot);
    }

    /// The specs of all sources; whoever is named or claimed twice is refused, save the one that was there before.
    pub(super) fn merged(&self, incumbents: &BTreeSet<Key>, board: &Board) -> BTreeMap<Key, Spec> {
        let mut documents: BTreeMap<Key, Vec<Document>> = BTreeMap::new();
        for snapshot in self.snapshots.values() {
            for (key, entries) in &snapshot.documents {
                documents.entry(key.clone()).or_default().extend(entries.iter().cloned());
            }
        }
        if has(Bug::GarbledIsDeleted) {
            documents.retain(|_, entries| entries.iter().all(|entry| entry.faults.is_empty()));
        }
        // Whoever stands nowhere else is kept as it is, whatever its source said last.
        for (key, overlooked) in self.memory.overlooked.values().flatten() {
            documents.entry(key.clone()).and_modify(|entries| entries.extend(overlooked.iter().cloned()));
        }
        let named = documents.into_iter().map(|(key, entries)| {
            let spec = self.named_once(&key, entries);
            (key, spec)
        });
        let mut specs: BTreeMap<Key, Spec> = named.collect();
        self.doubt(&mut specs, board);
        for (key, others) in claimed_twice(&specs, incumbents) {
            if let Some(Spec::Present { source, .. }) = specs.get(&key).cloned() {
                let faults = vec![format!("the ECS service is claimed by {others}, too; one agent a service")];
                specs.insert(key, Spec::Broken { reason: Reason::Conflict, faults, source });
            }
        }
        specs
    }

    fn named_once(&self, key: &Key, mut entries: Vec<Document>) -> Spec {
        if has(Bug::FollowsTheNewcomer) {
            entries.truncate(1);
        }
        if entries.len() > 1 {
            let places: Vec<String> = entries.iter().map(|entry| entry.source.location.clone()).collect();
            let fault = format!("the name {key} is used more than once: {}", places.join(", "));
            let told_in = |source: SourceStatus| {
                let also_in = places.iter().filter(|place| **place != source.location).cloned().collect();
                SourceStatus { also_in, ..source }
            };
            return match self.specs.get(key) {
                Some(Spec::Present { agent, source, .. }) => {
                    let (agent, source, faults) = (agent.clone(), told_in(source.clone()), vec![fault]);
                    Spec::Present { agent, source, faults, obstacle: Obstacle::Dispute }
                }
                Some(Spec::Broken { .. } | Spec::Gone(_)) | None => {
                    let source = told_in(entries.swap_remove(0).source);
                    Spec::Broken { reason: Reason::Conflict, faults: vec![fault], source }
                }
            };
        }
        let Some(Document { agent, faults, source }) = entries.pop() else {
            return Spec::Broken { reason: Reason::InternalError, faults: Vec::new(), source: SourceStatus::default() };
        };
        match agent {
            Some(agent) => {
                Spec::Present { agent: self.prepared(key, agent), source, faults, obstacle: Obstacle::Wording }
            }
            None => Spec::Broken { reason: Reason::InvalidSpec, faults, source },
        }
    }

    /// What is known of `agent` stays known while its spec stays the same.
    fn prepared(&self, key: &Key, agent: Arc<AgentDeployment>) -> Arc<Prepared> {
        match self.specs.get(key) {
            Some(Spec::Present { agent: known, .. }) if ***known == *agent => Arc::clone(known),
            Some(_) | None => Prepared::of(agent),
        }
    }

    /// Whether what is said of `key` differs from before in more than the place where it stands, or the code beside it does. A line
    /// more at the head of a file, or a commit that touches another agent, wakes nobody; the new place is told with the next
    /// pass. One in another source is told at once: there a person may wait for it, and there it is looked for when it is gone.
    pub(super) fn differs(&self, key: &Key, after: Option<&Spec>) -> bool {
        match (self.specs.get(key), after) {
            (
                Some(Spec::Present { agent, faults, source, obstacle: _ }),
                Some(Spec::Present { agent: now, faults: then, source: place, obstacle: _ }),
            ) => agent != now || faults != then || source.code != place.code || self.moved(source, place),
            (
                Some(Spec::Broken { reason, faults, source: _ }),
                Some(Spec::Broken { reason: now, faults: then, source: _ }),
            ) => reason != now || faults != then,
            (before, after) => before != after,
        }
    }

    /// Whether one place is in another source than the other.
    fn moved(&self, before: &SourceStatus, after: &SourceStatus) -> bool {
        let source = |place: &SourceStatus| self.snapshots.keys().find(|source| stands_in(&place.location, source));
        self.snapshots.len() > 1 && before.location != after.location && source(before) != source(after)
    }

    /// A source that this process could never read may speak of agents that another one speaks of, too. Whoever's status says
    /// that it was so, or that another spec than this one was followed before, stays as it is.
    fn doubt(&self, specs: &mut BTreeMap<Key, Spec>, board: &Board) {
        let mut unread = self.snapshots.values().filter(|snapshot| !self.memory.read.contains(&snapshot.source));
        let Some(Snapshot { source: named, faults, .. }) = unread.next().filter(|_| self.expected_sources > 1) else {
            return;
        };
        let why = faults.first().map(|fault| format!(": {fault}")).unwrap_or_default();
        for (key, spec) in specs {
            let Spec::Present { agent, source, .. } = &*spec else { continue };
            let status = board.status(key);
            if status.observed_generation.as_ref() != Some(agent.generation()) && was_elsewhere(&status, source) {
                let fault = format!(
                    "{key} may stand in {named}, too, which could not be read since the start; until then it stays as it is{why}"
                );
                let source = source.clone();
                *spec = Spec::Broken { reason: Reason::Conflict, faults: vec![fault], source };
            }
        }
    }
}

/// Whether `status` speaks of a dispute, or of a spec that stood in another file or row than `source`.
fn was_elsewhere(status: &AgentDeploymentStatus, source: &SourceStatus) -> bool {
    let valid = status.condition(ConditionType::SpecValid);
    let disputed = valid.is_some_and(|valid| valid.reason == Reason::Conflict);
    let before = &status.inventory.specified_in;
    disputed || (!before.is_empty() && file(before) != file(&source.location))
}

/// A place without its line.
fn file(location: &str) -> &str {
    let (file, line) = location.rsplit_once(':').unwrap_or((location, ""));
    if !line.is_empty() && line.bytes().all(|letter| letter.is_ascii_digit()) { file } else { location }
}

/// Whether `location` is a place in the source called `source`; a branch and a path in it are left out of places.
pub(super) fn stands_in(location: &str, source: &str) -> bool {
    let source = source.split('#').next().unwrap_or(source);
    location.strip_prefix(source).is_some_and(|rest| rest.starts_with(['/', ':']) || source.ends_with('/'))
}

/// The agents that claim a service another agent claims, with the names of those others.
fn claimed_twice(specs: &BTreeMap<Key, Spec>, incumbents: &BTreeSet<Key>) -> Vec<(Key, String)> {
    let mut claims: BTreeMap<(String, Option<String>, String, String), Vec<&Key>> = BTreeMap::new();
    for (key, spec) in specs {
        if let Spec::Present { agent, .. } = spec {
            let role = agent.spec.account.as_ref().map(|account| account.role_arn.clone());
            let service =
                (agent.spec.region.clone(), role, agent.cluster_name().to_owned(), agent.service_name().to_owned());
            claims.entry(service).or_default().push(key);
        }
    }
    let mut refused = Vec::new();
    for claimants in claims.into_values().filter(|claimants| claimants.len() > 1) {
        let before: Vec<&&Key> = claimants.iter().filter(|key| incumbents.contains(**key)).collect();
        let keeps = if before.len() == 1 { before.first().map(|key| (**key).clone()) } else { None };
        for key in claimants.iter().filter(|key| Some(**key) != keeps.as_ref()) {
            let others = claimants.iter().filter(|other| *other != key).map(ToString::to_string);
            refused.push(((*key).clone(), others.collect::<Vec<_>>().join(", ")));
        }
    }
    refused
}
