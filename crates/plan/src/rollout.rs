//! Is the rollout done, moving, failed or rolled back - and what is waited for. Read from AWS, never remembered.
//!
//! "running == desired" alone proves nothing: it is also true before a new deployment appears, while tasks are not yet
//! healthy, and after a rollback. Done means that the PRIMARY deployment runs *our* revision and ECS calls it COMPLETED.

use fargateer_api::Reason;
use serde::{Deserialize, Serialize};

use crate::service::{Deployment, Live};

/// A service deployment that failed, as ECS keeps it for 90 days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// ARN of the service deployment.
    pub arn: String,
    /// The revision it tried to bring out.
    pub task_definition: String,
    /// `ROLLBACK_SUCCESSFUL`, `ROLLBACK_FAILED`, `ROLLBACK_IN_PROGRESS`, `SUCCESSFUL`, ...
    pub status: String,
    /// ECS's own reason.
    pub reason: String,
}

impl Verdict {
    /// Whether ECS gave this deployment up.
    pub fn is_rejection(&self) -> bool {
        self.status.starts_with("ROLLBACK")
    }
}

/// How far a service is with the wanted revision.
#[derive(Debug, Clone, PartialEq)]
pub enum Rollout {
    /// Done: all tasks run the revision and are healthy.
    Done,
    /// Under way.
    Moving {
        /// What is waited for.
        reason: Reason,
        /// The same in a sentence.
        message: String,
    },
    /// ECS gave up and had nothing to return to.
    Failed {
        /// Whether this was the service's first deployment.
        first: bool,
        /// ECS's own reason.
        message: String,
    },
}

/// How far `live` is with `revision`.
pub fn judge(live: &Live, revision: &str) -> Rollout {
    let deployments = live.deployments();
    let Some(primary) = deployments.first().filter(|deployment| deployment.status == "PRIMARY") else {
        return moving(Reason::NotYetVisible, "the new deployment is not visible yet".to_owned());
    };
    if primary.task_definition != revision {
        return moving(Reason::NotYetVisible, "the new deployment is not visible yet".to_owned());
    }
    let why = primary.rollout_state_reason.clone().unwrap_or_default();
    match primary.rollout_state.as_deref() {
        Some("FAILED") => Rollout::Failed { first: deployments.len() == 1, message: why },
        Some("COMPLETED") | None => settled(live, primary, &deployments),
        Some(_) => moving(waiting_for(primary), progress(primary)),
    }
}

fn settled(live: &Live, primary: &Deployment, deployments: &[Deployment]) -> Rollout {
    let (running, desired) = (live.count("runningCount"), live.count("desiredCount"));
    let older = deployments.iter().skip(1).map(|deployment| deployment.running_count).sum::<u32>();
    if primary.running_count < desired || running < desired {
        return moving(waiting_for(primary), progress(primary));
    }
    if older > 0 {
        return moving(Reason::RollingOut, format!("{older} tasks of an older revision are still running"));
    }
    Rollout::Done
}

fn waiting_for(primary: &Deployment) -> Reason {
    if primary.failed_tasks > 0 {
        Reason::TasksFailing
    } else if primary.running_count >= primary.desired_count && primary.desired_count > 0 {
        Reason::WaitingForHealthy
    } else {
        Reason::RollingOut
    }
}

fn progress(primary: &Deployment) -> String {
    let Deployment { running_count, desired_count, pending_count, failed_tasks, .. } = primary;
    let failed = if *failed_tasks > 0 { format!(", {failed_tasks} failed in a row") } else { String::new() };
    let health = if running_count >= desired_count { ", not all healthy yet" } else { "" };
    format!("{running_count} of {desired_count} tasks running, {pending_count} starting{failed}{health}")
}

fn moving(reason: Reason, message: String) -> Rollout {
    Rollout::Moving { reason, message }
}
