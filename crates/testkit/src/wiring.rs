//! How SDK clients reach the simulated AWS in the same process.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use fargateer_sim::{Seed, Simulation};

use crate::agent::{OTHER_GROUP, TARGET_GROUP};
use crate::clock::VirtualClock;

/// The region of every scenario.
pub const REGION: &str = "us-east-1";
/// The table of leases and statuses, where several processes run.
pub(crate) const TABLE: &str = "fargateer-state";

/// The table of specs, where specs are rows.
pub(crate) const SPECS: &str = "fargateer-specs";
/// It is read so often, give or take a tenth.
pub(crate) const SPECS_POLL: Duration = Duration::from_mins(2);

/// The configuration of clients that call `sim` with `access_key`, at the time of `clock`.
pub fn config(sim: &Simulation, access_key: &str, clock: &VirtualClock) -> SdkConfig {
    let credentials = Credentials::new(access_key, "secret", None, None, "scenario");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_types::region::Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(clock.clone()))
        .http_client(sim.connector())
        .build()
}

/// The clusters of every scenario.
pub(crate) const CLUSTERS: [&str; 2] = ["agents", "batch"];

/// Two clusters and two target groups, as every scenario finds them.
pub fn seed() -> Seed {
    Seed {
        region: REGION.to_owned(),
        clusters: CLUSTERS.map(str::to_owned).to_vec(),
        capacity_providers: true,
        target_groups: vec![TARGET_GROUP.to_owned(), OTHER_GROUP.to_owned()],
        ..Seed::default()
    }
}
