//! Services that other tools made: imported as specs that say all of them, adopted, and taken over without an update; or
//! refused with the reason.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::binary::Said;
use crate::place::Place;
use crate::running;

const GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/web/73e2d6bc24d8a067";
const ROLE: &str = "arn:aws:iam::111122223333:role/app/execution";
const REPOSITORY: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com/shop";

/// A simulated AWS in which somebody works with plain calls.
fn place() -> Place {
    // What others own: a cluster, a target group, an image.
    Place::new(
        json!({"cluster": "agents", "image": {"uri": format!("{REPOSITORY}:1.4")}, "network": {"subnets": ["subnet-0a1"]},
        "roles": {"execution": ROLE}, "loadBalancer": {"targetGroupArn": GROUP}}),
    )
}

impl Place {
    /// Somebody's call, as any AWS CLI would make it.
    #[track_caller]
    fn call(&self, service: &str, operation: &str, request: &Value) -> Value {
        let target = match service {
            "ecs" => "AmazonEC2ContainerServiceV20141113",
            "logs" => "Logs_20140328",
            _ => "AnyScaleFrontendService",
        };
        let credential = format!("AKIASOMEBODY/20260101/us-east-1/{service}/aws4_request");
        let headers = [
            ("x-amz-target", format!("{target}.{operation}")),
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("authorization", format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")),
        ];
        let answer = running::json(&running::http(&self.endpoint, "POST", "/", &headers, &request.to_string()));
        assert!(answer.get("__type").is_none(), "{operation}: {answer}");
        answer
    }

    /// The service `name`, made as a user of other tools makes it: `task` and `service` on top of the plainest there is.
    #[track_caller]
    fn make(&self, name: &str, task: &Value, service: &Value) {
        self.call("logs", "CreateLogGroup", &json!({"logGroupName": format!("/shop/{name}")}));
        let container = json!({"name": "app", "image": "public.ecr.aws/shop/app:7", "portMappings": [{"containerPort": 8080}],
            "environment": [{"name": "MODE", "value": "fast"}], "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": format!("/shop/{name}"), "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"}}});
        let mut definition = json!({"family": format!("{name}-task"), "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "requiresCompatibilities": ["FARGATE"], "executionRoleArn": ROLE, "containerDefinitions": [container]});
        merge(&mut definition, task);
        let registered = self.call("ecs", "RegisterTaskDefinition", &definition);
        let mut request = json!({"cluster": "agents", "serviceName": name, "desiredCount": 2, "launchType": "FARGATE",
            "taskDefinition": registered["taskDefinition"]["taskDefinitionArn"], "tags": [{"key": "team", "value": "shop"}],
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0b2", "subnet-0a1"], "securityGroups": ["sg-0a1"],
                "assignPublicIp": "ENABLED"}}});
        merge(&mut request, service);
        self.call("ecs", "CreateService", &request);
    }

    /// The mutating calls of Fargateer since the last time this was asked.
    fn writes(&self) -> Vec<String> {
        let calls = running::json(&running::http(&self.endpoint, "GET", "/_sim/calls", &[], ""));
        let calls = calls.as_array().cloned().unwrap_or_default().into_iter();
        let ours = calls.filter(|call| call["caller"] == "AKIAOPERATOR" && call["mutating"] == true);
        ours.map(|call| format!("{} {}", call["operation"], call["request"]).replace('"', "")).collect()
    }

    fn service(&self, name: &str) -> Value {
        let request = json!({"cluster": "agents", "services": [name], "include": ["TAGS"]});
        self.call("ecs", "DescribeServices", &request)["services"][0].clone()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("specs/{name}.yaml"))
    }

    /// Imports the service `name` into its file.
    fn import(&self, name: &str) -> Said {
        fs::create_dir_all(self.folder.path().join("specs")).expect("a folder");
        self.run(&["import", &format!("agents/{name}"), "-o", &self.file(name).display().to_string()])
    }
}

/// `more` on top of `document`: objects field by field, a list's first item as well, null removes.
fn merge(document: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        match (&mut document[key], value) {
            (place, Value::Null) => {
                *place = Value::Null;
                document.as_object_mut().expect("an object").remove(key);
            }
            (place @ Value::Object(_), Value::Object(_)) => merge(place, value),
            (Value::Array(items), Value::Array(more)) if items[0].is_object() && more[0].is_object() => {
                merge(&mut items[0], &more[0]);
                items.extend(more[1..].iter().cloned());
            }
            (place, value) => *place = value.clone(),
        }
    }
}

