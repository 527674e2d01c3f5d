//! What an action's answer tells about the world: after a write of ours we know the outcome without reading it back.
//!
//! Reads after writes may be stale in AWS; the answer of the write is not. The next pass looks again.

use fargateer_api::seeded::{Bug, has};
use serde_json::{Map, Value, json};

use crate::action::Action;
use crate::observed::Observed;
use crate::seen::Seen;
use crate::tags::Tags;
use crate::{build, log_group, repository, scaling, service, task_definition};

/// What AWS answered to an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// Nothing we need.
    Nothing,
    /// The registered revision.
    Revision(task_definition::Live),
    /// The service as it is now.
    Service(service::Live),
    /// The repository that was made.
    Repository(repository::Live),
    /// The image, which is under way or there.
    Image(build::Live),
}

/// Brings `observed` up to date with `action`, which AWS carried out and answered with `done`.
pub fn apply(observed: &mut Observed, action: &Action, done: Done) {
    match action {
        Action::Repository(change) => {
            let made = if let Done::Repository(live) = done { Some(live) } else { None };
            repository::echo(&mut observed.repository, change, made);
            // Asked for without a repository it could only be missing.
            observed.build = Seen::NotLooked;
        }
        Action::Image(build::Change::Build(_)) => {
            observed.build = if let Done::Image(live) = done { Seen::Present(live) } else { Seen::NotLooked };
        }
        Action::LogGroup(change) => log_group(&mut observed.log_group, change),
        Action::TaskDefinition(change) => revisions(observed, change, done),
        Action::Service(change) => service(observed, change, done),
        Action::Scaling(change) => {
            scaling(&mut observed.scaling, change);
            into_range(&mut observed.service, change);
        }
    }
}

/// RegisterScalableTarget moves the count into its range at once: what was read before it is not true any more.
fn into_range(seen: &mut Seen<service::Live>, change: &scaling::Change) {
    let (scaling::Change::Register(request), Some(live)) = (change, seen.present_mut()) else { return };
    if has(Bug::ReadyWhileScaling) {
        return;
    }
    let bound = |key: &str| request.get(key).and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok());
    let (least, most) = (bound("MinCapacity").unwrap_or(0), bound("MaxCapacity").unwrap_or(u32::MAX));
    let count = live.count("desiredCount").max(least).min(most);
    live.document.insert("desiredCount".to_owned(), json!(count));
}

/// What `change` makes of the log group that was `seen`.
pub fn log_group(seen: &mut Seen<log_group::Live>, change: &log_group::Change) {
    match change {
        log_group::Change::Create { name, tags } => {
            let tags = Seen::Present(tags.clone());
            *seen = Seen::Present(log_group::Live {
                arn: name.clone(),
                retention: None,
                policy_retention: false,
                believed: false,
                tags,
            });
        }
        log_group::Change::Retention { days, name: _ } => {
            if let Some(live) = seen.present_mut() {
                live.retention = *days;
            }
        }
        log_group::Change::Untag { keys, name: _, arn: _ } => {
            if let Some(tags) = seen.present_mut().and_then(|live| live.tags.present_mut()) {
                tags.retain(|key, _| !keys.contains(key));
            }
        }
        log_group::Change::Delete { .. } => *seen = Seen::Absent,
    }
}

fn revisions(observed: &mut Observed, change: &task_definition::Change, done: Done) {
    if observed.revisions.present().is_none() {
        observed.revisions = Seen::Present(Vec::new());
    }
    let Some(revisions) = observed.revisions.present_mut() else {
        return;
    };
    match change {
        task_definition::Change::Register(_) => {
            if let Done::Revision(live) = done {
                observed.registered = Some(live.arn.clone());
                revisions.insert(0, live);
            }
            // A revision nobody has tried yet cannot have been rejected.
            observed.verdicts = Seen::Present(Vec::new());
        }
        task_definition::Change::Tag { arn, tags } => {
            let tagged = revisions.iter_mut().chain(observed.revision.present_mut()).filter(|live| live.arn == *arn);
            tagged.for_each(|live| live.tags.extend(tags.clone()));
        }
        task_definition::Change::Untag { arn, keys } => {
            let tagged = revisions.iter_mut().filter(|live| live.arn == *arn);
            tagged.for_each(|live| live.tags.retain(|key, _| !keys.contains(key)));
        }
        task_definition::Change::Deregister(arn) => revisions.retain(|live| live.arn != *arn),
    }
}

