"""ECS services: what CreateService fills and refuses, what UpdateService changes, how a service ends."""

import uuid

from kit import GROUPS, SUBNETS, contains, network, refused, same

INVALID = "InvalidParameterException"
SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]


def refuse(aws, code=INVALID, text="", **changes):
    """Asserts that a service, changed like this, is not created."""
    return refused(code, aws.service, text, cluster=aws.cluster(), **changes)


def deployments(aws, cluster, service):
    return [deployment["id"] for deployment in aws.seen(cluster, service)["deployments"]]


def changes_deployment(aws, cluster, service, **update):
    """Whether an update starts a deployment."""
    before = deployments(aws, cluster, service)[0]
    aws.ecs.update_service(cluster=cluster, service=service, **update)
    return deployments(aws, cluster, service)[0] != before


def check_defaults(aws):
    """CreateService fills the defaults of every member that was not sent."""
    # facts 4.10
    service = aws.service(aws.cluster())
    contains(
        service,
        {
            "status": "ACTIVE",
            "schedulingStrategy": "REPLICA",
            "deploymentController": {"type": "ECS"},
            "platformVersion": "LATEST",
            "platformFamily": "Linux",
            "propagateTags": "NONE",
            "enableECSManagedTags": False,
            "enableExecuteCommand": False,
            "healthCheckGracePeriodSeconds": 0,
            "availabilityZoneRebalancing": "ENABLED",
            "loadBalancers": [],
            "serviceRegistries": [],
            "placementConstraints": [],
            "placementStrategy": [],
            "runningCount": 0,
            "pendingCount": 0,
            "launchType": "FARGATE",
        },
    )
    assert service["roleArn"].endswith("AWSServiceRoleForECS") and service["createdAt"] and service["createdBy"]
    assert service["serviceArn"].endswith(f"/{service['serviceName']}") and service["serviceArn"].count("/") == 2


def check_deployment_configuration_defaults(aws):
    """A deployment configuration is filled with 100 and 200 percent, rolling, and a breaker that is off."""
    # facts 4.6, 4.10
    seen = aws.service(aws.cluster())["deploymentConfiguration"]
    contains(seen, {"minimumHealthyPercent": 100, "maximumPercent": 200})
    contains(seen["deploymentCircuitBreaker"], {"enable": False, "rollback": False})
    same(seen.get("strategy", "ROLLING"), "ROLLING")


def check_network_defaults(aws):
    """assignPublicIp is DISABLED unless sent."""
    # facts 1.4
    seen = aws.service(aws.cluster())["networkConfiguration"]["awsvpcConfiguration"]
    same(seen, {"subnets": SUBNETS[:1], "securityGroups": GROUPS, "assignPublicIp": "DISABLED"})


def check_primary_deployment(aws):
    """A new service has one deployment: PRIMARY, in progress, with the service's launch type and network, and the platform LATEST stands for."""
    # facts 5.1
    service = aws.service(aws.cluster(), desiredCount=1)
    [deployment] = service["deployments"]
    members = {"status": "PRIMARY", "rolloutState": "IN_PROGRESS", "desiredCount": 1, "failedTasks": 0}
    contains(deployment, members | {"launchType": "FARGATE", "platformVersion": "1.4.0", "platformFamily": "Linux"})
    same(service["platformVersion"], "LATEST")
    assert deployment["id"].startswith("ecs-svc/") and deployment["createdAt"] and deployment["updatedAt"]
    same(deployment["rolloutStateReason"], f"ECS deployment {deployment['id']} in progress.")
    same(deployment["taskDefinition"], service["taskDefinition"])
    assert deployment["networkConfiguration"] == service["networkConfiguration"]


def check_task_definition_becomes_an_arn(aws):
    """A family without a revision is the latest ACTIVE revision at the time of the call, shown as a full ARN."""
    # facts 4.2
    definition = aws.definition()
    service = aws.service(aws.cluster(), taskDefinition=definition["family"])
    same(service["taskDefinition"], definition["taskDefinitionArn"])


def check_tags_only_when_included(aws):
    """DescribeServices shows tags only when they are included."""
    # facts 2.1
    cluster, tags = aws.cluster(), [{"key": "owner", "value": "probe"}]
    name = aws.service(cluster, tags=tags)["serviceName"]
    assert not aws.seen(cluster, name).get("tags")
    same(aws.seen(cluster, name, include=["TAGS"])["tags"], tags)


