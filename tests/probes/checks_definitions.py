"""ECS task definitions: what Fargate takes, what ECS fills in, and how revisions come and go."""

from kit import ROLE, contains, definition, refused, same

PAIRS = {
    256: [512, 1024, 2048],
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
    8192: range(16384, 61441, 4096),
    16384: range(32768, 122881, 8192),
}
AWSLOGS = {"awslogs-group": "/probe", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}


def refuse(aws, container=None, text="", code=("ClientException", "InvalidParameterException"), **changes):
    """Asserts that a definition, changed like this, is not registered."""
    request = definition(changes.pop("family", None) or aws.name("family"), container, **changes)
    request = {name: value for name, value in request.items() if value is not None}
    return refused(code, aws.client("ecs", validate=False).register_task_definition, text, **request)


def check_register_answers_the_revision(aws):
    """RegisterTaskDefinition answers revision 1, ACTIVE, with a full ARN, and who registered it when."""
    # facts 3.4
    seen = aws.definition()
    contains(seen, {"revision": 1, "status": "ACTIVE", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]})
    assert seen["taskDefinitionArn"].endswith(f":task-definition/{seen['family']}:1")
    assert seen["registeredAt"] and seen["registeredBy"].startswith("arn:aws:")
    assert "FARGATE" in seen["compatibilities"] and "EC2" in seen["compatibilities"]


def check_container_defaults(aws):
    """A container comes back with cpu 0, essential, and empty lists for what was not sent."""
    # facts 3.4
    container = aws.definition()["containerDefinitions"][0]
    empty = ("environment", "mountPoints", "volumesFrom", "systemControls")
    contains(container, {"cpu": 0, "essential": True} | {name: [] for name in empty})


def check_port_defaults(aws):
    """In awsvpc mode the host port follows the container port, and the protocol is tcp."""
    # facts 3.4
    ports = aws.definition()["containerDefinitions"][0]["portMappings"]
    same(ports, [{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}], "portMappings")


def check_health_check_defaults(aws):
    """A health check is filled with interval 30, timeout 5 and retries 3, and without a start period."""
    # facts 3.2, 3.4
    check = {"command": ["CMD-SHELL", "curl -f http://localhost:8000/ || exit 1"]}
    seen = aws.definition({"healthCheck": check})["containerDefinitions"][0]["healthCheck"]
    same(seen, check | {"interval": 30, "timeout": 5, "retries": 3}, "healthCheck")


def check_volumes_and_constraints_default_to_empty(aws):
    """A definition comes back with empty volumes and placement constraints."""
    # facts 3.4
    contains(aws.definition(), {"volumes": [], "placementConstraints": []})


def check_sizes_become_numbers(aws):
    """Task sizes written as vCPU and GB come back as CPU units and MiB, as text."""
    # facts 1.1
    for cpu, memory, expected in ((".25 vCPU", "0.5 GB", ("256", "512")), ("1 vcpu", "3GB", ("1024", "3072"))):
        seen = aws.definition(cpu=cpu, memory=memory)
        same((seen["cpu"], seen["memory"]), expected, "size")


def check_requires_attributes(aws):
    """requiresAttributes names the capabilities the definition needs, such as the log driver and the task's interface."""
    # facts 3.4
    log = {"logDriver": "awslogs", "options": AWSLOGS}
    names = {item["name"] for item in aws.definition({"logConfiguration": log})["requiresAttributes"]}
    assert "com.amazonaws.ecs.capability.logging-driver.awslogs" in names and "ecs.capability.task-eni" in names
    assert "ecs.capability.execution-role-awslogs" in names


