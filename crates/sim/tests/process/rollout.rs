//! Rollouts behind the load balancer.

use crate::place::{GROUP, Place, address, ask, until};
use fargateer_sim::process::Notice;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

fn revision(number: u32) -> Value {
    json!({"environment": [
        {"name": "REVISION", "value": number.to_string()},
        {"name": "DELAY", "value": "0.05"},
        {"name": "READY_AFTER", "value": "2"},
        {"name": "LINGER", "value": "0.5"},
    ]})
}

/// Callers who ask again and again, until they are told to stop.
struct Load {
    over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    callers: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn on(front: SocketAddr) -> Self {
        let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let caller = |_| {
            let (over, answered) = (Arc::clone(&over), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut failures = Vec::new();
                while !over.load(Ordering::Acquire) {
                    match ask(front, "POST", "/invocations").await {
                        Ok((200, _)) => drop(answered.fetch_add(1, Ordering::AcqRel)),
                        other => failures.push(format!("{other:?}")),
                    }
                }
                failures
            })
        };
        let callers = (0..4).map(caller).collect();
        Self { over, answered, callers }
    }

    /// Ends the calls. How many were answered, and what the others came to.
    async fn end(self) -> (usize, Vec<String>) {
        self.over.store(true, Ordering::Release);
        let mut failures = Vec::new();
        for caller in self.callers {
            failures.extend(caller.await.unwrap());
        }
        (self.answered.load(Ordering::Acquire), failures)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_all_tasks_are_replaced() {
    let mut place = Place::new().await;
    place.create(2, true, &revision(1));
    place.steady().await;
    let front = place.front().await;
    let url = format!("http://{front}");
    assert_eq!(place.notices.recv().await, Some(Notice::Balancer { group: "agents".to_owned(), url }));
    let health = place.call("elbv2", "DescribeTargetHealth", json!({"TargetGroupArn": GROUP}));
    let states = health["TargetHealthDescriptions"].as_array().unwrap().iter();
    assert!(states.map(|target| target["TargetHealth"]["State"].clone()).all(|state| state == "healthy"));
    let load = Load::on(front);
    let next = place.register(&revision(2));
    place.ecs("UpdateService", json!({"cluster": "blue", "service": "agent", "taskDefinition": next}));
    place.steady().await;
    until("the old tasks have gone", || (place.tasks("STOPPED").len() == 2).then_some(())).await;
    let mut hosts = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let (_, said) = ask(front, "POST", "/invocations").await.unwrap();
        assert_eq!(said["revision"], "2");
        hosts.insert(said["host"].to_string());
    }
    assert_eq!(hosts.len(), 2, "both new tasks are asked");
    let (answered, failures) = load.end().await;
    assert!(answered > 50, "only {answered} requests were made");
    assert_eq!(failures, Vec::<String>::new(), "of {answered}");
    for task in place.tasks("STOPPED") {
        assert_eq!(task["containers"][0]["exitCode"], 0, "{task}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_agent_trips_the_circuit_breaker_and_the_good_one_goes_on() {
    let place = Place::new().await;
    place.create(1, true, &revision(1));
    place.steady().await;
    let front = place.front().await;
    let good = place.service()["taskDefinition"].clone();
    let load = Load::on(front);
    let bad = place.register(&json!({"environment": [{"name": "BROKEN", "value": "1"}]}));
    place.ecs("UpdateService", json!({"cluster": "blue", "service": "agent", "taskDefinition": bad}));
    until("it is rolled back", || (place.service()["taskDefinition"] == good).then_some(())).await;
    place.steady().await;
    let deployments = place.ecs("ListServiceDeployments", json!({"cluster": "blue", "service": "agent"}));
    let statuses = deployments["serviceDeployments"].as_array().unwrap().iter();
    assert!(statuses.clone().any(|one| one["status"] == "ROLLBACK_SUCCESSFUL"), "{deployments}");
    let failed = place.tasks("STOPPED").into_iter().find(|task| task["taskDefinitionArn"] == json!(bad)).unwrap();
    assert_eq!(failed["containers"][0]["exitCode"], 1);
    assert_eq!(place.log(&failed).last().unwrap(), "RuntimeError: this agent is broken");
    let (answered, failures) = load.end().await;
    assert_eq!(failures, Vec::<String>::new(), "of {answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_without_a_healthy_task_answers_503() {
    let place = Place::new().await;
    place.create(1, true, &revision(1));
    place.steady().await;
    let front = place.front().await;
    place.ecs("UpdateService", json!({"cluster": "blue", "service": "agent", "desiredCount": 0}));
    until("the task has gone", || place.tasks("STOPPED").pop().filter(|task| task["lastStatus"] == "STOPPED")).await;
    assert_eq!(ask(front, "POST", "/invocations").await.unwrap().0, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_the_load_balancers_check_is_replaced() {
    let place = Place::new().await;
    let mut changes = revision(1);
    changes["healthCheck"] = Value::Null;
    place.create(1, true, &changes);
    place.steady().await;
    let before = place.tasks("RUNNING").remove(0);
    assert_eq!(ask(address(&before), "GET", "/sick").await.unwrap().0, 200);
    let stopped = |task: &Value| task["taskArn"] == before["taskArn"] && task["lastStatus"] == "STOPPED";
    let ended = until("it is replaced", || place.tasks("STOPPED").into_iter().find(stopped)).await;
    let reason = ended["stoppedReason"].as_str().unwrap();
    assert!(reason.starts_with("Task failed ELB health checks in (target-group "), "{reason}");
    tokio::time::timeout(Duration::from_secs(100), place.steady()).await.unwrap();
}