fn service(observed: &mut Observed, change: &service::Change, done: Done) {
    let before = observed.service.present().map(service::Live::tags).unwrap_or_default();
    if let Done::Service(live) = done {
        let created = if let service::Change::Create(request) = change {
            crate::tags::from_list(request.get("tags"))
        } else {
            before
        };
        running_revision(observed, live.text("taskDefinition"));
        let existed = observed.service.present().is_some_and(|live| !live.is_inactive());
        if !existed {
            observed.scaling = Seen::Absent;
        }
        observed.service = Seen::Present(with_tags(live, &created));
        return;
    }
    let Some(live) = observed.service.present() else { return };
    let mut tags = before;
    match change {
        service::Change::Tag { tags: set, arn: _ } => tags.extend(set.clone()),
        service::Change::Untag { keys, arn: _ } => tags.retain(|key, _| !keys.contains(key)),
        service::Change::Create(_) | service::Change::Update(_) => {}
        service::Change::Delete { .. } => {
            let mut leaving = live.clone();
            leaving.document.insert("status".to_owned(), json!("DRAINING"));
            observed.service = Seen::Present(leaving);
            return;
        }
    }
    observed.service = Seen::Present(with_tags(live.clone(), &tags));
}

/// The service runs another revision now: one we know, or one to look at.
fn running_revision(observed: &mut Observed, arn: &str) {
    if observed.revision.present().is_some_and(|live| live.arn == arn) {
        return;
    }
    let known =
        observed.revisions.present().and_then(|revisions| revisions.iter().find(|live| live.arn == arn)).cloned();
    observed.revision = known.map_or(Seen::NotLooked, Seen::Present);
}

/// UpdateService answers without tags; they have not changed by it.
fn with_tags(mut live: service::Live, tags: &Tags) -> service::Live {
    live.document.insert("tags".to_owned(), crate::tags::to_list(tags));
    live
}

/// What `change` makes of the scaling that was `seen`.
pub fn scaling(seen: &mut Seen<scaling::Live>, change: &scaling::Change) {
    if let scaling::Change::Deregister(_) = change {
        *seen = Seen::Absent;
        return;
    }
    let mut live = seen.present().cloned().unwrap_or_default();
    match change {
        scaling::Change::Register(request) => {
            let number = |key: &str| request.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
            live.min = number("MinCapacity").unwrap_or(live.min);
            live.max = number("MaxCapacity").unwrap_or(live.max);
            live.suspended = false;
            let tags = request.get("Tags").and_then(|tags| serde_json::from_value(tags.clone()).ok());
            live.tags = tags.unwrap_or(live.tags);
        }
        scaling::Change::PutPolicy(request) => put(&mut live.policies, request, "PolicyName"),
        scaling::Change::DeletePolicy(request) => drop_named(&mut live.policies, request, "PolicyName"),
        scaling::Change::PutScheduled(request) => put(&mut live.scheduled, request, "ScheduledActionName"),
        scaling::Change::DeleteScheduled(request) => drop_named(&mut live.scheduled, request, "ScheduledActionName"),
        scaling::Change::Deregister(_) => {}
    }
    *seen = Seen::Present(live);
}

fn put(items: &mut Vec<Value>, request: &Value, key: &str) {
    drop_named(items, request, key);
    items.push(Value::Object(request.as_object().cloned().unwrap_or_else(Map::new)));
}

