//! Statuses in the table: what one replica told, the one that takes its agents over knows.

use std::collections::BTreeMap;

use async_trait::async_trait;
use fargateer_api::{AgentDeploymentStatus, Key};
use fargateer_controller::port::Statuses;

use super::{ITEM, StateTable, text, text_of};

/// What the sort key of a status begins with.
const STATUS: &str = "status#";
/// The status, as JSON.
const DOCUMENT: &str = "status";

#[async_trait]
impl Statuses for StateTable {
    async fn load(&self) -> Result<BTreeMap<Key, AgentDeploymentStatus>, String> {
        let mut statuses = BTreeMap::new();
        for item in self.items(STATUS).await? {
            let Some(name) = text_of(&item, ITEM).strip_prefix(STATUS) else { continue };
            match serde_json::from_str(text_of(&item, DOCUMENT)) {
                Ok(status) => drop(statuses.insert(Key::new(name), status)),
                Err(error) => tracing::warn!(agent = name, %error, "status not understood; it is told anew"),
            }
        }
        Ok(statuses)
    }

    async fn save(&self, key: &Key, status: &AgentDeploymentStatus) -> Result<(), String> {
        let document = serde_json::to_string(status).map_err(|error| error.to_string())?;
        let mut item = self.key(&format!("{STATUS}{key}"));
        item.insert(DOCUMENT.to_owned(), text(document));
        let call = self.client.put_item().table_name(&self.name).set_item(Some(item));
        call.send().await.map_err(|error| self.told("PutItem", &error))?;
        Ok(())
    }

    async fn remove(&self, key: &Key) -> Result<(), String> {
        let key = self.key(&format!("{STATUS}{key}"));
        let call = self.client.delete_item().table_name(&self.name).set_key(Some(key));
        call.send().await.map_err(|error| self.told("DeleteItem", &error))?;
        Ok(())
    }
}
