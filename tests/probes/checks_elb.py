"""Elastic Load Balancing v2: load balancers, target groups, listeners, rules and target health."""

from kit import SUBNETS, VPC, contains, refused, same

INVALID = "ValidationError"
UNKNOWN = "arn:aws:elasticloadbalancing:us-east-1:111122223333"


def front(aws):
    """A load balancer with a listener that forwards to a target group: listener and group."""
    group = aws.target_group()
    return aws.listener(aws.balancer(), group), group


def path(pattern):
    return [{"Field": "path-pattern", "Values": [pattern]}]


def rule(aws, listener, group, priority, conditions=None):
    """Makes a rule that forwards; the rule."""
    actions = [{"Type": "forward", "TargetGroupArn": group}]
    conditions = conditions or path(f"/{priority}/*")
    made = aws.elb.create_rule(ListenerArn=listener, Priority=priority, Conditions=conditions, Actions=actions)
    return made["Rules"][0]


def group_refused(aws, code=INVALID, **changes):
    """Asserts that a target group, changed like this, is not made, whatever the client's own model thinks of it."""
    request = {"Name": aws.name("tg"), "Protocol": "HTTP", "Port": 80, "VpcId": VPC[0], "TargetType": "ip"} | changes
    return refused(code, aws.client("elbv2", validate=False).create_target_group, **request)


def check_balancer(aws):
    """A load balancer has a name, a DNS name, a hosted zone, its zones, and comes up provisioning or active."""
    # facts 7.7
    name = aws.name("lb")
    [balancer] = aws.elb.create_load_balancer(Name=name, Subnets=SUBNETS)["LoadBalancers"]
    contains(balancer, {"LoadBalancerName": name, "Type": "application", "Scheme": "internet-facing", "IpAddressType": "ipv4"})
    assert f":loadbalancer/app/{name}/" in balancer["LoadBalancerArn"] and name in balancer["DNSName"]
    same({zone["SubnetId"] for zone in balancer["AvailabilityZones"]}, set(SUBNETS))
    assert balancer["CanonicalHostedZoneId"] and balancer["CreatedTime"] and balancer["VpcId"]
    assert balancer["State"]["Code"] in ("provisioning", "active")
    waiter = aws.elb.get_waiter("load_balancer_available")
    waiter.wait(Names=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 10})


def check_balancer_names(aws):
    """Names have at most 32 letters, digits and hyphens, none at either end, and don't begin with internal-."""
    # facts 7.1
    for name in ("x" * 33, "under_score", "-front", "back-", "internal-mine"):
        refused(INVALID, aws.balancer, Name=name)


def check_balancer_twice(aws):
    """The same settings answer the same load balancer; others are DuplicateLoadBalancerName."""
    # facts 7.4
    name = aws.name("lb")
    same(aws.balancer(Name=name), aws.balancer(Name=name))
    refused("DuplicateLoadBalancerName", aws.balancer, Name=name, Scheme="internal")


def check_balancer_needs_two_zones(aws):
    """An application load balancer needs subnets of two zones; a network load balancer one."""
    # B:elbv2 CreateLoadBalancer
    refused((INVALID, "InvalidConfigurationRequest"), aws.balancer, Subnets=SUBNETS[:1])
    assert "/net/" in aws.balancer(Subnets=SUBNETS[:1], Type="network")


def check_balancer_not_found(aws):
    """Unknown load balancers, by name or ARN, are LoadBalancerNotFound; deleting one succeeds."""
    # B:elbv2
    arn = f"{UNKNOWN}:loadbalancer/app/nobody/0123456789abcdef"
    refused("LoadBalancerNotFound", aws.elb.describe_load_balancers, Names=[aws.name("lb")])
    refused("LoadBalancerNotFound", aws.elb.describe_load_balancers, LoadBalancerArns=[arn])
    aws.elb.delete_load_balancer(LoadBalancerArn=arn)


