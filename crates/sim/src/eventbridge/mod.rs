//! Amazon EventBridge: rules of the default bus, and the events of ECS delivered to SQS.
//!
//! Schedules never fire, targets other than SQS queues are kept and get nothing, and a queue's policy is not asked. Input
//! transformers are not simulated.

mod pattern;
mod rule;
mod tell;

use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::sqs;
use crate::state::Region;
use serde_json::{Value, json};

pub(crate) use tell::observe;

/// Answers one EventBridge operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "PutRule" => rule::put(region, input),
        "DescribeRule" => rule::describe(region, input),
        "ListRules" => rule::list(region, input),
        "DeleteRule" => rule::delete(region, input),
        "EnableRule" => rule::switch(region, input, rule::Switch::On),
        "DisableRule" => rule::switch(region, input, rule::Switch::Off),
        "PutTargets" => rule::put_targets(region, input),
        "RemoveTargets" => rule::remove_targets(region, input),
        "ListTargetsByRule" => rule::list_targets(region, input),
        "ListRuleNamesByTarget" => rule::names_by_target(region, input),
        "TagResource" => rule::tag(region, input),
        "UntagResource" => rule::untag(region, input),
        "ListTagsForResource" => rule::tags(region, input),
        "DescribeEventBus" => Ok(json!({"Name": "default", "Arn": region.arn("events", "event-bus/default")})),
        "ListEventBuses" => {
            Ok(json!({"EventBuses": [{"Name": "default", "Arn": region.arn("events", "event-bus/default")}]}))
        }
        "PutEvents" => put_events(region, input),
        "TestEventPattern" => {
            let event = input.text("Event").and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
            let pattern = pattern::parse(input.text("EventPattern").unwrap_or_default())?;
            Ok(json!({"Result": pattern::matches(&pattern, &event)}))
        }
        _ => Err(Refusal::unknown_operation()),
    }
}

fn put_events(region: &mut Region, input: &Value) -> Answer {
    let entries = input.items("Entries").unwrap_or_default();
    if !(1..=10).contains(&entries.len()) {
        return Err(Refusal::validation(
            "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length less than or \
             equal to 10",
        ));
    }
    let mut results = Vec::new();
    for entry in entries {
        results.push(match checked(entry) {
            Ok(detail) => {
                let (source, kind) =
                    (entry.text("Source").unwrap_or_default(), entry.text("DetailType").unwrap_or_default());
                let id = tell::publish(region, (source, kind), &entry.texts("Resources"), &detail);
                json!({"EventId": id})
            }
            Err((code, message)) => json!({"ErrorCode": code, "ErrorMessage": message}),
        });
    }
    let failed = results.iter().filter(|result| result.member("ErrorCode").is_some()).count();
    Ok(json!({"FailedEntryCount": failed, "Entries": results}))
}

/// The detail of an event somebody sends, or why it is not taken.
fn checked(entry: &Value) -> Result<Value, (&'static str, String)> {
    for name in ["Source", "DetailType", "Detail"] {
        if entry.text(name).is_none_or(str::is_empty) {
            let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
            return Err(("InvalidArgument", message));
        }
    }
    if entry.text("Source").is_some_and(|source| source.starts_with("aws.")) {
        return Err(("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
    }
    let detail = serde_json::from_str::<Value>(entry.text("Detail").unwrap_or_default()).ok();
    detail.filter(Value::is_object).ok_or(("MalformedDetail", "Detail is malformed.".to_owned()))
}

/// Gives an event to the targets of every rule that wants it.
fn deliver(region: &mut Region, event: &Value) {
    let mut deliveries = Vec::new();
    for rule in region.eventbridge.rules.values().filter(|rule| rule.enabled) {
        let Some(pattern) = rule.pattern.as_deref().and_then(|text| serde_json::from_str(text).ok()) else { continue };
        if !pattern::matches(&pattern, event) {
            continue;
        }
        for target in rule.targets.values() {
            let Some(arn) = target.text("Arn").filter(|arn| arn.contains(":sqs:")) else { continue };
            deliveries.push((arn.to_owned(), shaped(target, event)));
        }
    }
    for (queue, body) in deliveries {
        sqs::deliver(region, &queue, &body);
    }
}

/// What a target gets: the event, a constant, or a part of the event.
fn shaped(target: &Value, event: &Value) -> String {
    if let Some(constant) = target.text("Input") {
        return constant.to_owned();
    }
    let path = target.text("InputPath").unwrap_or("$").trim_start_matches('$');
    let parts = path.split('.').filter(|part| !part.is_empty());
    parts.into_iter().try_fold(event, |value, part| value.get(part)).unwrap_or(&Value::Null).to_string()
}
