//! The protocols: from the bytes of a request to an operation and its members, and from an answer back to bytes.

mod json;
mod plain;
mod query;
mod rest;
mod xml;

use crate::refusal::{Answer, Refusal};
pub(crate) use plain::{Request, Response};
pub(crate) use rest::{Rest, is_meant as is_rest};
use serde_json::Value;

/// The largest body the server reads: a layer of an image at most.
pub(crate) const BODY_LIMIT: usize = 1024 * 1024 * 1024;

/// The largest body a service takes, as a loopback server must not be filled up.
pub(crate) fn limit(service: &str) -> usize {
    const MEBIBYTE: usize = 1024 * 1024;
    match service {
        "dynamodb" => 16 * MEBIBYTE,
        // A layer part of 20 MiB, in base64.
        "ecr" => 32 * MEBIBYTE,
        // Fewer than the 5 GiB that S3 takes at once: a loopback server keeps them in memory.
        rest::SERVICE => 64 * MEBIBYTE,
        "sqs" | "events" | "monitoring" => 2 * MEBIBYTE,
        _ => MEBIBYTE,
    }
}

/// What SQS called an error when it spoke the query protocol: its clients still expect that, in a header.
pub(crate) fn query_error(code: &str) -> Option<&'static str> {
    Some(match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue;Sender",
        "QueueNameExists" => "QueueAlreadyExists;Sender",
        "ReceiptHandleIsInvalid" => "ReceiptHandleIsInvalid;Sender",
        "EmptyBatchRequest" => "AWS.SimpleQueueService.EmptyBatchRequest;Sender",
        "TooManyEntriesInBatchRequest" => "AWS.SimpleQueueService.TooManyEntriesInBatchRequest;Sender",
        "BatchEntryIdsNotDistinct" => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct;Sender",
        "PurgeQueueInProgress" => "AWS.SimpleQueueService.PurgeQueueInProgress;Sender",
        "MessageNotInflight" => "AWS.SimpleQueueService.MessageNotInflight;Sender",
        _ => return None,
    })
}

/// What matters of an HTTP request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) target: Option<String>,
    pub(crate) authorization: Option<String>,
    /// The rest of it, where it is S3's.
    pub(crate) rest: Option<Box<Rest>>,
    pub(crate) body: Vec<u8>,
}

/// An HTTP answer, but for the headers every answer has.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) error: Option<String>,
    /// Headers beside those that every answer has.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// How an operation was spoken, so that the answer is spoken the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json,
    Query,
    Rest,
}

/// A request understood.
#[derive(Clone, Debug)]
pub(crate) struct Spoken {
    pub(crate) protocol: Protocol,
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) input: Result<Value, Refusal>,
}

/// Who calls, and which region they mean: the credential scope of the SigV4 signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key: String,
    pub(crate) region: String,
}

impl Message {
    /// The operation and its members.
    pub(crate) fn understand(&self) -> Spoken {
        match (&self.rest, &self.target) {
            (Some(rest), _) => rest::understand(rest, &self.body),
            (None, Some(target)) => json::understand(target, &self.body),
            (None, None) => query::understand(&self.body),
        }
    }

    /// The credential scope, `us-east-1` and nobody when there is none.
    pub(crate) fn scope(&self) -> Scope {
        let credential = self.authorization.as_deref().and_then(|text| text.split_once("Credential="));
        let mut parts = credential.map_or("", |(_, rest)| rest).split([',', ' ']).next().unwrap_or_default().split('/');
        let access_key = parts.next().unwrap_or_default().to_owned();
        let region = parts.nth(1).unwrap_or("us-east-1").to_owned();
        Scope { access_key, region }
    }
}

/// Speaks an answer.
pub(crate) fn reply(spoken: &Spoken, answer: Answer, request_id: &str) -> Reply {
    match spoken.protocol {
        Protocol::Json => json::reply(spoken, answer),
        Protocol::Query => query::reply(spoken, answer, request_id),
        Protocol::Rest => rest::reply(spoken, answer, request_id),
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, Scope};

    #[test]
    fn the_signature_names_caller_and_region() {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/ecs/aws4_request, SignedHeaders=host";
        let message = Message { authorization: Some(authorization.to_owned()), ..Message::default() };
        assert_eq!(message.scope(), Scope { access_key: "AKID".to_owned(), region: "eu-west-1".to_owned() });
        assert_eq!(Message::default().scope().region, "us-east-1");
    }
}