def check_names(aws):
    """A service is named with at most 255 letters, digits, hyphens and underscores."""
    # facts 4.1
    for name in ("", "no spaces", "x" * 256, "a/b"):
        refuse(aws, serviceName=name)


def check_network_is_needed(aws):
    """A service of awsvpc tasks needs a network configuration with at least one subnet."""
    # facts 4.8
    cluster, definition = aws.cluster(), aws.definition()["taskDefinitionArn"]
    request = {"cluster": cluster, "serviceName": aws.name(), "taskDefinition": definition, "desiredCount": 0}
    text = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
    refused(INVALID, aws.ecs.create_service, text, launchType="FARGATE", **request)
    refuse(aws, networkConfiguration=network(subnets=[]), text="subnets")


def check_network_limits(aws):
    """At most 16 subnets and 5 security groups."""
    # facts 1.4
    refuse(aws, networkConfiguration=network(subnets=[f"subnet-{number}" for number in range(17)]))
    refuse(aws, networkConfiguration=network(securityGroups=[f"sg-{number}" for number in range(6)]))


def check_unknown_task_definition(aws):
    """A task definition that does not exist, or is INACTIVE, is a ClientException."""
    # facts 4.8
    refuse(aws, "ClientException", taskDefinition=aws.name("nobody"))
    arn = aws.definition()["taskDefinitionArn"]
    aws.ecs.deregister_task_definition(taskDefinition=arn)
    refuse(aws, "ClientException", text="inactive", taskDefinition=arn)


def check_unknown_cluster(aws):
    """A service in an unknown cluster is ClusterNotFoundException."""
    # facts 4.8
    refused("ClusterNotFoundException", aws.service, cluster=aws.name("unknown"))


def check_desired_count(aws):
    """The desired count is 0 to 5000, and needed for replica services."""
    # facts 2.3, 4.2
    refuse(aws, desiredCount=-1)
    refuse(aws, desiredCount=5001)


def check_enumerations(aws):
    """Values outside the documented enumerations are refused."""
    # B:ecs CreateService
    refuse(aws, launchType="MOON")
    refuse(aws, propagateTags="ALL")
    refuse(aws, schedulingStrategy="SOMETIMES")
    refuse(aws, availabilityZoneRebalancing="MAYBE")
    refuse(aws, networkConfiguration=network(assignPublicIp="YES"))


def check_daemon_is_not_for_fargate(aws):
    """Fargate has replica services only."""
    # facts 4.2
    refuse(aws, schedulingStrategy="DAEMON")


def check_placement_is_not_for_fargate(aws):
    """Placement constraints and strategies are not for Fargate."""
    # facts 4.2
    refuse(aws, placementStrategy=[{"type": "spread", "field": "host"}])
    refuse(aws, placementConstraints=[{"type": "distinctInstance"}])


def check_role_is_not_for_awsvpc(aws):
    """A role can't be named for a service that uses the service-linked role."""
    # facts 4.2
    refuse(aws, role="ecsServiceRole")


def check_launch_type_or_strategy(aws):
    """A launch type and a capacity provider strategy exclude each other."""
    # facts 4.8
    cluster, definition = aws.cluster(), aws.definition()["taskDefinitionArn"]
    request = {"cluster": cluster, "serviceName": aws.name(), "taskDefinition": definition, "desiredCount": 0}
    both = {"launchType": "FARGATE", "capacityProviderStrategy": SPOT, "networkConfiguration": network()}
    refused(INVALID, aws.ecs.create_service, "not both", **request, **both)


def check_strategy_is_shown_instead_of_launch_type(aws):
    """A service with a strategy shows it with weight and base filled, and shows no launch type."""
    # facts 4.5, 4.10
    service = aws.service(aws.cluster(), capacityProviderStrategy=SPOT)
    same(service["capacityProviderStrategy"], [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}])
    assert "launchType" not in service
    assert "capacityProviderStrategy" not in aws.service(aws.cluster())


def check_strategy_rules(aws):
    """A strategy names attached providers, weighs at least one, and has one base at most."""
    # facts 1.6
    cluster = aws.cluster(capacityProviders=["FARGATE"])
    refused(INVALID, aws.service, cluster=cluster, capacityProviderStrategy=SPOT)
    item = lambda provider, **more: {"capacityProvider": provider} | more
    refuse(aws, capacityProviderStrategy=[item("FARGATE", weight=0)])
    two = [item("FARGATE", weight=1, base=1), item("FARGATE_SPOT", weight=1, base=1)]
    refuse(aws, capacityProviderStrategy=two)
    refuse(aws, capacityProviderStrategy=[item("FARGATE", weight=1001)])
    refuse(aws, capacityProviderStrategy=[item("FARGATE", weight=1), item("FARGATE", weight=2)])