fn drop_named(items: &mut Vec<Value>, request: &Value, key: &str) {
    items.retain(|item| item.get(key) != request.get(key));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(arn: &str) -> task_definition::Live {
        task_definition::Live::new(arn.to_owned(), json!({"family": arn}), Tags::new())
    }

    fn live(document: &Value) -> service::Live {
        service::Live { document: document.as_object().unwrap().clone() }
    }

    fn answer(arn: &str) -> Done {
        Done::Service(live(&json!({"taskDefinition": arn, "status": "ACTIVE"})))
    }

    fn update() -> Action {
        Action::Service(service::Change::Update(json!({})))
    }

    #[test]
    fn the_revision_a_service_moved_to_is_known_or_looked_at() {
        let revisions = Seen::Present(vec![revision("bot:2"), revision("bot:1")]);
        let service = Seen::Present(live(&json!({"taskDefinition": "bot:1"})));
        let mut observed =
            Observed { service, revision: Seen::Present(revision("bot:1")), revisions, ..Observed::default() };
        apply(&mut observed, &update(), answer("bot:1"));
        assert_eq!(observed.revision.present().map(|live| live.arn.as_str()), Some("bot:1"));
        apply(&mut observed, &update(), answer("bot:2"));
        assert_eq!(observed.revision.present().map(|live| live.arn.as_str()), Some("bot:2"));
        apply(&mut observed, &update(), answer("bot:9"));
        assert_eq!(observed.revision, Seen::NotLooked);
    }

    #[test]
    fn an_update_answers_without_tags_and_keeps_those_there_were() {
        let tags = json!([{"key": "a", "value": "b"}]);
        let service = Seen::Present(live(&json!({"taskDefinition": "bot:1", "tags": tags})));
        let mut observed = Observed { service, scaling: Seen::NotLooked, ..Observed::default() };
        apply(&mut observed, &update(), answer("bot:1"));
        assert_eq!(observed.service.present().unwrap().document["tags"], tags);
        assert_eq!(observed.scaling, Seen::NotLooked, "a service that was there may have scaling");
    }

    #[test]
    fn a_service_just_made_has_the_tags_it_was_made_with_and_no_scaling() {
        let mut observed = Observed { service: Seen::Absent, ..Observed::default() };
        let request = json!({"tags": [{"key": "a", "value": "b"}]});
        apply(&mut observed, &Action::Service(service::Change::Create(request)), answer("bot:1"));
        assert_eq!(observed.service.present().unwrap().tags().get("a").map(String::as_str), Some("b"));
        assert_eq!(observed.scaling, Seen::Absent);
    }

    #[test]
    fn a_tag_set_on_a_revision_is_seen_on_that_one_alone() {
        let revisions = Seen::Present(vec![revision("bot:2"), revision("bot:1")]);
        let mut observed = Observed { revision: Seen::Present(revision("bot:1")), revisions, ..Observed::default() };
        let tags = Tags::from([("a".to_owned(), "b".to_owned())]);
        let tag = task_definition::Change::Tag { arn: "bot:1".to_owned(), tags: tags.clone() };
        apply(&mut observed, &Action::TaskDefinition(tag), Done::Nothing);
        assert_eq!(observed.revision.present().unwrap().tags, tags);
        let seen: Vec<bool> = observed.revisions.present().unwrap().iter().map(|live| live.tags == tags).collect();
        assert_eq!(seen, [false, true]);
        let gone = task_definition::Change::Deregister("bot:2".to_owned());
        apply(&mut observed, &Action::TaskDefinition(gone), Done::Nothing);
        assert_eq!(observed.revisions.present().unwrap().len(), 1);
    }

    #[test]
    fn a_revision_just_registered_was_never_rejected() {
        let mut observed = Observed::default();
        let register = Action::TaskDefinition(task_definition::Change::Register(json!({})));
        apply(&mut observed, &register, Done::Revision(revision("bot:1")));
        assert_eq!(observed.revisions, Seen::Present(vec![revision("bot:1")]));
        assert_eq!(observed.verdicts, Seen::Present(Vec::new()));
    }

    #[test]
    fn a_deleted_service_is_draining_and_a_deregistered_target_is_gone() {
        let service = Seen::Present(live(&json!({"status": "ACTIVE"})));
        let scaling = Seen::Present(scaling::Live::default());
        let mut observed = Observed { service, scaling, ..Observed::default() };
        let delete = service::Change::Delete { cluster: String::new(), service: String::new() };
        apply(&mut observed, &Action::Service(delete), Done::Nothing);
        assert_eq!(observed.service.present().unwrap().text("status"), "DRAINING");
        apply(&mut observed, &Action::Scaling(scaling::Change::Deregister(json!({}))), Done::Nothing);
        assert_eq!(observed.scaling, Seen::Absent);
    }

    #[test]
    fn policies_and_schedules_are_replaced_and_removed_by_name() {
        let mut seen = Seen::Present(scaling::Live { suspended: true, ..scaling::Live::default() });
        let policy = |name: &str, goal: u32| json!({"PolicyName": name, "goal": goal});
        let night = json!({"ScheduledActionName": "night"});
        for change in [
            scaling::Change::PutPolicy(policy("a", 1)),
            scaling::Change::PutPolicy(policy("b", 1)),
            scaling::Change::PutPolicy(policy("a", 2)),
            scaling::Change::DeletePolicy(policy("b", 0)),
            scaling::Change::PutScheduled(night.clone()),
            scaling::Change::Register(json!({"MinCapacity": 2, "MaxCapacity": 5})),
        ] {
            scaling(&mut seen, &change);
        }
        let live = seen.present().unwrap().clone();
        assert_eq!((live.min, live.max, live.suspended), (2, 5, false));
        assert_eq!((live.policies, live.scheduled), (vec![policy("a", 2)], vec![night.clone()]));
        scaling(&mut seen, &scaling::Change::DeleteScheduled(night));
        assert_eq!(seen.present().unwrap().scheduled, Vec::<Value>::new());
    }
}