def check_balancer_attributes(aws):
    """Attributes have defaults, are changed one by one, and protect from deletion."""
    # facts 7.4
    arn = aws.balancer()
    read = lambda: {a["Key"]: a["Value"] for a in aws.elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]}
    contains(read(), {"idle_timeout.timeout_seconds": "60", "deletion_protection.enabled": "false"})
    protect = lambda value: aws.elb.modify_load_balancer_attributes(
        LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": value}]
    )
    protect("true")
    same(read()["deletion_protection.enabled"], "true")
    refused("OperationNotPermitted", aws.elb.delete_load_balancer, LoadBalancerArn=arn)
    protect("false")
    aws.elb.delete_load_balancer(LoadBalancerArn=arn)
    refused("LoadBalancerNotFound", aws.elb.describe_load_balancers, LoadBalancerArns=[arn])


def check_balancer_pages(aws):
    """DescribeLoadBalancers answers pages of PageSize with a NextMarker."""
    # B:elbv2
    arns = {aws.balancer() for _ in range(2)}
    first = aws.elb.describe_load_balancers(PageSize=1)
    assert len(first["LoadBalancers"]) == 1 and first["NextMarker"]

    def listed():
        pages = aws.elb.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 5})
        return arns <= {balancer["LoadBalancerArn"] for page in pages for balancer in page["LoadBalancers"]}

    # A page may skip one while other checks delete theirs.
    aws.until("the pages hold both", listed)


def check_delete_takes_listeners_along(aws):
    """Deleting a load balancer deletes its listeners, and frees its target groups."""
    # facts 7.4
    group, balancer = aws.target_group(), aws.balancer()
    listener = aws.listener(balancer, group)
    aws.elb.delete_load_balancer(LoadBalancerArn=balancer)
    refused("ListenerNotFound", aws.elb.describe_listeners, ListenerArns=[listener])
    aws.elb.delete_target_group(TargetGroupArn=group)


