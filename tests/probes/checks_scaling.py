"""Application Auto Scaling of ECS services."""

from kit import contains, refused, same

NAMESPACE = {"ServiceNamespace": "ecs"}
DIMENSION = "ecs:service:DesiredCount"
CPU = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}, "TargetValue": 50.0}
INVALID = "ValidationException"


class Target:
    """A service, with its scalable target once it is registered."""

    def __init__(self, aws, minimum=1, maximum=5, register=True, **service):
        self.aws, self.cluster = aws, aws.cluster()
        made = aws.service(self.cluster, **service)
        self.name = made["serviceName"]
        self.key = NAMESPACE | {"ResourceId": f"service/{self.cluster}/{self.name}", "ScalableDimension": DIMENSION}
        if register:
            self.arn = self.register(MinCapacity=minimum, MaxCapacity=maximum)["ScalableTargetARN"]

    def register(self, **more):
        return self.aws.scaling.register_scalable_target(**self.key, **more)

    def policy(self, name="cpu", configuration=None, **more):
        request = {"PolicyType": "TargetTrackingScaling"} | more
        if request["PolicyType"] == "TargetTrackingScaling":
            request["TargetTrackingScalingPolicyConfiguration"] = configuration or CPU
        return self.aws.scaling.put_scaling_policy(PolicyName=name, **self.key, **request)

    def seen(self):
        found = self.aws.scaling.describe_scalable_targets(ResourceIds=[self.key["ResourceId"]], **NAMESPACE)
        return found["ScalableTargets"][0] if found["ScalableTargets"] else None

    def desired(self):
        return self.aws.seen(self.cluster, self.name)["desiredCount"]


def check_register(aws):
    """RegisterScalableTarget makes a target with bounds, role and nothing suspended."""
    # facts 6.1, 6.2
    target = Target(aws, 1, 4)
    off = dict.fromkeys(("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"), False)
    contains(target.seen(), target.key | {"MinCapacity": 1, "MaxCapacity": 4, "SuspendedState": off})
    assert target.seen()["RoleARN"].endswith("AWSServiceRoleForApplicationAutoScaling_ECSService")
    assert target.seen()["CreationTime"] and target.seen()["ScalableTargetARN"] == target.arn


def check_register_needs_both_bounds(aws):
    """The first registration needs minimum and maximum; later ones keep what is absent."""
    # facts 6.2
    target = Target(aws, register=False)
    refused(INVALID, target.register, MinCapacity=1)
    refused(INVALID, target.register)
    target.register(MinCapacity=1, MaxCapacity=4)
    target.register(MaxCapacity=6)
    contains(target.seen(), {"MinCapacity": 1, "MaxCapacity": 6})


def check_register_bounds(aws):
    """The minimum may not exceed the maximum, nor be negative."""
    # facts 6.2
    target = Target(aws, register=False)
    refused(INVALID, target.register, MinCapacity=5, MaxCapacity=4)
    refused(INVALID, target.register, MinCapacity=-1, MaxCapacity=4)


def check_register_pushes_into_bounds(aws):
    """Registering pushes the desired count into the bounds."""
    # facts 6.2
    target = Target(aws, 2, 5)
    same(target.desired(), 2)
    aws.ecs.update_service(cluster=target.cluster, service=target.name, desiredCount=9)
    target.register()
    same(target.desired(), 5)


def check_register_needs_the_service(aws):
    """A service that does not exist can't be registered: ECS service doesn't exist."""
    # facts 6.2
    key = {"ResourceId": f"service/{aws.cluster()}/nobody", "ScalableDimension": DIMENSION}
    request = NAMESPACE | key | {"MinCapacity": 1, "MaxCapacity": 2}
    refused(INVALID, aws.scaling.register_scalable_target, "service doesn't exist", **request)


def check_register_names(aws):
    """Namespace, resource and dimension must belong together."""
    # facts 6.1
    target = Target(aws, register=False)
    bounds = {"MinCapacity": 1, "MaxCapacity": 2}
    register = aws.scaling.register_scalable_target
    refused(INVALID, register, **(target.key | bounds | {"ServiceNamespace": "moon"}))
    refused(INVALID, register, **(target.key | bounds | {"ScalableDimension": "dynamodb:table:ReadCapacityUnits"}))
    refused(INVALID, register, **(target.key | bounds | {"ResourceId": "table/mine"}))


