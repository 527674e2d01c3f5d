//! The deployment circuit breaker: what counts as a failed task, and when enough is enough.
//!
//! ECS developer guide, "How the Amazon ECS deployment circuit breaker detects failures": until one task has reached
//! RUNNING, tasks that don't start are counted; from then on, tasks replaced for failed health checks. Tasks that run and
//! exit are counted in neither stage, and crash-loop at full speed.

use super::deployment::{self, Rollback};
use super::event;
use crate::input::Members;
use crate::state::Region;
use crate::state::Timer;
use crate::state::ecs::{Rollout, Service};
use serde_json::Value;
use std::time::Duration;

/// How a task of the primary deployment went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It never reached RUNNING.
    NotStarted,
    /// It failed a health check.
    Unhealthy,
    /// It ran, and ended.
    Ended,
}

fn breaker(service: &Service) -> &Value {
    let configuration = service.config.get("deploymentConfiguration");
    configuration.and_then(|configuration| configuration.get("deploymentCircuitBreaker")).unwrap_or(&Value::Null)
}

/// Failed tasks at which the breaker trips: half the desired count, at least 3 and at most 200, unless configured.
pub(super) fn threshold(service: &Service) -> u32 {
    let configured = breaker(service).get("thresholdConfiguration").unwrap_or(&Value::Null);
    let value = configured.whole("value").and_then(|value| u32::try_from(value).ok());
    let share = |percent: u32| (service.desired.saturating_mul(percent)).div_ceil(100);
    match (configured.text("type"), value) {
        (Some("COUNT"), Some(count)) => count.max(1),
        (Some("UNBOUNDED_PERCENT"), Some(percent)) => share(percent).max(1),
        (_, percent) => share(percent.unwrap_or(50)).clamp(3, 200),
    }
}

/// Counts a failed task of a deployment, and decides when the scheduler may try again.
pub(super) fn count(region: &mut Region, service: &mut Service, deployment: &str, failure: Failure) {
    let primary = service.deployments.first_mut();
    let Some(primary) = primary.filter(|primary| primary.id == deployment) else {
        return;
    };
    let counted = match failure {
        Failure::NotStarted => !primary.reached_running,
        Failure::Unhealthy => primary.reached_running,
        Failure::Ended => false,
    };
    primary.failed += u32::from(counted);
    if failure == Failure::NotStarted {
        service.failures += 1;
    }
    let delay = pause(region, service, failure);
    service.launch_after = region.now + delay;
    let (cluster, name) = (service.cluster.clone(), service.name.clone());
    region.after(delay, Timer::Service { cluster, service: name });
    check(region, service);
}

/// The service throttle: without the breaker, a task that keeps failing to start is tried ever less often.
fn pause(region: &mut Region, service: &mut Service, failure: Failure) -> Duration {
    let least = region.settings.times.retry.max(Duration::from_millis(100));
    let throttled = failure == Failure::NotStarted && breaker(service).flag("enable") != Some(true);
    if !throttled || service.failures < 3 {
        return least;
    }
    event::add_once(region, service, "is unable to consistently start tasks successfully.");
    let doublings = (service.failures - 3).min(8);
    least.max(Duration::from_secs(10 << doublings)).min(Duration::from_mins(15))
}

/// A task became healthy: the failures before it count no more.
pub(super) fn reset(service: &mut Service, deployment: &str) {
    let reset = breaker(service).flag("resetOnHealthyTask").unwrap_or(true);
    service.failures = 0;
    if let Some(primary) = service.deployments.first_mut().filter(|primary| primary.id == deployment && reset) {
        primary.failed = 0;
    }
}

/// Trips the breaker when the threshold is reached.
fn check(region: &mut Region, service: &mut Service) {
    let threshold = threshold(service);
    let primary = service.deployments.first();
    let Some(primary) = primary.filter(|primary| primary.rollout == Rollout::InProgress) else {
        return;
    };
    let (failed, reached_running) = (primary.failed, primary.reached_running);
    if let Some(record) = service.history.last_mut() {
        (record.failures, record.threshold) = (failed, threshold);
    }
    if breaker(service).flag("enable") != Some(true) || failed < threshold {
        return;
    }
    let wanted = breaker(service).flag("rollback") == Some(true);
    let rollback = if wanted { Rollback::Wanted } else { Rollback::Unwanted };
    let cause = if reached_running {
        "ECS deployment circuit breaker: tasks failed their health checks."
    } else {
        "ECS deployment circuit breaker: tasks failed to start."
    };
    deployment::fail(region, service, cause, rollback);
}

#[cfg(test)]
mod tests {
    use super::threshold;
    use crate::ecs::service::empty;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn the_threshold_is_half_the_tasks_within_three_and_two_hundred() {
        let mut service = empty(Duration::ZERO, "blue", "agent");
        for (desired, expected) in [(0, 3), (1, 3), (6, 3), (10, 5), (25, 13), (100, 50), (400, 200), (5000, 200)] {
            service.desired = desired;
            assert_eq!(threshold(&service), expected, "for {desired} tasks");
        }
    }

    #[test]
    fn a_configured_threshold_replaces_the_default() {
        let mut service = empty(Duration::ZERO, "blue", "agent");
        service.desired = 10;
        for (kind, value, expected) in [("COUNT", 7, 7), ("BOUNDED_PERCENT", 80, 8), ("UNBOUNDED_PERCENT", 10, 1)] {
            let breaker =
                json!({"enable": true, "rollback": true, "thresholdConfiguration": {"type": kind, "value": value}});
            service.config = json!({"deploymentConfiguration": {"deploymentCircuitBreaker": breaker}});
            assert_eq!(threshold(&service), expected);
        }
    }
}
