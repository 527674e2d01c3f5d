//! Builds beside everything else: started, looked at, and never waited for by who wants them.
//!
//! What is under way and what failed is known to this process alone. Whatever it knew can be found out again: an image that
//! is there is found by its tag, one that CodeBuild builds among CodeBuild's builds, and one that nobody builds is built anew.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fargateer_api::Key;
use fargateer_api::spec::{BuildStrategy, ObjectAddress};
use fargateer_api::status::Reason;
use fargateer_controller::port::Images;
use fargateer_plan::build::{self, Live, Order, Work};
use fargateer_plan::desired::Place;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::remote::{self, End};
use fargateer_plan::seen::Seen;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::builder::{Builder, blocking};
use crate::context::Limits;
use crate::error::{Cause, Error};
use crate::objects::Archives;
use crate::prepare::{Prepared, Recipe};
use crate::progress::{Phase, Progress, Step};
use crate::push::Destination;
use crate::reference::Reference;
use crate::registry::Logins;
use crate::remote::{Contained, Services, failed, nothing_pushed};
use crate::uv::Tools;

/// Builds at a time: each takes a core while it packs, and the network while it pushes.
const ROOM: usize = 2;
/// That an image is there is believed for so long: its tag never moves, and who deletes one by hand finds it built again.
const BELIEVED: Duration = Duration::from_hours(1);

/// Where the folders of agents' code are.
#[async_trait]
pub trait Contexts: Send + Sync {
    /// The folder that `order` means, on this disk; never asked for code in S3.
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
    services: Services,
    archives: Archives,
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
    /// CodeBuild builds it, by this id.
    Elsewhere(String),
    Ended(Result<String, Error>),
}

/// What is to be built.
enum Target {
    Layers(Box<Prepared>),
    Dockerfile(Box<Contained>),
}

impl Target {
    fn tag(&self) -> String {
        match self {
            Self::Layers(prepared) => prepared.tag(),
            Self::Dockerfile(contained) => contained.tag(),
        }
    }
}

/// The code of an agent: its folder, and what tells it from any other where that was found out here.
struct Code {
    folder: PathBuf,
    state: Option<String>,
}

/// What was found of an image.
struct Found {
    target: Target,
    code: Option<String>,
    digest: Option<String>,
}

impl Works {
    /// Builds that keep in `folder` what can be made again, from what `contexts` and S3 hold; `wake` is told of each agent
    /// whose build has ended.
    pub fn new(
        folder: PathBuf,
        tools: Tools,
        contexts: Arc<dyn Contexts>,
        services: Services,
        wake: Arc<dyn Fn(&Key) + Send + Sync>,
    ) -> Self {
        let (builders, jobs, known) = (Mutex::default(), Mutex::default(), Mutex::default());
        let archives = Archives::new(Arc::clone(&services.objects), folder.clone());
        let room = Arc::new(Semaphore::new(ROOM));
        Self { folder, tools, contexts, wake, services, archives, room, builders, jobs, known }
    }