def check_every_smallest_and_largest_size(aws):
    """For every number of vCPUs the least and the most memory is taken, and what lies outside is refused."""
    # facts 1.1
    for cpu, memory in PAIRS.items():
        for size in (min(memory), max(memory)):
            same(aws.definition(cpu=str(cpu), memory=str(size))["memory"], str(size))
        for size in (min(memory) // 2, max(memory) + 1024):
            refuse(aws, cpu=str(cpu), memory=str(size), text="No Fargate configuration exists")


def check_sizes_between_steps(aws):
    """A size between two steps, or of a number of vCPUs that is not sold, is refused."""
    # facts 1.1
    for cpu, memory in (("256", "768"), ("512", "1536"), ("8192", "20000"), ("300", "1024"), ("3072", "8192")):
        refuse(aws, cpu=cpu, memory=memory, text="No Fargate configuration exists")


def check_thirty_two_vcpus(aws):
    """32 vCPUs come with 60, 120 or 244 GB."""
    # facts 1.1
    for memory in ("61440", "122880", "249856"):
        same(aws.definition(cpu="32768", memory=memory)["cpu"], "32768")
    refuse(aws, cpu="32768", memory="65536")


def check_size_is_needed(aws):
    """Fargate needs cpu and memory at the level of the task."""
    # facts 3.1
    refuse(aws, cpu=None)
    refuse(aws, memory=None)


def check_containers_fit_the_task(aws):
    """The CPU and the memory of all containers may not exceed the task's."""
    # facts 1.1
    refuse(aws, {"cpu": 512})
    refuse(aws, {"memory": 1024})
    two = [{"name": name, "image": "x", "memory": 300} for name in ("a", "b")]
    refuse(aws, containerDefinitions=two)


def check_reservation_below_limit(aws):
    """A container's memory reservation must not exceed its memory."""
    # B:ecs ContainerDefinition.memoryReservation
    refuse(aws, {"memory": 256, "memoryReservation": 400})


def check_network_mode(aws):
    """Fargate takes the network mode awsvpc only."""
    # facts 3.1
    refuse(aws, networkMode="bridge", text="awsvpc")
    refuse(aws, networkMode=None, text="awsvpc")


def check_unknown_values(aws):
    """Values outside the documented enumerations are refused."""
    # B:ecs RegisterTaskDefinition
    refuse(aws, networkMode="tunnel")
    refuse(aws, requiresCompatibilities=["LAMBDA"])
    refuse(aws, runtimePlatform={"cpuArchitecture": "MIPS", "operatingSystemFamily": "LINUX"})
    refuse(aws, {"logConfiguration": {"logDriver": "papyrus"}})


def check_awslogs_needs_a_role(aws):
    """awslogs on Fargate needs an execution role."""
    # facts 3.1
    log = {"logDriver": "awslogs", "options": AWSLOGS}
    refuse(aws, {"logConfiguration": log}, executionRoleArn=None, text="execution role ARN to support log driver awslogs")


def check_ecr_needs_a_role(aws):
    """An image of ECR on Fargate needs an execution role."""
    # facts 3.1
    image = "111122223333.dkr.ecr.us-east-1.amazonaws.com/probe:v1"
    refuse(aws, {"image": image}, executionRoleArn=None, text="execution role ARN to support ECR images")


def check_secrets_need_a_role(aws):
    """Secrets need an execution role."""
    # facts 3.1
    secrets = [{"name": "KEY", "valueFrom": "arn:aws:ssm:us-east-1:111122223333:parameter/key"}]
    refuse(aws, {"secrets": secrets}, executionRoleArn=None, text="executionRoleArn")


def check_public_image_needs_no_role(aws):
    """A public image without logs and secrets needs no execution role."""
    # facts 3.1
    request = definition(aws.name("family"))
    del request["executionRoleArn"]
    same(aws.ecs.register_task_definition(**request)["taskDefinition"]["status"], "ACTIVE")


def check_awslogs_options(aws):
    """awslogs on Fargate needs group, region and stream prefix."""
    # facts 9
    for missing in AWSLOGS:
        options = {name: value for name, value in AWSLOGS.items() if name != missing}
        refuse(aws, {"logConfiguration": {"logDriver": "awslogs", "options": options}})


def check_log_drivers(aws):
    """Fargate takes the log drivers awslogs, splunk and awsfirelens only."""
    # facts 3.1
    for driver in ("json-file", "syslog", "fluentd", "gelf", "journald"):
        refuse(aws, {"logConfiguration": {"logDriver": driver}})


def check_host_port_matches(aws):
    """In awsvpc mode a host port that differs from the container port is refused."""
    # facts 3.4
    refuse(aws, {"portMappings": [{"containerPort": 8000, "hostPort": 9000}]}, text="host port")


def check_names(aws):
    """Families and containers are named with at most 255 letters, digits, hyphens and underscores."""
    # facts 3.1
    refuse(aws, family="no spaces")
    refuse(aws, family="x" * 256)
    refuse(aws, {"name": "a/b"})
    refuse(aws, {"name": ""}, text="Container.name")
    refuse(aws, {"image": ""}, text="Container.image")


def check_port_names(aws):
    """A port is named with at most 64 lower-case letters, digits, hyphens and underscores, and not twice."""
    # facts 3.1
    refuse(aws, {"portMappings": [{"containerPort": 80, "name": "Web"}]})
    refuse(aws, {"portMappings": [{"containerPort": 80, "name": "-web"}]})
    refuse(aws, {"portMappings": [{"containerPort": 80, "name": "w" * 65}]})
    refuse(aws, {"portMappings": [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]})


def check_number_of_containers(aws):
    """A definition has at least one container, at most ten, each of its own name."""
    # facts 2.3
    refuse(aws, containerDefinitions=[])
    refuse(aws, containerDefinitions=[{"name": f"c{number}", "image": "x"} for number in range(11)])
    refuse(aws, containerDefinitions=[{"name": "a", "image": "x"}] * 2)


def check_one_essential_container(aws):
    """At least one container is essential."""
    # B:ecs ContainerDefinition.essential
    refuse(aws, {"essential": False}, text="essential")


def check_health_check_ranges(aws):
    """A health check has interval 5..300, timeout 2..60, retries 1..10, start period 0..300 and begins with CMD."""
    # facts 3.2
    check = {"command": ["CMD", "true"]}
    bad = ({"interval": 4}, {"interval": 301}, {"timeout": 1}, {"timeout": 61}, {"retries": 0}, {"retries": 11})
    for change in (*bad, {"startPeriod": 301}, {"command": ["true"]}, {"command": []}):
        refuse(aws, {"healthCheck": check | change})


def check_ephemeral_storage(aws):
    """Ephemeral storage is 21 to 200 GiB; 20, the default, can't be said."""
    # facts 1.3
    for size in (20, 201):
        refuse(aws, ephemeralStorage={"sizeInGiB": size})
    same(aws.definition(ephemeralStorage={"sizeInGiB": 21})["ephemeralStorage"], {"sizeInGiB": 21})
    assert "ephemeralStorage" not in aws.definition()


def check_timeouts(aws):
    """Start and stop timeouts on Fargate are 2 to 120 seconds."""
    # facts 1.5
    for change in ({"stopTimeout": 121}, {"stopTimeout": 1}, {"startTimeout": 121}):
        refuse(aws, change)
    same(aws.definition({"stopTimeout": 120})["containerDefinitions"][0]["stopTimeout"], 120)


def check_restart_policy(aws):
    """A restart policy has an attempt period of 60 to 1800 seconds and at most 50 ignored exit codes."""
    # facts 1.5
    for change in ({"restartAttemptPeriod": 59}, {"restartAttemptPeriod": 1801}, {"ignoredExitCodes": list(range(51))}):
        refuse(aws, {"restartPolicy": {"enabled": True} | change})


def check_what_fargate_lacks(aws):
    """Fargate refuses privileged containers, links, DNS settings, extra hosts, host names and GPUs."""
    # facts 3.1
    for change in (
        {"privileged": True},
        {"links": ["other"]},
        {"dnsServers": ["10.0.0.2"]},
        {"dnsSearchDomains": ["x"]},
        {"extraHosts": [{"hostname": "a", "ipAddress": "10.0.0.1"}]},
        {"hostname": "me"},
        {"disableNetworking": True},
        {"dockerSecurityOptions": ["no-new-privileges"]},
        {"resourceRequirements": [{"type": "GPU", "value": "1"}]},
    ):
        refuse(aws, change)


def check_linux_parameters(aws):
    """Of Linux parameters Fargate takes the init process and the capability SYS_PTRACE, and refuses the rest."""
    # facts 3.1
    good = {"initProcessEnabled": True, "capabilities": {"add": ["SYS_PTRACE"]}}
    contains(aws.definition({"linuxParameters": good})["containerDefinitions"][0]["linuxParameters"], good)
    for bad in (
        {"sharedMemorySize": 64},
        {"maxSwap": 64},
        {"swappiness": 10},
        {"tmpfs": [{"containerPath": "/t", "size": 1}]},
        {"devices": [{"hostPath": "/dev/null"}]},
        {"capabilities": {"add": ["NET_ADMIN"]}},
    ):
        refuse(aws, {"linuxParameters": bad})


def check_task_level_refusals(aws):
    """Fargate refuses the host's process and IPC namespaces, placement constraints and host volumes."""
    # facts 3.1
    refuse(aws, pidMode="host", text="pidMode")
    refuse(aws, ipcMode="host")
    refuse(aws, placementConstraints=[{"type": "memberOf", "expression": "attribute:x == y"}])
    refuse(aws, volumes=[{"name": "data", "host": {"sourcePath": "/data"}}])
    refuse(aws, volumes=[{"name": "data", "dockerVolumeConfiguration": {"scope": "task"}}])


def check_mounts_name_volumes(aws):
    """A mount point names a volume of the definition."""
    # B:ecs MountPoint.sourceVolume
    mount = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}
    refuse(aws, mount)
    seen = aws.definition(mount, volumes=[{"name": "data"}])
    same(seen["volumes"][0]["name"], "data")


