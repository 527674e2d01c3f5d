//! What identifies an agent (`Key`) and one wording of its spec (`Generation`).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Lists whose order means something; every other list of a spec is a set (subnets, sidecars, their environment).
const ORDERED: &[&str] = &["command", "entryPoint", "environmentFiles", "dnsServers", "dnsSearchDomains", "links"];

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
/// Twelve hexadecimal digits of the SHA-256 of the spec's canonical JSON (object keys sorted, and lists that are sets).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Generation(String);

impl Generation {
    /// The generation of `spec`.
    pub fn of(spec: &impl Serialize) -> Self {
        // A spec is maps, lists, strings and numbers; serde_json cannot refuse it, and `Value` sorts its keys.
        let value = sorted("", serde_json::to_value(spec).unwrap_or_default());
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

/// `value` with every list that is a set in one order.
fn sorted(key: &str, value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (key.clone(), sorted(&key, value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(|item| sorted("", item)).collect();
            if !ORDERED.contains(&key) {
                items.sort_by_cached_key(Value::to_string);
            }
            items.into()
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_a_set_is_no_other_generation_and_that_of_a_command_is() {
        let subnets = |list: Value| Generation::of(&json!({"network": {"subnets": list}}));
        assert_eq!(subnets(json!(["a", "b"])), subnets(json!(["b", "a"])));
        let command = |list: Value| Generation::of(&json!({"container": {"command": list}}));
        assert_ne!(command(json!(["a", "b"])), command(json!(["b", "a"])));
    }
}
