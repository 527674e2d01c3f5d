//! Lessons 22 and 24: deleting what is meant, all of it, and nothing else.

use std::time::Duration;

use fargateer_api::status::Reason;
use fargateer_controller::controller::Leave;
use fargateer_sim::FaultKind;
use serde_json::json;

use crate::world::{Agent, Options, World, pass};

fn fleet(count: usize) -> Vec<Agent> {
    (0..count).map(|number| Agent::named(&format!("agent-{number:02}"))).collect()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("agent-{number:02}")).collect()
}

fn refused(message: &str) -> FaultKind {
    FaultKind::Error { code: "InvalidParameterException".to_owned(), message: message.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_agent_leaves_nothing_but_its_data() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").scaled(1, 3).with_env("A", "1"), Agent::named("other")]).await;
    world.apply([Agent::named("bot").scaled(1, 3).with_env("A", "2")]).await;
    world.delete(["bot"]);
    world.until("gone", |world| world.service("bot")["status"] == "INACTIVE").await;
    pass(Duration::from_mins(5)).await;
    assert!(world.target("bot").is_null());
    assert_eq!(world.revisions("bot"), Vec::<String>::new());
    assert!(world.log_groups().contains(&"/ecs/bot".to_owned()), "retainData is the default");
    assert_eq!(world.status("bot"), fargateer_api::AgentDeploymentStatus::default(), "forgotten");
    world.assert_ready("other");
    assert_eq!(world.revisions("other").len(), 1);
    world.assert_nothing_to_do().await;
}

/// Lesson 22.
#[tokio::test(start_paused = true)]
async fn a_delete_that_meets_active_deployments_is_tried_again() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot"), Agent::named("other")]).await;
    for _ in 0..3 {
        world.break_once("DeleteService", refused("The service cannot be stopped while deployments are active."));
    }
    world.delete(["bot"]);
    world.until("gone", |world| world.service("bot")["status"] == "INACTIVE").await;
    pass(Duration::from_mins(2)).await;
    assert_eq!(world.revisions("bot"), Vec::<String>::new());
    assert_eq!(world.requests("DeleteService").len(), 1);
}

/// Lesson 22.
#[tokio::test(start_paused = true)]
async fn an_agent_comes_back_under_the_same_name_while_the_old_service_drains() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").with_tasks(2).scaled(2, 4), Agent::named("other")]).await;
    world.delete(["bot"]);
    world.until("draining", |world| world.service("bot")["status"] == "DRAINING").await;
    world.forget_calls();
    world.apply([Agent::named("bot").with_tasks(2).scaled(2, 4).with_env("A", "2")]).await;
    world.assert_ready("bot");
    assert_eq!(world.service("bot")["status"], "ACTIVE");
    assert_eq!(world.policies("bot").len(), 2);
    let failed =
        world.sim.calls().iter().filter(|call| call.operation == "CreateService" && call.error.is_some()).count();
    assert_eq!(failed, 0, "waits for the name instead of trying");
    world.assert_nothing_to_do().await;
}

/// Lesson 22, straight after the end.
#[tokio::test(start_paused = true)]
async fn an_agent_comes_back_under_the_same_name_when_the_old_service_is_inactive() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot"), Agent::named("other")]).await;
    world.delete(["bot"]);
    pass(Duration::from_mins(5)).await;
    assert_eq!(world.service("bot")["status"], "INACTIVE");
    world.apply([Agent::named("bot")]).await;
    world.assert_ready("bot");
    assert_eq!(world.service("bot")["status"], "ACTIVE");
    world.assert_nothing_to_do().await;
}

