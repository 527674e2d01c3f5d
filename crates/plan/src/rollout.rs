//! Is the rollout done, moving, failed or rolled back - and what is waited for. Read from AWS, never remembered.
//!
//! "running == desired" alone proves nothing: it is also true before a new deployment appears, while tasks are not yet
//! healthy, and after a rollback. Done means that the PRIMARY deployment runs *our* revision and ECS calls it COMPLETED.

use fargateer_api::Reason;
use fargateer_api::seeded::{Bug, has};
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
    let why = primary.rollout_state_reason.clone().unwrap_or_default();
    if primary.task_definition != revision {
        // ECS says so in the words of the deployment it returns to.
        if why.contains("rolling back") {
            let to = primary.task_definition.rsplit('/').next().unwrap_or_default();
            return moving(Reason::RollingOut, format!("ECS returns to {to}: {why}"));
        }
        return moving(Reason::NotYetVisible, "the new deployment is not visible yet".to_owned());
    }
    match primary.rollout_state.as_deref() {
        Some("FAILED") => Rollout::Failed { first: deployments.len() == 1, message: why },
        Some("COMPLETED") | None => settled(live, primary, &deployments),
        Some(_) if has(Bug::ReadyTooSoon) && primary.running_count > 0 => Rollout::Done,
        Some(_) => moving(waiting_for(primary), progress(primary)),
    }
}

