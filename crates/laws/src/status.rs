//! Statuses read back: from a file, a table, a daemon.

use fargateer_api::AgentDeploymentStatus;
use fargateer_api::status::Inventory;

/// Any bytes are a status or none; one that was read is written and read again as itself.
///
/// # Panics
///
/// When the law is broken.
pub fn status(data: &[u8]) {
    let Ok(mut read) = serde_json::from_slice::<AgentDeploymentStatus>(data) else { return };
    if read.inventory.is_empty() {
        // Nothing is listed without a service, so what else stands there is not written.
        read.inventory = Inventory::default();
    }
    let written = serde_json::to_string(&read).unwrap_or_default();
    let again = serde_json::from_str::<AgentDeploymentStatus>(&written);
    assert_eq!(again.ok().as_ref(), Some(&read), "{written}");
}