def check_dependencies(aws):
    """A dependency names another container, without a circle, and HEALTHY needs a health check there."""
    # B:ecs ContainerDependency
    depend = lambda name, condition="START": {"dependsOn": [{"containerName": name, "condition": condition}]}
    container = lambda name, **more: {"name": name, "image": "x"} | more
    refuse(aws, depend("nobody"))
    refuse(aws, containerDefinitions=[container("a", **depend("b")), container("b", **depend("a"))])
    refuse(aws, containerDefinitions=[container("a", **depend("b", "HEALTHY")), container("b")])


def check_secret_shares_no_name(aws):
    """A secret may not have the name of an environment variable."""
    # facts 3.3
    both = {"environment": [{"name": "KEY", "value": "x"}], "secrets": [{"name": "KEY", "valueFrom": "key"}]}
    refuse(aws, both, text="unique")


def check_image_digest(aws):
    """An image may be pinned by a sha256 digest of 64 hexadecimal digits, and by nothing shorter."""
    # facts 3.1
    image = "public.ecr.aws/nginx/nginx@sha256:" + "a" * 64
    same(aws.definition({"image": image})["containerDefinitions"][0]["image"], image)
    refuse(aws, {"image": image[:-1]})


def check_tags_are_beside_the_definition(aws):
    """Tags come back beside the definition, and only when they are included."""
    # facts 3.4
    tags = [{"key": "owner", "value": "probe"}]
    answer = aws.ecs.register_task_definition(**definition(aws.name("family")), tags=tags)
    same(answer["tags"], tags)
    arn = answer["taskDefinition"]["taskDefinitionArn"]
    same(aws.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])["tags"], tags)
    assert not aws.ecs.describe_task_definition(taskDefinition=arn).get("tags")


