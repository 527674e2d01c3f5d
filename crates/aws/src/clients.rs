//! The one factory of SDK clients: connector, sleep, time, credentials and endpoint come from the `SdkConfig` it is given.
//!
//! Clients are made once per place (region and role). Reads retry from a partition of their own: the SDK's default one is one
//! bucket for the whole process. A write is sent once: who tries again looks first, for between two attempts that hang for
//! seconds somebody else may have taken the resource over, and RegisterTaskDefinition would make two revisions.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_ecs::config::Region;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use fargateer_api::seeded::{Bug, has};
use fargateer_plan::desired::Place;

use crate::role::{self, partition};
use crate::whole::Whole;

/// What the factory itself calls: assuming an agent's role, and asking who we are.
pub(crate) const PERMISSIONS: &[&str] = &["sts:AssumeRole", "sts:GetCallerIdentity", "sts:TagSession"];

/// Attempts of one read, the first included. Longer waits, and writes, are the queue's business.
const ATTEMPTS: u32 = 3;
/// An attempt that takes longer is given up: 0.4 of a lease, so that none of ours outlives the lease it began under.
const ATTEMPT: Duration = Duration::from_secs(8);
/// How long S3 may take to begin its answer.
const STALLED: Duration = Duration::from_secs(30);
/// A connection that takes longer is given up.
const CONNECT: Duration = Duration::from_secs(3);

/// A client that is made when it is first used: a place needs few of them, and each takes longer to make than a call to send.
pub type Lazy<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send>>;

/// The SDK clients of one place.
#[derive(Debug)]
pub struct Clients {
    /// ECS, for reads.
    pub ecs: Lazy<aws_sdk_ecs::Client>,
    /// ECS, for writes.
    pub ecs_writes: Lazy<aws_sdk_ecs::Client>,
    /// ECR, for reads.
    pub ecr: Lazy<aws_sdk_ecr::Client>,
    /// ECR, for writes.
    pub ecr_writes: Lazy<aws_sdk_ecr::Client>,
    /// Application Auto Scaling, for reads.
    pub scaling: Lazy<aws_sdk_applicationautoscaling::Client>,
    /// Application Auto Scaling, for writes.
    pub scaling_writes: Lazy<aws_sdk_applicationautoscaling::Client>,
    /// CloudWatch Logs, for reads.
    pub logs: Lazy<aws_sdk_cloudwatchlogs::Client>,
    /// CloudWatch Logs, for writes.
    pub logs_writes: Lazy<aws_sdk_cloudwatchlogs::Client>,
    /// S3, for reads and writes of any length.
    pub s3: Lazy<aws_sdk_s3::Client>,
    /// CodeBuild, for reads.
    pub codebuild: Lazy<aws_sdk_codebuild::Client>,
    /// CodeBuild, for writes.
    pub codebuild_writes: Lazy<aws_sdk_codebuild::Client>,
    /// Elastic Load Balancing v2.
    pub elb: Lazy<aws_sdk_elasticloadbalancingv2::Client>,
    /// STS.
    pub sts: Lazy<aws_sdk_sts::Client>,
}

/// Makes and keeps clients.
#[derive(Debug)]
pub struct Factory {
    base: SdkConfig,
    /// What hands on an answer while it comes, where `base` waits for all of it.
    streaming: Option<SharedHttpClient>,
    made: Mutex<BTreeMap<Place, Arc<Clients>>>,
}

impl Factory {
    /// A factory whose clients all stand on `base`.
    pub fn new(base: SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).connect_timeout(CONNECT).build();
        let retry = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let streaming = base.http_client();
        let http = streaming.clone().map(Whole::new);
        let mut base = base.into_builder().timeout_config(timeouts).retry_config(retry);
        if let Some(http) = http {
            base = base.http_client(http);
        }
        Self { base: base.build(), streaming, made: Mutex::new(BTreeMap::new()) }
    }

    /// The clients for `place`.
    pub fn clients(&self, place: &Place) -> Arc<Clients> {
        let mut made = self.lock();
        if let Some(clients) = made.get(place) {
            return Arc::clone(clients);
        }
        let clients = Arc::new(self.make(place));
        Arc::clone(made.entry(place.clone()).or_insert(clients))
    }

    fn make(&self, place: &Place) -> Clients {
        let region = Region::new(place.region.clone());
        let config = role::assumed(self.base.to_builder().region(region).build(), place);
        let retry = if has(Bug::RetriesBlindly) { RetryConfig::standard() } else { RetryConfig::disabled() };
        let once = config.to_builder().retry_config(retry).build();
        let reads = partition("fargateer-reads");
        macro_rules! reading {
            ($service:ident) => {{
                let (config, reads) = (config.clone(), reads.clone());
                Lazy::new(Box::new(move || {
                    let builder = $service::config::Builder::from(&config).retry_partition(reads);
                    $service::Client::from_conf(builder.build())
                }))
            }};
        }
        macro_rules! writing {
            ($service:ident) => {{
                let once = once.clone();
                Lazy::new(Box::new(move || $service::Client::new(&once)))
            }};
        }
        Clients {
            ecs: reading!(aws_sdk_ecs),
            ecs_writes: writing!(aws_sdk_ecs),
            ecr: reading!(aws_sdk_ecr),
            ecr_writes: writing!(aws_sdk_ecr),
            scaling: reading!(aws_sdk_applicationautoscaling),
            scaling_writes: writing!(aws_sdk_applicationautoscaling),
            logs: reading!(aws_sdk_cloudwatchlogs),
            logs_writes: writing!(aws_sdk_cloudwatchlogs),
            s3: self.s3(config.clone()),
            codebuild: reading!(aws_sdk_codebuild),
            codebuild_writes: writing!(aws_sdk_codebuild),
            elb: reading!(aws_sdk_elasticloadbalancingv2),
            sts: reading!(aws_sdk_sts),
        }
    }

    /// Objects may be large: an attempt is given up when nothing comes any more, not after a time.
    fn s3(&self, config: SdkConfig) -> Lazy<aws_sdk_s3::Client> {
        let streaming = self.streaming.clone();
        Lazy::new(Box::new(move || {
            let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(STALLED).build();
            let mut config = config.into_builder().timeout_config(timeouts);
            if let Some(streaming) = streaming {
                config = config.http_client(streaming);
            }
            let config = config.build();
            // At an endpoint of one's own, buckets seldom have names in DNS.
            let path_style = config.endpoint_url().is_some();
            let builder = aws_sdk_s3::config::Builder::from(&config).force_path_style(path_style);
            aws_sdk_s3::Client::from_conf(builder.build())
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Place, Arc<Clients>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
