//! What identifies an agent (`Key`) and one wording of its spec (`Generation`).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The name of an agent, unique in the fleet: the only thing the reconciler is given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The key of the agent called `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The agent's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Content hash of a spec with its defaults filled in: equal wording or not, equal meaning has an equal generation.
///
/// Twelve hexadecimal digits of the SHA-256 of the spec's canonical JSON (object keys sorted).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Generation(String);

impl Generation {
    /// The generation of `spec`.
    pub fn of(spec: &impl Serialize) -> Self {
        // A spec is maps, lists, strings and numbers; serde_json cannot refuse it, and `Value` sorts its keys.
        let value = serde_json::to_value(spec).unwrap_or_default();
        let digest = hex::encode(Sha256::digest(value.to_string()));
        Self(digest.chars().take(12).collect())
    }

    /// A generation read back from where we wrote it (a tag, a status).
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
