//! Events: what changed between two statuses, in the vocabulary of `Reason`. Kept in a ring, logged once each.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use fargateer_api::status::{AgentDeploymentStatus, ConditionType, HistoryEntry, Reason, Truth};
use fargateer_api::{Generation, Key};
use serde::{Deserialize, Serialize};

/// How many events are kept.
const KEPT: usize = 2000;

/// Something that happened to an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When (RFC 3339).
    pub at: String,
    /// To which agent.
    pub agent: Key,
    /// What, in one word.
    pub reason: Reason,
    /// What, in a sentence.
    pub message: String,
    /// The generation it happened to.
    pub generation: Option<Generation>,
}

/// The events between `before` and `after`.
pub fn between(key: &Key, before: &AgentDeploymentStatus, after: &AgentDeploymentStatus, at: &str) -> Vec<Event> {
    let event = |reason: Reason, message: String| Event {
        at: at.to_owned(),
        agent: key.clone(),
        reason,
        message,
        generation: after.observed_generation.clone(),
    };
    let newest = after.history.first().filter(|entry| before.history.first() != Some(*entry));
    let changes = newest.into_iter().flat_map(|HistoryEntry { actions, .. }| actions.clone());
    let mut events = Vec::new();
    if after.last_drift != before.last_drift
        && let Some(drift) = &after.last_drift
    {
        events.push(event(Reason::Drifted, format!("changed by somebody else: {}", drift.fields.join(", "))));
    }
    events.extend(changes.map(|action| event(Reason::Applying, action)));
    for kind in [ConditionType::Ready, ConditionType::SpecValid] {
        let Some(now) = after.condition(kind) else { continue };
        let then = before.condition(kind);
        let flipped = then.is_none_or(|then| then.status != now.status || then.reason != now.reason);
        let quiet = kind == ConditionType::SpecValid && now.status == Truth::True;
        if flipped && !quiet {
            events.push(event(now.reason, now.message.clone()));
        }
    }
    events
}

/// The newest events.
#[derive(Debug, Default)]
pub struct Events {
    ring: Mutex<VecDeque<Event>>,
}

impl Events {
    /// Keeps and logs `events`.
    pub fn record(&self, events: Vec<Event>) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            tracing::info!(agent = %event.agent, reason = event.reason.name(), detail = event.message, "agent event");
            ring.push_back(event);
        }
        let excess = ring.len().saturating_sub(KEPT);
        ring.drain(..excess);
    }

    /// The events of `agent` (or of all), oldest first.
    pub fn list(&self, agent: Option<&Key>) -> Vec<Event> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter().filter(|event| agent.is_none_or(|key| *key == event.agent)).cloned().collect()
    }
}