def check_cluster_default_strategy(aws):
    """With neither launch type nor strategy the cluster's default strategy is used, and shown."""
    # facts 4.5
    cluster = aws.cluster(defaultCapacityProviderStrategy=SPOT)
    definition = aws.definition()["taskDefinitionArn"]
    service = aws.ecs.create_service(
        cluster=cluster,
        serviceName=aws.name(),
        taskDefinition=definition,
        desiredCount=0,
        networkConfiguration=network(),
    )["service"]
    same(service["capacityProviderStrategy"][0]["capacityProvider"], "FARGATE_SPOT")


def check_platform_version(aws):
    """A platform version that does not exist is PlatformUnknownException."""
    # facts 4.8
    refuse(aws, "PlatformUnknownException", platformVersion="9.9.9")
    same(aws.service(aws.cluster(), platformVersion="1.4.0")["platformVersion"], "1.4.0")


def check_platform_incompatibility(aws):
    """More ephemeral storage than an old platform has is PlatformTaskDefinitionIncompatibilityException."""
    # facts 1.2
    definition = aws.definition(ephemeralStorage={"sizeInGiB": 50})["taskDefinitionArn"]
    code = "PlatformTaskDefinitionIncompatibilityException"
    refuse(aws, code, taskDefinition=definition, platformVersion="1.3.0")


def check_percentages(aws):
    """minimumHealthyPercent may not exceed maximumPercent, and neither is negative."""
    # facts 4.6
    refuse(aws, deploymentConfiguration={"minimumHealthyPercent": 150, "maximumPercent": 100})
    refuse(aws, deploymentConfiguration={"minimumHealthyPercent": -1})


def check_client_token_repeats(aws):
    """The same client token with the same parameters answers the service that was created."""
    # facts 4.3
    cluster, definition = aws.cluster(), aws.definition()["taskDefinitionArn"]
    request = {"serviceName": aws.name(), "taskDefinition": definition, "clientToken": str(uuid.uuid4())}
    first, again = aws.service(cluster, **request), aws.service(cluster, **request)
    same(again["serviceArn"], first["serviceArn"])
    same(len(aws.ecs.list_services(cluster=cluster)["serviceArns"]), 1)


def check_client_token_with_other_parameters(aws):
    """The same name with other parameters is not idempotent, whatever the token."""
    # facts 4.3
    cluster, definition = aws.cluster(), aws.definition()["taskDefinitionArn"]
    request = {"serviceName": aws.name(), "taskDefinition": definition, "clientToken": "token"}
    aws.service(cluster, **request)
    refused(INVALID, aws.service, "not idempotent", cluster=cluster, **(request | {"desiredCount": 3}))


def check_client_token_length(aws):
    """A client token has at most 36 characters."""
    # facts 4.3
    refuse(aws, clientToken="x" * 37)


def check_name_taken(aws):
    """Creating an active name with other parameters: Creation of service was not idempotent."""
    # facts 4.3
    cluster, name = aws.cluster(), aws.name()
    aws.service(cluster, serviceName=name)
    refused(INVALID, aws.service, "Creation of service was not idempotent", cluster=cluster, serviceName=name, desiredCount=2)


def check_same_name_in_another_cluster(aws):
    """A name is unique in its cluster only."""
    # facts 4.1
    name = aws.name()
    arns = {aws.service(aws.cluster(), serviceName=name)["serviceArn"] for _ in range(2)}
    same(len(arns), 2)


def check_unknown_target_group(aws):
    """A target group that does not exist is refused."""
    # facts 4.8
    arn = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/nobody/0123456789abcdef"
    balancers = [{"targetGroupArn": arn, "containerName": "app", "containerPort": 8000}]
    refuse(aws, loadBalancers=balancers)


def check_target_group_without_balancer(aws):
    """A target group that no load balancer forwards to is refused, with its ARN."""
    # facts 4.8
    arn = aws.target_group()
    balancers = [{"targetGroupArn": arn, "containerName": "app", "containerPort": 8000}]
    text = f"The target group with targetGroupArn {arn} does not have an associated load balancer."
    refuse(aws, text=text, loadBalancers=balancers)


