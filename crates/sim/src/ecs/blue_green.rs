//! Blue/green, linear and canary deployments: a second set of tasks beside the first, and traffic that moves over to it.
//!
//! ECS developer guide, "Amazon ECS blue/green deployments". The stage of a deployment is a function of the time since its
//! tasks were all ready. Lifecycle hooks are kept and never called: every stage passes.

use crate::elb;
use crate::input::Members;
use crate::state::ecs::{Deployment, Rollout, Service};
use crate::state::{Region, Timer};
use serde_json::{Value, json};
use std::time::Duration;

const MINUTE: u64 = 60;

/// Where a deployment is, and how much of the traffic its tasks get, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) production: u32,
    pub(super) test: u32,
}

fn configuration(service: &Service) -> &Value {
    service.config.get("deploymentConfiguration").unwrap_or(&Value::Null)
}

/// Whether the service's deployments shift traffic.
pub(super) fn shifts(service: &Service) -> bool {
    configuration(service).text("strategy").is_some_and(|strategy| strategy != "ROLLING")
}

/// The deployment that has the production traffic while another one is under way: the last that was completed, or, where
/// none ever was, the first there was. One that was superseded before it was completed never counts.
pub(super) fn blue(service: &Service) -> Option<&Deployment> {
    let completed = service.completed.as_ref().map(|completed| completed.id.as_str());
    let known = service.deployments.iter().find(|deployment| Some(deployment.id.as_str()) == completed);
    known.or_else(|| service.deployments.last())
}

/// Where the running deployment of such a service is; none when it has nothing to shift traffic from.
pub(super) fn stage(region: &Region, service: &Service) -> Option<Stage> {
    let primary = service.deployments.first().filter(|primary| primary.rollout == Rollout::InProgress)?;
    let undone = service.history.last().is_some_and(|record| record.rollback.is_some());
    if !shifts(service) || service.deployments.len() < 2 || undone {
        return None;
    }
    let Some(scaled) = primary.scaled else {
        return Some(Stage { name: "SCALE_UP", production: 0, test: 0 });
    };
    let mut since = region.now.saturating_sub(scaled);
    let (mut production, mut test) = (0, 0);
    for (name, length) in timeline(region, service) {
        match name {
            "TEST_TRAFFIC_SHIFT" => test = 100,
            "PRODUCTION_TRAFFIC_SHIFT" => production = share(service, since),
            "POST_PRODUCTION_TRAFFIC_SHIFT" => production = 100,
            _ => {}
        }
        if since < length {
            return Some(Stage { name, production, test });
        }
        since -= length;
    }
    Some(Stage { name: "CLEAN_UP", production: 100, test: 100 })
}