def check_group_defaults(aws):
    """An HTTP target group checks / over HTTP on the traffic port every 30 s: 6 s, 5 and 2 times, 200."""
    # facts 7.2
    name = aws.name("tg")
    [group] = aws.elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=VPC[0], TargetType="ip")["TargetGroups"]
    check = {"HealthCheckProtocol": "HTTP", "HealthCheckPort": "traffic-port", "HealthCheckPath": "/", "HealthCheckEnabled": True}
    numbers = {"HealthCheckIntervalSeconds": 30, "HealthCheckTimeoutSeconds": 6, "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2}
    contains(group, check | numbers | {"Matcher": {"HttpCode": "200"}, "ProtocolVersion": "HTTP1", "Port": 80, "VpcId": VPC[0]})
    contains(group, {"TargetGroupName": name, "TargetType": "ip", "LoadBalancerArns": [], "IpAddressType": "ipv4"})
    assert f":targetgroup/{name}/" in group["TargetGroupArn"]


def check_tcp_group_defaults(aws):
    """A TCP target group is checked over TCP, with 10 s, and has neither path nor matcher."""
    # facts 7.2
    arn = aws.target_group(Protocol="TCP")
    [group] = aws.elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    contains(group, {"HealthCheckProtocol": "TCP", "HealthCheckTimeoutSeconds": 10, "HealthyThresholdCount": 5})
    assert "HealthCheckPath" not in group and "Matcher" not in group and "ProtocolVersion" not in group


def check_group_rules(aws):
    """Numbers of a health check have ranges, the timeout is below the interval, port and VPC are needed."""
    # facts 7.2
    group_refused(aws, HealthCheckIntervalSeconds=4)
    group_refused(aws, HealthCheckIntervalSeconds=301)
    group_refused(aws, HealthCheckTimeoutSeconds=121)
    group_refused(aws, HealthyThresholdCount=1)
    group_refused(aws, UnhealthyThresholdCount=11)
    group_refused(aws, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=10)
    group_refused(aws, Protocol="CARRIER")
    group_refused(aws, TargetType="toaster")
    group_refused(aws, Port=70000)
    request = {"Name": aws.name("tg"), "Protocol": "HTTP", "TargetType": "ip"}
    refused(INVALID, aws.elb.create_target_group, VpcId=VPC[0], **request)
    refused(INVALID, aws.elb.create_target_group, Port=80, **request)


def check_group_matchers(aws):
    """A matcher is codes, lists and ranges of 200 to 499."""
    # facts 7.2
    for good in ("200", "200,202", "200-299", "200-299,404"):
        aws.target_group(Matcher={"HttpCode": good})
    for bad in ("abc", "100", "600", "299-200"):
        group_refused(aws, Matcher={"HttpCode": bad})


def check_group_names(aws):
    """Target groups are named like load balancers: 32 letters, digits and hyphens."""
    # facts 7.1
    for name in ("x" * 33, "under_score", "-front", "back-"):
        group_refused(aws, Name=name)


def check_group_twice(aws):
    """The same settings answer the same target group; others are DuplicateTargetGroupName."""
    # facts 7.4
    name = aws.name("tg")
    same(aws.target_group(Name=name), aws.target_group(Name=name))
    group_refused(aws, "DuplicateTargetGroupName", Name=name, Port=81)


def check_group_not_found(aws):
    """Unknown target groups, by name or ARN, are TargetGroupNotFound."""
    # B:elbv2
    arn = f"{UNKNOWN}:targetgroup/nobody/0123456789abcdef"
    refused("TargetGroupNotFound", aws.elb.describe_target_groups, Names=[aws.name("tg")])
    refused("TargetGroupNotFound", aws.elb.describe_target_groups, TargetGroupArns=[arn])
    refused("TargetGroupNotFound", aws.elb.describe_target_health, TargetGroupArn=arn)
    refused("TargetGroupNotFound", aws.elb.modify_target_group, TargetGroupArn=arn, HealthCheckPath="/x")
    refused("TargetGroupNotFound", aws.elb.register_targets, TargetGroupArn=arn, Targets=[{"Id": "10.0.0.1"}])


def check_group_modify(aws):
    """ModifyTargetGroup changes the health check and keeps what is absent."""
    # facts 7.1
    arn = aws.target_group()
    modify = lambda **changes: aws.elb.modify_target_group(TargetGroupArn=arn, **changes)["TargetGroups"][0]
    contains(modify(HealthCheckPath="/health", HealthyThresholdCount=2), {"HealthCheckPath": "/health", "HealthyThresholdCount": 2})
    contains(modify(HealthCheckIntervalSeconds=10), {"HealthCheckPath": "/health", "HealthCheckIntervalSeconds": 10})
    refused(INVALID, modify, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=10)


def check_group_attributes(aws):
    """Targets drain for 300 s unless told otherwise; bad values and unknown attributes are refused."""
    # facts 7.3
    arn = aws.target_group()
    read = lambda: {a["Key"]: a["Value"] for a in aws.elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]}
    defaults = {"deregistration_delay.timeout_seconds": "300", "stickiness.enabled": "false", "slow_start.duration_seconds": "0"}
    contains(read(), defaults | {"load_balancing.algorithm.type": "round_robin"})
    set_to = lambda key, value: aws.elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[{"Key": key, "Value": value}])
    set_to("deregistration_delay.timeout_seconds", "30")
    same(read()["deregistration_delay.timeout_seconds"], "30")
    for key, value in (
        ("deregistration_delay.timeout_seconds", "3601"),
        ("slow_start.duration_seconds", "10"),
        ("load_balancing.algorithm.type", "dice"),
        ("nobody.knows", "1"),
    ):
        refused((INVALID, "InvalidConfigurationRequest"), set_to, key=key, value=value)


def check_group_in_use(aws):
    """A target group that a listener or a rule forwards to can't be deleted: ResourceInUse."""
    # facts 7.4
    _, group = front(aws)
    refused("ResourceInUse", aws.elb.delete_target_group, TargetGroupArn=group)
    listener, group = front(aws)
    other = aws.target_group()
    made = rule(aws, listener, other, 1)
    refused("ResourceInUse", aws.elb.delete_target_group, TargetGroupArn=other)
    aws.elb.delete_rule(RuleArn=made["RuleArn"])
    aws.elb.delete_target_group(TargetGroupArn=other)
    refused("TargetGroupNotFound", aws.elb.describe_target_groups, TargetGroupArns=[other])


def check_group_knows_its_balancer(aws):
    """A target group shows the load balancer that forwards to it, and is found by it."""
    # facts 7.1
    group, balancer = aws.target_group(), aws.balancer()
    aws.listener(balancer, group)
    [seen] = aws.elb.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"]
    same((seen["TargetGroupArn"], seen["LoadBalancerArns"]), (group, [balancer]))


def check_group_serves_one_balancer(aws):
    """A target group serves at most one load balancer: TargetGroupAssociationLimit."""
    # facts 7.1
    _, group = front(aws)
    refused("TargetGroupAssociationLimit", aws.listener, balancer=aws.balancer(), group=group)


