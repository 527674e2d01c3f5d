//! Builds beside everything else: started, looked at, found again.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use fargateer_api::Key;
use fargateer_api::status::Reason;
use fargateer_controller::port::Images as _;
use fargateer_image::{Contexts, Error, Logins, Tools, Works};
use fargateer_plan::build::{Live, Order, Work};
use fargateer_plan::desired::Place;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::seen::Seen;
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::cloud::Cloud;
use crate::fixture::{self, Agent};
use crate::world::{HOST, REPOSITORY, World};

/// One folder for whoever asks, and the world's registry.
struct One {
    folder: PathBuf,
    logins: Arc<dyn Logins>,
}

#[async_trait]
impl Contexts for One {
    async fn folder(&self, _: &Order) -> Result<PathBuf, Error> {
        Ok(self.folder.clone())
    }

    fn logins(&self, _: &Place) -> Arc<dyn Logins> {
        Arc::clone(&self.logins)
    }
}

/// A process that builds.
pub(crate) struct Process {
    pub(crate) cloud: Cloud,
    pub(crate) works: Works,
    pub(crate) woken: Arc<Notify>,
    pub(crate) cache: TempDir,
}

impl Process {
    pub(crate) fn start(world: &World, agent: &Agent, tools: Tools) -> Self {
        Self::beside(world, agent, tools, Cloud::default())
    }

    /// The same, with these services of AWS.
    pub(crate) fn beside(world: &World, agent: &Agent, tools: Tools, cloud: Cloud) -> Self {
        let cache = TempDir::new().expect("a folder");
        let contexts = One { folder: agent.folder.path().to_owned(), logins: world.logins() };
        let woken = Arc::new(Notify::new());
        let bell = Arc::clone(&woken);
        let wake = move |key: &Key| {
            assert_eq!(key.as_str(), "greeter");
            bell.notify_one();
        };
        let works = Works::new(cache.path().to_owned(), tools, Arc::new(contexts), cloud.services(), Arc::new(wake));
        Self { cloud, works, woken, cache }
    }

    pub(crate) async fn look(&self, order: &Order) -> Live {
        match self.works.look(&Place::default(), order).await {
            Seen::Present(live) => live,
            other @ (Seen::NotLooked | Seen::Absent | Seen::Unknown(_)) => panic!("{other:?}"),
        }
    }

    /// Why nothing is known of the image.
    pub(crate) async fn refusal(&self, order: &Order) -> Failure {
        match self.works.look(&Place::default(), order).await {
            Seen::Unknown(failure) => failure,
            other @ (Seen::NotLooked | Seen::Absent | Seen::Present(_)) => panic!("{other:?}"),
        }
    }

    /// Builds, waits until the agent is woken, and looks.
    pub(crate) async fn build(&self, order: &Order) -> Live {
        let begun = self.works.build(&Place::default(), order).await.expect("a build");
        assert!(matches!(begun.work, Work::UnderWay(_)), "{begun:?}");
        self.woken.notified().await;
        self.look(order).await
    }
}

pub(crate) fn order(agent: &Agent) -> Order {
    Order {
        agent: "greeter".to_owned(),
        repository: Some(format!("{HOST}/{REPOSITORY}")),
        location: "specs/greeter.yaml:1".to_owned(),
        code: None,
        build: agent.recipe.build.clone(),
        architecture: agent.recipe.architecture,
        base_digest: None,
        runtime: None,
    }
}

/// The order as it is given after `live` was seen.
fn next(order: &Order, live: &Live) -> Order {
    Order { base_digest: Some(live.base_digest.clone()), runtime: Some(live.runtime.clone()), ..order.clone() }
}

