//! Our share of AWS's rates: one token bucket per account, region and API group, with the published numbers.
//!
//! AWS counts per account and region over all callers (ECS developer guide, "Request throttling"), so we take a share and
//! leave the rest to people and other tools. Waiting is first come, first served; a throttle halves the rate for a while.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fargateer_plan::desired::Place;
use tokio::time::Instant;

/// Time in which a halved rate doubles again.
const RECOVERY: Duration = Duration::from_secs(10);
/// The rate never falls below this share of ours.
const FLOOR: f64 = 0.1;

/// A group of operations that share one bucket in AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// CreateService, UpdateService, DeleteService.
    ServiceModify,
    /// DescribeServices, ListServices.
    ServiceRead,
    /// RegisterTaskDefinition, DeregisterTaskDefinition.
    TaskDefinitionModify,
    /// DescribeTaskDefinition, ListTaskDefinitions.
    TaskDefinitionRead,
    /// ECS TagResource, UntagResource.
    TagModify,
    /// ListServiceDeployments, DescribeServiceDeployments, DescribeServiceRevisions.
    ServiceDeployment,
    /// ListTasks, DescribeTasks.
    TaskRead,
    /// Application Auto Scaling; its rates are not published, so these are careful.
    Scaling,
    /// DescribeLogGroups, CreateLogGroup, DeleteLogGroup: 10 a second each.
    Logs,
    /// PutRetentionPolicy, TagResource, ListTagsForResource of CloudWatch Logs: 5 a second each.
    LogSettings,
    /// GetLogEvents.
    LogEvents,
    /// ELBv2 Describe*.
    LoadBalancerRead,
    /// ECR reads.
    Images,
    /// Writes to ECR repositories; their rates are not published, so these are careful.
    Repositories,
    /// S3: thousands a second for each prefix, so these are more than we ever need.
    Objects,
    /// CodeBuild; its rates are not published, so these are careful.
    Builds,
    /// STS; its rates are not published.
    Identity,
}

impl Group {
    /// AWS's burst and refill per second.
    fn published(self) -> (f64, f64) {
        match self {
            Self::ServiceModify => (50.0, 5.0),
            Self::ServiceRead | Self::TaskRead => (100.0, 20.0),
            Self::TaskDefinitionModify => (20.0, 1.0),
            Self::TaskDefinitionRead | Self::ServiceDeployment => (50.0, 20.0),
            Self::TagModify => (20.0, 10.0),
            Self::Scaling | Self::Logs => (10.0, 10.0),
            Self::LogSettings => (5.0, 5.0),
            Self::LogEvents | Self::Identity => (20.0, 20.0),
            Self::LoadBalancerRead => (40.0, 10.0),
            Self::Images | Self::Objects => (100.0, 100.0),
            Self::Repositories | Self::Builds => (10.0, 5.0),
        }
    }
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    burst: f64,
    rate: f64,
    /// 1 when AWS is content with us; halved by each throttle.
    pace: f64,
    at: Instant,
}

impl Bucket {
    fn new(group: Group, share: f64) -> Self {
        let (burst, rate) = group.published();
        // One token less: on the way to AWS calls may come closer together than they were sent.
        let burst = (burst * share - 1.0).max(1.0);
        Self { tokens: burst, burst, rate: rate * share, pace: 1.0, at: Instant::now() }
    }

    fn refill(&mut self) {
        let elapsed = self.at.elapsed().as_secs_f64();
        self.at = Instant::now();
        self.tokens = (self.tokens + elapsed * self.rate * self.pace).min(self.burst);
        self.pace = (self.pace * 2.0_f64.powf(elapsed / RECOVERY.as_secs_f64())).min(1.0);
    }

    /// Takes a token, perhaps one that is yet to come; says how long until it does.
    fn take(&mut self) -> Duration {
        self.refill();
        self.tokens -= 1.0;
        let debt = (-self.tokens).max(0.0);
        Duration::from_secs_f64(debt / (self.rate * self.pace))
    }
}

/// The buckets.
#[derive(Debug)]
pub struct Quota {
    share: f64,
    buckets: Mutex<BTreeMap<(Account, Group), Bucket>>,
}

