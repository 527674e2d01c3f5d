//! Lessons 4 to 7: whose the number of tasks is.

use fargateer_sim::FaultKind;
use serde_json::json;

use crate::world::{Agent, REGION, World};

fn assert_no_count_was_sent(world: &World) {
    let requests = world.requests("UpdateService");
    assert!(requests.iter().all(|request| request.get("desiredCount").is_none()), "{requests:#?}");
}

/// Lesson 4.
#[tokio::test(start_paused = true)]
async fn a_deploy_keeps_the_count_the_autoscaler_chose() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").with_tasks(2).scaled(2, 10)]).await;
    world.sim.metric(REGION, "agents", "bot", 310.0);
    world.until("scaled out", |world| world.service("bot")["desiredCount"] == 9).await;
    world.sim.metric(REGION, "agents", "bot", 68.0);
    world.apply([Agent::named("bot").with_tasks(2).scaled(2, 10).with_env("A", "2")]).await;
    world.assert_ready("bot");
    assert_eq!(world.container("bot")["environment"], json!([{"name": "A", "value": "2"}]));
    assert_eq!(world.service("bot")["desiredCount"], 9);
    assert_eq!(world.count("UpdateService"), 1);
    assert_no_count_was_sent(&world);
    world.assert_nothing_to_do().await;
}

/// Lesson 5.
#[tokio::test(start_paused = true)]
async fn no_count_is_written_while_scaling_cannot_be_read() {
    for kind in [FaultKind::Throttle, FaultKind::ServerError, FaultKind::AccessDenied, FaultKind::ResetBefore] {
        for operation in ["DescribeScalableTargets", "DescribeScalingPolicies"] {
            let mut world = World::new().await;
            world.apply([Agent::named("bot").with_tasks(2).scaled(2, 10)]).await;
            world.meddle("bot", &json!({"desiredCount": 9}));
            world.until("nine tasks", |world| world.service("bot")["runningCount"] == 9).await;
            let world_before = world.service("bot")["desiredCount"].clone();
            let mut world = world.restart().await;
            world.break_operation(operation, kind.clone());
            world.forget_calls();
            // Not even when the spec takes scaling away: what is there must be known first.
            world.write([Agent::named("bot").with_tasks(3).with_env("A", "2")]);
            crate::world::pass(std::time::Duration::from_mins(3)).await;
            assert_no_count_was_sent(&world);
            assert_eq!(world.service("bot")["desiredCount"], world_before, "{kind:?} of {operation}");
            world.mend();
            world.until("converged", |world| world.container("bot")["environment"][0]["value"] == "2").await;
            world.settle().await;
            assert_no_count_was_sent(&world);
            assert_eq!(world.service("bot")["desiredCount"], 9, "{kind:?} of {operation}");
        }
    }
}

/// Lesson 6.
#[tokio::test(start_paused = true)]
async fn scaling_taken_out_of_the_spec_freezes_the_count_and_then_owns_it() {
    let mut world = World::new().await;
    let plain = Agent::named("bot").with_tasks(2);
    world.apply([plain.clone().scaled(2, 10)]).await;
    world.meddle("bot", &json!({"desiredCount": 7}));
    world.resync().await;
    world.forget_calls();
    world.apply([plain.clone()]).await;
    world.assert_ready("bot");
    assert_eq!(world.service("bot")["desiredCount"], 7);
    assert!(world.target("bot").is_null());
    assert_eq!(
        world.writes(),
        ["ecs.TagResource", "application-autoscaling.DeregisterScalableTarget", "ecs.TagResource"]
    );
    let mut world = world.assert_nothing_to_do().await;

    world.meddle("bot", &json!({"desiredCount": 4}));
    world.resync().await;
    assert_eq!(world.service("bot")["desiredCount"], 7, "{:?}", world.differing());

    world.apply([plain.clone().with_env("A", "1")]).await;
    assert_eq!(world.service("bot")["desiredCount"], 7, "another change of the spec does not touch the count");

    world.apply([plain.with_tasks(3)]).await;
    world.assert_ready("bot");
    assert_eq!(world.service("bot")["desiredCount"], 3);
    assert!(!world.tags("bot").contains_key("fargateer:frozen-count"));
    world.assert_nothing_to_do().await;
}

/// Lesson 6: the process dies between the freeze and the end of scaling.
#[tokio::test(start_paused = true)]
async fn a_count_frozen_by_a_process_that_died_stays_frozen() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").with_tasks(2).scaled(2, 10)]).await;
    world.meddle("bot", &json!({"desiredCount": 7}));
    world.resync().await;
    world.break_operation("DeregisterScalableTarget", FaultKind::ServerError);
    world.write([Agent::named("bot").with_tasks(2)]);
    world.until("frozen", |world| world.tags("bot").contains_key("fargateer:frozen-count")).await;
    let world = world.restart().await;
    world.mend();
    world.settle().await;
    world.assert_ready("bot");
    assert!(world.target("bot").is_null());
    assert_eq!(world.service("bot")["desiredCount"], 7);
    world.assert_nothing_to_do().await;
}

/// Lesson 6, the other way round: a spec that is scaled again takes the count as it is.
#[tokio::test(start_paused = true)]
async fn scaling_put_into_the_spec_takes_the_count_as_it_is() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").with_tasks(3)]).await;
    world.forget_calls();
    world.apply([Agent::named("bot").with_tasks(1).scaled(1, 10)]).await;
    world.assert_ready("bot");
    assert_eq!(world.service("bot")["desiredCount"], 3);
    assert_eq!(world.count("UpdateService"), 0);
    assert_eq!(world.policies("bot").len(), 2);
    world.assert_nothing_to_do().await;
}

/// Lesson 7.
#[tokio::test(start_paused = true)]
async fn zero_tasks_are_a_real_count() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").with_tasks(0)]).await;
    world.assert_ready("bot");
    assert_eq!(world.service("bot")["desiredCount"], 0);
    let mut world = world.assert_nothing_to_do().await;
    world.apply([Agent::named("bot").with_tasks(2)]).await;
    assert_eq!(world.service("bot")["runningCount"], 2);
    world.apply([Agent::named("bot").with_tasks(0)]).await;
    world.assert_ready("bot");
    assert_eq!(world.service("bot")["desiredCount"], 0);
    world.meddle("bot", &json!({"desiredCount": 1}));
    world.resync().await;
    assert_eq!(world.service("bot")["desiredCount"], 0);
}

/// A count somebody else's scaling owns is not ours to say.
#[tokio::test(start_paused = true)]
async fn scaling_set_up_by_somebody_else_is_left_alone() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").with_tasks(2)]).await;
    let target = json!({
        "ServiceNamespace": "ecs", "ResourceId": "service/agents/bot", "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": 1, "MaxCapacity": 9,
    });
    world.ask("application-autoscaling", "RegisterScalableTarget", target);
    world.meddle("bot", &json!({"desiredCount": 6}));
    let world = world.assert_nothing_to_do().await;
    assert_eq!(world.service("bot")["desiredCount"], 6);
    assert_eq!(world.target("bot")["MaxCapacity"], 9);
}
