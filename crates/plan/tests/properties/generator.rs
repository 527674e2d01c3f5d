//! Valid specs: every field a person may write, each of them sometimes.

use fargateer_api::{AgentDeployment, validate};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

const GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/blue/73e2d6bc24d8a067";
const OTHER: &str = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/green/83e2d6bc24d8a067";
const RULE: &str = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener-rule/app/front/1/2/3";
const ROLE: &str = "arn:aws:iam::111122223333:role/path/agent-execution";

/// A spec of the agent `bot`.
pub(crate) fn agent() -> impl Strategy<Value = AgentDeployment> {
    let parts = (place(), container(), sidecars(), traffic(), rest(), overrides(), drift());
    parts.prop_map(|(place, container, sidecars, traffic, rest, overrides, drift)| {
        let mut spec = Map::new();
        for part in [place, container, sidecars, traffic, rest, overrides, drift] {
            spec.extend(part.as_object().unwrap().clone());
        }
        spec.retain(|_, value| !value.is_null());
        let document =
            json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "bot"}, "spec": spec});
        let agent: AgentDeployment =
            serde_json::from_value(document.clone()).unwrap_or_else(|fault| panic!("{fault}: {document}"));
        assert_eq!(validate::check(&agent), [], "{document}");
        agent
    })
}

/// The same, with drift corrected and nothing in the way.
pub(crate) fn correcting_agent() -> impl Strategy<Value = AgentDeployment> {
    agent().prop_map(|mut agent| {
        agent.spec.drift = fargateer_api::spec::Drift::default();
        agent
    })
}

