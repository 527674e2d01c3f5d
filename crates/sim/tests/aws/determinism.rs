//! The same seed and the same requests give the same answers, to the byte.

use crate::place::{Place, pass};
use fargateer_sim::{Behaviour, Settings};
use serde_json::json;

async fn story(seed: u64) -> String {
    let place = Place::with(Settings { seed, ..Settings::default() });
    place.aws.behave(":v2", Behaviour::NeverHealthy);
    let created = place.create(json!({"desiredCount": 5}));
    pass(200).await;
    place.ecs("UpdateService", json!({"cluster": "blue", "service": "agent", "forceNewDeployment": true}));
    pass(200).await;
    format!("{created}{}", place.service())
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_tells_the_same_story() {
    assert_eq!(story(7).await, story(7).await);
    assert_ne!(story(7).await, story(8).await);
}

#[tokio::test(start_paused = true)]
async fn when_somebody_looks_changes_nothing() {
    let (watched, left_alone) = (Place::new(), Place::new());
    for place in [&watched, &left_alone] {
        place.create(json!({"desiredCount": 3}));
    }
    for _ in 0..100 {
        pass(1).await;
        watched.service();
    }
    assert_eq!(watched.service(), left_alone.service());
}

#[tokio::test(start_paused = true)]
async fn nothing_happens_before_the_next_event() {
    let place = Place::new();
    assert_eq!(place.aws.next_event(), None);
    place.create(json!({"desiredCount": 1}));
    while let Some(at) = place.aws.next_event() {
        let before = place.service();
        tokio::time::advance(at.saturating_sub(place.aws.now()).saturating_sub(std::time::Duration::from_millis(2)))
            .await;
        assert_eq!(place.service(), before);
        tokio::time::advance(std::time::Duration::from_millis(2)).await;
    }
    assert_eq!(place.service()["deployments"][0]["rolloutState"], "COMPLETED");
}
