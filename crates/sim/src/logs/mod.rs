//! Amazon CloudWatch Logs: log groups, their streams, and the lines tasks write.
//!
//! Insights queries, metric filters, subscriptions and account policies are not simulated.

mod field_pattern;
mod group;
mod pattern;
mod stream;

pub(crate) use stream::{write_container, write_crash, write_lines, write_start, write_stream};

use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::Value;

/// Answers one CloudWatch Logs operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "CreateLogGroup" => group::create(region, input),
        "DescribeLogGroups" => group::describe(region, input),
        "DeleteLogGroup" => group::delete(region, input),
        "PutRetentionPolicy" => group::put_retention(region, input),
        "DeleteRetentionPolicy" => group::delete_retention(region, input),
        "TagResource" => group::tag(region, input),
        "UntagResource" => group::untag(region, input),
        "ListTagsForResource" => group::list_tags(region, input),
        "CreateLogStream" => stream::create(region, input),
        "DeleteLogStream" => stream::delete(region, input),
        "TagLogGroup" => group::tag_by_name(region, input),
        "UntagLogGroup" => group::untag_by_name(region, input),
        "ListTagsLogGroup" => group::list_tags_by_name(region, input),
        "DescribeLogStreams" => stream::describe(region, input),
        "PutLogEvents" => stream::put(region, input),
        "GetLogEvents" => stream::get(region, input),
        "FilterLogEvents" => stream::filter(region, input),
        _ => Err(Refusal::unknown_operation()),
    }
}
