//! Amazon EC2's networks: subnets, security groups, VPCs and availability zones.
//!
//! What a specification names is taken to exist if it is well-formed, in one VPC, unless `Settings::networks` says otherwise: then
//! only what was put in place or made does. An id of nothing but zeros never exists. Answers are in the query protocol's shape
//! (`subnetSet` and the like).

mod make;

use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::settings::Networks;
use crate::state::Region;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The VPC of what was not put in another.
pub(crate) const VPC: &str = "vpc-0a1b2c3d";

/// The default subnets of the default VPC, in the zones a, b and c.
const SUBNETS: [&str; 3] = ["subnet-0a1b2c3d", "subnet-1a2b3c4d", "subnet-2a3b4c5d"];

/// The default security group of the default VPC.
const DEFAULT_GROUP: &str = "sg-0a1b2c3d";

/// How one kind of thing is named in requests, errors and answers.
struct Kind {
    prefix: &'static str,
    member: &'static str,
    set: &'static str,
    missing: &'static str,
    malformed: &'static str,
    noun: &'static str,
}

const SUBNET: Kind = Kind {
    prefix: "subnet-",
    member: "SubnetId",
    set: "subnetSet",
    missing: "InvalidSubnetID.NotFound",
    malformed: "InvalidSubnetID.Malformed",
    noun: "subnet ID",
};

const GROUP: Kind = Kind {
    prefix: "sg-",
    member: "GroupId",
    set: "securityGroupInfo",
    missing: "InvalidGroup.NotFound",
    malformed: "InvalidGroupId.Malformed",
    noun: "security group",
};

const VPCS: Kind = Kind {
    prefix: "vpc-",
    member: "VpcId",
    set: "vpcSet",
    missing: "InvalidVpcID.NotFound",
    malformed: "InvalidVpcID.Malformed",
    noun: "vpc ID",
};

/// Answers one EC2 operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "DescribeSubnets" => {
            let known = region.network.subnets.clone();
            describe(region, input, &SUBNET, (&known, subnet))
        }
        "DescribeSecurityGroups" => {
            let known = region.network.groups.clone();
            describe(region, input, &GROUP, (&known, group))
        }
        "DescribeVpcs" => describe(region, input, &VPCS, (&vpcs(region), vpc)),
        "DescribeAvailabilityZones" => zones(region, input),
        "CreateVpc" => make::vpc(region, input),
        "CreateSubnet" => make::subnet(region, input),
        "CreateSecurityGroup" => make::group(region, input),
        "DeleteVpc" => make::delete(region, input, &VPCS),
        "DeleteSubnet" => make::delete(region, input, &SUBNET),
        "DeleteSecurityGroup" => make::delete(region, input, &GROUP),
        "AuthorizeSecurityGroupIngress"
        | "AuthorizeSecurityGroupEgress"
        | "RevokeSecurityGroupIngress"
        | "RevokeSecurityGroupEgress" => make::rule(region, input, operation),
        "CreateTags" | "DeleteTags" => make::tag(region, input, operation),
        "ModifyVpcAttribute" | "ModifySubnetAttribute" => Ok(json!({"return": true})),
        _ => {
            let message = format!("The action {operation} is not valid for this web service.");
            Err(Refusal::new("InvalidAction", message))
        }
    }
}

/// Every VPC there is, by its id: those made, and those of subnets and groups.
fn vpcs(region: &Region) -> BTreeMap<String, String> {
    let network = &region.network;
    let all = network.vpcs.iter().chain(network.subnets.values()).chain(network.groups.values());
    all.map(|vpc| (vpc.clone(), vpc.clone())).collect()
}

/// Whether an id names something: it was put in place or made, or is taken to exist. What was deleted does not, and zeros alone
/// stand for what never did.
pub(crate) fn exists(region: &Region, id: &str) -> bool {
    let known = region.network.subnets.contains_key(id) || region.network.groups.contains_key(id);
    let name = id.split_once('-').map_or(id, |(_, name)| name);
    let absent = region.network.deleted.contains(id) || name.chars().all(|c| c == '0');
    known || (region.settings.networks == Networks::Any && !absent)
}

/// The VPC of a subnet.
pub(crate) fn vpc_of<'a>(region: &'a Region, subnet: &str) -> &'a str {
    region.network.subnets.get(subnet).map_or(VPC, String::as_str)
}

