//! A source that says what the scenario says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use fargateer_api::status::SourceStatus;
use fargateer_api::{AgentDeployment, Key};
use fargateer_controller::port::{Document, Snapshot, Source};
use serde_json::Value;
use tokio::sync::watch;

/// How the first source of every scenario is called.
pub(crate) const FIRST: &str = "scenario";
/// How the second one is called, where there is one.
pub(crate) const BESIDE: &str = "beside";

/// Answers the newest snapshot, and again each time one is sent.
#[derive(Debug)]
pub struct Fed {
    snapshots: watch::Receiver<Option<Snapshot>>,
    begun: bool,
    /// What it said last.
    said: BTreeSet<Key>,
}

impl Fed {
    /// A source fed through the other end of `snapshots`.
    pub fn new(snapshots: watch::Receiver<Option<Snapshot>>) -> Self {
        Self { snapshots, begun: false, said: BTreeSet::new() }
    }
}

#[async_trait]
impl Source for Fed {
    async fn next(&mut self) -> Snapshot {
        let mut known = !std::mem::replace(&mut self.begun, true);
        loop {
            if !known && self.snapshots.changed().await.is_err() {
                return std::future::pending().await;
            }
            known = false;
            if let Some(mut snapshot) = self.snapshots.borrow_and_update().clone() {
                // News once, and only to whoever knew the agent: a process that starts has no commit to compare with.
                snapshot.removed.retain(|key| self.said.contains(key));
                if snapshot.whole {
                    self.said = snapshot.documents.keys().cloned().collect();
                }
                return snapshot;
            }
        }
    }
}

/// A snapshot of `specs` by name. A spec that cannot be read, or is refused, is a document with its faults.
pub fn snapshot(specs: &BTreeMap<String, Value>, whole: bool) -> Snapshot {
    let document = |(name, spec): (&String, &Value)| (Key::new(name), vec![document(FIRST, name, spec)]);
    showing(FIRST, specs.iter().map(document).collect(), whole)
}

/// A snapshot of documents that were read already in `source`.
pub(crate) fn showing(source: &str, documents: BTreeMap<Key, Vec<Document>>, whole: bool) -> Snapshot {
    Snapshot { source: source.to_owned(), whole, documents, ..Snapshot::default() }
}

/// What `spec` says about `name` in `source`.
pub(crate) fn document(source: &str, name: &str, spec: &Value) -> Document {
    let source = SourceStatus { location: format!("{source}/{name}.yaml:1"), ..SourceStatus::default() };
    match serde_json::from_value::<AgentDeployment>(spec.clone()) {
        Ok(agent) => {
            let violations = fargateer_api::validate::check(&agent);
            let faults: Vec<String> = violations.iter().map(|violation| format!("{violation:?}")).collect();
            let agent = faults.is_empty().then(|| Arc::new(agent));
            Document { agent, faults, source }
        }
        Err(error) => Document { agent: None, faults: vec![error.to_string()], source },
    }
}
