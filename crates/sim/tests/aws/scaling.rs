//! Application Auto Scaling: its rules, and what it does to a service.

use crate::place::{GROUP, Place, REGION, merged, pass};
use fargateer_sim::Behaviour;
use serde_json::{Value, json};

fn scaling(place: &Place, operation: &str, changes: Value) -> Value {
    place.call("application-autoscaling", operation, merged(target(), changes))
}

fn refused(place: &Place, operation: &str, changes: Value) -> (String, String) {
    place.refused("application-autoscaling", operation, merged(target(), changes))
}

fn target() -> Value {
    json!({"ServiceNamespace": "ecs", "ResourceId": "service/blue/agent", "ScalableDimension": "ecs:service:DesiredCount"})
}

fn policy(metric: &Value) -> Value {
    json!({"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": {
        "TargetValue": 50.0, "PredefinedMetricSpecification": metric}})
}

fn cpu() -> Value {
    policy(&json!({"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}))
}

#[tokio::test(start_paused = true)]
async fn a_target_needs_its_service_and_a_policy_its_target() {
    let place = Place::new();
    let (code, message) = refused(&place, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 5}));
    assert_eq!(code, "ValidationException");
    assert!(message.contains("ECS service doesn't exist"));
    place.create(json!({}));
    let (code, message) = refused(&place, "PutScalingPolicy", cpu());
    assert_eq!(code, "ObjectNotFoundException");
    assert!(
        message
            .starts_with("No scalable target registered for service namespace: ecs, resource ID: service/blue/agent")
    );
    assert_eq!(refused(&place, "RegisterScalableTarget", json!({"MinCapacity": 1})).0, "ValidationException");
}

#[tokio::test(start_paused = true)]
async fn every_registration_pushes_the_service_into_its_bounds() {
    let place = Place::new();
    place.create(json!({}));
    scaling(&place, "RegisterScalableTarget", json!({"MinCapacity": 3, "MaxCapacity": 5}));
    assert_eq!(place.service()["desiredCount"], 3);
    place.ecs("UpdateService", json!({"cluster": "blue", "service": "agent", "desiredCount": 9}));
    scaling(&place, "RegisterScalableTarget", json!({}));
    assert_eq!(place.service()["desiredCount"], 5);
    let described = scaling(&place, "DescribeScalableTargets", json!({"ResourceIds": ["service/blue/agent"]}));
    let found = &described["ScalableTargets"][0];
    assert_eq!((&found["MinCapacity"], &found["MaxCapacity"]), (&json!(3), &json!(5)));
}

#[tokio::test(start_paused = true)]
async fn tags_are_taken_at_creation_only() {
    let place = Place::new();
    place.create(json!({}));
    let tags = json!({"MinCapacity": 1, "MaxCapacity": 5, "Tags": {"owner": "me"}});
    let arn = scaling(&place, "RegisterScalableTarget", tags.clone())["ScalableTargetARN"].clone();
    assert!(refused(&place, "RegisterScalableTarget", tags).1.starts_with("The scalable target that you tried to tag"));
    let listed = scaling(&place, "ListTagsForResource", json!({"ResourceARN": arn}));
    assert_eq!(listed["Tags"], json!({"owner": "me"}));
}

#[tokio::test(start_paused = true)]
async fn a_policy_names_two_alarms_and_keeps_its_arn() {
    let place = Place::new();
    place.create(json!({}));
    scaling(&place, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 5}));
    let first = scaling(&place, "PutScalingPolicy", cpu());
    assert!(
        first["Alarms"][0]["AlarmName"].as_str().unwrap().starts_with("TargetTracking-service/blue/agent-AlarmHigh-")
    );
    assert_eq!(scaling(&place, "PutScalingPolicy", cpu())["PolicyARN"], first["PolicyARN"]);
    let listed = scaling(&place, "DescribeScalingPolicies", json!({}));
    assert_eq!(listed["ScalingPolicies"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_resource_label_belongs_to_request_counts_of_an_attached_group() {
    let place = Place::new();
    let balancer = json!({"targetGroupArn": GROUP, "containerName": "strands-agent", "containerPort": 8000});
    place.create(json!({"loadBalancers": [balancer]}));
    scaling(&place, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 5}));
    let groups = place.call("elbv2", "DescribeTargetGroups", json!({"TargetGroupArns": [GROUP]}));
    let balancer = groups["TargetGroups"][0]["LoadBalancerArns"][0].as_str().unwrap();
    let label = format!("{}/{}", balancer.split_once("loadbalancer/").unwrap().1, GROUP.rsplit_once(':').unwrap().1);
    let metric = |kind: &str, label: &str| policy(&json!({"PredefinedMetricType": kind, "ResourceLabel": label}));
    scaling(&place, "PutScalingPolicy", metric("ALBRequestCountPerTarget", &label));
    let other = label.replace("0123456789abcdef", "fedcba9876543210");
    assert_eq!(
        refused(&place, "PutScalingPolicy", metric("ALBRequestCountPerTarget", &other)).0,
        "ValidationException"
    );
    let cpu = metric("ECSServiceAverageCPUUtilization", &label);
    assert_eq!(refused(&place, "PutScalingPolicy", cpu).0, "ValidationException");
}