/// The zone of a subnet that was made, or that every account has.
pub(crate) fn zone_of(region: &Region, id: &str) -> Option<String> {
    let known = SUBNETS.contains(&id) || region.network.made.contains_key(id);
    known.then(|| subnet(region, id, VPC).text("availabilityZone").map(str::to_owned)).flatten()
}

fn assumed(region: &Region, kind: &Kind, id: &str) -> bool {
    well_formed(id, kind.prefix) && exists(region, id)
}

fn missing(kind: &Kind, id: &str) -> Refusal {
    Refusal::new(kind.missing, format!("The {} '{id}' does not exist", kind.noun))
}

type Shape = fn(&Region, &str, &str) -> Value;

fn describe(region: &Region, input: &Value, kind: &Kind, (known, shape): (&BTreeMap<String, String>, Shape)) -> Answer {
    let mut wanted = input.texts(kind.member);
    wanted.extend(filtered(input, &format!("{}-id", kind.prefix.trim_end_matches('-').replace("sg", "group"))));
    let asked = !input.texts(kind.member).is_empty();
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for id in &wanted {
        if !well_formed(id, kind.prefix) {
            let message = format!("Invalid id: \"{id}\" (expecting \"{}...\")", kind.prefix);
            return Err(Refusal::new(kind.malformed, message));
        }
        match known.get(id) {
            Some(vpc) => found.insert(id.clone(), vpc.clone()),
            None if exists(region, id) => {
                let vpc = if kind.prefix == VPCS.prefix { id.clone() } else { VPC.to_owned() };
                found.insert(id.clone(), vpc)
            }
            None if asked => return Err(missing(kind, id)),
            None => None,
        };
    }
    if wanted.is_empty() {
        found = known.clone();
        if region.settings.networks == Networks::Any {
            found.extend(usual(kind));
        }
    }
    let all = found.iter().map(|(id, vpc)| shape(region, id, vpc)).filter(|item| passes(input, item));
    Ok(json!({kind.set: all.collect::<Vec<_>>()}))
}

/// What a new account has.
fn usual(kind: &Kind) -> Vec<(String, String)> {
    let ids: &[&str] = match kind.prefix {
        "subnet-" => &SUBNETS,
        "sg-" => &[DEFAULT_GROUP],
        _ => &[VPC],
    };
    ids.iter().map(|id| ((*id).to_owned(), VPC.to_owned())).collect()
}

