//! CloudWatch Logs: groups, retention, lines.

use crate::place::Place;
use serde_json::{Value, json};

fn logs(place: &Place, operation: &str, input: Value) -> Value {
    place.call("logs", operation, input)
}

#[tokio::test(start_paused = true)]
async fn only_certain_retentions_are_taken() {
    let place = Place::new();
    let days = |days: i64| json!({"logGroupName": "/ecs/agent", "retentionInDays": days});
    logs(&place, "PutRetentionPolicy", days(30));
    assert_eq!(place.refused("logs", "PutRetentionPolicy", days(31)).0, "InvalidParameterException");
    let group = logs(&place, "DescribeLogGroups", json!({"logGroupNamePrefix": "/ecs/"}))["logGroups"][0].clone();
    assert_eq!(group["retentionInDays"], 30);
    logs(&place, "DeleteRetentionPolicy", json!({"logGroupName": "/ecs/agent"}));
    let group =
        logs(&place, "DescribeLogGroups", json!({"logGroupIdentifiers": ["/ecs/agent"]}))["logGroups"][0].clone();
    assert!(group.get("retentionInDays").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_group_exists_once_and_is_tagged_by_its_bare_arn() {
    let place = Place::new();
    let name = json!({"logGroupName": "/ecs/agent"});
    assert_eq!(place.refused("logs", "CreateLogGroup", name).0, "ResourceAlreadyExistsException");
    let group = logs(&place, "DescribeLogGroups", json!({}))["logGroups"][0].clone();
    logs(&place, "TagResource", json!({"resourceArn": group["logGroupArn"], "tags": {"owner": "me"}}));
    let tags = logs(&place, "ListTagsForResource", json!({"resourceArn": group["logGroupArn"]}));
    assert_eq!(tags["tags"], json!({"owner": "me"}));
    assert_eq!(
        place.refused("logs", "ListTagsForResource", json!({"resourceArn": group["arn"]})).0,
        "InvalidParameterException"
    );
}

#[tokio::test(start_paused = true)]
async fn groups_come_in_pages_of_fifty() {
    let place = Place::new();
    for number in 0..60 {
        logs(&place, "CreateLogGroup", json!({"logGroupName": format!("/many/{number:02}")}));
    }
    let page = logs(&place, "DescribeLogGroups", json!({"logGroupNamePrefix": "/many/"}));
    assert_eq!(page["logGroups"].as_array().unwrap().len(), 50);
    let rest =
        logs(&place, "DescribeLogGroups", json!({"logGroupNamePrefix": "/many/", "nextToken": page["nextToken"]}));
    assert_eq!(rest["logGroups"].as_array().unwrap().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn reading_past_the_end_answers_the_same_token() {
    let place = Place::new();
    let stream = json!({"logGroupName": "/ecs/agent", "logStreamName": "s"});
    logs(&place, "CreateLogStream", stream.clone());
    let lines = json!([{"timestamp": 1, "message": "a"}, {"timestamp": 2, "message": "b"}]);
    logs(&place, "PutLogEvents", crate::place::merged(stream.clone(), json!({"logEvents": lines})));
    let read = |token: Value| {
        let more = json!({"startFromHead": true, "limit": 1, "nextToken": token});
        logs(&place, "GetLogEvents", crate::place::merged(stream.clone(), more))
    };
    let first = read(Value::Null);
    assert_eq!(first["events"][0]["message"], "a");
    let second = read(first["nextForwardToken"].clone());
    assert_eq!(second["events"][0]["message"], "b");
    let third = read(second["nextForwardToken"].clone());
    assert_eq!((&third["events"], &third["nextForwardToken"]), (&json!([]), &second["nextForwardToken"]));
}
