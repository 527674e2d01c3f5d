//! DynamoDB: what only time shows. The rules of single requests are asked by the probes.

use crate::place::{Place, pass};
use fargateer_sim::Settings;
use serde_json::{Value, json};
use std::time::Duration;

fn table(place: &Place) -> String {
    let request = json!({
        "TableName": "agents",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    });
    let answer = place.call("dynamodb", "CreateTable", request);
    answer["TableDescription"]["LatestStreamArn"].as_str().unwrap().to_owned()
}

fn put(place: &Place, key: &str, value: u64) {
    let item = json!({"pk": {"S": key}, "expires": {"N": value.to_string()}});
    place.call("dynamodb", "PutItem", json!({"TableName": "agents", "Item": item}));
}

fn get(place: &Place, key: &str, consistent: bool) -> Value {
    let request = json!({"TableName": "agents", "Key": {"pk": {"S": key}}, "ConsistentRead": consistent});
    place.call("dynamodb", "GetItem", request)["Item"]["expires"]["N"].clone()
}

fn shards(place: &Place, stream: &str) -> Vec<Value> {
    let described = place.call("dynamodbstreams", "DescribeStream", json!({"StreamArn": stream}));
    described["StreamDescription"]["Shards"].as_array().unwrap().clone()
}

fn iterator(place: &Place, stream: &str, shard: &Value) -> Value {
    let request = json!({"StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"});
    place.call("dynamodbstreams", "GetShardIterator", request)["ShardIterator"].clone()
}

fn read(place: &Place, iterator: &Value) -> Value {
    place.call("dynamodbstreams", "GetRecords", json!({"ShardIterator": iterator}))
}

#[tokio::test(start_paused = true)]
async fn a_table_takes_a_while_to_be_made_and_to_go() {
    let place = Place::new();
    table(&place);
    let name = json!({"TableName": "agents"});
    let status = || place.call("dynamodb", "DescribeTable", name.clone())["Table"]["TableStatus"].clone();
    assert_eq!(status(), "CREATING");
    let early = json!({"TableName": "agents", "Item": {"pk": {"S": "a"}}});
    assert_eq!(place.refused("dynamodb", "PutItem", early).0, "ResourceNotFoundException");
    assert_eq!(place.refused("dynamodb", "DeleteTable", name.clone()).0, "ResourceInUseException");
    pass(3).await;
    assert_eq!(status(), "ACTIVE");
    place.call("dynamodb", "DeleteTable", name.clone());
    assert_eq!(status(), "DELETING");
    pass(3).await;
    assert_eq!(place.refused("dynamodb", "DescribeTable", name).0, "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn what_expires_goes_some_time_later_and_the_stream_says_by_whom() {
    let place = Place::new();
    let stream = table(&place);
    pass(3).await;
    let wanted = json!({"Enabled": true, "AttributeName": "expires"});
    place.call("dynamodb", "UpdateTimeToLive", json!({"TableName": "agents", "TimeToLiveSpecification": wanted}));
    let start = place.aws.date().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    put(&place, "soon", start + 60);
    put(&place, "later", start + 100_000);
    put(&place, "never", start - 6 * 365 * 86_400);
    pass(120).await;
    assert_ne!(get(&place, "soon", true), Value::Null, "an expired item is there until it is removed");
    pass(3600).await;
    assert_eq!(get(&place, "soon", true), Value::Null);
    assert_ne!(get(&place, "later", true), Value::Null);
    assert_ne!(get(&place, "never", true), Value::Null, "what expired years ago is left alone");
    let records = read(&place, &iterator(&place, &stream, &shards(&place, &stream)[0]));
    let last = records["Records"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["eventName"], &last["dynamodb"]["Keys"]["pk"]["S"]), (&json!("REMOVE"), &json!("soon")));
    assert_eq!(last["userIdentity"], json!({"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_not_consistent_may_be_stale() {
    let place = Place::with(Settings { stale_reads: Duration::from_secs(5), ..Settings::default() });
    table(&place);
    pass(3).await;
    put(&place, "a", 1);
    pass(60).await;
    put(&place, "a", 2);
    let scan = |consistent: bool| {
        let request = json!({"TableName": "agents", "ConsistentRead": consistent});
        place.call("dynamodb", "Scan", request)["Items"][0]["expires"]["N"].clone()
    };
    assert_eq!((get(&place, "a", false), get(&place, "a", true)), (json!("1"), json!("2")));
    assert_eq!((scan(false), scan(true)), (json!("1"), json!("2")));
    pass(6).await;
    assert_eq!((get(&place, "a", false), scan(false)), (json!("2"), json!("2")));
}

#[tokio::test(start_paused = true)]
async fn a_shard_closes_after_four_hours_and_its_child_goes_on() {
    let place = Place::new();
    let stream = table(&place);
    pass(3).await;
    put(&place, "a", 1);
    pass(5 * 3600).await;
    put(&place, "b", 1);
    let shards = shards(&place, &stream);
    assert_eq!(shards.len(), 2);
    assert_eq!(shards[1]["ParentShardId"], shards[0]["ShardId"]);
    assert_ne!(shards[0]["SequenceNumberRange"]["EndingSequenceNumber"], Value::Null);
    let (first, second) =
        (read(&place, &iterator(&place, &stream, &shards[0])), read(&place, &iterator(&place, &stream, &shards[1])));
    assert_eq!(first["Records"][0]["dynamodb"]["Keys"]["pk"]["S"], "a");
    assert_eq!(first["NextShardIterator"], Value::Null, "a closed shard ends");
    assert_eq!(second["Records"][0]["dynamodb"]["Keys"]["pk"]["S"], "b");
    assert_ne!(second["NextShardIterator"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn iterators_age_and_records_are_trimmed_after_a_day() {
    let place = Place::new();
    let stream = table(&place);
    pass(3).await;
    put(&place, "a", 1);
    let shard = shards(&place, &stream)[0].clone();
    let old = iterator(&place, &stream, &shard);
    let record = read(&place, &old)["Records"][0]["dynamodb"]["SequenceNumber"].clone();
    pass(16 * 60).await;
    let refused = place.refused("dynamodbstreams", "GetRecords", json!({"ShardIterator": old}));
    assert_eq!(refused.0, "ExpiredIteratorException");
    pass(24 * 3600).await;
    put(&place, "b", 1);
    let trimmed = json!({
        "StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": record});
    assert_eq!(place.refused("dynamodbstreams", "GetShardIterator", trimmed).0, "TrimmedDataAccessException");
    let left = read(&place, &iterator(&place, &stream, shards(&place, &stream).last().unwrap()));
    assert_eq!(left["Records"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_transactions_token_is_forgotten_after_ten_minutes() {
    let place = Place::new();
    table(&place);
    pass(3).await;
    let update = json!({
        "TableName": "agents", "Key": {"pk": {"S": "a"}}, "UpdateExpression": "ADD expires :v",
        "ExpressionAttributeValues": {":v": {"N": "1"}}});
    let request = json!({"TransactItems": [{"Update": update}], "ClientRequestToken": "once"});
    for _ in 0..2 {
        place.call("dynamodb", "TransactWriteItems", request.clone());
    }
    assert_eq!(get(&place, "a", true), "1");
    pass(601).await;
    place.call("dynamodb", "TransactWriteItems", request);
    assert_eq!(get(&place, "a", true), "2");
}
