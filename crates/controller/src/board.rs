//! The board: the newest status of every agent, in memory for everybody who asks, saved for the next start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use fargateer_api::seeded::{Bug, has};
use fargateer_api::status::ConditionType;
use fargateer_api::{AgentDeploymentStatus, Generation, Key, Reason};
use tokio::sync::watch;

use crate::event::{self, Events};
use crate::port::{Clock, Statuses};

/// The newest status of every agent.
pub struct Board {
    statuses: RwLock<BTreeMap<Key, Arc<AgentDeploymentStatus>>>,
    store: Arc<dyn Statuses>,
    clock: Arc<dyn Clock>,
    events: Events,
    version: watch::Sender<u64>,
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Board").finish_non_exhaustive()
    }
}

impl Board {
    /// The board with the statuses of the last run.
    pub async fn load(store: Arc<dyn Statuses>, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let loaded = store.load().await?;
        let kept = if has(Bug::ForgetsInventory) { BTreeMap::new() } else { shared(loaded).collect() };
        let statuses = RwLock::new(kept);
        Ok(Self { statuses, store, clock, events: Events::default(), version: watch::Sender::new(0) })
    }

    /// Reads the statuses of the agents `which` says again: another replica kept them.
    pub async fn refresh(&self, which: impl Fn(&Key) -> bool) -> Result<(), String> {
        let loaded = self.store.load().await?;
        let mut statuses = self.write();
        statuses.retain(|key, _| !which(key));
        statuses.extend(shared(loaded).filter(|(key, _)| which(key)));
        drop(statuses);
        self.version.send_modify(|version| *version += 1);
        Ok(())
    }

    /// The status of `key`; empty for one never seen.
    pub fn status(&self, key: &Key) -> Arc<AgentDeploymentStatus> {
        self.read().get(key).cloned().unwrap_or_default()
    }

    /// All statuses.
    pub fn all(&self) -> BTreeMap<Key, Arc<AgentDeploymentStatus>> {
        self.read().clone()
    }

    /// All agents, with whether a service of theirs was seen.
    pub fn known(&self) -> BTreeMap<Key, bool> {
        let has_service = |status: &Arc<AgentDeploymentStatus>| status.inventory.arns.contains_key("service");
        self.read().iter().map(|(key, status)| (key.clone(), has_service(status))).collect()
    }

    /// All agents of which something was made, or may have been.
    pub fn made(&self) -> BTreeSet<Key> {
        let statuses = self.read();
        let made = statuses.iter().filter(|(_, status)| !status.inventory.is_empty());
        made.map(|(key, _)| key.clone()).collect()
    }

    /// Whether `key` is Ready, with whichever spec.
    pub fn is_ready(&self, key: &Key) -> bool {
        self.read().get(key).is_some_and(|status| status.is(ConditionType::Ready))
    }

    /// Whether `key` is Ready with `generation` of its spec.
    pub fn is_ready_with(&self, key: &Key, generation: &Generation) -> bool {
        let ready = |status: &Arc<AgentDeploymentStatus>| {
            status.is(ConditionType::Ready) && status.observed_generation.as_ref() == Some(generation)
        };
        self.read().get(key).is_some_and(ready)
    }

    /// Why `key` is (not) Ready, if it was ever looked at.
    pub fn reason(&self, key: &Key) -> Option<Reason> {
        self.read().get(key)?.condition(ConditionType::Ready).map(|ready| ready.reason)
    }

    /// Saves a status before it is shown: without what stands in it nothing may go on.
    pub async fn keep(&self, key: &Key, status: &AgentDeploymentStatus) -> Result<(), String> {
        self.store.save(key, status).await?;
        self.show(key, status);
        Ok(())
    }

    /// Shows and tells of a new status; answers whether it says anything new.
    fn show(&self, key: &Key, status: &AgentDeploymentStatus) -> bool {
        let before = self.status(key);
        self.events.record(event::between(key, &before, status, &self.clock.now().to_string()));
        let is_new = *before != *status;
        if is_new {
            self.write().insert(key.clone(), Arc::new(status.clone()));
            self.version.send_modify(|version| *version += 1);
        }
        is_new
    }

    /// Shows, saves and tells of a new status.
    pub async fn publish(&self, key: &Key, status: &AgentDeploymentStatus) {
        if !self.show(key, status) {
            return;
        }
        if let Err(error) = self.store.save(key, status).await {
            tracing::warn!(agent = %key, error, "status not saved");
        }
    }

    /// Takes an agent that is gone off the board.
    pub async fn forget(&self, key: &Key) {
        self.write().remove(key);
        self.version.send_modify(|version| *version += 1);
        if let Err(error) = self.store.remove(key).await {
            tracing::warn!(agent = %key, error, "status not removed");
        }
    }

    /// Notes on the board alone when `key` is looked at again.
    pub fn note_next(&self, key: &Key, next: Option<fargateer_api::status::NextLook>) {
        if let Some(status) = self.write().get_mut(key) {
            Arc::make_mut(status).next = next;
        }
    }

    /// The wish to hand `key` back counts no more; told with its next status.
    pub fn withdraw_release(&self, key: &Key) {
        if let Some(status) = self.write().get_mut(key) {
            Arc::make_mut(status).inventory.release = None;
        }
    }

    /// What happened lately.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// Counts up with every change; for those who watch.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Key, Arc<AgentDeploymentStatus>>> {
        self.statuses.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<Key, Arc<AgentDeploymentStatus>>> {
        self.statuses.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Statuses that many will read.
fn shared(statuses: BTreeMap<Key, AgentDeploymentStatus>) -> impl Iterator<Item = (Key, Arc<AgentDeploymentStatus>)> {
    statuses.into_iter().map(|(key, status)| (key, Arc::new(status)))
}