/// The process dies in the middle of a deletion.
#[tokio::test(start_paused = true)]
async fn a_deletion_cut_short_is_finished_by_the_next_process() {
    for operation in ["DeregisterScalableTarget", "DeleteService", "DeregisterTaskDefinition"] {
        let mut world = World::new().await;
        world.apply([Agent::named("bot").scaled(1, 3), Agent::named("other")]).await;
        world.break_operation(operation, FaultKind::HangAfter);
        world.delete(["bot"]);
        world.until("reached", |world| world.count(operation) > 0).await;
        let world = world.restart().await;
        world.mend();
        world.until("gone", |world| world.service("bot")["status"] == "INACTIVE").await;
        pass(Duration::from_mins(5)).await;
        assert!(world.target("bot").is_null(), "{operation}");
        assert_eq!(world.revisions("bot"), Vec::<String>::new(), "{operation}");
        assert_eq!(world.revisions("other").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_retained_agent_keeps_running_when_its_spec_goes() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").with("deletionPolicy", json!("Retain")), Agent::named("other")]).await;
    world.forget_calls();
    world.delete(["bot"]);
    world.settle().await;
    pass(Duration::from_hours(2)).await;
    world.assert_no_writes();
    assert_eq!(world.service("bot")["status"], "ACTIVE");
    let told = world.controller.reconciler.board.events().list(None);
    assert!(told.iter().any(|event| event.agent.as_str() == "bot" && event.reason == Reason::Retained), "{told:?}");
    let listed = world.controller.reconciler.fleet.keys();
    assert!(listed.iter().all(|key| key.as_str() != "bot"), "it is nobody's to look after any more");
    world.apply([Agent::named("bot").with("deletionPolicy", json!("Retain"))]).await;
    world.assert_ready("bot");
    world.assert_no_writes();
}

#[tokio::test(start_paused = true)]
async fn data_that_need_not_be_kept_goes_only_when_it_is_ours() {
    let mut world = World::new().await;
    world.ask("logs", "CreateLogGroup", json!({"logGroupName": "/theirs"}));
    let disposable = |name: &str| Agent::named(name).with("retainData", json!(false));
    world
        .apply([disposable("bot"), disposable("guest").with("logging/group", json!("/theirs")), Agent::named("other")])
        .await;
    world.delete(["bot", "guest"]);
    pass(Duration::from_mins(10)).await;
    assert_eq!(world.log_groups(), ["/ecs/other", "/theirs"]);
}

/// A log group that was there before is used as it is.
#[tokio::test(start_paused = true)]
async fn a_log_group_that_is_not_ours_is_left_alone() {
    let mut world = World::new().await;
    world.ask("logs", "CreateLogGroup", json!({"logGroupName": "/ecs/bot"}));
    world.apply([Agent::named("bot")]).await;
    world.assert_ready("bot");
    let writes = world.writes();
    assert!(writes.iter().all(|call| !call.starts_with("logs.")), "{writes:?}");
    world.assert_nothing_to_do().await;
}

/// Lesson 24.
#[tokio::test(start_paused = true)]
async fn an_empty_source_deletes_nothing() {
    let mut world = World::new().await;
    world.apply(fleet(3)).await;
    world.forget_calls();
    world.delete(names(3).iter().map(String::as_str));
    for _ in 0..5 {
        world.read();
        pass(Duration::from_mins(20)).await;
    }
    world.assert_no_writes();
    assert_eq!(world.reason("agent-00"), Reason::PruneBlocked);
    let world = world.restart().await;
    pass(Duration::from_hours(1)).await;
    world.assert_no_writes();
    world.controller.confirm_prune();
    pass(Duration::from_mins(10)).await;
    assert!(names(3).iter().all(|name| world.service(name)["status"] == "INACTIVE"));
}

/// Lesson 24.
#[tokio::test(start_paused = true)]
async fn a_source_read_in_part_deletes_nothing() {
    let mut world = World::new().await;
    world.apply(fleet(3)).await;
    world.forget_calls();
    for _ in 0..5 {
        world.read_partly();
        pass(Duration::from_mins(20)).await;
    }
    world.assert_no_writes();
    world.assert_ready("agent-00");
    let world = world.restart().await;
    world.read_partly();
    pass(Duration::from_hours(1)).await;
    world.assert_no_writes();
}

/// Lesson 24: a new process whose first read is not whole.
#[tokio::test(start_paused = true)]
async fn a_process_that_starts_with_a_partial_read_deletes_nothing() {
    let mut world = World::new().await;
    world.apply(fleet(2)).await;
    world.delete(["agent-01"]);
    // Before anything happens, the process dies; the next one reads in part only.
    let mut world = world.restart().await;
    world.write([]);
    world.read_partly();
    world.forget_calls();
    pass(Duration::from_mins(30)).await;
    assert_eq!(world.service("agent-00")["status"], "ACTIVE");
}

/// Lesson 24.
#[tokio::test(start_paused = true)]
async fn more_than_a_few_at_once_are_deleted_only_when_confirmed() {
    let mut world = World::new().await;
    world.apply(fleet(12)).await;
    world.forget_calls();
    world.delete(names(6).iter().map(String::as_str));
    pass(Duration::from_hours(3)).await;
    world.assert_no_writes();
    assert_eq!(world.reason("agent-00"), Reason::PruneBlocked);
    assert!(world.message("agent-00").contains("6 of 12"), "{}", world.message("agent-00"));
    world.assert_ready("agent-11");
    world.controller.confirm_prune();
    pass(Duration::from_mins(10)).await;
    let gone = |name: &String| world.service(name)["status"] == "INACTIVE";
    assert!(names(6).iter().all(gone));
    assert!(names(12)[6..].iter().all(|name| world.service(name)["status"] == "ACTIVE"));
}

/// Lesson 24: a confirmation speaks of those that are missing now.
#[tokio::test(start_paused = true)]
async fn a_confirmation_is_not_a_licence_for_later() {
    let mut world = World::new().await;
    world.apply(fleet(20)).await;
    world.delete(names(6).iter().map(String::as_str));
    world.settle().await;
    world.controller.confirm_prune();
    pass(Duration::from_mins(10)).await;
    world.forget_calls();
    world.delete(names(14)[6..].iter().map(String::as_str));
    pass(Duration::from_hours(1)).await;
    world.assert_no_writes();
    assert_eq!(world.reason("agent-10"), Reason::PruneBlocked);
}

/// The limit is that of a project, however large the fleet; a project is remembered over a restart.
#[tokio::test(start_paused = true)]
async fn one_project_that_loses_many_agents_is_held_and_another_one_is_not() {
    let mut world = World::new().await;
    let project = |name: &str| if name < "agent-08" { "one" } else { "two" };
    let agents = fleet(16).into_iter().map(|agent| {
        let project = project(agent.name()).to_owned();
        agent.of_project(&project)
    });
    world.apply(agents).await;
    let gone: Vec<String> =
        names(16).into_iter().filter(|name| !("agent-06".."agent-13").contains(&name.as_str())).collect();
    world.delete(gone.iter().map(String::as_str));
    let world = world.restart().await;
    pass(Duration::from_hours(1)).await;
    assert_eq!(world.reason("agent-00"), Reason::PruneBlocked);
    assert!(world.message("agent-00").starts_with("6 of 8 specs of project one"), "{}", world.message("agent-00"));
    assert_eq!(world.service("agent-05")["status"], "ACTIVE");
    assert!(["agent-13", "agent-14", "agent-15"].iter().all(|name| world.service(name)["status"] == "INACTIVE"));
}

/// A person's word for one agent is for that one alone.
#[tokio::test(start_paused = true)]
async fn an_agent_that_is_named_goes_without_its_grace_and_no_other_with_it() {
    let options = Options { policy: fargateer_plan::prune::Policy::default(), ..Options::default() };
    let mut world = World::with(options).await;
    world.apply(fleet(8)).await;
    let key = |name: &str| fargateer_api::Key::new(name);
    let stands = world.controller.leave(&key("agent-00"), Leave::Delete).await;
    assert!(stands.as_ref().is_err_and(|why| why.contains("still stands at")), "{stands:?}");
    let nobody = world.controller.leave(&key("nobody"), Leave::Delete).await;
    assert_eq!(nobody, Err("no agent nobody".to_owned()));
    world.delete(names(7).iter().map(String::as_str));
    pass(Duration::from_secs(5)).await;
    assert_eq!(world.reason("agent-00"), Reason::PruneBlocked);
    assert_eq!(world.controller.leave(&key("agent-00"), Leave::Delete).await, Ok(()));
    pass(Duration::from_mins(2)).await;
    assert_eq!(world.service("agent-00")["status"], "INACTIVE");
    pass(Duration::from_hours(1)).await;
    assert!(names(7)[1..].iter().all(|name| world.service(name)["status"] == "ACTIVE"));
    world.read_partly();
    pass(Duration::from_secs(5)).await;
    let unread = world.controller.leave(&key("agent-01"), Leave::Delete).await;
    assert!(unread.as_ref().is_err_and(|why| why.contains("cannot be read")), "{unread:?}");
}

/// Everything goes on running, and nothing of it says that it is ours: another installation may adopt it.
#[tokio::test(start_paused = true)]
async fn an_agent_that_is_handed_back_goes_on_running_without_our_tags() {
    let options = Options { policy: fargateer_plan::prune::Policy::default(), ..Options::default() };
    let mut world = World::with(options).await;
    let agents = [Agent::named("bot").scaled(1, 3).with("retainData", json!(false)), Agent::named("other")];
    world.apply(agents).await;
    world.delete(["bot"]);
    pass(Duration::from_secs(5)).await;
    // Not one call gets through, and the process dies: the word is kept all the same.
    world.break_operation("UntagResource", FaultKind::AccessDenied);
    assert_eq!(world.controller.leave(&fargateer_api::Key::new("bot"), Leave::Retain).await, Ok(()));
    world.forget_calls();
    let world = world.restart().await;
    pass(Duration::from_mins(20)).await;
    world.mend();
    world.until("forgotten", |world| world.status("bot") == fargateer_api::AgentDeploymentStatus::default()).await;
    pass(Duration::from_hours(2)).await;
    let writes = world.writes();
    assert!(writes.iter().all(|call| call.ends_with("UntagResource")), "{writes:?}");
    assert_eq!(world.service("bot")["status"], "ACTIVE");
    assert_eq!(world.service("bot")["runningCount"], 1);
    let ours = |tags: &serde_json::Value| tags.to_string().contains("fargateer:");
    assert!(!ours(&json!(world.tags("bot"))) && !ours(&world.definition("bot")["tags"]));
    let arn = "arn:aws:logs:us-east-1:111122223333:log-group:/ecs/bot";
    assert!(!ours(&world.ask("logs", "ListTagsForResource", json!({"resourceArn": arn}))));
    assert!(!world.target("bot").is_null());
    let told = world.controller.reconciler.board.events().list(None);
    assert!(told.iter().any(|event| event.agent.as_str() == "bot" && event.reason == Reason::Retained), "{told:?}");
    world.assert_ready("other");
}

/// A spec that is back is an agent of ours, and its next end is a deletion.
#[tokio::test(start_paused = true)]
async fn an_agent_that_is_back_before_it_was_handed_back_stays_ours() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot"), Agent::named("other")]).await;
    world.break_operation("UntagResource", FaultKind::AccessDenied);
    world.controller.reconciler.fleet.release(&fargateer_api::Key::new("bot"), "2026-07-01T12:00:00Z");
    world.delete(["bot"]);
    pass(Duration::from_mins(1)).await;
    world.apply([Agent::named("bot")]).await;
    world.mend();
    world.assert_ready("bot");
    assert_eq!(world.status("bot").inventory.release, None);
    world.delete(["bot"]);
    world.until("gone", |world| world.service("bot")["status"] == "INACTIVE").await;
}

/// After half an hour the status names what blocks a deletion, which is tried on.
#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_refused_names_its_blocker_after_its_deadline() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").scaled(1, 3), Agent::named("other")]).await;
    world.break_operation("DeregisterScalableTarget", FaultKind::AccessDenied);
    world.delete(["bot"]);
    pass(Duration::from_mins(25)).await;
    assert_eq!(world.reason("bot"), Reason::AccessDenied);
    pass(Duration::from_mins(25)).await;
    assert_eq!(world.reason("bot"), Reason::DeletionBlocked, "{}", world.message("bot"));
    let message = world.message("bot");
    assert!(message.contains("the scalable target could not be deregistered: AccessDenied"), "{message}");
    let since = world.status("bot").inventory.leaving_since;
    let world = world.restart().await;
    pass(Duration::from_mins(1)).await;
    assert!(since.is_some() && world.status("bot").inventory.leaving_since == since, "{since:?}");
    world.mend();
    world.until("gone", |world| world.service("bot")["status"] == "INACTIVE").await;
    pass(Duration::from_mins(10)).await;
    assert_eq!(world.status("bot"), fargateer_api::AgentDeploymentStatus::default());
}