def check_reserved_tags(aws):
    """Tag keys that start with aws: are reserved, and fifty tags are the most."""
    # facts 3.1
    refuse(aws, tags=[{"key": "aws:mine", "value": "x"}])
    refuse(aws, tags=[{"key": f"k{number}", "value": "x"} for number in range(51)])


def check_revisions_grow(aws):
    """Every registration makes the next revision, even of an unchanged definition."""
    # facts 3.6
    request = definition(aws.name("family"))
    numbers = [aws.ecs.register_task_definition(**request)["taskDefinition"]["revision"] for _ in range(3)]
    same(numbers, [1, 2, 3])


def check_numbers_are_never_given_again(aws):
    """A revision number is not given again after its revision was deregistered and deleted."""
    # facts 3.6
    request = definition(aws.name("family"))
    arn = aws.ecs.register_task_definition(**request)["taskDefinition"]["taskDefinitionArn"]
    aws.ecs.deregister_task_definition(taskDefinition=arn)
    aws.ecs.delete_task_definitions(taskDefinitions=[arn])
    same(aws.ecs.register_task_definition(**request)["taskDefinition"]["revision"], 2)


def check_describe_by_family_is_the_latest_active(aws):
    """DescribeTaskDefinition by family answers the latest ACTIVE revision."""
    # facts 3.6
    request = definition(aws.name("family"))
    for _ in range(2):
        latest = aws.ecs.register_task_definition(**request)["taskDefinition"]["taskDefinitionArn"]
    describe = lambda: aws.ecs.describe_task_definition(taskDefinition=request["family"])["taskDefinition"]["revision"]
    same(describe(), 2)
    aws.ecs.deregister_task_definition(taskDefinition=latest)
    same(describe(), 1)


