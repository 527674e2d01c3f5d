//! A store of statuses that keeps nothing, as a folder does of what no agent may be called.

use std::collections::BTreeMap;

use async_trait::async_trait;
use fargateer_api::{AgentDeploymentStatus, Key};
use fargateer_controller::port::Statuses;

/// Statuses nobody keeps.
pub(crate) struct Forgetful;

#[async_trait]
impl Statuses for Forgetful {
    async fn load(&self) -> Result<BTreeMap<Key, AgentDeploymentStatus>, String> {
        Ok(BTreeMap::new())
    }

    async fn save(&self, _key: &Key, _status: &AgentDeploymentStatus) -> Result<(), String> {
        Ok(())
    }

    async fn remove(&self, _key: &Key) -> Result<(), String> {
        Ok(())
    }
}
