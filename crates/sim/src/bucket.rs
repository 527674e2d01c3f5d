//! Request rates: a token bucket per group of operations, account and region.
//!
//! ECS API reference, "Request throttling"; Elastic Load Balancing user guide, "API throttling"; the quotas of ECR and
//! CloudWatch Logs. Operations whose rate AWS does not publish are not limited.

use std::collections::BTreeMap;
use std::time::Duration;

/// A group of operations that share a bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate {
    name: &'static str,
    burst: f64,
    refill: f64,
}

const fn rate(name: &'static str, burst: f64, refill: f64) -> Rate {
    Rate { name, burst, refill }
}

#[derive(Clone, Debug)]
struct Bucket {
    tokens: f64,
    at: Duration,
}

/// The buckets of one account and region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets {
    buckets: BTreeMap<&'static str, Bucket>,
    /// The operation that was admitted last, and how often in a row.
    run: (String, f64),
}

/// How many bursts deep a bucket may go for calls that are no flood.
const DEPTH: f64 = 10.0;

impl Buckets {
    /// Takes a token from each bucket a call needs; `false` when one is empty.
    ///
    /// Under `lenient` rules only a flood finds it empty: more of one operation in a row than the bucket is deep.
    pub(crate) fn admit(&mut self, now: Duration, (service, operation): (&str, &str), lenient: bool) -> bool {
        let rates: Vec<Rate> = rates(service, operation).into_iter().flatten().collect();
        for rate in &rates {
            let bucket = self.buckets.entry(rate.name).or_insert(Bucket { tokens: rate.burst, at: now });
            let passed = now.saturating_sub(bucket.at).as_secs_f64();
            bucket.tokens = (bucket.tokens + passed * rate.refill).min(rate.burst);
            bucket.at = now;
        }
        let run = if self.run.0 == operation { self.run.1 } else { 0.0 };
        let least = |rate: &Rate| if lenient && run < rate.burst { 1.0 - rate.burst * DEPTH } else { 1.0 };
        let full =
            rates.iter().all(|rate| self.buckets.get(rate.name).is_some_and(|bucket| bucket.tokens >= least(rate)));
        if full {
            self.run = (operation.to_owned(), run + 1.0);
            self.change(&rates, -1.0);
        }
        full
    }

    /// Gives back what a call took: under lenient rules one that is refused costs nothing.
    pub(crate) fn refund(&mut self, (service, operation): (&str, &str)) {
        let rates: Vec<Rate> = rates(service, operation).into_iter().flatten().collect();
        self.run.1 = (self.run.1 - 1.0).max(0.0);
        self.change(&rates, 1.0);
    }

    fn change(&mut self, rates: &[Rate], tokens: f64) {
        for rate in rates {
            if let Some(bucket) = self.buckets.get_mut(rate.name) {
                bucket.tokens += tokens;
            }
        }
    }
}

fn rates(service: &str, operation: &str) -> [Option<Rate>; 2] {
    match service {
        "ecs" => [ecs(operation), None],
        "elasticloadbalancing" => [Some(rate("elb account", 40.0, 10.0)), Some(elb(operation))],
        "ecr" => [ecr(operation), None],
        "logs" => [logs(operation), None],
        "streams.dynamodb" => [streams(operation), None],
        "ssm" if operation.starts_with("Get") => [Some(rate("ssm get", 40.0, 40.0)), None],
        _ => [None, None],
    }
}

fn ecs(operation: &str) -> Option<Rate> {
    Some(match operation {
        "CreateCluster"
        | "DeleteCluster"
        | "PutClusterCapacityProviders"
        | "UpdateCluster"
        | "UpdateClusterSettings" => rate("cluster modify", 20.0, 1.0),
        "DescribeClusters" | "ListClusters" => rate("cluster read", 50.0, 20.0),
        "RegisterTaskDefinition" | "DeregisterTaskDefinition" => rate("task definition modify", 20.0, 1.0),
        "DescribeTaskDefinition" | "ListTaskDefinitions" | "ListTaskDefinitionFamilies" => {
            rate("task definition read", 50.0, 20.0)
        }
        "DeleteTaskDefinitions" => rate("task definition deletion", 5.0, 1.0),
        "TagResource" | "UntagResource" => rate("tag modify", 20.0, 10.0),
        "ListTagsForResource" => rate("tag read", 50.0, 20.0),
        "RunTask"
        | "StartTask"
        | "StopTask"
        | "ExecuteCommand"
        | "PutAttributes"
        | "DeleteAttributes"
        | "DeregisterContainerInstance"
        | "UpdateContainerAgent"
        | "UpdateContainerInstancesState" => rate("cluster resource modify", 100.0, 40.0),
        "DescribeTasks" | "ListTasks" | "DescribeContainerInstances" | "ListContainerInstances" | "ListAttributes" => {
            rate("cluster resource read", 100.0, 20.0)
        }
        "CreateService" | "UpdateService" | "DeleteService" => rate("service modify", 50.0, 5.0),
        "DescribeServices" | "ListServices" => rate("service read", 100.0, 20.0),
        "ListServiceDeployments" | "DescribeServiceDeployments" => rate("service deployment", 50.0, 20.0),
        "CreateCapacityProvider" | "UpdateCapacityProvider" | "DeleteCapacityProvider" => {
            rate("capacity provider modify", 10.0, 1.0)
        }
        "DescribeCapacityProviders" => rate("capacity provider read", 50.0, 20.0),
        "PutAccountSetting" | "PutAccountSettingDefault" | "DeleteAccountSetting" => rate("setting modify", 10.0, 1.0),
        "ListAccountSettings" => rate("setting read", 50.0, 20.0),
        "GetTaskProtection" | "UpdateTaskProtection" => rate("task protection", 200.0, 80.0),
        "ListServicesByNamespace" => rate("cluster service resource read", 10.0, 1.0),
        "DescribeServiceRevisions" => rate("service revision", 50.0, 20.0),
        _ => return None,
    })
}