def check_describe_of_missing(aws):
    """A definition that does not exist is a ClientException: there is no NotFound."""
    # facts 3.6
    text = "Unable to describe task definition"
    refused("ClientException", aws.ecs.describe_task_definition, text, taskDefinition=aws.name("nobody"))
    family = aws.definition()["family"]
    refused("ClientException", aws.ecs.describe_task_definition, text, taskDefinition=f"{family}:9")


def check_deregister(aws):
    """DeregisterTaskDefinition answers INACTIVE with a date, and the revision can still be described by its ARN."""
    # facts 3.6
    arn = aws.definition()["taskDefinitionArn"]
    gone = aws.ecs.deregister_task_definition(taskDefinition=arn)["taskDefinition"]
    same(gone["status"], "INACTIVE")
    assert gone["deregisteredAt"]
    same(aws.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["status"], "INACTIVE")


def check_deregister_needs_a_revision(aws):
    """DeregisterTaskDefinition needs family and revision."""
    # B:ecs DeregisterTaskDefinition
    family = aws.definition()["family"]
    codes = ("ClientException", "InvalidParameterException")
    refused(codes, aws.ecs.deregister_task_definition, taskDefinition=family)
    refused(codes, aws.ecs.deregister_task_definition, taskDefinition=f"{family}:7")


def check_delete_of_active(aws):
    """An ACTIVE revision is not deleted: a failure says why."""
    # facts 3.6
    arn = aws.definition()["taskDefinitionArn"]
    answer = aws.ecs.delete_task_definitions(taskDefinitions=[arn])
    same((answer["taskDefinitions"], len(answer["failures"])), ([], 1))
    same(answer["failures"][0]["arn"], arn)


def check_delete_is_in_progress(aws):
    """A deleted revision is DELETE_IN_PROGRESS, listed as such, until nothing uses it."""
    # facts 3.6
    seen = aws.definition()
    arn = seen["taskDefinitionArn"]
    aws.ecs.deregister_task_definition(taskDefinition=arn)
    deleted = aws.ecs.delete_task_definitions(taskDefinitions=[arn])["taskDefinitions"][0]
    same(deleted["status"], "DELETE_IN_PROGRESS")
    assert deleted["deleteRequestedAt"]
    listed = aws.ecs.list_task_definitions(familyPrefix=seen["family"], status="DELETE_IN_PROGRESS")
    same(listed["taskDefinitionArns"], [arn])


def check_delete_takes_ten(aws):
    """DeleteTaskDefinitions takes at most ten revisions."""
    # facts 2.1
    names = [f"family:{number}" for number in range(1, 12)]
    codes = ("ClientException", "InvalidParameterException")
    refused(codes, aws.ecs.delete_task_definitions, taskDefinitions=names)


