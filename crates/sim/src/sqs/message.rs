//! Messages: sent, received for a while, deleted.

use super::checksum::of_attributes;
use super::queue::named;
use crate::arn;
use crate::clock;
use crate::input::Members;
use crate::md5::md5;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::sqs::{Message, Queue};
use aws_smithy_types::base64;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Puts a message into the queue of an ARN, as EventBridge does. A queue that is not there takes nothing.
pub(crate) fn deliver(region: &mut Region, queue: &str, body: &str) {
    let name = queue.rsplit(':').next().unwrap_or_default();
    let id = new_id(region);
    let now = region.now;
    if let Some(queue) = region.sqs.queues.get_mut(name) {
        let visible = now + queue.seconds("DelaySeconds");
        queue.messages.push_back(message(id, body.to_owned(), (now, visible)));
    }
}

fn message(id: String, body: String, (sent, visible): (Duration, Duration)) -> Message {
    Message { id, body, attributes: Value::Null, sent, visible, received: 0, first_received: None }
}

/// The id of a message follows from how many there were: events are delivered while time passes, and must draw nothing that
/// others would have drawn.
fn new_id(region: &mut Region) -> String {
    region.sqs.sent += 1;
    let hash = arn::digest(&format!("{}|{}|{}", region.account, region.name, region.sqs.sent));
    let part = |from: usize, to: usize| hash.get(7 + from..7 + to).unwrap_or_default();
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

/// The longest a receive waits.
const LONGEST: Duration = Duration::from_secs(20);

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValue", message)
}

/// SendMessage.
pub(super) fn send(region: &mut Region, input: &Value) -> Answer {
    let queue = named(region, input)?;
    let body = input.text("MessageBody").unwrap_or_default().to_owned();
    if body.is_empty() {
        return Err(Refusal::new("MissingParameter", "The request must contain the parameter MessageBody."));
    }
    let largest: usize = queue.attribute("MaximumMessageSize").and_then(|size| size.parse().ok()).unwrap_or(1_048_576);
    if body.len() > largest {
        return Err(invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {largest} bytes."
        )));
    }
    let delay = match input.whole("DelaySeconds") {
        None => queue.seconds("DelaySeconds"),
        Some(_) => {
            input.seconds("DelaySeconds").filter(|delay| *delay <= Duration::from_mins(15)).ok_or_else(|| {
                let value = input.whole("DelaySeconds").unwrap_or_default();
                invalid(format!(
                    "Value {value} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
                ))
            })?
        }
    };
    let (id, now) = (new_id(region), region.now);
    let attributes = input.get("MessageAttributes").cloned().unwrap_or(Value::Null);
    let answer = json!({
        "MessageId": id,
        "MD5OfMessageBody": md5(body.as_bytes()),
        "MD5OfMessageAttributes": of_attributes(&attributes),
    });
    named(region, input)?.messages.push_back(Message { attributes, ..message(id, body, (now, now + delay)) });
    Ok(answer)
}

/// Does the entries of a batch one by one.
fn batch(region: &mut Region, input: &Value, one: fn(&mut Region, &Value) -> Answer) -> Answer {
    named(region, input)?;
    let entries = input.items("Entries").unwrap_or_default();
    let ids: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.text("Id")).collect();
    match entries.len() {
        0 => return Err(Refusal::new("EmptyBatchRequest", "There should be at least one entry in the request.")),
        11.. => {
            let message = format!("Maximum number of entries per request are 10. You have sent {}.", entries.len());
            return Err(Refusal::new("TooManyEntriesInBatchRequest", message));
        }
        count if ids.len() < count => {
            return Err(Refusal::new(
                "BatchEntryIdsNotDistinct",
                "Two or more batch entries have the same Id in the request.",
            ));
        }
        _ => {}
    }
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let mut request = entry.clone();
        request.put("QueueUrl", input.get("QueueUrl").cloned().unwrap_or(Value::Null));
        match one(region, &request) {
            Ok(mut answer) => {
                answer.put("Id", json!(entry.text("Id")));
                done.push(answer);
            }
            Err(refusal) => failed.push(json!({
                "Id": entry.text("Id"), "SenderFault": true, "Code": refusal.code, "Message": refusal.message})),
        }
    }
    let failed = (!failed.is_empty()).then_some(failed);
    Ok(json!({"Successful": done, "Failed": failed}))
}

/// SendMessageBatch.
pub(super) fn send_batch(region: &mut Region, input: &Value) -> Answer {
    batch(region, input, send)
}

/// DeleteMessageBatch.
pub(super) fn delete_batch(region: &mut Region, input: &Value) -> Answer {
    batch(region, input, delete)
}

/// ChangeMessageVisibilityBatch.
pub(super) fn change_batch(region: &mut Region, input: &Value) -> Answer {
    batch(region, input, change)
}

/// For how long a receive would wait for a message: not at all when it finds one, or is refused.
pub(crate) fn patience(region: &mut Region, input: &Value) -> Option<Duration> {
    let now = region.now;
    let queue = named(region, input).ok()?;
    let wait = input.seconds("WaitTimeSeconds").unwrap_or_else(|| queue.seconds("ReceiveMessageWaitTimeSeconds"));
    let empty = queue.messages.iter().all(|message| message.visible > now);
    (empty && !wait.is_zero() && wait <= LONGEST).then_some(wait)
}