fn elb(operation: &str) -> Rate {
    match operation {
        "CreateLoadBalancer" | "SetSubnets" => rate("elb intensive", 10.0, 0.2),
        "RegisterTargets" | "DeregisterTargets" => rate("elb registration", 20.0, 4.0),
        _ if operation.starts_with("Describe") => rate("elb read", 40.0, 10.0),
        _ => rate("elb modify", 20.0, 3.0),
    }
}

fn ecr(operation: &str) -> Option<Rate> {
    Some(match operation {
        "GetAuthorizationToken" => rate("ecr token", 500.0, 500.0),
        "BatchGetImage" => rate("ecr get image", 2000.0, 2000.0),
        "PutImage" => rate("ecr put image", 10.0, 10.0),
        "BatchCheckLayerAvailability" => rate("ecr check layers", 1000.0, 1000.0),
        "GetDownloadUrlForLayer" => rate("ecr layer url", 3000.0, 3000.0),
        "InitiateLayerUpload" => rate("ecr start layer", 100.0, 100.0),
        "UploadLayerPart" => rate("ecr layer part", 500.0, 500.0),
        "CompleteLayerUpload" => rate("ecr end layer", 100.0, 100.0),
        _ => return None,
    })
}

fn streams(operation: &str) -> Option<Rate> {
    Some(match operation {
        "DescribeStream" => rate("describe stream", 10.0, 10.0),
        "ListStreams" => rate("list streams", 5.0, 5.0),
        _ => return None,
    })
}

fn logs(operation: &str) -> Option<Rate> {
    Some(match operation {
        "CreateLogGroup" => rate("logs create group", 10.0, 10.0),
        "DeleteLogGroup" => rate("logs delete group", 10.0, 10.0),
        "DescribeLogGroups" => rate("logs describe groups", 10.0, 10.0),
        "CreateLogStream" => rate("logs create stream", 50.0, 50.0),
        "DescribeLogStreams" => rate("logs describe streams", 25.0, 25.0),
        "PutRetentionPolicy" | "DeleteRetentionPolicy" => rate("logs retention", 5.0, 5.0),
        "TagResource" | "UntagResource" => rate("logs tag", 5.0, 5.0),
        "ListTagsForResource" => rate("logs list tags", 5.0, 5.0),
        "GetLogEvents" => rate("logs get events", 25.0, 25.0),
        "FilterLogEvents" => rate("logs filter events", 10.0, 10.0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::Buckets;
    use std::time::Duration;

    #[test]
    fn a_burst_is_followed_by_one_registration_a_second() {
        let mut buckets = Buckets::default();
        let admitted = |buckets: &mut Buckets, at: u64| {
            (0..100)
                .filter(|_| buckets.admit(Duration::from_secs(at), ("ecs", "RegisterTaskDefinition"), false))
                .count()
        };
        assert_eq!(admitted(&mut buckets, 0), 20);
        assert_eq!(admitted(&mut buckets, 3), 3);
        assert_eq!(admitted(&mut buckets, 1000), 20);
    }

    #[test]
    fn load_balancing_also_shares_one_bucket_per_account() {
        let mut buckets = Buckets::default();
        let read = (0..100)
            .filter(|_| buckets.admit(Duration::ZERO, ("elasticloadbalancing", "DescribeRules"), false))
            .count();
        assert_eq!(read, 40);
        assert!(!buckets.admit(Duration::ZERO, ("elasticloadbalancing", "AddTags"), false));
    }

    #[test]
    fn under_lenient_rules_only_a_flood_is_throttled() {
        let mut buckets = Buckets::default();
        let mut call = |operation: &str| buckets.admit(Duration::ZERO, ("ecs", operation), true);
        for _ in 0..60 {
            assert!(call("RegisterTaskDefinition") && call("CreateCluster"));
        }
        assert_eq!((0..100).filter(|_| call("RegisterTaskDefinition")).count(), 20);
        assert!(call("CreateCluster") && call("RegisterTaskDefinition"));
    }

    #[test]
    fn under_lenient_rules_a_refused_call_costs_nothing() {
        let mut buckets = Buckets::default();
        for _ in 0..1000 {
            assert!(buckets.admit(Duration::ZERO, ("ecs", "RegisterTaskDefinition"), true));
            buckets.refund(("ecs", "RegisterTaskDefinition"));
        }
    }
}
