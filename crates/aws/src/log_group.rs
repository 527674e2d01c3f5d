//! The log group: CloudWatch Logs.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use fargateer_plan::desired::Place;
use fargateer_plan::echo;
use fargateer_plan::failure::Failure;
use fargateer_plan::log_group::{Change, Live};
use fargateer_plan::seen::Seen;
use fargateer_plan::tags::Tags;
use serde_json::{Value, json};

use crate::batch::Batch;
use crate::caller::{Caller, Operation, items, text};
use crate::memory::Memory;
use crate::quota::Group;

/// What this file calls.
pub(crate) const PERMISSIONS: &[&str] = &[
    "logs:CreateLogGroup",
    "logs:DeleteLogGroup",
    "logs:DeleteRetentionPolicy",
    "logs:DescribeLogGroups",
    "logs:ListTagsForResource",
    "logs:PutRetentionPolicy",
    "logs:TagResource",
    "logs:UntagResource",
];

const DESCRIBE: Operation = Operation::new("logs.DescribeLogGroups", Group::Logs);
const TAGS: Operation = Operation::new("logs.ListTagsForResource", Group::LogSettings);
const CREATE: Operation = Operation::new("logs.CreateLogGroup", Group::Logs);
const RETAIN: Operation = Operation::new("logs.PutRetentionPolicy", Group::LogSettings);
const KEEP: Operation = Operation::new("logs.DeleteRetentionPolicy", Group::LogSettings);
const UNTAG: Operation = Operation::new("logs.UntagResource", Group::LogSettings);
const DELETE: Operation = Operation::new("logs.DeleteLogGroup", Group::Logs);

/// Identifiers in one DescribeLogGroups (CloudWatch Logs API reference).
const BATCH: usize = 50;
/// How long callers wait for one another.
const WINDOW: Duration = Duration::from_millis(25);
/// Log groups change less than anything else: they are believed so many times longer.
const SLOWER: u32 = 4;

/// Log groups of all places.
#[derive(Debug)]
pub(crate) struct LogGroups {
    batch: Batch<Place, String, Seen<Live>>,
    known: Memory<(Place, String), Live>,
}

impl LogGroups {
    pub(crate) fn new(believed: Duration) -> Self {
        Self { batch: Batch::new(BATCH, WINDOW), known: Memory::new(believed * SLOWER) }
    }

    /// Nothing is believed any more.
    pub(crate) fn distrust(&self) {
        self.known.clear();
    }

    /// The log group `name`, perhaps as it was a while ago.
    pub(crate) async fn observe(&self, caller: &Caller<'_>, name: &str) -> Seen<Live> {
        let key = (caller.place.clone(), name.to_owned());
        match self.known.get(&key) {
            Some(live) => Seen::Present(Live { believed: true, ..live }),
            None => self.observe_now(caller, name).await,
        }
    }

    /// The log group `name`, as it is.
    pub(crate) async fn observe_now(&self, caller: &Caller<'_>, name: &str) -> Seen<Live> {
        let key = (caller.place.clone(), name.to_owned());
        caller.rereads.mark(caller.place);
        let fetch = |names: Vec<String>| describe(caller, names);
        let seen = self.batch.get(caller.place, name.to_owned(), caller.backlog(DESCRIBE), fetch).await;
        let seen = seen.unwrap_or_else(|| Seen::Unknown(abandoned()));
        match seen.present() {
            Some(live) => self.known.put(key, live.clone()),
            None => self.known.forget(&key),
        }
        seen
    }