def check_listener(aws):
    """A listener has an ARN under its load balancer's, a port, a protocol and default actions."""
    # facts 7.4
    group, balancer = aws.target_group(), aws.balancer()
    arn = aws.listener(balancer, group)
    [seen] = aws.elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
    contains(seen, {"ListenerArn": arn, "LoadBalancerArn": balancer, "Port": 80, "Protocol": "HTTP"})
    contains(seen["DefaultActions"][0], {"Type": "forward", "TargetGroupArn": group})
    assert arn.startswith(balancer.replace(":loadbalancer/", ":listener/"))


def check_listener_ports(aws):
    """A second listener of a port with other settings is DuplicateListener."""
    # facts 7.4
    balancer, group, other = aws.balancer(), aws.target_group(), aws.target_group()
    aws.listener(balancer, group)
    refused("DuplicateListener", aws.listener, balancer=balancer, group=other)


def check_listener_needs(aws):
    """A listener needs a load balancer and target groups that exist, and HTTPS a certificate."""
    # B:elbv2 CreateListener
    group, balancer = aws.target_group(), aws.balancer()
    refused("LoadBalancerNotFound", aws.listener, balancer=f"{UNKNOWN}:loadbalancer/app/nobody/0123456789abcdef", group=group)
    refused("TargetGroupNotFound", aws.listener, balancer=balancer, group=f"{UNKNOWN}:targetgroup/nobody/0123456789abcdef")
    actions = [{"Type": "forward", "TargetGroupArn": group}]
    request = {"LoadBalancerArn": balancer, "Port": 443, "DefaultActions": actions}
    refused(("CertificateNotFound", INVALID), aws.elb.create_listener, Protocol="HTTPS", **request)
    refused(("UnsupportedProtocol", INVALID), aws.elb.create_listener, Protocol="CARRIER", **request)


def check_listener_modify_and_delete(aws):
    """A listener is changed in place and deleted; then it is ListenerNotFound."""
    # facts 7.1
    listener, group = front(aws)
    fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}]
    [seen] = aws.elb.modify_listener(ListenerArn=listener, Port=8080, DefaultActions=fixed)["Listeners"]
    same((seen["Port"], seen["DefaultActions"][0]["Type"]), (8080, "fixed-response"))
    same(aws.elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]["LoadBalancerArns"], [])
    aws.elb.delete_listener(ListenerArn=listener)
    refused("ListenerNotFound", aws.elb.describe_listeners, ListenerArns=[listener])
    refused("ListenerNotFound", aws.elb.delete_listener, ListenerArn=listener)


def check_default_rule(aws):
    """A listener has a default rule of priority default, which can't be deleted."""
    # facts 7.4
    listener, group = front(aws)
    [default] = aws.elb.describe_rules(ListenerArn=listener)["Rules"]
    contains(default, {"Priority": "default", "IsDefault": True, "Conditions": []})
    contains(default["Actions"][0], {"Type": "forward", "TargetGroupArn": group})
    refused("OperationNotPermitted", aws.elb.delete_rule, RuleArn=default["RuleArn"])


def check_rule(aws):
    """A rule comes back with its priority as text, its conditions and its actions."""
    # facts 7.4
    listener, group = front(aws)
    made = rule(aws, listener, group, 10, path("/api/*"))
    contains(made, {"Priority": "10", "IsDefault": False})
    contains(made["Conditions"][0], {"Field": "path-pattern", "Values": ["/api/*"]})
    contains(made["Actions"][0], {"Type": "forward", "TargetGroupArn": group})
    assert made["RuleArn"].startswith(listener.replace(":listener/", ":listener-rule/"))


def check_rule_priorities(aws):
    """Priorities are 1 to 50000 and unique in a listener: PriorityInUse."""
    # facts 7.4
    listener, group = front(aws)
    rule(aws, listener, group, 10)
    refused("PriorityInUse", rule, aws=aws, listener=listener, group=group, priority=10)
    refused(INVALID, rule, aws=aws, listener=listener, group=group, priority=50001)


