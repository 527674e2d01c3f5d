"""ECS tasks: what DescribeTasks shows, how they are listed, run, stopped and protected."""

from kit import SUBNETS, contains, network, refused, same

INVALID = "InvalidParameterException"


def run(aws, cluster, definition=None, **changes):
    """Runs a task that belongs to no service; the answer."""
    request = {
        "cluster": cluster,
        "taskDefinition": definition or aws.definition()["taskDefinitionArn"],
        "launchType": "FARGATE",
        "networkConfiguration": network(),
    } | changes
    if "capacityProviderStrategy" in changes:
        del request["launchType"]
    return aws.ecs.run_task(**request)


def one(aws, cluster, arn, **more):
    return aws.ecs.describe_tasks(cluster=cluster, tasks=[arn], **more)["tasks"][0]


def started(aws, **changes):
    """A running task of its own cluster; cluster and ARN."""
    cluster = aws.cluster()
    arn = run(aws, cluster, **changes)["tasks"][0]["taskArn"]
    aws.until("RUNNING", lambda: one(aws, cluster, arn)["lastStatus"] == "RUNNING")
    return cluster, arn


def served(aws, count=1, **changes):
    """A steady service; its cluster, its name and the ARNs of its tasks."""
    cluster = aws.cluster()
    name = aws.service(cluster, desiredCount=count, **changes)["serviceName"]
    aws.steady(cluster, name)
    return cluster, name, aws.ecs.list_tasks(cluster=cluster, serviceName=name)["taskArns"]


def check_run_answers_provisioning(aws):
    """RunTask answers tasks in PROVISIONING that shall be RUNNING, and no failures."""
    # B:ecs RunTask
    cluster = aws.cluster()
    definition = aws.definition()
    answer = run(aws, cluster, definition["taskDefinitionArn"])
    same(answer["failures"], [])
    [task] = answer["tasks"]
    members = {"lastStatus": "PROVISIONING", "desiredStatus": "RUNNING", "launchType": "FARGATE", "cpu": "256", "memory": "512"}
    contains(task, members | {"group": f"family:{definition['family']}", "platformFamily": "Linux"})
    assert task["taskArn"].split(":task/")[1].startswith(f"{cluster}/") and task["createdAt"]
    same(len(task["taskArn"].rsplit("/", 1)[1]), 32, "length of the id")


