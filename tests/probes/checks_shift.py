"""ECS deployments that shift traffic: blue/green, canary and linear."""

from kit import ROLE, contains, refused, same


class Shifted:
    """A steady service behind two target groups, of which a listener rule forwards to one."""

    def __init__(self, aws, strategy="BLUE_GREEN", **configuration):
        self.aws, self.cluster = aws, aws.cluster()
        self.blue, self.green = aws.target_group(), aws.target_group()
        listener = aws.listener(aws.balancer(), self.blue)
        actions = [
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [
                        {"TargetGroupArn": self.blue, "Weight": 100},
                        {"TargetGroupArn": self.green, "Weight": 0},
                    ]
                },
            }
        ]
        conditions = [{"Field": "path-pattern", "Values": ["/*"]}]
        made = aws.elb.create_rule(ListenerArn=listener, Priority=1, Conditions=conditions, Actions=actions)
        self.rule = made["Rules"][0]["RuleArn"]
        advanced = {"alternateTargetGroupArn": self.green, "productionListenerRule": self.rule, "roleArn": ROLE}
        balancer = {"targetGroupArn": self.blue, "containerName": "app", "containerPort": 8000}
        self.name = aws.service(
            self.cluster,
            desiredCount=1,
            loadBalancers=[balancer | {"advancedConfiguration": advanced}],
            deploymentConfiguration={"strategy": strategy, "bakeTimeInMinutes": 1} | configuration,
        )["serviceName"]
        self.first = aws.steady(self.cluster, self.name)

    def weights(self):
        [rule] = self.aws.elb.describe_rules(RuleArns=[self.rule])["Rules"]
        groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
        return {group["TargetGroupArn"]: group["Weight"] for group in groups}

    def update(self):
        update = self.aws.ecs.update_service(cluster=self.cluster, service=self.name, forceNewDeployment=True)
        return update["service"]["currentServiceDeployment"]

    def deployment(self, arn):
        return self.aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    def targets(self, group):
        return self.aws.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]


def check_defaults(aws):
    """A blue/green service bakes for 15 minutes unless told otherwise."""
    # facts 4.6
    service = aws.service(aws.cluster(), deploymentConfiguration={"strategy": "BLUE_GREEN"})
    contains(service["deploymentConfiguration"], {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 15})


def check_rules(aws):
    """Deployments that shift traffic have no circuit breaker, and need a second target group behind a load balancer."""
    # facts 4.6
    cluster = aws.cluster()
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}, "strategy": "BLUE_GREEN"}
    code = "InvalidParameterException"
    refused(code, aws.service, cluster=cluster, deploymentConfiguration=breaker)
    refused(code, aws.service, cluster=cluster, deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1441})
    group = aws.target_group()
    aws.listener(aws.balancer(), group)
    balancers = [{"targetGroupArn": group, "containerName": "app", "containerPort": 8000}]
    plain = {"strategy": "BLUE_GREEN"}
    refused(code, aws.service, cluster=cluster, loadBalancers=balancers, deploymentConfiguration=plain)


def check_traffic_moves(aws):
    """A blue/green deployment moves the listener rule's weights to the other target group, and the old tasks go."""
    # facts 4.6
    shifted = Shifted(aws)
    same(shifted.weights()[shifted.blue], 100)
    arn = shifted.update()
    aws.until("the other side", lambda: shifted.weights()[shifted.green] == 100)
    assert shifted.weights()[shifted.blue] == 0
    aws.until("SUCCESSFUL", lambda: shifted.deployment(arn)["status"] == "SUCCESSFUL")
    seen = aws.steady(shifted.cluster, shifted.name)
    same((len(seen["deployments"]), len(shifted.targets(shifted.green))), (1, 1))
    aws.until("no old targets", lambda: not shifted.targets(shifted.blue))
    same(seen["loadBalancers"][0]["targetGroupArn"], shifted.blue, "the service's own target group")


def check_stages(aws):
    """Both sides run while a blue/green deployment bakes, which its lifecycle stage says."""
    # facts 4.6
    shifted = Shifted(aws, bakeTimeInMinutes=60)
    arn = shifted.update()
    aws.until("BAKE_TIME", lambda: shifted.deployment(arn)["lifecycleStage"] == "BAKE_TIME")
    seen = aws.seen(shifted.cluster, shifted.name)
    same((seen["runningCount"], [d["status"] for d in seen["deployments"]]), (2, ["PRIMARY", "ACTIVE"]))
    contains(shifted.deployment(arn)["targetServiceRevision"], {"requestedProductionTrafficWeight": 100.0})


def check_rollback(aws):
    """A blue/green deployment that is stopped while it bakes gives the traffic back."""
    # facts 5.3
    shifted = Shifted(aws, bakeTimeInMinutes=60)
    arn = shifted.update()
    aws.until("the other side", lambda: shifted.weights()[shifted.green] == 100)
    aws.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    aws.until("ROLLBACK_SUCCESSFUL", lambda: shifted.deployment(arn)["status"] == "ROLLBACK_SUCCESSFUL")
    same(shifted.weights(), {shifted.blue: 100, shifted.green: 0})
    primary = aws.seen(shifted.cluster, shifted.name)["deployments"][0]
    same(primary["id"], shifted.first["deployments"][0]["id"])


def check_canary(aws):
    """A canary deployment moves a little of the traffic first, and the rest after its bake time."""
    # facts 4.6
    canary = {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 2}
    shifted = Shifted(aws, "CANARY", canaryConfiguration=canary)
    shifted.update()
    aws.until("the canary", lambda: shifted.weights()[shifted.green] == 10)
    aws.until("the rest", lambda: shifted.weights()[shifted.green] == 100)


def check_linear(aws):
    """A linear deployment moves the traffic in equal steps."""
    # facts 4.6
    linear = {"stepPercent": 40.0, "stepBakeTimeInMinutes": 3}
    shifted = Shifted(aws, "LINEAR", linearConfiguration=linear)
    shifted.update()
    seen = [shifted.weights()[shifted.green]]

    def moved():
        seen.append(shifted.weights()[shifted.green])
        return seen[-1] == 100

    aws.until("all of it", moved)
    same(sorted(set(seen)), [0, 40, 80, 100], "steps")


def check_resolved_target_group(aws):
    """The service revision says which target group its tasks are in."""
    # facts 4.6
    shifted = Shifted(aws)
    shifted.update()
    arn = aws.seen(shifted.cluster, shifted.name)["currentServiceRevisions"][0]["arn"]
    [revision] = aws.ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"]
    resolved = revision["resolvedConfiguration"]["loadBalancers"][0]
    contains(resolved, {"targetGroupArn": shifted.green, "productionListenerRule": shifted.rule})


def check_gradual_shift_needs_something_to_shift(aws):
    """LINEAR and CANARY need a load balancer or Service Connect."""
    # facts 4.6
    cluster = aws.cluster()
    for strategy in ("LINEAR", "CANARY"):
        configuration = {"strategy": strategy}
        refused("InvalidParameterException", aws.service, cluster=cluster, deploymentConfiguration=configuration)
