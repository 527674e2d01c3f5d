//! Agents that have to do with each other: dependencies, how many roll at once, waves that are stopped.

use std::time::Duration;

use fargateer_api::Key;
use fargateer_api::project::RolloutRules;
use fargateer_api::status::{ConditionType, Reason, Stage, Truth};
use fargateer_controller::controller::Force;
use fargateer_sim::Behaviour;
use serde_json::json;
use tokio::time::Instant;

use crate::world::{Agent, World, pass};

fn needing(name: &str, others: &[&str]) -> Agent {
    Agent::named(name).with("dependsOn", json!(others))
}

fn bot(number: usize) -> Agent {
    Agent::named(&format!("bot-{number:02}"))
}

fn name(number: usize) -> String {
    format!("bot-{number:02}")
}

async fn limited(max: Option<u32>, stop_after_failures: Option<u32>) -> World {
    let world = World::new().await;
    world.controller.reconciler.fleet.limit_rollouts(RolloutRules { max, stop_after_failures });
    world
}

/// Agents whose service AWS rolls at this moment.
fn rolling(world: &World, names: &[String]) -> usize {
    let rolls = |name: &&String| {
        let service = world.service(name);
        service["deployments"]
            .as_array()
            .is_some_and(|list| list.iter().any(|one| one["rolloutState"] == "IN_PROGRESS"))
    };
    names.iter().filter(rolls).count()
}

/// Lets everything settle; the most services that were ever rolling at once.
async fn most_rolling(world: &World, names: &[String]) -> usize {
    let (begun, mut most) = (Instant::now(), 0);
    pass(Duration::from_millis(100)).await;
    while !world.controller.is_settled() {
        assert!(begun.elapsed() < Duration::from_hours(3), "not settled: {:?}", reasons(world, names));
        most = most.max(rolling(world, names));
        pass(Duration::from_millis(300)).await;
    }
    most
}

fn reasons(world: &World, names: &[String]) -> Vec<Reason> {
    names.iter().map(|name| world.reason(name)).collect()
}

#[tokio::test(start_paused = true)]
async fn dependents_are_woken_at_once_and_not_by_the_sweep() {
    let mut world = World::new().await;
    world.write([needing("web", &["store"]), needing("store", &["base"]), Agent::named("base")]);
    pass(Duration::from_secs(10)).await;
    assert_eq!(world.reason("web"), Reason::WaitingForDependency);
    assert_eq!(world.message("web"), "waits until store is Ready");
    assert_eq!(world.count("CreateService"), 1, "only the base is made");
    let reads = world.reads().len();
    let mut since = None;
    for _ in 0..600 {
        pass(Duration::from_millis(200)).await;
        if world.reason("base") == Reason::Converged && since.is_none() {
            since = Some(Instant::now());
        }
        if world.count("CreateService") == 2 {
            break;
        }
    }
    let waited = since.expect("the base is ready").elapsed();
    assert!(waited <= Duration::from_secs(1), "{waited:?} from one to the next");
    assert!(world.reads().len() - reads < 60, "who waits does not look");
    world.settle().await;
    world.assert_all_ready(["web", "store", "base"]);
}

