"""EC2's networks, secrets, parameters, queues, event rules and alarms."""

import datetime
import hashlib
import json
import struct
import threading
import time

from kit import contains, network, refused, same


def check_subnets_are_described(aws):
    """DescribeSubnets answers with VPC, zone and state of each subnet asked for."""
    found = aws.client("ec2").describe_subnets(SubnetIds=["subnet-0a1b2c3d", "subnet-1a2b3c4d"])["Subnets"]
    same(sorted(subnet["SubnetId"] for subnet in found), ["subnet-0a1b2c3d", "subnet-1a2b3c4d"])
    assert found[0]["VpcId"].startswith("vpc-") and found[0]["AvailabilityZone"].startswith("us-east-1")
    same(found[0]["State"], "available")


def check_malformed_subnet_is_refused(aws):
    """What can't be the id of a subnet is refused."""
    refused(
        ("InvalidSubnetID.Malformed", "InvalidSubnetID.NotFound"),
        aws.client("ec2").describe_subnets,
        SubnetIds=["nonsense"],
    )


def check_security_groups_are_described(aws):
    """DescribeSecurityGroups answers with the VPC of each group, by id and by filter."""
    ec2 = aws.client("ec2")
    [group] = ec2.describe_security_groups(GroupIds=["sg-0a1b2c3d"])["SecurityGroups"]
    filters = [{"Name": "group-id", "Values": ["sg-0a1b2c3d"]}, {"Name": "vpc-id", "Values": [group["VpcId"]]}]
    same(ec2.describe_security_groups(Filters=filters)["SecurityGroups"], [group])
    filters[1]["Values"] = ["vpc-none"]
    same(ec2.describe_security_groups(Filters=filters)["SecurityGroups"], [])


def check_zones_and_vpcs(aws):
    """Zones belong to the region, and subnets to a VPC that exists."""
    zones = aws.client("ec2").describe_availability_zones()["AvailabilityZones"]
    assert len(zones) >= 2 and all(zone["RegionName"] == "us-east-1" and zone["State"] == "available" for zone in zones)
    vpc = aws.client("ec2").describe_subnets()["Subnets"][0]["VpcId"]
    same(aws.client("ec2").describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["State"], "available")


def check_secret_lives(aws):
    """A secret is made, read, given a new version and described with its stages."""
    secrets, name = aws.client("secretsmanager"), aws.name("secret")
    made = secrets.create_secret(Name=name, SecretString="one")
    assert made["ARN"].split(":secret:")[1].startswith(name + "-") and len(made["ARN"].rsplit("-", 1)[1]) == 6
    contains(
        secrets.get_secret_value(SecretId=made["ARN"]),
        {"Name": name, "SecretString": "one", "VersionStages": ["AWSCURRENT"]},
    )
    secrets.put_secret_value(SecretId=name, SecretString="two")
    same(secrets.get_secret_value(SecretId=name)["SecretString"], "two")
    same(secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["SecretString"], "one")
    same(
        sorted(sum(secrets.describe_secret(SecretId=name)["VersionIdsToStages"].values(), [])),
        ["AWSCURRENT", "AWSPREVIOUS"],
    )
    assert name in [
        secret["Name"] for page in secrets.get_paginator("list_secrets").paginate() for secret in page["SecretList"]
    ]


def check_secret_refusals(aws):
    """Missing, existing and deleted secrets have their own refusals."""
    secrets, name = aws.client("secretsmanager"), aws.name("secret")
    refused(
        "ResourceNotFoundException",
        secrets.get_secret_value,
        text="Secrets Manager can't find the specified secret.",
        SecretId=name,
    )
    secrets.create_secret(Name=name, SecretString="x")
    refused("ResourceExistsException", secrets.create_secret, text="already exists", Name=name, SecretString="x")
    assert secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)["DeletionDate"]
    refused("InvalidRequestException", secrets.get_secret_value, text="marked for deletion", SecretId=name)
    secrets.restore_secret(SecretId=name)
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    refused("ResourceNotFoundException", secrets.describe_secret, SecretId=name)


def check_binary_secret(aws):
    """A binary secret comes back as it was."""
    secrets, name = aws.client("secretsmanager"), aws.name("secret")
    secrets.create_secret(Name=name, SecretBinary=b"\x00\x01")
    same(secrets.get_secret_value(SecretId=name)["SecretBinary"], b"\x00\x01")


