//! The only retry rule: what a status means for when the agent is looked at again. Nothing is retried never again.

use std::time::Duration;

use fargateer_api::seeded::{Bug, has};
use fargateer_api::status::{AgentDeploymentStatus, ConditionType, Reason};
use fargateer_plan::failure::Class;
use jiff::Timestamp;

/// How often a rollout is looked at. Reads of all rolling agents coincide and share calls.
pub const POLL: Duration = Duration::from_secs(5);
/// How often tasks that fail again and again, outside of any rollout, are looked at.
pub const PULSE: Duration = Duration::from_secs(30);
/// How often something that waits for time is looked at (no AWS call is spent on it).
pub const PAUSE: Duration = Duration::from_secs(2);

/// When to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// With the next sweep over the fleet.
    Resync,
    /// After so long; no failure is counted.
    Wait(Duration),
    /// At this time.
    At(Timestamp),
    /// By the backoff of this class.
    Retry(Class),
    /// Slowly: only a person or another spec helps.
    Slow,
    /// Never: nothing is left.
    Forget,
    /// Not at all: another replica does, or this one when it may again. Then it is woken.
    Yield,
}

impl Next {
    /// What `status` means for when to look again.
    pub fn after(status: &AgentDeploymentStatus) -> Self {
        if let Some(until) = status.frozen_until.as_ref().and_then(|until| until.parse().ok()) {
            return Self::At(until);
        }
        status.condition(ConditionType::Ready).map_or(Self::Resync, |ready| Self::for_reason(ready.reason))
    }

    fn for_reason(reason: Reason) -> Self {
        match reason {
            Reason::Converged
            | Reason::Fine
            | Reason::NotConfigured
            | Reason::NotObserved
            | Reason::Drifted
            | Reason::DriftLeftAlone
            | Reason::Suspended
            // Whoever waits for others is woken by them.
            | Reason::WaitingForDependency
            | Reason::DependencyMissing
            | Reason::DependencyCycle
            | Reason::WaitingForTurn
            | Reason::RolloutHeld
            | Reason::Frozen => Self::Resync,
            Reason::Applying | Reason::BuildingImage | Reason::RollingOut | Reason::WaitingForHealthy => Self::Wait(POLL),
            Reason::TasksFailing if has(Bug::PollsForEver) => Self::Wait(POLL),
            Reason::TasksFailing | Reason::DeletionBlocked => Self::Wait(PULSE),
            Reason::PruneGrace | Reason::PruneBlocked => Self::Wait(PAUSE),
            Reason::WaitingForQuota | Reason::Throttled => Self::Retry(Class::Throttled),
            Reason::WaitingForConflict | Reason::Deleting => Self::Retry(Class::Conflict),
            Reason::NotYetVisible => Self::Retry(Class::NotYetVisible),
            Reason::Unavailable | Reason::RegistryUnavailable | Reason::InternalError => Self::Retry(Class::Transient),
            Reason::AccessDenied
            | Reason::NoCredentials
            | Reason::RoleRefused
            | Reason::QuotaExceeded
            | Reason::ClusterNotFound
            | Reason::TargetGroupNotFound
            | Reason::ImageNotFound
            | Reason::RegistryDenied
            | Reason::BuilderFailed
            // The code may be mended in its folder, which no source speaks of.
            | Reason::ContextInvalid
            | Reason::DependenciesUnresolvable
            | Reason::BaseImageUnusable
            | Reason::RegistryRefused
            | Reason::VerificationFailed => Self::Retry(Class::Denied),
            Reason::FirstDeploymentFailed
            | Reason::DeploymentFailed
            | Reason::RolledBack
            | Reason::InvalidSpec
            | Reason::SourceUnavailable
            | Reason::Rejected
            | Reason::InvalidRequest
            | Reason::Conflict
            | Reason::NotOurs
            | Reason::ManagedElsewhere => Self::Slow,
            // What is left running on purpose is nobody's to look after any more.
            Reason::Deleted | Reason::Retained => Self::Forget,
        }
    }

    /// Why then, in words for a status.
    pub fn words(self) -> &'static str {
        match self {
            Self::Resync => "resync",
            Self::Wait(_) => "progress",
            Self::At(_) => "end of the freeze",
            Self::Retry(_) => "retry",
            Self::Slow => "slow re-probe",
            Self::Forget => "never",
            Self::Yield => "another replica",
        }
    }
}
