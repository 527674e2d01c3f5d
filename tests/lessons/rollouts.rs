//! Lessons 8, 10 to 12 and 17, 18: what counts as done, what as failed, and what a change of settings does.

use std::time::Duration;

use fargateer_api::Key;
use fargateer_api::status::{ConditionType, Reason, Truth};
use fargateer_controller::controller::Force;
use fargateer_sim::{Behaviour, Fault, FaultKind};
use serde_json::json;

use crate::world::{Agent, TARGET_GROUP, World, pass};

fn good() -> Agent {
    Agent::named("bot").with_tasks(2)
}

fn bad() -> Agent {
    good().with_image("public.example.com/bad:1")
}

/// A good version runs, a bad one was rolled back by ECS.
async fn rolled_back() -> World {
    let mut world = World::new().await;
    world.apply([good()]).await;
    world.sim.behave("bad", Behaviour::PullFailure);
    world.apply([bad()]).await;
    world
}

/// Lesson 8.
#[tokio::test(start_paused = true)]
async fn a_rollback_by_ecs_is_told_and_held() {
    let world = rolled_back().await;
    assert_eq!(world.reason("bot"), Reason::RolledBack, "{}", world.message("bot"));
    assert_eq!(world.truth("bot", ConditionType::Ready), Truth::False);
    assert_eq!(world.truth("bot", ConditionType::RolledBack), Truth::True);
    assert_eq!(world.truth("bot", ConditionType::ServiceStable), Truth::False);
    let failure = world.status("bot").failure.expect("the cause is told");
    assert!(failure.reason.contains("CannotPullContainerError"), "{failure:?}");
    assert!(failure.advice.is_some());
    let running = world.service("bot")["taskDefinition"].clone();
    world.forget_calls();
    pass(Duration::from_hours(12)).await;
    assert_eq!(world.count("UpdateService"), 0, "no loop of deployments");
    assert_eq!(world.count("DeregisterTaskDefinition"), 0);
    world.assert_no_writes();
    assert_eq!(world.reason("bot"), Reason::RolledBack);
    assert_eq!(world.service("bot")["taskDefinition"], running);
    let world = world.restart_without_statuses().await;
    world.settle().await;
    pass(Duration::from_hours(2)).await;
    assert_eq!(world.reason("bot"), Reason::RolledBack, "a new process derives it from AWS");
    world.assert_no_writes();
}

/// Lesson 8.
#[tokio::test(start_paused = true)]
async fn another_spec_is_tried_after_a_rollback() {
    let mut world = rolled_back().await;
    world.apply([good().with_image("public.example.com/better:1")]).await;
    world.assert_ready("bot");
    assert_eq!(world.truth("bot", ConditionType::RolledBack), Truth::False);
    assert_eq!(world.container("bot")["image"], "public.example.com/better:1");
    world.assert_nothing_to_do().await;
}

/// Lesson 8: back to the spec that runs.
#[tokio::test(start_paused = true)]
async fn the_old_spec_after_a_rollback_is_ready_without_a_deployment() {
    let mut world = rolled_back().await;
    world.forget_calls();
    world.apply([good()]).await;
    world.assert_ready("bot");
    assert_eq!(world.count("UpdateService"), 0);
    assert_eq!(world.count("RegisterTaskDefinition"), 0);
}

/// Lesson 8.
#[tokio::test(start_paused = true)]
async fn a_person_may_try_the_rejected_revision_again() {
    let world = rolled_back().await;
    let revisions = world.revisions("bot").len();
    world.sim.behave("bad", Behaviour::Healthy);
    world.forget_calls();
    world.controller.request(&Key::new("bot"), Some(Force));
    world.until("tried again", |world| world.count("UpdateService") == 1).await;
    world.until("ready", |world| world.truth("bot", ConditionType::Ready) == Truth::True).await;
    assert_eq!(world.container("bot")["image"], "public.example.com/bad:1");
    assert_eq!(world.revisions("bot").len(), revisions, "the revision is used again");
    world.assert_nothing_to_do().await;
}

/// Lesson 8: a second failure of a forced retry is held again.
#[tokio::test(start_paused = true)]
async fn a_retry_that_fails_is_held_again() {
    let world = rolled_back().await;
    world.forget_calls();
    world.controller.request(&Key::new("bot"), Some(Force));
    pass(Duration::from_hours(3)).await;
    assert_eq!(world.count("UpdateService"), 1);
    assert_eq!(world.reason("bot"), Reason::RolledBack, "{}", world.message("bot"));
}

