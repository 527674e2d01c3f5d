//! Load balancers.

use super::{check_name, paged};
use crate::clock;
use crate::ec2;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::elb::LoadBalancer;
use crate::tag;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn missing(name: &str) -> Refusal {
    Refusal::new("LoadBalancerNotFound", format!("Load balancers '[{name}]' not found"))
}

/// CreateLoadBalancer: the same settings answer the existing one. A new one is on its way in this answer, and there in any other.
pub(super) fn create(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("Name").unwrap_or_default();
    check_name(name)?;
    if name.starts_with("internal-") {
        return Err(Refusal::new("ValidationError", "Load balancer name cannot begin with 'internal-'"));
    }
    let kind = input.text("Type").unwrap_or("application");
    let scheme = input.text("Scheme").unwrap_or("internet-facing");
    check(kind, scheme, input)?;
    if let Some(existing) =
        region.elb.balancers.values().find(|known| known.body.text("LoadBalancerName") == Some(name))
    {
        let same = existing.body.text("Type") == Some(kind) && existing.body.text("Scheme") == Some(scheme);
        if same {
            return Ok(json!({"LoadBalancers": [existing.body]}));
        }
        let message = format!("A load balancer with the same name '{name}' exists, but with different settings");
        return Err(Refusal::new("DuplicateLoadBalancerName", message));
    }
    let short = if kind == "network" { "net" } else { "app" };
    let id = region.hex(16);
    let arn = region.arn("elasticloadbalancing", &format!("loadbalancer/{short}/{name}/{id}"));
    let subnets = subnets(input);
    let vpc = subnets.first().map_or(ec2::VPC, |subnet| ec2::vpc_of(region, subnet)).to_owned();
    let zones = zones(region, &subnets);
    let mut body = json!({
        "LoadBalancerArn": arn,
        "DNSName": dns_name(region, name, scheme, short),
        "CanonicalHostedZoneId": "Z35SXDOTRQ7X7K",
        "CreatedTime": clock::iso(region.settings.epoch, region.now),
        "LoadBalancerName": name,
        "Scheme": scheme,
        "VpcId": vpc,
        "State": {"Code": "active"},
        "Type": kind,
        "AvailabilityZones": zones,
        "SecurityGroups": input.texts("SecurityGroups"),
        "IpAddressType": input.text("IpAddressType").unwrap_or("ipv4"),
    });
    let tags = tag::UPPER.read(input.items("Tags"));
    let balancer = LoadBalancer { body: body.clone(), attributes: BTreeMap::new(), tags };
    region.elb.balancers.insert(arn, balancer);
    body.put("State", json!({"Code": "provisioning"}));
    Ok(json!({"LoadBalancers": [body]}))
}

/// The name under which a load balancer is found; an internal one says so.
fn dns_name(region: &mut Region, name: &str, scheme: &str, short: &str) -> String {
    if short == "net" {
        return format!("{name}-{}.elb.{}.amazonaws.com", region.hex(16), region.name);
    }
    let inner = if scheme == "internal" { "internal-" } else { "" };
    format!("{inner}{name}-{}.{}.elb.amazonaws.com", region.digits(10), region.name)
}

fn check(kind: &str, scheme: &str, input: &Value) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new("ValidationError", message));
    if !matches!(kind, "application" | "network" | "gateway") || !matches!(scheme, "internet-facing" | "internal") {
        return refuse(format!("Type '{kind}' or scheme '{scheme}' is not valid"));
    }
    let subnets = subnets(input);
    if subnets.is_empty() {
        return refuse("At least one subnet must be specified".to_owned());
    }
    if kind == "application" && subnets.len() < 2 {
        return refuse("At least two subnets in two different Availability Zones must be specified".to_owned());
    }
    super::tag::sent(input).map(|_| ())
}

/// The subnets of a request, by either member.
fn subnets(input: &Value) -> Vec<String> {
    let mapped = input.items("SubnetMappings").unwrap_or_default().iter();
    let mapped = mapped.filter_map(|mapping| mapping.text("SubnetId").map(str::to_owned));
    input.texts("Subnets").into_iter().chain(mapped).collect()
}

/// The zones of subnets: where EC2 knows nothing of them, one after the other, so that no two share a zone.
fn zones(region: &Region, subnets: &[String]) -> Vec<Value> {
    let letters = subnets.iter().zip(["a", "b", "c", "d", "e", "f"]);
    letters
        .map(|(subnet, letter)| {
            let zone = ec2::zone_of(region, subnet).unwrap_or_else(|| format!("{}{letter}", region.name));
            json!({"ZoneName": zone, "SubnetId": subnet, "LoadBalancerAddresses": []})
        })
        .collect()
}

