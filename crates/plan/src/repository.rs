//! The ECR repository of an image that is built: made with its settings, never taken over, deleted only when data need not be
//! kept.

use fargateer_api::AgentDeployment;
use serde::Serialize;
use serde_json::{Value, json};

use crate::difference::{Difference, Effect};
use crate::seen::Seen;
use crate::tags::{self, Ownership, Tags};

/// Untagged images go after so many days. Whatever a task definition of ours names has a tag, and tags do not move, so
/// that no image in use is ever among them.
const UNTAGGED_DAYS: u32 = 14;
/// Tags stay where they are: what a revision of a task definition runs is the same for ever.
const IMMUTABLE: &str = "IMMUTABLE";

/// A repository, as ECR describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// ARN.
    pub arn: String,
    /// `<registry>/<name>`.
    pub uri: String,
    /// `IMMUTABLE`, `MUTABLE` and the like.
    pub mutability: String,
    /// Whether images are scanned when they are pushed.
    pub scans: bool,
    /// Whether it has a lifecycle policy, whoever wrote it.
    pub has_lifecycle: bool,
    /// Its tags.
    pub tags: Tags,
}

/// A write to a repository.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// CreateRepository with this request.
    Create(Value),
    /// PutLifecyclePolicy.
    Lifecycle {
        /// Name.
        name: String,
        /// The policy, as JSON text.
        policy: String,
    },
    /// PutImageTagMutability.
    Mutability {
        /// Name.
        name: String,
        /// As `Live::mutability`.
        mutability: String,
    },
    /// PutImageScanningConfiguration.
    Scanning {
        /// Name.
        name: String,
        /// Whether images are scanned when they are pushed.
        scans: bool,
    },
    /// UntagResource.
    Untag {
        /// ARN.
        arn: String,
        /// Keys to remove.
        keys: Vec<String>,
    },
    /// DeleteRepository with all its images.
    Delete {
        /// Name.
        name: String,
    },
}

/// The name of the repository `agent` needs, if its image is built.
pub fn from_spec(agent: &AgentDeployment) -> Option<String> {
    agent.repository()
}

/// The fields that differ.
pub fn diff(live: &Live) -> Vec<Difference> {
    let in_place = |field: &str, have: Value, want: Value| Difference {
        field: format!("/repository/{field}"),
        have,
        want,
        effect: Effect::InPlace,
    };
    let fields = [
        in_place("imageTagMutability", json!(live.mutability), json!(IMMUTABLE)),
        in_place("imageScanningConfiguration/scanOnPush", json!(live.scans), json!(true)),
        in_place("lifecyclePolicy", json!(live.has_lifecycle), json!(true)),
    ];
    fields.into_iter().filter(|field| field.have != field.want).collect()
}

/// The writes that make the repository what is wanted. One that is not ours is used as it is.
pub fn changes(live: &Seen<Live>, name: &str, tags: &Tags) -> Vec<Change> {
    let name = name.to_owned();
    let lifecycle = || Change::Lifecycle { name: name.clone(), policy: lifecycle().to_string() };
    match live {
        Seen::Absent => vec![Change::Create(request(&name, tags)), lifecycle()],
        Seen::Present(live) if is_ours(live, tags) => {
            let mutability = Change::Mutability { name: name.clone(), mutability: IMMUTABLE.to_owned() };
            let scanning = Change::Scanning { name: name.clone(), scans: true };
            let mut changes = Vec::new();
            changes.extend((live.mutability != IMMUTABLE).then_some(mutability));
            changes.extend((!live.scans).then_some(scanning));
            changes.extend((!live.has_lifecycle).then(lifecycle));
            changes
        }
        Seen::Present(_) | Seen::NotLooked | Seen::Unknown(_) => Vec::new(),
    }
}