/// Whose rate a call counts to: the account of the role (none: our own) and the region. Roles of one account share it. Our own
/// account by way of a role is taken for another one: who we are is not asked for this.
type Account = (Option<String>, String);

fn account(place: &Place) -> Account {
    let number = place.role.as_deref().and_then(|role| role.split(':').nth(4));
    (number.map(str::to_owned), place.region.clone())
}

impl Quota {
    /// Buckets that take `share` (above 0, at most 1) of AWS's published rates.
    pub fn new(share: f64) -> Self {
        Self { share: share.clamp(0.01, 1.0), buckets: Mutex::new(BTreeMap::new()) }
    }

    /// Waits for the turn of one call. Answers how long it waited.
    pub async fn acquire(&self, place: &Place, group: Group) -> Duration {
        let wait = self.with(place, group, Bucket::take);
        if !wait.is_zero() {
            let turn = Instant::now() + wait;
            drop(tokio::time::timeout_at(turn, std::future::pending::<()>()).await);
        }
        wait
    }

    /// How long a call would wait for its turn if it were made now.
    pub fn backlog(&self, place: &Place, group: Group) -> Duration {
        self.with(place, group, |bucket| {
            bucket.refill();
            Duration::from_secs_f64((1.0 - bucket.tokens).max(0.0) / (bucket.rate * bucket.pace))
        })
    }

    /// AWS throttled us in spite of our care: somebody else uses the account, too. Slows down.
    pub fn throttled(&self, place: &Place, group: Group) {
        self.with(place, group, |bucket| {
            bucket.refill();
            bucket.tokens = bucket.tokens.min(0.0);
            bucket.pace = (bucket.pace / 2.0).max(FLOOR);
        });
    }

    fn with<T>(&self, place: &Place, group: Group, act: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        act(buckets.entry((account(place), group)).or_insert_with(|| Bucket::new(group, self.share)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds_for(quota: &Quota, calls: usize) -> u64 {
        let begun = Instant::now();
        for _ in 0..calls {
            quota.acquire(&Place::default(), Group::TaskDefinitionModify).await;
        }
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_the_rest_comes_at_the_published_rate() {
        let quota = Quota::new(1.0);
        assert_eq!(seconds_for(&quota, 19).await, 0);
        assert_eq!(seconds_for(&quota, 10).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn roles_of_one_account_share_its_rate_and_another_account_is_not_slowed() {
        let quota = Quota::new(1.0);
        let place = |role: &str, region: &str| Place {
            role: Some(format!("arn:aws:iam::{role}")),
            region: region.to_owned(),
            ..Place::default()
        };
        let backlog = |place: &Place| quota.backlog(place, Group::TaskDefinitionModify);
        for _ in 0..20 {
            quota.throttled(&place("1:role/a", "us-east-1"), Group::TaskDefinitionModify);
        }
        assert!(backlog(&place("1:role/b", "us-east-1")) > Duration::ZERO);
        let others = [place("2:role/a", "us-east-1"), place("1:role/a", "eu-west-1"), Place::default()];
        assert!(others.iter().all(|other| backlog(other) == Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_is_a_share() {
        let quota = Quota::new(0.5);
        assert_eq!(seconds_for(&quota, 9).await, 0);
        assert_eq!(seconds_for(&quota, 10).await, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn the_backlog_is_what_the_next_call_would_wait() {
        let quota = Quota::new(1.0);
        let backlog = || quota.backlog(&Place::default(), Group::TaskDefinitionModify);
        assert_eq!(backlog(), Duration::ZERO);
        seconds_for(&quota, 19).await;
        assert_eq!(backlog(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_slows_down_and_time_heals() {
        let quota = Quota::new(1.0);
        quota.throttled(&Place::default(), Group::TaskDefinitionModify);
        let slow = seconds_for(&quota, 5).await;
        assert!(slow > 6, "{slow} s at about half the rate");
        tokio::time::advance(Duration::from_mins(10)).await;
        assert_eq!(seconds_for(&quota, 19).await, 0);
    }
}