    /// Carries out `change`.
    pub(crate) async fn apply(&self, caller: &Caller<'_>, change: &Change) -> Result<(), Failure> {
        let logs = &caller.clients.logs_writes;
        let (Change::Create { name, .. }
        | Change::Retention { name, .. }
        | Change::Untag { name, .. }
        | Change::Delete { name }) = change;
        let key = (caller.place.clone(), name.clone());
        let mut before = self.known.get(&key).map_or(Seen::NotLooked, Seen::Present);
        self.known.forget(&key);
        let result = match change {
            Change::Create { name, tags } => {
                let request = json!({"logGroupName": name, "tags": tags});
                let send = |exchange| logs.create_log_group().customize().interceptor(exchange).send();
                caller.json(CREATE, &request, send).await
            }
            Change::Retention { name, days: Some(days) } => {
                let request = json!({"logGroupName": name, "retentionInDays": days});
                let send = |exchange| logs.put_retention_policy().customize().interceptor(exchange).send();
                caller.json(RETAIN, &request, send).await
            }
            Change::Retention { name, days: None } => {
                let request = json!({"logGroupName": name});
                let send = |exchange| logs.delete_retention_policy().customize().interceptor(exchange).send();
                caller.json(KEEP, &request, send).await
            }
            Change::Untag { arn, keys, name: _ } => {
                let request = json!({"resourceArn": arn, "tagKeys": keys});
                let send = |exchange| logs.untag_resource().customize().interceptor(exchange).send();
                caller.json(UNTAG, &request, send).await
            }
            Change::Delete { name } => {
                let request = json!({"logGroupName": name});
                let send = |exchange| logs.delete_log_group().customize().interceptor(exchange).send();
                caller.json(DELETE, &request, send).await
            }
        };
        match result {
            // Made a moment ago by a call whose answer was lost, or deleted by one.
            Err(failure) if failure.code == "ResourceAlreadyExistsException" => Ok(()),
            Err(failure) if failure.code == "ResourceNotFoundException" && matches!(change, Change::Delete { .. }) => {
                Ok(())
            }
            other => {
                other?;
                // Reading it back may show an older state; what we wrote is known.
                echo::log_group(&mut before, change);
                if let Seen::Present(live) = before {
                    self.known.put(key, live);
                }
                Ok(())
            }
        }
    }
}

/// Tags of the group `arn`.
pub(crate) async fn tags(caller: &Caller<'_>, arn: &str) -> Seen<Tags> {
    let request = json!({"resourceArn": arn});
    let send = |exchange| caller.clients.logs.list_tags_for_resource().customize().interceptor(exchange).send();
    match caller.json(TAGS, &request, send).await {
        Ok(answer) => {
            let tags = answer.get("tags").and_then(Value::as_object).cloned().unwrap_or_default();
            Seen::Present(
                tags.into_iter().map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned())).collect(),
            )
        }
        Err(failure) => Seen::Unknown(failure),
    }
}

async fn describe(caller: &Caller<'_>, names: Vec<String>) -> BTreeMap<String, Seen<Live>> {
    let mut found = BTreeMap::new();
    if names.len() > 1 {
        let request = json!({"logGroupIdentifiers": names, "limit": BATCH});
        if let Ok(answer) = ask(caller, &request).await {
            let groups = items(&answer, "logGroups").iter();
            found = groups.map(|group| (text(group, "logGroupName").to_owned(), Seen::Present(live(group)))).collect();
        }
    }
    // What a shared answer leaves out may still exist: absence is believed only when asked for by name.
    for name in names {
        if let Entry::Vacant(entry) = found.entry(name) {
            let seen = describe_one(caller, entry.key()).await;
            entry.insert(seen);
        }
    }
    found
}

async fn describe_one(caller: &Caller<'_>, name: &str) -> Seen<Live> {
    let mut request = json!({"logGroupNamePrefix": name});
    loop {
        let answer = match ask(caller, &request).await {
            Ok(answer) => answer,
            Err(failure) => return Seen::Unknown(failure),
        };
        if let Some(group) = items(&answer, "logGroups").iter().find(|group| text(group, "logGroupName") == name) {
            return Seen::Present(live(group));
        }
        let token = text(&answer, "nextToken");
        if token.is_empty() {
            return Seen::Absent;
        }
        request["nextToken"] = json!(token);
    }
}

async fn ask(caller: &Caller<'_>, request: &Value) -> Result<Value, Failure> {
    let send = |exchange| caller.clients.logs.describe_log_groups().customize().interceptor(exchange).send();
    caller.json(DESCRIBE, request, send).await
}

fn live(group: &Value) -> Live {
    let days = group.get("retentionInDays").and_then(Value::as_u64);
    Live {
        arn: text(group, "arn").trim_end_matches(":*").to_owned(),
        retention: days.and_then(|days| u32::try_from(days).ok()),
        policy_retention: !text(group, "retentionPolicyName").is_empty(),
        believed: false,
        tags: Seen::NotLooked,
    }
}

fn abandoned() -> Failure {
    use fargateer_plan::failure::Class;
    let message = "the shared read was given up";
    crate::error::of(DESCRIBE.name, Class::Transient, fargateer_api::Reason::Unavailable, ("Abandoned", message))
}
