//! Images in ECR: run by digest, so that a tag that moves is seen and a scale-out days later runs the same bytes.

use fargateer_api::status::{ConditionType, Reason, Truth};
use fargateer_sim::Seed;
use serde_json::json;

use crate::world::{Agent, REGION, World};

const IMAGE: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/bot:1";

async fn world() -> World {
    let world = World::new().await;
    world.sim.seed(Seed { region: REGION.to_owned(), images: vec![IMAGE.to_owned()], ..Seed::default() });
    world
}

fn registered(world: &World) -> Vec<String> {
    let requests = world.requests("RegisterTaskDefinition");
    let images =
        requests.iter().map(|request| request["containerDefinitions"][0]["image"].as_str().unwrap().to_owned());
    images.collect()
}

#[tokio::test(start_paused = true)]
async fn a_tag_is_run_by_its_digest_and_followed_when_it_moves() {
    let mut world = world().await;
    world.apply([Agent::named("bot").with_image(IMAGE)]).await;
    world.assert_ready("bot");
    let first = world.status("bot").image_digest.unwrap();
    assert_eq!(registered(&world), [format!("{}@{first}", IMAGE.trim_end_matches(":1"))]);

    let manifest = json!({"schemaVersion": 2, "annotations": {"built": "again"}}).to_string();
    let moved = json!({"repositoryName": "agents/bot", "imageTag": "1", "imageManifest": manifest});
    world.ask("ecr", "PutImage", moved);
    world.resync().await;
    let second = world.status("bot").image_digest.unwrap();
    assert_ne!(first, second);
    assert_eq!(registered(&world).last().unwrap(), &format!("{}@{second}", IMAGE.trim_end_matches(":1")));
    assert_eq!(world.status("bot").last_drift, None, "a tag that moved is news, nobody's doing");
    world.forget_calls();
    world.resync().await;
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_not_there_is_told_and_what_runs_is_left_alone() {
    let mut world = world().await;
    world.apply([Agent::named("bot").with_image(IMAGE)]).await;
    world.forget_calls();
    world.apply([Agent::named("bot").with_image(&IMAGE.replace(":1", ":2"))]).await;
    assert_eq!(world.reason("bot"), Reason::ImageNotFound);
    assert!(world.message("bot").contains("agents/bot:2"), "{}", world.message("bot"));
    assert_eq!(world.truth("bot", ConditionType::ImageReady), Truth::False);
    assert_eq!(world.writes(), Vec::<String>::new());

    world.sim.seed(Seed { region: REGION.to_owned(), images: vec![IMAGE.replace(":1", ":2")], ..Seed::default() });
    world.resync().await;
    world.settle().await;
    world.assert_ready("bot");
}
