//! Queues: made, listed, set up and deleted.

use crate::clock;
use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::sqs::Queue;
use crate::tag;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The attributes that may be set, with their defaults; those without one are shown only when set.
const ATTRIBUTES: [(&str, &str); 12] = [
    ("DelaySeconds", "0"),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("VisibilityTimeout", "30"),
    ("SqsManagedSseEnabled", "true"),
    ("Policy", ""),
    ("RedrivePolicy", ""),
    ("RedriveAllowPolicy", ""),
    ("KmsMasterKeyId", ""),
    ("KmsDataKeyReusePeriodSeconds", ""),
    ("FifoQueue", ""),
];

/// What is counted or derived.
const DERIVED: [&str; 6] = [
    "QueueArn",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
];

/// The URL of a queue.
pub(super) fn url_of(region: &Region, name: &str) -> String {
    format!("https://sqs.{}.amazonaws.com/{}/{name}", region.name, region.account)
}

/// The answer when there is no such queue.
pub(super) fn missing() -> Refusal {
    Refusal::new("QueueDoesNotExist", "The specified queue does not exist.")
}

/// The queue of a request's URL, without messages older than its retention.
pub(super) fn named<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Queue, Refusal> {
    let name = input.text("QueueUrl").unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let now = region.now;
    let queue = region.sqs.queues.get_mut(name).ok_or_else(missing)?;
    let kept = queue.seconds("MessageRetentionPeriod");
    queue.messages.retain(|message| message.sent + kept > now);
    Ok(queue)
}

impl Queue {
    /// An attribute, as set or by default.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let default = ATTRIBUTES.iter().find(|(known, _)| *known == name).map(|(_, default)| *default);
        self.attributes.get(name).map(String::as_str).or(default).filter(|value| !value.is_empty())
    }

    /// An attribute that is a number of seconds.
    pub(super) fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(self.attribute(name).and_then(|value| value.parse().ok()).unwrap_or(0))
    }
}

fn read(input: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    const RANGES: [(&str, i64, i64); 5] = [
        ("DelaySeconds", 0, 900),
        ("MaximumMessageSize", 1024, 1_048_576),
        ("MessageRetentionPeriod", 60, 1_209_600),
        ("ReceiveMessageWaitTimeSeconds", 0, 20),
        ("VisibilityTimeout", 0, 43_200),
    ];
    let given = input.get("Attributes").and_then(Value::as_object).into_iter().flatten();
    let attributes: BTreeMap<String, String> =
        given.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
    if let Some(name) = attributes.keys().find(|name| !ATTRIBUTES.iter().any(|(known, _)| known == name)) {
        return Err(Refusal::new("InvalidAttributeName", format!("Unknown Attribute {name}.")));
    }
    for (name, least, most) in RANGES {
        let Some(value) = attributes.get(name) else { continue };
        if value.parse::<i64>().ok().is_none_or(|number| !(least..=most).contains(&number)) {
            return Err(Refusal::new("InvalidAttributeValue", format!("Invalid value for the parameter {name}.")));
        }
    }
    Ok(attributes)
}

/// CreateQueue: the same again is no error.
pub(super) fn create(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("QueueName").unwrap_or_default().to_owned();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(1..=80).contains(&name.len()) || !name.chars().all(allowed) {
        let message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    let attributes = read(input)?;
    let url = json!({"QueueUrl": url_of(region, &name)});
    if let Some(known) = region.sqs.queues.get(&name) {
        let differs = attributes.iter().find(|(name, value)| known.attribute(name) != Some(value.as_str()));
        return match differs {
            None => Ok(url),
            Some((attribute, _)) => {
                let message = format!(
                    "A queue already exists with the same name and a different value for attribute {attribute}"
                );
                Err(Refusal::new("QueueNameExists", message))
            }
        };
    }
    let now = region.now;
    if region.sqs.deleted.get(&name).is_some_and(|at| now < *at + Duration::from_mins(1)) {
        let message =
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.";
        return Err(Refusal::new("QueueDeletedRecently", message));
    }
    let tags = tag::of_map(input.get("tags"));
    let queue = Queue {
        name: name.clone(),
        attributes,
        tags,
        created: now,
        changed: now,
        purged: None,
        messages: VecDeque::new(),
    };
    region.sqs.queues.insert(name, queue);
    Ok(url)
}

/// GetQueueUrl.
pub(super) fn url(region: &Region, input: &Value) -> Answer {
    let name = input.text("QueueName").unwrap_or_default();
    if region.sqs.queues.contains_key(name) { Ok(json!({"QueueUrl": url_of(region, name)})) } else { Err(missing()) }
}

/// ListQueues.
pub(super) fn list(region: &Region, input: &Value) -> Answer {
    let prefix = input.text("QueueNamePrefix").unwrap_or_default();
    let names = region.sqs.queues.keys().filter(|name| name.starts_with(prefix));
    let all: Vec<String> = names.map(|name| url_of(region, name)).collect();
    let size = input.whole("MaxResults").and_then(|size| usize::try_from(size).ok()).unwrap_or(1000);
    let invalid = || Refusal::new("InvalidParameterValue", "Invalid or expired next token.");
    let page = page::cut(all, input.text("NextToken"), size).ok_or_else(invalid)?;
    let urls = (!page.items.is_empty()).then_some(page.items);
    Ok(json!({"QueueUrls": urls, "NextToken": page.next}))
}

/// DeleteQueue.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let name = named(region, input)?.name.clone();
    region.sqs.queues.remove(&name);
    region.sqs.deleted.insert(name, region.now);
    Ok(json!({}))
}

