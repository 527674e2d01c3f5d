//! The documents of `-o json` and of the API: stable, the same in both.

use std::collections::BTreeMap;

use fargateer_aws::Counts;
use fargateer_controller::Controller;
use fargateer_plan::conceal;
use fargateer_plan::desired::Spec;
use serde_json::{Value, json};

/// `AgentDeploymentList`: every agent with its spec and status, and the AWS calls made so far.
pub(crate) fn list(controller: &Controller, counts: &Counts) -> Value {
    let fleet = &controller.reconciler.fleet;
    let items: Vec<Value> = fleet.keys().iter().map(|key| agent(controller, key)).collect();
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    for ((operation, _), count) in counts.all() {
        *calls.entry(operation).or_default() += count;
    }
    json!({
        "apiVersion": "fargateer/v1",
        "kind": "AgentDeploymentList",
        "items": items,
        "faults": fleet.faults(),
        "calls": calls,
    })
}

/// One agent with its spec and status. An agent without a usable spec has its name and status alone.
///
/// The daemon has no users and tells whoever reaches it, so values that may be secrets are not in it.
pub(crate) fn agent(controller: &Controller, key: &fargateer_api::Key) -> Value {
    let mut document = json!({
        "apiVersion": "fargateer/v1",
        "kind": "AgentDeployment",
        "metadata": {"name": key},
        "status": *controller.reconciler.board.status(key),
    });
    if let Spec::Present { agent, .. } = controller.reconciler.fleet.spec(key) {
        document["metadata"] = json!(agent.metadata);
        document["spec"] = conceal::spec(&agent.spec);
    }
    document
}
