//! The ECS service: observed ten at a time, created, updated, tagged and deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use fargateer_api::Reason;
use fargateer_api::seeded::{Bug, has};
use fargateer_plan::desired::Place;
use fargateer_plan::echo::Done;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::seen::Seen;
use fargateer_plan::service::{Change, Live};
use fargateer_plan::tags::from_list;
use serde_json::{Value, json};

use crate::batch::Batch;
use crate::caller::{Caller, Operation, items, text};
use crate::error;
use crate::memory::Memory;
use crate::quota::Group;
use crate::tags;

/// What this file calls. PassRole and the service-linked role are checked by AWS on our behalf.
pub(crate) const PERMISSIONS: &[&str] = &[
    "ecs:CreateService",
    "ecs:DeleteService",
    "ecs:DescribeServices",
    "ecs:UpdateService",
    "iam:CreateServiceLinkedRole",
    "iam:PassRole",
];

const DESCRIBE: Operation = Operation::new("ecs.DescribeServices", Group::ServiceRead);
const CREATE: Operation = Operation::new("ecs.CreateService", Group::ServiceModify);
const UPDATE: Operation = Operation::new("ecs.UpdateService", Group::ServiceModify);
const DELETE: Operation = Operation::new("ecs.DeleteService", Group::ServiceModify);

/// Names in one DescribeServices (ECS API reference).
const BATCH: usize = 10;
/// How long callers wait for one another.
const WINDOW: Duration = Duration::from_millis(25);
/// A service we made may be MISSING for so long; reads are eventually consistent (terraform-provider-aws #3387).
const INVISIBLE: Duration = Duration::from_mins(2);
/// A deployment we started may be missing from reads for so long.
const STALE: Duration = Duration::from_secs(30);

/// A service, in one place.
type Name = (Place, String, String);

/// Services of all places.
#[derive(Debug)]
pub(crate) struct Services {
    batch: Batch<(Place, String), String, Seen<Live>>,
    created: Memory<Name, ()>,
    deployed: Memory<Name, String>,
}

impl Default for Services {
    fn default() -> Self {
        Self { batch: Batch::new(BATCH, WINDOW), created: Memory::new(INVISIBLE), deployed: Memory::new(STALE) }
    }
}

impl Services {
    /// The service, with tags.
    pub(crate) async fn observe(&self, caller: &Caller<'_>, cluster: &str, service: &str) -> Seen<Live> {
        let group = (caller.place.clone(), cluster.to_owned());
        let fetch = |names: Vec<String>| describe(caller, cluster, names);
        let seen = self.batch.get(&group, service.to_owned(), caller.backlog(DESCRIBE), fetch).await;
        let seen = seen.unwrap_or_else(|| Seen::Unknown(unanswered("DescribeServices did not mention the service")));
        let name = (caller.place.clone(), cluster.to_owned(), service.to_owned());
        self.believable(&name, seen)
    }

    /// Carries out `change`.
    pub(crate) async fn apply(&self, caller: &Caller<'_>, change: &Change) -> Result<Done, Failure> {
        let ecs = &caller.clients.ecs_writes;
        let answer = match change {
            Change::Create(request) => {
                let send = |exchange| ecs.create_service().customize().interceptor(exchange).send();
                let answer = caller.json(CREATE, request, send).await?;
                made_as_asked(request, &answer)?;
                self.created.put(name(caller, request, "serviceName"), ());
                self.remember(caller, request, "serviceName", &answer);
                answer
            }
            Change::Update(request) => {
                let send = |exchange| ecs.update_service().customize().interceptor(exchange).send();
                let answer = caller.json(UPDATE, request, send).await?;
                self.remember(caller, request, "service", &answer);
                answer
            }
            Change::Delete { cluster, service } => {
                let request = json!({"cluster": cluster, "service": service, "force": true});
                self.created.forget(&name(caller, &request, "service"));
                let send = |exchange| ecs.delete_service().customize().interceptor(exchange).send();
                match caller.json(DELETE, &request, send).await {
                    Err(failure) if failure.code == "ServiceNotFoundException" => return Ok(Done::Nothing),
                    answer => answer?,
                }
            }
            Change::Tag { arn, tags } => return tags::set(caller, arn, tags).await.map(|()| Done::Nothing),
            Change::Untag { arn, keys } => return tags::remove(caller, arn, keys).await.map(|()| Done::Nothing),
        };
        let document = answer.get("service").and_then(Value::as_object).cloned();
        Ok(document.map_or(Done::Nothing, |document| Done::Service(Live { document })))
    }

    /// A read that cannot know yet what we did a moment ago says nothing.
    fn believable(&self, name: &Name, seen: Seen<Live>) -> Seen<Live> {
        if has(Bug::TrustsStaleReads) {
            return seen;
        }
        let gone = seen.is_absent() || seen.present().is_some_and(Live::is_inactive);
        if gone && self.created.get(name).is_some() {
            return Seen::Unknown(unanswered("the service was created a moment ago and is not visible yet"));
        }
        let (Some(deployment), Some(live)) = (self.deployed.get(name), seen.present()) else { return seen };
        if live.is_active() && live.deployments().iter().all(|listed| listed.id != deployment) {
            return Seen::Unknown(unanswered("the deployment started a moment ago is not visible yet"));
        }
        seen
    }

