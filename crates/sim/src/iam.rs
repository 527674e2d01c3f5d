//! AWS IAM, as far as roles are made and looked up. Nothing is authorised by it.
//!
//! Kept per region like everything else, though IAM is global: a client sends its requests to one region.

use crate::clock;
use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::iam::Role;
use crate::tag;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The service whose role is part of an account in which it was ever used.
const ECS: &str = "ecs.amazonaws.com";

/// Answers one IAM operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    if region.settings.service_linked_role || region.ecs.role_made {
        link(region, ECS);
    }
    match operation {
        "CreateServiceLinkedRole" => create_linked(region, input),
        "CreateRole" => create(region, input),
        "GetRole" => Ok(json!({"Role": view(named(region, input)?)})),
        "ListRoles" => list(region, input),
        "DeleteRole" => delete(region, input),
        "AttachRolePolicy" => {
            let arn = input.text("PolicyArn").unwrap_or_default().to_owned();
            named(region, input)?.attached.insert(arn);
            Ok(json!({}))
        }
        "DetachRolePolicy" => {
            let arn = input.text("PolicyArn").unwrap_or_default();
            let removed = named(region, input)?.attached.remove(arn);
            if removed { Ok(json!({})) } else { Err(missing(&format!("Policy {arn} was not found."))) }
        }
        "ListAttachedRolePolicies" => {
            let attached = named(region, input)?.attached.iter();
            let view = |arn: &String| json!({"PolicyArn": arn, "PolicyName": arn.rsplit('/').next()});
            Ok(json!({"AttachedPolicies": attached.map(view).collect::<Vec<_>>(), "IsTruncated": false}))
        }
        "PutRolePolicy" => {
            let text = |name: &str| input.text(name).unwrap_or_default().to_owned();
            named(region, input)?.inline.insert(text("PolicyName"), text("PolicyDocument"));
            Ok(json!({}))
        }
        "ListRolePolicies" => {
            let names: Vec<&String> = named(region, input)?.inline.keys().collect();
            Ok(json!({"PolicyNames": names, "IsTruncated": false}))
        }
        "DeleteRolePolicy" => {
            named(region, input)?.inline.remove(input.text("PolicyName").unwrap_or_default());
            Ok(json!({}))
        }
        _ => Err(Refusal::new("InvalidAction", format!("Could not find operation {operation} for version 2010-05-08"))),
    }
}

fn missing(message: &str) -> Refusal {
    Refusal { status: 404, ..Refusal::new("NoSuchEntity", message) }
}

fn named<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Role, Refusal> {
    let name = input.text("RoleName").unwrap_or_default();
    let absent = || missing(&format!("The role with name {name} cannot be found."));
    region.iam.roles.get_mut(name).ok_or_else(absent)
}

fn view(role: &Role) -> Value {
    let mut body = role.body.clone();
    if !role.tags.is_empty() {
        body.put("Tags", tag::UPPER.write(&role.tags));
    }
    body
}

fn create(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("RoleName").unwrap_or_default().to_owned();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if !(1..=64).contains(&name.len()) || !name.chars().all(allowed) {
        let message = "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-";
        return Err(Refusal::new("ValidationError", message));
    }
    let trust = input.text("AssumeRolePolicyDocument").unwrap_or_default();
    if serde_json::from_str::<Value>(trust).is_err() {
        return Err(Refusal::new("MalformedPolicyDocument", "This policy contains invalid Json"));
    }
    if region.iam.roles.contains_key(&name) {
        let message = format!("Role with name {name} already exists.");
        return Err(Refusal { status: 409, ..Refusal::new("EntityAlreadyExists", message) });
    }
    let path = input.text("Path").unwrap_or("/");
    let id = region.hex(16).to_ascii_uppercase();
    let body = json!({
        "Path": path,
        "RoleName": name,
        "RoleId": format!("AROA{id}"),
        "Arn": format!("arn:aws:iam::{}:role{path}{name}", region.account),
        "CreateDate": clock::iso(region.settings.epoch, region.now),
        "AssumeRolePolicyDocument": form_urlencoded::byte_serialize(trust.as_bytes()).collect::<String>().replace('+', "%20"),
        "Description": input.text("Description"),
        "MaxSessionDuration": input.whole("MaxSessionDuration").unwrap_or(3600),
    });
    let tags = tag::UPPER.read(input.items("Tags"));
    let role = Role { body, tags, attached: BTreeSet::new(), inline: BTreeMap::new() };
    let shown = view(&role);
    region.iam.roles.insert(name, role);
    Ok(json!({"Role": shown}))
}

/// The name of the role of a service.
fn linked_name(service: &str) -> String {
    let name = match service {
        ECS => "ECS",
        "ecs.application-autoscaling.amazonaws.com" => "ApplicationAutoScaling_ECSService",
        "elasticloadbalancing.amazonaws.com" => "ElasticLoadBalancing",
        _ => service.split('.').next().unwrap_or_default(),
    };
    format!("AWSServiceRoleFor{name}")
}

/// Makes the role of a service, unless it is there: then the answer is `None`.
fn link(region: &mut Region, service: &str) -> Option<Value> {
    let name = linked_name(service);
    if region.iam.roles.contains_key(&name) {
        return None;
    }
    let statement = json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"});
    let trust = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let path = format!("/aws-service-role/{service}/");
    let input = json!({"RoleName": name, "Path": path, "AssumeRolePolicyDocument": trust});
    create(region, &input).ok().and_then(|made| made.get("Role").cloned())
}

/// CreateServiceLinkedRole.
fn create_linked(region: &mut Region, input: &Value) -> Answer {
    let service = input.text("AWSServiceName").unwrap_or_default();
    if !service.ends_with(".amazonaws.com") {
        return Err(Refusal::new("InvalidInput", "The service name is not valid."));
    }
    let Some(role) = link(region, service) else {
        let name = linked_name(service);
        let message =
            format!("Service role name {name} has been taken in this account, please try a different suffix.");
        return Err(Refusal::new("InvalidInput", message));
    };
    if service == ECS {
        region.ecs.role_made = true;
    }
    Ok(json!({"Role": role}))
}

fn list(region: &Region, input: &Value) -> Answer {
    let prefix = input.text("PathPrefix").unwrap_or("/");
    let roles = region.iam.roles.values().filter(|role| role.body.text("Path").unwrap_or("/").starts_with(prefix));
    let size = input.whole("MaxItems").and_then(|size| usize::try_from(size).ok()).unwrap_or(100);
    let invalid = || Refusal::new("ValidationError", "Invalid Marker");
    let page =
        page::cut(roles.map(|role| role.body.clone()).collect(), input.text("Marker"), size).ok_or_else(invalid)?;
    Ok(json!({"Roles": page.items, "IsTruncated": page.next.is_some(), "Marker": page.next}))
}

fn delete(region: &mut Region, input: &Value) -> Answer {
    let role = named(region, input)?;
    if !role.attached.is_empty() || !role.inline.is_empty() {
        let message = "Cannot delete entity, must detach all policies first.";
        return Err(Refusal { status: 409, ..Refusal::new("DeleteConflict", message) });
    }
    region.iam.roles.remove(input.text("RoleName").unwrap_or_default());
    Ok(json!({}))
}
