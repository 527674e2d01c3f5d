//! Tasks: their way through life, and what they leave behind.

use crate::place::{Place, REGION, definition, merged, pass, service};
use fargateer_sim::{Behaviour, Settings, Strict};
use serde_json::{Value, json};

fn tasks(place: &Place, status: &str) -> Vec<Value> {
    let input = json!({"cluster": "blue", "serviceName": "agent", "desiredStatus": status});
    let arns = place.ecs("ListTasks", input)["taskArns"].clone();
    if arns == json!([]) {
        return Vec::new();
    }
    let described = place.ecs("DescribeTasks", json!({"cluster": "blue", "tasks": arns, "include": ["TAGS"]}));
    described["tasks"].as_array().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_task_goes_through_every_phase() {
    let place = Place::new();
    place.create(json!({"desiredCount": 1}));
    let mut seen = Vec::new();
    for _ in 0..25 {
        seen.push(tasks(&place, "RUNNING")[0]["lastStatus"].as_str().unwrap().to_owned());
        pass(1).await;
    }
    seen.dedup();
    assert_eq!(seen, ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"]);
    let task = tasks(&place, "RUNNING")[0].clone();
    assert_eq!((&task["healthStatus"], &task["group"]), (&json!("HEALTHY"), &json!("service:agent")));
    assert_eq!(task["startedBy"], place.service()["deployments"][0]["id"]);
    assert!(task["containers"][0]["imageDigest"].as_str().unwrap().starts_with("sha256:"));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_task_is_replaced_and_stays_visible_for_an_hour() {
    let place = Place::new();
    place.create(json!({"desiredCount": 1}));
    pass(60).await;
    let arn = tasks(&place, "RUNNING")[0]["taskArn"].clone();
    place.ecs("StopTask", json!({"cluster": "blue", "task": arn, "reason": "tired"}));
    pass(60).await;
    assert_ne!(tasks(&place, "RUNNING")[0]["taskArn"], arn);
    let stopped = tasks(&place, "STOPPED")[0].clone();
    assert_eq!((&stopped["stopCode"], &stopped["stoppedReason"]), (&json!("UserInitiated"), &json!("tired")));
    assert_eq!(stopped["containers"][0]["exitCode"], 143);
    pass(3600).await;
    assert!(tasks(&place, "STOPPED").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_missing_can_t_be_pulled() {
    let place = Place::new();
    place.call("ecr", "BatchDeleteImage", json!({"repositoryName": "agent", "imageIds": [{"imageTag": "v1"}]}));
    place.create(json!({"desiredCount": 1}));
    pass(15).await;
    let task = tasks(&place, "STOPPED")[0].clone();
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    assert!(task["stoppedReason"].as_str().unwrap().starts_with("CannotPullContainerError"));
}

#[tokio::test(start_paused = true)]
async fn a_missing_log_group_keeps_a_task_from_starting() {
    let place = Place::new();
    place.call("logs", "DeleteLogGroup", json!({"logGroupName": "/ecs/agent"}));
    place.create(json!({"desiredCount": 1}));
    pass(15).await;
    let reason = tasks(&place, "STOPPED")[0]["stoppedReason"].clone();
    assert!(reason.as_str().unwrap().contains("The specified log group does not exist"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_log_group_never_made_here_may_be_taken_to_exist() {
    let strict = Strict { log_groups: false, ..Strict::default() };
    let place = Place::with(Settings { strict, ..Settings::default() });
    place.register(definition());
    let mut other = definition();
    other["family"] = json!("other");
    other["containerDefinitions"][0]["logConfiguration"]["options"]["awslogs-group"] = json!("/ecs/elsewhere");
    place.register(other);
    place.create(json!({"desiredCount": 1, "taskDefinition": "other"}));
    pass(30).await;
    assert_eq!(place.service()["runningCount"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_crash_leaves_its_exit_code_and_a_traceback() {
    let place = Place::new();
    place.aws.behave("agent", Behaviour::CrashLoop { exit_code: 3 });
    place.create(json!({"desiredCount": 1}));
    pass(15).await;
    let task = tasks(&place, "STOPPED")[0].clone();
    assert_eq!(
        (&task["stopCode"], &task["containers"][0]["exitCode"]),
        (&json!("EssentialContainerExited"), &json!(3))
    );
    let lines =
        place.call("logs", "FilterLogEvents", json!({"logGroupName": "/ecs/agent", "filterPattern": "Traceback"}));
    assert!(lines["events"][0]["logStreamName"].as_str().unwrap().starts_with("ecs/strands-agent/"));
}

#[tokio::test(start_paused = true)]
async fn a_task_out_of_memory_is_killed_and_does_not_count_as_failed() {
    let place = Place::new();
    place.aws.behave("agent", Behaviour::OutOfMemory);
    place.create(json!({"desiredCount": 1}));
    pass(300).await;
    let container = tasks(&place, "STOPPED")[0]["containers"][0].clone();
    assert_eq!(container["exitCode"], 137);
    assert!(container["reason"].as_str().unwrap().starts_with("OutOfMemoryError"));
    assert_eq!(place.service()["deployments"][0]["failedTasks"], 0);
}

#[tokio::test(start_paused = true)]
async fn tasks_carry_the_tags_they_are_told_to() {
    let place = Place::new();
    let tags = json!([{"key": "owner", "value": "me"}]);
    place.create(json!({"tags": tags, "propagateTags": "SERVICE"}));
    assert_eq!(tasks(&place, "RUNNING")[0]["tags"], tags);
}

#[tokio::test(start_paused = true)]
async fn a_spot_task_is_interrupted_and_an_on_demand_one_is_not() {
    let place = Place::new();
    let spot = json!([{"capacityProvider": "FARGATE_SPOT", "weight": 1}]);
    place.create(json!({"desiredCount": 1, "launchType": null, "capacityProviderStrategy": spot}));
    pass(60).await;
    assert_eq!(tasks(&place, "RUNNING")[0]["capacityProviderName"], "FARGATE_SPOT");
    place.aws.interrupt(REGION, "blue", "agent");
    pass(60).await;
    let stopped = tasks(&place, "STOPPED")[0].clone();
    assert_eq!(stopped["stopCode"], "SpotInterruption");
    assert_eq!(stopped["stoppedReason"], "Your Spot Task was interrupted.");
    assert_eq!(place.service()["runningCount"], 1);
    let other = Place::new();
    other.create(json!({"desiredCount": 1}));
    pass(60).await;
    other.aws.interrupt(REGION, "blue", "agent");
    assert!(tasks(&other, "STOPPED").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_task_can_run_without_a_service() {
    let place = Place::new();
    place.create(json!({"desiredCount": 0}));
    let input = merged(service(), json!({"serviceName": null, "desiredCount": null, "count": 2}));
    let run = place.ecs("RunTask", input);
    assert_eq!(run["tasks"].as_array().unwrap().len(), 2);
    pass(30).await;
    let described = place.ecs("DescribeTasks", json!({"cluster": "blue", "tasks": [run["tasks"][0]["taskArn"]]}));
    assert_eq!(described["tasks"][0]["lastStatus"], "RUNNING");
    assert_eq!(place.ecs("ListServices", json!({"cluster": "blue"}))["serviceArns"].as_array().unwrap().len(), 1);
}