fn well_formed(id: &str, prefix: &str) -> bool {
    let rest = id.strip_prefix(prefix).unwrap_or_default();
    !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// The values of a filter.
fn filtered(input: &Value, name: &str) -> Vec<String> {
    let filters = input.items("Filter").unwrap_or_default().iter();
    filters.filter(|filter| filter.text("Name") == Some(name)).flat_map(|filter| filter.texts("Value")).collect()
}

/// Whether an item passes every filter that is about one of its own members.
fn passes(input: &Value, item: &Value) -> bool {
    const NAMES: [(&str, &str); 9] = [
        ("vpc-id", "vpcId"),
        ("availability-zone", "availabilityZone"),
        ("state", "state"),
        ("default-for-az", "defaultForAz"),
        ("group-name", "groupName"),
        ("is-default", "isDefault"),
        ("isDefault", "isDefault"),
        ("cidr-block", "cidrBlock"),
        ("zone-name", "zoneName"),
    ];
    let filters = input.items("Filter").unwrap_or_default();
    filters.iter().all(|filter| {
        let name = filter.text("Name").unwrap_or_default();
        if name.starts_with("tag") {
            return tagged(item, name, &filter.texts("Value"));
        }
        let member = NAMES.iter().find(|(known, _)| name == *known);
        let Some(value) = member.and_then(|(_, member)| item.get(*member)) else { return true };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        filter.texts("Value").contains(&text)
    })
}

/// Whether an item has a tag a filter asks for: `tag:<key>` of some value, or a `tag-key`.
fn tagged(item: &Value, filter: &str, values: &[String]) -> bool {
    let is = |text: Option<&str>| text.is_some_and(|text| values.iter().any(|wanted| wanted == text));
    let mut tags = item.items("tagSet").unwrap_or_default().iter();
    match filter.strip_prefix("tag:") {
        Some(key) => tags.any(|tag| tag.text("key") == Some(key) && is(tag.text("value"))),
        None => tags.any(|tag| is(tag.text("key"))),
    }
}

/// What was said of a thing when it was made, over what is made up.
fn said(region: &Region, id: &str, mut body: Value) -> Value {
    for (name, value) in region.network.made.get(id).and_then(Value::as_object).into_iter().flatten() {
        body.put(name, value.clone());
    }
    body
}

/// A number that follows from a name, to make up what nobody said.
fn draw(id: &str, below: u8) -> u8 {
    Sha256::digest(id.as_bytes()).first().copied().unwrap_or(0) % below
}

fn subnet(region: &Region, id: &str, vpc: &str) -> Value {
    let place = SUBNETS.iter().position(|known| *known == id);
    let number = place.and_then(|place| u8::try_from(place).ok()).unwrap_or_else(|| draw(id, 3));
    let letter = char::from(b'a' + number);
    let body = json!({
        "subnetId": id,
        "subnetArn": region.arn("ec2", &format!("subnet/{id}")),
        "vpcId": vpc,
        "ownerId": region.account,
        "state": "available",
        "availabilityZone": format!("{}{letter}", region.name),
        "availabilityZoneId": format!("use1-az{}", number + 1),
        "cidrBlock": format!("10.0.{}.0/24", draw(id, 250)),
        "availableIpAddressCount": 251,
        "defaultForAz": place.is_some(),
        "mapPublicIpOnLaunch": place.is_some(),
        "assignIpv6AddressOnCreation": false,
        "ipv6CidrBlockAssociationSet": [],
        "tagSet": [],
    });
    said(region, id, body)
}

fn group(region: &Region, id: &str, vpc: &str) -> Value {
    let anywhere = json!([{"cidrIp": "0.0.0.0/0"}]);
    let (name, description) = match id {
        DEFAULT_GROUP => ("default".to_owned(), "default VPC security group"),
        _ => (format!("group-{}", id.trim_start_matches("sg-")), "simulated"),
    };
    let body = json!({
        "groupId": id,
        "securityGroupArn": region.arn("ec2", &format!("security-group/{id}")),
        "groupName": name,
        "groupDescription": description,
        "ownerId": region.account,
        "vpcId": vpc,
        "ipPermissions": [],
        "ipPermissionsEgress": [{"ipProtocol": "-1", "ipRanges": anywhere, "groups": [], "ipv6Ranges": [], "prefixListIds": []}],
        "tagSet": [],
    });
    said(region, id, body)
}

fn vpc(region: &Region, id: &str, _: &str) -> Value {
    let made = region.network.made.get(id);
    let block = made.and_then(|made| made.text("cidrBlock")).unwrap_or("10.0.0.0/16");
    let body = json!({
        "vpcId": id,
        "ownerId": region.account,
        "state": "available",
        "cidrBlock": block,
        "dhcpOptionsId": "dopt-0a1b2c3d",
        "instanceTenancy": "default",
        "isDefault": id == VPC,
        "cidrBlockAssociationSet": [{
            "associationId": "vpc-cidr-assoc-0a1b2c3d",
            "cidrBlock": block,
            "cidrBlockState": {"state": "associated"},
        }],
        "tagSet": [],
    });
    said(region, id, body)
}

fn zones(region: &Region, input: &Value) -> Answer {
    let wanted = input.texts("ZoneName");
    let all = ['a', 'b', 'c'].map(|letter| format!("{}{letter}", region.name));
    if let Some(bad) = wanted.iter().find(|name| !all.contains(name)) {
        return Err(Refusal::new("InvalidParameterValue", format!("Invalid availability zone: [{bad}]")));
    }
    let shown = all.iter().enumerate().filter(|(_, name)| wanted.is_empty() || wanted.contains(name));
    let items = shown.map(|(number, name)| {
        json!({
            "zoneName": name,
            "zoneState": "available",
            "regionName": region.name,
            "zoneId": format!("use1-az{}", number + 1),
            "zoneType": "availability-zone",
            "optInStatus": "opt-in-not-required",
            "groupName": region.name,
            "networkBorderGroup": region.name,
            "messageSet": [],
        })
    });
    let items: Vec<Value> = items.filter(|item| passes(input, item)).collect();
    Ok(json!({"availabilityZoneInfo": items}))
}
