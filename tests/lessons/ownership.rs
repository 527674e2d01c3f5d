//! Lessons 23 and 27: what is not ours is never touched.

use fargateer_api::status::ConditionType;
use fargateer_api::status::{Reason, Truth};
use serde_json::{Value, json};

use crate::world::{Agent, Options, World, pass};

/// A service somebody made by hand, with a definition of its own.
fn made_by_hand(world: &World, more: &Value) {
    let definition = json!({
        "family": "theirs", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [{"name": "app", "image": "public.example.com/theirs:1"}],
    });
    let registered = world.ask("ecs", "RegisterTaskDefinition", definition);
    let mut request = json!({
        "cluster": "agents", "serviceName": "bot", "desiredCount": 1, "launchType": "FARGATE",
        "taskDefinition": registered["taskDefinition"]["taskDefinitionArn"],
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a1"]}},
    });
    request.as_object_mut().expect("a request").extend(more.as_object().cloned().expect("fields"));
    world.ask("ecs", "CreateService", request);
}

/// Lesson 23.
#[tokio::test(start_paused = true)]
async fn a_second_installation_is_refused_by_the_owner_tag() {
    let mut first = World::new().await;
    first.apply([Agent::named("bot").scaled(1, 3)]).await;
    first.forget_calls();
    let options = Options { owner: "other", ..Options::default() };
    let mut second = World::inside(first.sim.clone(), options).await;
    second.apply([Agent::named("bot").with_tasks(3).with_env("A", "2")]).await;
    assert_eq!(second.reason("bot"), Reason::NotOurs, "{}", second.message("bot"));
    assert!(second.message("bot").contains("default"), "{}", second.message("bot"));
    assert_eq!(second.truth("bot", ConditionType::Stalled), Truth::True);
    second.resync().await;
    // Nor does it delete what it never owned.
    second.write([Agent::named("stays")]);
    second.settle().await;
    second.delete(["bot"]);
    second.settle().await;
    pass(std::time::Duration::from_mins(30)).await;
    let writes: Vec<_> = first
        .sim
        .calls()
        .into_iter()
        .filter(|call| call.mutating && call.request.to_string().contains("bot"))
        .collect();
    assert!(writes.is_empty(), "{writes:#?}");
    assert_eq!(first.service("bot")["status"], "ACTIVE");
    first.assert_ready("bot");
}

/// Lesson 23.
#[tokio::test(start_paused = true)]
async fn a_service_made_by_hand_is_not_taken_over() {
    let mut world = World::new().await;
    made_by_hand(&world, &json!({}));
    world.apply([Agent::named("bot")]).await;
    assert_eq!(world.reason("bot"), Reason::NotOurs, "{}", world.message("bot"));
    world.resync().await;
    world.assert_no_writes();
}

/// Lesson 27, its classic kin: CodeDeploy.
#[tokio::test(start_paused = true)]
async fn a_service_that_codedeploy_deploys_is_refused() {
    let mut world = World::new().await;
    let tags = json!([{"key": "fargateer:owner", "value": "default"}, {"key": "fargateer:agent", "value": "bot"}]);
    made_by_hand(&world, &json!({"deploymentController": {"type": "CODE_DEPLOY"}, "tags": tags}));
    world.apply([Agent::named("bot")]).await;
    assert_eq!(world.reason("bot"), Reason::ManagedElsewhere, "{}", world.message("bot"));
    world.resync().await;
    world.assert_no_writes();
}

/// Lesson 23: within one installation.
#[tokio::test(start_paused = true)]
async fn two_agents_for_one_service_are_both_refused_and_the_incumbent_is_not() {
    let mut world = World::new().await;
    world
        .apply([
            Agent::named("one").with("service", json!("shared")),
            Agent::named("two").with("service", json!("shared")),
        ])
        .await;
    for name in ["one", "two"] {
        assert_eq!(world.reason(name), Reason::Conflict, "{}", world.message(name));
    }
    world.assert_no_writes();

    let mut world = World::new().await;
    world.apply([Agent::named("one").with("service", json!("shared"))]).await;
    world.forget_calls();
    world.apply([Agent::named("two").with("service", json!("shared"))]).await;
    assert_eq!(world.reason("two"), Reason::Conflict);
    world.assert_ready("one");
    world.resync().await;
    world.assert_no_writes();
}

/// A service renamed in the tags: another agent's.
#[tokio::test(start_paused = true)]
async fn a_service_of_another_agent_is_not_taken_over() {
    let mut world = World::new().await;
    let tags = json!([{"key": "fargateer:owner", "value": "default"}, {"key": "fargateer:agent", "value": "else"}]);
    made_by_hand(&world, &json!({"tags": tags}));
    world.apply([Agent::named("bot")]).await;
    assert_eq!(world.reason("bot"), Reason::NotOurs, "{}", world.message("bot"));
    world.assert_no_writes();
}

/// An agent of another account is worked on with its role, and with nothing of ours.
#[tokio::test(start_paused = true)]
async fn an_agent_of_another_account_is_worked_on_with_its_role() {
    let mut world = World::new().await;
    let role = "arn:aws:iam::444455556666:role/fargateer";
    world.apply([Agent::named("guest").with("account", json!({"roleArn": role, "externalId": "ours"}))]).await;
    let assumed: Vec<_> = world.sim.calls().into_iter().filter(|call| call.operation == "AssumeRole").collect();
    assert!(!assumed.is_empty(), "the role is assumed");
    // Our own account has a cluster of that name; the other one has none.
    assert_eq!(world.reason("guest"), Reason::ClusterNotFound);
    world.apply([Agent::named("bot")]).await;
    world.assert_ready("bot");
}
