//! The process dies, or an answer is lost, at any moment: nothing is made twice, nothing stays undone.

use std::time::Duration;

use fargateer_api::status::{ConditionType, Truth};
use fargateer_sim::FaultKind;
use serde_json::json;

use crate::world::{Agent, World, pass};

const WRITES: [&str; 6] = [
    "CreateLogGroup",
    "PutRetentionPolicy",
    "RegisterTaskDefinition",
    "CreateService",
    "RegisterScalableTarget",
    "PutScalingPolicy",
];

fn full() -> Agent {
    Agent::named("bot").with_tasks(2).behind_the_load_balancer().scaled(2, 5)
}

fn assert_no_duplicates(world: &World, what: &str) {
    let listed = world.ask("ecs", "ListServices", json!({"cluster": "agents"}));
    assert_eq!(listed["serviceArns"].as_array().map(Vec::len), Some(1), "{what}");
    assert_eq!(world.revisions("bot").len(), 1, "{what}");
    assert_eq!((&world.target("bot")["MinCapacity"], &world.target("bot")["MaxCapacity"]), (&json!(2), &json!(5)));
    assert_eq!(world.policies("bot").len(), 2, "{what}");
    assert_eq!(world.log_groups(), ["/ecs/bot"], "{what}");
    assert_eq!(world.service("bot")["deployments"].as_array().map(Vec::len), Some(1), "{what}");
}

/// Killed just after each write took effect and before its answer came.
#[tokio::test(start_paused = true)]
async fn a_process_that_dies_in_the_middle_of_a_create_leaves_no_duplicates() {
    for operation in WRITES {
        for kind in [FaultKind::HangAfter, FaultKind::HangBefore] {
            let mut world = World::new().await;
            world.break_operation(operation, kind.clone());
            world.write([full()]);
            world.until("reached", |world| world.count(operation) == 1).await;
            let world = world.restart().await;
            world.mend();
            world.settle().await;
            world.assert_ready("bot");
            assert_no_duplicates(&world, &format!("{kind:?} of {operation}"));
            world.assert_nothing_to_do().await;
        }
    }
}

/// Killed at moments that no call marks.
#[tokio::test(start_paused = true)]
async fn a_process_killed_at_any_moment_of_a_create_leaves_no_duplicates() {
    for moment in 0..24 {
        let mut world = World::new().await;
        world.write([full()]);
        pass(Duration::from_millis(13 * moment)).await;
        let world = world.restart().await;
        world.settle().await;
        world.assert_ready("bot");
        assert_no_duplicates(&world, &format!("killed after {} ms", 13 * moment));
    }
}

/// The call took effect, the answer was lost.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_costs_at_most_one_revision() {
    for operation in WRITES {
        for kind in [FaultKind::ResetAfter, FaultKind::HangAfter] {
            let mut world = World::new().await;
            world.break_once(operation, kind.clone());
            world.write([full()]);
            world.until("ready", |world| world.truth("bot", ConditionType::Ready) == Truth::True).await;
            assert_no_duplicates(&world, &format!("{kind:?} of {operation}"));
            world.assert_nothing_to_do().await;
        }
    }
}

/// The same for an update: one new revision, one deployment.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_an_update_does_not_deploy_twice() {
    for operation in
        ["RegisterTaskDefinition", "UpdateService", "TagResource", "PutScalingPolicy", "RegisterScalableTarget"]
    {
        for kind in [FaultKind::ResetAfter, FaultKind::HangAfter] {
            let mut world = World::new().await;
            world.apply([full()]).await;
            world.break_once(operation, kind.clone());
            let changed =
                full().with_env("A", "2").with("autoscaling/max", json!(6)).with("autoscaling/targetMemory", json!(60));
            world.write([changed]);
            world.until("updated", |world| world.target("bot")["MaxCapacity"] == 6).await;
            world.until("ready", |world| world.controller.is_settled()).await;
            world.assert_ready("bot");
            assert_eq!(world.revisions("bot").len(), 2, "{kind:?} of {operation}");
            let history = world.ask("ecs", "ListServiceDeployments", json!({"cluster": "agents", "service": "bot"}));
            assert_eq!(history["serviceDeployments"].as_array().map(Vec::len), Some(2), "{kind:?} of {operation}");
            world.assert_nothing_to_do().await;
        }
    }
}

/// What was seen before a write that failed is not believed after it.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_new_scaling_is_found_out_by_the_next_look() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").with_tasks(2)]).await;
    pass(Duration::from_mins(10)).await;
    world.break_once("RegisterScalableTarget", FaultKind::ResetAfter);
    let begun = world.sim.now();
    world.apply([Agent::named("bot").with_tasks(2).scaled(2, 5)]).await;
    world.assert_ready("bot");
    assert!(world.since(begun) < Duration::from_secs(20), "{:?}", world.since(begun));
    assert_eq!(world.policies("bot").len(), 2);
    world.assert_nothing_to_do().await;
}
