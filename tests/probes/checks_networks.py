"""EC2's networks: what an account has, what is made in it, and what ECS and load balancers make of it."""

import uuid

from kit import contains, network, refused, same

ABSENT = {"subnet": "subnet-00000000000000000", "group": "sg-00000000000000000", "vpc": "vpc-00000000000000000"}


def ec2(aws):
    return aws.client("ec2")


def vpc(aws, subnets=()):
    """A VPC with a subnet in each of these zones; its id and theirs."""
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": aws.name("vpc")}]}]
    made = ec2(aws).create_vpc(CidrBlock="10.7.0.0/16", TagSpecifications=tags)["Vpc"]["VpcId"]

    def subnet(number, zone):
        block = f"10.7.{number}.0/24"
        made_in = ec2(aws).create_subnet(VpcId=made, CidrBlock=block, AvailabilityZone=f"us-east-1{zone}")
        return made_in["Subnet"]["SubnetId"]

    return made, [subnet(number, zone) for number, zone in enumerate(subnets)]


def within(made):
    return [{"Name": "vpc-id", "Values": [made]}]


def check_every_account_has_a_network(aws):
    """An account has a default VPC with default subnets of several zones and a security group called default."""
    [default] = ec2(aws).describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    filters = within(default["VpcId"])
    subnets = ec2(aws).describe_subnets(Filters=filters + [{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) >= 2
    named = filters + [{"Name": "group-name", "Values": ["default"]}]
    [group] = ec2(aws).describe_security_groups(Filters=named)["SecurityGroups"]
    same(group["Description"], "default VPC security group")


def check_networks_are_made(aws):
    """A VPC comes with a security group called default; subnets have the zone and the block they were given."""
    made, subnets = vpc(aws, "ab")
    same(ec2(aws).describe_vpcs(VpcIds=[made])["Vpcs"][0]["CidrBlock"], "10.7.0.0/16")
    seen = ec2(aws).describe_subnets(Filters=within(made))["Subnets"]
    same(sorted(subnet["SubnetId"] for subnet in seen), sorted(subnets))
    same(sorted(subnet["AvailabilityZone"] for subnet in seen), ["us-east-1a", "us-east-1b"])
    same(sorted(subnet["CidrBlock"] for subnet in seen), ["10.7.0.0/24", "10.7.1.0/24"])
    [group] = ec2(aws).describe_security_groups(Filters=within(made))["SecurityGroups"]
    same(group["GroupName"], "default")


def check_security_groups_are_made(aws):
    """A security group has a name of its own in its VPC, and the rules it was given, each once."""
    made, _ = vpc(aws)
    create = {"GroupName": "web", "Description": "for the web", "VpcId": made}
    group = ec2(aws).create_security_group(**create)["GroupId"]
    refused("InvalidGroup.Duplicate", ec2(aws).create_security_group, **create)
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2(aws).authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    refused(
        "InvalidPermission.Duplicate", ec2(aws).authorize_security_group_ingress, GroupId=group, IpPermissions=[rule]
    )
    [seen] = ec2(aws).describe_security_groups(GroupIds=[group])["SecurityGroups"]
    contains(seen["IpPermissions"][0], rule)
    ec2(aws).revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
    same(ec2(aws).describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"], [])


def check_networks_go_from_the_inside(aws):
    """A VPC with subnets can't be deleted: DependencyViolation."""
    made, [subnet] = vpc(aws, "a")
    refused("DependencyViolation", ec2(aws).delete_vpc, VpcId=made)
    ec2(aws).delete_subnet(SubnetId=subnet)
    ec2(aws).delete_vpc(VpcId=made)
    same(ec2(aws).describe_vpcs(Filters=within(made))["Vpcs"], [])


def check_networks_are_found_by_tag(aws):
    """Tags are given at creation or later, and filters find what has them."""
    made, [subnet] = vpc(aws, "a")
    value = uuid.uuid4().hex
    ec2(aws).create_tags(Resources=[subnet], Tags=[{"Key": "team", "Value": value}])
    found = ec2(aws).describe_subnets(Filters=[{"Name": "tag:team", "Values": [value]}])["Subnets"]
    same([item["SubnetId"] for item in found], [subnet])
    [tag] = ec2(aws).describe_vpcs(VpcIds=[made])["Vpcs"][0]["Tags"]
    found = ec2(aws).describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [tag["Value"]]}])["Vpcs"]
    same([item["VpcId"] for item in found], [made])


def check_what_is_not_there(aws):
    """Subnets, security groups and VPCs that don't exist are NotFound, each in its own way."""
    refused("InvalidSubnetID.NotFound", ec2(aws).describe_subnets, SubnetIds=[ABSENT["subnet"]])
    refused("InvalidGroup.NotFound", ec2(aws).describe_security_groups, GroupIds=[ABSENT["group"]])
    refused("InvalidVpcID.NotFound", ec2(aws).describe_vpcs, VpcIds=[ABSENT["vpc"]])
    refused("InvalidVpcID.NotFound", ec2(aws).create_subnet, VpcId=ABSENT["vpc"], CidrBlock="10.7.0.0/24")


def check_service_in_no_network(aws):
    """A service in a subnet or with a security group that doesn't exist is refused, with EC2's own code."""
    # facts 4.8
    for changes, text in (
        ({"subnets": [ABSENT["subnet"]]}, f"The subnet ID '{ABSENT['subnet']}' does not exist"),
        ({"securityGroups": [ABSENT["group"]]}, f"The security group '{ABSENT['group']}' does not exist"),
    ):
        place = network(**changes)
        refused("InvalidParameterException", aws.service, text, cluster=aws.cluster(), networkConfiguration=place)


def check_made_networks_are_used(aws):
    """Services, load balancers and tasks stand in the networks that were made for them."""
    made, subnets = vpc(aws, "ab")
    place = network(subnets=subnets)
    same(aws.service(aws.cluster(), networkConfiguration=place)["desiredCount"], 0)
    [balancer] = aws.elb.create_load_balancer(Name=aws.name("lb"), Subnets=subnets)["LoadBalancers"]
    same(balancer["VpcId"], made)
    same(sorted(zone["ZoneName"] for zone in balancer["AvailabilityZones"]), ["us-east-1a", "us-east-1b"])
