//! What a status repeats of the live service: counts, revision, the newest rollout.

use fargateer_api::status::{AgentDeploymentStatus, RolloutStatus};
use fargateer_api::visible;
use jiff::Timestamp;
use serde_json::Value;

use crate::pass::Pass;

/// Takes what the service says of itself into `status`.
pub(crate) fn facts(status: &mut AgentDeploymentStatus, pass: &Pass) {
    if let Some(digest) = pass.observed.image.present() {
        status.image_digest = Some(digest.clone());
    }
    if let Some(digest) = pass.observed.build.present().and_then(crate::build::Live::digest) {
        status.image_digest = Some(digest.to_owned());
    }
    status.image = crate::built::remembered(&pass.observed).or_else(|| status.image.take());
    if pass.plan.revision.is_some() {
        status.task_definition_arn.clone_from(&pass.plan.revision);
    }
    let gone = pass.observed.service.present().is_some_and(crate::service::Live::is_inactive);
    let Some(live) = pass.observed.service.present().filter(|_| !gone) else {
        if pass.observed.service.is_absent() || gone {
            (status.running_count, status.pending_count, status.desired_count) = (0, 0, 0);
        }
        return;
    };
    status.service_arn = Some(live.arn().to_owned());
    status.running_count = live.count("runningCount");
    status.pending_count = live.count("pendingCount");
    status.desired_count = live.count("desiredCount");
    if let Some(primary) = live.deployments().into_iter().next() {
        status.rollout = Some(RolloutStatus {
            id: primary.id,
            state: primary.rollout_state.unwrap_or_default(),
            reason: primary.rollout_state_reason.as_deref().map(visible),
            started: time(&primary.created_at),
        });
    }
}

/// AWS's timestamps are seconds since 1970 in JSON.
fn time(value: &Value) -> Option<String> {
    let milliseconds = value.as_f64()? * 1000.0;
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit an i64 for 290 million years")]
    Timestamp::from_millisecond(milliseconds as i64).ok().map(|time| time.to_string())
}
