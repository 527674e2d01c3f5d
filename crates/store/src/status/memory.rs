//! Statuses that are gone with the process: for one run over the fleet, and for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use fargateer_api::{AgentDeploymentStatus, Key};
use fargateer_controller::port::Statuses;

/// Statuses in memory.
#[derive(Debug, Default)]
pub struct MemoryStatuses {
    statuses: Mutex<BTreeMap<Key, AgentDeploymentStatus>>,
}

impl MemoryStatuses {
    /// Statuses that begin with `statuses`.
    pub fn with(statuses: BTreeMap<Key, AgentDeploymentStatus>) -> Self {
        Self { statuses: Mutex::new(statuses) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, AgentDeploymentStatus>> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Statuses for MemoryStatuses {
    async fn load(&self) -> Result<BTreeMap<Key, AgentDeploymentStatus>, String> {
        Ok(self.lock().clone())
    }

    async fn save(&self, key: &Key, status: &AgentDeploymentStatus) -> Result<(), String> {
        self.lock().insert(key.clone(), status.clone());
        Ok(())
    }

    async fn remove(&self, key: &Key) -> Result<(), String> {
        self.lock().remove(key);
        Ok(())
    }
}
