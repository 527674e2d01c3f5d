//! The operator's policy: what is outside of it is told and not touched, and what it freezes waits.

use std::time::Duration;

use fargateer_api::status::{ConditionType, Reason, Truth};
use fargateer_api::{Key, yaml};
use fargateer_controller::controller::Force;
use fargateer_plan::policy::Policy;
use serde_json::{Value, json};

use crate::world::{Agent, World, pass};

fn policy(rules: &Value) -> Policy {
    let project =
        json!({"apiVersion": "fargateer/v1", "kind": "Project", "metadata": {"name": "default"}, "spec": rules});
    let parsed = yaml::parse_projects("policy.yaml", &project.to_string());
    assert_eq!(parsed.faults, []);
    Policy::of(parsed.projects)
}

async fn governed(rules: &Value) -> World {
    let world = World::new().await;
    world.controller.govern(policy(rules));
    world
}

#[tokio::test(start_paused = true)]
async fn an_agent_outside_its_policy_costs_no_call_at_all_not_even_to_be_forgotten() {
    let mut world = governed(&json!({"clusters": ["batch"], "limits": {"tasks": 2}})).await;
    world.apply([Agent::named("bot").with_tasks(3)]).await;
    assert_eq!(world.reason("bot"), Reason::Rejected);
    let message = world.message("bot");
    for part in [
        "spec.cluster: `agents` is not allowed",
        "`clusters` allows `batch`",
        "spec.desiredCount: 3",
        "`limits.tasks` is 2",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(world.truth("bot", ConditionType::SpecValid), Truth::False);
    assert_eq!(world.truth("bot", ConditionType::Stalled), Truth::True);
    pass(Duration::from_hours(5)).await;
    world.delete(["bot"]);
    world.settle().await;
    assert_eq!(world.sim.calls().len(), 0, "{:?}", world.reads());
}

#[tokio::test(start_paused = true)]
async fn what_runs_keeps_running_when_the_policy_or_the_spec_leaves_it_outside() {
    let mut world = governed(&json!({})).await;
    world.apply([Agent::named("one"), Agent::named("two")]).await;
    world.forget_calls();
    world.controller.govern(policy(&json!({"limits": {"tasks": 1}, "subnets": ["subnet-0*"]})));
    world.apply([Agent::named("one").with_tasks(2)]).await;
    assert_eq!(world.reason("one"), Reason::Rejected);
    world.resync().await;
    world.assert_ready("two");
    world.assert_no_writes();
    assert_eq!(world.service("one")["runningCount"], 1);
    // Within it again, it goes on at once; and what was made before can be deleted whatever the policy says.
    world.controller.govern(policy(&json!({"limits": {"tasks": 2}})));
    world.settle().await;
    world.assert_ready("one");
    world.controller.govern(policy(&json!({"limits": {"tasks": 1}})));
    world.settle().await;
    world.delete(["one"]);
    // An agent that is stalled hears of it at once.
    pass(Duration::from_mins(20)).await;
    assert_eq!(world.count("DeleteService"), 1, "{}", world.message("one"));
}

#[tokio::test(start_paused = true)]
async fn a_project_that_is_full_takes_no_newcomer_whatever_the_name() {
    let mut world = governed(&json!({"limits": {"agents": 2}})).await;
    world.apply([Agent::named("m"), Agent::named("n")]).await;
    world.apply([Agent::named("a")]).await;
    assert_eq!(world.reason("a"), Reason::Rejected, "{}", world.message("a"));
    world.assert_all_ready(["m", "n"]);
    world.delete(["m"]);
    world.settle().await;
    world.assert_ready("a");
}

/// The simulated clock begins at 2026-01-01 or wherever it does: the freeze is laid around it.
#[tokio::test(start_paused = true)]
async fn a_freeze_lets_changes_drift_and_deletions_wait_until_it_is_over() {
    let mut world = governed(&json!({})).await;
    world.apply([Agent::named("bot"), Agent::named("gone"), Agent::named("calm")]).await;
    let now = world.controller.reconciler.clock.now();
    let text = |hours: i64| (now + jiff::SignedDuration::from_hours(hours)).strftime("%Y-%m-%dT%H:%M").to_string();
    let freeze = json!({"name": "year end", "from": text(-1), "until": text(3)});
    world.controller.govern(policy(&json!({"freezes": [freeze]})));
    world.forget_calls();
    world.write([Agent::named("bot").with_env("A", "1"), Agent::named("new")]);
    world.delete(["gone"]);
    pass(Duration::from_mins(1)).await;
    for name in ["bot", "new", "gone"] {
        assert_eq!(world.reason(name), Reason::Frozen, "{name}: {}", world.message(name));
        assert!(world.message(name).contains("(year end)"), "{}", world.message(name));
        assert!(world.status(name).frozen_until.is_some());
    }
    world.assert_ready("calm");
    world.meddle("calm", &json!({"enableExecuteCommand": true}));
    pass(Duration::from_mins(90)).await;
    assert_eq!(world.reason("calm"), Reason::Frozen, "drift waits, too");
    assert_eq!(world.writes().len(), 0, "{:?}", world.writes());
    world.controller.request(&Key::new("bot"), Some(Force));
    pass(Duration::from_mins(5)).await;
    world.assert_ready("bot");
    assert_eq!(world.count("CreateService") + world.count("DeleteService"), 0);
    pass(Duration::from_hours(2)).await;
    world.assert_all_ready(["bot", "new", "calm"]);
    assert_eq!(world.count("DeleteService"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_project_may_roll_slower_than_the_fleet() {
    let mut world = governed(&json!({"rollouts": {"max": 1}})).await;
    world.write((0..4).map(|number| Agent::named(&format!("bot-{number}"))));
    pass(Duration::from_secs(5)).await;
    assert_eq!(world.count("CreateService"), 1);
    world.settle().await;
    (0..4).for_each(|number| world.assert_ready(&format!("bot-{number}")));
}
