//! The fault sweep: every call of a create and of an update goes wrong once, in every way. Whatever happens, the end is the
//! same: Ready, the state of a run without faults, nothing left to do, and at most one revision more.

use std::time::Duration;

use fargateer_api::status::{ConditionType, Truth};
use fargateer_plan::normal::SERVER_OWNED;
use fargateer_sim::{Fault, FaultKind};
use fargateer_testkit::DECIDED;
use serde_json::{Value, json};

use crate::world::{Agent, World, pass};

const KINDS: [FaultKind; 6] = [
    FaultKind::Throttle,
    FaultKind::ServerError,
    FaultKind::ResetBefore,
    FaultKind::ResetAfter,
    FaultKind::HangAfter,
    FaultKind::AccessDenied,
];

fn before() -> Agent {
    Agent::named("bot").with_tasks(2).behind_the_load_balancer().scaled(2, 5)
}

fn after() -> Agent {
    Agent::named("bot")
        .with_tasks(2)
        .scaled(2, 6)
        .with_env("A", "2")
        .with("autoscaling/targetMemory", json!(60))
        .with("logging/retentionDays", json!(7))
        .with("tags", json!({"team": "support"}))
}

fn unscaled_before() -> Agent {
    Agent::named("bot").with_tasks(2)
}

/// Scaling is taken away: the count is frozen, the target goes.
fn unscaled() -> Agent {
    Agent::named("bot").with_tasks(1).behind_the_load_balancer()
}

/// Everything there is of the agent, without times and identities.
fn state(world: &World) -> Value {
    let service = world.service("bot");
    let mut definition = world.definition("bot")["taskDefinition"].clone();
    let decided = |key: &str| key == "status" || !SERVER_OWNED.contains(&key);
    definition.as_object_mut().expect("a document").retain(|key, _| decided(key));
    let kept = DECIDED.iter().chain(&["desiredCount", "runningCount"]);
    let service: serde_json::Map<String, Value> = kept.map(|key| ((*key).to_owned(), service[*key].clone())).collect();
    let target = world.target("bot");
    let policies: Vec<Value> = world
        .policies("bot")
        .iter()
        .map(|policy| json!([policy["PolicyName"], policy["TargetTrackingScalingPolicyConfiguration"]]))
        .collect();
    let groups = world.ask("logs", "DescribeLogGroups", json!({}));
    json!({
        "service": service,
        "tags": world.tags("bot"),
        "definition": definition,
        "range": [target["MinCapacity"], target["MaxCapacity"]],
        "policies": policies,
        "logs": [groups["logGroups"][0]["logGroupName"], groups["logGroups"][0]["retentionInDays"]],
    })
}

/// A world in which `agents` were applied, one after the other, the last of them with `fault`.
async fn run(agents: &[Agent], fault: Option<Fault>) -> World {
    let mut world = World::new().await;
    for (number, agent) in agents.iter().enumerate() {
        if number + 1 == agents.len() {
            world.forget_calls();
            if let Some(fault) = &fault {
                world.sim.fault(fault.clone());
            }
        }
        world.write([agent.clone()]);
        pass(Duration::from_secs(1)).await;
        let begun = world.sim.now();
        while !(world.controller.is_settled() && world.truth("bot", ConditionType::Ready) == Truth::True) {
            pass(Duration::from_secs(2)).await;
            assert!(world.since(begun) < Duration::from_hours(1), "{fault:?}: {:?}", world.differing());
        }
        // A denied call is tried again after two minutes; nothing else may take so long.
        let patience = Duration::from_secs(if fault.as_ref().is_some_and(is_denied) { 300 } else { 60 });
        assert!(world.since(begun) < patience, "{fault:?}: {:?}: {:?}", world.since(begun), world.differing());
    }
    world
}

fn is_denied(fault: &Fault) -> bool {
    fault.kind == FaultKind::AccessDenied
}

/// The calls worth a fault each: of the polls of a rollout, all alike, the first three and the last.
fn telling_calls(world: &World) -> Vec<u32> {
    let calls = world.sim.calls();
    let poll = |index: &usize| calls[*index].operation == "DescribeServices";
    let polls: Vec<usize> = (0..calls.len()).filter(poll).collect();
    let alike = |index: &usize| {
        polls.contains(index) && !polls.iter().take(3).any(|poll| poll == index) && polls.last() != Some(index)
    };
    let telling = (0..calls.len()).filter(|index| !alike(index));
    telling.map(|index| u32::try_from(index).expect("few")).collect()
}

async fn sweep(agents: &[Agent]) {
    let reference = run(agents, None).await;
    let calls = telling_calls(&reference);
    let (wanted, revisions) = (state(&reference), reference.revisions("bot").len());
    for kind in KINDS {
        for &skip in &calls {
            let fault = Fault { skip, ..Fault::once(kind.clone()) };
            let world = run(agents, Some(fault)).await;
            let struck = world.sim.calls().into_iter().find(|call| call.error.is_some());
            let what = format!("{kind:?} at call {skip}: {:?}", struck.map(|call| call.operation));
            world.mend();
            world.forget_calls();
            world.resync().await;
            assert_eq!(world.writes(), Vec::<String>::new(), "{what}: {:?}", world.differing());
            assert_eq!(state(&world), wanted, "{what}");
            assert!(world.revisions("bot").len() <= revisions + 1, "{what}: {:?}", world.revisions("bot"));
            assert_eq!(world.status("bot").last_drift, None, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_ends_the_same_whichever_call_goes_wrong() {
    sweep(&[before()]).await;
}

#[tokio::test(start_paused = true)]
async fn an_update_ends_the_same_whichever_call_goes_wrong() {
    sweep(&[before(), after()]).await;
}

#[tokio::test(start_paused = true)]
async fn the_beginning_of_scaling_ends_the_same_whichever_call_goes_wrong() {
    sweep(&[unscaled_before(), unscaled_before().scaled(2, 5)]).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_scaling_ends_the_same_whichever_call_goes_wrong() {
    sweep(&[before(), unscaled()]).await;
}