/// Lesson 10.
#[tokio::test(start_paused = true)]
async fn a_first_deployment_that_fails_is_said_plainly() {
    let mut world = World::new().await;
    world.sim.behave("bad", Behaviour::PullFailure);
    world.apply([bad()]).await;
    assert_eq!(world.reason("bot"), Reason::FirstDeploymentFailed, "{}", world.message("bot"));
    assert!(world.message("bot").contains("nothing to roll back to"), "{}", world.message("bot"));
    assert_eq!(world.truth("bot", ConditionType::Stalled), Truth::True);
    let failure = world.status("bot").failure.expect("the cause is told");
    assert!(failure.reason.contains("CannotPullContainerError"), "{failure:?}");
    assert!(failure.advice.is_some_and(|advice| world.message("bot").contains(&advice)));
    world.forget_calls();
    pass(Duration::from_hours(6)).await;
    world.assert_no_writes();
    world.apply([good()]).await;
    world.assert_ready("bot");
}

/// Lesson 10: the agent's own last words.
#[tokio::test(start_paused = true)]
async fn the_log_of_a_task_that_crashed_is_told() {
    let mut world = World::new().await;
    world.sim.behave("bad", Behaviour::CrashLoop { exit_code: 3 });
    world.write([bad()]);
    world.until("a failure", |world| world.status("bot").failure.is_some()).await;
    let failure = world.status("bot").failure.expect("there is one");
    assert_eq!(failure.exit_code, Some(3));
    assert!(!failure.log.is_empty(), "{failure:?}");
    assert_eq!(world.truth("bot", ConditionType::Ready), Truth::False);
}

