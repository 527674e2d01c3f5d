//! The wiring: which adapter stands behind which port.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use fargateer_api::Key;
use fargateer_api::spec::ObjectAddress;
use fargateer_aws::Aws;
use fargateer_aws::fence::Fence;
use fargateer_controller::board::Board;
use fargateer_controller::fleet::Fleet;
use fargateer_controller::metrics::Metrics;
use fargateer_controller::port::{Clock, Lease, LocalLease, Snapshot, Source, Statuses};
use fargateer_controller::replica::Replica;
use fargateer_controller::{Controller, Reconciler, Settings};
use fargateer_image::{Logins, Services, Works};
use fargateer_plan::prune::Policy;
use fargateer_store::source::dir::{DirSettings, DirectorySource};
use fargateer_store::source::git::Checkouts;
use fargateer_store::status::file::FileStatuses;
use fargateer_store::status::memory::MemoryStatuses;
use fargateer_store::table::StateTable;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::address;
use crate::cli::{CloudArgs, StatePlace};
use crate::hands::Hands;
use crate::output::{self, hinted};
use crate::tables::Tables;
use crate::{config, contexts};

/// The real time of day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Everything a running controller consists of.
#[derive(Clone)]
pub(crate) struct Machine {
    /// The controller.
    pub(crate) controller: Arc<Controller>,
    /// AWS.
    pub(crate) aws: Arc<Aws>,
    /// What builds images.
    pub(crate) images: Arc<Works>,
    /// The metrics.
    pub(crate) registry: Arc<Registry>,
    /// The tables of specs.
    pub(crate) tables: Tables,
}

/// What differs between one machine and another.
pub(crate) struct Parts {
    /// How AWS is reached.
    pub(crate) config: SdkConfig,
    /// How AWS is used.
    pub(crate) aws: fargateer_aws::Settings,
    /// Who we are.
    pub(crate) owner: String,
    /// Where statuses are kept; in memory when left out.
    pub(crate) state: Option<StatePlace>,
    /// The rules of deletion.
    pub(crate) policy: Policy,
    /// How the controller runs.
    pub(crate) settings: Settings,
    /// How many sources feed it.
    pub(crate) sources: usize,
    /// The names of the tables of specs among them.
    pub(crate) tables: Vec<String>,
    /// Where images are built, and from what.
    pub(crate) images: ImageParts,
}

/// What building images takes.
#[derive(Clone, Default)]
pub(crate) struct ImageParts {
    /// Where layers and locks are kept.
    pub(crate) cache: PathBuf,
    /// The folders of specs, as they were named.
    pub(crate) folders: Vec<PathBuf>,
    /// The repositories of specs.
    pub(crate) repositories: Arc<OnceLock<Vec<Checkouts>>>,
    /// Who lets us into every registry, where all of them are on this machine: once the simulated AWS is served.
    pub(crate) here: Arc<OnceLock<Arc<dyn Logins>>>,
}

impl Machine {
    /// Puts the parts together.
    pub(crate) async fn build(parts: Parts) -> anyhow::Result<Self> {
        let Parts { config, aws, owner, state, policy, settings, sources, tables, images } = parts;
        let mut config = config;
        let mut replica = None;
        let statuses: Arc<dyn Statuses> = match state {
            Some(StatePlace::Table(name)) => {
                let member = Arc::new(replica_of(&config, &name, &owner));
                config = fenced(config, &member)?;
                replica = Some(member);
                Arc::new(StateTable::new(&config, &name, &owner))
            }
            Some(StatePlace::Folder(folder)) => Arc::new(FileStatuses::open(folder).map_err(|error| {
                let hint = output::Hint("another folder can be named with --state".to_owned());
                anyhow::Error::new(hint).context(format!("{:#}", anyhow::Error::new(error)))
            })?),
            None => Arc::new(MemoryStatuses::default()),
        };
        let lease: Arc<dyn Lease> = match &replica {
            Some(replica) => replica.clone(),
            None => Arc::new(LocalLease),
        };
        let (tables, statuses) = Tables::open(&config, &tables, statuses, Arc::clone(&lease));
        let clock = Arc::new(WallClock);
        let board = Board::load(statuses, clock.clone()).await.map_err(anyhow::Error::msg)?;
        let board = Arc::new(board);
        let fleet = Arc::new(Fleet::new(Arc::clone(&board), &owner, policy, sources));
        let aws = Arc::new(Aws::new(config, &aws));
        let woken = Arc::new(OnceLock::new());
        let images = works(&aws, images, Arc::clone(&woken));
        let hands = Hands { aws: aws.clone(), images: images.clone() };
        let reconciler = Reconciler { fleet, cloud: Arc::new(hands), board, lease, clock };
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let controller = Controller::new(reconciler, settings, metrics);
        let controller = match replica {
            Some(replica) => controller.among(replica),
            None => controller,
        };
        let controller = Arc::new(controller);
        // Whoever builds is made before whom it wakes.
        drop(woken.set(Arc::downgrade(&controller)));
        Ok(Self { controller, aws, images, registry: Arc::new(registry), tables })
    }
}