/// The revision of which tasks of `live` run, by its name; the newest one, where there are several.
pub fn serving(live: &Live) -> Option<String> {
    let running = live.deployments().into_iter().find(|deployment| deployment.running_count > 0)?;
    running.task_definition.rsplit('/').next().map(str::to_owned)
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn deployment(number: u32, status: &str, state: &str, running: u32) -> Value {
        json!({"id": format!("ecs-svc/{number}"), "status": status, "taskDefinition": format!("bot:{number}"),
            "desiredCount": 2, "runningCount": running, "pendingCount": 0, "failedTasks": 0, "rolloutState": state,
            "rolloutStateReason": "why"})
    }

    fn live(running: u32, deployments: &[Value]) -> Live {
        let document = json!({"desiredCount": 2, "runningCount": running, "deployments": deployments});
        Live { document: document.as_object().unwrap().clone() }
    }

    fn reason(rollout: &Rollout) -> Option<Reason> {
        if let Rollout::Moving { reason, .. } = rollout { Some(*reason) } else { None }
    }

    #[test]
    fn a_rollback_under_way_is_told_as_one() {
        let mut returning = deployment(1, "PRIMARY", "IN_PROGRESS", 1);
        returning["rolloutStateReason"] =
            json!("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.");
        let live = live(1, &[returning, deployment(2, "ACTIVE", "FAILED", 0)]);
        let Rollout::Moving { reason, message } = judge(&live, "bot:2") else { panic!("it moves") };
        assert_eq!(reason, Reason::RollingOut);
        assert!(message.starts_with("ECS returns to bot:1: ECS deployment circuit breaker"), "{message}");
        assert_eq!(serving(&live).as_deref(), Some("bot:1"));
    }

    #[test]
    fn done_is_our_revision_completed_with_every_task_running() {
        assert_eq!(judge(&live(2, &[deployment(1, "PRIMARY", "COMPLETED", 2)]), "bot:1"), Rollout::Done);
    }

    #[test]
    fn a_rollback_is_not_success_though_all_tasks_run() {
        let rolled_back = live(2, &[deployment(1, "PRIMARY", "COMPLETED", 2)]);
        assert_eq!(reason(&judge(&rolled_back, "bot:2")), Some(Reason::NotYetVisible));
    }

    #[test]
    fn a_service_without_a_primary_deployment_is_not_stable() {
        assert_eq!(reason(&judge(&live(2, &[]), "bot:1")), Some(Reason::NotYetVisible));
        let leaving = live(2, &[deployment(1, "ACTIVE", "COMPLETED", 2)]);
        assert_eq!(reason(&judge(&leaving, "bot:1")), Some(Reason::NotYetVisible));
    }

    #[test]
    fn tasks_that_run_before_ecs_calls_the_rollout_completed_are_not_healthy_yet() {
        let found = judge(&live(2, &[deployment(1, "PRIMARY", "IN_PROGRESS", 2)]), "bot:1");
        let message = "2 of 2 tasks running, 0 starting, not all healthy yet".to_owned();
        assert_eq!(found, Rollout::Moving { reason: Reason::WaitingForHealthy, message });
        let found = judge(&live(1, &[deployment(1, "PRIMARY", "IN_PROGRESS", 1)]), "bot:1");
        let message = "1 of 2 tasks running, 0 starting".to_owned();
        assert_eq!(found, Rollout::Moving { reason: Reason::RollingOut, message });
    }

    #[test]
    fn a_task_missing_after_completion_is_not_done() {
        let short = deployment(1, "PRIMARY", "COMPLETED", 1);
        assert_eq!(reason(&judge(&live(2, &[short]), "bot:1")), Some(Reason::RollingOut));
        let full = deployment(1, "PRIMARY", "COMPLETED", 2);
        assert_eq!(reason(&judge(&live(1, &[full]), "bot:1")), Some(Reason::WaitingForHealthy));
    }

    #[test]
    fn tasks_of_an_older_revision_keep_the_rollout_moving() {
        let both = [deployment(2, "ACTIVE", "COMPLETED", 1), deployment(1, "PRIMARY", "COMPLETED", 2)];
        let found = judge(&live(3, &both), "bot:1");
        let message = "1 tasks of an older revision are still running".to_owned();
        assert_eq!(found, Rollout::Moving { reason: Reason::RollingOut, message });
    }

    #[test]
    fn failing_tasks_are_told_and_counted() {
        let mut primary = deployment(1, "PRIMARY", "IN_PROGRESS", 0);
        primary["failedTasks"] = json!(3);
        let message = "0 of 2 tasks running, 0 starting, 3 failed in a row".to_owned();
        let found = judge(&live(0, &[primary]), "bot:1");
        assert_eq!(found, Rollout::Moving { reason: Reason::TasksFailing, message });
    }

    #[test]
    fn the_first_deployment_has_nothing_to_roll_back_to() {
        let failed = deployment(1, "PRIMARY", "FAILED", 0);
        let first = Rollout::Failed { first: true, message: "why".to_owned() };
        assert_eq!(judge(&live(0, std::slice::from_ref(&failed)), "bot:1"), first);
        let older = deployment(2, "ACTIVE", "COMPLETED", 2);
        let later = Rollout::Failed { first: false, message: "why".to_owned() };
        assert_eq!(judge(&live(2, &[failed, older]), "bot:1"), later);
    }

    #[test]
    fn a_service_scaled_to_zero_is_done_with_no_task() {
        let mut primary = deployment(1, "PRIMARY", "COMPLETED", 0);
        primary["desiredCount"] = json!(0);
        let mut live = live(0, std::slice::from_ref(&primary));
        live.document.insert("desiredCount".to_owned(), json!(0));
        assert_eq!(judge(&live, "bot:1"), Rollout::Done);
        primary["rolloutState"] = json!("IN_PROGRESS");
        live.document.insert("deployments".to_owned(), json!([primary]));
        assert_eq!(reason(&judge(&live, "bot:1")), Some(Reason::RollingOut));
    }

    #[test]
    fn a_deployment_ecs_gave_up_is_a_rejection_and_a_success_is_none() {
        let verdict = |status: &str| Verdict {
            arn: String::new(),
            task_definition: String::new(),
            status: status.to_owned(),
            reason: String::new(),
        };
        for status in ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"] {
            assert!(verdict(status).is_rejection(), "{status}");
        }
        for status in ["SUCCESSFUL", "IN_PROGRESS", "STOPPED", "PENDING"] {
            assert!(!verdict(status).is_rejection(), "{status}");
        }
    }
}