#[tokio::test(start_paused = true)]
async fn a_dependency_counts_with_its_newest_spec() {
    let mut world = World::new().await;
    world.apply([needing("app", &["store"]), Agent::named("store")]).await;
    world.forget_calls();
    world.write([needing("app", &["store"]).with_env("A", "1"), Agent::named("store").with_env("A", "1")]);
    world.settle().await;
    let updates = world.requests("UpdateService");
    let order: Vec<&str> = updates.iter().filter_map(|request| request["service"].as_str()).collect();
    assert_eq!(order, ["store", "app"], "the alphabet has it the other way round");
    world.assert_all_ready(["app", "store"]);
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_not_torn_down_when_a_dependency_fails_or_goes() {
    let mut world = World::new().await;
    world.apply([needing("web", &["store"]), Agent::named("store"), Agent::named("stays")]).await;
    world.sim.behave("bad", Behaviour::PullFailure);
    world.write([Agent::named("store").with_image("public.example.com/bad:1")]);
    world.settle().await;
    assert_eq!(world.reason("store"), Reason::RolledBack);
    world.resync().await;
    world.assert_ready("web");
    world.write([needing("web", &["store"]).with_env("A", "1")]);
    world.settle().await;
    assert_eq!(world.reason("web"), Reason::WaitingForDependency);
    assert_eq!(world.service("web")["runningCount"], 1);
    // Deletions wait for nobody.
    world.delete(["web", "store"]);
    // An agent that is stalled hears of it at once.
    pass(Duration::from_mins(20)).await;
    assert_eq!(world.count("DeleteService"), 2, "{} {}", world.message("web"), world.message("store"));
}

#[tokio::test(start_paused = true)]
async fn a_cycle_is_told_to_every_member_and_ends_at_once_when_it_is_broken() {
    let mut world = World::new().await;
    world.apply([needing("a", &["b"]), needing("b", &["c"]), needing("c", &["a"]), needing("user", &["a"])]).await;
    for (name, way) in [("a", "a -> b -> c -> a"), ("b", "b -> c -> a -> b"), ("c", "c -> a -> b -> c")] {
        assert_eq!(world.reason(name), Reason::DependencyCycle);
        assert!(world.message(name).contains(way), "{}", world.message(name));
        assert_eq!(world.truth(name, ConditionType::SpecValid), Truth::False);
    }
    assert_eq!(world.reason("user"), Reason::WaitingForDependency);
    world.assert_no_writes();
    world.write([Agent::named("c")]);
    pass(Duration::from_secs(5)).await;
    assert_eq!(world.reason("a"), Reason::WaitingForDependency);
    world.settle().await;
    world.assert_all_ready(["a", "b", "c", "user"]);
}

#[tokio::test(start_paused = true)]
async fn a_dependency_nobody_wrote_is_told_and_waited_for() {
    let mut world = World::new().await;
    world.apply([needing("web", &["store"])]).await;
    assert_eq!(world.reason("web"), Reason::DependencyMissing);
    assert_eq!(world.message("web"), "depends on store, of which there is no spec (spec.dependsOn)");
    world.write([Agent::named("store")]);
    pass(Duration::from_secs(1)).await;
    assert_eq!(world.reason("web"), Reason::WaitingForDependency);
    world.settle().await;
    world.assert_ready("web");
}

#[tokio::test(start_paused = true)]
async fn no_more_than_so_many_roll_at_once_first_deployments_included() {
    let mut world = limited(Some(2), None).await;
    let names: Vec<String> = (0..9).map(name).collect();
    world.write((0..9).map(bot));
    pass(Duration::from_secs(5)).await;
    let waiting: Vec<_> = names.iter().filter(|name| world.reason(name) == Reason::WaitingForTurn).collect();
    assert_eq!(waiting.len(), 7);
    let turn = world.status(waiting[3]).turn.expect("its place is told");
    assert!(turn.stage == Stage::Waiting && turn.position.is_some(), "{turn:?}");
    assert!(most_rolling(&world, &names).await <= 2);
    world.assert_all_ready(&names);
    world.forget_calls();
    world.write((0..9).map(|number| bot(number).with_env("A", "1")));
    assert_eq!(most_rolling(&world, &names).await, 2, "two, and not one");
    world.assert_all_ready(&names);
    assert!(names.iter().all(|name| world.status(name).turn.is_none()));
}

#[tokio::test(start_paused = true)]
async fn what_changes_in_place_waits_for_nobody() {
    let mut world = limited(Some(1), None).await;
    world.apply([bot(0), bot(1)]).await;
    world.write([bot(0).with_env("A", "1")]);
    pass(Duration::from_secs(2)).await;
    assert_ne!(world.reason(&name(0)), Reason::Converged, "it rolls");
    world.write([bot(1).with_tasks(3)]);
    pass(Duration::from_secs(3)).await;
    assert_eq!(world.service(&name(1))["desiredCount"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_newer_spec_of_an_agent_that_rolls_goes_on_at_once() {
    let mut world = limited(Some(1), None).await;
    world.apply([bot(0), bot(1)]).await;
    world.write([bot(0).with_env("A", "1"), bot(1).with_env("A", "1")]);
    pass(Duration::from_secs(3)).await;
    world.forget_calls();
    let first = usize::from(world.reason(&name(0)) == Reason::WaitingForTurn);
    world.write([bot(first).with_env("A", "2")]);
    pass(Duration::from_secs(3)).await;
    assert_eq!(world.count("UpdateService"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wave_stops_after_so_many_failures_and_goes_on_when_their_specs_change() {
    let mut world = limited(Some(1), Some(2)).await;
    let names: Vec<String> = (0..6).map(name).collect();
    world.apply((0..6).map(bot)).await;
    world.sim.behave("bad", Behaviour::PullFailure);
    let bad = |number: usize| bot(number).with_image("public.example.com/bad:1");
    world.write((0..6).map(bad));
    assert!(most_rolling(&world, &names).await <= 1);
    let failed: Vec<&String> = names.iter().filter(|name| world.reason(name) == Reason::RolledBack).collect();
    let held: Vec<&String> = names.iter().filter(|name| world.reason(name) == Reason::RolloutHeld).collect();
    assert_eq!((failed.len(), held.len()), (2, 4), "{:?}", reasons(&world, &names));
    for name in failed {
        assert!(held.iter().all(|held| world.message(held).contains(name.as_str())), "{}", world.message(held[0]));
    }
    world.forget_calls();
    pass(Duration::from_hours(5)).await;
    assert_eq!(world.count("UpdateService"), 0, "held is held");
    world.write((0..6).map(|number| bot(number).with_image("public.example.com/good:1")));
    assert!(most_rolling(&world, &names).await <= 1);
    world.assert_all_ready(&names);
}

#[tokio::test(start_paused = true)]
async fn a_person_lets_one_held_agent_through_and_no_other() {
    let mut world = limited(Some(1), Some(1)).await;
    world.apply((0..4).map(bot)).await;
    world.sim.behave("bad", Behaviour::PullFailure);
    world.write((0..4).map(|number| bot(number).with_image("public.example.com/bad:1")));
    world.settle().await;
    let held: Vec<String> = (0..4).map(name).filter(|name| world.reason(name) == Reason::RolloutHeld).collect();
    assert_eq!(held.len(), 3);
    world.forget_calls();
    world.controller.request(&Key::new(&held[1]), Some(Force));
    pass(Duration::from_secs(5)).await;
    let updates = world.requests("UpdateService");
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0]["service"], held[1]);
}

#[tokio::test(start_paused = true)]
async fn failures_of_a_wave_before_hold_nobody_up() {
    let mut world = limited(None, Some(1)).await;
    world.sim.behave("bad", Behaviour::PullFailure);
    world.apply([bot(0).with_image("public.example.com/bad:1"), bot(1)]).await;
    assert_eq!(world.reason(&name(0)), Reason::FirstDeploymentFailed);
    world.apply([bot(2)]).await;
    world.assert_ready(&name(2));
}

/// What rolls and what failed stands in AWS and in the statuses: a process that starts anew counts it.
#[tokio::test(start_paused = true)]
async fn a_restart_forgets_neither_who_rolls_nor_who_failed() {
    for (keeps, seconds) in [(true, 1), (true, 4), (true, 9), (false, 1), (false, 4), (false, 9)] {
        let mut world = limited(Some(2), Some(2)).await;
        let names: Vec<String> = (0..8).map(name).collect();
        world.apply((0..8).map(bot)).await;
        world.write((0..8).map(|number| bot(number).with_env("A", "1")));
        pass(Duration::from_secs(seconds)).await;
        let world = if keeps { world.restart().await } else { world.restart_without_statuses().await };
        world.controller.reconciler.fleet.limit_rollouts(RolloutRules { max: Some(2), stop_after_failures: Some(2) });
        let most = most_rolling(&world, &names).await;
        assert!(most <= 2, "{most} after {seconds} s, with statuses: {keeps}");
        world.assert_all_ready(&names);
    }
    let mut world = limited(Some(1), Some(1)).await;
    world.apply((0..4).map(bot)).await;
    world.sim.behave("bad", Behaviour::PullFailure);
    world.write((0..4).map(|number| bot(number).with_image("public.example.com/bad:1")));
    world.settle().await;
    world.forget_calls();
    let world = world.restart().await;
    world.controller.reconciler.fleet.limit_rollouts(RolloutRules { max: Some(1), stop_after_failures: Some(1) });
    pass(Duration::from_hours(2)).await;
    assert_eq!(world.count("UpdateService"), 0, "held over a restart");
}