/// Encrypted with the keys of S3, the default, which is said all the same: it can never be changed.
fn request(name: &str, tags: &Tags) -> Value {
    let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({
        "repositoryName": name,
        "imageTagMutability": IMMUTABLE,
        "imageScanningConfiguration": {"scanOnPush": true},
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "tags": tags,
    })
}

fn lifecycle() -> Value {
    let selection = json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days",
        "countNumber": UNTAGGED_DAYS});
    let rule = json!({"rulePriority": 1, "description": "images without a tag run nowhere", "selection": selection,
        "action": {"type": "expire"}});
    json!({"rules": [rule]})
}

/// Whether it carries the owner and the agent that `tags` carry.
pub fn is_ours(live: &Live, tags: &Tags) -> bool {
    let (Some(owner), Some(agent)) = (tags.get(tags::OWNER), tags.get(tags::AGENT)) else { return false };
    tags::ownership(&live.tags, owner, agent) == Ownership::Ours
}

/// What `change` makes of the repository that was `seen`, given what CreateRepository answered.
pub fn echo(seen: &mut Seen<Live>, change: &Change, made: Option<Live>) {
    if let (Change::Create(_), Some(made)) = (change, made) {
        *seen = Seen::Present(made);
        return;
    }
    if let Change::Delete { .. } = change {
        *seen = Seen::Absent;
        return;
    }
    let Some(live) = seen.present_mut() else { return };
    match change {
        Change::Create(_) | Change::Delete { .. } => {}
        Change::Lifecycle { .. } => live.has_lifecycle = true,
        Change::Mutability { mutability, name: _ } => live.mutability.clone_from(mutability),
        Change::Scanning { scans, name: _ } => live.scans = *scans,
        Change::Untag { keys, arn: _ } => live.tags.retain(|key, _| !keys.contains(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Tags {
        tags::owned("prod", "bot", &Tags::new())
    }

    fn live() -> Live {
        Live {
            arn: "arn".to_owned(),
            uri: "registry/agents/bot".to_owned(),
            mutability: IMMUTABLE.to_owned(),
            scans: true,
            has_lifecycle: true,
            tags: ours(),
        }
    }

    #[test]
    fn one_that_is_missing_is_made_with_everything_and_then_rests() {
        let mut seen = Seen::Absent;
        let made = changes(&seen, "agents/bot", &ours());
        assert_eq!(made.len(), 2, "{made:?}");
        for change in &made {
            echo(&mut seen, change, Some(Live { has_lifecycle: false, ..live() }));
        }
        assert_eq!(changes(&seen, "agents/bot", &ours()), vec![]);
        assert_eq!(seen, Seen::Present(live()));
    }

    #[test]
    fn what_others_changed_is_set_right_and_told() {
        let mut seen =
            Seen::Present(Live { mutability: "MUTABLE".to_owned(), scans: false, has_lifecycle: false, ..live() });
        let fields: Vec<String> = diff(seen.present().unwrap()).into_iter().map(|one| one.field).collect();
        let told = ["imageTagMutability", "imageScanningConfiguration/scanOnPush", "lifecyclePolicy"];
        assert_eq!(fields, told.map(|field| format!("/repository/{field}")));
        for change in changes(&seen, "agents/bot", &ours()) {
            echo(&mut seen, &change, None);
        }
        assert_eq!(seen, Seen::Present(live()));
    }

    #[test]
    fn one_of_somebody_else_and_one_nobody_could_look_at_are_left_alone() {
        let foreign = Live { mutability: "MUTABLE".to_owned(), tags: Tags::new(), ..live() };
        assert_eq!(changes(&Seen::Present(foreign), "agents/bot", &ours()), vec![]);
        assert_eq!(changes(&Seen::NotLooked, "agents/bot", &ours()), vec![]);
    }

    #[test]
    fn only_what_has_no_tag_ever_goes() {
        let rules = lifecycle();
        let rules = rules["rules"].as_array().unwrap();
        assert!(rules.iter().all(|rule| rule["selection"]["tagStatus"] == "untagged"), "{rules:?}");
    }
}
