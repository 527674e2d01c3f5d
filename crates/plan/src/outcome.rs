//! What came of a pass, in one sentence: whether the agent is ready, whether something is still done about it, and why.

use fargateer_api::seeded::{Bug, has};
use fargateer_api::status::{Reason, Truth};

use crate::desired::Desired;
use crate::failure::{Class, Failure};
use crate::guard::Gate;
use crate::pass::Pass;
use crate::rollout::Rollout;
use crate::seen::Seen;

/// The sum of a pass.
pub(crate) struct Outcome {
    pub(crate) ready: Truth,
    pub(crate) reconciling: bool,
    pub(crate) stalled: bool,
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

impl Outcome {
    fn ready() -> Self {
        let message = "the newest spec runs, all tasks healthy".to_owned();
        Self { ready: Truth::True, reconciling: false, stalled: false, reason: Reason::Converged, message }
    }

    fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: Truth::False, reconciling: true, stalled: false, reason, message: message.into() }
    }

    pub(crate) fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: Truth::False, reconciling: false, stalled: true, reason, message: message.into() }
    }

    fn rest(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: Truth::False, reconciling: false, stalled: false, reason, message: message.into() }
    }
}

/// What came of `pass`, which ended with `result`.
pub(crate) fn outcome(pass: &Pass, result: &Result<(), Failure>) -> Outcome {
    if let Err(failure) = result {
        return failed(failure);
    }
    if let Some(gate) = &pass.plan.gate {
        return gated(gate, pass);
    }
    // Told before anything is made.
    let from_nothing = pass.plan.rollout.is_none() && matches!(pass.desired, Desired::Present(_));
    if !pass.plan.waves.is_empty() && (pass.let_roll || from_nothing) {
        let turn = if pass.let_roll { "it is this agent's turn to roll" } else { "its resources are being made" };
        return Outcome::waiting(Reason::Applying, turn);
    }
    match &pass.desired {
        Desired::Absent(departure, _) if pass.plan.gone && departure.inventory.release.is_some() => {
            Outcome::rest(Reason::Retained, "handed back: its resources go on running, and none carries our tags")
        }
        Desired::Absent(..) if pass.plan.gone && pass.observed.active_service().is_some() => Outcome::rest(
            Reason::Deleted,
            "forgotten here; the service of its name is somebody else's and stays as it is",
        ),
        Desired::Absent(..) if pass.plan.gone => Outcome::rest(Reason::Deleted, "nothing of it is left in AWS"),
        Desired::Absent(..) => Outcome::waiting(Reason::Deleting, "waits until ECS has drained the service"),
        Desired::Present(wanted) if has(Bug::SecretInStatus) => {
            let message = format!("{:?}", wanted.agent.spec.container.environment);
            Outcome { message, ..rolled(pass.plan.rollout.as_ref()) }
        }
        Desired::Present(_) | Desired::Unclear(..) => verified(rolled(pass.plan.rollout.as_ref()), pass),
    }
}

/// A rollout that is done counts when the smoke checks, where there are any, passed.
fn verified(outcome: Outcome, pass: &Pass) -> Outcome {
    if outcome.ready != Truth::True {
        return outcome;
    }
    match &pass.observed.probe {
        Seen::Present(probe) if !probe.passed() => Outcome::stalled(
            Reason::VerificationFailed,
            format!("the smoke checks failed: {}", probe.failures.join("; ")),
        ),
        Seen::Unknown(failure) => Outcome { ready: Truth::Unknown, ..failed(failure) },
        Seen::Present(_) | Seen::NotLooked | Seen::Absent => outcome,
    }
}

fn rolled(rollout: Option<&Rollout>) -> Outcome {
    match rollout {
        Some(Rollout::Done) => Outcome::ready(),
        Some(Rollout::Moving { reason, message }) => Outcome::waiting(*reason, message.clone()),
        Some(Rollout::Failed { first: true, message }) => {
            let message = format!("the first deployment failed and there is nothing to roll back to: {message}");
            Outcome::stalled(Reason::FirstDeploymentFailed, message)
        }
        Some(Rollout::Failed { first: false, message }) => {
            Outcome::stalled(Reason::DeploymentFailed, format!("the deployment failed: {message}"))
        }
        None => Outcome::waiting(Reason::NotYetVisible, "the service is not visible yet"),
    }
}

fn failed(failure: &Failure) -> Outcome {
    match failure.class {
        Class::Invalid | Class::Denied => Outcome::stalled(failure.reason, failure.to_string()),
        Class::Throttled | Class::Transient | Class::Conflict | Class::NotYetVisible => {
            Outcome::waiting(failure.reason, failure.to_string())
        }
    }
}

fn gated(gate: &Gate, pass: &Pass) -> Outcome {
    match gate {
        Gate::Suspended(message) => {
            let ready = pass.plan.rollout == Some(Rollout::Done) && pass.differences.is_empty();
            let ready = if ready { Truth::True } else { Truth::Unknown };
            Outcome { ready, ..Outcome::rest(Reason::Suspended, message) }
        }
        Gate::Rejected(message) => Outcome::stalled(Reason::Rejected, message),
        Gate::Dependency(Reason::WaitingForDependency, message) => {
            Outcome::waiting(Reason::WaitingForDependency, message)
        }
        Gate::Unclear(reason, message) | Gate::NotOurs(reason, message) | Gate::Dependency(reason, message) => {
            Outcome::stalled(*reason, message)
        }
        Gate::Frozen(_, message) => Outcome::waiting(Reason::Frozen, message),
        Gate::Turn(reason, message) => Outcome::waiting(*reason, message),
        Gate::Unknown(failure) => Outcome { ready: Truth::Unknown, ..failed(failure) },
        Gate::ImageNotFound(message) => Outcome::stalled(Reason::ImageNotFound, message),
        Gate::Building(message) => Outcome::waiting(Reason::BuildingImage, message),
        Gate::NotBuilt(failure) => failed(failure),
        Gate::TargetGroupNotFound(message) => Outcome::stalled(Reason::TargetGroupNotFound, message),
        Gate::Draining(message) => Outcome::waiting(draining_reason(pass), message),
        Gate::RolledBack(message) => Outcome::stalled(Reason::RolledBack, message),
        Gate::DriftLeftAlone => left_alone(pass),
        Gate::Kept(reason, message) => Outcome::rest(*reason, message),
    }
}

/// With drift left alone, an agent is Ready only if the spec's revision is what runs; another one is left at rest.
fn left_alone(pass: &Pass) -> Outcome {
    let live = pass.observed.active_service().map(|live| live.text("taskDefinition"));
    if live != pass.plan.revision.as_deref() {
        return Outcome::rest(Reason::DriftLeftAlone, drift_message(pass));
    }
    let rollout = rolled(pass.plan.rollout.as_ref());
    let message = if rollout.ready == Truth::True { drift_message(pass) } else { rollout.message };
    Outcome { reason: Reason::DriftLeftAlone, message, ..rollout }
}

fn draining_reason(pass: &Pass) -> Reason {
    if let Desired::Absent(..) = pass.desired { Reason::Deleting } else { Reason::WaitingForConflict }
}

pub(crate) fn drift_message(pass: &Pass) -> String {
    let fields: Vec<&str> = pass.differences.iter().map(|difference| difference.field.as_str()).collect();
    format!("differs from the spec: {}", fields.join(", "))
}
