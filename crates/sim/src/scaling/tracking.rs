//! Target tracking: moves a service's desired count so that a metric comes near its target.
//!
//! Application Auto Scaling user guide, "Target tracking scaling policies": cooldown 300 s for ECS, no scale-in while a
//! deployment runs, nothing at all without data. Between nine tenths of the target and the target nothing happens.

use super::{activity, key};
use crate::ecs;
use crate::input::Members;
use crate::state::ecs::{Rollout, ServiceStatus};
use crate::state::{Region, Timer};
use serde_json::Value;
use std::time::Duration;

/// CloudWatch reports the CPU of a service.
pub(crate) fn observe(region: &mut Region, id: &str, cpu: f64) {
    measure(region, id, "ECSServiceAverageCPUUtilization", cpu);
}

/// CloudWatch reports a metric of a service: a predefined one by its type, a customized one by its name.
pub(crate) fn measure(region: &mut Region, id: &str, metric: &str, value: f64) {
    region.scaling.metrics.insert((id.to_owned(), metric.to_owned()), value);
    consider(region, id);
}

/// What a policy wants, and how long after the last change it may have it.
struct Wish {
    desired: u32,
    cooldown: Duration,
}

/// Sets the alarm of a resource whose capacity should change, unless it is set already.
pub(super) fn consider(region: &mut Region, id: &str) {
    let Some(wish) = wish(region, id) else { return };
    // Never at once: a metric that stays where it is must not be acted on twice in one instant.
    let least = region.settings.times.alarm.max(Duration::from_secs(1));
    let now = region.now;
    let Some(target) = region.scaling.targets.get_mut(id).filter(|target| target.alarm.is_none()) else {
        return;
    };
    let cooled = target.scaled.map_or(Duration::ZERO, |scaled| (scaled + wish.cooldown).saturating_sub(now));
    let delay = least.max(cooled);
    target.alarm = Some(now + delay);
    region.after(delay, Timer::Alarm { resource: id.to_owned() });
}

/// The alarm goes off: scales if that is still wanted.
pub(crate) fn evaluate(region: &mut Region, id: &str) {
    let now = region.now;
    let Some(target) = region.scaling.targets.get_mut(id) else {
        return;
    };
    target.alarm = None;
    let scaled = target.scaled;
    let cooled = |wish: &Wish| scaled.is_none_or(|scaled| now >= scaled + wish.cooldown);
    if let (Some(wish), Some(key)) = (wish(region, id).filter(cooled), key(id)) {
        ecs::rescale(region, &key, wish.desired);
        let alarm = format!("monitor alarm TargetTracking-{id} in state ALARM triggered a target tracking policy");
        activity::record(region, id, &format!("Setting desired count to {}.", wish.desired), &alarm);
        if let Some(target) = region.scaling.targets.get_mut(id) {
            target.scaled = Some(now);
        }
    }
    consider(region, id);
}

/// The largest capacity any policy wants, if it is not the present one and may be had now.
fn wish(region: &Region, id: &str) -> Option<Wish> {
    let target = region.scaling.targets.get(id)?;
    let service = region.ecs.services.get(&key(id)?)?;
    let current = service.desired;
    if service.status != ServiceStatus::Active || current == 0 {
        return None;
    }
    let wishes = target.policies.values().filter_map(|policy| wanted(region, id, policy, current));
    let mut wish = wishes.max_by_key(|wish| wish.desired)?;
    wish.desired = wish.desired.clamp(target.minimum, target.maximum);
    let deploying = service.deployments.first().is_some_and(|primary| primary.rollout == Rollout::InProgress);
    let allowed = if wish.desired > current {
        !target.suspended.scale_out
    } else {
        wish.desired < current && !target.suspended.scale_in && !deploying
    };
    allowed.then_some(wish)
}

/// The metric a policy tracks; the high-resolution one is the same metric, seen more often.
fn metric(configuration: &Value) -> Option<&str> {
    let predefined = configuration.member("PredefinedMetricSpecification").and_then(|p| p.text("PredefinedMetricType"));
    let custom = configuration.member("CustomizedMetricSpecification").and_then(|custom| custom.text("MetricName"));
    Some(predefined.or(custom)?.trim_end_matches("HighResolution"))
}

fn wanted(region: &Region, id: &str, policy: &Value, current: u32) -> Option<Wish> {
    let configuration = policy.member("TargetTrackingScalingPolicyConfiguration")?;
    let key = (id.to_owned(), metric(configuration)?.to_owned());
    let value = *region.scaling.metrics.get(&key)?;
    let target = configuration.number("TargetValue").filter(|target| *target > 0.0)?;
    // A policy that may not scale in has no say in it.
    if value <= target && configuration.flag("DisableScaleIn").unwrap_or(false) {
        return None;
    }
    let proportional = capacity(f64::from(current) * value / target);
    let desired = if value > target || value <= 0.9 * target { proportional } else { current };
    let cooldown = cooldown(configuration, desired > current);
    Some(Wish { desired, cooldown })
}

fn cooldown(configuration: &Value, out: bool) -> Duration {
    let member = if out { "ScaleOutCooldown" } else { "ScaleInCooldown" };
    configuration.seconds(member).unwrap_or(Duration::from_mins(5))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what ECS takes")]
fn capacity(exact: f64) -> u32 {
    exact.ceil().clamp(0.0, 5000.0) as u32
}