def check_parameter_lives(aws):
    """A parameter has versions, and is overwritten only on demand."""
    ssm, name = aws.client("ssm"), "/" + aws.name("param")
    same(ssm.put_parameter(Name=name, Value="one", Type="String")["Version"], 1)
    refused("ParameterAlreadyExists", ssm.put_parameter, Name=name, Value="two", Type="String")
    same(ssm.put_parameter(Name=name, Value="two", Overwrite=True)["Version"], 2)
    contains(
        ssm.get_parameter(Name=name)["Parameter"],
        {"Name": name, "Type": "String", "Value": "two", "Version": 2, "DataType": "text"},
    )
    same(ssm.get_parameter(Name=f"{name}:1")["Parameter"]["Value"], "one")
    ssm.delete_parameter(Name=name)
    refused("ParameterNotFound", ssm.get_parameter, Name=name)
    refused("ParameterNotFound", ssm.delete_parameter, Name=name)


def check_secure_parameter(aws):
    """A SecureString is in the clear only with decryption."""
    ssm, name = aws.client("ssm"), aws.name("param")
    ssm.put_parameter(Name=name, Value="hidden", Type="SecureString")
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] != "hidden"
    same(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"], "hidden")
    same(ssm.get_parameters(Names=[name, "none"])["InvalidParameters"], ["none"])


def check_parameters_by_path(aws):
    """GetParametersByPath goes one level down, or all, in pages of ten."""
    ssm, root = aws.client("ssm"), "/" + aws.name("path")
    for number in range(12):
        ssm.put_parameter(Name=f"{root}/a/{number:02}", Value="x", Type="String")
    ssm.put_parameter(Name=f"{root}/top", Value="x", Type="String")
    same([one["Name"] for one in ssm.get_parameters_by_path(Path=root)["Parameters"]], [f"{root}/top"])
    pages = list(ssm.get_paginator("get_parameters_by_path").paginate(Path=root, Recursive=True))
    same(sum(len(page["Parameters"]) for page in pages), 13)
    assert len(pages) > 1


def check_parameters_are_described(aws):
    """DescribeParameters filters by name and shows no value."""
    ssm, name = aws.client("ssm"), aws.name("param")
    ssm.put_parameter(Name=name, Value="x", Type="String", Description="why")
    [found] = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"]
    contains(found, {"Name": name, "Type": "String", "Description": "why", "Tier": "Standard", "Version": 1})
    assert "Value" not in found


def queue(aws, **attributes):
    return aws.client("sqs").create_queue(QueueName=aws.name("queue"), Attributes=attributes)["QueueUrl"]


def check_queue_exists_once(aws):
    """The same CreateQueue again is no error; other attributes are."""
    sqs, name = aws.client("sqs"), aws.name("queue")
    first = sqs.create_queue(QueueName=name)["QueueUrl"]
    same(sqs.create_queue(QueueName=name)["QueueUrl"], first)
    same(sqs.get_queue_url(QueueName=name)["QueueUrl"], first)
    refused("QueueAlreadyExists", sqs.create_queue, QueueName=name, Attributes={"VisibilityTimeout": "5"})
    assert first in sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]
    refused("AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_url, QueueName=aws.name("none"))


def check_message_is_received_once(aws):
    """A message received is hidden until its visibility timeout, or deleted for good."""
    sqs, url = aws.client("sqs"), queue(aws)
    sent = sqs.send_message(
        QueueUrl=url, MessageBody="hello", MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}}
    )
    same(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592")
    [message] = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])["Messages"]
    contains(message, {"MessageId": sent["MessageId"], "Body": "hello", "MD5OfBody": sent["MD5OfMessageBody"]})
    contains(message["Attributes"], {"ApproximateReceiveCount": "1"})
    same(message["MessageAttributes"]["k"]["StringValue"], "v")
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    contains(
        counts,
        {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "1", "VisibilityTimeout": "30"},
    )
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    [again] = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    same(
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])["Attributes"],
        {"ApproximateNumberOfMessagesNotVisible": "0"},
    )


