//! The one factory of SDK clients: connector, sleep, time, credentials and endpoint come from the `SdkConfig` it is given.
//!
//! Clients are made once per place (region and role). Reads retry from a partition of their own: the SDK's default one is one
//! bucket for the whole process. A write is sent once: who tries again looks first, for between two attempts that hang for
//! seconds somebody else may have taken the resource over, and RegisterTaskDefinition would make two revisions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
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

/// The SDK clients of one place.
#[derive(Debug, Clone)]
pub struct Clients {
    /// ECS, for reads.
    pub ecs: aws_sdk_ecs::Client,
    /// ECS, for writes.
    pub ecs_writes: aws_sdk_ecs::Client,
    /// ECR, for reads.
    pub ecr: aws_sdk_ecr::Client,
    /// ECR, for writes.
    pub ecr_writes: aws_sdk_ecr::Client,
    /// Application Auto Scaling, for reads.
    pub scaling: aws_sdk_applicationautoscaling::Client,
    /// Application Auto Scaling, for writes.
    pub scaling_writes: aws_sdk_applicationautoscaling::Client,
    /// CloudWatch Logs, for reads.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// CloudWatch Logs, for writes.
    pub logs_writes: aws_sdk_cloudwatchlogs::Client,
    /// S3, for reads and writes of any length.
    pub s3: aws_sdk_s3::Client,
    /// CodeBuild, for reads.
    pub codebuild: aws_sdk_codebuild::Client,
    /// CodeBuild, for writes.
    pub codebuild_writes: aws_sdk_codebuild::Client,
    /// Elastic Load Balancing v2.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// STS.
    pub sts: aws_sdk_sts::Client,
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
                let builder = $service::config::Builder::from(&config).retry_partition(reads.clone());
                $service::Client::from_conf(builder.build())
            }};
        }
        Clients {
            ecs: reading!(aws_sdk_ecs),
            ecs_writes: aws_sdk_ecs::Client::new(&once),
            ecr: reading!(aws_sdk_ecr),
            ecr_writes: aws_sdk_ecr::Client::new(&once),
            scaling: reading!(aws_sdk_applicationautoscaling),
            scaling_writes: aws_sdk_applicationautoscaling::Client::new(&once),
            logs: reading!(aws_sdk_cloudwatchlogs),
            logs_writes: aws_sdk_cloudwatchlogs::Client::new(&once),
            s3: self.s3(&config),
            codebuild: reading!(aws_sdk_codebuild),
            codebuild_writes: aws_sdk_codebuild::Client::new(&once),
            elb: reading!(aws_sdk_elasticloadbalancingv2),
            sts: reading!(aws_sdk_sts),
        }
    }

    /// Objects may be large: an attempt is given up when nothing comes any more, not after a time.
    fn s3(&self, config: &SdkConfig) -> aws_sdk_s3::Client {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(STALLED).build();
        let mut config = config.to_builder().timeout_config(timeouts);
        if let Some(streaming) = &self.streaming {
            config = config.http_client(streaming.clone());
        }
        let config = config.build();
        // At an endpoint of one's own, buckets seldom have names in DNS.
        let path_style = config.endpoint_url().is_some();
        let builder = aws_sdk_s3::config::Builder::from(&config).force_path_style(path_style);
        aws_sdk_s3::Client::from_conf(builder.build())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Place, Arc<Clients>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
