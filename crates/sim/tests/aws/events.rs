//! EventBridge and SQS: what ECS tells, and what time does to messages.

use crate::place::{Place, pass};
use crate::served::{Door, Wire};
use fargateer_sim::{Behaviour, Networks, Settings};
use serde_json::{Value, json};
use std::time::Duration;

const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/111122223333/news";

fn listen(place: &Place, pattern: &Value) {
    place.call("sqs", "CreateQueue", json!({"QueueName": "news"}));
    place.call("events", "PutRule", json!({"Name": "news", "EventPattern": pattern.to_string()}));
    let target = json!({"Id": "a", "Arn": "arn:aws:sqs:us-east-1:111122223333:news"});
    place.call("events", "PutTargets", json!({"Rule": "news", "Targets": [target]}));
}

fn heard(place: &Place) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let request = json!({"QueueUrl": QUEUE, "MaxNumberOfMessages": 10, "VisibilityTimeout": 43_200});
        let answer = place.call("sqs", "ReceiveMessage", request);
        let Some(messages) = answer["Messages"].as_array() else { return all };
        all.extend(messages.iter().map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_tells_each_of_its_steps_once() {
    let place = Place::new();
    listen(&place, &json!({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}));
    place.create(json!({"desiredCount": 1}));
    pass(60).await;
    place.service();
    let events = heard(&place);
    let steps: Vec<&str> = events.iter().map(|event| event["detail"]["lastStatus"].as_str().unwrap()).collect();
    assert_eq!(steps.first(), Some(&"PROVISIONING"));
    assert!(steps.contains(&"PENDING") && steps.contains(&"RUNNING"), "{steps:?}");
    let versions: Vec<i64> = events.iter().map(|event| event["detail"]["version"].as_i64().unwrap()).collect();
    assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "{versions:?}");
    assert_eq!(events[0]["resources"][0], events[0]["detail"]["taskArn"]);
    assert_eq!(events[0]["detail"]["createdAt"], "2026-01-01T00:00:00.000Z");
}

#[tokio::test(start_paused = true)]
async fn a_failed_deployment_is_told() {
    let place = Place::new();
    listen(&place, &json!({"detail-type": ["ECS Deployment State Change"], "detail": {"eventType": ["ERROR"]}}));
    place.aws.behave("agent", Behaviour::CrashLoop { exit_code: 1 });
    let breaker = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": false}});
    place.create(json!({"desiredCount": 1, "deploymentConfiguration": breaker}));
    pass(3600).await;
    place.service();
    let events = heard(&place);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["detail"]["eventName"], "SERVICE_DEPLOYMENT_FAILED");
    assert_eq!(events[0]["resources"], json!(["arn:aws:ecs:us-east-1:111122223333:service/blue/agent"]));
}

#[tokio::test(start_paused = true)]
async fn what_happened_before_there_was_a_rule_is_no_news() {
    let place = Place::new();
    place.create(json!({"desiredCount": 1}));
    pass(60).await;
    listen(&place, &json!({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}));
    pass(5).await;
    assert_eq!(heard(&place), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn a_rule_changes_nothing_of_what_ecs_draws() {
    let (told, untold) = (Place::new(), Place::new());
    listen(&told, &json!({"source": ["aws.ecs"]}));
    for place in [&told, &untold] {
        place.create(json!({"desiredCount": 3}));
    }
    pass(100).await;
    assert_eq!(told.service(), untold.service());
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_back_until_it_is_buried_or_too_old() {
    let place = Place::new();
    place.call("sqs", "CreateQueue", json!({"QueueName": "dead"}));
    let redrive = json!({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:111122223333:dead", "maxReceiveCount": 2});
    let attributes = json!({"RedrivePolicy": redrive.to_string(), "VisibilityTimeout": "10"});
    place.call("sqs", "CreateQueue", json!({"QueueName": "news", "Attributes": attributes}));
    place.call("sqs", "SendMessage", json!({"QueueUrl": QUEUE, "MessageBody": "x"}));
    let receive =
        |url: &str| place.call("sqs", "ReceiveMessage", json!({"QueueUrl": url}))["Messages"][0]["Body"].clone();
    for _ in 0..2 {
        assert_eq!(receive(QUEUE), "x");
        assert_eq!(receive(QUEUE), Value::Null, "it is hidden for a while");
        pass(11).await;
    }
    assert_eq!(receive(QUEUE), Value::Null);
    assert_eq!(receive(&QUEUE.replace("news", "dead")), "x");
    pass(5 * 86_400).await;
    assert_eq!(receive(&QUEUE.replace("news", "dead")), Value::Null, "after four days it is gone");
}

#[tokio::test(start_paused = true)]
async fn a_strict_network_has_only_what_was_put_there() {
    let place = Place::with(Settings { networks: Networks::Seeded, ..Settings::default() });
    let ask = |id: &str| json!({"SubnetId": [id]});
    assert_eq!(place.refused("ec2", "DescribeSubnets", ask("subnet-1")).0, "InvalidSubnetID.NotFound");
    assert_eq!(place.refused("ec2", "DescribeSecurityGroups", json!({"GroupId": ["sg-1"]})).0, "InvalidGroup.NotFound");
    place.aws.seed_network("us-east-1", "vpc-7", &["subnet-1"], &["sg-1"]);
    assert_eq!(place.call("ec2", "DescribeSubnets", ask("subnet-1"))["subnetSet"][0]["vpcId"], "vpc-7");
}

#[tokio::test]
async fn a_receive_over_the_wire_waits_for_a_message() {
    let place = Place::new();
    place.call("sqs", "CreateQueue", json!({"QueueName": "news"}));
    let door = Door::open(&place.aws).await;
    let ask = Wire {
        target: Some("AmazonSQS.ReceiveMessage".to_owned()),
        ..Wire::ecs("", &json!({"QueueUrl": QUEUE, "WaitTimeSeconds": 20}))
    };
    let send = async {
        let moment = tokio::time::timeout(Duration::from_millis(200), std::future::pending::<()>());
        assert!(moment.await.is_err());
        place.call("sqs", "SendMessage", json!({"QueueUrl": QUEUE, "MessageBody": "late"}));
    };
    let (heard, ()) = tokio::join!(door.send(ask), send);
    assert_eq!(heard.unwrap().body["Messages"][0]["Body"], "late");
    assert_eq!(place.aws.calls().len(), 1, "however often it looked, it was one call");
}
