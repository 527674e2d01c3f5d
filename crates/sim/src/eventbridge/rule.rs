//! Rules and their targets.

use super::pattern;
use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::eventbridge::Rule;
use crate::tag;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn missing(name: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("Rule {name} does not exist on EventBus default."))
}

fn named<'a>(region: &'a mut Region, name: &str) -> Result<&'a mut Rule, Refusal> {
    region.eventbridge.rules.get_mut(name).ok_or_else(|| missing(name))
}

fn check_bus(input: &Value) -> Result<(), Refusal> {
    let bus = input.text("EventBusName").unwrap_or("default");
    if bus == "default" || bus.ends_with(":event-bus/default") {
        return Ok(());
    }
    Err(Refusal::new("ResourceNotFoundException", format!("Event bus {bus} does not exist.")))
}

/// PutRule: an upsert.
pub(super) fn put(region: &mut Region, input: &Value) -> Answer {
    check_bus(input)?;
    let name = input.text("Name").unwrap_or_default().to_owned();
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if !(1..=64).contains(&name.len()) || !name.chars().all(allowed) {
        return Err(Refusal::validation(format!(
            "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [\\.\\-_A-Za-z0-9]+"
        )));
    }
    let text = |member: &str| input.text(member).map(str::to_owned);
    let (wanted, schedule) = (text("EventPattern"), text("ScheduleExpression"));
    if wanted.is_none() && schedule.is_none() {
        return Err(Refusal::validation("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    if let Some(schedule) = schedule.as_deref().filter(|text| !text.starts_with("rate(") && !text.starts_with("cron("))
    {
        let _ = schedule;
        return Err(Refusal::validation("Parameter ScheduleExpression is not valid."));
    }
    if let Some(wanted) = &wanted {
        pattern::parse(wanted)?;
    }
    super::observe(region);
    let arn = region.arn("events", &format!("rule/{name}"));
    let known = region.eventbridge.rules.remove(&name);
    let (targets, tags) = known.map(|known| (known.targets, known.tags)).unwrap_or_default();
    let new = tag::UPPER.read(input.items("Tags"));
    let rule = Rule {
        arn: arn.clone(),
        pattern: wanted,
        schedule,
        description: text("Description"),
        role: text("RoleArn"),
        enabled: input.text("State") != Some("DISABLED"),
        targets,
        tags: tags.into_iter().chain(new).collect(),
    };
    region.eventbridge.rules.insert(name, rule);
    // What happened before there was a rule is nobody's news.
    super::observe(region);
    Ok(json!({"RuleArn": arn}))
}

fn view(region: &Region, name: &str, rule: &Rule) -> Value {
    json!({
        "Name": name,
        "Arn": rule.arn,
        "EventPattern": rule.pattern,
        "ScheduleExpression": rule.schedule,
        "State": if rule.enabled { "ENABLED" } else { "DISABLED" },
        "Description": rule.description,
        "RoleArn": rule.role,
        "EventBusName": "default",
        "CreatedBy": region.account,
    })
}

/// DescribeRule.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let name = input.text("Name").unwrap_or_default();
    let rule = region.eventbridge.rules.get(name).ok_or_else(|| missing(name))?;
    Ok(view(region, name, rule))
}

fn paged(all: Vec<Value>, input: &Value, member: &str) -> Answer {
    let size = input.whole("Limit").and_then(|size| usize::try_from(size).ok()).unwrap_or(100);
    let invalid = || Refusal::validation("The nextToken is not valid.");
    let page = page::cut(all, input.text("NextToken"), size).ok_or_else(invalid)?;
    Ok(json!({member: page.items, "NextToken": page.next}))
}

/// ListRules.
pub(super) fn list(region: &Region, input: &Value) -> Answer {
    let prefix = input.text("NamePrefix").unwrap_or_default();
    let rules = region.eventbridge.rules.iter().filter(|(name, _)| name.starts_with(prefix));
    let mut all: Vec<Value> = rules.map(|(name, rule)| view(region, name, rule)).collect();
    for rule in &mut all {
        if let Some(members) = rule.as_object_mut() {
            members.remove("CreatedBy");
        }
    }
    paged(all, input, "Rules")
}

/// DeleteRule: without targets only; a missing one is no error.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("Name").unwrap_or_default();
    if region.eventbridge.rules.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
        return Err(Refusal::validation("Rule can't be deleted since it has targets."));
    }
    region.eventbridge.rules.remove(name);
    Ok(json!({}))
}

/// Whether a rule shall work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    On,
    Off,
}

/// EnableRule and DisableRule.
pub(super) fn switch(region: &mut Region, input: &Value, switch: Switch) -> Answer {
    named(region, input.text("Name").unwrap_or_default())?.enabled = switch == Switch::On;
    Ok(json!({}))
}

/// PutTargets: an upsert by id.
pub(super) fn put_targets(region: &mut Region, input: &Value) -> Answer {
    check_bus(input)?;
    let rule = named(region, input.text("Rule").unwrap_or_default())?;
    let mut targets = rule.targets.clone();
    for target in input.items("Targets").unwrap_or_default() {
        targets.insert(target.text("Id").unwrap_or_default().to_owned(), target.clone());
    }
    if targets.len() > 5 {
        let message = "The requested resource exceeds the maximum number allowed.";
        return Err(Refusal::new("LimitExceededException", message));
    }
    rule.targets = targets;
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

/// RemoveTargets.
pub(super) fn remove_targets(region: &mut Region, input: &Value) -> Answer {
    let rule = named(region, input.text("Rule").unwrap_or_default())?;
    let mut failed = Vec::new();
    for id in input.texts("Ids") {
        if rule.targets.remove(&id).is_none() {
            failed.push(json!({
                "TargetId": id,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": format!("Rule does not have target {id}."),
            }));
        }
    }
    Ok(json!({"FailedEntryCount": failed.len(), "FailedEntries": failed}))
}

/// ListTargetsByRule.
pub(super) fn list_targets(region: &mut Region, input: &Value) -> Answer {
    let targets: BTreeMap<String, Value> = named(region, input.text("Rule").unwrap_or_default())?.targets.clone();
    paged(targets.into_values().collect(), input, "Targets")
}

/// ListRuleNamesByTarget.
pub(super) fn names_by_target(region: &Region, input: &Value) -> Answer {
    let arn = input.text("TargetArn");
    let has = |rule: &Rule| rule.targets.values().any(|target| target.text("Arn") == arn);
    let names = region.eventbridge.rules.iter().filter(|(_, rule)| has(rule)).map(|(name, _)| json!(name));
    paged(names.collect(), input, "RuleNames")
}

fn by_arn<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Rule, Refusal> {
    let arn = input.text("ResourceARN").unwrap_or_default();
    let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
    named(region, &name)
}

/// TagResource.
pub(super) fn tag(region: &mut Region, input: &Value) -> Answer {
    let new = tag::UPPER.read(input.items("Tags"));
    by_arn(region, input)?.tags.extend(new);
    Ok(json!({}))
}

/// UntagResource.
pub(super) fn untag(region: &mut Region, input: &Value) -> Answer {
    let keys = input.texts("TagKeys");
    by_arn(region, input)?.tags.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

/// ListTagsForResource.
pub(super) fn tags(region: &mut Region, input: &Value) -> Answer {
    Ok(json!({"Tags": tag::UPPER.write(&by_arn(region, input)?.tags)}))
}