def check_message_batches(aws):
    """Batches hold ten distinct entries, and answer each."""
    sqs, url = aws.client("sqs"), queue(aws)
    entries = [{"Id": str(number), "MessageBody": "x"} for number in range(10)]
    same(len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]), 10)
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)["Messages"]
    gone = [{"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]} for index, message in enumerate(messages)]
    same(len(sqs.delete_message_batch(QueueUrl=url, Entries=gone)["Successful"]), 10)
    refused(
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", sqs.send_message_batch, QueueUrl=url, Entries=entries[:1] * 2
    )
    refused(
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        sqs.send_message_batch,
        QueueUrl=url,
        Entries=entries + [{"Id": "x", "MessageBody": "x"}],
    )


def check_queue_refusals(aws):
    """Bad receipts, counts and missing queues are refused."""
    sqs, url = aws.client("sqs"), queue(aws)
    refused("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle="nonsense")
    refused("InvalidParameterValue", sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
    sqs.delete_queue(QueueUrl=url)
    refused("AWS.SimpleQueueService.NonExistentQueue", sqs.receive_message, QueueUrl=url)


def check_receive_waits_for_a_message(aws):
    """A receive with a wait time returns when a message comes meanwhile, and without one when its time is over."""
    # facts 11.3
    sqs, url = aws.client("sqs"), queue(aws)
    began = time.monotonic()
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert time.monotonic() - began > 0.9
    sender = threading.Timer(0.5, lambda: sqs.send_message(QueueUrl=url, MessageBody="late"))
    sender.start()
    began = time.monotonic()
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=15)["Messages"]
    sender.join()
    same(message["Body"], "late")
    assert time.monotonic() - began < 10


def check_queue_is_purged(aws):
    """PurgeQueue empties a queue, once a minute."""
    sqs, url = aws.client("sqs"), queue(aws)
    sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=900)
    same(
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"][
            "ApproximateNumberOfMessagesDelayed"
        ],
        "1",
    )
    sqs.purge_queue(QueueUrl=url)
    same(
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"][
            "ApproximateNumberOfMessagesDelayed"
        ],
        "0",
    )
    refused("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=url)


def check_rule_lives(aws):
    """A rule is put, described, listed and deleted once it has no targets."""
    events, name = aws.client("events"), aws.name("rule")
    refused("InvalidEventPatternException", events.put_rule, Name=name, EventPattern='{"source": "aws.ecs"}')
    refused("ValidationException", events.put_rule, Name=name)
    arn = events.put_rule(Name=name, EventPattern='{"source": ["aws.ecs"]}')["RuleArn"]
    contains(events.describe_rule(Name=name), {"Name": name, "Arn": arn, "State": "ENABLED", "EventBusName": "default"})
    target = {"Id": "q", "Arn": "arn:aws:sqs:us-east-1:111122223333:none"}
    same(events.put_targets(Rule=name, Targets=[target])["FailedEntryCount"], 0)
    same(events.list_targets_by_rule(Rule=name)["Targets"], [target])
    refused("ValidationException", events.delete_rule, text="since it has targets", Name=name)
    events.remove_targets(Rule=name, Ids=["q"])
    events.delete_rule(Name=name)
    refused("ResourceNotFoundException", events.describe_rule, Name=name)


def listening(aws, pattern):
    """A queue that gets the events of a pattern, and how to read them."""
    sqs, events, url, name = aws.client("sqs"), aws.client("events"), queue(aws), aws.name("rule")
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": arn}])

    def read():
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=43200).get(
            "Messages", []
        )
        return [json.loads(message["Body"]) for message in messages]

    return read


def check_events_are_delivered(aws):
    """PutEvents reaches the queue of a rule that wants the event, and no other."""
    source = aws.name("source")
    read = listening(aws, {"source": [source], "detail": {"n": [{"numeric": [">", 1]}]}})
    entry = lambda n: {"Source": source, "DetailType": "test", "Detail": json.dumps({"n": n}), "Resources": ["r"]}
    answer = aws.client("events").put_events(
        Entries=[entry(1), entry(2), {"Source": source, "DetailType": "x", "Detail": "no"}]
    )
    same(answer["FailedEntryCount"], 1)
    same(answer["Entries"][2]["ErrorCode"], "MalformedDetail")
    [event] = aws.until("the event", read)
    contains(
        event, {"source": source, "detail-type": "test", "detail": {"n": 2}, "resources": ["r"], "region": "us-east-1"}
    )
    same(event["id"], answer["Entries"][1]["EventId"])