/// ReceiveMessage.
pub(super) fn receive(region: &mut Region, input: &Value) -> Answer {
    let wanted = input.whole("MaxNumberOfMessages").unwrap_or(1);
    if !(1..=10).contains(&wanted) {
        return Err(invalid(format!(
            "Value {wanted} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        )));
    }
    let wait = input.whole("WaitTimeSeconds").unwrap_or(0);
    if !(0..=20).contains(&wait) {
        return Err(invalid(format!(
            "Value {wait} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
        )));
    }
    let (now, epoch) = (region.now, region.settings.epoch);
    bury(region, input)?;
    let queue = named(region, input)?;
    let hidden = input.seconds("VisibilityTimeout").unwrap_or_else(|| queue.seconds("VisibilityTimeout"));
    let name = queue.name.clone();
    let mut received = Vec::new();
    let free = queue.messages.iter_mut().filter(|message| message.visible <= now);
    for message in free.take(usize::try_from(wanted).unwrap_or(1)) {
        message.received += 1;
        message.first_received.get_or_insert(now);
        message.visible = now + hidden;
        received.push(view(message, &name, input, &|at| clock::milliseconds(epoch, at).to_string()));
    }
    Ok(if received.is_empty() { json!({}) } else { json!({"Messages": received}) })
}

/// Moves messages that were received too often to the dead letter queue.
fn bury(region: &mut Region, input: &Value) -> Result<(), Refusal> {
    let now = region.now;
    let queue = named(region, input)?;
    let Some(policy) = queue.attribute("RedrivePolicy").and_then(|text| serde_json::from_str::<Value>(text).ok())
    else {
        return Ok(());
    };
    let most = policy.whole("maxReceiveCount").and_then(|most| u32::try_from(most).ok()).unwrap_or(u32::MAX);
    let dead = |message: &Message| message.visible <= now && message.received >= most;
    let buried: Vec<Message> = queue.messages.iter().filter(|message| dead(message)).cloned().collect();
    queue.messages.retain(|message| !dead(message));
    let grave = policy.text("deadLetterTargetArn").and_then(|arn| arn.rsplit(':').next());
    if let Some(grave) = grave.and_then(|name| region.sqs.queues.get_mut(name)) {
        grave.messages.extend(buried);
    }
    Ok(())
}

fn view(message: &Message, queue: &str, input: &Value, moment: &dyn Fn(Duration) -> String) -> Value {
    let mut system: Map<String, Value> = Map::new();
    let known = [
        ("SenderId", "AIDASIMULATED".to_owned()),
        ("SentTimestamp", moment(message.sent)),
        ("ApproximateReceiveCount", message.received.to_string()),
        ("ApproximateFirstReceiveTimestamp", moment(message.first_received.unwrap_or_default())),
    ];
    let mut names = input.texts("AttributeNames");
    names.extend(input.texts("MessageSystemAttributeNames"));
    for (name, value) in known {
        if names.iter().any(|wanted| wanted == "All" || wanted == name) {
            system.insert(name.to_owned(), json!(value));
        }
    }
    let asked = input.texts("MessageAttributeNames");
    let wanted = |name: &str| {
        asked.iter().any(|wanted| {
            wanted == "All"
                || wanted == ".*"
                || wanted == name
                || wanted.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix))
        })
    };
    let own = message.attributes.as_object().into_iter().flatten().filter(|(name, _)| wanted(name));
    let own: Value = own.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into();
    let mut body = json!({
        "MessageId": message.id,
        "ReceiptHandle": base64::encode(format!("{queue}|{}|{}", message.id, message.received)),
        "MD5OfBody": md5(message.body.as_bytes()),
        "Body": message.body,
        "MD5OfMessageAttributes": of_attributes(&own),
    });
    if !system.is_empty() {
        body.put("Attributes", system.into());
    }
    if own.as_object().is_some_and(|own| !own.is_empty()) {
        body.put("MessageAttributes", own);
    }
    body
}

/// The id in a receipt handle of this queue.
fn receipt(queue: &Queue, input: &Value) -> Result<String, Refusal> {
    let handle = input.text("ReceiptHandle").unwrap_or_default();
    let text = base64::decode(handle).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let mut parts = text.split('|');
    match (parts.next(), parts.next()) {
        (Some(name), Some(id)) if name == queue.name => Ok(id.to_owned()),
        _ => {
            let message = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
            Err(Refusal::new("ReceiptHandleIsInvalid", message))
        }
    }
}

/// DeleteMessage: again is no error.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let queue = named(region, input)?;
    let id = receipt(queue, input)?;
    queue.messages.retain(|message| message.id != id);
    Ok(json!({}))
}

/// ChangeMessageVisibility.
pub(super) fn change(region: &mut Region, input: &Value) -> Answer {
    let timeout = input.seconds("VisibilityTimeout").filter(|timeout| *timeout <= Duration::from_hours(12));
    let Some(timeout) = timeout else {
        let value = input.whole("VisibilityTimeout").unwrap_or_default();
        return Err(invalid(format!(
            "Value {value} for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200"
        )));
    };
    let now = region.now;
    let queue = named(region, input)?;
    let id = receipt(queue, input)?;
    let message = queue.messages.iter_mut().find(|message| message.id == id).ok_or_else(missing_message)?;
    if message.visible <= now {
        return Err(Refusal::new("MessageNotInflight", "The specified message isn't in flight."));
    }
    message.visible = now + timeout;
    Ok(json!({}))
}

fn missing_message() -> Refusal {
    invalid(
        "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.",
    )
}
