//! Builds beside everything else: started, looked at, and never waited for by who wants them.
//!
//! What is under way and what failed is known to this process alone. Whatever it knew can be found out again: an image that
//! is there is found by its tag, and one that is not is built anew.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fargateer_api::Key;
use fargateer_api::status::Reason;
use fargateer_controller::port::Images;
use fargateer_plan::build::{self, Live, Order, Work};
use fargateer_plan::desired::Place;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::seen::Seen;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::builder::Builder;
use crate::error::{Cause, Error};
use crate::prepare::{Prepared, Recipe};
use crate::progress::{Phase, Progress, Step};
use crate::push::Destination;
use crate::reference::Reference;
use crate::registry::Logins;
use crate::uv::Tools;

/// Builds at a time: each takes a core while it packs, and the network while it pushes.
const ROOM: usize = 2;
/// That an image is there is believed for so long: its tag never moves, and who deletes one by hand finds it built again.
const BELIEVED: Duration = Duration::from_hours(1);

/// Where the folders of agents' code are.
#[async_trait]
pub trait Contexts: Send + Sync {
    /// The folder that `order` means, on this disk.
    async fn folder(&self, order: &Order) -> Result<PathBuf, Error>;

    /// Who lets us into the registries of `place`.
    fn logins(&self, place: &Place) -> Arc<dyn Logins>;
}

/// All builds of this process.
pub struct Works {
    folder: PathBuf,
    tools: Tools,
    contexts: Arc<dyn Contexts>,
    wake: Arc<dyn Fn(&Key) + Send + Sync>,
    room: Arc<Semaphore>,
    builders: Mutex<BTreeMap<Place, Arc<Builder>>>,
    jobs: Mutex<BTreeMap<String, Job>>,
    known: Mutex<BTreeMap<Known, (Instant, String)>>,
}

/// An image that was seen: place, repository and tag.
type Known = (Place, String, String);

/// One build. Dropped, it is given up.
struct Job {
    tag: String,
    begun: Instant,
    state: Arc<Mutex<State>>,
    _task: JoinSet<()>,
}

/// How far a build is.
#[derive(Clone)]
enum State {
    Waiting,
    At(Step),
    Ended(Result<String, Error>),
}

impl Works {
    /// Builds that keep in `folder` what can be made again, from what `contexts` finds; `wake` is told of each agent whose
    /// build has ended.
    pub fn new(
        folder: PathBuf,
        tools: Tools,
        contexts: Arc<dyn Contexts>,
        wake: Arc<dyn Fn(&Key) + Send + Sync>,
    ) -> Self {
        let (builders, jobs, known) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { folder, tools, contexts, wake, room: Arc::new(Semaphore::new(ROOM)), builders, jobs, known }
    }

    fn builder(&self, place: &Place) -> Result<Arc<Builder>, Error> {
        let mut builders = lock(&self.builders);
        if let Some(builder) = builders.get(place) {
            return Ok(Arc::clone(builder));
        }
        let builder = Builder::new(self.folder.clone(), self.tools.clone(), self.contexts.logins(place))?;
        Ok(Arc::clone(builders.entry(place.clone()).or_insert(Arc::new(builder))))
    }

    /// What is to be built, and its digest where it is there.
    ///
    /// First as it was built last: neither a newer base image under the same tag nor a newer runtime of ours is news as
    /// long as the code stays the same. Only where that image is not there does the newest of both count.
    async fn find(&self, place: &Place, order: &Order) -> Result<(Prepared, Option<String>), Error> {
        let builder = self.builder(place)?;
        let context = self.contexts.folder(order).await?;
        let recipe = Recipe {
            context,
            build: order.build.clone(),
            architecture: order.architecture,
            base_digest: order.base_digest.clone(),
            runtime: order.runtime.clone(),
            labels: BTreeMap::new(),
        };
        let prepared = builder.prepare(&recipe, &Progress::silent()).await?;
        let digest = self.digest(&builder, (place, order), &prepared).await?;
        if digest.is_some() || (order.base_digest.is_none() && order.runtime.is_none()) {
            return Ok((prepared, digest));
        }
        let anew = Recipe { base_digest: None, runtime: None, ..recipe };
        let prepared = builder.prepare(&anew, &Progress::silent()).await?;
        let digest = self.digest(&builder, (place, order), &prepared).await?;
        Ok((prepared, digest))
    }

    async fn digest(
        &self,
        builder: &Builder,
        (place, order): (&Place, &Order),
        prepared: &Prepared,
    ) -> Result<Option<String>, Error> {
        let Some(repository) = &order.repository else { return Ok(None) };
        let key = (place.clone(), repository.clone(), prepared.tag());
        let known = lock(&self.known).get(&key).cloned();
        if let Some((_, digest)) = known.filter(|(at, _)| at.elapsed() < BELIEVED) {
            return Ok(Some(digest));
        }
        let found = builder.find(prepared, &Reference::parse(repository)?).await?;
        let mut known = lock(&self.known);
        known.retain(|_, (at, _)| at.elapsed() < BELIEVED);
        known.extend(found.clone().map(|digest| (key, (Instant::now(), digest))));
        Ok(found)
    }

