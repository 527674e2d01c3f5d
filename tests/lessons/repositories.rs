//! Repositories of images that are built: made whole, set right, never taken over; and the login to push to them.

use fargateer_controller::port::Cloud as _;
use fargateer_plan::action::Action;
use fargateer_plan::desired::Place;
use fargateer_plan::echo::Done;
use fargateer_plan::observed::{Finding, Look};
use fargateer_plan::repository::{self, Change, Live};
use fargateer_plan::seen::Seen;
use fargateer_plan::tags::{self, Tags};
use fargateer_sim::{Fault, FaultKind};
use serde_json::json;

use crate::world::{REGION, World};

const NAME: &str = "agents/bot";

fn place() -> Place {
    Place { region: REGION.to_owned(), ..Place::default() }
}

fn ours() -> Tags {
    tags::owned("prod", "bot", &Tags::new())
}

async fn look(world: &World) -> Seen<Live> {
    let found = world.aws.look(&place(), &[Look::Repository(NAME.to_owned())]).await;
    match found.into_iter().next() {
        Some(Finding::Repository(seen)) => seen,
        other => panic!("{other:?}"),
    }
}

/// Does all there is to do, looking anew after each write.
async fn settle(world: &World) -> usize {
    let mut writes = 0;
    loop {
        world.aws.distrust();
        let seen = look(world).await;
        let Some(change) = repository::changes(&seen, NAME, &ours()).into_iter().next() else { return writes };
        world.aws.act(&place(), &Action::Repository(change)).await.expect("a write");
        writes += 1;
        assert!(writes < 10, "it never settles");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repository_is_made_with_its_settings_and_then_left_alone() {
    let world = World::new().await;
    assert_eq!(look(&world).await, Seen::Absent);
    assert_eq!(settle(&world).await, 2);
    let Seen::Present(live) = look(&world).await else { panic!("it was made") };
    assert_eq!(live.uri, "111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/bot");
    assert!(live.scans && live.has_lifecycle && live.mutability == "IMMUTABLE" && live.tags == ours(), "{live:?}");
    assert_eq!(settle(&world).await, 0);

    world.ask("ecr", "PutImageTagMutability", json!({"repositoryName": NAME, "imageTagMutability": "MUTABLE"}));
    world.ask("ecr", "DeleteLifecyclePolicy", json!({"repositoryName": NAME}));
    assert_eq!(settle(&world).await, 2, "what others changed is set right");
}

#[tokio::test(start_paused = true)]
async fn one_that_was_made_although_its_answer_was_lost_is_known_by_its_tags() {
    let world = World::new().await;
    let lost = Fault::once(FaultKind::ResetAfter);
    world.sim.fault(Fault { service: Some("ecr".to_owned()), operation: Some("CreateRepository".to_owned()), ..lost });
    let create = repository::changes(&Seen::Absent, NAME, &ours()).remove(0);
    let action = Action::Repository(create);
    world.aws.act(&place(), &action).await.expect_err("the answer is lost");
    let done = world.aws.act(&place(), &action).await.expect("it is there");
    let Done::Repository(live) = done else { panic!("{done:?}") };
    assert!(repository::is_ours(&live, &ours()) && !live.has_lifecycle, "{live:?}");
    assert_eq!(settle(&world).await, 1, "the lifecycle policy alone is missing");
}

#[tokio::test(start_paused = true)]
async fn one_of_somebody_else_is_used_as_it_is() {
    let world = World::new().await;
    world.ask("ecr", "CreateRepository", json!({"repositoryName": NAME}));
    assert_eq!(settle(&world).await, 0);
    let create = repository::changes(&Seen::Absent, NAME, &ours()).remove(0);
    let done = world.aws.act(&place(), &Action::Repository(create)).await.expect("it is there");
    let Done::Repository(live) = done else { panic!("{done:?}") };
    assert!(!repository::is_ours(&live, &ours()), "{live:?}");
}

#[tokio::test(start_paused = true)]
async fn one_is_deleted_with_all_in_it_and_a_second_time_that_is_no_failure() {
    let world = World::new().await;
    settle(&world).await;
    let delete = Action::Repository(Change::Delete { name: NAME.to_owned() });
    for _ in 0..2 {
        world.aws.act(&place(), &delete).await.expect("it is gone");
    }
    assert_eq!(look(&world).await, Seen::Absent);
}

#[tokio::test(start_paused = true)]
async fn the_login_is_that_of_the_agents_account_and_region() {
    let world = World::new().await;
    let (user, password, endpoint) = world.aws.registry_login(&place()).await.expect("a token");
    assert_eq!(user, "AWS");
    assert!(!password.is_empty() && endpoint.contains(REGION), "{endpoint}");
    let denied = Fault::once(FaultKind::AccessDenied);
    world.sim.fault(Fault { operation: Some("GetAuthorizationToken".to_owned()), times: None, ..denied });
    let failure = world.aws.registry_login(&place()).await.expect_err("not allowed");
    assert_eq!(failure.operation, "ecr.GetAuthorizationToken");
}