/// PurgeQueue: once a minute.
pub(super) fn purge(region: &mut Region, input: &Value) -> Answer {
    let now = region.now;
    let queue = named(region, input)?;
    if queue.purged.is_some_and(|at| now < at + Duration::from_mins(1)) {
        let message = format!("Only one PurgeQueue operation on {} is allowed every 60 seconds.", queue.name);
        return Err(Refusal::new("PurgeQueueInProgress", message));
    }
    queue.purged = Some(now);
    queue.messages.clear();
    Ok(json!({}))
}

/// GetQueueAttributes.
pub(super) fn attributes(region: &mut Region, input: &Value) -> Answer {
    let names = input.texts("AttributeNames");
    let known = |name: &String| {
        name == "All" || DERIVED.contains(&name.as_str()) || ATTRIBUTES.iter().any(|(known, _)| known == name)
    };
    let queue = named(region, input)?.clone();
    if let Some(name) = names.iter().find(|name| !known(name)) {
        return Err(Refusal::new("InvalidAttributeName", format!("Unknown Attribute {name}.")));
    }
    let now = region.now;
    let second = |at: Duration| (clock::milliseconds(region.settings.epoch, at) / 1000).to_string();
    let count = |wanted: fn(u32, bool) -> bool| {
        queue.messages.iter().filter(|message| wanted(message.received, message.visible <= now)).count().to_string()
    };
    let mut all: Map<String, Value> = Map::new();
    for (name, _) in ATTRIBUTES {
        if let Some(value) = queue.attribute(name) {
            all.insert(name.to_owned(), json!(value));
        }
    }
    let derived = [
        region.arn("sqs", &queue.name),
        second(queue.created),
        second(queue.changed),
        count(|_, visible| visible),
        count(|received, visible| !visible && received > 0),
        count(|received, visible| !visible && received == 0),
    ];
    all.extend(DERIVED.iter().map(|name| (*name).to_owned()).zip(derived.map(Value::from)));
    all.retain(|name, _| names.iter().any(|wanted| wanted == "All" || wanted == name));
    Ok(if all.is_empty() { json!({}) } else { json!({"Attributes": all}) })
}

/// SetQueueAttributes.
pub(super) fn set_attributes(region: &mut Region, input: &Value) -> Answer {
    let attributes = read(input)?;
    let now = region.now;
    let queue = named(region, input)?;
    queue.attributes.extend(attributes);
    queue.changed = now;
    Ok(json!({}))
}

/// TagQueue.
pub(super) fn tag(region: &mut Region, input: &Value) -> Answer {
    let new = tag::of_map(input.get("Tags"));
    named(region, input)?.tags.extend(new);
    Ok(json!({}))
}

/// UntagQueue.
pub(super) fn untag(region: &mut Region, input: &Value) -> Answer {
    let keys = input.texts("TagKeys");
    named(region, input)?.tags.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

/// ListQueueTags.
pub(super) fn tags(region: &mut Region, input: &Value) -> Answer {
    let tags = &named(region, input)?.tags;
    Ok(json!({"Tags": (!tags.is_empty()).then_some(tags)}))
}