def check_run_reaches_running(aws):
    """A task reaches RUNNING with the dates of its pull and its start, which the TasksRunning waiter sees."""
    # B:ecs Task
    cluster = aws.cluster()
    arn = run(aws, cluster)["tasks"][0]["taskArn"]
    waiter = aws.ecs.get_waiter("tasks_running")
    waiter.wait(cluster=cluster, tasks=[arn], WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    task = one(aws, cluster, arn)
    contains(task, {"lastStatus": "RUNNING", "connectivity": "CONNECTED", "platformVersion": "1.4.0"})
    assert task["createdAt"] <= task["pullStartedAt"] <= task["pullStoppedAt"] <= task["startedAt"]
    contains(task["containers"][0], {"name": "app", "lastStatus": "RUNNING", "image": "public.ecr.aws/nginx/nginx:latest"})


def check_run_counts(aws):
    """RunTask runs one to ten tasks."""
    # facts 2.3
    cluster = aws.cluster()
    definition = aws.definition()["taskDefinitionArn"]
    same(len(run(aws, cluster, definition, count=3)["tasks"]), 3)
    refused(INVALID, run, aws=aws, cluster=cluster, definition=definition, count=11)
    refused(INVALID, run, aws=aws, cluster=cluster, definition=definition, count=0)


def check_run_remembers_who_started_it(aws):
    """A task keeps startedBy and group, and is listed by startedBy."""
    # B:ecs RunTask
    cluster = aws.cluster()
    [task] = run(aws, cluster, startedBy="probe", group="night")["tasks"]
    contains(task, {"startedBy": "probe", "group": "night"})
    same(aws.ecs.list_tasks(cluster=cluster, startedBy="probe")["taskArns"], [task["taskArn"]])
    same(aws.ecs.list_tasks(cluster=cluster, startedBy="other")["taskArns"], [])


def check_run_overrides(aws):
    """Overrides of RunTask come back, and one of a container that does not exist is refused."""
    # B:ecs TaskOverride
    cluster, definition = aws.cluster(), aws.definition()["taskDefinitionArn"]
    override = {"name": "app", "command": ["true"], "environment": [{"name": "A", "value": "1"}]}
    task = run(aws, cluster, definition, overrides={"containerOverrides": [override], "cpu": "512", "memory": "1024"})["tasks"][0]
    contains(task["overrides"]["containerOverrides"][0], override)
    same((task["cpu"], task["memory"]), ("512", "1024"), "size")
    nobody = {"containerOverrides": [{"name": "nobody"}]}
    refused(INVALID, run, "nobody", aws=aws, cluster=cluster, definition=definition, overrides=nobody)


def check_run_is_idempotent(aws):
    """RunTask with a client token starts its tasks once; other parameters with that token are a ConflictException."""
    # facts 4.8
    cluster, definition = aws.cluster(), aws.definition()["taskDefinitionArn"]
    token = aws.name("token")
    arns = {run(aws, cluster, definition, clientToken=token)["tasks"][0]["taskArn"] for _ in range(2)}
    same(len(arns), 1)
    refused("ConflictException", run, aws=aws, cluster=cluster, definition=definition, clientToken=token, count=2)


def check_run_needs_network(aws):
    """RunTask of an awsvpc definition needs a network configuration."""
    # facts 4.8
    definition, cluster = aws.definition()["taskDefinitionArn"], aws.cluster()
    text = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
    refused(INVALID, aws.ecs.run_task, text, cluster=cluster, taskDefinition=definition, launchType="FARGATE")


def check_run_needs_a_definition(aws):
    """RunTask of a definition that does not exist or is INACTIVE is a ClientException or InvalidParameterException."""
    # facts 4.8
    cluster, codes = aws.cluster(), ("ClientException", INVALID)
    refused(codes, run, aws=aws, cluster=cluster, definition=aws.name("nobody"))
    arn = aws.definition()["taskDefinitionArn"]
    aws.ecs.deregister_task_definition(taskDefinition=arn)
    refused(codes, run, aws=aws, cluster=cluster, definition=arn)


def check_run_with_strategy(aws):
    """A task run with a strategy shows its capacity provider and no launch type; both together are refused."""
    # facts 1.6, 4.8
    cluster, strategy = aws.cluster(), [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    task = run(aws, cluster, capacityProviderStrategy=strategy)["tasks"][0]
    same(task["capacityProviderName"], "FARGATE_SPOT")
    request = {"cluster": cluster, "taskDefinition": task["taskDefinitionArn"], "networkConfiguration": network()}
    both = {"launchType": "FARGATE", "capacityProviderStrategy": strategy}
    refused(INVALID, aws.ecs.run_task, "not both", **request, **both)


def check_run_on_no_instances(aws):
    """RunTask with launch type EC2 in a cluster without instances is refused."""
    # B:ecs RunTask
    cluster = aws.cluster()
    definition = aws.definition()["taskDefinitionArn"]
    refused(INVALID, run, "No Container Instances were found", aws=aws, cluster=cluster, definition=definition, launchType="EC2")


def check_run_tags(aws):
    """Tags of RunTask are shown only when included, and those of the definition are propagated on request."""
    # facts 3.4
    tags = [{"key": "owner", "value": "probe"}]
    cluster = aws.cluster()
    arn = run(aws, cluster, tags=tags)["tasks"][0]["taskArn"]
    same(one(aws, cluster, arn, include=["TAGS"])["tags"], tags)
    assert not one(aws, cluster, arn).get("tags")
    definition = aws.definition(tags=tags)["taskDefinitionArn"]
    arn = run(aws, cluster, definition, propagateTags="TASK_DEFINITION")["tasks"][0]["taskArn"]
    same(one(aws, cluster, arn, include=["TAGS"])["tags"], tags)


def check_start_is_not_for_fargate(aws):
    """StartTask, which names container instances, places no Fargate task."""
    # B:ecs StartTask
    request = {"cluster": aws.cluster(), "taskDefinition": aws.definition()["taskDefinitionArn"]}
    refused((INVALID, "ClientException"), aws.ecs.start_task, containerInstances=["0" * 32], **request)


def check_stop(aws):
    """A stopped task ends STOPPED with code, reason and the dates of its end, which the TasksStopped waiter sees."""
    # facts 5.5
    cluster, arn = started(aws)
    answer = aws.ecs.stop_task(cluster=cluster, task=arn, reason="enough")["task"]
    contains(answer, {"desiredStatus": "STOPPED", "stopCode": "UserInitiated", "stoppedReason": "enough"})
    waiter = aws.ecs.get_waiter("tasks_stopped")
    waiter.wait(cluster=cluster, tasks=[arn], WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    task = one(aws, cluster, arn)
    assert task["stoppingAt"] <= task["executionStoppedAt"] <= task["stoppedAt"]
    contains(task["containers"][0], {"lastStatus": "STOPPED"})
    assert isinstance(task["containers"][0]["exitCode"], int)
    same(aws.ecs.list_tasks(cluster=cluster)["taskArns"], [])
    same(aws.ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"], [arn])


def check_stop_of_unknown(aws):
    """StopTask of an unknown task is InvalidParameterException."""
    # B:ecs StopTask
    refused(INVALID, aws.ecs.stop_task, "task was not found", cluster=aws.cluster(), task="0" * 32)


def check_describe_missing(aws):
    """DescribeTasks of an unknown task is a failure MISSING; it takes one to a hundred."""
    # facts 2.1
    cluster = aws.cluster()
    answer = aws.ecs.describe_tasks(cluster=cluster, tasks=["0" * 32])
    same((answer["tasks"], answer["failures"][0]["reason"]), ([], "MISSING"))
    refused(INVALID, aws.ecs.describe_tasks, cluster=cluster, tasks=[])
    refused(INVALID, aws.ecs.describe_tasks, cluster=cluster, tasks=[f"{n:032}" for n in range(101)])


def check_describe_by_id(aws):
    """DescribeTasks takes ids as well as ARNs."""
    # facts 0
    cluster = aws.cluster()
    arn = run(aws, cluster)["tasks"][0]["taskArn"]
    same(one(aws, cluster, arn.rsplit("/", 1)[1])["taskArn"], arn)


def check_network_interface(aws):
    """A task has an elastic network interface with subnet, id, MAC and address, and its containers name the attachment."""
    # B:ecs Attachment
    cluster, arn = started(aws)
    task = one(aws, cluster, arn)
    [attachment] = task["attachments"]
    contains(attachment, {"type": "ElasticNetworkInterface", "status": "ATTACHED"})
    details = {item["name"]: item["value"] for item in attachment["details"]}
    same(details["subnetId"], SUBNETS[0])
    assert details["networkInterfaceId"].startswith("eni-") and details["macAddress"].count(":") == 5
    [interface] = task["containers"][0]["networkInterfaces"]
    same(interface, {"attachmentId": attachment["id"], "privateIpv4Address": details["privateIPv4Address"]})


def check_containers(aws):
    """A container of a task has its own ARN, a runtime id, the digest of its image, and its size as text."""
    # B:ecs Container
    cluster, arn = started(aws)
    [container] = one(aws, cluster, arn)["containers"]
    contains(container, {"taskArn": arn, "cpu": "0", "networkBindings": []})
    assert f":container/{cluster}/" in container["containerArn"] and container["runtimeId"]
    assert container["imageDigest"].startswith("sha256:") and len(container["imageDigest"]) == 71


def check_task_attributes(aws):
    """A task shows its architecture, its ephemeral storage, 20 GiB unless set, and its availability zone."""
    # facts 1.3
    cluster, arn = started(aws)
    task = one(aws, cluster, arn)
    same(task["ephemeralStorage"], {"sizeInGiB": 20})
    same(task["attributes"], [{"name": "ecs.cpu-architecture", "value": "x86_64"}])
    assert task["availabilityZone"].startswith("us-east-1") and task["version"] >= 1
    platform = {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
    definition = aws.definition(runtimePlatform=platform)["taskDefinitionArn"]
    arn = run(aws, cluster, definition)["tasks"][0]["taskArn"]
    same(one(aws, cluster, arn)["attributes"], [{"name": "ecs.cpu-architecture", "value": "arm64"}])


def check_version_grows(aws):
    """The version of a task grows with every change of its state."""
    # facts 11.1
    cluster, arn = started(aws)
    before = one(aws, cluster, arn)["version"]
    aws.ecs.stop_task(cluster=cluster, task=arn)
    aws.until("STOPPED", lambda: one(aws, cluster, arn)["lastStatus"] == "STOPPED")
    assert one(aws, cluster, arn)["version"] > before


def check_service_tasks(aws):
    """Tasks of a service are in the group service:name and started by its deployment."""
    # facts 5.1
    cluster, name, [arn] = served(aws)
    task = one(aws, cluster, arn)
    same(task["group"], f"service:{name}")
    same(task["startedBy"], aws.seen(cluster, name)["deployments"][0]["id"])


def check_list_filters(aws):
    """ListTasks filters by service, family, launch type and desired status."""
    # B:ecs ListTasks
    definition = aws.definition()
    cluster, name, arns = served(aws, 2, taskDefinition=definition["taskDefinitionArn"])
    other = run(aws, cluster)["tasks"][0]["taskArn"]
    listed = lambda **more: sorted(aws.ecs.list_tasks(cluster=cluster, **more)["taskArns"])
    same(listed(serviceName=name), sorted(arns))
    same(listed(family=definition["family"]), sorted(arns))
    same(listed(launchType="FARGATE"), sorted([*arns, other]))
    same((listed(launchType="EC2"), listed(desiredStatus="STOPPED"), listed(desiredStatus="PENDING")), ([], [], []))


def check_list_refusals(aws):
    """ListTasks of an unknown service is ServiceNotFoundException, of an unknown status refused."""
    # facts 4.8
    cluster = aws.cluster()
    refused("ServiceNotFoundException", aws.ecs.list_tasks, cluster=cluster, serviceName=aws.name("nobody"))
    refused(INVALID, aws.ecs.list_tasks, cluster=cluster, desiredStatus="SLEEPING")


def check_list_pages(aws):
    """ListTasks answers pages of maxResults, at most 100."""
    # facts 2.1
    cluster = aws.cluster()
    arns = {task["taskArn"] for task in run(aws, cluster, count=5)["tasks"]}
    assert len(aws.ecs.list_tasks(cluster=cluster, maxResults=2)["taskArns"]) == 2
    pages = aws.ecs.get_paginator("list_tasks").paginate(cluster=cluster, PaginationConfig={"PageSize": 2})
    same({arn for page in pages for arn in page["taskArns"]}, arns)
    refused(INVALID, aws.ecs.list_tasks, cluster=cluster, maxResults=101)


def check_managed_tags(aws):
    """ECS managed tags name cluster and service, and the service's tags are propagated on request."""
    # facts 4.2
    tags = [{"key": "owner", "value": "probe"}]
    cluster, name, [arn] = served(aws, enableECSManagedTags=True, propagateTags="SERVICE", tags=tags)
    seen = {tag["key"]: tag["value"] for tag in one(aws, cluster, arn, include=["TAGS"])["tags"]}
    same(seen, {"aws:ecs:clusterName": cluster, "aws:ecs:serviceName": name, "owner": "probe"})


def check_protection(aws):
    """A task is protected for two hours unless told otherwise, and can be released."""
    # facts 5.7
    cluster, _, [arn] = served(aws)
    update = lambda **more: aws.ecs.update_task_protection(cluster=cluster, tasks=[arn], **more)
    [task] = update(protectionEnabled=True)["protectedTasks"]
    contains(task, {"taskArn": arn, "protectionEnabled": True})
    assert task["expirationDate"]
    same(aws.ecs.get_task_protection(cluster=cluster, tasks=[arn])["protectedTasks"][0]["protectionEnabled"], True)
    [task] = update(protectionEnabled=False)["protectedTasks"]
    assert not task["protectionEnabled"] and "expirationDate" not in task


def check_protection_rules(aws):
    """Protection lasts 1 to 2880 minutes, takes ten tasks at most, and fails for tasks of no service."""
    # facts 5.7
    cluster, _, [arn] = served(aws)
    protect = aws.ecs.update_task_protection
    for minutes in (0, 2881):
        arguments = {"tasks": [arn], "protectionEnabled": True, "expiresInMinutes": minutes}
        refused(INVALID, protect, cluster=cluster, **arguments)
    refused(INVALID, protect, cluster=cluster, tasks=[f"{n:032}" for n in range(11)], protectionEnabled=True)
    answer = protect(cluster=cluster, tasks=["0" * 32], protectionEnabled=True)
    same((answer["protectedTasks"], len(answer["failures"])), ([], 1))
    alone = run(aws, cluster)["tasks"][0]["taskArn"]
    same(protect(cluster=cluster, tasks=[alone], protectionEnabled=True)["failures"][0]["reason"], "TASK_NOT_VALID")


def check_protected_tasks_stay(aws):
    """A protected task is not stopped by scale-in; the other one goes."""
    # facts 5.7
    cluster, name, arns = served(aws, 2)
    aws.ecs.update_task_protection(cluster=cluster, tasks=[arns[0]], protectionEnabled=True)
    aws.ecs.update_service(cluster=cluster, service=name, desiredCount=0)
    aws.until("one task left", lambda: aws.seen(cluster, name)["runningCount"] == 1)
    same(aws.ecs.list_tasks(cluster=cluster, serviceName=name)["taskArns"], [arns[0]])
    aws.ecs.update_task_protection(cluster=cluster, tasks=[arns[0]], protectionEnabled=False)
    aws.until("none left", lambda: aws.seen(cluster, name)["runningCount"] == 0)


def check_execute_command_needs_to_be_enabled(aws):
    """ExecuteCommand is refused for a task that was not run with execute command enabled."""
    # B:ecs ExecuteCommand
    cluster, arn = started(aws)
    request = {"cluster": cluster, "task": arn, "command": "sh", "interactive": True}
    refused((INVALID, "TargetNotConnectedException"), aws.ecs.execute_command, "execute command was not enabled", **request)


def check_execute_command_on_unknown_task(aws):
    """ExecuteCommand of an unknown task is refused."""
    # B:ecs ExecuteCommand
    request = {"cluster": aws.cluster(), "task": "0" * 32, "command": "sh", "interactive": True}
    refused(INVALID, aws.ecs.execute_command, **request)


def check_secondary_container_exits_too(aws):
    """All containers of a stopped task are STOPPED with exit codes."""
    # facts 5.5
    two = [{"name": name, "image": "public.ecr.aws/nginx/nginx:latest"} for name in ("app", "side")]
    definition = aws.definition(containerDefinitions=two)["taskDefinitionArn"]
    cluster, arn = started(aws, definition=definition)
    aws.ecs.stop_task(cluster=cluster, task=arn)
    aws.until("STOPPED", lambda: one(aws, cluster, arn)["lastStatus"] == "STOPPED")
    seen = {c["name"]: (c["lastStatus"], "exitCode" in c) for c in one(aws, cluster, arn)["containers"]}
    same(seen, {"app": ("STOPPED", True), "side": ("STOPPED", True)})


def check_a_task_ends_with_its_command(aws):
    """A task whose essential container exits stops by itself, with EssentialContainerExited and the exit code."""
    # facts 5.5
    cluster = aws.cluster()
    command = {"containerOverrides": [{"name": "app", "command": ["sh", "-c", "sleep 5; exit 0"]}]}
    arn = run(aws, cluster, overrides=command)["tasks"][0]["taskArn"]
    aws.until("STOPPED", lambda: one(aws, cluster, arn)["lastStatus"] == "STOPPED")
    task = one(aws, cluster, arn)
    contains(task, {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"})
    same((task["containers"][0]["exitCode"], task["containers"][0]["lastStatus"]), (0, "STOPPED"))
    assert task["startedAt"] <= task["stoppedAt"]
