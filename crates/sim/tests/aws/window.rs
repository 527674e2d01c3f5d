//! The window into a served simulation: state, time, faults, and what is said to a body that makes no sense.

use crate::place::{Place, pass};
use crate::served::{Door, Heard, Wire};
use serde_json::{Value, json};

async fn ask(door: &Door, method: &'static str, path: &'static str, body: &str) -> Heard {
    let wire = Wire { method, path, target: None, body: body.as_bytes().to_vec(), ..Wire::ecs("", &json!({})) };
    door.send(wire).await.unwrap()
}

#[tokio::test]
async fn the_state_shows_what_was_made_and_a_reset_forgets_it() {
    let place = Place::new();
    place.create(json!({"desiredCount": 1}));
    let door = Door::open(&place.aws).await;
    let state = ask(&door, "GET", "/_sim/state", "").await.body;
    assert_eq!(state[0]["services"][0]["described"]["serviceName"], "agent");
    assert_eq!(state[0]["services"][0]["describedTasks"].as_array().unwrap().len(), 1);
    assert_eq!(state[0]["repositories"][0]["name"], "agent");
    let broken = ask(&door, "POST", "/_sim/reset", "{").await;
    assert_eq!((broken.status, broken.body["error"].is_string()), (400, true));
    assert_eq!(ask(&door, "POST", "/_sim/reset", "").await.status, 200);
    assert_eq!(ask(&door, "GET", "/_sim/state", "").await.body, json!([]));
}

#[tokio::test]
async fn what_was_kept_comes_back_with_its_time() {
    let place = Place::new();
    place.create(json!({"desiredCount": 1}));
    let door = Door::open(&place.aws).await;
    ask(&door, "POST", "/_sim/time", "{\"speed\": 0}").await;
    let (before, time) = (place.aws.state(), ask(&door, "GET", "/_sim/time", "").await.body);
    let kept = ask(&door, "POST", "/_sim/snapshots", "{\"name\": \"made\"}").await.body;
    assert_eq!(kept, ask(&door, "GET", "/_sim/snapshots", "").await.body);
    assert_eq!(kept["made"], time["elapsed"]);
    ask(&door, "POST", "/_sim/time", "{\"advance\": 600}").await;
    place.create(json!({"serviceName": "other"}));
    assert_ne!(place.aws.state(), before);
    let restored = ask(&door, "POST", "/_sim/restore", "{\"name\": \"made\"}").await;
    assert_eq!((restored.status, &restored.body), (200, &time));
    assert_eq!(place.aws.state(), before);
    for nonsense in ["{\"name\": \"never\"}", "{}", "{\"name\": \"\"}", "{\"name\": 1}"] {
        let answer = ask(&door, "POST", "/_sim/restore", nonsense).await;
        assert_eq!((answer.status, answer.body["error"].is_string()), (400, true), "{nonsense}");
    }
    ask(&door, "POST", "/_sim/reset", "").await;
    assert_eq!(ask(&door, "POST", "/_sim/restore", "{\"name\": \"made\"}").await.status, 200, "a reset keeps it");
    for number in 0..80 {
        place.aws.keep(&number.to_string());
    }
    assert_eq!(place.aws.kept().len(), 64, "memory has an end");
    assert_eq!(ask(&door, "POST", "/_sim/snapshots", "{\"name\": \"one more\"}").await.status, 400);
}

#[tokio::test]
async fn time_leaps_and_changes_its_pace() {
    let place = Place::new();
    let door = Door::open(&place.aws).await;
    let stopped = ask(&door, "POST", "/_sim/time", "{\"speed\": 0, \"advance\": 7200}").await.body;
    assert!(stopped["date"].as_str().unwrap().starts_with("2026-01-01T02:00:0"), "{stopped}");
    assert_eq!(ask(&door, "GET", "/_sim/time", "").await.body, stopped);
    for nonsense in ["{\"advance\": -1}", "{\"speed\": \"fast\"}", "{}", "[]", "{\"advance\": 1e300}"] {
        assert_eq!(ask(&door, "POST", "/_sim/time", nonsense).await.status, 400, "{nonsense}");
    }
}

#[tokio::test]
async fn faults_are_ordered_and_cancelled() {
    let place = Place::new();
    let door = Door::open(&place.aws).await;
    let throttle = "{\"kind\": \"throttle\", \"operation\": \"ListClusters\"}";
    assert_eq!(ask(&door, "POST", "/_sim/faults", throttle).await.status, 200);
    assert_eq!(door.ecs("ListClusters", json!({})).await.body["__type"], "ThrottlingException");
    assert_eq!(ask(&door, "DELETE", "/_sim/faults", "").await.status, 200);
    assert_eq!(door.ecs("ListClusters", json!({})).await.status, 200);
    assert_eq!(ask(&door, "DELETE", "/_sim/calls", "").await.status, 200);
    assert_eq!(ask(&door, "GET", "/_sim/calls", "").await.body, json!([]));
    for nonsense in ["{\"kind\": \"rain\"}", "{\"kind\": \"error\"}", "{\"kind\": \"throttle\", \"times\": -1}", "x"] {
        let answer = ask(&door, "POST", "/_sim/faults", nonsense).await;
        assert_eq!((answer.status, answer.body["error"].is_string()), (400, true), "{nonsense}");
    }
}

#[tokio::test]
async fn what_is_seeded_is_there() {
    let place = Place::new();
    let door = Door::open(&place.aws).await;
    let seed =
        "{\"region\": \"eu-west-1\", \"clusters\": [\"green\"], \"vpc\": \"vpc-7\", \"subnets\": [\"subnet-7\"]}";
    assert_eq!(ask(&door, "POST", "/_sim/seed", seed).await.status, 200);
    let state = ask(&door, "GET", "/_sim/state", "").await.body;
    assert_eq!((&state[0]["region"], &state[0]["clusters"]), (&json!("eu-west-1"), &json!(["green"])));
    let subnets = place.aws.call("eu-west-1", "ec2", "DescribeSubnets", json!({"SubnetId": ["subnet-7"]})).unwrap();
    assert_eq!(subnets["subnetSet"][0]["vpcId"], "vpc-7");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let place = Place::new();
    let door = Door::open(&place.aws).await;
    let lost = ask(&door, "GET", "/_sim/nowhere", "").await;
    assert_eq!((lost.status, lost.body["routes"].is_array()), (404, true));
    let text = json!({"clusterName": "x".repeat(70_000)});
    door.ecs("CreateCluster", text).await;
    assert_eq!(place.aws.calls()[0].request["clusterName"], "(70000 bytes)");
}

#[tokio::test(start_paused = true)]
async fn a_leap_is_as_good_as_waiting() {
    let (waited, leapt) = (Place::new(), Place::new());
    for place in [&waited, &leapt] {
        place.create(json!({"desiredCount": 2}));
    }
    leapt.aws.leap(std::time::Duration::from_secs(100));
    let seen: Value = leapt.service();
    pass(100).await;
    assert_eq!(waited.service(), seen);
}