def check_list_is_by_exact_family(aws):
    """ListTaskDefinitions takes familyPrefix as the whole family."""
    # B:ecs ListTaskDefinitions
    arn = aws.definition()["taskDefinitionArn"]
    family = arn.split("/")[1].split(":")[0]
    same(aws.ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"], [arn])
    same(aws.ecs.list_task_definitions(familyPrefix=family[:-1])["taskDefinitionArns"], [])


def check_list_order_and_pages(aws):
    """ListTaskDefinitions sorts by revision as a number, either way, in pages."""
    # facts 2.1
    request = definition(aws.name("family"))
    for _ in range(11):
        aws.ecs.register_task_definition(**request)
    listed = lambda **more: [
        int(arn.rsplit(":", 1)[1])
        for page in aws.ecs.get_paginator("list_task_definitions").paginate(
            familyPrefix=request["family"], PaginationConfig={"PageSize": 4}, **more
        )
        for arn in page["taskDefinitionArns"]
    ]
    same(listed(), list(range(1, 12)))
    same(listed(sort="DESC"), list(range(11, 0, -1)))


def check_list_by_status(aws):
    """ListTaskDefinitions shows ACTIVE revisions unless another status is asked for."""
    # facts 3.6
    arn = aws.definition()["taskDefinitionArn"]
    family = arn.split("/")[1].split(":")[0]
    aws.ecs.deregister_task_definition(taskDefinition=arn)
    same(aws.ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"], [])
    same(aws.ecs.list_task_definitions(familyPrefix=family, status="INACTIVE")["taskDefinitionArns"], [arn])


def check_families_are_by_prefix(aws):
    """ListTaskDefinitionFamilies takes a prefix, and shows families with an ACTIVE revision unless told otherwise."""
    # B:ecs ListTaskDefinitionFamilies
    arn = aws.definition()["taskDefinitionArn"]
    family = arn.split("/")[1].split(":")[0]
    listed = lambda **more: aws.ecs.list_task_definition_families(familyPrefix=family[:-1], **more)["families"]
    same(listed(), [family])
    aws.ecs.deregister_task_definition(taskDefinition=arn)
    same((listed(status="ACTIVE"), listed(status="INACTIVE"), listed(status="ALL")), ([], [family], [family]))


def check_roles_are_kept(aws):
    """Task role and execution role come back as they were sent."""
    # B:ecs TaskDefinition
    contains(aws.definition(taskRoleArn=ROLE), {"taskRoleArn": ROLE, "executionRoleArn": ROLE})


def check_everything_sent_comes_back(aws):
    """Documented members of a container come back as they were sent."""
    # B:ecs ContainerDefinition
    container = {
        "command": ["serve", "--port", "8000"],
        "entryPoint": ["/init"],
        "environment": [{"name": "A", "value": "1"}],
        "dockerLabels": {"team": "probe"},
        "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}],
        "user": "1000",
        "workingDirectory": "/srv",
        "readonlyRootFilesystem": True,
        "logConfiguration": {"logDriver": "awslogs", "options": AWSLOGS},
        "restartPolicy": {"enabled": True, "ignoredExitCodes": [0], "restartAttemptPeriod": 60},
        "versionConsistency": "disabled",
    }
    contains(aws.definition(container)["containerDefinitions"][0], container)
    platform = {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
    same(aws.definition(runtimePlatform=platform)["runtimePlatform"], platform)


def check_ports_are_not_shared(aws):
    """Containers of an awsvpc task share its interface, so two can't listen on one port."""
    # ECS developer guide, "Task networking": a port is one container's
    port = {"portMappings": [{"containerPort": 80}]}
    refuse(aws, containerDefinitions=[{"name": "a", "image": "x"} | port, {"name": "b", "image": "x"} | port])
    both = [{"containerPort": 53, "protocol": "tcp"}, {"containerPort": 53, "protocol": "udp"}]
    aws.definition({"portMappings": both})