/// Lesson 11: reads that still show the state before the update.
#[tokio::test(start_paused = true)]
async fn an_update_that_is_not_visible_yet_is_not_ready() {
    let mut world = World::new().await;
    world.apply([good()]).await;
    world.sim.behave("next", Behaviour::SlowStart(Duration::from_secs(50)));
    world.write([good().with_image("public.example.com/next:1")]);
    world.until("updated", |world| world.count("UpdateService") == 1).await;
    let begun = world.sim.now();
    world.until("ready", |world| world.truth("bot", ConditionType::Ready) == Truth::True).await;
    assert!(world.since(begun) > Duration::from_secs(50), "{:?}", world.since(begun));
    assert_eq!(world.service("bot")["deployments"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.container("bot")["image"], "public.example.com/next:1");
}

/// Lesson 12.
#[tokio::test(start_paused = true)]
async fn tasks_that_run_and_are_not_healthy_are_not_done() {
    let mut world = World::new().await;
    world.sim.behave("slow", Behaviour::SlowStart(Duration::from_secs(45)));
    world.write([good().with_image("public.example.com/slow:1").behind_the_load_balancer()]);
    world.until("running", |world| world.service("bot")["runningCount"] == 2).await;
    let running = world.sim.now();
    pass(Duration::from_secs(20)).await;
    assert_eq!(world.truth("bot", ConditionType::Ready), Truth::False);
    assert_eq!(world.reason("bot"), Reason::WaitingForHealthy, "{}", world.message("bot"));
    world.settle().await;
    world.assert_ready("bot");
    assert!(world.since(running) >= Duration::from_secs(44));
}

/// The newest spec wins: a rollout that hangs does not stand in its way.
#[tokio::test(start_paused = true)]
async fn a_newer_spec_wins_over_a_running_rollout() {
    let mut world = World::new().await;
    world.apply([good()]).await;
    world.sim.behave("stuck", Behaviour::StuckProvisioning);
    world.write([good().with_image("public.example.com/stuck:1")]);
    world.until("rolling", |world| world.reason("bot") == Reason::RollingOut).await;
    world.apply([good().with_image("public.example.com/next:1")]).await;
    world.assert_ready("bot");
    assert_eq!(world.container("bot")["image"], "public.example.com/next:1");
    world.assert_nothing_to_do().await;
}

/// Lesson 17.
#[tokio::test(start_paused = true)]
async fn a_load_balancer_is_added_changed_and_removed_by_updates_alone() {
    let other = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/other/73e2d6bc24d8a068";
    let mut world = World::new().await;
    world.sim.seed(fargateer_sim::Seed {
        region: crate::world::REGION.to_owned(),
        target_groups: vec![other.to_owned()],
        ..fargateer_sim::Seed::default()
    });
    world.apply([good()]).await;
    let arn = world.service("bot")["serviceArn"].clone();
    let created = world.service("bot")["createdAt"].clone();
    let steps = [
        (good().behind_the_load_balancer(), Some(TARGET_GROUP)),
        (good().behind_the_load_balancer().with("loadBalancer/targetGroupArn", json!(other)), Some(other)),
        (good(), None),
    ];
    for (agent, group) in steps {
        world.forget_calls();
        world.apply([agent]).await;
        world.assert_ready("bot");
        let writes = world.writes();
        assert_eq!(writes, ["ecs.UpdateService", "ecs.TagResource"], "{group:?}");
        let balancers = world.service("bot")["loadBalancers"].clone();
        assert_eq!(balancers.get(0).and_then(|balancer| balancer["targetGroupArn"].as_str()), group);
        assert_eq!((&world.service("bot")["serviceArn"], &world.service("bot")["createdAt"]), (&arn, &created));
    }
    assert_eq!(world.service("bot")["healthCheckGracePeriodSeconds"], 0);
    world.assert_nothing_to_do().await;
}

/// Lesson 18.
#[tokio::test(start_paused = true)]
async fn a_capacity_block_taken_out_of_the_spec_is_cleared() {
    let mut world = World::new().await;
    world.apply([good().with("capacity", json!({"provider": "FARGATE_SPOT"}))]).await;
    assert_eq!(world.service("bot")["capacityProviderStrategy"][0]["capacityProvider"], "FARGATE_SPOT");
    world.apply([good()]).await;
    world.assert_ready("bot");
    assert_eq!(world.service("bot")["capacityProviderStrategy"][0]["capacityProvider"], "FARGATE");
    world.assert_nothing_to_do().await;
}

/// Lesson 18.
#[tokio::test(start_paused = true)]
async fn service_connect_set_by_hand_is_cleared() {
    let mut world = World::new().await;
    world.apply([good()]).await;
    world.meddle("bot", &json!({"serviceConnectConfiguration": {"enabled": true, "namespace": "agents"}}));
    world.resync().await;
    world.assert_ready("bot");
    assert_eq!(world.service("bot")["deployments"][0]["serviceConnectConfiguration"], json!({"enabled": false}));
    world.assert_nothing_to_do().await;
}

/// Lesson 21.
#[tokio::test(start_paused = true)]
async fn old_revisions_are_cleaned_up_and_the_newest_ten_kept() {
    let mut world = World::new().await;
    for version in 0..14 {
        world.apply([good().with_env("VERSION", &version.to_string())]).await;
        world.assert_ready("bot");
        let running = world.service("bot")["taskDefinition"].clone();
        assert!(world.revisions("bot").iter().any(|arn| running == **arn), "what runs stays registered");
    }
    let kept = world.revisions("bot");
    assert!((10..=11).contains(&kept.len()), "{kept:?}");
    assert!(kept.last().is_some_and(|arn| arn.ends_with(":14")), "{kept:?}");
    world.assert_nothing_to_do().await;
}

/// Lesson 21: the revision a rollback returned to is in use, however old it is.
#[tokio::test(start_paused = true)]
async fn a_revision_rolled_back_to_is_never_deregistered() {
    let mut world = World::new().await;
    world.apply([good()]).await;
    let first = world.service("bot")["taskDefinition"].clone();
    world.sim.behave("bad", Behaviour::PullFailure);
    for version in 0..13 {
        world.apply([bad().with_env("VERSION", &version.to_string())]).await;
        assert_eq!(world.reason("bot"), Reason::RolledBack);
    }
    assert_eq!(world.service("bot")["taskDefinition"], first);
    assert!(world.revisions("bot").iter().any(|arn| first == **arn));
    assert_eq!(world.service("bot")["runningCount"], 2);
}

/// A rollback whose cause cannot be read is still a rollback, and the fault of a moment does not undo the hold.
#[tokio::test(start_paused = true)]
async fn verdicts_that_cannot_be_read_do_not_start_the_rejected_revision() {
    let world = rolled_back().await;
    let world = world.restart().await;
    world.forget_calls();
    for operation in ["ListServiceDeployments", "DescribeServiceDeployments", "DescribeServiceRevisions"] {
        let fault = Fault::once(FaultKind::AccessDenied);
        world.sim.fault(Fault { operation: Some(operation.to_owned()), times: Some(2), ..fault });
    }
    pass(Duration::from_hours(1)).await;
    world.assert_no_writes();
    assert_eq!(world.reason("bot"), Reason::RolledBack);
}
