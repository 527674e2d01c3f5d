//! Agents' code in S3: fetched once for each state, looked at for another one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use fargateer_api::Key;
use fargateer_api::spec::Build;
use fargateer_api::status::Reason;
use fargateer_controller::port::Images as _;
use fargateer_plan::build::{Order, Work};
use fargateer_plan::desired::Place;
use fargateer_plan::failure::Class;

use crate::cloud::{Cloud, failure};
use crate::fixture::{self, Agent};
use crate::works::{Process, order};
use crate::world::World;

const ADDRESS: &str = "s3://code/greeter.tgz";

/// The folder of the agent, packed.
fn packed(agent: &Agent) -> Vec<u8> {
    let packed = Command::new("tar").args(["-czf", "-", "-C"]).arg(agent.folder.path()).arg(".").output();
    packed.expect("tar runs").stdout
}

fn from_s3(agent: &Agent) -> Order {
    let order = order(agent);
    let build = Build { context: ADDRESS.to_owned(), ..order.build.clone() };
    Order { build, ..order }
}

/// An agent, whose code is not in S3 yet.
struct Scene {
    _world: World,
    agent: Agent,
    cloud: Cloud,
    process: Process,
    order: Order,
}

impl Scene {
    async fn open() -> Self {
        let world = World::open().await;
        let agent = Agent::serving_itself(&World::base_name("3.11"));
        let cloud = Cloud::default();
        let process = Process::beside(&world, &agent, fixture::tools(), cloud.clone());
        let order = from_s3(&agent);
        Self { _world: world, agent, cloud, process, order }
    }
}

/// The copies that a process keeps.
fn copies(process: &Process) -> Vec<PathBuf> {
    let folders = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    folders(process.cache.path().join("contexts")).flat_map(folders).collect()
}

#[tokio::test]
async fn an_archive_is_fetched_once_for_each_state_and_built_like_the_folder() {
    let Scene { _world, agent, cloud, process, order } = Scene::open().await;
    cloud.upload(ADDRESS, &packed(&agent));
    let beside = crate::works::order(&agent);
    let first = process.look(&order).await;
    assert_eq!(first.work, Work::Missing);
    assert!(first.code.is_some(), "what tells it from any other is told");
    assert_eq!(process.look(&beside).await.tag, first.tag, "the same files are the same image");
    process.look(&order).await;
    assert_eq!(cloud.asked(), ["find", "fetch", "find"]);
    let built = process.build(&order).await;
    assert!(built.digest().is_some(), "{built:?}");

    agent.write("data/words.txt", "other words\n");
    cloud.upload(ADDRESS, &packed(&agent));
    let second = process.look(&order).await;
    assert!(second.tag != first.tag && second.code != first.code, "{second:?}");
    assert_eq!(copies(&process).len(), 2, "a build may be reading the older one");
}

#[tokio::test]
async fn who_was_built_from_another_state_is_woken_and_who_is_gone_is_forgotten() {
    let Scene { _world, agent, cloud, process, order } = Scene::open().await;
    let refused = process.refusal(&order).await;
    assert_eq!(refused.reason, Reason::ContextInvalid);
    assert!(refused.message.contains("there is no object s3://code/greeter.tgz"), "{refused}");
    let woken = || futures::FutureExt::now_or_never(process.woken.notified()).is_some();
    process.works.look_around(|_, _| true).await;
    assert!(!woken(), "it is missing still");
    cloud.upload(ADDRESS, &packed(&agent));
    process.works.look_around(|_, _| true).await;
    assert!(woken(), "it is there");
    process.works.look_around(|_, _| true).await;
    assert!(!woken(), "that was told");
    cloud.fail("find", failure(Class::Transient, "ServiceUnavailable"));
    process.works.look_around(|_, _| true).await;
    assert!(!woken(), "no answer is no news");
    process.works.look_around(|key, object| *key == Key::new("other") || object.bucket == "other").await;
    cloud.upload(ADDRESS, b"other");
    process.works.look_around(|_, _| true).await;
    assert!(!woken(), "it was forgotten");
}

#[tokio::test]
async fn what_cannot_be_fetched_or_is_no_archive_is_told_and_tried_again() {
    let Scene { _world, agent, cloud, process, order } = Scene::open().await;
    cloud.upload(ADDRESS, b"no archive");
    let refused = process.refusal(&order).await;
    assert_eq!((refused.class, refused.reason), (Class::Invalid, Reason::ContextInvalid));
    assert!(refused.message.contains("s3://code/greeter.tgz: archive: not a .tar.gz archive"), "{refused}");
    assert!(copies(&process).is_empty(), "nothing is half there");
    cloud.upload(ADDRESS, &packed(&agent));
    cloud.fail("fetch", failure(Class::Transient, "PreconditionFailed"));
    assert_eq!(process.refusal(&order).await.class, Class::Transient);
    cloud.fail("find", failure(Class::Denied, "AccessDenied"));
    let refused = process.refusal(&order).await;
    assert_eq!((refused.class, refused.reason), (Class::Denied, Reason::ContextInvalid));
    cloud.fail("find", failure(Class::Throttled, "SlowDown"));
    assert_eq!(process.refusal(&order).await.reason, Reason::Unavailable);
    assert_eq!(process.look(&order).await.work, Work::Missing);
    assert!(process.works.build(&Place::default(), &order).await.is_ok());
}