#[tokio::test]
async fn an_image_is_built_once_and_found_by_whoever_comes_later() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    let order = order(&agent);
    let process = Process::start(&world, &agent, fixture::tools());
    let unmade = Order { repository: None, ..order.clone() };
    assert_eq!(process.look(&unmade).await.work, Work::Missing);
    assert_eq!(process.look(&order).await.work, Work::Missing);
    let built = process.build(&order).await;
    assert!(matches!(&built.work, Work::Done(digest) if digest.starts_with("sha256:")), "{built:?}");

    world.requests();
    let again = process.works.build(&Place::default(), &next(&order, &built)).await.unwrap();
    assert_eq!(again, built, "what is there is not built again");
    let other = Process::start(&world, &agent, fixture::tools());
    assert_eq!(other.look(&next(&order, &built)).await, built);
    let sent = world.requests();
    assert!(!sent.iter().any(|request| request.starts_with("Put") || request.contains("Upload")), "{sent:?}");
}

#[tokio::test]
async fn neither_a_newer_base_nor_a_newer_runtime_is_news_while_the_code_is_the_same() {
    let world = World::open().await;
    let agent = Agent::serving_itself(&World::base_name("3.11"));
    let (order, process) = (order(&agent), Process::start(&world, &agent, fixture::tools()));
    let first = process.build(&order).await;
    world.base("3.11", "a newer base").await;
    // Somebody else's Fargateer, with another runtime, built what runs.
    let before_it = Order { runtime: Some("an older runtime".to_owned()), ..next(&order, &first) };
    assert_eq!(process.look(&next(&order, &first)).await, first);
    let sought = process.look(&before_it).await;
    assert_ne!(sought.runtime, "an older runtime", "of which there is no image: the newest counts");
    agent.write("generated_agent.py", "def agent(prompt):\n    return 'changed'\n");
    let changed = process.look(&next(&order, &first)).await;
    assert_eq!(changed.work, Work::Missing);
    assert_ne!(changed.base_digest, first.base_digest, "who changes the code gets the newest base");
    let second = process.build(&next(&order, &first)).await;
    assert!(second.digest().is_some() && second.digest() != first.digest(), "{second:?}");
}

#[tokio::test]
async fn a_build_that_fails_says_why_once_and_is_then_tried_again() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    agent.write("requirements.txt", "nowhere-to-be-found==1.0\n");
    let (order, process) = (order(&agent), Process::start(&world, &agent, fixture::tools()));
    let Work::Failed(failure) = process.build(&order).await.work else { panic!("it can't be built") };
    assert_eq!((failure.class, failure.reason), (Class::Invalid, Reason::DependenciesUnresolvable));
    assert!(failure.message.contains("nowhere-to-be-found"), "{failure}");
    assert_eq!(process.look(&order).await.work, Work::Missing);
    assert!(world.tags(REPOSITORY).is_empty(), "nothing is half done");
    agent.write("requirements.txt", "greeting\n");
    assert!(process.build(&order).await.digest().is_some());
}

#[tokio::test]
async fn code_that_changes_under_a_build_gives_that_build_up() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    let (order, process) = (order(&agent), Process::start(&world, &agent, fixture::tools()));
    let first = process.works.build(&Place::default(), &order).await.unwrap();
    agent.write("data/words.txt", "other words\n");
    let second = process.look(&order).await;
    assert_ne!(second.tag, first.tag);
    assert_eq!(second.work, Work::Missing, "nobody builds what is wanted now");
    let built = process.build(&order).await;
    assert_eq!(built.tag, second.tag);
    assert!(built.digest().is_some());
    assert!(!world.tags(REPOSITORY).contains(&first.tag), "the first one was given up");
}

#[tokio::test]
async fn a_folder_that_may_not_become_an_image_is_a_finding_before_anything_is_made() {
    let world = World::open().await;
    let agent = Agent::plain(&World::base_name("3.11"));
    agent.write(".env.production", "SECRET=1\n");
    agent.write("id_rsa", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    let process = Process::start(&world, &agent, fixture::tools());
    let unmade = Order { repository: None, ..order(&agent) };
    match process.works.look(&Place::default(), &unmade).await {
        Seen::Unknown(failure) => {
            assert_eq!((failure.class, failure.reason), (Class::Invalid, Reason::ContextInvalid), "{failure}");
            assert!(failure.message.contains("id_rsa"), "{failure}");
        }
        other @ (Seen::NotLooked | Seen::Absent | Seen::Present(_)) => panic!("{other:?}"),
    }
}