/// The builder of images; who waits for one is woken when it ends.
pub(crate) fn works(aws: &Arc<Aws>, parts: ImageParts, woken: Arc<OnceLock<Weak<Controller>>>) -> Arc<Works> {
    let ImageParts { cache, folders, repositories, here } = parts;
    let contexts = contexts::Sources { folders, repositories, aws: Arc::clone(aws), here };
    let wake = move |key: &Key| {
        if let Some(controller) = woken.get().and_then(Weak::upgrade) {
            controller.request(key, None);
        }
    };
    let services = Services { objects: aws.clone(), builds: aws.clone() };
    Arc::new(Works::new(cache, config::image_tools(), Arc::new(contexts), services, Arc::new(wake)))
}

impl Machine {
    /// Looks every `period` whether agents' code in S3 changed, until `stop`. Each replica looks for its own agents.
    pub(crate) async fn look_around(&self, period: Duration, stop: &CancellationToken) {
        let reconciler = &self.controller.reconciler;
        let is_current = |key: &Key, object: &ObjectAddress| {
            let build = reconciler.fleet.agent(key).and_then(|agent| agent.spec.image.build);
            reconciler.lease.holds(key) && build.and_then(|build| build.object()).is_some_and(|now| now == *object)
        };
        while tokio::time::timeout(period, stop.cancelled()).await.is_err() {
            tokio::select! {
                () = self.images.look_around(is_current) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

/// This process among its peers. No two that ever were have the same name.
fn replica_of(config: &SdkConfig, table: &str, owner: &str) -> Replica {
    let name = format!("{}-{:016x}", config::host().unwrap_or_else(|| "replica".to_owned()), fastrand::u64(..));
    Replica::new(Box::new(StateTable::new(config, table, owner)), name)
}

/// `config`, by which nothing is written while `replica` may not.
fn fenced(config: SdkConfig, replica: &Arc<Replica>) -> anyhow::Result<SdkConfig> {
    let Some(client) = config.http_client() else {
        return Err(anyhow::anyhow!("without an HTTP client to fence, replicas could write at the same time"));
    };
    let replica = Arc::clone(replica);
    let fence = Fence::new(client, Arc::new(move || replica.is_alive()));
    Ok(config.into_builder().http_client(fence).build())
}

/// How AWS is used, as the options say.
pub(crate) fn cloud_settings(args: &CloudArgs) -> fargateer_aws::Settings {
    fargateer_aws::Settings { share: args.quota_share, ..fargateer_aws::Settings::default() }
}

/// The folder or file `path` as a source.
pub(crate) fn source(path: &str, poll: Duration) -> anyhow::Result<DirectorySource> {
    if path.contains("://") {
        return Err(hinted(
            format!("{}: this kind of source is not supported yet", address::shown(path)),
            "name a folder or a file of YAML",
        ));
    }
    let settings = DirSettings { poll, ..DirSettings::default() };
    Ok(DirectorySource::new(PathBuf::from(path), settings))
}

/// A source that is never read whole: nothing that is not in it is deleted.
pub(crate) struct Partial<S>(pub(crate) S);

#[async_trait]
impl<S: Source> Source for Partial<S> {
    async fn next(&mut self) -> Snapshot {
        Snapshot { whole: false, ..self.0.next().await }
    }
}