def check_target_group_of_instances(aws):
    """A target group of type instance does not go with awsvpc."""
    # facts 4.8
    arn = aws.target_group(TargetType="instance")
    aws.listener(aws.balancer(), arn)
    balancers = [{"targetGroupArn": arn, "containerName": "app", "containerPort": 8000}]
    refuse(aws, text="target type instance", loadBalancers=balancers)


def check_balanced_container(aws):
    """A load balancer names a container of the definition and one of its ports."""
    # facts 4.8
    arn = aws.target_group()
    aws.listener(aws.balancer(), arn)
    one = lambda name, port: [{"targetGroupArn": arn, "containerName": name, "containerPort": port}]
    refuse(aws, text="nobody", loadBalancers=one("nobody", 8000))
    refuse(aws, text="9999", loadBalancers=one("app", 9999))


def check_grace_period_needs_a_check(aws):
    """A grace period is refused where nothing checks health."""
    # facts 4.7
    text = "Health check grace period is only valid for services configured to use load balancers"
    refuse(aws, text=text, healthCheckGracePeriodSeconds=30)


def check_describe_missing(aws):
    """DescribeServices of an unknown name is a failure MISSING by ARN, not an error."""
    # facts 4.9
    cluster, unknown = aws.cluster(), aws.name("unknown")
    answer = aws.ecs.describe_services(cluster=cluster, services=[unknown])
    same((answer["services"], answer["failures"][0]["reason"]), ([], "MISSING"))
    assert answer["failures"][0]["arn"].endswith(unknown)


def check_describe_takes_ten(aws):
    """DescribeServices takes at most ten names, and at least one."""
    # facts 2.1
    cluster = aws.cluster()
    names = [f"x{number}" for number in range(11)]
    refused(INVALID, aws.ecs.describe_services, cluster=cluster, services=names)
    refused(INVALID, aws.ecs.describe_services, cluster=cluster, services=[])


def check_describe_by_arn(aws):
    """DescribeServices takes ARNs as well as names."""
    # facts 0
    cluster = aws.cluster()
    arn = aws.service(cluster)["serviceArn"]
    same(aws.ecs.describe_services(cluster=cluster, services=[arn])["services"][0]["serviceArn"], arn)


def check_list_pages(aws):
    """ListServices answers ten a page unless told otherwise, and at most 100."""
    # facts 2.1
    cluster, definition = aws.cluster(), aws.definition()["taskDefinitionArn"]
    made = {aws.service(cluster, taskDefinition=definition)["serviceArn"] for _ in range(12)}
    first = aws.ecs.list_services(cluster=cluster)
    assert len(first["serviceArns"]) == 10 and first["nextToken"]
    pages = aws.ecs.get_paginator("list_services").paginate(cluster=cluster)
    same({arn for page in pages for arn in page["serviceArns"]}, made)
    refused(INVALID, aws.ecs.list_services, cluster=cluster, maxResults=101)


def check_list_filters(aws):
    """ListServices filters by launch type and by scheduling strategy."""
    # B:ecs ListServices
    cluster = aws.cluster()
    arn = aws.service(cluster)["serviceArn"]
    listed = lambda **more: aws.ecs.list_services(cluster=cluster, **more)["serviceArns"]
    same((listed(launchType="FARGATE"), listed(launchType="EC2")), ([arn], []))
    same((listed(schedulingStrategy="REPLICA"), listed(schedulingStrategy="DAEMON")), ([arn], []))


def check_update_of_missing(aws):
    """UpdateService and DeleteService of an unknown service are ServiceNotFoundException."""
    # facts 4.8
    cluster, unknown = aws.cluster(), aws.name("unknown")
    refused("ServiceNotFoundException", aws.ecs.update_service, cluster=cluster, service=unknown, desiredCount=1)
    refused("ServiceNotFoundException", aws.ecs.delete_service, cluster=cluster, service=unknown)


def check_scaling_starts_no_deployment(aws):
    """A new desired count alone starts no deployment."""
    # facts 4.2
    cluster = aws.cluster()
    name = aws.service(cluster)["serviceName"]
    assert not changes_deployment(aws, cluster, name, desiredCount=2)
    seen = aws.seen(cluster, name)
    same((seen["desiredCount"], seen["deployments"][0]["desiredCount"]), (2, 2))


