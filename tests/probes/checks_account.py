"""What belongs to the account: ECS tags and settings, the protocol's manners, and STS."""

from kit import ROLE, contains, network, refused, same

INVALID = "InvalidParameterException"
TAGS = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]


def tagged(aws, arn):
    return sorted(aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"], key=lambda tag: tag["key"])


def resources(aws):
    """One resource of each kind that takes tags: its ARN."""
    cluster = aws.cluster()
    definition = aws.definition()["taskDefinitionArn"]
    yield aws.ecs.describe_clusters(clusters=[cluster])["clusters"][0]["clusterArn"]
    yield definition
    yield aws.service(cluster, taskDefinition=definition)["serviceArn"]
    run = {"cluster": cluster, "launchType": "FARGATE", "networkConfiguration": network()}
    yield aws.ecs.run_task(taskDefinition=definition, **run)["tasks"][0]["taskArn"]


def check_tags_come_and_go(aws):
    """Clusters, services, tasks and task definitions take tags, change them and lose them by ARN."""
    # facts 2.3
    for arn in resources(aws):
        same(tagged(aws, arn), [], arn)
        aws.ecs.tag_resource(resourceArn=arn, tags=TAGS)
        aws.ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "3"}])
        same(tagged(aws, arn), [{"key": "a", "value": "3"}, {"key": "b", "value": "2"}])
        aws.ecs.untag_resource(resourceArn=arn, tagKeys=["b", "nobody"])
        same(tagged(aws, arn), [{"key": "a", "value": "3"}])


def check_tag_rules(aws):
    """A tag key has at most 128 characters, a value 256, and neither aws: nor odd characters."""
    # facts 3.1
    cluster = aws.ecs.create_cluster(clusterName=aws.name())["cluster"]["clusterArn"]
    for key, value in (("aws:mine", "x"), ("k" * 129, "x"), ("k", "v" * 257), ("k", "emoji \U0001f600")):
        refused(INVALID, aws.ecs.tag_resource, resourceArn=cluster, tags=[{"key": key, "value": value}])


def check_tags_of_unknown_resources(aws):
    """Tagging a service that does not exist is refused."""
    # B:ecs TagResource
    cluster = aws.ecs.create_cluster(clusterName=aws.name())["cluster"]["clusterArn"]
    arn = cluster.replace(":cluster/", ":service/") + "/nobody"
    codes = (INVALID, "ResourceNotFoundException", "ServiceNotFoundException")
    refused(codes, aws.ecs.tag_resource, resourceArn=arn, tags=TAGS)
    refused(INVALID, aws.ecs.list_tags_for_resource, resourceArn="not-an-arn")


def check_short_arn_takes_no_tags(aws):
    """A service is tagged by its long ARN, with the cluster."""
    # facts 0
    arn = "arn:aws:ecs:us-east-1:111122223333:service/short"
    refused(INVALID, aws.ecs.tag_resource, resourceArn=arn, tags=TAGS)


def check_setting_round_trip(aws):
    """An account setting is put, listed by name, and deleted."""
    # B:ecs PutAccountSetting
    principal = f"arn:aws:iam::111122223333:user/{aws.name('user')}"
    put = aws.ecs.put_account_setting(name="containerInsights", value="enabled", principalArn=principal)["setting"]
    contains(put, {"name": "containerInsights", "value": "enabled", "principalArn": principal})
    listed = lambda: aws.ecs.list_account_settings(name="containerInsights", principalArn=principal)["settings"]
    same([setting["value"] for setting in listed()], ["enabled"])
    same(aws.ecs.delete_account_setting(name="containerInsights", principalArn=principal)["setting"]["name"], "containerInsights")
    same(listed(), [])


def check_effective_settings(aws):
    """The effective settings name every setting with its default, such as long ARNs enabled."""
    # B:ecs ListAccountSettings
    principal = f"arn:aws:iam::111122223333:user/{aws.name('user')}"
    pages = aws.ecs.get_paginator("list_account_settings").paginate(effectiveSettings=True, principalArn=principal)
    seen = {setting["name"]: setting["value"] for page in pages for setting in page["settings"]}
    contains(seen, {"serviceLongArnFormat": "enabled", "taskLongArnFormat": "enabled", "awsvpcTrunking": "disabled"})
    assert "fargateTaskRetirementWaitPeriod" in seen and "tagResourceAuthorization" in seen


def check_bad_settings(aws):
    """Unknown names and values of account settings are refused."""
    # B:ecs PutAccountSetting
    put = aws.ecs.put_account_setting
    refused(INVALID, put, name="colour", value="enabled")
    refused(INVALID, put, name="containerInsights", value="perhaps")
    refused(INVALID, put, name="fargateTaskRetirementWaitPeriod", value="3")


def check_default_setting(aws):
    """PutAccountSettingDefault sets what everybody gets who has no setting of their own."""
    # B:ecs PutAccountSettingDefault
    aws.ecs.put_account_setting_default(name="defaultLogDriverMode", value="blocking")
    principal = f"arn:aws:iam::111122223333:user/{aws.name('user')}"
    arguments = {"name": "defaultLogDriverMode", "effectiveSettings": True, "principalArn": principal}
    same(aws.ecs.list_account_settings(**arguments)["settings"][0]["value"], "blocking")


def check_who_am_i(aws):
    """GetCallerIdentity answers account, user id and ARN."""
    # facts 13
    seen = aws.client("sts").get_caller_identity()
    assert len(seen["Account"]) == 12 and seen["UserId"] and f"::{seen['Account']}:" in seen["Arn"]


def check_assume_role(aws):
    """AssumeRole answers credentials that expire, and the ARN of the session."""
    # facts 13.2
    seen = aws.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="probe")
    assert seen["AssumedRoleUser"]["Arn"].endswith(":assumed-role/ecsTaskExecutionRole/probe")
    credentials = seen["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA") and credentials["SecretAccessKey"] and credentials["SessionToken"]
    assert credentials["Expiration"]


def check_assume_role_rules(aws):
    """AssumeRole refuses what is no role, sessions shorter than 900 seconds, and odd session names."""
    # B:sts AssumeRole
    assume = aws.client("sts", validate=False).assume_role
    refused("ValidationError", assume, RoleArn="not-an-arn-of-any-role", RoleSessionName="probe")
    refused("ValidationError", assume, RoleArn=ROLE, RoleSessionName="probe", DurationSeconds=60)
    refused("ValidationError", assume, RoleArn=ROLE, RoleSessionName="no spaces")


def check_regions_are_apart(aws):
    """What is made in one region is not seen in another."""
    # facts 0
    name = aws.cluster()
    elsewhere = aws.client("ecs", region="eu-west-1").describe_clusters(clusters=[name])
    same((elsewhere["clusters"], len(elsewhere["failures"])), ([], 1))
    arn = aws.client("ecs", region="eu-west-1").create_cluster(clusterName=name)["cluster"]["clusterArn"]
    same(arn.split(":")[3], "eu-west-1")


def check_every_answer_has_a_request_id(aws):
    """Every answer, refusals included, carries a request id."""
    # B:ecs
    assert aws.ecs.list_clusters()["ResponseMetadata"]["RequestId"]
    assert aws.elb.describe_load_balancers()["ResponseMetadata"]["RequestId"]


def check_client_errors_are_400(aws):
    """Refusals of ECS have the HTTP status 400."""
    # facts 0
    try:
        aws.ecs.list_services(cluster=aws.name("unknown"))
    except aws.ecs.exceptions.ClusterNotFoundException as error:
        same(error.response["ResponseMetadata"]["HTTPStatusCode"], 400)
    else:
        raise AssertionError("not refused")
