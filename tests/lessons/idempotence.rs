//! Lessons 1 to 3: nothing is written when nothing changed.

use crate::world::{Agent, World};

#[tokio::test(start_paused = true)]
async fn the_same_spec_twice_makes_no_write_the_second_time() {
    let mut world = World::new().await;
    world.apply([Agent::named("bot").with_tasks(2).behind_the_load_balancer().scaled(2, 5)]).await;
    world.assert_ready("bot");
    eprintln!("{:?}\n{:?}", world.writes(), world.reads());
    world.forget_calls();
    world.resync().await;
    eprintln!("{:?}\n{:?}", world.writes(), world.reads());
    assert_eq!(world.writes(), Vec::<String>::new());
    let world = world.restart().await;
    world.settle().await;
    assert_eq!(world.writes(), Vec::<String>::new());
}
