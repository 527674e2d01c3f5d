//! Agents of several accounts: what one of them is refused or throttled does not slow another.

use std::time::Duration;

use fargateer_api::Key;
use fargateer_api::status::Reason;
use fargateer_sim::{Call, Fault, FaultKind};
use serde_json::json;
use tokio::time::Instant;

use crate::world::{Agent, World, pass};

const ROLE: &str = "arn:aws:iam::444455556666:role/fargateer";

fn guest(number: usize) -> Agent {
    Agent::named(&format!("guest-{number:02}")).with("account", json!({"roleArn": ROLE}))
}

fn every(service: &str, operation: &str, resource: Option<&str>, kind: FaultKind) -> Fault {
    let (service, operation) = (Some(service.to_owned()), Some(operation.to_owned()));
    Fault { service, operation, resource: resource.map(str::to_owned), times: None, ..Fault::once(kind) }
}

fn assumed(world: &World) -> Vec<Call> {
    world.sim.calls().into_iter().filter(|call| call.operation == "AssumeRole").collect()
}

/// How long `bot` takes until it is Ready beside `guests` agents of another account.
async fn time_beside(world: &mut World, guests: usize) -> Duration {
    let begun = Instant::now();
    world.write((0..guests).map(guest).chain([Agent::named("bot")]));
    while world.status("bot").observed_generation.is_none() || world.reason("bot") != Reason::Converged {
        assert!(begun.elapsed() < Duration::from_mins(30), "{}", world.message("bot"));
        pass(Duration::from_millis(500)).await;
    }
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_refused_concerns_its_agents_alone_and_says_what_to_allow() {
    let mut world = World::new().await;
    let message = "User: arn:aws:iam::111122223333:user/x is not authorized to perform: sts:AssumeRole".to_owned();
    let denied = FaultKind::Error { code: "AccessDenied".to_owned(), message };
    world.sim.fault(every("sts", "AssumeRole", None, denied));
    let alone = time_beside(&mut World::new().await, 0).await;
    assert!(time_beside(&mut world, 40).await <= alone + Duration::from_secs(1));
    assert!((0..40).all(|number| world.reason(&format!("guest-{number:02}")) == Reason::RoleRefused));
    let message = world.message("guest-07");
    for part in [ROLE, "sts:AssumeRole to Fargateer's own identity", "not authorized"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let calls = assumed(&world).len();
    assert!(calls <= 6, "{calls} questions for forty agents of one role");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_allowed_again_is_assumed_without_a_restart() {
    let mut world = World::new().await;
    let denied = FaultKind::Error { code: "AccessDenied".to_owned(), message: "no".to_owned() };
    world.sim.fault(Fault { times: Some(1), ..every("sts", "AssumeRole", None, denied) });
    world.apply([guest(1)]).await;
    assert_eq!(world.reason("guest-01"), Reason::RoleRefused);
    pass(Duration::from_secs(31)).await;
    world.controller.request(&Key::new("guest-01"), None);
    pass(Duration::from_secs(5)).await;
    // The other account has no cluster of that name: it was asked.
    assert_eq!(world.reason("guest-01"), Reason::ClusterNotFound, "{}", world.message("guest-01"));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_throttles_slows_its_own_agents_alone() {
    let alone = time_beside(&mut World::new().await, 0).await;
    let mut world = World::new().await;
    world.sim.fault(every("ecs", "DescribeServices", Some("guest"), FaultKind::Throttle));
    let beside = time_beside(&mut world, 40).await;
    assert_eq!(world.reason("guest-07"), Reason::Throttled, "{}", world.message("guest-07"));
    assert!(beside <= alone + Duration::from_secs(1), "{beside:?} beside a throttled account, {alone:?} alone");
}

#[tokio::test(start_paused = true)]
async fn a_session_is_named_and_tagged_as_the_spec_says_and_renewed_before_it_ends() {
    let mut world = World::new().await;
    let account = json!({"roleArn": ROLE, "externalId": "ours", "sessionName": "support-bots", "sessionTags": {"team": "support"}});
    world.apply([Agent::named("guest").with("account", account)]).await;
    let first = assumed(&world);
    assert_eq!(first.len(), 1, "all clients of a role share its credentials");
    let request = first[0].request.to_string();
    for part in ["support-bots", "ours", "\"team\"", "\"support\""] {
        assert!(request.contains(part), "{part}: {request}");
    }
    for (minute, sessions) in [(50, 1), (8, 2)] {
        pass(Duration::from_mins(minute)).await;
        world.controller.request(&Key::new("guest"), None);
        pass(Duration::from_secs(5)).await;
        assert_eq!(assumed(&world).len(), sessions, "an hour is the life of a session");
    }
    assert_eq!(world.reason("guest"), Reason::ClusterNotFound, "{}", world.message("guest"));
}
