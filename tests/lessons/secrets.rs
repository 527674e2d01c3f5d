//! What an agent's environment and secrets say is in no status, event, plan or failure.

use fargateer_api::Key;
use fargateer_sim::{Behaviour, FaultKind};
use serde_json::json;

use crate::world::{Agent, World};

const CANARY: &str = "canary-5f1d3c";

fn careless() -> Agent {
    Agent::named("bot").with_env("API_TOKEN", CANARY)
}

fn assert_not_told(world: &World) {
    let key = Key::new("bot");
    let status = serde_json::to_string(&world.status("bot")).expect("a status is JSON");
    assert!(!status.contains(CANARY), "{status}");
    let events = serde_json::to_string(&world.controller.reconciler.board.events().list(Some(&key))).expect("JSON");
    assert!(events.contains("Applying") && !events.contains(CANARY), "{events}");
    for requested in world.sim.calls() {
        let tags = [&requested.request["tags"], &requested.request["Tags"]].map(ToString::to_string);
        assert!(tags.iter().all(|tags| !tags.contains(CANARY)), "{tags:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_of_the_environment_is_told_nowhere() {
    let mut world = World::new().await;
    world.apply([careless()]).await;
    assert_not_told(&world);
    // Drift on it, a change of it, a failed call that carried it.
    world.apply([careless().with_env("OTHER", CANARY)]).await;
    world.break_once("RegisterTaskDefinition", FaultKind::AccessDenied);
    world.apply([careless().with_env("API_TOKEN", &format!("{CANARY}-2"))]).await;
    assert!(world.message("bot").contains("RegisterTaskDefinition"));
    assert_not_told(&world);
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_sent_by_reference_and_told_nowhere() {
    let mut world = World::new().await;
    let reference = format!("arn:aws:ssm:us-east-1:111122223333:parameter/{CANARY}");
    let agent = Agent::named("bot").with("container/secrets", json!({"TOKEN": {"valueFrom": reference}}));
    world.sim.behave("bot", Behaviour::PullFailure);
    world.apply([agent]).await;
    assert!(world.status("bot").failure.is_some());
    assert_not_told(&world);
    assert_eq!(world.container("bot")["secrets"], json!([{"name": "TOKEN", "valueFrom": reference}]));
}
