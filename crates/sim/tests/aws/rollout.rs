//! Rollouts: how services reach, miss and leave their steady state.

use crate::place::{GROUP, IMAGE, Place, definition, merged, pass};
use fargateer_sim::{Behaviour, Settings, Times};
use serde_json::{Value, json};
use std::time::Duration;

fn breaker() -> Value {
    json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}})
}

/// Rolls out the image v2.
fn roll_out(place: &Place) -> String {
    let image = json!({"image": IMAGE.replace("v1", "v2")});
    let container = merged(definition()["containerDefinitions"][0].clone(), image);
    let arn = place.register(merged(definition(), json!({"containerDefinitions": [container]})));
    place.ecs("UpdateService", json!({"cluster": "blue", "service": "agent", "taskDefinition": arn}));
    arn
}

fn newest(place: &Place) -> Value {
    let list = place.ecs("ListServiceDeployments", json!({"cluster": "blue", "service": "agent"}));
    let arn = list["serviceDeployments"][0]["serviceDeploymentArn"].clone();
    place.ecs("DescribeServiceDeployments", json!({"serviceDeploymentArns": [arn]}))["serviceDeployments"][0].clone()
}

#[tokio::test(start_paused = true)]
async fn a_new_service_reaches_its_steady_state() {
    let place = Place::new();
    let created = place.create(json!({}));
    assert_eq!(created["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!((&created["runningCount"], &created["pendingCount"]), (&json!(0), &json!(2)));
    pass(30).await;
    let service = place.service();
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!((&service["runningCount"], &service["pendingCount"]), (&json!(2), &json!(0)));
    assert_eq!(place.messages()[0], "(service agent) has reached a steady state.");
    assert_eq!(newest(&place)["status"], "SUCCESSFUL");
    assert_eq!(service["currentServiceDeployment"], newest(&place)["serviceDeploymentArn"]);
}

#[tokio::test(start_paused = true)]
async fn with_instant_times_a_service_is_steady_at_once() {
    let place = Place::with(Settings { times: Times::instant(), ..Settings::default() });
    place.create(json!({}));
    assert_eq!(place.service()["deployments"][0]["rolloutState"], "COMPLETED");
}

#[tokio::test(start_paused = true)]
async fn enough_healthy_tasks_stay_during_a_rollout() {
    let place = Place::new();
    place.create(json!({"desiredCount": 4}));
    pass(60).await;
    roll_out(&place);
    for _ in 0..60 {
        let service = place.service();
        let running = service["runningCount"].as_u64().unwrap();
        let all = running + service["pendingCount"].as_u64().unwrap();
        assert!(running >= 4 && all <= 8, "{running} running of {all}");
        pass(1).await;
    }
    let service = place.service();
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
}

#[tokio::test(start_paused = true)]
async fn a_configuration_without_room_is_reported() {
    let place = Place::new();
    place.create(json!({"deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 100}}));
    pass(60).await;
    roll_out(&place);
    pass(60).await;
    assert!(place.messages()[0].contains("was unable to stop or start tasks during a deployment"));
    assert_eq!(place.service()["deployments"].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_broken_image_is_rolled_back_by_the_circuit_breaker() {
    let place = Place::new();
    let good = place.create(breaker())["taskDefinition"].clone();
    pass(60).await;
    place.aws.behave(":v2", Behaviour::CrashLoop { exit_code: 1 });
    let bad = roll_out(&place);
    assert_eq!(place.service()["taskDefinition"], json!(bad));
    pass(20).await;
    assert!(place.service()["deployments"][0]["failedTasks"].as_u64() > Some(0));
    pass(100).await;
    let service = place.service();
    assert_eq!(service["taskDefinition"], good);
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(service["runningCount"], 2);
    let deployment = newest(&place);
    assert_eq!(deployment["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(deployment["deploymentCircuitBreaker"]["status"], "TRIGGERED");
    assert!(deployment["rollback"]["serviceRevisionArn"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_first_deployment_that_fails_just_stalls() {
    let place = Place::new();
    place.aws.behave("agent", Behaviour::PullFailure);
    place.create(breaker());
    pass(300).await;
    let service = place.service();
    let deployment = &service["deployments"][0];
    assert_eq!((&deployment["status"], &deployment["rolloutState"]), (&json!("PRIMARY"), &json!("FAILED")));
    assert_eq!(deployment["rolloutStateReason"], "ECS deployment circuit breaker: tasks failed to start.");
    assert_eq!((&service["runningCount"], &service["pendingCount"]), (&json!(0), &json!(0)));
    assert_eq!(newest(&place)["status"], "ROLLBACK_FAILED");
}

#[tokio::test(start_paused = true)]
async fn failed_health_checks_trip_the_breaker_too() {
    let place = Place::new();
    let good = place.create(breaker())["taskDefinition"].clone();
    pass(60).await;
    place.aws.behave(":v2", Behaviour::NeverHealthy);
    roll_out(&place);
    pass(600).await;
    assert_eq!(place.service()["taskDefinition"], good);
    assert_eq!(newest(&place)["statusReason"], "ECS deployment circuit breaker: tasks failed their health checks.");
}

#[tokio::test(start_paused = true)]
async fn without_the_breaker_a_broken_image_is_tried_ever_less_often() {
    let place = Place::new();
    place.aws.behave("agent", Behaviour::CrashLoop { exit_code: 3 });
    place.create(json!({"desiredCount": 1}));
    pass(3600).await;
    let started = place.messages().iter().filter(|message| message.contains("has started")).count();
    assert!((4..15).contains(&started), "started {started} times in an hour");
    assert!(
        place.messages().iter().any(|message| message.contains("is unable to consistently start tasks successfully."))
    );
    assert_eq!(place.service()["deployments"][0]["rolloutState"], "IN_PROGRESS");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_stays_unhealthy_keeps_the_old_tasks_in_place() {
    let place = Place::new();
    let balancer = json!({"targetGroupArn": GROUP, "containerName": "strands-agent", "containerPort": 8000});
    place.create(json!({"loadBalancers": [balancer]}));
    pass(60).await;
    place.aws.behave(":v2", Behaviour::UnhealthyTarget);
    roll_out(&place);
    pass(200).await;
    let service = place.service();
    assert!(service["runningCount"].as_u64() >= Some(2));
    assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
    let stopped =
        place.ecs("ListTasks", json!({"cluster": "blue", "serviceName": "agent", "desiredStatus": "STOPPED"}));
    let task = place.ecs("DescribeTasks", json!({"cluster": "blue", "tasks": stopped["taskArns"]}))["tasks"][0].clone();
    assert_eq!(task["stoppedReason"], format!("Task failed ELB health checks in (target-group {GROUP})"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_start_within_its_grace_period_is_awaited() {
    let place = Place::new();
    place.aws.behave("agent", Behaviour::SlowStart(Duration::from_secs(100)));
    place.create(json!({"healthCheckGracePeriodSeconds": 120}));
    pass(100).await;
    assert_eq!(place.service()["deployments"][0]["rolloutState"], "IN_PROGRESS");
    pass(30).await;
    assert_eq!(place.service()["deployments"][0]["rolloutState"], "COMPLETED");
}

#[tokio::test(start_paused = true)]
async fn a_person_can_roll_a_deployment_back() {
    let place = Place::new();
    let good = place.create(json!({}))["taskDefinition"].clone();
    pass(60).await;
    place.aws.behave(":v2", Behaviour::StuckProvisioning);
    roll_out(&place);
    pass(60).await;
    let arn = newest(&place)["serviceDeploymentArn"].clone();
    place.ecs("StopServiceDeployment", json!({"serviceDeploymentArn": arn}));
    pass(60).await;
    assert_eq!(place.service()["taskDefinition"], good);
    assert_eq!(newest(&place)["status"], "ROLLBACK_SUCCESSFUL");
    let again = json!({"serviceDeploymentArn": arn});
    assert_eq!(place.refused("ecs", "StopServiceDeployment", again).0, "ConflictException");
}

#[tokio::test(start_paused = true)]
async fn a_newer_deployment_stops_the_one_before() {
    let place = Place::new();
    place.create(json!({}));
    roll_out(&place);
    let list = place.ecs("ListServiceDeployments", json!({"cluster": "blue", "service": "agent"}));
    assert_eq!(list["serviceDeployments"][1]["status"], "STOPPED");
    pass(60).await;
    assert_eq!(newest(&place)["status"], "SUCCESSFUL");
}

#[tokio::test(start_paused = true)]
async fn a_blue_green_deployment_that_is_superseded_makes_room_for_the_next() {
    let place = Place::new();
    place.create(
        json!({"desiredCount": 1, "deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1}}),
    );
    pass(300).await;
    for _ in 0..2 {
        roll_out(&place);
        pass(8).await;
    }
    pass(300).await;
    let service = place.service();
    assert_eq!((&service["runningCount"], &newest(&place)["status"]), (&json!(1), &json!("SUCCESSFUL")), "{service}");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_service_drains_and_becomes_inactive() {
    let place = Place::new();
    place.create(json!({}));
    pass(30).await;
    let input = json!({"cluster": "blue", "service": "agent"});
    let message = place.refused("ecs", "DeleteService", input.clone()).1;
    assert_eq!(message, "The service cannot be stopped while it is scaled above 0.");
    place.ecs("DeleteService", merged(input, json!({"force": true})));
    assert_eq!(place.service()["status"], "DRAINING");
    assert_eq!(place.ecs("ListServices", json!({"cluster": "blue"}))["serviceArns"], json!([]));
    pass(30).await;
    assert_eq!(place.service()["status"], "INACTIVE");
    place.create(json!({}));
    assert_eq!(place.service()["status"], "ACTIVE");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_is_complete_only_when_the_old_tasks_are_drained() {
    let place = Place::new();
    place.call(
        "elbv2",
        "ModifyTargetGroupAttributes",
        json!({"TargetGroupArn": GROUP, "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "300"}]}),
    );
    let balancer = json!({"targetGroupArn": GROUP, "containerName": "strands-agent", "containerPort": 8000});
    place.create(json!({"loadBalancers": [balancer]}));
    pass(60).await;
    roll_out(&place);
    pass(200).await;
    let service = place.service();
    assert_eq!(service["deployments"][0]["runningCount"], 2);
    assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(service["deployments"][1]["status"], "ACTIVE");
    pass(200).await;
    assert_eq!(place.service()["deployments"][0]["rolloutState"], "COMPLETED");
}

#[tokio::test(start_paused = true)]
async fn a_healthy_service_may_fall_sick_and_recover() {
    let place = Place::new();
    place.create(json!({}));
    pass(60).await;
    place.aws.behave("agent", Behaviour::NeverHealthy);
    pass(70).await;
    assert!(place.messages().iter().any(|message| message.contains("failed container health checks")));
    assert!(place.service()["runningCount"].as_u64() < Some(2));
    assert_eq!(place.service()["deployments"][0]["rolloutState"], "COMPLETED");
    place.aws.behave("agent", Behaviour::Healthy);
    pass(60).await;
    assert_eq!(place.service()["runningCount"], 2);
    assert_eq!(place.messages()[0], "(service agent) has reached a steady state.");
}

#[tokio::test(start_paused = true)]
async fn tasks_above_the_vcpu_quota_are_not_placed() {
    let place = Place::with(Settings { vcpu_quota: Some(1), ..Settings::default() });
    place.create(json!({"desiredCount": 6}));
    pass(120).await;
    assert_eq!(place.service()["runningCount"], 4);
    assert!(place.messages()[0].contains("You've reached the limit on the number of vCPUs"), "{:?}", place.messages());
    place.ecs("UpdateService", json!({"cluster": "blue", "service": "agent", "desiredCount": 3}));
    pass(60).await;
    assert_eq!(place.service()["runningCount"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_task_stuck_in_provisioning_goes_on_once_it_may() {
    let place = Place::new();
    place.aws.behave("agent", Behaviour::StuckProvisioning);
    place.create(json!({}));
    pass(600).await;
    assert_eq!(place.service()["pendingCount"], 2);
    place.aws.behave("agent", Behaviour::Healthy);
    pass(30).await;
    assert_eq!(place.service()["runningCount"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_healthy_task_wipes_out_the_failures_before_it() {
    let place = Place::new();
    place.aws.behave("agent", Behaviour::CrashLoop { exit_code: 1 });
    place.create(merged(breaker(), json!({"desiredCount": 1})));
    pass(30).await;
    assert!(place.service()["deployments"][0]["failedTasks"].as_u64() > Some(0));
    place.aws.behave("agent", Behaviour::Healthy);
    pass(60).await;
    let deployment = place.service()["deployments"][0].clone();
    assert_eq!((&deployment["failedTasks"], &deployment["rolloutState"]), (&json!(0), &json!("COMPLETED")));
}

#[tokio::test(start_paused = true)]
async fn what_was_rolled_back_to_is_not_rolled_back_to_again_before_it_completes() {
    let place = Place::new();
    place.create(breaker());
    pass(60).await;
    place.aws.behave("agent", Behaviour::CrashLoop { exit_code: 1 });
    roll_out(&place);
    pass(600).await;
    assert_eq!(place.service()["deployments"][0]["rolloutState"], "FAILED");
    assert_eq!(newest(&place)["status"], "ROLLBACK_FAILED");
    let rollbacks = place.messages().iter().filter(|message| message.contains("rolling back to")).count();
    assert_eq!(rollbacks, 1);
}

#[tokio::test(start_paused = true)]
async fn a_steady_service_says_so_again_every_six_hours() {
    let place = Place::new();
    place.create(json!({}));
    pass(60).await;
    let steady =
        |place: &Place| place.messages().iter().filter(|text| text.ends_with("reached a steady state.")).count();
    assert_eq!(steady(&place), 1);
    pass(3 * 6 * 3600).await;
    assert_eq!(steady(&place), 4);
    place.ecs("UpdateService", json!({"cluster": "blue", "service": "agent", "desiredCount": 3}));
    assert_eq!(steady(&place), 4);
    pass(400 * 86_400).await;
    assert_eq!(place.messages().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_service_launches_at_most_five_hundred_tasks_a_minute() {
    let place = Place::new();
    place.create(json!({"desiredCount": 550}));
    let started = |place: &Place| {
        let service = place.service();
        service["runningCount"].as_u64().unwrap() + service["pendingCount"].as_u64().unwrap()
    };
    assert_eq!(started(&place), 500);
    pass(61).await;
    assert_eq!(started(&place), 550);
}
