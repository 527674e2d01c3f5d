//! Lessons 13 and 14: many agents at once.

use std::collections::BTreeSet;
use std::time::Duration;

use fargateer_api::status::{ConditionType, Reason, Truth};
use fargateer_sim::{Fault, FaultKind};
use serde_json::json;

use crate::world::{Agent, World, pass, texts};

fn in_cluster(cluster: &str, number: usize) -> Agent {
    let name = format!("{cluster}-{number:03}");
    Agent::named(&name).with("cluster", json!(cluster)).with_tasks(if number < 3 { 40 } else { 0 })
}

/// Lesson 14: 110 services, 240 tasks, log groups and scaling over several pages.
#[tokio::test(start_paused = true)]
async fn more_than_a_hundred_services_are_read_ten_at_a_time() {
    let mut world = World::new().await;
    let agents =
        ["agents", "batch"].into_iter().flat_map(|cluster| (0..55).map(move |number| in_cluster(cluster, number)));
    let agents: Vec<Agent> =
        agents.map(|agent| if agent.name().ends_with('7') { agent.scaled(0, 3) } else { agent }).collect();
    world.apply(agents.clone()).await;
    for agent in &agents {
        world.assert_ready(agent.name());
    }
    assert_eq!(world.service_in("agents", "agents-000")["runningCount"], 40);
    let described = |world: &World| -> Vec<Vec<String>> {
        let calls = world.sim.calls().into_iter().filter(|call| call.operation == "DescribeServices");
        calls.map(|call| texts(&call.request["services"])).collect()
    };
    assert!(described(&world).iter().all(|names| names.len() <= 10));
    world.forget_calls();
    world.resync().await;
    world.assert_no_writes();
    let sweeps = described(&world);
    let seen: BTreeSet<String> = sweeps.concat().into_iter().collect();
    assert_eq!(seen.len(), 110);
    assert!(sweeps.concat().len() >= 9 * sweeps.len(), "{sweeps:?}");
    let world = world.restart_without_statuses().await;
    world.settle().await;
    world.assert_no_writes();
}

/// Lesson 13.
#[tokio::test(start_paused = true)]
async fn a_cluster_that_fails_does_not_stop_the_others() {
    let kinds = [
        (FaultKind::Throttle, Reason::Throttled),
        (FaultKind::AccessDenied, Reason::AccessDenied),
        (FaultKind::ServerError, Reason::Unavailable),
        (FaultKind::HangBefore, Reason::Unavailable),
    ];
    for (kind, told) in kinds {
        let mut world = World::new().await;
        world.sim.fault(Fault { resource: Some("batch".to_owned()), times: None, ..Fault::once(kind.clone()) });
        let sick = |number: usize| Agent::named(&format!("sick-{number}")).with("cluster", json!("batch"));
        world.write((0..12).map(sick).chain((0..12).map(|number| Agent::named(&format!("well-{number}")))));
        let well =
            |world: &World, number: usize| world.truth(&format!("well-{number}"), ConditionType::Ready) == Truth::True;
        world.until("the others are ready", |world| (0..12).all(|number| well(world, number))).await;
        assert!(world.sim.now() < Duration::from_mins(3), "{kind:?}: {:?}", world.sim.now());
        pass(Duration::from_mins(2)).await;
        assert_ne!(world.truth("sick-0", ConditionType::Ready), Truth::True, "{kind:?}");
        assert_eq!(world.reason("sick-0"), told, "{}", world.message("sick-0"));
        world.mend();
        world
            .until("the sick recover", |world| {
                (0..12).all(|number| world.truth(&format!("sick-{number}"), ConditionType::Ready) == Truth::True)
            })
            .await;
    }
}

/// A cluster that does not exist is told, and found when it is made.
#[tokio::test(start_paused = true)]
async fn a_missing_cluster_is_told_and_looked_for_again() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").with("cluster", json!("nowhere")), Agent::named("well")]).await;
    assert_eq!(world.reason("bot"), Reason::ClusterNotFound);
    world.assert_ready("well");
    world.ask("ecs", "CreateCluster", json!({"clusterName": "nowhere"}));
    pass(Duration::from_mins(20)).await;
    world.settle().await;
    world.assert_ready("bot");
}