    /// Looks once whether archives in S3 are other ones than agents were built from, and wakes those agents. Agents of which
    /// `is_current` knows no such archive are forgotten.
    pub async fn look_around(&self, is_current: impl Fn(&Key, &ObjectAddress) -> bool) {
        for key in self.archives.changed(is_current).await {
            tracing::info!(agent = %key, "the code in S3 changed");
            (self.wake)(&key);
        }
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
    async fn find(&self, place: &Place, order: &Order) -> Result<Found, Error> {
        let Code { folder, state } = self.code(place, order).await?;
        let (target, digest) = match order.build.strategy {
            BuildStrategy::Layered => self.find_layers((place, order), folder).await?,
            BuildStrategy::CodeBuild => {
                let (build, architecture) = (order.build.clone(), order.architecture);
                let read = move || Contained::read(&folder, &build, architecture, Limits::default());
                let contained = blocking(read).await?;
                let digest = self.digest((place, order), &contained.tag()).await?;
                (Target::Dockerfile(Box::new(contained)), digest)
            }
        };
        Ok(Found { target, code: state, digest })
    }

    async fn code(&self, place: &Place, order: &Order) -> Result<Code, Error> {
        let Some(object) = order.build.object() else {
            return Ok(Code { folder: self.contexts.folder(order).await?, state: None });
        };
        let (folder, etag) = self.archives.folder(place, &Key::new(&order.agent), &object).await?;
        Ok(Code { folder, state: Some(etag) })
    }

    /// First as it was built last: neither a newer base image under the same tag nor a newer runtime of ours is news as
    /// long as the code stays the same. Only where that image is not there does the newest of both count.
    async fn find_layers(
        &self,
        (place, order): (&Place, &Order),
        context: PathBuf,
    ) -> Result<(Target, Option<String>), Error> {
        let builder = self.builder(place)?;
        let recipe = Recipe {
            context,
            build: order.build.clone(),
            architecture: order.architecture,
            base_digest: order.base_digest.clone(),
            runtime: order.runtime.clone(),
            labels: BTreeMap::new(),
        };
        let prepared = builder.prepare(&recipe, &Progress::silent()).await?;
        let digest = self.digest((place, order), &prepared.tag()).await?;
        if digest.is_some() || (order.base_digest.is_none() && order.runtime.is_none()) {
            return Ok((Target::Layers(Box::new(prepared)), digest));
        }
        let anew = Recipe { base_digest: None, runtime: None, ..recipe };
        let prepared = builder.prepare(&anew, &Progress::silent()).await?;
        let digest = self.digest((place, order), &prepared.tag()).await?;
        Ok((Target::Layers(Box::new(prepared)), digest))
    }

    async fn digest(&self, (place, order): (&Place, &Order), tag: &str) -> Result<Option<String>, Error> {
        let Some(repository) = &order.repository else { return Ok(None) };
        let key = (place.clone(), repository.clone(), tag.to_owned());
        let known = lock(&self.known).get(&key).cloned();
        if let Some((_, digest)) = known.filter(|(at, _)| at.elapsed() < BELIEVED) {
            return Ok(Some(digest));
        }
        let found = self.builder(place)?.find_tag(tag, &Reference::parse(repository)?).await?;
        let mut known = lock(&self.known);
        known.retain(|_, (at, _)| at.elapsed() < BELIEVED);
        known.extend(found.clone().map(|digest| (key, (Instant::now(), digest))));
        Ok(found)
    }

    /// What became of the build of `tag` for `agent`, as far as this process knows. That one failed is told once: who asks again
    /// wants it tried again.
    fn work(&self, agent: &str, tag: &str) -> Work {
        let mut jobs = lock(&self.jobs);
        let Some(job) = jobs.get(agent).filter(|job| job.tag == tag) else { return Work::Missing };
        let state = lock(&job.state).clone();
        match state {
            State::Waiting => under_way(job, "waiting for its turn", (0, None)),
            State::At(Step { phase, done, total }) => under_way(job, phase.words(), (done, total)),
            State::Elsewhere(_) => under_way(job, "CodeBuild builds it", (0, None)),
            State::Ended(result) => {
                jobs.remove(agent);
                result.map_or_else(|error| Work::Failed(failure(&error)), Work::Done)
            }
        }
    }

    /// The same for a build that CodeBuild carries out, or may.
    async fn work_elsewhere(&self, (place, order): (&Place, &Order), contained: &Contained) -> Result<Work, Error> {
        let (agent, tag) = (&order.agent, contained.tag());
        let Some(repository) = &order.repository else { return Ok(Work::Missing) };
        let state = lock(&self.jobs).get(agent).filter(|job| job.tag == tag).map(|job| lock(&job.state).clone());
        let id = match state {
            Some(State::Elsewhere(id)) => id,
            Some(State::Waiting | State::At(_) | State::Ended(_)) => return Ok(self.work(agent, &tag)),
            // Another process may have started it, this one's past self among them.
            None => match self.services.under_way(place, contained, repository).await? {
                None => return Ok(Work::Missing),
                Some(id) => {
                    tracing::info!(agent, build = id, "CodeBuild is building the image already");
                    let state = Arc::new(Mutex::new(State::Elsewhere(id.clone())));
                    self.insert(agent, Job { tag: tag.clone(), begun: Instant::now(), state, _task: JoinSet::new() });
                    id
                }
            },
        };
        let Some(run) = self.services.run(place, contained.project(), &id).await? else {
            lock(&self.jobs).remove(agent);
            return Ok(Work::Missing);
        };
        let work = match &run.end {
            None => {
                let jobs = lock(&self.jobs);
                let words = remote::words(&run.phase);
                return Ok(jobs.get(agent).map_or(Work::Missing, |job| under_way(job, &words, (0, None))));
            }
            // It may have been pushed since the registry was asked.
            Some(End::Succeeded) => match self.digest((place, order), &tag).await? {
                Some(digest) => Work::Done(digest),
                None => Work::Failed(failure(&nothing_pushed(&run))),
            },
            Some(End::Failed(complaint)) => Work::Failed(failure(&failed(complaint))),
        };
        lock(&self.jobs).remove(agent);
        Ok(work)
    }

    fn insert(&self, agent: &str, job: Job) {
        lock(&self.jobs).insert(agent.to_owned(), job);
    }

    /// Starts building `target`, unless that is under way.
    fn start(&self, (place, order): (&Place, &Order), target: Target) -> Result<(), Error> {
        let Some(repository) = &order.repository else {
            return Err(Error::new(Cause::RepositoryMissing, "there is no repository to push to"));
        };
        let (tag, state) = (target.tag(), Arc::new(Mutex::new(State::Waiting)));
        if lock(&self.jobs).get(&order.agent).is_some_and(|job| job.tag == tag) {
            return Ok(());
        }
        let work = self.working((place, repository), target, &state)?;
        let (room, wake, key) = (Arc::clone(&self.room), Arc::clone(&self.wake), Key::new(&order.agent));
        let shared = Arc::clone(&state);
        let mut task = JoinSet::new();
        task.spawn(async move {
            // It is never closed; where it were, nobody need wait.
            let place = room.acquire_owned().await.ok();
            let end = work.await;
            drop(place);
            *lock(&shared) = end;
            wake(&key);
        });
        self.insert(&order.agent, Job { tag, begun: Instant::now(), state, _task: task });
        Ok(())
    }

    /// What building `target` takes of this process; answers what is known then.
    fn working(
        &self,
        (place, repository): (&Place, &str),
        target: Target,
        state: &Arc<Mutex<State>>,
    ) -> Result<BoxFuture<'static, State>, Error> {
        let (first, told) = (Arc::clone(state), Arc::clone(state));
        let started = move || *lock(&first) = State::At(Step { phase: Phase::Resolve, done: 0, total: None });
        let progress = Progress::new(move |step| *lock(&told) = State::At(step));
        Ok(match target {
            Target::Layers(prepared) => {
                let builder = self.builder(place)?;
                let destination = Destination::new(Reference::parse(repository)?);
                Box::pin(async move {
                    started();
                    let built = builder.push(&prepared, &destination, &progress).await;
                    State::Ended(built.map(|built| built.image.version().to_owned()))
                })
            }
            Target::Dockerfile(contained) => {
                let (services, place, repository) = (self.services.clone(), place.clone(), repository.to_owned());
                let scratch = self.folder.join("scratch");
                std::fs::create_dir_all(&scratch).map_err(|error| Error::local(&scratch, error))?;
                Box::pin(async move {
                    let build = services.begin(&place, (&contained, &repository), scratch, &progress).await;
                    build.map_or_else(|error| State::Ended(Err(error)), State::Elsewhere)
                })
            }
        })
    }

