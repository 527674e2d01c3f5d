"""What ECS does by itself: tasks start, deployments complete or fail, services say so in events."""

from kit import contains, network, refused, same

HEALTH = {"healthCheck": {"command": ["CMD-SHELL", "true"]}}
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}, "maximumPercent": 200, "minimumHealthyPercent": 100}


def messages(service):
    return [event["message"] for event in service["events"]]


def bad_image(aws):
    """The name of an image that is missing from a repository that exists."""
    name = aws.name("repository")
    answer = aws.client("ecr").create_repository(repositoryName=name)
    return f"{answer['repository']['repositoryUri']}:missing"


def running(aws, count=1, **changes):
    """A cluster and a steady service in it."""
    cluster = aws.cluster()
    service = aws.service(cluster, desiredCount=count, **changes)
    return cluster, aws.steady(cluster, service["serviceName"])


def check_tasks_start(aws):
    """A new service starts its tasks: first pending, then running, until the deployment is COMPLETED."""
    # facts 5.1
    cluster = aws.cluster()
    service = aws.service(cluster, desiredCount=2)
    same((service["pendingCount"] + service["runningCount"] <= 2, service["deployments"][0]["rolloutState"]), (True, "IN_PROGRESS"))
    seen = aws.steady(cluster, service["serviceName"])
    contains(seen, {"runningCount": 2, "pendingCount": 0})
    contains(seen["deployments"][0], {"runningCount": 2, "pendingCount": 0, "desiredCount": 2})
    same(seen["deployments"][0]["rolloutStateReason"], f"ECS deployment {seen['deployments'][0]['id']} completed.")


def check_stable_waiter(aws):
    """The ServicesStable waiter is content with a service whose tasks run."""
    # facts 5.1
    cluster = aws.cluster()
    name = aws.service(cluster, desiredCount=1)["serviceName"]
    waiter = aws.ecs.get_waiter("services_stable")
    waiter.wait(cluster=cluster, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 15})


def check_steady_state_event(aws):
    """A service that is as it should be says so: has reached a steady state."""
    # facts 5.6
    _, service = running(aws)
    name = service["serviceName"]
    assert f"(service {name}) has reached a steady state." in messages(service)
    assert all(event["id"] and event["createdAt"] for event in service["events"])


def check_started_event(aws):
    """A service says which tasks it started, and its newest event comes first."""
    # facts 5.6
    cluster, service = running(aws, 2)
    [started] = [text for text in messages(service) if "has started" in text]
    assert started.startswith(f"(service {service['serviceName']}) has started 2 tasks: (task ")
    for arn in aws.ecs.list_tasks(cluster=cluster, serviceName=service["serviceName"])["taskArns"]:
        assert f"(task {arn.rsplit('/', 1)[1]})" in started
    dates = [event["createdAt"] for event in service["events"]]
    same(dates, sorted(dates, reverse=True), "order of events")


def check_completed_event(aws):
    """A completed deployment is an event of the service."""
    # facts 5.6
    _, service = running(aws)
    identity = service["deployments"][0]["id"]
    assert any(f"(deployment {identity}) deployment completed" in text for text in messages(service))


def check_health_reaches_the_task(aws):
    """A container health check makes container and task HEALTHY."""
    # facts 3.2
    cluster, service = running(aws, taskDefinition=aws.definition(HEALTH)["taskDefinitionArn"])
    [task] = aws.tasks(cluster, service["serviceName"])
    same((task["healthStatus"], task["containers"][0]["healthStatus"]), ("HEALTHY", "HEALTHY"))


def check_unchecked_health_is_unknown(aws):
    """Without a health check the health of a task is UNKNOWN for ever."""
    # facts 3.2
    cluster, service = running(aws)
    [task] = aws.tasks(cluster, service["serviceName"])
    same((task["healthStatus"], task["containers"][0]["healthStatus"]), ("UNKNOWN", "UNKNOWN"))


