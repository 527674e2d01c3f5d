"""What every check is handed: clients of the server under test, unique names, and patience."""

import threading
import time
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"
ACCOUNT_KEY = "AKIAIOSFODNN7EXAMPLE"
ROLE = "arn:aws:iam::111122223333:role/ecsTaskExecutionRole"

# Two subnets of two zones, a security group and their VPC: names, unless the server has some of its own (see `look_around`).
SUBNETS = ["subnet-0a1b2c3d", "subnet-1a2b3c4d"]
GROUPS = ["sg-0a1b2c3d"]
VPC = ["vpc-0a1b2c3d"]

# Loading a service's model is slow and not safe from several threads at once.
_making = threading.Lock()
_clients = {}


def look_around(endpoint):
    """Takes the subnets and the security group of the server's default VPC, where it has one."""
    ec2 = Aws(endpoint, "kit", 0).client("ec2")
    try:
        zones = {subnet["AvailabilityZone"]: subnet for subnet in ec2.describe_subnets()["Subnets"]}
        vpc = next(iter(zones.values()))["VpcId"]
        found = [subnet["SubnetId"] for subnet in zones.values() if subnet["VpcId"] == vpc]
        filters = [{"Name": "vpc-id", "Values": [vpc]}]
        groups = [group["GroupId"] for group in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]]
        if len(found) > 1 and groups:
            SUBNETS[:], GROUPS[:], VPC[:] = found[:2], groups[:1], [vpc]
    except Exception:  # a server without EC2: then nobody looks whether they exist
        pass


class Aws:
    """One check's view of the server."""

    def __init__(self, endpoint, identity, patience):
        self.endpoint, self.identity, self.patience = endpoint, identity, patience

    def client(self, service, *, validate=True, region=REGION):
        """A boto3 client that never retries; with `validate` false it sends what the model forbids."""
        key = (self.endpoint, service, validate, region)
        with _making:
            if key not in _clients:
                _clients[key] = boto3.session.Session().client(
                    service,
                    region_name=region,
                    endpoint_url=self.endpoint,
                    aws_access_key_id=ACCOUNT_KEY,
                    aws_secret_access_key="probe",
                    config=Config(
                        retries={"total_max_attempts": 1},
                        parameter_validation=validate,
                        connect_timeout=5,
                        read_timeout=20,
                        max_pool_connections=32,
                    ),
                )
            return _clients[key]

    @property
    def ecs(self):
        return self.client("ecs")

    @property
    def elb(self):
        return self.client("elbv2")

    @property
    def scaling(self):
        return self.client("application-autoscaling")

    @property
    def logs(self):
        return self.client("logs")

    def name(self, prefix="probe"):
        """A name nobody else has, at most 32 characters for short prefixes."""
        return f"{prefix}-{uuid.uuid4().hex[:12]}"

    def until(self, what, probe, patience=None):
        """Polls until `probe` answers something true, and returns it."""
        deadline = time.monotonic() + (patience or self.patience)
        while True:
            seen = probe()
            if seen:
                return seen
            assert time.monotonic() < deadline, f"never happened: {what}"
            time.sleep(0.1)

    # What most checks of ECS begin with.

    def cluster(self, **changes):
        """A new cluster with both Fargate providers; its name."""
        name = self.name("cluster")
        self.ecs.create_cluster(clusterName=name, **({"capacityProviders": ["FARGATE", "FARGATE_SPOT"]} | changes))
        return name

    def definition(self, container=None, **changes):
        """Registers a small task definition; the answer's `taskDefinition`."""
        return self.ecs.register_task_definition(**definition(self.name("family"), container, **changes))["taskDefinition"]

    def service(self, cluster, **changes):
        """Creates a service of no tasks unless told otherwise; the answer's `service`."""
        request = {
            "cluster": cluster,
            "serviceName": self.name("service"),
            "desiredCount": 0,
            "launchType": "FARGATE",
            "networkConfiguration": network(),
        } | changes
        if "taskDefinition" not in request:
            request["taskDefinition"] = self.definition()["taskDefinitionArn"]
        if "capacityProviderStrategy" in changes:
            del request["launchType"]
        return self.ecs.create_service(**request)["service"]

    def seen(self, cluster, service, **more):
        """A service as DescribeServices shows it now."""
        return self.ecs.describe_services(cluster=cluster, services=[service], **more)["services"][0]

    def steady(self, cluster, service):
        """Waits until the primary deployment of a service has completed; the service."""

        def completed():
            found = self.seen(cluster, service)
            done = [d for d in found["deployments"] if d["status"] == "PRIMARY" and d.get("rolloutState") == "COMPLETED"]
            return found if done and found["runningCount"] == found["desiredCount"] else None

        return self.until(f"{service} is steady", completed)

    def tasks(self, cluster, service, **more):
        """The tasks of a service, described."""
        arns = self.ecs.list_tasks(cluster=cluster, serviceName=service, **more)["taskArns"]
        return self.ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []

    # What checks of load balancing begin with.

    def target_group(self, **changes):
        """A target group of type ip; its ARN."""
        request = {"Name": self.name("tg"), "Protocol": "HTTP", "Port": 80, "VpcId": VPC[0], "TargetType": "ip"} | changes
        return self.elb.create_target_group(**request)["TargetGroups"][0]["TargetGroupArn"]

    def balancer(self, **changes):
        """A load balancer; its ARN."""
        request = {"Name": self.name("lb"), "Subnets": SUBNETS} | changes
        return self.elb.create_load_balancer(**request)["LoadBalancers"][0]["LoadBalancerArn"]

    def listener(self, balancer, group, port=80):
        """A listener that forwards to a target group; its ARN."""
        actions = [{"Type": "forward", "TargetGroupArn": group}]
        made = self.elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=actions)
        return made["Listeners"][0]["ListenerArn"]


def network(**changes):
    return {"awsvpcConfiguration": {"subnets": SUBNETS[:1], "securityGroups": GROUPS} | changes}


def definition(family, container=None, **changes):
    """The request of a Fargate task definition of one container."""
    return {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": ROLE,
        "containerDefinitions": [
            {"name": "app", "image": "public.ecr.aws/nginx/nginx:latest", "portMappings": [{"containerPort": 8000}]}
            | (container or {})
        ],
    } | changes


def refused(code, call, /, text="", **arguments):
    """Asserts that a call is refused with a code (or one of several) and a message that contains `text`; the message."""
    codes = (code,) if isinstance(code, str) else tuple(code)
    try:
        answer = call(**arguments)
    except ClientError as error:
        seen = error.response["Error"]
        assert seen["Code"] in codes, f"refused with {seen['Code']} ({seen['Message']}) instead of {code}"
        assert text.lower() in seen.get("Message", "").lower(), f"the message is {seen.get('Message')!r}"
        return seen.get("Message", "")
    raise AssertionError(f"not refused with {code}: {answer}"[:300])


def same(seen, expected, what="value"):
    """Asserts equality, and says what was seen."""
    assert seen == expected, f"{what} is {seen!r}, not {expected!r}"


def contains(seen, expected):
    """Asserts that a structure has all members of another, with the same values."""
    for name, value in expected.items():
        assert name in seen, f"{name} is missing"
        same(seen[name], value, name)
