//! Services: what CreateService and UpdateService refuse, keep and change.

use crate::place::{GROUP, Place, definition, merged, pass, service};
use fargateer_sim::Settings;
use serde_json::{Value, json};
use std::time::Duration;

fn refused(changes: Value) -> String {
    let place = Place::new();
    place.register(definition());
    place.refused("ecs", "CreateService", merged(service(), changes)).1
}

fn update(place: &Place, changes: Value) -> Value {
    place.ecs("UpdateService", merged(json!({"cluster": "blue", "service": "agent"}), changes))["service"].clone()
}

fn behind(group: &str) -> Value {
    json!({"loadBalancers": [{"targetGroupArn": group, "containerName": "strands-agent", "containerPort": 8000}]})
}

#[tokio::test(start_paused = true)]
async fn defaults_are_filled_as_ecs_fills_them() {
    let service = Place::new().create(json!({}));
    let expected = json!({
        "schedulingStrategy": "REPLICA", "deploymentController": {"type": "ECS"}, "platformVersion": "LATEST",
        "platformFamily": "Linux", "propagateTags": "NONE", "enableECSManagedTags": false, "enableExecuteCommand": false,
        "healthCheckGracePeriodSeconds": 0, "availabilityZoneRebalancing": "ENABLED", "loadBalancers": [],
        "serviceRegistries": [], "placementConstraints": [], "placementStrategy": [],
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&service[name], value, "{name}");
    }
    assert_eq!(service["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"], "DISABLED");
    let configuration = &service["deploymentConfiguration"];
    assert_eq!((&configuration["maximumPercent"], &configuration["minimumHealthyPercent"]), (&json!(200), &json!(100)));
    assert_eq!(configuration["deploymentCircuitBreaker"], json!({"enable": false, "rollback": false}));
    assert!(service["taskDefinition"].as_str().unwrap().ends_with("task-definition/agent:1"));
}