def check_scale_out_and_in(aws):
    """A higher desired count starts tasks, a lower one stops some, with the deployment as the reason."""
    # facts 5.5
    cluster, service = running(aws, 1)
    name = service["serviceName"]
    aws.ecs.update_service(cluster=cluster, service=name, desiredCount=3)
    aws.until("three tasks", lambda: aws.seen(cluster, name)["runningCount"] == 3)
    aws.ecs.update_service(cluster=cluster, service=name, desiredCount=1)
    aws.until("one task", lambda: aws.seen(cluster, name)["runningCount"] == 1)
    stopped = aws.until("a stopped task", lambda: aws.tasks(cluster, name, desiredStatus="STOPPED"))
    same(stopped[0]["stopCode"], "ServiceSchedulerInitiated")
    assert stopped[0]["stoppedReason"].startswith("Scaling activity initiated by (deployment ecs-svc/")


def check_scale_to_zero(aws):
    """A service scaled to zero stops all its tasks and stays ACTIVE."""
    # facts 4.9
    cluster, service = running(aws)
    name = service["serviceName"]
    aws.ecs.update_service(cluster=cluster, service=name, desiredCount=0)
    seen = aws.until("no task", lambda: (lambda s: s if s["runningCount"] == 0 else None)(aws.seen(cluster, name)))
    same((seen["status"], seen["desiredCount"]), ("ACTIVE", 0))


def check_rolling_update(aws):
    """A new task definition rolls: two deployments for a while, PRIMARY and ACTIVE, and one at the end."""
    # facts 5.1
    cluster, service = running(aws, 2)
    name, new = service["serviceName"], aws.definition()["taskDefinitionArn"]
    answer = aws.ecs.update_service(cluster=cluster, service=name, taskDefinition=new)["service"]
    same([deployment["status"] for deployment in answer["deployments"]], ["PRIMARY", "ACTIVE"])
    same(answer["deployments"][0]["taskDefinition"], new)
    done = aws.until("one deployment", lambda: (lambda s: s if len(s["deployments"]) == 1 else None)(aws.seen(cluster, name)))
    same(done["deployments"][0]["taskDefinition"], new)
    aws.steady(cluster, name)
    same({task["taskDefinitionArn"] for task in aws.tasks(cluster, name)}, {new})


def check_rolling_keeps_the_minimum(aws):
    """While a deployment rolls at 100 and 200 percent, no fewer tasks run than desired."""
    # facts 4.6
    cluster, service = running(aws, 2)
    name, new = service["serviceName"], aws.definition()["taskDefinitionArn"]
    aws.ecs.update_service(cluster=cluster, service=name, taskDefinition=new)

    def over():
        seen = aws.seen(cluster, name)
        assert 2 <= seen["runningCount"] <= 4, f"{seen['runningCount']} tasks run"
        return len(seen["deployments"]) == 1

    aws.until("the end of the deployment", over)


def check_deadlock_event(aws):
    """With one task, a minimum of 100 and a maximum of 100 percent nothing can move, and an event says so."""
    # facts 4.6
    fixed = {"minimumHealthyPercent": 100, "maximumPercent": 100}
    cluster, service = running(aws, 1, deploymentConfiguration=fixed, availabilityZoneRebalancing="DISABLED")
    name = service["serviceName"]
    aws.ecs.update_service(cluster=cluster, service=name, forceNewDeployment=True)
    text = "was unable to stop or start tasks during a deployment because of the service deployment configuration"
    aws.until("the event", lambda: any(text in message for message in messages(aws.seen(cluster, name))))


def check_minimum_of_zero_stops_first(aws):
    """With a minimum of 0 and a maximum of 100 percent old tasks stop before new ones start."""
    # facts 4.6
    loose = {"minimumHealthyPercent": 0, "maximumPercent": 100}
    cluster, service = running(aws, 1, deploymentConfiguration=loose, availabilityZoneRebalancing="DISABLED")
    name = service["serviceName"]
    aws.ecs.update_service(cluster=cluster, service=name, forceNewDeployment=True)

    def over():
        seen = aws.seen(cluster, name)
        assert seen["runningCount"] + seen["pendingCount"] <= 1
        return len(seen["deployments"]) == 1 and seen["runningCount"] == 1

    aws.until("the end of the deployment", over)


