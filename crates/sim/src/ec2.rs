//! Amazon EC2, read only: subnets, security groups, VPCs and availability zones.
//!
//! What a specification names is taken to exist if it is well-formed, in one VPC, unless `Settings::networks` says otherwise: then
//! only what was put in place does. Answers are in the query protocol's shape (`subnetSet` and the like).

use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::settings::Networks;
use crate::state::Region;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The VPC of what was not put in another.
pub(crate) const VPC: &str = "vpc-0a1b2c3d";

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
        "DescribeVpcs" => {
            let all = region.network.subnets.values().chain(region.network.groups.values());
            let known = all.map(|vpc| (vpc.clone(), vpc.clone())).collect();
            describe(region, input, &VPCS, (&known, vpc))
        }
        "DescribeAvailabilityZones" => zones(region, input),
        _ => {
            let message = format!("The action {operation} is not valid for this web service.");
            Err(Refusal::new("InvalidAction", message))
        }
    }
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
            None if region.settings.networks == Networks::Any => {
                let vpc = if kind.prefix == VPCS.prefix { id.clone() } else { VPC.to_owned() };
                found.insert(id.clone(), vpc)
            }
            None if asked => {
                let message = format!("The {} '{id}' does not exist", kind.noun);
                return Err(Refusal::new(kind.missing, message));
            }
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
        "subnet-" => &["subnet-0a1b2c3d", "subnet-1a2b3c4d", "subnet-2a3b4c5d"],
        "sg-" => &["sg-0a1b2c3d"],
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
        // Nothing here has tags.
        if filter.text("Name").is_some_and(|name| name.starts_with("tag")) {
            return false;
        }
        let member = NAMES.iter().find(|(name, _)| filter.text("Name") == Some(name));
        let Some(value) = member.and_then(|(_, member)| item.get(*member)) else { return true };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        filter.texts("Value").contains(&text)
    })
}

/// A number that follows from a name, to make up what nobody said.
fn draw(id: &str, below: u8) -> u8 {
    Sha256::digest(id.as_bytes()).first().copied().unwrap_or(0) % below
}

fn subnet(region: &Region, id: &str, vpc: &str) -> Value {
    let letter = char::from(b'a' + draw(id, 3));
    json!({
        "subnetId": id,
        "subnetArn": region.arn("ec2", &format!("subnet/{id}")),
        "vpcId": vpc,
        "ownerId": region.account,
        "state": "available",
        "availabilityZone": format!("{}{letter}", region.name),
        "availabilityZoneId": format!("use1-az{}", draw(id, 3) + 1),
        "cidrBlock": format!("10.0.{}.0/24", draw(id, 250)),
        "availableIpAddressCount": 251,
        "defaultForAz": false,
        "mapPublicIpOnLaunch": false,
        "assignIpv6AddressOnCreation": false,
        "ipv6CidrBlockAssociationSet": [],
        "tagSet": [],
    })
}

fn group(region: &Region, id: &str, vpc: &str) -> Value {
    let anywhere = json!([{"cidrIp": "0.0.0.0/0"}]);
    json!({
        "groupId": id,
        "securityGroupArn": region.arn("ec2", &format!("security-group/{id}")),
        "groupName": format!("group-{}", id.trim_start_matches("sg-")),
        "groupDescription": "simulated",
        "ownerId": region.account,
        "vpcId": vpc,
        "ipPermissions": [],
        "ipPermissionsEgress": [{"ipProtocol": "-1", "ipRanges": anywhere, "groups": [], "ipv6Ranges": [], "prefixListIds": []}],
        "tagSet": [],
    })
}

fn vpc(region: &Region, id: &str, _: &str) -> Value {
    json!({
        "vpcId": id,
        "ownerId": region.account,
        "state": "available",
        "cidrBlock": "10.0.0.0/16",
        "dhcpOptionsId": "dopt-0a1b2c3d",
        "instanceTenancy": "default",
        "isDefault": id == VPC,
        "cidrBlockAssociationSet": [{
            "associationId": "vpc-cidr-assoc-0a1b2c3d",
            "cidrBlock": "10.0.0.0/16",
            "cidrBlockState": {"state": "associated"},
        }],
        "tagSet": [],
    })
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
