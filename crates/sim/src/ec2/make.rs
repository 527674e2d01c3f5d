//! Networks made and unmade by a caller: a VPC with its default security group, subnets, groups and their rules, tags.
//!
//! Routes, gateways and addresses are not simulated: no packet flows.

use super::{GROUP, Kind, SUBNET, VPC, VPCS, missing};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Map, Value, json};

/// The tags a request gives to what it makes, as they are shown.
fn tags(input: &Value) -> Value {
    let sets = input.items("TagSpecification").unwrap_or_default().iter();
    sets.flat_map(|set| set.items("Tag").unwrap_or_default()).map(lowered).collect()
}

/// A value with its members spelled as in answers: `CidrIp` becomes `cidrIp`.
fn lowered(value: &Value) -> Value {
    let spelled = |name: &str| {
        let mut letters = name.chars();
        letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect::<String>()
    };
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, member)| (spelled(name), lowered(member))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(lowered).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn required<'a>(input: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    let message = || format!("The request must contain the parameter {name}");
    input.text(name).filter(|text| !text.is_empty()).ok_or_else(|| Refusal::new("MissingParameter", message()))
}

/// A block of addresses, as a request gives it.
fn block(input: &Value) -> Result<&str, Refusal> {
    let block = required(input, "CidrBlock")?;
    let valid = block.split_once('/').and_then(|(address, bits)| {
        let bits: u8 = bits.parse().ok()?;
        address.parse::<std::net::Ipv4Addr>().ok().filter(|_| (16..=28).contains(&bits))
    });
    let message = || format!("The CIDR '{block}' is invalid.");
    valid.map(|_| block).ok_or_else(|| Refusal::new("InvalidVpc.Range", message()))
}

/// Refuses a VPC that is not there.
fn check_vpc(region: &Region, id: &str) -> Result<(), Refusal> {
    if super::vpcs(region).contains_key(id) || super::assumed(region, &VPCS, id) {
        return Ok(());
    }
    Err(missing(&VPCS, id))
}

/// CreateVpc: with a default security group, as every VPC has.
pub(super) fn vpc(region: &mut Region, input: &Value) -> Answer {
    let made = json!({"cidrBlock": block(input)?, "isDefault": false, "tagSet": tags(input)});
    let id = format!("vpc-0{}", region.hex(16));
    region.network.vpcs.insert(id.clone());
    region.network.made.insert(id.clone(), made);
    let group = format!("sg-0{}", region.hex(16));
    let body = json!({"groupName": "default", "groupDescription": "default VPC security group"});
    region.network.groups.insert(group.clone(), id.clone());
    region.network.made.insert(group, body);
    Ok(json!({"vpc": super::vpc(region, &id, &id)}))
}

/// CreateSubnet.
pub(super) fn subnet(region: &mut Region, input: &Value) -> Answer {
    let vpc = required(input, "VpcId")?.to_owned();
    check_vpc(region, &vpc)?;
    let mut made = json!({"cidrBlock": block(input)?, "tagSet": tags(input)});
    if let Some(zone) = input.text("AvailabilityZone") {
        made.put("availabilityZone", json!(zone));
    }
    let taken =
        |id: &str| region.network.made.get(id).and_then(|made| made.text("cidrBlock")) == made.text("cidrBlock");
    if region.network.subnets.iter().any(|(id, within)| *within == vpc && taken(id)) {
        let message =
            format!("The CIDR '{}' conflicts with another subnet", made.text("cidrBlock").unwrap_or_default());
        return Err(Refusal::new("InvalidSubnet.Conflict", message));
    }
    let id = format!("subnet-0{}", region.hex(16));
    region.network.subnets.insert(id.clone(), vpc.clone());
    region.network.made.insert(id.clone(), made);
    Ok(json!({"subnet": super::subnet(region, &id, &vpc)}))
}

/// CreateSecurityGroup: its name is unique in the VPC.
pub(super) fn group(region: &mut Region, input: &Value) -> Answer {
    let (name, description) = (required(input, "GroupName")?, required(input, "GroupDescription")?);
    let vpc = input.text("VpcId").unwrap_or(VPC).to_owned();
    check_vpc(region, &vpc)?;
    let called = |id: &str| super::group(region, id, &vpc).text("groupName") == Some(name);
    if region.network.groups.iter().any(|(id, within)| *within == vpc && called(id)) || name == "default" {
        let message = format!("The security group '{name}' already exists for VPC '{vpc}'");
        return Err(Refusal::new("InvalidGroup.Duplicate", message));
    }
    let tags = tags(input);
    let made = json!({"groupName": name, "groupDescription": description, "tagSet": tags});
    let id = format!("sg-0{}", region.hex(16));
    region.network.groups.insert(id.clone(), vpc);
    region.network.made.insert(id.clone(), made);
    let arn = region.arn("ec2", &format!("security-group/{id}"));
    Ok(json!({"return": true, "groupId": id, "securityGroupArn": arn, "tagSet": tags}))
}

