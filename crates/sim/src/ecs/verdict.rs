//! What will become of a running task, from how its image behaves and who checks it.
//!
//! A container health check gives up after its start period and its retries, a load balancer after its own time; neither
//! before the service's grace period is over.

use super::{command, scheduler, task, task_definition, task_step};
use crate::behaviour::Behaviour;
use crate::input::Members;
use crate::state::Region;
use crate::state::ecs::{Phase, Service, Task, Verdict};
use serde_json::Value;
use std::time::Duration;

/// What will become of a task that runs, and when it shows.
pub(super) fn of(region: &Region, service: &Service, task: &Task, definition: &Value) -> (Duration, Verdict) {
    let times = &region.settings.times;
    let check = task::main_container(definition).and_then(|container| container.member("healthCheck"));
    let ending = task::main_container(definition).and_then(|container| command::ending(container, &task.settings));
    let balancers = task.settings.items("loadBalancers").unwrap_or_default();
    let group = balancers.first().and_then(|balancer| balancer.text("targetGroupArn"));
    let grace = service.config.seconds("healthCheckGracePeriodSeconds").unwrap_or_default();
    let noticed = check.map_or(times.unhealthy, |check| patience(check).min(times.unhealthy)).max(grace);
    let target_noticed = times.unhealthy.max(grace);
    let fails_target = |group: &str| (target_noticed, Verdict::FailsTarget(group.to_owned()));
    let checked = check.is_some() || group.is_some();
    let healthy = if checked { times.health } else { times.settle };
    match (&task.behaviour, check, group) {
        (Behaviour::OutOfMemory, _, _) => {
            let reason = "OutOfMemoryError: Container killed due to memory usage";
            (times.crash, Verdict::Exits(137, Some(reason)))
        }
        (Behaviour::Healthy, _, _) if ending.is_some() => {
            let (after, code) = ending.map_or((times.crash, 0), |ending| (ending.after.max(times.crash), ending.code));
            (after, Verdict::Exits(code, None))
        }
        (Behaviour::Healthy, Some(check), _) if command::always_fails(check) => (noticed, Verdict::FailsCheck),
        (Behaviour::CrashLoop { exit_code }, _, _) => (times.crash, Verdict::Exits(*exit_code, None)),
        (Behaviour::NeverHealthy, Some(_), _) => (noticed, Verdict::FailsCheck),
        (Behaviour::NeverHealthy | Behaviour::UnhealthyTarget, _, Some(group)) => fails_target(group),
        (Behaviour::SlowStart(delay), Some(_), _) if *delay > noticed => (noticed, Verdict::FailsCheck),
        (Behaviour::SlowStart(delay), _, Some(group)) if *delay > target_noticed => fails_target(group),
        (Behaviour::SlowStart(delay), _, _) => (*delay, Verdict::Healthy),
        _ => (healthy, Verdict::Healthy),
    }
}

/// How long a container health check takes to give up: its start period, then as many failures as it retries.
fn patience(check: &Value) -> Duration {
    let interval = check.seconds("interval").unwrap_or(Duration::from_secs(30));
    let retries = check.whole("retries").and_then(|retries| u32::try_from(retries).ok());
    let failing = interval.saturating_mul(retries.unwrap_or(3).min(10));
    check.seconds("startPeriod").unwrap_or_default() + failing
}

/// Tasks take on what was last said of their image, so that a healthy one can fall sick and a sick one recover.
pub(crate) fn revise(region: &mut Region) {
    let keys: Vec<(String, String)> = region.ecs.services.keys().cloned().collect();
    for key in keys {
        scheduler::with(region, &key, |region, service| {
            let live = service.tasks.values().filter(|task| task.live() && !task.driven);
            let ids: Vec<String> = live.map(|task| task.id.clone()).collect();
            for id in ids {
                revise_one(region, service, &id);
            }
        });
    }
}

fn revise_one(region: &mut Region, service: &mut Service, id: &str) {
    let Some(task) = service.tasks.get_mut(id) else { return };
    let definition = task_definition::find(region, &task.definition).map(|definition| definition.body.clone());
    let definition = definition.unwrap_or(Value::Null);
    let behaviour = task::behaviour(region, &definition, &task.settings);
    if behaviour == task.behaviour {
        return;
    }
    let before = std::mem::replace(&mut task.behaviour, behaviour);
    if task.phase == Phase::Running {
        judge_anew(region, service, id, &definition);
    } else if before == Behaviour::StuckProvisioning {
        task_step::enter(region, service, id, Phase::Provisioning, region.settings.times.provision);
    }
}

fn judge_anew(region: &mut Region, service: &mut Service, id: &str, definition: &Value) {
    let Some(task) = service.tasks.get(id) else { return };
    task_step::register_targets(region, task);
    let (delay, verdict) = of(region, service, task, definition);
    if let Some(task) = service.tasks.get_mut(id) {
        task.verdict = Some(verdict);
    }
    task_step::enter(region, service, id, Phase::Running, delay);
}
