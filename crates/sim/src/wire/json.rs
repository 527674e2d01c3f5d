//! AWS JSON 1.0 and 1.1: the operation in `X-Amz-Target`, members and errors in a JSON body.

use super::{Protocol, Reply, Spoken};
use crate::refusal::{Answer, Refusal};
use serde_json::{Value, json};

const LATER: &str = "application/x-amz-json-1.1";
const EARLIER: &str = "application/x-amz-json-1.0";

/// A service that speaks it: the prefix of its target, its endpoint's name, and how it speaks.
struct Dialect {
    prefix: &'static str,
    service: &'static str,
    content_type: &'static str,
    /// What precedes the code of an error.
    namespace: &'static str,
}

const fn dialect(prefix: &'static str, service: &'static str) -> Dialect {
    Dialect { prefix, service, content_type: LATER, namespace: "" }
}

const DIALECTS: [Dialect; 12] = [
    dialect("AmazonEC2ContainerServiceV20141113", "ecs"),
    dialect("AmazonEC2ContainerRegistry_V20150921", "ecr"),
    dialect("AnyScaleFrontendService", "application-autoscaling"),
    dialect("Logs_20140328", "logs"),
    dialect("secretsmanager", "secretsmanager"),
    dialect("AmazonSSM", "ssm"),
    dialect("AWSEvents", "events"),
    dialect("CodeBuild_20161006", "codebuild"),
    Dialect {
        content_type: EARLIER,
        namespace: "com.amazonaws.dynamodb.v20120810#",
        ..dialect("DynamoDB_20120810", "dynamodb")
    },
    Dialect {
        content_type: EARLIER,
        namespace: "com.amazonaws.dynamodb.v20120810#",
        ..dialect("DynamoDBStreams_20120810", "streams.dynamodb")
    },
    Dialect { content_type: EARLIER, namespace: "com.amazonaws.sqs#", ..dialect("AmazonSQS", "sqs") },
    Dialect {
        content_type: EARLIER,
        namespace: "com.amazonaws.cloudwatch#",
        ..dialect("GraniteServiceVersion20100801", "monitoring")
    },
];

pub(super) fn understand(target: &str, body: &[u8]) -> Spoken {
    let (prefix, operation) = target.rsplit_once('.').unwrap_or((target, ""));
    let service = DIALECTS.iter().find(|known| known.prefix == prefix).map_or(prefix, |known| known.service);
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

pub(super) fn reply(spoken: &Spoken, answer: Answer) -> Reply {
    let dialect = DIALECTS.iter().find(|known| known.service == spoken.service);
    let content_type = dialect.map_or(LATER, |dialect| dialect.content_type);
    match answer {
        Ok(value) => Reply { status: 200, content_type, error: None, headers: Vec::new(), body: written(&value) },
        Err(refusal) => {
            let body = error(dialect.map_or("", |dialect| dialect.namespace), &refusal);
            let (error, headers) = (Some(refusal.code), Vec::new());
            Reply { status: refusal.status, content_type, error, headers, body }
        }
    }
}

/// A document on the wire.
fn written(value: &Value) -> Vec<u8> {
    // A value that came from JSON is JSON again.
    serde_json::to_vec(value).unwrap_or_default()
}

/// The error document: every SDK reads `message`, whichever way a service spells it.
fn error(namespace: &str, refusal: &Refusal) -> Vec<u8> {
    let namespace = match refusal.code.as_str() {
        "ValidationException" if !namespace.is_empty() => "com.amazon.coral.validate#",
        "SerializationException" | "UnknownOperationException" if !namespace.is_empty() => "com.amazon.coral.service#",
        _ => namespace,
    };
    let mut body = json!({"__type": format!("{namespace}{}", refusal.code), "message": refusal.message});
    for (name, value) in refusal.detail.as_object().into_iter().flatten() {
        if let Some(members) = body.as_object_mut() {
            members.insert(name.clone(), value.clone());
        }
    }
    written(&body)
}