def check_suspend(aws):
    """Scaling is suspended one way at a time, and stays so when the target is registered again."""
    # facts 6.2
    target = Target(aws)
    target.register(SuspendedState={"DynamicScalingInSuspended": True})
    target.register(MaxCapacity=7)
    contains(target.seen()["SuspendedState"], {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": False})


def check_tags(aws):
    """Tags are taken when a target is made, refused later, and changed by ARN."""
    # facts 6.2
    target = Target(aws, register=False)
    arn = target.register(MinCapacity=1, MaxCapacity=2, Tags={"owner": "probe"})["ScalableTargetARN"]
    same(aws.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"], {"owner": "probe"})
    refused(INVALID, target.register, "already exists", Tags={"owner": "other"})
    aws.scaling.tag_resource(ResourceARN=arn, Tags={"more": "1"})
    aws.scaling.untag_resource(ResourceARN=arn, TagKeys=["owner"])
    same(aws.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"], {"more": "1"})
    refused("ResourceNotFoundException", aws.scaling.list_tags_for_resource, ResourceARN=arn[:-3] + "xyz")


def check_describe_leaves_out_unknown(aws):
    """What is not registered is absent from DescribeScalableTargets, and no error."""
    # facts 6.5
    answer = aws.scaling.describe_scalable_targets(ResourceIds=["service/nobody/nobody"], **NAMESPACE)
    same(answer["ScalableTargets"], [])


def check_describe_pages(aws):
    """DescribeScalableTargets answers pages of at most fifty, and refuses unknown tokens."""
    # facts 6.5, 6.6
    ids = [Target(aws).key["ResourceId"] for _ in range(3)]
    describe = aws.scaling.describe_scalable_targets
    first = describe(ResourceIds=ids, MaxResults=2, **NAMESPACE)
    assert len(first["ScalableTargets"]) == 2 and first["NextToken"]
    second = describe(ResourceIds=ids, MaxResults=2, NextToken=first["NextToken"], **NAMESPACE)
    same(len(second["ScalableTargets"]), 1)
    refused("InvalidNextTokenException", describe, NextToken="nonsense", **NAMESPACE)


def check_deregister(aws):
    """DeregisterScalableTarget takes policies along; a second time it is ObjectNotFoundException."""
    # facts 6.5
    target = Target(aws)
    target.policy()
    aws.scaling.deregister_scalable_target(**target.key)
    same(target.seen(), None)
    same(aws.scaling.describe_scaling_policies(ResourceId=target.key["ResourceId"], **NAMESPACE)["ScalingPolicies"], [])
    refused("ObjectNotFoundException", aws.scaling.deregister_scalable_target, "No scalable target", **target.key)


def check_deleted_service_takes_its_target_along(aws):
    """Deleting a service deregisters its scalable target."""
    # facts 6.5
    target = Target(aws)
    aws.ecs.delete_service(cluster=target.cluster, service=target.name, force=True)
    same(target.seen(), None)


def check_policy_needs_a_target(aws):
    """A policy for what is not registered is ObjectNotFoundException, naming namespace, resource and dimension."""
    # facts 6.2
    target = Target(aws, register=False)
    text = f"No scalable target registered for service namespace: ecs, resource ID: {target.key['ResourceId']}"
    refused("ObjectNotFoundException", target.policy, text)


def check_policy_has_two_alarms(aws):
    """A target tracking policy makes two alarms that are named after the service."""
    # facts 6.3
    target = Target(aws)
    answer = target.policy()
    assert ":scalingPolicy:" in answer["PolicyARN"] and answer["PolicyARN"].endswith(":policyName/cpu")
    names = sorted(alarm["AlarmName"] for alarm in answer["Alarms"])
    prefix = f"TargetTracking-{target.key['ResourceId']}-Alarm"
    same([name[: len(prefix) + 4].removeprefix(prefix) for name in names], ["High", "Low-"])


def check_policy_is_described(aws):
    """DescribeScalingPolicies shows a policy as it was put, by resource and by name."""
    # facts 6.3
    target = Target(aws)
    arn = target.policy()["PolicyARN"]
    key = {"ResourceId": target.key["ResourceId"]} | NAMESPACE
    [seen] = aws.scaling.describe_scaling_policies(**key)["ScalingPolicies"]
    contains(seen, {"PolicyARN": arn, "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling", "ScalableDimension": DIMENSION})
    contains(seen["TargetTrackingScalingPolicyConfiguration"], CPU)
    assert "ScaleInCooldown" not in seen["TargetTrackingScalingPolicyConfiguration"] and seen["CreationTime"]
    same(len(aws.scaling.describe_scaling_policies(PolicyNames=["cpu"], **key)["ScalingPolicies"]), 1)
    same(aws.scaling.describe_scaling_policies(PolicyNames=["nobody"], **key)["ScalingPolicies"], [])


def check_policy_is_replaced_by_name(aws):
    """Putting a policy of the same name changes it, and keeps its ARN."""
    # facts 6.3
    target = Target(aws)
    first, again = target.policy(), target.policy(configuration=CPU | {"TargetValue": 70.0, "ScaleInCooldown": 60})
    same(again["PolicyARN"], first["PolicyARN"])
    [seen] = aws.scaling.describe_scaling_policies(ResourceId=target.key["ResourceId"], **NAMESPACE)["ScalingPolicies"]
    contains(seen["TargetTrackingScalingPolicyConfiguration"], {"TargetValue": 70.0, "ScaleInCooldown": 60})


def check_policy_metrics(aws):
    """A target tracking policy names one known metric, and a resource label only with the request count."""
    # facts 6.3
    target = Target(aws)
    metric = lambda kind, **more: {"TargetValue": 50.0, "PredefinedMetricSpecification": {"PredefinedMetricType": kind} | more}
    refused(INVALID, target.policy, configuration=metric("ECSServiceAverageMoodUtilization"))
    refused(INVALID, target.policy, configuration=metric("DynamoDBReadCapacityUtilization"))
    refused(INVALID, target.policy, configuration=metric("ECSServiceAverageCPUUtilization", ResourceLabel="app/x/1/targetgroup/y/2"))
    refused(INVALID, target.policy, configuration=metric("ALBRequestCountPerTarget"))
    refused(INVALID, target.policy, configuration={"TargetValue": 50.0})
    refused(INVALID, target.policy, configuration=CPU | {"TargetValue": -1.0})
    target.policy("memory", metric("ECSServiceAverageMemoryUtilization"))


def check_policy_of_request_count(aws):
    """A policy on ALBRequestCountPerTarget takes the label of the service's own target group and load balancer."""
    # facts 6.3
    group, balancer = aws.target_group(), aws.balancer()
    aws.listener(balancer, group)
    balancers = [{"targetGroupArn": group, "containerName": "app", "containerPort": 8000}]
    target = Target(aws, loadBalancers=balancers)
    label = f"{balancer.split('loadbalancer/')[1]}/{group.rsplit(':', 1)[1]}"
    metric = lambda text: {
        "TargetValue": 100.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": text},
    }
    assert target.policy("requests", metric(label))["PolicyARN"]
    refused(INVALID, target.policy, configuration=metric("app/other/0123456789abcdef/targetgroup/other/0123456789abcdef"))


def check_policy_delete(aws):
    """A deleted policy is gone; deleting it again is ObjectNotFoundException."""
    # facts 6.6
    target = Target(aws)
    target.policy()
    aws.scaling.delete_scaling_policy(PolicyName="cpu", **target.key)
    refused("ObjectNotFoundException", aws.scaling.delete_scaling_policy, PolicyName="cpu", **target.key)


def check_step_policy(aws):
    """A step scaling policy needs an adjustment type and steps, and makes no alarms."""
    # facts 6.3
    target = Target(aws)
    steps = [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}]
    configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps, "Cooldown": 60}
    kind = {"PolicyType": "StepScaling"}
    same(target.policy("step", StepScalingPolicyConfiguration=configuration, **kind).get("Alarms", []), [])
    [seen] = aws.scaling.describe_scaling_policies(ResourceId=target.key["ResourceId"], **NAMESPACE)["ScalingPolicies"]
    contains(seen["StepScalingPolicyConfiguration"], configuration)
    refused(INVALID, target.policy, name="bad", StepScalingPolicyConfiguration=configuration | {"AdjustmentType": "Some"}, **kind)
    refused(INVALID, target.policy, name="bad", StepScalingPolicyConfiguration={"AdjustmentType": "ChangeInCapacity"}, **kind)
    many = [{"MetricIntervalLowerBound": float(n), "MetricIntervalUpperBound": n + 1.0, "ScalingAdjustment": 1} for n in range(21)]
    refused((INVALID, "LimitExceededException"), target.policy, name="bad", StepScalingPolicyConfiguration=configuration | {"StepAdjustments": many}, **kind)


def check_scheduled_action(aws):
    """A scheduled action is described as it was put, with ARN and date, and deleted by name."""
    # facts 6.4
    target = Target(aws)
    action = {"Schedule": "cron(0 8 * * ? *)", "Timezone": "UTC", "ScalableTargetAction": {"MinCapacity": 2, "MaxCapacity": 4}}
    aws.scaling.put_scheduled_action(ScheduledActionName="morning", **action, **target.key)
    [seen] = aws.scaling.describe_scheduled_actions(ResourceId=target.key["ResourceId"], **NAMESPACE)["ScheduledActions"]
    contains(seen, action | {"ScheduledActionName": "morning"})
    assert ":scheduledAction:" in seen["ScheduledActionARN"] and seen["CreationTime"]
    aws.scaling.delete_scheduled_action(ScheduledActionName="morning", **target.key)
    refused("ObjectNotFoundException", aws.scaling.delete_scheduled_action, ScheduledActionName="morning", **target.key)


def check_schedules(aws):
    """A schedule is at(...), rate(...) or cron(...) of six fields; anything else is refused."""
    # facts 6.4
    target = Target(aws)
    put = lambda text, **more: aws.scaling.put_scheduled_action(
        ScheduledActionName="x", Schedule=text, ScalableTargetAction={"MinCapacity": 1}, **more, **target.key
    )
    for good in ("at(2030-01-01T00:00:00)", "rate(5 minutes)", "rate(1 hour)", "cron(0/5 * * * ? *)", "cron(0 8 ? * MON-FRI *)"):
        put(good)
    for bad in ("daily", "cron(0 8 * * *)", "rate(minutes)", "rate(5 moons)", "at(tomorrow)", "cron(99 8 * * ? *)"):
        _refuse(put, bad)
    refused(INVALID, lambda: put("cron(0 8 * * ? *)", Timezone="Moon/Crater"))


def _refuse(put, schedule):
    refused(INVALID, lambda: put(schedule))


def check_scheduled_action_runs(aws):
    """A scheduled action, when its time comes, rewrites the bounds and moves the desired count into them."""
    # facts 6.4
    target = Target(aws, 1, 5, desiredCount=1)
    action = {"MinCapacity": 3, "MaxCapacity": 6}
    aws.scaling.put_scheduled_action(ScheduledActionName="soon", Schedule="rate(1 minute)", ScalableTargetAction=action, **target.key)
    aws.until("three tasks", lambda: target.desired() == 3)
    contains(target.seen(), action)
    activities = aws.scaling.describe_scaling_activities(ResourceId=target.key["ResourceId"], **NAMESPACE)["ScalingActivities"]
    assert any("soon" in activity["Cause"] and activity["StatusCode"] == "Successful" for activity in activities)


def check_scheduled_action_needs_a_target(aws):
    """A scheduled action for what is not registered is ObjectNotFoundException."""
    # facts 6.6
    target = Target(aws, register=False)
    request = {"ScheduledActionName": "x", "Schedule": "rate(1 hour)", "ScalableTargetAction": {"MinCapacity": 1}}
    refused("ObjectNotFoundException", aws.scaling.put_scheduled_action, **request, **target.key)


def check_no_activities_at_first(aws):
    """A target whose service is within its bounds has no scaling activities."""
    # facts 6.5
    target = Target(aws, 0, 5)
    same(aws.scaling.describe_scaling_activities(ResourceId=target.key["ResourceId"], **NAMESPACE)["ScalingActivities"], [])


def check_customized_metric_scales(aws):
    """Target tracking follows a customized metric that is put into CloudWatch, and records what it did."""
    # facts 6.3
    target = Target(aws, desiredCount=1)
    aws.steady(target.cluster, target.name)
    space, dimensions = aws.name("space"), [{"Name": "agent", "Value": target.name}]
    metric = {"MetricName": "Load", "Namespace": space, "Dimensions": dimensions, "Statistic": "Average"}
    target.policy(configuration={"CustomizedMetricSpecification": metric, "TargetValue": 50.0, "ScaleOutCooldown": 0})
    datum = {"MetricName": "Load", "Dimensions": dimensions, "Value": 100.0}

    def scaled():
        aws.client("cloudwatch").put_metric_data(Namespace=space, MetricData=[datum])
        return aws.seen(target.cluster, target.name)["desiredCount"] == 2

    aws.until("the service is scaled out", scaled)
    key = {name: target.key[name] for name in ("ServiceNamespace", "ResourceId")}
    activities = aws.scaling.describe_scaling_activities(**key)["ScalingActivities"]
    assert any(activity["Description"] == "Setting desired count to 2." for activity in activities), activities