def check_what_starts_a_deployment(aws):
    """A new task definition, network, platform version, or force starts a deployment."""
    # facts 4.2
    cluster, definition = aws.cluster(), aws.definition()
    name = aws.service(cluster, taskDefinition=definition["taskDefinitionArn"])["serviceName"]
    other = aws.definition()["taskDefinitionArn"]
    assert changes_deployment(aws, cluster, name, taskDefinition=other), "task definition"
    assert changes_deployment(aws, cluster, name, networkConfiguration=network(subnets=SUBNETS)), "network"
    assert changes_deployment(aws, cluster, name, platformVersion="1.4.0"), "platform version"
    assert changes_deployment(aws, cluster, name, forceNewDeployment=True), "force"


def check_what_starts_none(aws):
    """Settings of the scheduler and of later tasks start no deployment, and neither does what is the same."""
    # facts 4.2
    cluster = aws.cluster()
    service = aws.service(cluster)
    for change in (
        {"enableExecuteCommand": True},
        {"enableECSManagedTags": True},
        {"propagateTags": "SERVICE"},
        {"availabilityZoneRebalancing": "DISABLED"},
        {"deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 200}},
        {"taskDefinition": service["taskDefinition"]},
    ):
        assert not changes_deployment(aws, cluster, service["serviceName"], **change), change
    seen = aws.seen(cluster, service["serviceName"])
    contains(seen, {"enableExecuteCommand": True, "enableECSManagedTags": True, "propagateTags": "SERVICE"})
    contains(seen["deploymentConfiguration"], {"minimumHealthyPercent": 50})


def check_absent_keeps_and_empty_removes(aws):
    """In UpdateService an absent list stays and an empty one is removed."""
    # facts 4.4
    cluster, group = aws.cluster(), aws.target_group()
    aws.listener(aws.balancer(), group)
    balancers = [{"targetGroupArn": group, "containerName": "app", "containerPort": 8000}]
    name = aws.service(cluster, loadBalancers=balancers, healthCheckGracePeriodSeconds=5)["serviceName"]
    aws.ecs.update_service(cluster=cluster, service=name, desiredCount=0)
    same(len(aws.seen(cluster, name)["loadBalancers"]), 1)
    assert changes_deployment(aws, cluster, name, loadBalancers=[])
    same(aws.seen(cluster, name)["loadBalancers"], [])


def check_update_checks_too(aws):
    """UpdateService refuses what CreateService refuses, and changes nothing then."""
    # facts 4.8
    cluster = aws.cluster()
    name = aws.service(cluster)["serviceName"]
    update = aws.ecs.update_service
    refused("ClientException", update, cluster=cluster, service=name, taskDefinition=aws.name("nobody"))
    refused("PlatformUnknownException", update, cluster=cluster, service=name, platformVersion="9.9.9")
    refused(INVALID, update, cluster=cluster, service=name, networkConfiguration=network(subnets=[]))
    refused(INVALID, update, cluster=cluster, service=name, desiredCount=-1)
    same(len(deployments(aws, cluster, name)), 1)


def check_strategy_change_needs_force(aws):
    """Changing from launch type to strategy needs forceNewDeployment."""
    # facts 4.5
    cluster = aws.cluster()
    name = aws.service(cluster)["serviceName"]
    update = {"cluster": cluster, "service": name, "capacityProviderStrategy": SPOT}
    refused(INVALID, aws.ecs.update_service, "you must force a new deployment", **update)
    seen = aws.ecs.update_service(forceNewDeployment=True, **update)["service"]
    assert "launchType" not in seen
    same(seen["capacityProviderStrategy"][0]["capacityProvider"], "FARGATE_SPOT")


def check_back_to_the_launch_type(aws):
    """An empty strategy goes back to the launch type the service was created with, and is refused without one."""
    # facts 4.5
    cluster = aws.cluster()
    name = aws.service(cluster)["serviceName"]
    update = {"cluster": cluster, "service": name, "forceNewDeployment": True}
    aws.ecs.update_service(capacityProviderStrategy=SPOT, **update)
    seen = aws.ecs.update_service(capacityProviderStrategy=[], **update)["service"]
    same(seen.get("launchType"), "FARGATE")
    born = aws.service(cluster, capacityProviderStrategy=SPOT)["serviceName"]
    text = "No launch type to fall back to for empty capacity provider strategy"
    refused(INVALID, aws.ecs.update_service, text, **(update | {"service": born}), capacityProviderStrategy=[])


def check_delete_above_zero(aws):
    """A service with a desired count above zero is deleted by force only."""
    # facts 4.8
    cluster = aws.cluster()
    name = aws.service(cluster, desiredCount=1)["serviceName"]
    text = "The service cannot be stopped while it is scaled above 0."
    refused(INVALID, aws.ecs.delete_service, text, cluster=cluster, service=name)
    same(aws.ecs.delete_service(cluster=cluster, service=name, force=True)["service"]["status"], "DRAINING")


def draining(aws):
    """A deleted service whose one task is slow to leave its target group: cluster and name."""
    cluster, group = aws.cluster(), aws.target_group()
    aws.listener(aws.balancer(), group)
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "3600"}]
    aws.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=delay)
    balancers = [{"targetGroupArn": group, "containerName": "app", "containerPort": 8000}]
    name = aws.service(cluster, desiredCount=1, loadBalancers=balancers)["serviceName"]
    aws.steady(cluster, name)
    same(aws.ecs.delete_service(cluster=cluster, service=name, force=True)["service"]["status"], "DRAINING")
    return cluster, name