def check_pull_failure(aws):
    """A task whose image is missing stops with TaskFailedToStart and CannotPullContainerError."""
    # facts 5.5
    cluster = aws.cluster()
    definition = aws.definition({"image": bad_image(aws)})["taskDefinitionArn"]
    name = aws.service(cluster, desiredCount=1, taskDefinition=definition)["serviceName"]
    task = aws.until("a stopped task", lambda: aws.tasks(cluster, name, desiredStatus="STOPPED"))[0]
    same((task["stopCode"], task["desiredStatus"]), ("TaskFailedToStart", "STOPPED"))
    assert task["stoppedReason"].startswith("CannotPullContainerError")
    assert aws.until("a failed task", lambda: aws.seen(cluster, name)["deployments"][0]["failedTasks"])


def check_missing_log_group(aws):
    """A task whose log group is missing stops with ResourceInitializationError."""
    # facts 5.5
    group = aws.name("/nowhere")
    aws.logs.create_log_group(logGroupName=group)
    aws.logs.delete_log_group(logGroupName=group)
    options = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
    container = {"logConfiguration": {"logDriver": "awslogs", "options": options}}
    cluster, definition = aws.cluster(), aws.definition(container)["taskDefinitionArn"]
    name = aws.service(cluster, desiredCount=1, taskDefinition=definition)["serviceName"]
    task = aws.until("a stopped task", lambda: aws.tasks(cluster, name, desiredStatus="STOPPED"))[0]
    assert task["stoppedReason"].startswith("ResourceInitializationError")
    assert "The specified log group does not exist" in task["stoppedReason"]


def check_logs_are_written(aws):
    """A running task has a log stream called prefix/container/task."""
    # facts 9
    group = aws.name("/probe/logs")
    aws.logs.create_log_group(logGroupName=group)
    options = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
    container = {"logConfiguration": {"logDriver": "awslogs", "options": options}}
    cluster, service = running(aws, taskDefinition=aws.definition(container)["taskDefinitionArn"])
    [task] = aws.tasks(cluster, service["serviceName"])
    streams = [stream["logStreamName"] for stream in aws.logs.describe_log_streams(logGroupName=group)["logStreams"]]
    same(streams, [f"ecs/app/{task['taskArn'].rsplit('/', 1)[1]}"])


def check_output_is_logged(aws):
    """What a container writes is in its log stream."""
    # facts 9
    group = aws.name("/probe/logs")
    aws.logs.create_log_group(logGroupName=group)
    options = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
    container = {"logConfiguration": {"logDriver": "awslogs", "options": options}, "command": ["echo", "hello probe"]}
    run = {"cluster": aws.cluster(), "launchType": "FARGATE", "networkConfiguration": network()}
    aws.ecs.run_task(taskDefinition=aws.definition(container)["taskDefinitionArn"], **run)
    found = lambda: aws.logs.filter_log_events(logGroupName=group, filterPattern="hello")["events"]
    same(aws.until("the line", found)[0]["message"], "hello probe")


def check_inconsistent_start_event(aws):
    """Without a circuit breaker tasks that keep failing are tried again, ever more slowly, and an event says so."""
    # facts 5.2
    cluster = aws.cluster()
    definition = aws.definition({"image": bad_image(aws)})["taskDefinitionArn"]
    name = aws.service(cluster, desiredCount=1, taskDefinition=definition)["serviceName"]
    text = f"(service {name}) is unable to consistently start tasks successfully."
    aws.until("the event", lambda: any(text in message for message in messages(aws.seen(cluster, name))))
    same(aws.seen(cluster, name)["deployments"][0]["rolloutState"], "IN_PROGRESS")


def check_breaker_stalls_without_a_good_deployment(aws):
    """The circuit breaker fails a first deployment after three tasks; with nothing to roll back to it stalls."""
    # facts 5.2
    cluster = aws.cluster()
    definition = aws.definition({"image": bad_image(aws)})["taskDefinitionArn"]
    name = aws.service(cluster, desiredCount=1, taskDefinition=definition, deploymentConfiguration=BREAKER)["serviceName"]
    primary = lambda: aws.seen(cluster, name)["deployments"][0]
    aws.until("FAILED", lambda: primary()["rolloutState"] == "FAILED")
    seen = primary()
    assert seen["failedTasks"] >= 3 and "circuit breaker" in seen["rolloutStateReason"]
    assert any("deployment failed: tasks failed to start" in text for text in messages(aws.seen(cluster, name)))


