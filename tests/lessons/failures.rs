//! Lesson 25 and its kin: AWS that is not ready yet, or not well.

use std::time::Duration;

use fargateer_api::status::{ConditionType, Reason, Truth};
use fargateer_sim::FaultKind;
use serde_json::json;

use crate::world::{Agent, Options, World, pass};

fn full() -> Agent {
    Agent::named("bot").with_tasks(2).behind_the_load_balancer().scaled(2, 5)
}

/// One service, one target, two policies, at most so many revisions - and nothing left to do.
async fn assert_whole(world: World, revisions: usize) -> World {
    world.until("ready", |world| world.truth("bot", ConditionType::Ready) == Truth::True).await;
    assert_eq!(world.service("bot")["runningCount"], 2);
    assert_eq!((&world.target("bot")["MinCapacity"], &world.target("bot")["MaxCapacity"]), (&json!(2), &json!(5)));
    assert_eq!(world.policies("bot").len(), 2);
    assert!(world.revisions("bot").len() <= revisions, "{:?}", world.revisions("bot"));
    world.assert_nothing_to_do().await
}

fn error(code: &str, message: &str) -> FaultKind {
    FaultKind::Error { code: code.to_owned(), message: message.to_owned() }
}

/// Lesson 25.
#[tokio::test(start_paused = true)]
async fn a_service_that_scaling_does_not_see_yet_is_tried_again() {
    let mut world = World::new().await;
    for _ in 0..3 {
        world.break_once(
            "RegisterScalableTarget",
            error("ValidationException", "ECS service doesn't exist: service/agents/bot"),
        );
    }
    world.write([full()]);
    world.until("refused", |world| world.count("RegisterScalableTarget") > 0).await;
    assert_whole(world, 1).await;
}

/// What AWS does not show at once is waited for, and never made twice.
#[tokio::test(start_paused = true)]
async fn errors_of_things_made_a_moment_ago_are_tried_again() {
    let errors = [
        (
            "CreateService",
            "InvalidParameterException",
            "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
        ),
        (
            "CreateService",
            "InvalidParameterException",
            "The target group with targetGroupArn arn does not have an associated load balancer.",
        ),
        ("CreateService", "ClientException", "TaskDefinition not found."),
        ("PutScalingPolicy", "ObjectNotFoundException", "No scalable target registered for service namespace: ecs"),
        ("PutScalingPolicy", "ConcurrentUpdateException", "Concurrent update"),
        ("RegisterTaskDefinition", "ServerException", "Service Unavailable"),
    ];
    for (operation, code, message) in errors {
        let mut world = World::new().await;
        for _ in 0..2 {
            world.break_once(operation, error(code, message));
        }
        world.write([full()]);
        world.until("met", |world| world.count(operation) > 0).await;
        assert_whole(world, 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_visible_after_its_create_is_not_created_twice() {
    let sim = fargateer_sim::Settings { visibility: Duration::from_secs(20), ..Options::default().sim };
    let mut world = World::with(Options { sim, ..Options::default() }).await;
    world.write([full()]);
    world.until("created", |world| world.count("CreateService") == 1).await;
    pass(Duration::from_secs(10)).await;
    assert_ne!(world.truth("bot", ConditionType::Ready), Truth::True);
    world.until("ready", |world| world.truth("bot", ConditionType::Ready) == Truth::True).await;
    assert_eq!(world.count("CreateService"), 1);
    assert_whole(world, 1).await;
}

/// The process that made the service is gone while nobody sees it yet: the token makes a second create find it.
#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_visible_to_a_new_process_is_not_created_twice() {
    let sim = fargateer_sim::Settings { visibility: Duration::from_secs(20), ..Options::default().sim };
    let mut world = World::with(Options { sim, ..Options::default() }).await;
    world.write([full()]);
    world.until("created", |world| world.count("CreateService") == 1).await;
    let created = world.requests("CreateService");
    let world = world.restart().await;
    let world = assert_whole(world, 1).await;
    assert_eq!(created.len(), 1);
    assert_eq!(world.service("bot")["deployments"].as_array().map(Vec::len), Some(1));
}

/// Every operation of a create, wrong in every way for a while.
#[tokio::test(start_paused = true)]
async fn a_create_survives_every_operation_failing_for_a_while() {
    let mut world = World::new().await;
    world.apply([full()]).await;
    let mut operations: Vec<String> = world.sim.calls().into_iter().map(|call| call.operation).collect();
    operations.sort();
    operations.dedup();
    assert!(operations.len() >= 8, "{operations:?}");
    for operation in operations {
        for kind in [FaultKind::ServerError, FaultKind::HtmlError, FaultKind::HangBefore, FaultKind::Throttle] {
            let mut world = World::new().await;
            world.break_operation(&operation, kind.clone());
            world.write([full()]);
            world.until("met", |world| world.count(&operation) > 0).await;
            pass(Duration::from_secs(100)).await;
            assert_ne!(world.truth("bot", ConditionType::Ready), Truth::True, "{kind:?} of {operation}");
            let told = [Reason::Unavailable, Reason::Throttled, Reason::NotYetVisible];
            assert!(told.contains(&world.reason("bot")), "{kind:?} of {operation}: {:?}", world.reason("bot"));
            assert!(world.message("bot").contains(&operation), "{}", world.message("bot"));
            world.mend();
            world.until("ready", |world| world.truth("bot", ConditionType::Ready) == Truth::True).await;
            assert_eq!(world.policies("bot").len(), 2);
            assert_eq!(world.revisions("bot").len(), 1, "{kind:?} of {operation}");
        }
    }
}

/// A request AWS refuses is told as it is and not repeated.
#[tokio::test(start_paused = true)]
async fn a_request_that_aws_refuses_is_told_and_not_repeated() {
    let mut world = World::new().await;
    let refusal = error("InvalidParameterException", "The new ARN format is required.");
    world.break_operation("CreateService", refusal);
    world.apply([full()]).await;
    assert_eq!(world.reason("bot"), Reason::InvalidRequest);
    assert!(world.message("bot").contains("The new ARN format is required."), "{}", world.message("bot"));
    pass(Duration::from_mins(40)).await;
    assert_eq!(world.count("CreateService"), 1);
    world.mend();
    pass(Duration::from_hours(2)).await;
    assert_whole(world, 1).await;
}
