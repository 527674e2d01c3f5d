//! AWS JSON 1.1: the operation in `X-Amz-Target`, members and errors in a JSON body.

use super::{Protocol, Reply, Spoken};
use crate::refusal::{Answer, Refusal};
use serde_json::{Value, json};

const TYPE: &str = "application/x-amz-json-1.1";

/// The services that speak it, by the prefix of their target.
const SERVICES: [(&str, &str); 4] = [
    ("AmazonEC2ContainerServiceV20141113", "ecs"),
    ("AmazonEC2ContainerRegistry_V20150921", "ecr"),
    ("AnyScaleFrontendService", "application-autoscaling"),
    ("Logs_20140328", "logs"),
];

pub(super) fn understand(target: &str, body: &[u8]) -> Spoken {
    let (prefix, operation) = target.rsplit_once('.').unwrap_or((target, ""));
    let service = SERVICES.iter().find(|(known, _)| *known == prefix).map_or(prefix, |(_, service)| service);
    Spoken {
        protocol: Protocol::Json,
        service: service.to_owned(),
        operation: operation.to_owned(),
        input: parse(body),
    }
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    let malformed = || Refusal::new("SerializationException", "The request body is not a JSON object.");
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    let value: Value = serde_json::from_slice(body).map_err(|_| malformed())?;
    if value.is_object() { Ok(value) } else { Err(malformed()) }
}

pub(super) fn reply(answer: Answer) -> Reply {
    match answer {
        Ok(value) => Reply { status: 200, content_type: TYPE, error: None, body: value.to_string().into_bytes() },
        Err(refusal) => {
            // CloudWatch Logs, ECS and the others agree on the code; `message` is read in either case by every SDK.
            let body = json!({"__type": refusal.code, "message": refusal.message});
            Reply {
                status: refusal.status,
                content_type: TYPE,
                error: Some(refusal.code),
                body: body.to_string().into_bytes(),
            }
        }
    }
}
