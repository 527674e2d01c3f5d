//! Amazon SQS: standard queues. Messages stay in order. A receive answers at once; to wait for a message is up to the door
//! through which it came (see [`patience`]).
//!
//! FIFO queues are not simulated. Dead letter queues are.

mod checksum;
mod message;
mod queue;

use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::Value;

pub(crate) use message::{deliver, patience};

/// Answers one SQS operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "CreateQueue" => queue::create(region, input),
        "GetQueueUrl" => queue::url(region, input),
        "ListQueues" => queue::list(region, input),
        "DeleteQueue" => queue::delete(region, input),
        "PurgeQueue" => queue::purge(region, input),
        "GetQueueAttributes" => queue::attributes(region, input),
        "SetQueueAttributes" => queue::set_attributes(region, input),
        "TagQueue" => queue::tag(region, input),
        "UntagQueue" => queue::untag(region, input),
        "ListQueueTags" => queue::tags(region, input),
        "SendMessage" => message::send(region, input),
        "SendMessageBatch" => message::send_batch(region, input),
        "ReceiveMessage" => message::receive(region, input),
        "DeleteMessage" => message::delete(region, input),
        "DeleteMessageBatch" => message::delete_batch(region, input),
        "ChangeMessageVisibility" => message::change(region, input),
        "ChangeMessageVisibilityBatch" => message::change_batch(region, input),
        _ => Err(Refusal::unknown_operation()),
    }
}