fn place() -> impl Strategy<Value = Value> {
    let cluster = select(vec!["agents", "arn:aws:ecs:us-east-1:111122223333:cluster/agents"]);
    let image = select(vec![
        "public.ecr.aws/agents/bot:1",
        "111122223333.dkr.ecr.us-east-1.amazonaws.com/bot:1",
        "111122223333.dkr.ecr.us-east-1.amazonaws.com/bot@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ]);
    let subnets = btree_set("subnet-[a-d]", 1..4);
    let groups = btree_set("sg-[a-d]", 0..4);
    let size = select(vec![(256, 512), (512, 1024), (1024, 2048), (4096, 30720)]);
    let storage = option::of(20..=200_u32);
    let architecture = select(vec!["X86_64", "ARM64"]);
    (cluster, image, subnets, groups, any::<bool>(), size, storage, architecture).prop_map(
        |(cluster, image, subnets, groups, public, (cpu, memory), storage, architecture)| {
            let mut resources = json!({"cpu": cpu, "memory": memory, "architecture": architecture});
            if let Some(storage) = storage {
                resources["ephemeralStorageGiB"] = json!(storage);
            }
            json!({"cluster": cluster, "image": {"uri": image}, "resources": resources,
                "network": {"subnets": subnets, "securityGroups": groups, "assignPublicIp": public},
                "roles": {"execution": ROLE, "task": "agent-task"}})
        },
    )
}

fn container() -> impl Strategy<Value = Value> {
    let environment = btree_map("[A-C]", "[xy ]{0,2}", 0..4);
    let secrets = btree_map("[D-F]", Just(json!({"valueFrom": "/agents/token"})), 0..3);
    let command = vec("[a-b]", 0..3);
    let health = option::of((5..=60_u32, 1..=10_u32, 0..=300_u32));
    (environment, secrets, command, 1..=u16::MAX, any::<[bool; 3]>(), option::of(2..=120_u32), health).prop_map(
        |(environment, secrets, command, port, [init, readonly, user], stop, health)| {
            let mut container = json!({"environment": environment, "secrets": secrets, "command": command, "port": port,
                "initProcess": init, "readonlyRootFilesystem": readonly});
            if user {
                container["user"] = json!("1000:1000");
                container["entryPoint"] = json!(["/init", "--"]);
                container["workingDirectory"] = json!("/srv");
            }
            if let Some(seconds) = stop {
                container["stopTimeout"] = json!(seconds);
            }
            if let Some((interval, retries, start)) = health {
                container["healthCheck"] =
                    json!({"path": "/ready", "interval": interval, "timeout": 5, "retries": retries, "startPeriod": start});
            }
            json!({"container": container})
        },
    )
}

fn sidecars() -> impl Strategy<Value = Value> {
    let plain = json!({"name": "proxy", "image": "public.ecr.aws/agents/proxy:1"});
    let full = json!({"name": "collector", "image": "public.ecr.aws/agents/collector:2", "essential": false, "cpu": 0,
        "environment": [{"name": "Z", "value": ""}, {"name": "A", "value": "1"}],
        "dependsOn": [{"containerName": "strands-agent", "condition": "START"}],
        "healthCheck": {"command": ["CMD", "true"]}, "mountPoints": [], "ulimits": [],
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/x", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "y"}}});
    proptest::sample::subsequence(vec![plain, full], 0..=2).prop_map(|sidecars| json!({"sidecars": sidecars}))
}

/// Load balancer, scaling and rollout, which depend on one another.
fn traffic() -> impl Strategy<Value = Value> {
    let balancer = option::of((select(vec![GROUP, OTHER]), option::of(0..=300_u32)));
    let green = option::of((select(vec!["BlueGreen", "Canary", "Linear"]), option::of(0..=60_u32)));
    let rollout = (50..=100_u32, 200..=300_u32, any::<[bool; 2]>(), btree_set("alarm-[ab]", 0..3));
    (balancer, green, rollout, autoscaling()).prop_map(|(balancer, green, rollout, mut scaling)| {
        let (least, most, [breaker, back], alarms) = rollout;
        let mut rollout = json!({"minimumHealthyPercent": least, "maximumPercent": most,
            "circuitBreaker": {"enabled": breaker, "rollback": back}, "alarms": alarms});
        let mut load_balancer = Value::Null;
        if let Some((group, grace)) = balancer {
            load_balancer = json!({"targetGroupArn": group});
            if let Some(seconds) = grace {
                load_balancer["gracePeriod"] = json!(seconds);
            }
            if let Some((strategy, bake)) = green {
                rollout["strategy"] = json!(strategy);
                if let Some(minutes) = bake {
                    rollout["bakeMinutes"] = json!(minutes);
                }
                let other = if group == GROUP { OTHER } else { GROUP };
                load_balancer["alternate"] =
                    json!({"targetGroupArn": other, "productionListenerRule": RULE, "roleArn": ROLE});
            }
        } else {
            scaling.as_object_mut().unwrap().remove("requestsPerTarget");
        }
        json!({"rollout": rollout, "loadBalancer": load_balancer, "autoscaling": scaling})
    })
}

fn autoscaling() -> impl Strategy<Value = Value> {
    let night = json!({"name": "night", "schedule": "cron(0 22 * * ? *)", "min": 0, "max": 3});
    let day = json!({"name": "day", "schedule": "rate(1 hour)", "timezone": "Europe/Berlin", "max": 9});
    let scheduled = proptest::sample::subsequence(vec![night, day], 0..=2);
    let goals = (option::of(1..=100_u32), option::of(1..=100_u32), option::of(1..=900_u32), option::of(1..=900_u32));
    (any::<bool>(), 0..=4_u32, 4..=9_u32, goals, scheduled).prop_map(|(enabled, min, max, goals, scheduled)| {
        let (cpu, memory, requests, cooldown) = goals;
        let none = cpu.is_none() && memory.is_none();
        let mut scaling = json!({"enabled": enabled, "min": min, "max": max, "scheduled": scheduled,
            "targetCpu": if none { Some(70) } else { cpu }});
        for (key, value) in [("targetMemory", memory), ("requestsPerTarget", requests), ("scaleInCooldown", cooldown)] {
            if let Some(value) = value {
                scaling[key] = json!(value);
            }
        }
        scaling
    })
}

fn rest() -> impl Strategy<Value = Value> {
    let capacity = select(vec![
        Value::Null,
        json!({"provider": "FARGATE"}),
        json!({"provider": "FARGATE_SPOT"}),
        json!({"platformVersion": "1.4.0"}),
        json!({"strategy": [{"provider": "FARGATE", "base": 1}, {"provider": "FARGATE_SPOT", "weight": 3}]}),
    ]);
    let retention = select(vec![json!(null), json!(7), json!(30)]);
    let logging = (any::<bool>(), retention, select(vec!["blocking", "non-blocking"]));
    let propagate = select(vec!["Service", "TaskDefinition", "None"]);
    let tags = btree_map("[a-d]{1,2}", "[xy]", 0..4);
    (0..=4_u32, capacity, logging, propagate, tags, any::<bool>(), any::<bool>()).prop_map(
        |(count, capacity, (enabled, retention, mode), propagate, tags, exec, retain)| {
            json!({"desiredCount": count, "capacity": capacity, "propagateTags": propagate, "tags": tags,
                "logging": {"enabled": enabled, "retentionDays": retention, "mode": mode},
                "enableExecuteCommand": exec, "retainData": retain})
        },
    )
}

fn overrides() -> impl Strategy<Value = Value> {
    let task = select(vec![
        json!({}),
        json!({"pidMode": "task"}),
        json!({"volumes": [{"name": "tmp"}], "containerDefinitions": [{"name": "strands-agent",
            "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}], "stopTimeout": null}]}),
    ]);
    let service = select(vec![
        json!({}),
        json!({"serviceConnectConfiguration": {"enabled": true, "namespace": "agents"}}),
        json!({"monitoring": {"resolutionSeconds": 20}}),
        json!({"availabilityZoneRebalancing": "ENABLED"}),
    ]);
    (task, service).prop_map(|(task, service)| json!({"overrides": {"taskDefinition": task, "service": service}}))
}

fn drift() -> impl Strategy<Value = Value> {
    let ignore = proptest::sample::subsequence(
        vec![
            "/service/desiredCount",
            "/service/networkConfiguration/awsvpcConfiguration/securityGroups",
            "/service/deploymentConfiguration/alarms/enable",
            "/taskDefinition/containerDefinitions/strands-agent/environment/A",
            "/taskDefinition/cpu",
            "/scaling/min",
            "/logGroup/retentionInDays",
        ],
        0..=3,
    );
    (select(vec!["Correct", "Detect", "Ignore"]), ignore)
        .prop_map(|(mode, ignore)| json!({"drift": {"mode": mode, "ignore": ignore}}))
}
