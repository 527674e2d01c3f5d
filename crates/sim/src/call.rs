//! The record of a call that came over the wire.

use crate::input::Members;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// The members that tell what a request is about, the most telling first.
const NAMES: [&str; 42] = [
    "serviceName",
    "service",
    "services",
    "family",
    "familyPrefix",
    "taskDefinition",
    "taskDefinitions",
    "serviceDeploymentArn",
    "serviceDeploymentArns",
    "task",
    "tasks",
    "resourceArn",
    "ResourceId",
    "ResourceIds",
    "ResourceARN",
    "repositoryName",
    "repositoryNames",
    "logGroupName",
    "logGroupNamePrefix",
    "TargetGroupArn",
    "TargetGroupArns",
    "RuleArn",
    "ListenerArn",
    "LoadBalancerArn",
    "ResourceArns",
    "Name",
    "clusterName",
    "cluster",
    "RoleArn",
    "TableName",
    "StreamArn",
    "ShardIterator",
    "QueueUrl",
    "QueueName",
    "Rule",
    "SecretId",
    "AlarmName",
    "AlarmNames",
    "Names",
    "SubnetId",
    "Key",
    "Bucket",
];

/// One call as the simulated AWS saw it.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// When, since the start of the simulation.
    pub at: Duration,
    /// The access key of who called; empty for an image client.
    pub caller: String,
    /// The region of the credential scope.
    pub region: String,
    /// The service, by its endpoint's name: `ecs`, `ecr`, `application-autoscaling`, `logs`, `elasticloadbalancing`, `sts`.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// Whether the operation changes anything.
    pub mutating: bool,
    /// The name or ARN of what the call is about, as the caller wrote it.
    pub resource: Option<String>,
    /// The error code answered, or `reset` or `hang`.
    pub error: Option<String>,
    /// The request's members.
    pub request: Value,
}

/// Whether an operation changes anything, by its name.
pub(crate) fn mutating(operation: &str) -> bool {
    const READS: [&str; 12] = [
        "Describe",
        "List",
        "Get",
        "BatchGet",
        "BatchCheck",
        "Filter",
        "Query",
        "Scan",
        "TransactGet",
        "Receive",
        "Test",
        "Head",
    ];
    operation != "AssumeRole" && !READS.iter().any(|prefix| operation.starts_with(prefix))
}

/// A request as it is remembered: a layer of an image, or whatever else is as long, is only counted.
pub(crate) fn remembered(mut request: Value) -> Value {
    const LONGEST: usize = 65_536;
    for member in request.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        if let Some(length) = member.as_str().map(str::len).filter(|length| *length > LONGEST) {
            *member = Value::from(format!("({length} bytes)"));
        }
    }
    request
}

/// The name or ARN of what a request is about: its most telling member.
pub(crate) fn resource(request: &Value) -> Option<String> {
    NAMES.iter().find_map(|name| match request.member(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if !items.is_empty() => {
            Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    })
}