/// AuthorizeSecurityGroupIngress and -Egress, and their revocation.
pub(super) fn rule(region: &mut Region, input: &Value, operation: &str) -> Answer {
    let id = required(input, "GroupId")?.to_owned();
    let vpc = region.network.groups.get(&id).cloned();
    if vpc.is_none() && !super::assumed(region, &GROUP, &id) {
        return Err(missing(&GROUP, &id));
    }
    let member = if operation.ends_with("Egress") { "ipPermissionsEgress" } else { "ipPermissions" };
    let shown = super::group(region, &id, vpc.as_deref().unwrap_or(VPC));
    let mut rules = shown.items(member).unwrap_or_default().to_vec();
    let sent = sent(input);
    if operation.starts_with("Revoke") {
        rules.retain(|rule| !sent.contains(rule));
    } else if let Some(known) = sent.iter().find(|rule| rules.contains(rule)) {
        let message = format!("the specified rule \"{known}\" already exists");
        return Err(Refusal::new("InvalidPermission.Duplicate", message));
    } else {
        rules.extend(sent);
    }
    region.network.groups.entry(id.clone()).or_insert_with(|| VPC.to_owned());
    region.network.made.entry(id).or_insert_with(|| json!({})).put(member, rules.into());
    Ok(json!({"return": true, "securityGroupRuleSet": []}))
}

/// The rules of a request: a list, or one rule spelled out.
fn sent(input: &Value) -> Vec<Value> {
    let one = input.text("IpProtocol").map(|protocol| {
        let ranges = input.text("CidrIp").map(|range| json!([{"CidrIp": range}]));
        json!({"IpProtocol": protocol, "FromPort": input.text("FromPort"), "ToPort": input.text("ToPort"), "IpRanges": ranges})
    });
    let all = input.items("IpPermissions").unwrap_or_default().iter().chain(one.as_ref());
    let full = |rule: &Value| {
        let mut rule = crate::input::without_nulls(lowered(rule));
        for list in ["ipRanges", "groups", "ipv6Ranges", "prefixListIds"] {
            rule.fill(list, json!([]));
        }
        rule
    };
    all.map(full).collect()
}

/// DeleteVpc, DeleteSubnet and DeleteSecurityGroup.
pub(super) fn delete(region: &mut Region, input: &Value, kind: &Kind) -> Answer {
    let id = required(input, kind.member)?;
    let network = &mut region.network;
    if kind.prefix == VPCS.prefix {
        let default = |id: &String| network.made.get(id).and_then(|made| made.text("groupName")) == Some("default");
        let groups = network.groups.iter().filter(|(id, _)| !default(id)).map(|(_, vpc)| vpc);
        if network.subnets.values().chain(groups).any(|vpc| vpc == id) {
            let message = format!("The vpc '{id}' has dependencies and cannot be deleted.");
            return Err(Refusal::new("DependencyViolation", message));
        }
        network.groups.retain(|_, vpc| vpc != id);
    }
    let gone = match kind.prefix {
        prefix if prefix == SUBNET.prefix => network.subnets.remove(id).is_some(),
        prefix if prefix == GROUP.prefix => network.groups.remove(id).is_some(),
        _ => network.vpcs.remove(id),
    };
    if !gone {
        return Err(missing(kind, id));
    }
    network.made.remove(id);
    network.deleted.insert(id.to_owned());
    Ok(json!({"return": true}))
}

/// CreateTags and DeleteTags.
pub(super) fn tag(region: &mut Region, input: &Value, operation: &str) -> Answer {
    let sent: Vec<Value> = input.items("Tag").unwrap_or_default().iter().map(lowered).collect();
    let ids = input.texts("ResourceId");
    let known = |id: &&String| [&SUBNET, &GROUP, &VPCS].iter().any(|kind| super::well_formed(id, kind.prefix));
    if let Some(bad) = ids.iter().find(|id| !known(id)) {
        return Err(Refusal::new("InvalidID", format!("The ID '{bad}' is not valid")));
    }
    for id in ids {
        let made = region.network.made.entry(id).or_insert_with(|| json!({}));
        let mut tags = made.items("tagSet").unwrap_or_default().to_vec();
        tags.retain(|tag| !sent.iter().any(|new| new.text("key") == tag.text("key")));
        if operation == "CreateTags" {
            tags.extend(sent.iter().cloned());
        }
        made.put("tagSet", tags.into());
    }
    Ok(json!({"return": true}))
}
