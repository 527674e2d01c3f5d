//! Task definitions: revisions are immutable, so each is read once a day: only its status can change.

use std::time::Duration;

use fargateer_api::Reason;
use fargateer_api::seeded::{Bug, has};
use fargateer_plan::desired::Place;
use fargateer_plan::echo::Done;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::seen::Seen;
use fargateer_plan::task_definition::{Change, Folded, Live, family_of};
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::caller::{Caller, Operation, items, text};
use crate::error;
use crate::memory::Memory;
use crate::quota::Group;
use crate::tags;

/// What this file calls.
pub(crate) const PERMISSIONS: &[&str] = &[
    "ecs:DeregisterTaskDefinition",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTaskDefinitions",
    "ecs:RegisterTaskDefinition",
];

const DESCRIBE: Operation = Operation::new("ecs.DescribeTaskDefinition", Group::TaskDefinitionRead);
const LIST: Operation = Operation::new("ecs.ListTaskDefinitions", Group::TaskDefinitionRead);
const REGISTER: Operation = Operation::new("ecs.RegisterTaskDefinition", Group::TaskDefinitionModify);
const DEREGISTER: Operation = Operation::new("ecs.DeregisterTaskDefinition", Group::TaskDefinitionModify);

/// How many of a family's newest revisions are looked at for one that fits.
const NEWEST: usize = 12;
/// Pages of ListTaskDefinitions: its prefix also matches longer family names.
const PAGES: usize = 20;
/// Nothing but its status ever changes: that somebody deregistered a revision that runs is noticed after this time.
const BELIEVED: Duration = Duration::from_hours(24);

/// After so long a list shows what was registered.
const UNLISTED: Duration = Duration::from_mins(2);
/// Longer than this nobody waits for a revision that its service vouches for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Revisions that were read.
#[derive(Debug)]
pub(crate) struct Revisions {
    known: Memory<(Place, String), Folded>,
    /// Those of which a service vouches for the digest, and rightly so: nothing more of them is needed.
    vouched: Memory<(Place, String), Box<str>>,
    /// What was registered a moment ago, by family: a list may not show it yet.
    registered: Memory<(Place, String), String>,
}

impl Default for Revisions {
    fn default() -> Self {
        Self { known: Memory::new(BELIEVED), vouched: Memory::new(BELIEVED), registered: Memory::new(UNLISTED) }
    }
}

impl Revisions {
    /// The revision `arn`.
    pub(crate) async fn observe(&self, caller: &Caller<'_>, arn: &str) -> Seen<Live> {
        self.describe(caller, arn).await.map_or_else(Seen::Unknown, Seen::Present)
    }

    /// The revision `arn`; while many others wait to be read, as its service vouches for it. A process that knows nothing
    /// yet so sees a large fleet at the rate of services, ten a call, not at that of revisions, one a call.
    pub(crate) async fn observe_vouched(&self, caller: &Caller<'_>, arn: &str, digest: &str) -> Seen<Live> {
        let key = (caller.place.clone(), arn.to_owned());
        if self.vouched.get(&key).is_some_and(|known| *known == *digest) {
            return Seen::Present(Live::vouched(arn, digest));
        }
        if let Some(live) = self.known.get(&key).and_then(|folded| folded.unfold()) {
            return Seen::Present(live);
        }
        if caller.backlog(DESCRIBE) > PATIENCE {
            return Seen::Present(Live::vouched(arn, digest));
        }
        match read(caller, arn).await {
            Ok(live) if live.is_active() && live.has_digest(digest) => self.vouched.put(key, digest.into()),
            Ok(live) => {
                self.known.put(key, live.fold());
                return Seen::Present(live);
            }
            Err(failure) => return Seen::Unknown(failure),
        }
        Seen::Present(Live::vouched(arn, digest))
    }

    /// The newest active revisions of `family`, newest first.
    pub(crate) async fn list(&self, caller: &Caller<'_>, family: &str) -> Seen<Vec<Live>> {
        let mut arns = match list(caller, family).await {
            Ok(arns) => arns,
            Err(failure) => return Seen::Unknown(failure),
        };
        let ours = self.registered.get(&(caller.place.clone(), family.to_owned()));
        if let Some(arn) = ours.filter(|arn| !arns.contains(arn)) {
            arns.insert(0, arn);
        }
        // Collected first: a lazy iterator of borrowing futures is not `Send` enough for the compiler.
        let reads: Vec<_> = arns.iter().map(|arn| self.describe(caller, arn)).collect();
        try_join_all(reads).await.map_or_else(Seen::Unknown, Seen::Present)
    }