def check_breaker_rolls_back(aws):
    """The circuit breaker rolls a bad deployment back to the last completed one."""
    # facts 5.2
    cluster, service = running(aws, 1, deploymentConfiguration=BREAKER)
    name, good = service["serviceName"], service["taskDefinition"]
    bad = aws.definition({"image": bad_image(aws)})["taskDefinitionArn"]
    aws.ecs.update_service(cluster=cluster, service=name, taskDefinition=bad)
    back = lambda: aws.seen(cluster, name)["deployments"][0]
    aws.until("the old definition", lambda: back()["taskDefinition"] == good and back()["rolloutState"] == "COMPLETED")
    same(aws.seen(cluster, name)["taskDefinition"], good)
    texts = messages(aws.seen(cluster, name))
    assert any("rolling back to" in text for text in texts)
    [latest] = aws.ecs.list_service_deployments(cluster=cluster, service=name, maxResults=1)["serviceDeployments"]
    same(latest["status"], "ROLLBACK_SUCCESSFUL")


def check_breaker_is_described(aws):
    """A service deployment shows its circuit breaker: status, failures, and a threshold of 3 for few tasks."""
    # facts 5.2, 5.3
    cluster, service = running(aws, 2, deploymentConfiguration=BREAKER)
    arn = service["currentServiceDeployment"]
    [seen] = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
    contains(seen["deploymentCircuitBreaker"], {"status": "MONITORING_COMPLETE", "failureCount": 0, "threshold": 3})


def check_breaker_threshold(aws):
    """The threshold of the circuit breaker can be a number of tasks, and its type is one of three."""
    # facts 5.2
    breaker = lambda kind: {
        "deploymentCircuitBreaker": {
            "enable": True,
            "rollback": False,
            "thresholdConfiguration": {"type": kind, "value": 5},
        }
    }
    cluster = aws.cluster()
    arn = aws.service(cluster, deploymentConfiguration=breaker("COUNT"))["currentServiceDeployment"]
    [seen] = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
    same(seen["deploymentCircuitBreaker"]["threshold"], 5)
    refused("InvalidParameterException", aws.service, cluster=cluster, deploymentConfiguration=breaker("MOOD"))


def check_service_deployments(aws):
    """Every deployment has a service deployment; the latest is the service's current one and succeeds."""
    # facts 5.3
    cluster, service = running(aws)
    name = service["serviceName"]
    [brief] = aws.ecs.list_service_deployments(cluster=cluster, service=name)["serviceDeployments"]
    contains(brief, {"status": "SUCCESSFUL", "serviceArn": service["serviceArn"]})
    same(brief["serviceDeploymentArn"], service["currentServiceDeployment"])
    assert brief["finishedAt"] and brief["createdAt"] and brief["startedAt"]
    aws.ecs.update_service(cluster=cluster, service=name, forceNewDeployment=True)
    same(len(aws.ecs.list_service_deployments(cluster=cluster, service=name)["serviceDeployments"]), 2)


def check_service_deployment_filters(aws):
    """ListServiceDeployments filters by status and by date."""
    # facts 5.3
    cluster, service = running(aws)
    name = service["serviceName"]
    listed = lambda **more: aws.ecs.list_service_deployments(cluster=cluster, service=name, **more)["serviceDeployments"]
    same((len(listed(status=["SUCCESSFUL"])), len(listed(status=["STOPPED"]))), (1, 0))
    created = listed()[0]["createdAt"]
    same((len(listed(createdAt={"after": created})), len(listed(createdAt={"before": created}))), (1, 1))
    refused("ServiceNotFoundException", aws.ecs.list_service_deployments, cluster=cluster, service=aws.name("nobody"))


def check_service_deployment_details(aws):
    """DescribeServiceDeployments shows source and target revisions with their counts, and the configuration."""
    # facts 5.3
    cluster, service = running(aws, 2)
    arn = service["currentServiceDeployment"]
    [seen] = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
    contains(seen["targetServiceRevision"], {"requestedTaskCount": 2, "runningTaskCount": 2, "pendingTaskCount": 0})
    contains(seen["deploymentConfiguration"], {"maximumPercent": 200})
    same(seen["sourceServiceRevisions"], [])