def check_rule_order(aws):
    """DescribeRules answers rules by rising priority, the default rule last."""
    # facts 7.4
    listener, group = front(aws)
    for priority in (100, 5, 20):
        rule(aws, listener, group, priority)
    seen = [item["Priority"] for item in aws.elb.describe_rules(ListenerArn=listener)["Rules"]]
    same(seen, ["5", "20", "100", "default"])


def check_rules_change_places(aws):
    """SetRulePriorities moves several rules at once, so that two can change places."""
    # facts 7.4
    listener, group = front(aws)
    one, two = rule(aws, listener, group, 1)["RuleArn"], rule(aws, listener, group, 2)["RuleArn"]
    pairs = [{"RuleArn": one, "Priority": 2}, {"RuleArn": two, "Priority": 1}]
    answer = {item["RuleArn"]: item["Priority"] for item in aws.elb.set_rule_priorities(RulePriorities=pairs)["Rules"]}
    same(answer, {one: "2", two: "1"})
    rule(aws, listener, group, 3)
    refused("PriorityInUse", aws.elb.set_rule_priorities, RulePriorities=[{"RuleArn": one, "Priority": 3}])


def check_rule_conditions(aws):
    """A rule has a condition, of a known field, and at most five values."""
    # facts 7.4
    listener, group = front(aws)
    actions = [{"Type": "forward", "TargetGroupArn": group}]
    create = lambda conditions: aws.elb.create_rule(ListenerArn=listener, Priority=7, Conditions=conditions, Actions=actions)
    refused(INVALID, create, conditions=[])
    refused(INVALID, create, conditions=[{"Field": "mood", "Values": ["good"]}])
    many = [{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/{n}" for n in range(6)]}}]
    refused((INVALID, "TooManyConditions"), lambda: create(many))
    refused(INVALID, lambda: create(path("/a") + path("/b")))
    made = create([{"Field": "host-header", "HostHeaderConfig": {"Values": ["a.example.com"]}}])["Rules"][0]
    same(made["Conditions"][0]["HostHeaderConfig"], {"Values": ["a.example.com"]})


def check_rule_modify(aws):
    """ModifyRule changes conditions and actions; an unknown rule is RuleNotFound."""
    # facts 7.1
    listener, group = front(aws)
    arn = rule(aws, listener, group, 3)["RuleArn"]
    [seen] = aws.elb.modify_rule(RuleArn=arn, Conditions=path("/new"))["Rules"]
    same((seen["Conditions"][0]["Values"], seen["Priority"]), (["/new"], "3"))
    aws.elb.delete_rule(RuleArn=arn)
    refused("RuleNotFound", aws.elb.modify_rule, RuleArn=arn, Conditions=path("/x"))
    refused("RuleNotFound", aws.elb.describe_rules, RuleArns=[arn])
    refused("ListenerNotFound", aws.elb.describe_rules, ListenerArn=listener[:-4] + "0000")


def check_weighted_forward(aws):
    """A forward action may weigh several target groups, at most five, from 0 to 999."""
    # facts 7.4
    listener, group = front(aws)
    other = aws.target_group()
    weights = lambda *numbers: [{"TargetGroupArn": arn, "Weight": w} for arn, w in zip((group, other), numbers)]
    act = lambda *numbers: [{"Type": "forward", "ForwardConfig": {"TargetGroups": weights(*numbers)}}]
    make = lambda actions: aws.elb.create_rule(ListenerArn=listener, Priority=4, Conditions=path("/w"), Actions=actions)
    refused(INVALID, lambda: make(act(1000, 0)))
    made = make(act(90, 10))["Rules"][0]
    same([item["Weight"] for item in made["Actions"][0]["ForwardConfig"]["TargetGroups"]], [90, 10])


def check_unused_target(aws):
    """A registered target of a group that no load balancer uses is unused: Target.NotInUse."""
    # facts 7.5
    group = aws.target_group()
    aws.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.9", "Port": 8000}])
    [seen] = aws.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    contains(seen["TargetHealth"], {"State": "unused", "Reason": "Target.NotInUse"})
    contains(seen["Target"], {"Id": "10.0.0.9", "Port": 8000})


def check_unregistered_target(aws):
    """A target that was never registered is unused: Target.NotRegistered."""
    # facts 7.5
    _, group = front(aws)
    [seen] = aws.elb.describe_target_health(TargetGroupArn=group, Targets=[{"Id": "10.9.9.9", "Port": 1}])["TargetHealthDescriptions"]
    contains(seen["TargetHealth"], {"State": "unused", "Reason": "Target.NotRegistered"})


def check_target_life(aws):
    """A target is initial, then healthy, then draining, then gone."""
    # facts 7.5
    _, group = front(aws)
    targets = [{"Id": "10.0.0.7", "Port": 8000}]
    attribute = [{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}]
    aws.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=attribute)
    aws.elb.register_targets(TargetGroupArn=group, Targets=targets)
    health = lambda: [t["TargetHealth"] for t in aws.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]]
    first = health()[0]
    assert first["State"] in ("initial", "healthy")
    assert first["State"] == "healthy" or first["Reason"] in ("Elb.RegistrationInProgress", "Elb.InitialHealthChecking")
    aws.until("healthy", lambda: health()[0]["State"] == "healthy")
    aws.elb.deregister_targets(TargetGroupArn=group, Targets=targets)
    contains(health()[0], {"State": "draining", "Reason": "Target.DeregistrationInProgress"})
    aws.until("gone", lambda: not health())


