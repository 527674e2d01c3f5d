//! Tags of ECS resources.

use fargateer_plan::failure::Failure;
use fargateer_plan::tags::{Tags, to_list};
use serde_json::json;

use crate::caller::{Caller, Operation};
use crate::quota::Group;

/// What this file calls. Creating a tagged resource needs TagResource as well.
pub(crate) const PERMISSIONS: &[&str] = &["ecs:TagResource", "ecs:UntagResource"];

const TAG: Operation = Operation::new("ecs.TagResource", Group::TagModify);
const UNTAG: Operation = Operation::new("ecs.UntagResource", Group::TagModify);

/// Sets `tags` on the resource `arn`.
pub(crate) async fn set(caller: &Caller<'_>, arn: &str, tags: &Tags) -> Result<(), Failure> {
    let request = json!({"resourceArn": arn, "tags": to_list(tags)});
    let send = |exchange| caller.clients.ecs_writes.tag_resource().customize().interceptor(exchange).send();
    caller.json(TAG, &request, send).await.map(drop)
}

/// Removes the tags with `keys` from the resource `arn`.
pub(crate) async fn remove(caller: &Caller<'_>, arn: &str, keys: &[String]) -> Result<(), Failure> {
    let request = json!({"resourceArn": arn, "tagKeys": keys});
    let send = |exchange| caller.clients.ecs_writes.untag_resource().customize().interceptor(exchange).send();
    caller.json(UNTAG, &request, send).await.map(drop)
}