#[tokio::test(start_paused = true)]
async fn tasks_that_do_not_stop_are_what_blocks_a_deletion() {
    let mut options = Options::default();
    options.sim.times.stop = Duration::from_mins(50);
    let mut world = World::with(options).await;
    world
        .apply([Agent::named("bot").with_tasks(2).with("container/stopTimeout", json!(120)), Agent::named("other")])
        .await;
    world.delete(["bot"]);
    pass(Duration::from_mins(25)).await;
    assert_eq!(world.reason("bot"), Reason::Deleting);
    pass(Duration::from_mins(15)).await;
    assert_eq!(world.reason("bot"), Reason::DeletionBlocked, "{}", world.message("bot"));
    let message = world.message("bot");
    assert!(message.contains("service bot is DRAINING: 2 tasks still stop, the oldest for 3"), "{message}");
    assert!(message.ends_with("min (stopTimeout 120 s)"), "{message}");
    world.until("gone", |world| world.service("bot")["status"] == "INACTIVE").await;
}

/// The usual rules: two reads and ten minutes.
#[tokio::test(start_paused = true)]
async fn a_spec_that_comes_back_within_the_grace_period_costs_nothing() {
    let options = Options { policy: fargateer_plan::prune::Policy::default(), ..Options::default() };
    let mut world = World::with(options).await;
    world.apply([Agent::named("bot"), Agent::named("other")]).await;
    world.forget_calls();
    world.delete(["bot"]);
    world.read();
    pass(Duration::from_mins(9)).await;
    assert_eq!(world.reason("bot"), Reason::PruneGrace);
    world.apply([Agent::named("bot")]).await;
    world.assert_ready("bot");
    world.assert_no_writes();
    world.delete(["bot"]);
    pass(Duration::from_mins(30)).await;
    assert_eq!(world.reason("bot"), Reason::PruneGrace, "one read is not enough");
    world.read();
    pass(Duration::from_mins(15)).await;
    assert_eq!(world.service("bot")["status"], "INACTIVE");
}