    async fn seen(&self, place: &Place, order: &Order) -> Result<(Target, Live), Error> {
        let Found { target, code, digest } = self.find(place, order).await?;
        let (base_digest, runtime) = match &target {
            Target::Layers(prepared) => (prepared.base_digest().to_owned(), prepared.runtime().to_owned()),
            Target::Dockerfile(_) => (String::new(), String::new()),
        };
        let work = match (digest, &target) {
            (Some(digest), Target::Dockerfile(_)) => {
                lock(&self.jobs).remove(&order.agent);
                Work::Done(digest)
            }
            (Some(digest), Target::Layers(_)) => Work::Done(digest),
            (None, Target::Layers(_)) => self.work(&order.agent, &target.tag()),
            (None, Target::Dockerfile(contained)) => self.work_elsewhere((place, order), contained).await?,
        };
        let live = Live { tag: target.tag(), base_digest, runtime, code, work };
        Ok((target, live))
    }
}

/// What is told of a build under way.
fn under_way(job: &Job, doing: &str, (done, total): (u64, Option<u64>)) -> Work {
    let seconds = job.begun.elapsed().as_secs();
    Work::UnderWay(build::Progress { doing: doing.to_owned(), done, total, seconds })
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
        let (target, live) = self.seen(place, order).await.map_err(|error| failure(&error))?;
        if live.work != Work::Missing {
            return Ok(live);
        }
        tracing::info!(agent = order.agent, tag = live.tag, "builds the image");
        self.start((place, order), target).map_err(|error| failure(&error))?;
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
        Cause::ContextDenied => (Class::Denied, Reason::ContextInvalid),
        Cause::DependenciesUnresolvable => (Class::Invalid, Reason::DependenciesUnresolvable),
        Cause::BaseImageUnusable => (Class::Invalid, Reason::BaseImageUnusable),
        Cause::RegistryRefused | Cause::TagTaken => (Class::Invalid, Reason::RegistryRefused),
        Cause::RegistryDenied => (Class::Denied, Reason::RegistryDenied),
        Cause::ToolMissing | Cause::BuildFailed | Cause::Local => (Class::Denied, Reason::BuilderFailed),
        Cause::ServiceUnavailable => (Class::Transient, Reason::Unavailable),
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