    /// What became of the build of `tag` for `agent`. That one failed is told once: who asks again wants it tried again.
    fn work(&self, agent: &str, tag: &str) -> Work {
        let mut jobs = lock(&self.jobs);
        let Some(job) = jobs.get(agent).filter(|job| job.tag == tag) else { return Work::Missing };
        let state = lock(&job.state).clone();
        let doing = |doing: &str, done, total| {
            let seconds = job.begun.elapsed().as_secs();
            Work::UnderWay(build::Progress { doing: doing.to_owned(), done, total, seconds })
        };
        match state {
            State::Waiting => doing("waiting for its turn", 0, None),
            State::At(Step { phase, done, total }) => doing(phase.words(), done, total),
            State::Ended(result) => {
                jobs.remove(agent);
                result.map_or_else(|error| Work::Failed(failure(&error)), Work::Done)
            }
        }
    }

    /// Starts building `prepared`, unless that is under way.
    fn start(&self, (place, order): (&Place, &Order), prepared: Prepared) -> Result<(), Error> {
        let Some(repository) = &order.repository else {
            return Err(Error::new(Cause::RepositoryMissing, "there is no repository to push to"));
        };
        let (builder, destination) = (self.builder(place)?, Destination::new(Reference::parse(repository)?));
        let mut jobs = lock(&self.jobs);
        if jobs.get(&order.agent).is_some_and(|job| job.tag == prepared.tag()) {
            return Ok(());
        }
        let (tag, state) = (prepared.tag(), Arc::new(Mutex::new(State::Waiting)));
        let (room, wake, key) = (Arc::clone(&self.room), Arc::clone(&self.wake), Key::new(&order.agent));
        let shared = Arc::clone(&state);
        let mut task = JoinSet::new();
        task.spawn(async move {
            // It is never closed; where it were, nobody need wait.
            let _place = room.acquire_owned().await.ok();
            *lock(&shared) = State::At(Step { phase: Phase::Resolve, done: 0, total: None });
            let told = Arc::clone(&shared);
            let progress = Progress::new(move |step| *lock(&told) = State::At(step));
            let built = builder.push(&prepared, &destination, &progress).await;
            let digest = built.map(|built| built.image.version().to_owned());
            *lock(&shared) = State::Ended(digest);
            wake(&key);
        });
        jobs.insert(order.agent.clone(), Job { tag, begun: Instant::now(), state, _task: task });
        Ok(())
    }

    async fn seen(&self, place: &Place, order: &Order) -> Result<(Prepared, Live), Error> {
        let (prepared, digest) = self.find(place, order).await?;
        let work = digest.map_or_else(|| self.work(&order.agent, &prepared.tag()), Work::Done);
        let live = Live {
            tag: prepared.tag(),
            base_digest: prepared.base_digest().to_owned(),
            runtime: prepared.runtime().to_owned(),
            work,
        };
        Ok((prepared, live))
    }
}

#[async_trait]
impl Images for Works {
    async fn look(&self, place: &Place, order: &Order) -> Seen<Live> {
        match self.seen(place, order).await {
            Ok((_, live)) => Seen::Present(live),
            Err(error) => Seen::Unknown(failure(&error)),
        }
    }

    async fn build(&self, place: &Place, order: &Order) -> Result<Live, Failure> {
        let (prepared, live) = self.seen(place, order).await.map_err(|error| failure(&error))?;
        if live.work != Work::Missing {
            return Ok(live);
        }
        tracing::info!(agent = order.agent, tag = live.tag, "builds the image");
        self.start((place, order), prepared).map_err(|error| failure(&error))?;
        Ok(Live { work: self.work(&order.agent, &live.tag), ..live })
    }
}

impl std::fmt::Debug for Works {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Works").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// What went wrong, as the controller has it: when to try again, and what a person is told.
fn failure(error: &Error) -> Failure {
    let (class, reason) = match error.cause {
        Cause::ContextInvalid => (Class::Invalid, Reason::ContextInvalid),
        Cause::DependenciesUnresolvable => (Class::Invalid, Reason::DependenciesUnresolvable),
        Cause::BaseImageUnusable => (Class::Invalid, Reason::BaseImageUnusable),
        Cause::RegistryRefused | Cause::TagTaken => (Class::Invalid, Reason::RegistryRefused),
        Cause::RegistryDenied => (Class::Denied, Reason::RegistryDenied),
        Cause::ToolMissing | Cause::Local => (Class::Denied, Reason::BuilderFailed),
        Cause::ContextChanged
        | Cause::PackageIndexUnavailable
        | Cause::BaseImageUnavailable
        | Cause::RegistryUnavailable
        | Cause::RepositoryMissing => (Class::Transient, Reason::RegistryUnavailable),
    };
    let hint = error.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    let (operation, code) = ("image.Build".to_owned(), error.cause.name().to_owned());
    Failure { class, reason, operation, code, message: format!("{}{hint}", error.message) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
