//! The one factory of SDK clients: connector, sleep, time, credentials and endpoint come from the `SdkConfig` it is given.
//!
//! Clients are made once per place (region and role). Reads and writes retry from separate partitions: the SDK's default
//! partition is one bucket for the whole process, and a throttled read would drain what a write needs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_ecs::config::Region;
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use fargateer_plan::desired::Place;

/// What the factory itself calls: assuming an agent's role, and asking who we are.
pub(crate) const PERMISSIONS: &[&str] = &["sts:AssumeRole", "sts:GetCallerIdentity"];

/// Attempts of one call, the first included. Longer waits are the queue's business.
const ATTEMPTS: u32 = 3;
/// An attempt that takes longer is given up: 0.4 of a lease, so that none of ours outlives the lease it began under.
const ATTEMPT: Duration = Duration::from_secs(8);
/// A connection that takes longer is given up.
const CONNECT: Duration = Duration::from_secs(3);

/// The SDK clients of one place.
#[derive(Debug, Clone)]
pub struct Clients {
    /// ECS, for reads.
    pub ecs: aws_sdk_ecs::Client,
    /// ECS, for writes.
    pub ecs_writes: aws_sdk_ecs::Client,
    /// ECR.
    pub ecr: aws_sdk_ecr::Client,
    /// Application Auto Scaling.
    pub scaling: aws_sdk_applicationautoscaling::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// Elastic Load Balancing v2.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// STS.
    pub sts: aws_sdk_sts::Client,
}

/// Makes and keeps clients.
#[derive(Debug)]
pub struct Factory {
    base: SdkConfig,
    made: Mutex<BTreeMap<Place, Arc<Clients>>>,
}

impl Factory {
    /// A factory whose clients all stand on `base`.
    pub fn new(base: SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).connect_timeout(CONNECT).build();
        let retry = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let base = base.into_builder().timeout_config(timeouts).retry_config(retry).build();
        Self { base, made: Mutex::new(BTreeMap::new()) }
    }

    /// The clients for `place`.
    pub async fn clients(&self, place: &Place) -> Arc<Clients> {
        if let Some(clients) = self.lock().get(place) {
            return Arc::clone(clients);
        }
        let clients = Arc::new(self.make(place).await);
        Arc::clone(self.lock().entry(place.clone()).or_insert(clients))
    }

    async fn make(&self, place: &Place) -> Clients {
        let region = Region::new(place.region.clone());
        let mut config = self.base.to_builder().region(region.clone());
        if let Some(role) = &place.role {
            let mut provider =
                AssumeRoleProvider::builder(role).session_name("fargateer").region(region).configure(&self.base);
            if let Some(id) = &place.external_id {
                provider = provider.external_id(id);
            }
            let provider = provider.build().await;
            config =
                config.credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(provider));
        }
        let config = config.build();
        let (reads, writes) = (partition("fargateer-reads"), partition("fargateer-writes"));
        macro_rules! client {
            ($service:ident, $partition:expr) => {{
                let builder = $service::config::Builder::from(&config).retry_partition($partition.clone());
                $service::Client::from_conf(builder.build())
            }};
        }
        Clients {
            ecs: client!(aws_sdk_ecs, reads),
            ecs_writes: client!(aws_sdk_ecs, writes),
            ecr: client!(aws_sdk_ecr, reads),
            scaling: client!(aws_sdk_applicationautoscaling, writes),
            logs: client!(aws_sdk_cloudwatchlogs, writes),
            elb: client!(aws_sdk_elasticloadbalancingv2, reads),
            sts: client!(aws_sdk_sts, reads),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Place, Arc<Clients>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A retry budget of its own: 100 retries (5 tokens each), half a retry a second more.
///
/// The SDK's default partition is one static bucket a process that hardly refills: an account-wide throttle would drain it,
/// and the SDK would then retry nothing at all.
fn partition(name: &'static str) -> RetryPartition {
    let bucket = TokenBucket::builder().capacity(500).refill_rate(2.5).build();
    RetryPartition::custom(name).token_bucket(bucket).build()
}