def check_target_must_be_an_address(aws):
    """A target of a group of type ip is an IP address."""
    # B:elbv2 RegisterTargets
    group = aws.target_group()
    refused(("InvalidTarget", INVALID), aws.elb.register_targets, TargetGroupArn=group, Targets=[{"Id": "i-0123456789"}])


def check_tags(aws):
    """All four resources take tags, change and lose them, several at a time."""
    # B:elbv2 AddTags
    group, balancer = aws.target_group(Tags=[{"Key": "a", "Value": "1"}]), aws.balancer()
    listener = aws.listener(balancer, group)
    made = rule(aws, listener, group, 1)["RuleArn"]
    arns = [balancer, group, listener, made]
    aws.elb.add_tags(ResourceArns=arns, Tags=[{"Key": "b", "Value": "2"}])
    aws.elb.remove_tags(ResourceArns=arns, TagKeys=["a"])
    seen = aws.elb.describe_tags(ResourceArns=arns)["TagDescriptions"]
    same([item["ResourceArn"] for item in seen], arns)
    same([item["Tags"] for item in seen], [[{"Key": "b", "Value": "2"}]] * 4)


def check_tag_keys_are_distinct(aws):
    """A tag key that is sent twice is refused: DuplicateTagKeys."""
    # B:elbv2 AddTags, CreateTargetGroup
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    refused("DuplicateTagKeys", aws.elb.add_tags, ResourceArns=[aws.target_group()], Tags=twice)
    refused("DuplicateTagKeys", aws.target_group, Tags=twice)


def check_group_is_deleted_twice(aws):
    """Deleting a target group that is gone succeeds: the operation knows no such error."""
    # B:elbv2 DeleteTargetGroup
    group = aws.target_group()
    aws.elb.delete_target_group(TargetGroupArn=group)
    aws.elb.delete_target_group(TargetGroupArn=group)
    refused("TargetGroupNotFound", aws.elb.describe_target_groups, TargetGroupArns=[group])


def check_balancer_comes_up(aws):
    """CreateLoadBalancer answers a load balancer that is provisioning; the LoadBalancerAvailable waiter sees it active."""
    # B:elbv2 CreateLoadBalancer
    [made] = aws.elb.create_load_balancer(Name=aws.name("lb"), Subnets=SUBNETS)["LoadBalancers"]
    same(made["State"]["Code"], "provisioning")
    patient = {"Delay": 1, "MaxAttempts": 30}
    aws.elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[made["LoadBalancerArn"]], WaiterConfig=patient)


def check_tags_of_unknown(aws):
    """Tags of what does not exist are refused by the kind of the resource."""
    # B:elbv2 DescribeTags
    describe = aws.elb.describe_tags
    refused("TargetGroupNotFound", describe, ResourceArns=[f"{UNKNOWN}:targetgroup/nobody/0123456789abcdef"])
    refused("LoadBalancerNotFound", describe, ResourceArns=[f"{UNKNOWN}:loadbalancer/app/nobody/0123456789abcdef"])
    refused("ListenerNotFound", describe, ResourceArns=[f"{UNKNOWN}:listener/app/nobody/0123456789abcdef/0123456789abcdef"])