def check_missing_service_deployment(aws):
    """DescribeServiceDeployments answers MISSING for what it does not know, and takes at most twenty."""
    # facts 2.1
    arn = "arn:aws:ecs:us-east-1:111122223333:service-deployment/nobody/nobody/0123456789"
    answer = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
    same((answer["serviceDeployments"], answer["failures"][0]["reason"]), ([], "MISSING"))
    refused("InvalidParameterException", aws.ecs.describe_service_deployments, serviceDeploymentArns=[arn] * 21)


def check_newer_deployment_stops_the_running_one(aws):
    """A deployment that starts while another runs stops it."""
    # facts 5.3
    cluster = aws.cluster()
    definition = aws.definition({"image": bad_image(aws)})["taskDefinitionArn"]
    name = aws.service(cluster, desiredCount=1, taskDefinition=definition)["serviceName"]
    aws.ecs.update_service(cluster=cluster, service=name, forceNewDeployment=True)
    listed = lambda: aws.ecs.list_service_deployments(cluster=cluster, service=name)["serviceDeployments"]
    aws.until("STOPPED", lambda: {item["status"] for item in listed()} >= {"STOPPED", "IN_PROGRESS"})


def check_stop_rolls_back(aws):
    """StopServiceDeployment rolls back to the last completed deployment, breaker or not."""
    # facts 5.3
    cluster, service = running(aws)
    name, good = service["serviceName"], service["taskDefinition"]
    bad = aws.definition({"image": bad_image(aws)})["taskDefinitionArn"]
    update = aws.ecs.update_service(cluster=cluster, service=name, taskDefinition=bad)["service"]
    arn = update["currentServiceDeployment"]
    same(aws.ecs.stop_service_deployment(serviceDeploymentArn=arn)["serviceDeploymentArn"], arn)
    aws.until("the old definition", lambda: aws.seen(cluster, name)["taskDefinition"] == good)


def check_stop_of_finished(aws):
    """A service deployment that is over can't be stopped, and one that never was is not found."""
    # facts 5.3
    _, service = running(aws)
    stop = aws.ecs.stop_service_deployment
    refused("ConflictException", stop, serviceDeploymentArn=service["currentServiceDeployment"])
    arn = service["currentServiceDeployment"][:-3] + "xyz"
    refused("ServiceDeploymentNotFoundException", stop, serviceDeploymentArn=arn)


def check_service_revision(aws):
    """A service revision keeps task definition, network, launch type and the digests of the images."""
    # facts 5.3, 5.4
    cluster, service = running(aws)
    [arn] = [revision["arn"] for revision in service["currentServiceRevisions"]]
    [seen] = aws.ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"]
    contains(seen, {"taskDefinition": service["taskDefinition"], "launchType": "FARGATE", "serviceArn": service["serviceArn"]})
    same(seen["networkConfiguration"], service["networkConfiguration"])
    [image] = seen["containerImages"]
    contains(image, {"containerName": "app"})
    [task] = aws.tasks(cluster, service["serviceName"])
    same(image["imageDigest"], task["containers"][0]["imageDigest"])


def check_missing_service_revision(aws):
    """DescribeServiceRevisions answers MISSING for what it does not know."""
    # facts 5.3
    arn = "arn:aws:ecs:us-east-1:111122223333:service-revision/nobody/nobody/0123456789"
    answer = aws.ecs.describe_service_revisions(serviceRevisionArns=[arn])
    same((answer["serviceRevisions"], answer["failures"][0]["reason"]), ([], "MISSING"))


def check_targets_are_registered(aws):
    """Tasks of a service behind a target group are registered with address and container port, and turn healthy."""
    # facts 7.1, 7.5
    group = aws.target_group()
    aws.listener(aws.balancer(), group)
    balancers = [{"targetGroupArn": group, "containerName": "app", "containerPort": 8000}]
    cluster, service = running(aws, 2, loadBalancers=balancers)
    health = aws.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    same({(target["Target"]["Port"], target["TargetHealth"]["State"]) for target in health}, {(8000, "healthy")})
    details = lambda task: {item["name"]: item["value"] for item in task["attachments"][0]["details"]}
    addresses = {details(task)["privateIPv4Address"] for task in aws.tasks(cluster, service["serviceName"])}
    same({target["Target"]["Id"] for target in health}, addresses)
    assert any("registered" in text and group in text for text in messages(service))


