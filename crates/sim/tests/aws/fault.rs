//! Faults, rates and the record of calls, over the wire.

use crate::place::{Place, REGION};
use crate::served::{Door, Heard, Wire};
use fargateer_sim::{Fault, FaultKind, Settings};
use serde_json::json;

fn create(name: &str) -> serde_json::Value {
    json!({"clusterName": name})
}

#[tokio::test]
async fn a_fault_strikes_the_calls_it_is_meant_for() {
    let place = Place::new();
    let door = Door::open(&place.aws).await;
    let throttle = Fault { operation: Some("CreateCluster".to_owned()), skip: 1, ..Fault::once(FaultKind::Throttle) };
    place.aws.fault(throttle);
    assert_eq!(door.ecs("ListClusters", json!({})).await.status, 200);
    assert_eq!(door.ecs("CreateCluster", create("a")).await.status, 200);
    let struck = door.ecs("CreateCluster", create("b")).await;
    assert_eq!((struck.status, struck.body["__type"].as_str()), (400, Some("ThrottlingException")));
    assert_eq!(door.ecs("CreateCluster", create("b")).await.status, 200);
}

#[tokio::test]
async fn a_reset_before_has_no_effect_and_a_reset_after_has() {
    let place = Place::new();
    let door = Door::open(&place.aws).await;
    for (kind, name, exists) in [(FaultKind::ResetBefore, "a", false), (FaultKind::ResetAfter, "b", true)] {
        place.aws.fault(Fault { resource: Some(name.to_owned()), ..Fault::once(kind) });
        assert!(door.try_ecs("CreateCluster", create(name)).await.is_none());
        let described = place.ecs("DescribeClusters", json!({"clusters": [name]}));
        assert_eq!(described["clusters"].as_array().unwrap().len() == 1, exists, "{name}");
    }
    assert_eq!(place.aws.calls().last().unwrap().error.as_deref(), Some("reset"));
}

#[tokio::test]
async fn a_server_error_is_a_five_hundred_and_a_proxy_answers_html() {
    let place = Place::new();
    let door = Door::open(&place.aws).await;
    place.aws.fault(Fault::once(FaultKind::ServerError));
    place.aws.fault(Fault::once(FaultKind::HtmlError));
    assert_eq!(door.ecs("ListClusters", json!({})).await.status, 500);
    assert_eq!(door.ecs("ListClusters", json!({})).await.status, 503);
    place.aws.fault(Fault { times: None, ..Fault::once(FaultKind::AccessDenied) });
    assert_eq!(door.ecs("ListClusters", json!({})).await.body["__type"], "AccessDeniedException");
    place.aws.clear_faults();
    assert_eq!(door.ecs("ListClusters", json!({})).await.status, 200);
}

#[tokio::test]
async fn rates_are_enforced_when_asked_for() {
    let place = Place::with(Settings { throttle: true, ..Settings::default() });
    let door = Door::open(&place.aws).await;
    let mut refused = 0;
    for number in 0..25 {
        let answer = door.ecs("CreateCluster", create(&format!("c{number}"))).await;
        refused += u32::from(answer.body["__type"] == "ThrottlingException");
    }
    assert!((3..=5).contains(&refused), "{refused} of 25 calls refused after a burst of 20");
}

#[tokio::test]
async fn lenient_rates_stop_floods_and_nothing_else() {
    let place = Place::with(Settings { throttle: true, lenient: true, ..Settings::default() });
    let door = Door::open(&place.aws).await;
    let throttled = |answer: &Heard| answer.body["__type"] == "ThrottlingException";
    for number in 0..30 {
        assert!(!throttled(&door.ecs("CreateCluster", create(&format!("c{number}"))).await));
        assert!(!throttled(&door.ecs("DeleteCluster", json!({"cluster": "nowhere"})).await));
        assert!(!throttled(&door.ecs("ListClusters", json!({})).await));
    }
    let mut refused = 0;
    for number in 0..25 {
        refused += u32::from(throttled(&door.ecs("CreateCluster", create(&format!("d{number}"))).await));
    }
    assert!((3..=5).contains(&refused), "{refused} of 25 calls refused after 20 in a row");
}

#[tokio::test]
async fn calls_over_the_wire_are_recorded_and_others_are_not() {
    let place = Place::new();
    let door = Door::open(&place.aws).await;
    place.ecs("CreateCluster", create("unseen"));
    door.ecs("CreateCluster", create("seen")).await;
    door.ecs("DescribeServices", json!({"cluster": "nowhere", "services": ["agent"]})).await;
    let calls = place.aws.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(
        (calls[0].operation.as_str(), calls[0].mutating, calls[0].region.as_str()),
        ("CreateCluster", true, REGION)
    );
    assert_eq!(calls[0].resource.as_deref(), Some("seen"));
    assert_eq!((calls[1].mutating, calls[1].error.as_deref()), (false, Some("ClusterNotFoundException")));
    place.aws.clear_calls();
    assert!(place.aws.calls().is_empty());
}

#[tokio::test]
async fn accounts_and_regions_are_worlds_apart() {
    let place = Place::new();
    let door = Door::open(&place.aws).await;
    let elsewhere = |key: &str, region: &str| Wire {
        key: key.to_owned(),
        region: region.to_owned(),
        ..Wire::ecs("ListClusters", &json!({}))
    };
    for (key, region, count) in [("test", REGION, 1), ("test", "eu-west-1", 0), ("222233334444", REGION, 0)] {
        let answer = door.send(elsewhere(key, region)).await.unwrap();
        assert_eq!(answer.body["clusterArns"].as_array().unwrap().len(), count, "{key} in {region}");
    }
}
