//! Tags of load balancers, target groups, listeners and rules, several resources a call.

use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::tag::{self, Tags};
use serde_json::{Value, json};

fn tags<'a>(region: &'a mut Region, arn: &str) -> Result<&'a mut Tags, Refusal> {
    let elb = &mut region.elb;
    if let Some(balancer) = elb.balancers.get_mut(arn) {
        return Ok(&mut balancer.tags);
    }
    if let Some(group) = elb.groups.get_mut(arn) {
        return Ok(&mut group.tags);
    }
    if let Some(listener) = elb.listeners.get_mut(arn) {
        return Ok(&mut listener.tags);
    }
    match elb.rules.get_mut(arn) {
        Some(rule) => Ok(&mut rule.tags),
        None if arn.contains(":targetgroup/") => {
            Err(Refusal::new("TargetGroupNotFound", format!("Target groups '{arn}' not found")))
        }
        None if arn.contains(":listener/") => {
            Err(Refusal::new("ListenerNotFound", format!("Listeners '{arn}' not found")))
        }
        None if arn.contains(":listener-rule/") => {
            Err(Refusal::new("RuleNotFound", format!("One or more rules not found: {arn}")))
        }
        None => Err(Refusal::new("LoadBalancerNotFound", format!("Load balancers '[{arn}]' not found"))),
    }
}

/// The tags of a request, each key once.
pub(super) fn sent(input: &Value) -> Result<Tags, Refusal> {
    let list = input.items("Tags");
    let tags = tag::UPPER.read(list);
    if tags.len() < list.unwrap_or_default().len() {
        return Err(Refusal::new(
            "DuplicateTagKeys",
            "Duplicate tag keys found. Please note that tag keys are case insensitive.",
        ));
    }
    if tags.len() > 50 {
        return Err(Refusal::new("TooManyTags", "The number of tags exceeds the maximum of 50"));
    }
    tag::check(&tags, "ValidationError")?;
    Ok(tags)
}

/// AddTags.
pub(super) fn add(region: &mut Region, input: &Value) -> Answer {
    let new = sent(input)?;
    for arn in input.texts("ResourceArns") {
        let tags = tags(region, &arn)?;
        tags.extend(new.clone());
        if tags.len() > 50 {
            return Err(Refusal::new("TooManyTags", "The number of tags exceeds the maximum of 50"));
        }
    }
    Ok(json!({}))
}

/// RemoveTags.
pub(super) fn remove(region: &mut Region, input: &Value) -> Answer {
    let keys = input.texts("TagKeys");
    for arn in input.texts("ResourceArns") {
        tags(region, &arn)?.retain(|key, _| !keys.contains(key));
    }
    Ok(json!({}))
}

/// DescribeTags: at most twenty resources.
pub(super) fn describe(region: &mut Region, input: &Value) -> Answer {
    let arns = input.texts("ResourceArns");
    if arns.len() > 20 {
        return Err(Refusal::new("ValidationError", "At most 20 resources can be described at once"));
    }
    let mut descriptions = Vec::new();
    for arn in arns {
        let tags = tag::UPPER.write(tags(region, &arn)?);
        descriptions.push(json!({"ResourceArn": arn, "Tags": tags}));
    }
    Ok(json!({"TagDescriptions": descriptions}))
}