/// Services of the shapes people have: what their task definitions and services say beside the plainest.
fn shapes() -> Vec<(&'static str, Value, Value)> {
    let balanced = json!([{"targetGroupArn": GROUP, "containerName": "app", "containerPort": 8080}]);
    let collector = json!({"name": "collector", "image": "public.ecr.aws/shop/otel:1", "essential": false,
        "portMappings": [{"containerPort": 4317}], "healthCheck": {"command": ["CMD", "/healthcheck"]},
        "environment": [{"name": "AOT", "value": "1"}]});
    let migrate =
        json!({"name": "migrate", "image": "public.ecr.aws/shop/app:7", "essential": false, "command": ["migrate"]});
    let waits = json!([{"containerName": "collector", "condition": "HEALTHY"}, {"containerName": "migrate", "condition": "SUCCESS"}]);
    let secrets = json!([
        {"name": "DB", "valueFrom": "arn:aws:secretsmanager:us-east-1:111122223333:secret:shop/db-AbCdEf:password::"},
        {"name": "KEY", "valueFrom": "/shop/key"},
        {"name": "TOKEN", "valueFrom": "arn:aws:ssm:us-east-1:111122223333:parameter/shop/token"}]);
    let efs = json!([{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-0a1b2c3d", "transitEncryption": "ENABLED",
        "authorizationConfig": {"accessPointId": "fsap-0a1b", "iam": "ENABLED"}}}]);
    let check = json!({"command": ["CMD-SHELL", "curl -f http://localhost:8080/up || exit 1"], "interval": 15, "startPeriod": 20});
    let deployment = json!({"minimumHealthyPercent": 50, "maximumPercent": 150,
        "deploymentCircuitBreaker": {"enable": true, "rollback": false},
        "alarms": {"alarmNames": ["shop-5xx", "shop-latency"], "enable": true, "rollback": true}});
    vec![
        ("plain", json!({}), json!({})),
        (
            "sidecars",
            json!({"containerDefinitions": [{"dependsOn": waits, "ulimits": [{"name": "nofile", "softLimit": 9, "hardLimit": 9}]},
            collector, migrate]}),
            json!({}),
        ),
        (
            "spot",
            json!({}),
            json!({"launchType": null, "capacityProviderStrategy": [
            {"capacityProvider": "FARGATE", "base": 1, "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 3}]}),
        ),
        (
            "balanced",
            json!({"containerDefinitions": [{"healthCheck": check, "stopTimeout": 90}]}),
            json!({"loadBalancers": balanced, "healthCheckGracePeriodSeconds": 45}),
        ),
        ("scaled", json!({}), json!({"loadBalancers": balanced})),
        ("secretive", json!({"containerDefinitions": [{"secrets": secrets}]}), json!({})),
        (
            "efs",
            json!({"volumes": efs, "containerDefinitions": [{"mountPoints": [{"sourceVolume": "data", "containerPath": "/data",
            "readOnly": true}]}]}),
            json!({"platformVersion": "1.4.0"}),
        ),
        (
            "arm",
            json!({"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}, "cpu": "1024",
            "memory": "2048", "ephemeralStorage": {"sizeInGiB": 40}}),
            json!({"propagateTags": "TASK_DEFINITION"}),
        ),
        (
            "exec",
            json!({"taskRoleArn": "arn:aws:iam::111122223333:role/task", "containerDefinitions": [{"linuxParameters":
            {"initProcessEnabled": true, "capabilities": {"drop": ["NET_RAW"]}}}]}),
            json!({"enableExecuteCommand": true, "enableECSManagedTags": true, "propagateTags": "SERVICE", "desiredCount": 0}),
        ),
        (
            "careful",
            json!({}),
            json!({"deploymentConfiguration": deployment, "availabilityZoneRebalancing": "DISABLED",
            "deploymentController": {"type": "ECS"}}),
        ),
        (
            "tagged",
            json!({"containerDefinitions": [{"image": format!("{REPOSITORY}:1.4"), "logConfiguration": null,
            "portMappings": null, "command": ["work"]}]}),
            json!({"serviceName": "tagged"}),
        ),
    ]
}

fn scale(place: &Place, name: &str) {
    let target = json!({"ServiceNamespace": "ecs", "ResourceId": format!("service/agents/{name}"),
        "ScalableDimension": "ecs:service:DesiredCount"});
    let with = |more: Value| {
        let mut request = target.clone();
        merge(&mut request, &more);
        request
    };
    let tracking = |metric: &str, goal: f64| {
        json!({"TargetValue": goal, "ScaleInCooldown": 120, "ScaleOutCooldown": 30,
        "PredefinedMetricSpecification": {"PredefinedMetricType": metric}})
    };
    let put = |operation: &str, more: Value| place.call("application-autoscaling", operation, &with(more));
    put("RegisterScalableTarget", json!({"MinCapacity": 2, "MaxCapacity": 6}));
    for (policy, metric, goal) in [
        ("shop cpu", "ECSServiceAverageCPUUtilization", 55.0),
        ("shop-memory", "ECSServiceAverageMemoryUtilization", 70.0),
    ] {
        put(
            "PutScalingPolicy",
            json!({"PolicyName": policy, "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": tracking(metric, goal)}),
        );
    }
    put(
        "PutScheduledAction",
        json!({"ScheduledActionName": "shop-night", "Schedule": "cron(0 22 * * ? *)",
        "Timezone": "Europe/Berlin", "ScalableTargetAction": {"MinCapacity": 2, "MaxCapacity": 3}}),
    );
}

#[test]
fn services_of_all_shapes_are_imported_adopted_and_taken_over_without_an_update() {
    let place = place();
    let shapes = shapes();
    for (name, task, service) in &shapes {
        place.make(name, task, service);
    }
    scale(&place, "scaled");
    for (name, ..) in &shapes {
        let said = place.import(name);
        let text = fs::read_to_string(place.file(name)).unwrap_or_default();
        assert!(said.code == 0 && said.err.contains("is empty"), "{name}: {}\n{text}", said.err);
    }
    assert_eq!(place.writes(), Vec::<String>::new(), "importing only reads");
    let before: Vec<Value> = shapes.iter().map(|(name, ..)| place.service(name)).collect();

    let refused = place.run(&["plan", "specs"]);
    assert!(refused.code == 1 && refused.out.contains("without our owner tag"), "{}{}", refused.out, refused.err);
    let asked = place.run(&["adopt", "specs"]);
    assert!(asked.code == 2 && asked.err.contains("add -y"), "{}", asked.err);
    assert_eq!(place.writes(), Vec::<String>::new(), "nobody said yes");
    let said = place.run(&["adopt", "-y", "specs"]);
    assert!(said.code == 0 && said.err.contains("11 services adopted"), "{}", said.err);
    assert!(said.err.contains("plain: nothing else differs from the spec"), "{}", said.err);
    let writes = place.writes();
    assert!(writes.iter().all(|call| call.starts_with("TagResource")) && writes.len() == 11, "{writes:#?}");
    let again = place.run(&["adopt", "specs"]);
    assert!(again.code == 0 && again.err.contains("agents/plain is ours already"), "{}", again.err);

    let said = place.run(&["run", "--once", "--quota-share", "1", "specs"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let writes = place.writes();
    assert!(writes.iter().all(|call| call.starts_with("TagResource")) && writes.len() == 22, "{writes:#?}");
    for (before, (name, ..)) in before.iter().zip(&shapes) {
        let after = place.service(name);
        for field in
            ["taskDefinition", "desiredCount", "capacityProviderStrategy", "deploymentConfiguration", "loadBalancers"]
        {
            assert_eq!(before[field], after[field], "{name} {field}");
        }
        assert_eq!(after["deployments"].as_array().map(Vec::len), Some(1), "{name}: {}", after["deployments"]);
    }
    let said = place.run(&["run", "--once", "--quota-share", "1", "specs"]);
    assert_eq!((said.code, place.writes().len()), (0, 22), "a second run writes nothing: {}", said.err);
}

#[test]
fn scaling_that_was_taken_over_is_changed_and_ended_under_its_own_names() {
    let place = place();
    place.make("scaled", &json!({}), &json!({}));
    scale(&place, "scaled");
    assert_eq!(place.import("scaled").code, 0);
    let text = fs::read_to_string(place.file("scaled")).expect("a spec");
    assert!(text.contains("cpu: shop cpu") && text.contains("targetCpu: 55"), "{text}");
    assert_eq!(place.run(&["adopt", "-y", "specs"]).code, 0);
    fs::write(place.file("scaled"), text.replace("targetCpu: 55", "targetCpu: 40")).expect("a file");
    assert_eq!(place.run(&["run", "--once", "--quota-share", "1", "specs"]).code, 0);
    let writes = place.writes();
    let put: Vec<&String> = writes.iter().filter(|call| call.starts_with("Put")).collect();
    assert!(
        put.len() == 1 && put[0].contains("PolicyName:shop cpu") && put[0].contains("TargetValue:40"),
        "{writes:#?}"
    );
    let off = text.lines().take_while(|line| !line.starts_with("  autoscaling:")).map(str::to_owned);
    let rest = text.lines().skip_while(|line| !line.starts_with("  autoscaling:")).skip(1);
    let rest = rest.skip_while(|line| line.starts_with("    ")).map(str::to_owned);
    fs::write(place.file("scaled"), off.chain(rest).collect::<Vec<_>>().join("\n")).expect("a file");
    assert_eq!(place.run(&["run", "--once", "--quota-share", "1", "specs"]).code, 0);
    let writes = place.writes();
    assert_eq!(writes.iter().filter(|call| call.starts_with("DeregisterScalableTarget")).count(), 1, "{writes:#?}");
    assert_eq!(place.service("scaled")["desiredCount"], 2, "the live count stays");
}

#[test]
fn what_a_spec_cannot_say_is_told_and_the_spec_is_printed_all_the_same() {
    let place = place();
    place.make("scaled", &json!({}), &json!({}));
    scale(&place, "scaled");
    let step = json!({"ServiceNamespace": "ecs", "ResourceId": "service/agents/scaled", "PolicyName": "burst",
        "ScalableDimension": "ecs:service:DesiredCount", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration":
        {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 2}]}});
    place.call("application-autoscaling", "PutScalingPolicy", &step);
    let said = place.run(&["import", "agents/scaled"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    for text in [&said.out, &said.err] {
        assert!(text.contains("/scaling/policies/burst: a policy of type StepScaling"), "{text}");
        assert!(text.contains("the plan leaves it as it is"), "{text}");
    }
    assert!(said.out.contains("kind: AgentDeployment") && said.out.contains("\n# - /scaling"), "{}", said.out);
}

#[test]
fn a_value_that_looks_like_a_secret_is_written_and_only_its_name_is_told() {
    const CANARY: &str = "canary-import-77c2";
    let place = place();
    let task = json!({"containerDefinitions": [{"environment": [{"name": "API_TOKEN", "value": CANARY}]}]});
    place.make("careless", &task, &json!({}));
    let said = place.run(&["import", "agents/careless"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains(CANARY), "{}", said.out);
    assert!(said.err.contains("API_TOKEN looks like a secret") && !said.err.contains(CANARY), "{}", said.err);
    assert_eq!(place.import("careless").code, 0);
    let twice = place.import("careless");
    assert!(twice.code == 2 && twice.err.contains("cannot be written"), "{}", twice.err);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(place.file("careless")).expect("a file").permissions());
    assert_eq!(mode & 0o077, 0, "for its owner alone");
}

#[test]
fn services_of_other_tools_are_refused_with_the_reason() {
    let place = place();
    let tagged = |pairs: Value| json!({"tags": pairs});
    place.make(
        "deployed",
        &json!({}),
        &json!({"deploymentController": {"type": "CODE_DEPLOY"}, "loadBalancers":
        [{"targetGroupArn": GROUP, "containerName": "app", "containerPort": 8080}]}),
    );
    place.make("coded", &json!({}), &tagged(json!([{"key": "managed-by", "value": "Terraform"}])));
    place.make("copiloted", &json!({}), &tagged(json!([{"key": "copilot-application", "value": "shop"}])));
    place.make("other", &json!({}), &tagged(json!([{"key": "fargateer:owner", "value": "stage"}])));
    for (name, reason) in [
        ("deployed", "CODE_DEPLOY deployment controller"),
        ("coded", "managed by terraform, as its tag managed-by says"),
        ("copiloted", "managed by AWS Copilot"),
        ("other", "belongs to the Fargateer installation stage"),
        ("nobody", "no active service agents/nobody in us-east-1"),
    ] {
        let said = place.import(name);
        assert!(said.code == 2 && said.err.contains(reason) && said.err.contains("hint:"), "{name}: {}", said.err);
        let spec = json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": name}, "spec": {
            "cluster": "agents", "image": {"uri": "public.ecr.aws/shop/app:7"}, "network": {"subnets": ["subnet-0a1"]},
            "roles": {"execution": ROLE}}});
        fs::write(place.file(name), spec.to_string()).expect("a file");
        let said = place.run(&["adopt", "-y", &place.file(name).display().to_string()]);
        let reason = if name == "nobody" { "no active service agents/nobody" } else { reason };
        assert!(said.code == 2 && said.err.contains(reason), "{name}: {}", said.err);
    }
    let wrong = place.run(&["import", "agents"]);
    assert!(wrong.code == 2 && wrong.err.contains("agents names no service"), "{}", wrong.err);
    assert_eq!(place.writes(), Vec::<String>::new());
}

#[test]
fn adopting_with_a_spec_of_ones_own_tells_what_the_daemon_will_change() {
    let place = place();
    place.make("web", &json!({}), &json!({}));
    assert_eq!(place.import("web").code, 0);
    let text = fs::read_to_string(place.file("web")).expect("a spec");
    fs::write(place.file("web"), text.replace("MODE: fast", "MODE: slow")).expect("a file");
    let said = place.run(&["adopt", "-y", "specs"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("web: after it the daemon brings the service to the spec"), "{}", said.err);
    assert!(said.err.contains("/environment/MODE") && said.err.contains("restarts tasks"), "{}", said.err);
    assert_eq!(place.writes().len(), 1, "and changes nothing itself");
}
