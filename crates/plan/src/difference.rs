//! One field that is not as the spec wants it, and what putting it right does to the running tasks.

use serde::Serialize;
use serde_json::Value;

/// What a change does to the running tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Effect {
    /// Nothing restarts.
    InPlace,
    /// A new deployment: every task is replaced, within the rollout's bounds.
    RestartsTasks,
    /// Cannot be changed in AWS: the resource must be made anew.
    Replaces,
}

impl Effect {
    /// In words for a plan.
    pub fn words(self) -> &'static str {
        match self {
            Self::InPlace => "in place",
            Self::RestartsTasks => "restarts tasks",
            Self::Replaces => "replaces",
        }
    }
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Path of the field, such as `/service/networkConfiguration/awsvpcConfiguration/subnets`.
    pub field: String,
    /// What AWS has; null where it has nothing.
    pub have: Value,
    /// What the spec wants; null where it wants nothing.
    pub want: Value,
    /// What putting it right does.
    pub effect: Effect,
}

/// The fields in which `want` differs from `have`, each as its own path below `base`.
///
/// Goes as deep as both sides are objects; lists and everything else are compared whole.
pub fn between(base: &str, have: &Value, want: &Value, effect: Effect) -> Vec<Difference> {
    if have == want {
        return Vec::new();
    }
    let (Some(left), Some(right)) = (have.as_object(), want.as_object()) else {
        return vec![Difference { field: base.to_owned(), have: have.clone(), want: want.clone(), effect }];
    };
    let keys: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    keys.into_iter()
        .flat_map(|key| {
            let path = format!("{base}/{key}");
            between(&path, left.get(key).unwrap_or(&Value::Null), right.get(key).unwrap_or(&Value::Null), effect)
        })
        .collect()
}
