//! Elastic Load Balancing: target groups, rules, and the health of targets.

use crate::place::{GROUP, Place, merged, pass};
use serde_json::{Value, json};

fn elb(place: &Place, operation: &str, input: Value) -> Value {
    place.call("elbv2", operation, input)
}

fn group() -> Value {
    json!({"Name": "mine", "Protocol": "HTTP", "Port": 8000, "VpcId": "vpc-1", "TargetType": "ip"})
}

fn listener(place: &Place) -> Value {
    let balancer =
        elb(place, "DescribeTargetGroups", json!({"TargetGroupArns": [GROUP]}))["TargetGroups"][0]["LoadBalancerArns"]
            [0]
        .clone();
    elb(place, "DescribeListeners", json!({"LoadBalancerArn": balancer}))["Listeners"][0]["ListenerArn"].clone()
}

fn rule(place: &Place, priority: u32) -> Value {
    json!({"ListenerArn": listener(place), "Priority": priority,
        "Conditions": [{"Field": "path-pattern", "Values": ["/a/*"]}],
        "Actions": [{"Type": "forward", "TargetGroupArn": GROUP}]})
}

#[tokio::test(start_paused = true)]
async fn creating_a_group_twice_answers_the_same_one() {
    let place = Place::new();
    let arn = |input: Value| elb(&place, "CreateTargetGroup", input)["TargetGroups"][0]["TargetGroupArn"].clone();
    assert_eq!(arn(group()), arn(group()));
    let other = merged(group(), json!({"Port": 9000}));
    assert_eq!(place.refused("elbv2", "CreateTargetGroup", other).0, "DuplicateTargetGroupName");
    let bad = merged(group(), json!({"Name": "-mine"}));
    assert_eq!(place.refused("elbv2", "CreateTargetGroup", bad).0, "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn a_service_needs_a_group_that_a_load_balancer_uses() {
    let place = Place::new();
    let arn = elb(&place, "CreateTargetGroup", group())["TargetGroups"][0]["TargetGroupArn"].clone();
    place.register(crate::place::definition());
    let balancer = json!({"targetGroupArn": arn, "containerName": "strands-agent", "containerPort": 8000});
    let input = merged(crate::place::service(), json!({"loadBalancers": [balancer]}));
    let message = place.refused("ecs", "CreateService", input.clone()).1;
    assert!(message.ends_with("does not have an associated load balancer."), "{message}");
    let rule = merged(rule(&place, 5), json!({"Actions": [{"Type": "forward", "TargetGroupArn": arn}]}));
    elb(&place, "CreateRule", rule);
    place.ecs("CreateService", input);
}

#[tokio::test(start_paused = true)]
async fn targets_turn_healthy_and_drain_with_their_tasks() {
    let place = Place::new();
    elb(
        &place,
        "ModifyTargetGroupAttributes",
        json!({"TargetGroupArn": GROUP, "Attributes": [
        {"Key": "deregistration_delay.timeout_seconds", "Value": "60"}]}),
    );
    let balancer = json!({"targetGroupArn": GROUP, "containerName": "strands-agent", "containerPort": 8000});
    place.create(json!({"loadBalancers": [balancer]}));
    let states = || {
        let health = elb(&place, "DescribeTargetHealth", json!({"TargetGroupArn": GROUP}));
        let all = health["TargetHealthDescriptions"].as_array().unwrap().clone();
        all.iter().map(|one| one["TargetHealth"]["State"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    pass(13).await;
    place.service();
    assert_eq!(states(), ["initial", "initial"]);
    pass(30).await;
    assert_eq!(states(), ["healthy", "healthy"]);
    place.ecs("DeleteService", json!({"cluster": "blue", "service": "agent", "force": true}));
    pass(59).await;
    assert_eq!(states(), ["draining", "draining"]);
    assert_eq!(place.service()["status"], "DRAINING");
    pass(10).await;
    assert!(states().is_empty());
    assert_eq!(place.service()["status"], "INACTIVE");
}

#[tokio::test(start_paused = true)]
async fn priorities_are_unique_and_can_be_swapped() {
    let place = Place::new();
    let first = elb(&place, "CreateRule", rule(&place, 10))["Rules"][0]["RuleArn"].clone();
    let second = elb(&place, "CreateRule", rule(&place, 20))["Rules"][0]["RuleArn"].clone();
    assert_eq!(place.refused("elbv2", "CreateRule", rule(&place, 10)).0, "PriorityInUse");
    elb(
        &place,
        "SetRulePriorities",
        json!({"RulePriorities": [
        {"RuleArn": first, "Priority": 20}, {"RuleArn": second, "Priority": 10}]}),
    );
    let rules = elb(&place, "DescribeRules", json!({"ListenerArn": listener(&place)}))["Rules"].clone();
    assert_eq!((&rules[0]["RuleArn"], &rules[0]["Priority"]), (&second, &json!("10")));
    assert_eq!(rules[2]["Priority"], "default");
    let default = json!({"RuleArn": rules[2]["RuleArn"]});
    assert_eq!(place.refused("elbv2", "DeleteRule", default).0, "OperationNotPermitted");
}

#[tokio::test(start_paused = true)]
async fn a_group_in_use_is_not_deleted() {
    let place = Place::new();
    let input = json!({"TargetGroupArn": GROUP});
    assert_eq!(place.refused("elbv2", "DeleteTargetGroup", input.clone()).0, "ResourceInUse");
    elb(&place, "DeleteListener", json!({"ListenerArn": listener(&place)}));
    elb(&place, "DeleteTargetGroup", input.clone());
    assert_eq!(place.refused("elbv2", "DescribeTargetHealth", input).0, "TargetGroupNotFound");
}