#[tokio::test(start_paused = true)]
async fn a_busy_service_is_scaled_out_to_its_maximum_and_an_idle_one_in() {
    let place = Place::new();
    place.create(json!({}));
    pass(60).await;
    scaling(&place, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 7}));
    scaling(&place, "PutScalingPolicy", cpu());
    place.aws.metric(REGION, "blue", "agent", 100.0);
    pass(61).await;
    assert_eq!(place.service()["desiredCount"], 4);
    pass(120).await;
    assert_eq!(place.service()["desiredCount"], 4, "within the cooldown");
    pass(200).await;
    assert_eq!(place.service()["desiredCount"], 7, "at the maximum");
    place.aws.metric(REGION, "blue", "agent", 1.0);
    pass(600).await;
    assert_eq!(place.service()["desiredCount"], 1);
    let activities = scaling(&place, "DescribeScalingActivities", json!({}));
    assert_eq!(activities["ScalingActivities"][0]["Description"], "Setting desired count to 1.");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_service_takes_its_target_along() {
    let place = Place::new();
    place.create(json!({}));
    scaling(&place, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 5}));
    place.ecs("DeleteService", json!({"cluster": "blue", "service": "agent", "force": true}));
    assert_eq!(refused(&place, "DeregisterScalableTarget", json!({})).0, "ObjectNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_action_forgets_an_end_that_is_not_sent_again() {
    let place = Place::new();
    place.create(json!({}));
    scaling(&place, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 5}));
    let action = json!({"ScheduledActionName": "night", "Schedule": "cron(0 18 * * ? *)"});
    scaling(&place, "PutScheduledAction", merged(action.clone(), json!({"EndTime": 1_800_000_000})));
    let described = || scaling(&place, "DescribeScheduledActions", json!({}))["ScheduledActions"][0].clone();
    assert_eq!(described()["EndTime"], 1_800_000_000);
    scaling(&place, "PutScheduledAction", action.clone());
    assert!(described().get("EndTime").is_none());
    let wrong = merged(action, json!({"Schedule": "every day"}));
    assert_eq!(refused(&place, "PutScheduledAction", wrong).0, "ValidationException");
}

#[tokio::test(start_paused = true)]
async fn a_suspended_direction_is_not_taken() {
    let place = Place::new();
    place.create(json!({}));
    pass(60).await;
    let suspended = json!({"DynamicScalingInSuspended": true, "DynamicScalingOutSuspended": true});
    scaling(&place, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 7, "SuspendedState": suspended}));
    scaling(&place, "PutScalingPolicy", cpu());
    for cpu in [100.0, 1.0] {
        place.aws.metric(REGION, "blue", "agent", cpu);
        pass(600).await;
        assert_eq!(place.service()["desiredCount"], 2, "at {cpu} %");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_is_not_scaled_in_while_it_is_deployed() {
    let place = Place::new();
    place.aws.behave("agent", Behaviour::StuckProvisioning);
    place.create(json!({}));
    scaling(&place, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 7}));
    scaling(&place, "PutScalingPolicy", cpu());
    place.aws.metric(REGION, "blue", "agent", 1.0);
    pass(600).await;
    assert_eq!(place.service()["desiredCount"], 2);
    place.aws.behave("agent", Behaviour::Healthy);
    pass(60).await;
    place.aws.metric(REGION, "blue", "agent", 1.0);
    pass(120).await;
    assert_eq!(place.service()["desiredCount"], 1);
}
