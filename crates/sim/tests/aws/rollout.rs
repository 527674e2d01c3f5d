//! Rollouts: how services reach, miss and leave their steady state.

use crate::place::{IMAGE, Place, definition, merged, pass};
use fargateer_sim::Behaviour;
use serde_json::json;

fn breaker() -> serde_json::Value {
    json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}})
}

#[tokio::test(start_paused = true)]
async fn a_new_service_reaches_its_steady_state() {
    let place = Place::new();
    let created = place.create(json!({}));
    assert_eq!(created["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(
        (&created["runningCount"], &created["pendingCount"]),
        (&json!(0), &json!(2))
    );
    pass(30).await;
    let service = place.service();
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(
        (&service["runningCount"], &service["pendingCount"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(place.messages()[0], "(service agent) has reached a steady state.");
}

#[tokio::test(start_paused = true)]
async fn a_broken_image_is_rolled_back_by_the_circuit_breaker() {
    let place = Place::new();
    let good = place.create(breaker())["taskDefinition"].clone();
    pass(60).await;
    place.aws.behave(":v2", Behaviour::CrashLoop { exit_code: 1 });
    let bad = place.register(merged(
        definition(),
        json!({"containerDefinitions": [merged(
        definition()["containerDefinitions"][0].clone(), json!({"image": IMAGE.replace("v1", "v2")}))]}),
    ));
    place.ecs(
        "UpdateService",
        json!({"cluster": "blue", "service": "agent", "taskDefinition": bad}),
    );
    assert_eq!(place.service()["taskDefinition"], json!(bad));
    pass(120).await;
    let service = place.service();
    assert_eq!(service["taskDefinition"], good);
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(service["runningCount"], 2);
    let deployments = place.ecs("ListServiceDeployments", json!({"cluster": "blue", "service": "agent"}));
    assert_eq!(deployments["serviceDeployments"][0]["status"], "ROLLBACK_SUCCESSFUL");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_service_drains_and_becomes_inactive() {
    let place = Place::new();
    place.create(json!({}));
    pass(30).await;
    let input = json!({"cluster": "blue", "service": "agent"});
    assert_eq!(
        place.refused("ecs", "DeleteService", input.clone()).1,
        "The service cannot be stopped while it is scaled above 0."
    );
    place.ecs("DeleteService", merged(input, json!({"force": true})));
    assert_eq!(place.service()["status"], "DRAINING");
    assert_eq!(
        place.ecs("ListServices", json!({"cluster": "blue"}))["serviceArns"],
        json!([])
    );
    pass(30).await;
    assert_eq!(place.service()["status"], "INACTIVE");
    place.create(json!({}));
    assert_eq!(place.service()["status"], "ACTIVE");
}
