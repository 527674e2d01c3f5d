//! Account settings: what a principal has set, what everybody gets, and what AWS gives.
//!
//! ECS API reference, Setting. One of them is acted on: new clusters take `containerInsights` from here.

use super::cluster::paged;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};

const SWITCH: &[&str] = &["enabled", "disabled", "on", "off"];

/// Name, default, values.
const SETTINGS: [(&str, &str, &[&str]); 11] = [
    ("awsvpcTrunking", "disabled", SWITCH),
    ("containerInsights", "disabled", &["enabled", "disabled", "enhanced", "on", "off"]),
    ("containerInstanceLongArnFormat", "enabled", SWITCH),
    ("defaultLogDriverMode", "non-blocking", &["blocking", "non-blocking"]),
    ("fargateEventWindows", "disabled", SWITCH),
    ("fargateFIPSMode", "disabled", SWITCH),
    ("fargateTaskRetirementWaitPeriod", "7", &["0", "7", "14"]),
    ("guardDutyActivate", "off", SWITCH),
    ("serviceLongArnFormat", "enabled", SWITCH),
    ("tagResourceAuthorization", "on", SWITCH),
    ("taskLongArnFormat", "enabled", SWITCH),
];

fn known(name: &str) -> Result<(&'static str, &'static str, &'static [&'static str]), Refusal> {
    let found = SETTINGS.iter().find(|(known, _, _)| *known == name).copied();
    found.ok_or_else(|| Refusal::invalid(format!("Unknown account setting name: {name}")))
}

/// The setting everybody has who has none of their own.
pub(super) fn effective(region: &Region, name: &str) -> String {
    let default = SETTINGS.iter().find(|(known, _, _)| *known == name).map_or("disabled", |(_, default, _)| default);
    let everybody = region.ecs.account.get(&(String::new(), name.to_owned()));
    everybody.cloned().unwrap_or_else(|| default.to_owned())
}

fn root(region: &Region) -> String {
    format!("arn:aws:iam::{}:root", region.account)
}

fn principal(region: &Region, input: &Value) -> String {
    input.text("principalArn").map_or_else(|| root(region), str::to_owned)
}

fn view(name: &str, value: &str, principal: &str) -> Value {
    let kind = if name == "guardDutyActivate" { "aws_managed" } else { "user" };
    json!({"name": name, "value": value, "principalArn": principal, "type": kind})
}

/// PutAccountSetting and PutAccountSettingDefault; the latter names no principal.
pub(super) fn put(region: &mut Region, input: &Value, whose: Whose) -> Answer {
    let (name, _, values) = known(input.text("name").unwrap_or_default())?;
    let value = input.text("value").unwrap_or_default();
    if name == "guardDutyActivate" {
        return Err(Refusal::invalid("The account setting guardDutyActivate is managed by AWS."));
    }
    if !values.contains(&value) {
        return Err(Refusal::invalid(format!("Invalid value '{value}' for the account setting {name}.")));
    }
    let shown = principal(region, input);
    let key = if whose == Whose::Everybody || shown == root(region) { String::new() } else { shown.clone() };
    region.ecs.account.insert((key, name.to_owned()), value.to_owned());
    Ok(json!({"setting": view(name, value, &shown)}))
}

/// Whose setting is put.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Principal,
    Everybody,
}

/// DeleteAccountSetting: back to what everybody gets.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let (name, _, _) = known(input.text("name").unwrap_or_default())?;
    let shown = principal(region, input);
    let key = if shown == root(region) { String::new() } else { shown.clone() };
    region.ecs.account.remove(&(key, name.to_owned()));
    Ok(json!({"setting": view(name, &effective(region, name), &shown)}))
}

/// ListAccountSettings: only what was set, unless the effective ones are asked for.
pub(super) fn list(region: &Region, input: &Value) -> Answer {
    let shown = principal(region, input);
    let key = if shown == root(region) { String::new() } else { shown.clone() };
    let wanted = input.text("name").map(known).transpose()?.map(|(name, _, _)| name);
    let all = input.flag("effectiveSettings").unwrap_or(false);
    if input.text("value").is_some() && wanted.is_none() {
        return Err(Refusal::invalid("A value can only be specified together with a name."));
    }
    let mut settings = Vec::new();
    for (name, _, _) in SETTINGS.iter().filter(|(name, _, _)| wanted.is_none_or(|wanted| wanted == *name)) {
        let own = region.ecs.account.get(&(key.clone(), (*name).to_owned())).cloned();
        let value = own.or_else(|| all.then(|| effective(region, name)));
        let asked = |value: &String| input.text("value").is_none_or(|asked| asked == value);
        settings.extend(value.filter(asked).map(|value| view(name, &value, &shown)));
    }
    let page = paged(settings, input, 10)?;
    Ok(json!({"settings": page.items, "nextToken": page.next}))
}
