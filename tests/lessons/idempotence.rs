//! Lessons 1 to 3, 15 and 26: nothing is written when nothing changed, however it is spelt.

use serde_json::{Value, json};

use crate::world::{Agent, World};

fn rich() -> Agent {
    Agent::named("bot")
        .with_tasks(2)
        .with_env("MODEL", "large")
        .with_env("EMPTY", "")
        .with("resources", json!({"cpu": 512, "memory": 1024, "architecture": "ARM64", "ephemeralStorageGiB": 30}))
        .with("roles/task", json!("arn:aws:iam::111122223333:role/agents/task"))
        .with("container/secrets", json!({"KEY": {"valueFrom": "arn:aws:ssm:us-east-1:111122223333:parameter/key"}}))
        .with("sidecars", json!([sidecar("proxy", ["A", "B"]), sidecar("tracer", ["C", "D"])]))
        .behind_the_load_balancer()
        .scaled(2, 5)
}

fn sidecar(name: &str, variables: [&str; 2]) -> Value {
    let environment = variables.map(|variable| json!({"name": variable, "value": "1"}));
    json!({
        "name": name,
        "image": format!("public.example.com/{name}:1"),
        "essential": false,
        "environment": environment,
        "portMappings": [],
    })
}

/// Lesson 1.
#[tokio::test(start_paused = true)]
async fn the_same_spec_twice_makes_no_write_the_second_time() {
    let mut world = World::new().await;
    world.apply([rich()]).await;
    world.assert_ready("bot");
    world.forget_calls();
    world.apply([rich()]).await;
    world.assert_no_writes();
    world.assert_nothing_to_do().await;
}

/// Lessons 2 and 15: subnets, security groups, sidecars and their environment in another order.
#[tokio::test(start_paused = true)]
async fn a_spec_in_another_order_makes_no_write() {
    let mut world = World::new().await;
    let agent = rich().with("network/securityGroups", json!(["sg-0a1", "sg-0b2"]));
    world.apply([agent]).await;
    world.assert_ready("bot");
    world.forget_calls();
    let reordered = rich()
        .with("network/securityGroups", json!(["sg-0b2", "sg-0a1"]))
        .with("network/subnets", json!(["subnet-0b2", "subnet-0a1"]))
        .with("sidecars", json!([sidecar("tracer", ["D", "C"]), sidecar("proxy", ["B", "A"])]));
    world.apply([reordered]).await;
    world.assert_ready("bot");
    world.assert_no_writes();
    world.assert_nothing_to_do().await;
}

/// Lesson 15: the other order stands in AWS.
#[tokio::test(start_paused = true)]
async fn networks_that_aws_lists_in_another_order_are_no_drift() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").with("network/securityGroups", json!(["sg-0a1", "sg-0b2"]))]).await;
    let vpc = json!({"subnets": ["subnet-0b2", "subnet-0a1"], "securityGroups": ["sg-0b2", "sg-0a1"]});
    world.meddle("bot", &json!({"networkConfiguration": {"awsvpcConfiguration": vpc}}));
    world.forget_calls();
    world.resync().await;
    world.assert_no_writes();
    assert_eq!(world.status("bot").last_drift, None);
}

/// Lesson 3.
#[tokio::test(start_paused = true)]
async fn every_default_of_aws_written_out_makes_no_write() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot")]).await;
    world.forget_calls();
    let container = json!({
        "name": "strands-agent", "cpu": 0, "essential": true, "mountPoints": [], "volumesFrom": [],
        "systemControls": [], "privileged": false, "readonlyRootFilesystem": false, "versionConsistency": "enabled",
        "ulimits": [], "dockerLabels": {}, "linuxParameters": {"capabilities": {"add": [], "drop": []}},
        "portMappings": [{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}],
    });
    let definition = json!({
        "volumes": [], "placementConstraints": [], "containerDefinitions": [container], "enableFaultInjection": false,
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "cpu": ".25 vCPU", "memory": "0.5 GB",
    });
    let service = json!({
        "platformVersion": "LATEST", "schedulingStrategy": "REPLICA", "deploymentController": {"type": "ECS"},
        "loadBalancers": [], "serviceRegistries": [], "healthCheckGracePeriodSeconds": 0,
        "enableECSManagedTags": false, "enableExecuteCommand": false,
        "serviceConnectConfiguration": {"enabled": false},
        "volumeConfigurations": [], "vpcLatticeConfigurations": [],
        "deploymentConfiguration": {
            "strategy": "ROLLING", "maximumPercent": 200, "minimumHealthyPercent": 100, "bakeTimeInMinutes": 0,
            "alarms": {"alarmNames": [], "enable": false, "rollback": false}, "lifecycleHooks": [],
        },
        "networkConfiguration": {"awsvpcConfiguration": {"assignPublicIp": "DISABLED"}},
    });
    let explicit = Agent::named("bot")
        .with("overrides", json!({"taskDefinition": definition, "service": service}))
        .with("desiredCount", json!(1))
        .with("region", json!("us-east-1"));
    world.apply([explicit]).await;
    world.assert_ready("bot");
    // Another wording of the spec is remembered on the service; nothing else is touched.
    assert_eq!(world.writes(), ["ecs.TagResource"], "{:?}", world.differing());
    world.assert_nothing_to_do().await;
}

/// Lesson 26.
#[tokio::test(start_paused = true)]
async fn names_and_arns_of_clusters_and_roles_are_equal() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").scaled(1, 3)]).await;
    world.forget_calls();
    let by_arn = Agent::named("bot")
        .scaled(1, 3)
        .with("cluster", json!("arn:aws:ecs:us-east-1:111122223333:cluster/agents"))
        .with("roles/execution", json!("execution"));
    world.apply([by_arn]).await;
    world.assert_ready("bot");
    assert_eq!(world.writes(), ["ecs.TagResource"], "{:?}", world.differing());
    assert_eq!(world.revisions("bot").len(), 1);
    world.assert_nothing_to_do().await;
}
