//! Ownership tags: how a resource says whose it is, and what we remember on it.

use std::collections::BTreeMap;

use fargateer_api::seeded::{Bug, has};
use serde_json::{Value, json};

use crate::difference::{Difference, Effect};

/// The installation that owns the resource.
pub const OWNER: &str = "fargateer:owner";
/// The agent the resource belongs to.
pub const AGENT: &str = "fargateer:agent";
/// The generation of the spec that was last applied to the service.
pub const GENERATION: &str = "fargateer:generation";
/// On a task definition: the digest of the canonical form we asked for.
pub const DIGEST: &str = "fargateer:digest";
/// On a task definition: the digest of the canonical form AWS made of it, where that differs.
pub const ECHO: &str = "fargateer:echo";
/// On a service: what a spec once set, to be cleared when the spec drops it: `capacity`, `schedule`, `scaling`, `tag/<key>`,
/// in words.
pub const SETS: &str = "fargateer:sets";
/// The word of `SETS` for scaling whose policies have names that another tool gave them.
pub const SCALING: &str = "scaling";
/// On a service: the task count kept when autoscaling was turned off, `<count>/<spec.desiredCount at that time>`.
pub const FROZEN_COUNT: &str = "fargateer:frozen-count";

/// On a service: the number of the revision it was last told to run and the digest of what was asked for, `<number>:<digest>`.
pub const REVISION: &str = "fargateer:revision";

/// On a service: the digest of the overrides ECS never describes, once they were sent.
pub const SENT: &str = "fargateer:sent";

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// The tags every resource of an agent carries: the spec's own and the ownership pair.
pub fn owned(owner: &str, agent: &str, own: &Tags) -> Tags {
    let mut tags = own.clone();
    if !has(Bug::ForgetsTheOwner) {
        tags.insert(OWNER.to_owned(), owner.to_owned());
    }
    tags.insert(AGENT.to_owned(), agent.to_owned());
    tags
}

/// Tags as the ECS API writes them: a list of `{key, value}`.
pub fn to_list(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

/// Tags from the ECS API's list; `aws:` tags are AWS's own and left out.
pub fn from_list(list: Option<&Value>) -> Tags {
    let entries = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    entries
        .iter()
        .filter_map(|tag| Some((tag.get("key")?.as_str()?.to_owned(), tag.get("value")?.as_str()?.to_owned())))
        .filter(|(key, _)| !key.starts_with("aws:"))
        .collect()
}

/// What to set and which keys to remove so that `have` becomes `want`.
///
/// Removed are stale tags of ours and those a spec once set; any other key is somebody else's and stays.
pub fn diff(have: &Tags, want: &Tags) -> (Tags, Vec<String>) {
    let once_set = |key: &str| sets(have).any(|word| word.strip_prefix("tag/") == Some(key));
    let set = want.iter().filter(|(key, value)| have.get(*key) != Some(*value));
    let remove = have.keys().filter(|key| !want.contains_key(*key) && (key.starts_with("fargateer:") || once_set(key)));
    (set.map(|(key, value)| (key.clone(), value.clone())).collect(), remove.cloned().collect())
}

/// The tags people wrote in which `have` differs, as fields of the service; our own bookkeeping is nobody's business.
pub fn differences(have: &Tags, want: &Tags) -> Vec<Difference> {
    let (set, remove) = diff(have, want);
    let keys = set.keys().chain(&remove).filter(|key| !key.starts_with("fargateer:"));
    let difference = |key: &String| Difference {
        field: format!("/service/tags/{key}"),
        have: json!(have.get(key)),
        want: json!(want.get(key)),
        effect: Effect::InPlace,
    };
    keys.map(difference).collect()
}

/// The keys of our own tags.
pub fn bookkeeping(tags: &Tags) -> Vec<String> {
    tags.keys().filter(|key| key.starts_with("fargateer:")).cloned().collect()
}

/// The words of the `sets` tag.
pub fn sets(tags: &Tags) -> impl Iterator<Item = &str> {
    tags.get(SETS).map(String::as_str).unwrap_or_default().split(' ').filter(|word| !word.is_empty())
}

/// Whose a resource is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// It carries our owner tag and this agent's name.
    Ours,
    /// It carries no owner tag.
    Nobodys,
    /// Another installation's.
    Installation(String),
    /// Ours, but another agent's.
    Agent(String),
}

/// Whose the resource with `tags` is, seen from installation `owner` and agent `agent`.
pub fn ownership(tags: &Tags, owner: &str, agent: &str) -> Ownership {
    match (tags.get(OWNER), tags.get(AGENT)) {
        (None, _) => Ownership::Nobodys,
        (Some(other), _) if other != owner => Ownership::Installation(other.clone()),
        (Some(_), Some(other)) if other != agent => Ownership::Agent(other.clone()),
        (Some(_), _) => Ownership::Ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn tags_of_other_tools_are_left_alone_and_stale_ones_of_ours_are_removed() {
        let have = tags(&[("cost-centre", "7"), (FROZEN_COUNT, "9/1"), (OWNER, "a"), ("team", "old")]);
        let want = tags(&[(OWNER, "a"), ("team", "new")]);
        assert_eq!(diff(&have, &want), (tags(&[("team", "new")]), vec![FROZEN_COUNT.to_owned()]));
    }

    #[test]
    fn a_tag_the_spec_once_set_is_removed_when_the_spec_drops_it() {
        let have = tags(&[(OWNER, "a"), (SETS, "tag/team"), ("team", "x"), ("other", "y")]);
        let want = tags(&[(OWNER, "a")]);
        assert_eq!(diff(&have, &want).1, vec![SETS.to_owned(), "team".to_owned()]);
    }

    #[test]
    fn a_resource_without_our_owner_tag_is_not_ours() {
        assert_eq!(ownership(&tags(&[]), "a", "bot"), Ownership::Nobodys);
        assert_eq!(ownership(&tags(&[(OWNER, "b"), (AGENT, "bot")]), "a", "bot"), Ownership::Installation("b".into()));
        assert_eq!(ownership(&tags(&[(OWNER, "a"), (AGENT, "other")]), "a", "bot"), Ownership::Agent("other".into()));
        assert_eq!(ownership(&tags(&[(OWNER, "a"), (AGENT, "bot")]), "a", "bot"), Ownership::Ours);
    }
}