    /// Carries out `change`.
    pub(crate) async fn apply(&self, caller: &Caller<'_>, change: &Change) -> Result<Done, Failure> {
        match change {
            Change::Register(request) => self.register(caller, request).await,
            Change::Tag { arn, tags } => {
                self.known.forget(&(caller.place.clone(), arn.clone()));
                tags::set(caller, arn, tags).await.map(|()| Done::Nothing)
            }
            Change::Untag { arn, keys } => {
                self.known.forget(&(caller.place.clone(), arn.clone()));
                tags::remove(caller, arn, keys).await.map(|()| Done::Nothing)
            }
            Change::Deregister(arn) => {
                self.known.forget(&(caller.place.clone(), arn.clone()));
                self.vouched.forget(&(caller.place.clone(), arn.clone()));
                self.registered.forget(&(caller.place.clone(), family_of(arn).to_owned()));
                let request = json!({"taskDefinition": arn});
                let ecs = &caller.clients.ecs_writes;
                let send = |exchange| ecs.deregister_task_definition().customize().interceptor(exchange).send();
                caller.json(DEREGISTER, &request, send).await.map(|_| Done::Nothing)
            }
        }
    }

    /// Registers a revision. There is no token: the next pass finds by its digest what a lost answer left.
    async fn register(&self, caller: &Caller<'_>, request: &Value) -> Result<Done, Failure> {
        let ecs = &caller.clients.ecs_writes;
        let send = |exchange| ecs.register_task_definition().customize().interceptor(exchange).send();
        let mut answer = caller.json(REGISTER, request, send).await?;
        if items(&answer, "tags").is_empty() && answer.is_object() {
            // The API answers with the tags; not every emulator of it does.
            answer["tags"] = request.get("tags").cloned().unwrap_or_default();
        }
        let live = Live::from_answer(&answer).ok_or_else(|| unreadable(REGISTER))?;
        self.known.put((caller.place.clone(), live.arn.clone()), live.fold());
        self.registered.put((caller.place.clone(), family_of(&live.arn).to_owned()), live.arn.clone());
        Ok(Done::Revision(live))
    }

    async fn describe(&self, caller: &Caller<'_>, arn: &str) -> Result<Live, Failure> {
        let key = (caller.place.clone(), arn.to_owned());
        if let Some(live) = self.known.get(&key).and_then(|folded| folded.unfold()) {
            return Ok(live);
        }
        let live = read(caller, arn).await?;
        self.known.put(key, live.fold());
        Ok(live)
    }
}

async fn read(caller: &Caller<'_>, arn: &str) -> Result<Live, Failure> {
    let request = json!({"taskDefinition": arn, "include": ["TAGS"]});
    let send = |exchange| caller.clients.ecs.describe_task_definition().customize().interceptor(exchange).send();
    let answer = caller.json(DESCRIBE, &request, send).await?;
    Live::from_answer(&answer).ok_or_else(|| unreadable(DESCRIBE))
}

async fn list(caller: &Caller<'_>, family: &str) -> Result<Vec<String>, Failure> {
    let mut arns: Vec<String> = Vec::new();
    let mut token = Value::Null;
    for _ in 0..PAGES {
        let mut request = json!({"familyPrefix": family, "status": "ACTIVE", "sort": "DESC", "maxResults": 100});
        if !token.is_null() {
            request["nextToken"] = token;
        }
        let send = |exchange| caller.clients.ecs.list_task_definitions().customize().interceptor(exchange).send();
        let answer = caller.json(LIST, &request, send).await?;
        let page = items(&answer, "taskDefinitionArns").iter().filter_map(Value::as_str);
        arns.extend(page.filter(|arn| family_of(arn) == family).map(str::to_owned));
        token = answer.get("nextToken").cloned().unwrap_or_default();
        if has(Bug::FirstPageOnly) || token.is_null() || text(&answer, "nextToken").is_empty() || arns.len() >= NEWEST {
            break;
        }
    }
    arns.sort_by_key(|arn| std::cmp::Reverse(fargateer_plan::task_definition::revision_number(arn)));
    arns.truncate(NEWEST);
    Ok(arns)
}

fn unreadable(operation: Operation) -> Failure {
    let message = "the answer holds no task definition";
    error::of(operation.name, Class::Transient, Reason::Unavailable, ("UnreadableAnswer", message))
}
