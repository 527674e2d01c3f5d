//! Answers that are true but awkward: short pages, repeated items, items that are missing for a moment.
//!
//! All of it is documented or was observed: pages may be empty and still have a token, lists are unordered, a token may
//! expire, DescribeServices may answer MISSING for what was made a moment ago.

use crate::fault::{Omission, Paging};
use crate::refusal::{Answer, Refusal};
use serde_json::{Value, json};

/// The members that carry a token, in a request or an answer.
const TOKENS: [&str; 2] = ["nextToken", "NextToken"];
/// The members that ask for a page's size.
const SIZES: [&str; 3] = ["maxResults", "MaxResults", "limit"];

/// A request as it is under bad paging; an error where its token is said to have expired.
pub(crate) fn request(paging: Paging, operation: &str, input: &Value) -> Result<Value, Refusal> {
    let mut changed = input.clone();
    if token(input).is_some() && paging == Paging::Expired {
        return Err(Refusal::new("InvalidParameterException", "The token is invalid or has expired."));
    }
    let lists = operation.starts_with("List") || (operation.starts_with("Describe") && takes_pages(operation));
    if let (true, Some(object)) = (lists && paging != Paging::Shuffled, changed.as_object_mut()) {
        let size = SIZES.iter().find(|name| object.contains_key(**name)).copied().unwrap_or(size_member(operation));
        object.insert(size.to_owned(), json!(1));
        if let (Paging::Repeated, Some((name, at))) = (paging, token(input)) {
            object.insert(name.to_owned(), json!(moved_back(&at)));
        }
    }
    Ok(changed)
}

/// An answer as it is under bad paging.
pub(crate) fn answer(paging: Paging, operation: &str, input: &Value, answer: Answer) -> Answer {
    let mut answer = answer?;
    let Some(object) = answer.as_object_mut() else { return Ok(answer) };
    let list = object.values_mut().filter_map(Value::as_array_mut).find(|list| !list.is_empty());
    match (paging, list) {
        (Paging::Shuffled, Some(list)) if operation.starts_with("List") || takes_pages(operation) => list.reverse(),
        // A first page without items: the token leads to where this page would have begun.
        (Paging::Empty, Some(list)) if token(input).is_none() && takes_pages(operation) => {
            list.clear();
            object.insert(token_member(operation).to_owned(), json!("page-00000000"));
        }
        _ => {}
    }
    Ok(answer)
}

/// DescribeServices with one service left out.
pub(crate) fn omit(omission: Omission, answer: Answer) -> Answer {
    let mut answer = answer?;
    let left_out = answer.get_mut("services").and_then(Value::as_array_mut).and_then(Vec::pop);
    let reason = match omission {
        Omission::Missing => "MISSING",
        Omission::Denied => "ACCESS_DENIED",
        Omission::Silent => return Ok(answer),
    };
    if let (Some(service), Some(failures)) = (left_out, answer.get_mut("failures").and_then(Value::as_array_mut)) {
        failures.push(json!({"arn": service.get("serviceArn"), "reason": reason}));
    }
    Ok(answer)
}

fn token(input: &Value) -> Option<(&'static str, String)> {
    TOKENS.iter().find_map(|name| Some((*name, input.get(name)?.as_str()?.to_owned())))
}

/// One item earlier, so that the last one comes again - but only every other time, or the end would never come.
fn moved_back(token: &str) -> String {
    let at = token.strip_prefix("page-").and_then(|digits| usize::from_str_radix(digits, 16).ok());
    match at {
        Some(at) if at > 1 => format!("page-{:08x}", if at % 2 == 0 { at - 1 } else { at }),
        Some(_) | None => token.to_owned(),
    }
}

/// The Describe operations that page and that the operator pages through.
fn takes_pages(operation: &str) -> bool {
    operation.starts_with("List")
        || matches!(
            operation,
            "DescribeScalableTargets"
                | "DescribeScalingPolicies"
                | "DescribeScheduledActions"
                | "DescribeLogGroups"
                | "DescribeScalingActivities"
        )
}

fn is_scaling(operation: &str) -> bool {
    operation.contains("Scal") || operation.contains("ScheduledAction")
}

fn size_member(operation: &str) -> &'static str {
    match operation {
        "DescribeLogGroups" => "limit",
        _ if is_scaling(operation) => "MaxResults",
        _ => "maxResults",
    }
}

fn token_member(operation: &str) -> &'static str {
    if is_scaling(operation) { "NextToken" } else { "nextToken" }
}