    fn remember(&self, caller: &Caller<'_>, request: &Value, key: &str, answer: &Value) {
        let deployments = answer.get("service").map(|service| items(service, "deployments")).unwrap_or_default();
        if let Some(primary) = deployments.iter().find(|deployment| text(deployment, "status") == "PRIMARY") {
            self.deployed.put(name(caller, request, key), text(primary, "id").to_owned());
        }
    }
}

async fn describe(caller: &Caller<'_>, cluster: &str, names: Vec<String>) -> BTreeMap<String, Seen<Live>> {
    let request = json!({"cluster": cluster, "services": names, "include": ["TAGS"]});
    let send = |exchange| caller.clients.ecs.describe_services().customize().interceptor(exchange).send();
    match caller.json(DESCRIBE, &request, send).await {
        Ok(answer) => names.into_iter().map(|name| (name.clone(), found(&answer, &name))).collect(),
        Err(failure) => names.into_iter().map(|name| (name, Seen::Unknown(failure.clone()))).collect(),
    }
}

/// What `answer` says about `name`. A name it does not mention at all is unknown, not absent.
fn found(answer: &Value, name: &str) -> Seen<Live> {
    let described = items(answer, "services").iter().filter(|service| text(service, "serviceName") == name);
    // ECS may list an INACTIVE service beside its successor of the same name.
    let living = described.clone().find(|service| text(service, "status") != "INACTIVE");
    if let Some(service) = living.or_else(|| described.clone().next()) {
        return service.as_object().cloned().map_or(Seen::Absent, |document| Seen::Present(Live { document }));
    }
    let is_named = |failure: &&Value| text(failure, "arn").rsplit(['/', ':']).next() == Some(name);
    let failure = items(answer, "failures").iter().find(is_named);
    match failure.map(|failure| text(failure, "reason")) {
        Some("MISSING") => Seen::Absent,
        None if has(Bug::MissingIsGone) => Seen::Absent,
        Some(reason) => Seen::Unknown(unanswered(reason)),
        None => Seen::Unknown(unanswered("DescribeServices did not mention the service")),
    }
}

/// CreateService with a token that was used before answers the service made then, as it is by now. Where a read had said
/// that there is none, that may be one somebody has changed since, or taken over: only a look says what to do about it.
fn made_as_asked(request: &Value, answer: &Value) -> Result<(), Failure> {
    let service = answer.get("service");
    let (asked, made) = (from_list(request.get("tags")), from_list(service.and_then(|service| service.get("tags"))));
    // An answer need not speak of tags at all.
    if made.is_empty() || made == asked {
        return Ok(());
    }
    let message = "the service had been made before, and its tags have changed since";
    Err(error::of(CREATE.name, Class::Conflict, Reason::WaitingForConflict, ("MadeBefore", message)))
}

fn name(caller: &Caller<'_>, request: &Value, key: &str) -> Name {
    (caller.place.clone(), text(request, "cluster").to_owned(), text(request, key).to_owned())
}

fn unanswered(message: &str) -> Failure {
    error::of(DESCRIBE.name, Class::NotYetVisible, Reason::NotYetVisible, ("NotVisible", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missing_service_is_absent() {
        let answer = json!({
            "services": [{"serviceName": "a", "status": "ACTIVE"}, {"serviceName": "old", "status": "INACTIVE"},
                {"serviceName": "twice", "status": "INACTIVE"}, {"serviceName": "twice", "status": "ACTIVE"}],
            "failures": [{"arn": "arn:aws:ecs:us-east-1:1:service/agents/gone", "reason": "MISSING"},
                {"arn": "arn:aws:ecs:us-east-1:1:service/secret", "reason": "ACCESS_DENIED"}],
        });
        assert!(found(&answer, "a").present().is_some());
        assert!(found(&answer, "old").present().is_some_and(Live::is_inactive));
        assert!(found(&answer, "twice").present().is_some_and(Live::is_active));
        assert!(found(&answer, "gone").is_absent());
        assert!(found(&answer, "secret").failure().is_some());
        assert!(found(&answer, "unmentioned").failure().is_some());
    }

    #[test]
    fn a_service_made_before_is_ours_only_as_it_was_asked_for() {
        let asked = json!({"tags": [{"key": "fargateer:owner", "value": "me"}]});
        let made = |tags: Value| made_as_asked(&asked, &json!({"service": {"serviceName": "a", "tags": tags}}));
        assert!(made(json!([{"value": "me", "key": "fargateer:owner"}, {"key": "aws:x", "value": "y"}])).is_ok());
        assert!(made_as_asked(&asked, &json!({"service": {"serviceName": "a"}})).is_ok());
        let taken = made(json!([{"key": "fargateer:owner", "value": "another"}])).unwrap_err();
        assert_eq!((taken.class, taken.code.as_str()), (Class::Conflict, "MadeBefore"));
    }
}