/// SetSubnets, SetSecurityGroups and SetIpAddressType.
pub(super) fn set(region: &mut Region, input: &Value) -> Answer {
    let zones = zones(region, &subnets(input));
    let balancer = named(region, input)?;
    if !zones.is_empty() {
        balancer.body.put("AvailabilityZones", json!(zones));
    }
    if let Some(groups) = input.member("SecurityGroups") {
        balancer.body.put("SecurityGroups", groups.clone());
    }
    if let Some(kind) = input.member("IpAddressType") {
        balancer.body.put("IpAddressType", kind.clone());
    }
    let member = |name: &str| balancer.body.get(name).cloned();
    Ok(json!({
        "AvailabilityZones": member("AvailabilityZones"),
        "SecurityGroupIds": member("SecurityGroups"),
        "IpAddressType": member("IpAddressType"),
    }))
}

/// DescribeAccountLimits: the quotas of a new account.
pub(super) fn limits(input: &Value) -> Answer {
    let limits = [
        ("target-groups", "3000"),
        ("targets-per-application-load-balancer", "1000"),
        ("listeners-per-application-load-balancer", "50"),
        ("rules-per-application-load-balancer", "100"),
        ("application-load-balancers", "50"),
        ("network-load-balancers", "50"),
        ("target-groups-per-application-load-balancer", "100"),
        ("targets-per-target-group", "1000"),
    ];
    let page = paged(limits.iter().map(|(name, max)| json!({"Name": name, "Max": max})).collect(), input)?;
    Ok(json!({"Limits": page.items, "NextMarker": page.next}))
}

/// DescribeLoadBalancers.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let (arns, names) = (input.texts("LoadBalancerArns"), input.texts("Names"));
    if let Some(arn) = arns.iter().find(|arn| !region.elb.balancers.contains_key(arn.as_str())) {
        return Err(missing(arn));
    }
    let exists =
        |name: &String| region.elb.balancers.values().any(|known| known.body.text("LoadBalancerName") == Some(name));
    if let Some(name) = names.iter().find(|name| !exists(name)) {
        return Err(missing(name));
    }
    let all = region.elb.balancers.iter().filter(|(arn, balancer)| {
        let name = balancer.body.text("LoadBalancerName").unwrap_or_default();
        (arns.is_empty() || arns.contains(arn)) && (names.is_empty() || names.iter().any(|wanted| wanted == name))
    });
    let page = paged(all.map(|(_, balancer)| balancer.body.clone()).collect(), input)?;
    Ok(json!({"LoadBalancers": page.items, "NextMarker": page.next}))
}

fn named<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut LoadBalancer, Refusal> {
    let arn = input.text("LoadBalancerArn").unwrap_or_default();
    region.elb.balancers.get_mut(arn).ok_or_else(|| missing(arn))
}

fn attributes(balancer: &LoadBalancer) -> Value {
    let defaults = [
        ("access_logs.s3.enabled", "false"),
        ("deletion_protection.enabled", "false"),
        ("idle_timeout.timeout_seconds", "60"),
        ("routing.http2.enabled", "true"),
        ("load_balancing.cross_zone.enabled", "true"),
    ];
    let mut all: BTreeMap<&str, &str> = defaults.into_iter().collect();
    all.extend(balancer.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    all.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// DescribeLoadBalancerAttributes.
pub(super) fn describe_attributes(region: &mut Region, input: &Value) -> Answer {
    Ok(json!({"Attributes": attributes(named(region, input)?)}))
}

/// ModifyLoadBalancerAttributes.
pub(super) fn modify_attributes(region: &mut Region, input: &Value) -> Answer {
    let balancer = named(region, input)?;
    balancer.attributes.extend(tag::UPPER.read(input.items("Attributes")));
    Ok(json!({"Attributes": attributes(balancer)}))
}

/// DeleteLoadBalancer: takes its listeners along; one that does not exist is deleted already.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let arn = input.text("LoadBalancerArn").unwrap_or_default();
    let protected = region.elb.balancers.get(arn).and_then(|known| known.attributes.get("deletion_protection.enabled"));
    if protected.is_some_and(|protected| protected == "true") {
        let message = format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled");
        return Err(Refusal::new("OperationNotPermitted", message));
    }
    region.elb.balancers.remove(arn);
    let elb = &mut region.elb;
    elb.listeners.retain(|_, known| known.body.text("LoadBalancerArn") != Some(arn));
    elb.rules.retain(|_, rule| elb.listeners.contains_key(&rule.listener));
    Ok(json!({}))
}