def check_draining_is_described_not_listed(aws):
    """A DRAINING service is described but not listed, takes no update, and its name can't be used again yet."""
    # facts 4.8, 4.9
    cluster, name = draining(aws)
    same(aws.seen(cluster, name)["status"], "DRAINING")
    same(aws.ecs.list_services(cluster=cluster)["serviceArns"], [])
    refused("ServiceNotActiveException", aws.ecs.update_service, cluster=cluster, service=name, desiredCount=1)
    refused(INVALID, aws.service, "Draining", cluster=cluster, serviceName=name)


def check_delete_twice(aws):
    """DeleteService of a DRAINING service succeeds again."""
    # facts 4.3
    cluster, name = draining(aws)
    same(aws.ecs.delete_service(cluster=cluster, service=name, force=True)["service"]["status"], "DRAINING")


def check_deleted_becomes_inactive(aws):
    """A deleted service ends INACTIVE with no tasks, which the ServicesInactive waiter sees; its name is free again."""
    # facts 4.9
    cluster = aws.cluster()
    name = aws.service(cluster, desiredCount=1)["serviceName"]
    aws.ecs.delete_service(cluster=cluster, service=name, force=True)
    waiter = aws.ecs.get_waiter("services_inactive")
    waiter.wait(cluster=cluster, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    contains(aws.seen(cluster, name), {"status": "INACTIVE", "desiredCount": 0, "runningCount": 0})
    refused(
        ("ServiceNotActiveException", "ServiceNotFoundException"),
        aws.ecs.update_service,
        cluster=cluster,
        service=name,
        desiredCount=1,
    )
    same(aws.service(cluster, serviceName=name)["status"], "ACTIVE")


def check_one_tag_too_many(aws):
    """A service has at most fifty tags, none reserved."""
    # facts 2.3
    refuse(aws, tags=[{"key": f"k{number}", "value": "x"} for number in range(51)])
    refuse(aws, tags=[{"key": "aws:mine", "value": "x"}])


def check_hidden_settings(aws):
    """Service Connect settings are shown in deployments, not at the level of the service."""
    # facts 4.2
    cluster = aws.cluster()
    connect = {"enabled": True, "namespace": "probes"}
    name = aws.service(cluster, serviceConnectConfiguration=connect)["serviceName"]
    seen = aws.seen(cluster, name)
    assert "serviceConnectConfiguration" not in seen
    contains(seen["deployments"][0]["serviceConnectConfiguration"], {"enabled": True})


def check_services_of_a_namespace(aws):
    """ListServicesByNamespace lists the services that use a namespace."""
    # facts 2.1
    cluster, namespace = aws.cluster(), aws.name("namespace")
    connect = {"enabled": True, "namespace": namespace}
    arn = aws.service(cluster, serviceConnectConfiguration=connect)["serviceArn"]
    same(aws.ecs.list_services_by_namespace(namespace=namespace)["serviceArns"], [arn])


def check_controller_cannot_be_invented(aws):
    """The deployment controller is ECS, CODE_DEPLOY or EXTERNAL."""
    # facts 4.6
    refuse(aws, deploymentController={"type": "MINE"})


def check_task_sets_are_for_other_controllers(aws):
    """CreateTaskSet is refused for a service with the ECS deployment controller."""
    # facts 4.6
    cluster = aws.cluster()
    service = aws.service(cluster)
    request = {"cluster": cluster, "service": service["serviceName"], "taskDefinition": service["taskDefinition"]}
    refused(INVALID, aws.ecs.create_task_set, **request)