def check_targets_are_drained(aws):
    """A stopped task's target drains before it goes."""
    # facts 7.3
    group = aws.target_group()
    aws.listener(aws.balancer(), group)
    balancers = [{"targetGroupArn": group, "containerName": "app", "containerPort": 8000}]
    cluster, service = running(aws, 1, loadBalancers=balancers)
    name = service["serviceName"]
    aws.ecs.update_service(cluster=cluster, service=name, desiredCount=0)
    states = lambda: [t["TargetHealth"]["State"] for t in aws.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]]
    assert set(states()) <= {"draining"}
    aws.until("no targets", lambda: not states())


def check_failing_health_check_replaces_tasks(aws):
    """A task that fails its container health check is stopped for it and replaced."""
    # facts 3.2, 5.5
    check = {"command": ["CMD-SHELL", "exit 1"], "interval": 5, "retries": 1}
    definition = aws.definition({"healthCheck": check})["taskDefinitionArn"]
    cluster = aws.cluster()
    name = aws.service(cluster, desiredCount=1, taskDefinition=definition)["serviceName"]
    stopped = aws.until("a stopped task", lambda: aws.tasks(cluster, name, desiredStatus="STOPPED"))[0]
    contains(stopped, {"stoppedReason": "Task failed container health checks", "healthStatus": "UNHEALTHY"})
    aws.until("another task", lambda: aws.ecs.list_tasks(cluster=cluster, serviceName=name)["taskArns"])


def check_crashing_containers_trip_the_breaker(aws):
    """Containers that exit at once trip the circuit breaker, and show their exit code."""
    # facts 5.2, 5.5
    definition = aws.definition({"command": ["sh", "-c", "exit 3"]})["taskDefinitionArn"]
    cluster = aws.cluster()
    name = aws.service(cluster, desiredCount=1, taskDefinition=definition, deploymentConfiguration=BREAKER)["serviceName"]
    aws.until("FAILED", lambda: aws.seen(cluster, name)["deployments"][0]["rolloutState"] == "FAILED")
    stopped = aws.tasks(cluster, name, desiredStatus="STOPPED")[0]
    same((stopped["stopCode"], stopped["containers"][0]["exitCode"]), ("EssentialContainerExited", 3))


def check_stopped_task_is_replaced(aws):
    """A service replaces a task that somebody stops."""
    # facts 5.5
    cluster, service = running(aws)
    name = service["serviceName"]
    [old] = aws.ecs.list_tasks(cluster=cluster, serviceName=name)["taskArns"]
    aws.ecs.stop_task(cluster=cluster, task=old, reason="probing")
    aws.until("another task", lambda: set(aws.ecs.list_tasks(cluster=cluster, serviceName=name)["taskArns"]) - {old})
    aws.until("running again", lambda: aws.seen(cluster, name)["runningCount"] == 1)
    [task] = aws.ecs.describe_tasks(cluster=cluster, tasks=[old])["tasks"]
    same((task["stopCode"], task["stoppedReason"]), ("UserInitiated", "probing"))


def check_deletion_stops_tasks(aws):
    """Tasks of a deleted service are stopped by the scheduler, for its deployment."""
    # facts 5.5
    cluster, service = running(aws)
    [task] = aws.tasks(cluster, service["serviceName"])
    aws.ecs.delete_service(cluster=cluster, service=service["serviceName"], force=True)

    def stopping():
        seen = aws.ecs.describe_tasks(cluster=cluster, tasks=[task["taskArn"]])["tasks"][0]
        return seen if seen["desiredStatus"] == "STOPPED" else None

    stopped = aws.until("the task is stopping", stopping)
    same(stopped["stopCode"], "ServiceSchedulerInitiated")
    same(stopped["stoppedReason"], f"Scaling activity initiated by (deployment {task['startedBy']})")


def check_completion_is_told(aws):
    """A rollout that is done leaves two events: the deployment completed, the service has reached a steady state."""
    # facts 5.6
    cluster, service = running(aws)
    seen = aws.seen(cluster, service["serviceName"])
    deployment = seen["deployments"][0]["id"]
    messages = [event["message"] for event in seen["events"]]
    assert f"(service {service['serviceName']}) (deployment {deployment}) deployment completed." in messages, messages