#[tokio::test(start_paused = true)]
async fn bad_requests_are_refused_in_ecs_s_words() {
    assert!(refused(json!({"networkConfiguration": null})).starts_with("Network Configuration must be provided"));
    assert!(
        refused(json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}}))
            .contains("subnets can not be empty")
    );
    assert!(
        refused(json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["x"]}}}))
            .contains("InvalidSubnetID.NotFound")
    );
    assert!(
        refused(json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]}))
            .contains("not both")
    );
    let own = json!({"launchType": null, "capacityProviderStrategy": [{"capacityProvider": "MINE", "weight": 1}]});
    assert!(refused(own).contains("not associated with the cluster"));
    let weightless = json!({"launchType": null, "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]});
    assert!(refused(weightless).contains("weight greater than 0"));
    assert!(refused(behind(&format!("{GROUP}0"))).contains("target group"));
    assert!(refused(json!({"desiredCount": null})).contains("desired count"));
    assert!(refused(json!({"taskDefinition": "agent:7"})).contains("not found"));
    assert!(refused(json!({"platformVersion": "9.9"})).contains("platform version"));
    let one = behind(GROUP)["loadBalancers"][0].clone();
    assert!(refused(json!({"loadBalancers": vec![one; 6]})).contains("at most 5"));
    let mut other = behind(GROUP);
    other["loadBalancers"][0]["containerName"] = json!("other");
    assert_eq!(refused(other), "The container other does not exist in the task definition.");
    let mut port = behind(GROUP);
    port["loadBalancers"][0]["containerPort"] = json!(1);
    assert!(refused(port).contains("did not have a container port 1 defined"));
}

#[tokio::test(start_paused = true)]
async fn the_same_request_answers_the_same_service_and_another_is_refused() {
    let place = Place::new();
    let token = json!({"clientToken": "one"});
    let created = place.create(token.clone());
    let again = place.ecs("CreateService", merged(service(), token.clone()))["service"].clone();
    assert_eq!(created["serviceArn"], again["serviceArn"]);
    assert_eq!(again["deployments"].as_array().unwrap().len(), 1);
    let other = merged(service(), merged(token, json!({"desiredCount": 3})));
    assert_eq!(
        place.refused("ecs", "CreateService", other),
        ("InvalidParameterException".to_owned(), "Creation of service was not idempotent.".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn only_some_changes_start_a_deployment() {
    let place = Place::new();
    place.create(behind(GROUP));
    pass(60).await;
    let deployments = |service: &Value| service["deployments"].as_array().unwrap().len();
    assert_eq!(deployments(&update(&place, json!({"desiredCount": 3, "healthCheckGracePeriodSeconds": 9}))), 1);
    assert_eq!(deployments(&update(&place, json!({"taskDefinition": "agent"}))), 1);
    let same = json!({"networkConfiguration": service()["networkConfiguration"]});
    assert_eq!(deployments(&update(&place, same)), 1);
    assert_eq!(deployments(&update(&place, json!({"loadBalancers": []}))), 2);
    pass(60).await;
    assert_eq!(place.service()["loadBalancers"], json!([]));
    assert_eq!(deployments(&update(&place, json!({"forceNewDeployment": true}))), 2);
}

#[tokio::test(start_paused = true)]
async fn another_strategy_needs_a_forced_deployment() {
    let place = Place::new();
    place.create(json!({}));
    let spot = json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]});
    let input = merged(json!({"cluster": "blue", "service": "agent"}), spot.clone());
    assert!(place.refused("ecs", "UpdateService", input).1.ends_with("you must force a new deployment."));
    let service = update(&place, merged(spot, json!({"forceNewDeployment": true})));
    assert!(service.get("launchType").is_none());
    let expected = json!([{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]);
    assert_eq!(service["capacityProviderStrategy"], expected);
    let back = update(&place, json!({"capacityProviderStrategy": [], "forceNewDeployment": true}));
    assert_eq!(back["launchType"], "FARGATE");
}

#[tokio::test(start_paused = true)]
async fn a_draining_service_can_be_neither_updated_nor_created_anew() {
    let place = Place::new();
    place.create(json!({}));
    pass(30).await;
    let name = json!({"cluster": "blue", "service": "agent"});
    place.ecs("DeleteService", merged(name.clone(), json!({"force": true})));
    assert_eq!(place.refused("ecs", "UpdateService", name).0, "ServiceNotActiveException");
    let message = place.refused("ecs", "CreateService", service()).1;
    assert_eq!(message, "Unable to Start a service that is still Draining.");
}

#[tokio::test(start_paused = true)]
async fn an_inactive_service_is_forgotten_after_a_while() {
    let place = Place::new();
    place.create(json!({"desiredCount": 0}));
    let name = json!({"cluster": "blue", "service": "agent"});
    assert_eq!(place.ecs("DeleteService", name.clone())["service"]["status"], "INACTIVE");
    assert_eq!(place.refused("ecs", "DeleteService", name.clone()).0, "ServiceNotFoundException");
    assert_eq!(place.service()["status"], "INACTIVE");
    pass(3601).await;
    assert_eq!(place.service(), Value::Null);
    assert_eq!(place.refused("ecs", "UpdateService", name).0, "ServiceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_new_service_may_be_missing_for_a_moment() {
    let place = Place::with(Settings { visibility: Duration::from_secs(5), ..Settings::default() });
    place.create(json!({}));
    let input = json!({"cluster": "blue", "services": ["agent"]});
    assert_eq!(place.ecs("DescribeServices", input.clone())["failures"][0]["reason"], "MISSING");
    pass(5).await;
    assert_eq!(place.ecs("DescribeServices", input)["failures"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn ten_services_are_described_at_once_and_no_more() {
    let place = Place::new();
    let names: Vec<String> = (0..11).map(|number| format!("agent-{number}")).collect();
    let input = json!({"cluster": "blue", "services": names});
    assert_eq!(place.refused("ecs", "DescribeServices", input).0, "InvalidParameterException");
    let input = json!({"cluster": "red", "services": ["agent"]});
    assert_eq!(place.refused("ecs", "DescribeServices", input).0, "ClusterNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn services_are_listed_in_pages() {
    let place = Place::new();
    place.register(definition());
    for number in 0..12 {
        let name = json!({"serviceName": format!("agent-{number:02}"), "desiredCount": 0});
        place.ecs("CreateService", merged(service(), name));
    }
    let page = place.ecs("ListServices", json!({"cluster": "blue"}));
    assert_eq!(page["serviceArns"].as_array().unwrap().len(), 10);
    let rest = place.ecs("ListServices", json!({"cluster": "blue", "nextToken": page["nextToken"]}));
    assert_eq!(rest["serviceArns"].as_array().unwrap().len(), 2);
    let input = json!({"cluster": "blue", "maxResults": 101});
    assert_eq!(place.refused("ecs", "ListServices", input).0, "InvalidParameterException");
}

#[tokio::test(start_paused = true)]
async fn tags_are_shown_only_when_asked_for_and_changed_by_arn() {
    let place = Place::new();
    let arn = place.create(json!({"tags": [{"key": "owner", "value": "me"}]}))["serviceArn"].clone();
    place.ecs("TagResource", json!({"resourceArn": arn, "tags": [{"key": "team", "value": "us"}]}));
    place.ecs("UntagResource", json!({"resourceArn": arn, "tagKeys": ["owner"]}));
    assert_eq!(place.service()["tags"], json!([{"key": "team", "value": "us"}]));
    let bare = place.ecs("DescribeServices", json!({"cluster": "blue", "services": ["agent"]}));
    assert!(bare["services"][0].get("tags").is_none());
    let reserved = json!({"resourceArn": arn, "tags": [{"key": "aws:x", "value": ""}]});
    assert_eq!(place.refused("ecs", "TagResource", reserved).0, "InvalidParameterException");
}

#[tokio::test(start_paused = true)]
async fn a_full_cluster_is_not_deleted() {
    let place = Place::new();
    place.create(json!({}));
    let cluster = json!({"cluster": "blue"});
    assert_eq!(place.refused("ecs", "DeleteCluster", cluster.clone()).0, "ClusterContainsServicesException");
    place.ecs("DeleteService", json!({"cluster": "blue", "service": "agent", "force": true}));
    pass(60).await;
    assert_eq!(place.ecs("DeleteCluster", cluster.clone())["cluster"]["status"], "INACTIVE");
    assert_eq!(place.refused("ecs", "ListServices", cluster).0, "ClusterNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_service_can_be_scaled_down_after_its_listener_is_gone() {
    let place = Place::new();
    place.create(behind(GROUP));
    let groups = place.call("elbv2", "DescribeTargetGroups", json!({"TargetGroupArns": [GROUP]}));
    let balancer = groups["TargetGroups"][0]["LoadBalancerArns"][0].clone();
    place.call("elbv2", "DeleteLoadBalancer", json!({"LoadBalancerArn": balancer}));
    assert_eq!(update(&place, json!({"desiredCount": 0}))["desiredCount"], 0);
    let input = merged(json!({"cluster": "blue", "service": "agent"}), behind(GROUP));
    let message = place.refused("ecs", "UpdateService", input).1;
    assert!(message.ends_with("does not have an associated load balancer."), "{message}");
}

#[tokio::test(start_paused = true)]
async fn no_answer_holds_a_null() {
    let place = Place::new();
    place.create(json!({}));
    let listed = place.ecs("ListServices", json!({"cluster": "blue"}));
    assert_eq!(listed.as_object().unwrap().keys().collect::<Vec<_>>(), ["serviceArns"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_linked_role_just_made_cannot_be_assumed_yet() {
    let place = Place::with(Settings { service_linked_role: false, ..Settings::default() });
    place.register(definition());
    let message = place.refused("ecs", "CreateService", service()).1;
    assert!(message.starts_with("Unable to assume the service linked role."), "{message}");
    place.ecs("CreateService", service());
}