/// The stages after the scale-up but for the last, each with its length.
fn timeline(region: &Region, service: &Service) -> [(&'static str, Duration); 6] {
    let short = region.settings.times.settle.max(Duration::from_secs(1));
    let bake = configuration(service).whole("bakeTimeInMinutes").and_then(|minutes| u64::try_from(minutes).ok());
    let steps = steps(service).last().copied().unwrap_or_default();
    [
        ("POST_SCALE_UP", short),
        ("TEST_TRAFFIC_SHIFT", short),
        ("POST_TEST_TRAFFIC_SHIFT", short),
        ("PRODUCTION_TRAFFIC_SHIFT", steps + short),
        ("POST_PRODUCTION_TRAFFIC_SHIFT", short),
        ("BAKE_TIME", Duration::from_secs(bake.unwrap_or(15).min(1440) * MINUTE)),
    ]
}

/// When, after the shift began, the share of the new tasks grows: at least once, at once.
fn steps(service: &Service) -> Vec<Duration> {
    let configuration = configuration(service);
    let minutes = |part: &str, member: &str, default: u64| {
        let said = configuration.get(part).and_then(|part| part.whole(member)).and_then(|m| u64::try_from(m).ok());
        Duration::from_secs(said.unwrap_or(default).min(1440) * MINUTE)
    };
    match configuration.text("strategy") {
        Some("CANARY") => vec![Duration::ZERO, minutes("canaryConfiguration", "canaryBakeTimeInMinutes", 10)],
        Some("LINEAR") => {
            let each = minutes("linearConfiguration", "stepBakeTimeInMinutes", 6);
            (0..100_u32.div_ceil(percent(service))).map(|step| each * step).collect()
        }
        _ => vec![Duration::ZERO],
    }
}

/// The share of the first step, rounded to whole percents as weights are.
fn percent(service: &Service) -> u32 {
    let configuration = configuration(service);
    let (part, member, default) = match configuration.text("strategy") {
        Some("CANARY") => ("canaryConfiguration", "canaryPercent", 5.0),
        _ => ("linearConfiguration", "stepPercent", 10.0),
    };
    let said = configuration.get(part).and_then(|part| part.number(member)).unwrap_or(default);
    (1..=100).rev().find(|whole| f64::from(*whole) <= said).unwrap_or(1)
}

fn share(service: &Service, since: Duration) -> u32 {
    let done = steps(service).iter().filter(|step| **step <= since).count();
    let (done, all) = (u32::try_from(done).unwrap_or(u32::MAX), steps(service).len());
    if done as usize >= all { 100 } else { percent(service).saturating_mul(done).min(100) }
}

/// Looks where the deployment is: sets the timers of the stages to come, and moves the traffic.
pub(super) fn advance(region: &mut Region, service: &mut Service) {
    if stage(region, service).is_none() {
        return;
    }
    let now = region.now;
    let desired = service.desired as usize;
    if let Some(primary) = service.deployments.first_mut().filter(|primary| primary.scaled.is_none()) {
        let ready = service.tasks.values().filter(|task| task.deployment == primary.id && task.live() && task.ready);
        if ready.count() < desired {
            return;
        }
        primary.scaled = Some(now);
        alert(region, service);
    }
    let Some(stage) = stage(region, service) else { return };
    if let Some(record) = service.history.last_mut() {
        record.stage = Some((stage.name, stage.production, stage.test));
    }
    weigh(region, service, stage);
}

/// A timer for each moment at which the stage or the share changes.
fn alert(region: &mut Region, service: &Service) {
    let mut at = Duration::ZERO;
    let mut moments = Vec::new();
    for (name, length) in timeline(region, service) {
        if name == "PRODUCTION_TRAFFIC_SHIFT" {
            moments.extend(steps(service).into_iter().map(|step| at + step));
        }
        at += length;
        moments.push(at);
    }
    for moment in moments {
        let timer = Timer::Service { cluster: service.cluster.clone(), service: service.name.clone() };
        region.after(moment, timer);
    }
}

/// Gives the tasks of the primary deployment their share, by the weights of the listener rules.
pub(super) fn weigh(region: &mut Region, service: &Service, stage: Stage) {
    let alternate = service.deployments.first().is_some_and(|primary| primary.alternate);
    for balancer in service.config.items("loadBalancers").unwrap_or_default() {
        let Some(advanced) = balancer.member("advancedConfiguration") else {
            continue;
        };
        let own = balancer.text("targetGroupArn").unwrap_or_default();
        let other = advanced.text("alternateTargetGroupArn").unwrap_or_default();
        let (new, old) = if alternate { (other, own) } else { (own, other) };
        for (member, share) in [("productionListenerRule", stage.production), ("testListenerRule", stage.test)] {
            if let Some(rule) = advanced.text(member) {
                elb::weigh(region, rule, [(new, share), (old, 100 - share)]);
            }
        }
    }
}

/// All traffic to the primary deployment: a first one, or one that was rolled back to.
pub(super) fn settle(region: &mut Region, service: &Service) {
    if shifts(service) {
        weigh(region, service, Stage { name: "CLEAN_UP", production: 100, test: 100 });
    }
}

/// Load balancer settings as one side of a service uses them.
pub(super) fn side(settings: &mut Value, alternate: bool) {
    let balancers = settings.get_mut("loadBalancers").and_then(Value::as_array_mut);
    for balancer in balancers.into_iter().flatten().filter(|_| alternate) {
        let other = balancer.get("advancedConfiguration").and_then(|advanced| advanced.text("alternateTargetGroupArn"));
        if let Some(other) = other.map(str::to_owned) {
            balancer.put("targetGroupArn", json!(other));
        }
    }
}

/// What a service revision says of the resources it uses in the end.
pub(super) fn resolved(settings: &Value, alternate: bool) -> Option<Value> {
    let mut settings = settings.clone();
    side(&mut settings, alternate);
    let balancers = settings.items("loadBalancers").filter(|balancers| !balancers.is_empty())?;
    let balancers = balancers.iter().map(|balancer| {
        let rule =
            |member: &str| balancer.get("advancedConfiguration").and_then(|advanced| advanced.get(member)).cloned();
        json!({
            "targetGroupArn": balancer.get("targetGroupArn"),
            "productionListenerRule": rule("productionListenerRule"),
            "testListenerRule": rule("testListenerRule"),
        })
    });
    Some(json!({"loadBalancers": balancers.collect::<Vec<_>>()}))
}