def check_ecs_tells_of_tasks_and_deployments(aws):
    """Tasks, deployments and services of ECS send their events."""
    cluster = aws.cluster()
    arn = aws.ecs.describe_clusters(clusters=[cluster])["clusters"][0]["clusterArn"]
    tasks = listening(
        aws, {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": {"clusterArn": [arn]}}
    )
    actions = listening(
        aws, {"source": ["aws.ecs"], "detail-type": ["ECS Service Action"], "detail": {"clusterArn": [arn]}}
    )
    rollouts = listening(
        aws, {"detail-type": ["ECS Deployment State Change"], "resources": [{"wildcard": f"*{cluster}*"}]}
    )
    service = aws.service(cluster, desiredCount=1, networkConfiguration=network())
    aws.steady(cluster, service["serviceName"])
    seen = []

    def running():
        seen.extend(tasks())
        return [event for event in seen if event["detail"]["lastStatus"] == "RUNNING"]

    event = aws.until("a running task is told", running)[0]
    contains(
        event["detail"],
        {
            "clusterArn": arn,
            "group": f"service:{service['serviceName']}",
            "desiredStatus": "RUNNING",
            "launchType": "FARGATE",
        },
    )
    same(event["resources"], [event["detail"]["taskArn"]])
    assert event["detail"]["createdAt"].endswith("Z") and event["detail"]["version"] > 1
    steady = aws.until("the steady state is told", actions)
    contains(steady[0]["detail"], {"eventType": "INFO", "eventName": "SERVICE_STEADY_STATE"})
    names = []
    aws.until(
        "the deployment is told",
        lambda: names.extend(e["detail"]["eventName"] for e in rollouts()) or "SERVICE_DEPLOYMENT_COMPLETED" in names,
    )
    same(names[0], "SERVICE_DEPLOYMENT_IN_PROGRESS")


def check_alarm_lives(aws):
    """An alarm begins without data, takes a state it is told, and is deleted."""
    cloudwatch, name = aws.client("cloudwatch"), aws.name("alarm")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        MetricName="m",
        Namespace="own",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    find = lambda: cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    contains(
        find()[0], {"AlarmName": name, "StateValue": "INSUFFICIENT_DATA", "ActionsEnabled": True, "Threshold": 1.0}
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    same(find()[0]["StateValue"], "ALARM")
    cloudwatch.delete_alarms(AlarmNames=[name])
    same(find(), [])
    refused(
        ("ResourceNotFound", "ResourceNotFoundException"),
        cloudwatch.set_alarm_state,
        AlarmName=name,
        StateValue="OK",
        StateReason="x",
    )


def check_alarms_of_target_tracking_exist(aws):
    """The two alarms PutScalingPolicy names are there."""
    cluster = aws.cluster()
    service = aws.service(cluster)["serviceName"]
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{cluster}/{service}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    aws.scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=2)
    alarms = aws.scaling.put_scaling_policy(
        **target,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        },
    )["Alarms"]
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=[alarm["AlarmName"] for alarm in alarms])[
        "MetricAlarms"
    ]
    same(sorted(alarm["AlarmArn"] for alarm in found), sorted(alarm["AlarmARN"] for alarm in alarms))
    same({alarm["Namespace"] for alarm in found}, {"AWS/ECS"})


def check_metric_data(aws):
    """Data points put are listed and averaged."""
    cloudwatch, space = aws.client("cloudwatch"), aws.name("space")
    at = datetime.datetime(2026, 1, 1, 12, 0, 30, tzinfo=datetime.timezone.utc)
    cloudwatch.put_metric_data(
        Namespace=space, MetricData=[{"MetricName": "m", "Value": value, "Timestamp": at} for value in (1.0, 3.0)]
    )
    same([metric["MetricName"] for metric in cloudwatch.list_metrics(Namespace=space)["Metrics"]], ["m"])
    hour = datetime.timedelta(hours=1)
    query = {
        "Id": "q",
        "MetricStat": {"Metric": {"Namespace": space, "MetricName": "m"}, "Period": 60, "Stat": "Average"},
    }
    [result] = cloudwatch.get_metric_data(MetricDataQueries=[query], StartTime=at - hour, EndTime=at + hour)[
        "MetricDataResults"
    ]
    same(result["Values"], [2.0])


def check_role_lives(aws):
    """A role is made, found by name with its trust policy, and deleted without policies."""
    iam, name = aws.client("iam"), aws.name("role")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    refused("NoSuchEntity", iam.get_role, text=f"The role with name {name} cannot be found.", RoleName=name)
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    assert made["Arn"].endswith(f":role/{name}")
    same(iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"], trust)
    policy = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    same(
        iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"],
        [{"PolicyName": policy.rsplit("/", 1)[1], "PolicyArn": policy}],
    )
    refused("DeleteConflict", iam.delete_role, RoleName=name)
    iam.detach_role_policy(RoleName=name, PolicyArn=policy)
    assert name in [role["RoleName"] for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]]
    iam.delete_role(RoleName=name)


def check_messages_attributes_are_summed(aws):
    """The checksum of message attributes covers names, types and values."""
    sqs, url = aws.client("sqs"), queue(aws)
    sent = sqs.send_message(
        QueueUrl=url, MessageBody="x", MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}}
    )
    part = lambda text: struct.pack("!I", len(text)) + text.encode()
    expected = hashlib.md5(part("k") + part("String") + b"\x01" + part("v")).hexdigest()
    same(sent["MD5OfMessageAttributes"], expected)


def check_service_linked_role(aws):
    """The service-linked role of ECS is made once: then its name is taken, and GetRole finds it."""
    # facts 4.11
    iam = aws.client("iam")
    try:
        iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    except iam.exceptions.InvalidInputException:  # as in any account that ever had a service
        pass
    refused("InvalidInput", iam.create_service_linked_role, AWSServiceName="ecs.amazonaws.com")
    role = iam.get_role(RoleName="AWSServiceRoleForECS")["Role"]
    same(role["Path"], "/aws-service-role/ecs.amazonaws.com/")
