//! What a pass may cost: AWS's rates are shared by a whole account, so calls are counted.

use fargateer_sim::Call;

use crate::world::{Agent, Options, World, pass};

fn full() -> Agent {
    Agent::named("bot").with_tasks(2).behind_the_load_balancer().scaled(2, 5)
}

/// Three reads: the service, its target, its policies.
#[tokio::test(start_paused = true)]
async fn looking_at_one_service_again_costs_three_reads_at_most() {
    let mut world = World::new().await;
    world.apply([full()]).await;
    let first = world.sim.calls().iter().filter(|call| call.operation == "DescribeServices").count();
    assert!(first > 0);
    for _ in 0..60 {
        // A pass that is under way when counting begins would be counted in part: without its look at the service.
        while world.controller.queue.depth().running > 0 {
            pass(std::time::Duration::from_millis(50)).await;
        }
        let begun = sweeps(&world);
        world.forget_calls();
        world.resync().await;
        world.assert_no_writes();
        let looked = sweeps(&world);
        assert!(looked >= 1 && world.reads().len() <= 3 * looked, "{begun} {looked}: {:?}", world.reads());
    }
    // A new process knows nothing: it reads the log group and the running revision once, too.
    let world = world.restart().await;
    world.forget_calls();
    world.settle().await;
    pass(std::time::Duration::from_secs(1)).await;
    assert!(world.reads().len() <= 5, "{:?}", world.reads());
}

/// How often the service was looked at.
fn sweeps(world: &World) -> usize {
    world.count("DescribeServices")
}

#[tokio::test(start_paused = true)]
async fn a_sweep_over_a_fleet_costs_a_fifth_of_a_call_a_service() {
    let mut world = World::new().await;
    let agent = |number: usize| {
        let agent = Agent::named(&format!("agent-{number:03}"));
        if number.is_multiple_of(2) { agent.scaled(1, 3) } else { agent }
    };
    world.apply((0..100).map(agent)).await;
    world.resync().await;
    let mut sweeps = 0.0;
    world.forget_calls();
    for _ in 0..10 {
        world.resync().await;
        sweeps += 1.2;
    }
    world.assert_no_writes();
    let each = f64::from(u32::try_from(world.reads().len()).expect("few")) / sweeps / 100.0;
    assert!(each <= 0.2, "{each} calls a service: {:?}", world.reads());
}

/// Who pages through the policies of a region does so for everybody.
#[tokio::test(start_paused = true)]
async fn the_policies_of_a_fleet_that_nobody_knows_yet_are_paged_through_once() {
    let mut world = World::new().await;
    world.apply((0..120).map(|number| Agent::named(&format!("agent-{number:03}")).scaled(1, 3))).await;
    world.forget_calls();
    let world = world.restart().await;
    pass(std::time::Duration::from_mins(2)).await;
    // 240 policies in pages of 50; a few agents may ask for their own before they are many.
    let reads = world.count("DescribeScalingPolicies");
    assert!((1..=9).contains(&reads), "{reads} reads");
}

#[tokio::test(start_paused = true)]
async fn a_first_create_costs_seven_writes_and_three_reads_beside_its_polls() {
    let mut world = World::new().await;
    world.apply([full()]).await;
    world.assert_ready("bot");
    let writes = [
        "logs.CreateLogGroup",
        "logs.PutRetentionPolicy",
        "ecs.RegisterTaskDefinition",
        "ecs.CreateService",
        "application-autoscaling.RegisterScalableTarget",
        "application-autoscaling.PutScalingPolicy",
        "application-autoscaling.PutScalingPolicy",
    ];
    assert_eq!(world.writes(), writes);
    let others: Vec<String> = world.reads().into_iter().filter(|call| call != "ecs.DescribeServices").collect();
    assert!(others.len() <= 3, "{others:?}");
}

#[tokio::test(start_paused = true)]
async fn an_update_costs_a_revision_an_update_and_a_tag() {
    let mut world = World::new().await;
    world.apply([full()]).await;
    world.forget_calls();
    world.apply([full().with_env("A", "2")]).await;
    world.assert_ready("bot");
    assert_eq!(world.writes(), ["ecs.RegisterTaskDefinition", "ecs.UpdateService", "ecs.TagResource"]);
    let others: Vec<String> = world.reads().into_iter().filter(|call| call != "ecs.DescribeServices").collect();
    assert!(others.len() <= 3, "{others:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_agents_converge_without_a_throttle() {
    let aws = fargateer_aws::Settings { share: 1.0, ..fargateer_aws::Settings::default() };
    let mut world = World::with(Options { aws, ..Options::default() }).await;
    let agents = |version: &'static str| {
        (0..100)
            .map(move |number| Agent::named(&format!("agent-{number:03}")).scaled(1, 3).with_env("VERSION", version))
    };
    world.apply(agents("1")).await;
    world.apply(agents("2")).await;
    world.resync().await;
    for number in 0..100 {
        world.assert_ready(&format!("agent-{number:03}"));
    }
    let failed: Vec<Call> = world.sim.calls().into_iter().filter(|call| call.error.is_some()).collect();
    assert!(failed.is_empty(), "{} calls failed, the first: {:?}", failed.len(), failed.first());
}
