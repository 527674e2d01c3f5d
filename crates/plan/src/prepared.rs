//! A spec with what is computed from it alone: rendered once, not once a pass. Most passes find nothing to do, and ten
//! thousand agents are looked at every few minutes.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use fargateer_api::{AgentDeployment, Generation};

use crate::memo::Memo;
use crate::task_definition;

/// A spec and what it implies. Two are equal when their specs are.
#[derive(Debug)]
pub struct Prepared {
    agent: Arc<AgentDeployment>,
    generation: OnceLock<Generation>,
    /// The task definition for an image beside the revision that runs.
    pub(crate) definition: Memo<(String, Option<String>), Arc<task_definition::Wanted>>,
}

impl Prepared {
    /// `agent`, to be shared.
    pub fn shared(agent: AgentDeployment) -> Arc<Self> {
        Self::of(Arc::new(agent))
    }

    /// The same for a spec that is shared already: thousands of them are held once, not once by everybody who knows them.
    pub fn of(agent: Arc<AgentDeployment>) -> Arc<Self> {
        Arc::new(Self { agent, generation: OnceLock::new(), definition: Memo::default() })
    }

    /// The generation of the spec.
    pub fn generation(&self) -> &Generation {
        self.generation.get_or_init(|| Generation::of(&self.agent.spec))
    }
}

impl Deref for Prepared {
    type Target = AgentDeployment;

    fn deref(&self) -> &AgentDeployment {
        &self.agent
    }
}

impl PartialEq for Prepared {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.agent == other.agent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn two_are_equal_where_their_specs_are() {
        let prepared = |cluster: &str| {
            let document = json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "bot"},
                "spec": {"cluster": cluster, "image": {"uri": "x"}, "network": {"subnets": ["subnet-1"]}}});
            Prepared::shared(serde_json::from_value(document).unwrap())
        };
        assert_eq!(prepared("a"), prepared("a"));
        assert_ne!(prepared("a"), prepared("b"));
    }
}
