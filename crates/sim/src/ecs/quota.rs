//! The quotas of tasks: the vCPUs that may run at once in a region, and the launches of a service in a minute.
//!
//! "Fargate On-Demand vCPU resource count", six for a new account. On-demand and Spot share one count here.

use super::{event, task_definition};
use crate::input::Members;
use crate::state::ecs::{Phase, Service};
use crate::state::{Region, Timer};
use std::time::Duration;

/// How many more tasks of the service's primary deployment may run.
pub(super) fn allowed(region: &Region, service: &Service) -> usize {
    let Some(quota) = region.settings.vcpu_quota else {
        return usize::MAX;
    };
    let definition = service.deployments.first().map(|primary| primary.task_definition.as_str());
    let each = definition.map_or(0, |definition| cpu(region, definition));
    if each == 0 {
        return usize::MAX;
    }
    let others = region.ecs.services.values().map(|other| used(region, other)).sum::<u32>();
    let left = quota.saturating_mul(1024).saturating_sub(others + used(region, service));
    (left / each) as usize
}

/// CPU units of the service's tasks. The service being scheduled is lent out of the region, and counted by itself.
fn used(region: &Region, service: &Service) -> u32 {
    let tasks = service.tasks.values().filter(|task| task.phase != Phase::Stopped);
    tasks.map(|task| cpu(region, &task.definition)).sum()
}

fn cpu(region: &Region, definition: &str) -> u32 {
    let definition = task_definition::find(region, definition);
    definition.and_then(|definition| definition.body.whole("cpu")).and_then(|cpu| u32::try_from(cpu).ok()).unwrap_or(0)
}

const MINUTE: Duration = Duration::from_mins(1);

/// How many more tasks the scheduler may launch for the service now: 500 a minute in the large regions.
pub(super) fn pace(region: &Region, service: &Service) -> usize {
    let recent = service.tasks.values().filter(|task| task.created + MINUTE > region.now);
    500_usize.saturating_sub(recent.count())
}

/// Has the scheduler look again when the oldest launch of the last minute no longer counts.
pub(super) fn wait(region: &mut Region, service: &Service) {
    let recent = service.tasks.values().map(|task| task.created + MINUTE).filter(|until| *until > region.now);
    let delay = recent.min().map_or(MINUTE, |until| until.saturating_sub(region.now));
    let timer = Timer::Service { cluster: service.cluster.clone(), service: service.name.clone() };
    region.after(delay.max(Duration::from_secs(1)), timer);
}

/// Says so, and tries again in a while.
pub(super) fn retry(region: &mut Region, service: &mut Service) {
    const PAUSE: Duration = Duration::from_secs(30);
    let message = "was unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run \
                   concurrently.";
    event::add_once(region, service, message);
    let (cluster, name) = (service.cluster.clone(), service.name.clone());
    service.launch_after = region.now + PAUSE;
    region.after(PAUSE, Timer::Service { cluster, service: name });
}
