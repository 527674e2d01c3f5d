//! The log group: created with its retention, never taken over, deleted only when data need not be kept.

use fargateer_api::AgentDeployment;
use serde::Serialize;
use serde_json::json;

use crate::difference::{Difference, Effect};
use crate::seen::Seen;
use crate::tags::{self, Ownership, Tags};

/// The one field of a log group that can differ.
pub const RETENTION: &str = "/logGroup/retentionInDays";

/// A log group, as CloudWatch Logs describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// ARN, without the trailing `:*`.
    pub arn: String,
    /// Retention in days; none keeps events for ever.
    pub retention: Option<u32>,
    /// Set by an account-wide policy, which wins over the group's own setting.
    pub policy_retention: bool,
    /// Read a while ago and not again since.
    pub believed: bool,
    /// Tags, looked for only when something is to be changed (5 calls a second).
    pub tags: Seen<Tags>,
}

/// What a spec asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Name.
    pub name: String,
    /// Retention in days; none keeps events for ever.
    pub retention: Option<u32>,
}

/// A write to a log group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// CreateLogGroup with tags.
    Create {
        /// Name.
        name: String,
        /// Tags.
        tags: Tags,
    },
    /// PutRetentionPolicy, or DeleteRetentionPolicy where there is none.
    Retention {
        /// Name.
        name: String,
        /// Days; none for ever.
        days: Option<u32>,
    },
    /// UntagResource.
    Untag {
        /// Name.
        name: String,
        /// ARN.
        arn: String,
        /// Keys to remove.
        keys: Vec<String>,
    },
    /// DeleteLogGroup.
    Delete {
        /// Name.
        name: String,
    },
}

/// The log group that `agent` means, if it logs.
pub fn from_spec(agent: &AgentDeployment) -> Option<Wanted> {
    let logging = &agent.spec.logging;
    logging.enabled.then(|| Wanted { name: agent.log_group(), retention: logging.retention_days })
}

/// The fields that differ.
pub fn diff(live: &Live, wanted: &Wanted) -> Vec<Difference> {
    if live.policy_retention || live.retention == wanted.retention {
        return Vec::new();
    }
    vec![Difference {
        field: RETENTION.to_owned(),
        have: json!(live.retention),
        want: json!(wanted.retention),
        effect: Effect::InPlace,
    }]
}

/// The writes that make the log group what is wanted. A group that is not ours is used as it is.
pub fn changes(live: &Seen<Live>, wanted: &Wanted, tags: &Tags) -> Vec<Change> {
    let retention = || Change::Retention { name: wanted.name.clone(), days: wanted.retention };
    match live {
        Seen::Absent => {
            let create = Change::Create { name: wanted.name.clone(), tags: tags.clone() };
            std::iter::once(create).chain(wanted.retention.map(|_| retention())).collect()
        }
        Seen::Present(live) if !diff(live, wanted).is_empty() && is_ours(live, tags) => vec![retention()],
        Seen::Present(_) | Seen::NotLooked | Seen::Unknown(_) => Vec::new(),
    }
}

/// Whether the group carries the owner and the agent that `tags` carry: agents may share a group, one of them owns it.
pub fn is_ours(live: &Live, tags: &Tags) -> bool {
    let (Some(have), Some(owner), Some(agent)) = (live.tags.present(), tags.get(tags::OWNER), tags.get(tags::AGENT))
    else {
        return false;
    };
    tags::ownership(have, owner, agent) == Ownership::Ours
}
