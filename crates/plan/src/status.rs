//! `report`: one pass becomes a status. The only author of conditions; events follow from what changed.

use fargateer_api::status::{
    AgentDeploymentStatus, Condition, ConditionType, DriftStatus, HistoryEntry, Inventory, Reason, RolloutStatus, Truth,
};
use fargateer_api::{Generation, Key};
use jiff::Timestamp;
use serde_json::Value;

use crate::desired::{Desired, Wanted};
use crate::failure::{Class, Failure};
use crate::guard::Gate;
use crate::pass::Pass;
use crate::rollout::Rollout;
use crate::{cost, diagnosis, tags};

/// How many changes the history keeps.
const HISTORY: usize = 10;
/// A message is at most so long: a status row must stay small, and AWS's texts need not.
const MESSAGE: usize = 1000;

/// The status after `pass`, which ended with `result`, given the `previous` one.
pub fn report(
    pass: &Pass,
    result: &Result<(), Failure>,
    previous: &AgentDeploymentStatus,
    now: Timestamp,
) -> AgentDeploymentStatus {
    let outcome = outcome(pass, result);
    let mut status = AgentDeploymentStatus { source: Some(pass.source.clone()), ..previous.clone() };
    status.next = None;
    if let Desired::Present(wanted) = &pass.desired {
        status.observed_generation = Some(wanted.generation.clone());
        status.cost = cost::monthly(&wanted.agent, wanted.agent.spec.desired_count);
        status.inventory = inventory(wanted, pass, &previous.inventory);
    }
    live_facts(&mut status, pass);
    status.failure = pass.observed.stopped.present().and_then(|tasks| diagnosis::failure(tasks));
    if was_carried_through(previous, status.observed_generation.as_ref()) {
        drift(&mut status, pass, &outcome, now);
    }
    history(&mut status, pass, now);
    let mut outcome = outcome;
    if let Some(advice) = status.failure.as_ref().and_then(|failure| failure.advice.as_ref()) {
        outcome.message = format!("{}; {advice}", outcome.message);
    }
    let stamp = Stamp { previous, generation: status.observed_generation.clone(), now };
    status.conditions = conditions(pass, &outcome).into_iter().map(|fact| stamp.condition(&fact)).collect();
    status
}

/// The status of a pass that panicked: the fault is ours, the agent is left as it is.
pub fn panicked(key: &Key, previous: &AgentDeploymentStatus, now: Timestamp) -> AgentDeploymentStatus {
    let message = format!("the reconcile step of {key} failed unexpectedly; it is tried again later");
    let facts = [
        Fact::new(ConditionType::Ready, Truth::Unknown, Reason::InternalError, message.clone()),
        Fact::new(ConditionType::Reconciling, Truth::True, Reason::InternalError, message.clone()),
        Fact::new(ConditionType::Stalled, Truth::False, Reason::InternalError, message),
    ];
    let stamp = Stamp { previous, generation: previous.observed_generation.clone(), now };
    let conditions = facts.into_iter().map(|fact| stamp.condition(&fact)).collect();
    AgentDeploymentStatus { conditions, ..previous.clone() }
}

/// The sum of a pass.
struct Outcome {
    ready: Truth,
    reconciling: bool,
    stalled: bool,
    reason: Reason,
    message: String,
}

impl Outcome {
    fn ready() -> Self {
        let message = "the newest spec runs, all tasks healthy".to_owned();
        Self { ready: Truth::True, reconciling: false, stalled: false, reason: Reason::Converged, message }
    }

    fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: Truth::False, reconciling: true, stalled: false, reason, message: message.into() }
    }

    fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: Truth::False, reconciling: false, stalled: true, reason, message: message.into() }
    }

    fn rest(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: Truth::False, reconciling: false, stalled: false, reason, message: message.into() }
    }
}

fn outcome(pass: &Pass, result: &Result<(), Failure>) -> Outcome {
    if let Err(failure) = result {
        return failed(failure);
    }
    if let Some(gate) = &pass.plan.gate {
        return gated(gate, pass);
    }
    match &pass.desired {
        Desired::Absent(..) if pass.plan.gone => Outcome::rest(Reason::Deleted, "nothing of it is left in AWS"),
        Desired::Absent(..) => Outcome::waiting(Reason::Deleting, "waits until ECS has drained the service"),
        Desired::Present(_) | Desired::Unclear(..) => rolled(pass.plan.rollout.as_ref()),
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
        Gate::Unclear(reason, message) | Gate::NotOurs(reason, message) => Outcome::stalled(*reason, message),
        Gate::Suspended(message) => {
            let ready = pass.plan.rollout == Some(Rollout::Done) && pass.differences.is_empty();
            let ready = if ready { Truth::True } else { Truth::Unknown };
            Outcome { ready, ..Outcome::rest(Reason::Suspended, message) }
        }
        Gate::Dependency(message) => Outcome::waiting(Reason::WaitingForDependency, message),
        Gate::Unknown(failure) => Outcome { ready: Truth::Unknown, ..failed(failure) },
        Gate::ImageNotFound(message) => Outcome::stalled(Reason::ImageNotFound, message),
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

/// One thing that is so, before it gets its time.
struct Fact {
    kind: ConditionType,
    truth: Truth,
    reason: Reason,
    message: String,
}

impl Fact {
    fn new(kind: ConditionType, truth: Truth, reason: Reason, message: impl Into<String>) -> Self {
        Self { kind, truth, reason, message: message.into() }
    }
}

/// What a condition gets beside the fact: its generation, and a time that moves only when its truth does.
struct Stamp<'a> {
    previous: &'a AgentDeploymentStatus,
    generation: Option<Generation>,
    now: Timestamp,
}

impl Stamp<'_> {
    fn condition(&self, fact: &Fact) -> Condition {
        let before = self.previous.condition(fact.kind).filter(|condition| condition.status == fact.truth);
        let time = before.map_or_else(|| self.now.to_string(), |condition| condition.last_transition_time.clone());
        let message = fact.message.chars().filter(|letter| !letter.is_control()).take(MESSAGE).collect();
        Condition {
            kind: fact.kind,
            status: fact.truth,
            reason: fact.reason,
            message,
            last_transition_time: time,
            observed_generation: self.generation.clone(),
        }
    }
}

fn conditions(pass: &Pass, outcome: &Outcome) -> Vec<Fact> {
    let truth = |holds: bool| if holds { Truth::True } else { Truth::False };
    let Outcome { ready, reconciling, stalled, reason, message } = outcome;
    let mut facts = vec![
        Fact::new(ConditionType::Ready, *ready, *reason, message),
        Fact::new(ConditionType::Reconciling, truth(*reconciling), *reason, message),
        Fact::new(ConditionType::Stalled, truth(*stalled), *reason, message),
        spec_valid(&pass.desired),
    ];
    if let Desired::Present(wanted) = &pass.desired {
        facts.extend(parts(wanted, pass, outcome));
    }
    facts
}

fn spec_valid(desired: &Desired) -> Fact {
    match desired {
        Desired::Unclear(reason, faults) => {
            Fact::new(ConditionType::SpecValid, Truth::False, *reason, faults.join("; "))
        }
        Desired::Present(wanted) if !wanted.faults.is_empty() => {
            let message =
                format!("the newest wording is not usable, the last good one is kept: {}", wanted.faults.join("; "));
            Fact::new(ConditionType::SpecValid, Truth::False, Reason::InvalidSpec, message)
        }
        Desired::Present(_) | Desired::Absent(..) => Fact::new(ConditionType::SpecValid, Truth::True, Reason::Fine, ""),
    }
}

/// The conditions of the parts an agent is made of.
fn parts(wanted: &Wanted, pass: &Pass, outcome: &Outcome) -> Vec<Fact> {
    let spec = &wanted.agent.spec;
    let done = outcome.ready == Truth::True;
    let part = |kind, holds: Option<bool>| match holds {
        Some(true) => Fact::new(kind, Truth::True, Reason::Fine, ""),
        Some(false) => Fact::new(kind, Truth::False, outcome.reason, &outcome.message),
        None => Fact::new(kind, Truth::Unknown, Reason::NotObserved, ""),
    };
    let asked = |asked: bool, fact: Fact| {
        if asked { fact } else { Fact::new(fact.kind, Truth::False, Reason::NotConfigured, "") }
    };
    let image = wanted.image.ecr.is_none().then_some(true).or_else(|| seen_truth(&pass.observed.image));
    let scaling_done = pass.observed.scaling.present().map(|_| pass.plan.waves.is_empty());
    let rolled_back = matches!(pass.plan.gate, Some(Gate::RolledBack(_)));
    let drifted = pass.drift && matches!(pass.plan.gate, Some(Gate::DriftLeftAlone));
    vec![
        part(ConditionType::ImageReady, image),
        part(ConditionType::TaskDefinitionRegistered, pass.plan.revision.as_ref().map(|_| true)),
        part(
            ConditionType::ServiceStable,
            pass.plan.rollout.as_ref().map(|rollout| *rollout == Rollout::Done && !rolled_back),
        ),
        asked(spec.load_balancer.is_some(), part(ConditionType::LoadBalancerReady, Some(done))),
        asked(spec.autoscaling.enabled, part(ConditionType::ScalingConfigured, scaling_done)),
        part(ConditionType::Verified, Some(done)),
        flag(ConditionType::DriftDetected, drifted, Reason::DriftLeftAlone, &drift_message(pass)),
        flag(ConditionType::RolledBack, rolled_back, Reason::RolledBack, &outcome.message),
        flag(
            ConditionType::Suspended,
            matches!(pass.plan.gate, Some(Gate::Suspended(_))),
            Reason::Suspended,
            &outcome.message,
        ),
    ]
}

fn flag(kind: ConditionType, holds: bool, reason: Reason, message: &str) -> Fact {
    if holds { Fact::new(kind, Truth::True, reason, message) } else { Fact::new(kind, Truth::False, Reason::Fine, "") }
}

fn seen_truth<T>(seen: &crate::seen::Seen<T>) -> Option<bool> {
    seen.present().map(|_| true).or_else(|| seen.is_absent().then_some(false))
}

fn drift_message(pass: &Pass) -> String {
    let fields: Vec<&str> = pass.differences.iter().map(|difference| difference.field.as_str()).collect();
    format!("differs from the spec: {}", fields.join(", "))
}

/// What the service says of itself.
fn live_facts(status: &mut AgentDeploymentStatus, pass: &Pass) {
    if let Some(digest) = pass.observed.image.present() {
        status.image_digest = Some(digest.clone());
    }
    if pass.plan.revision.is_some() {
        status.task_definition_arn.clone_from(&pass.plan.revision);
    }
    let Some(live) = pass.observed.service.present() else {
        if pass.observed.service.is_absent() {
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
            reason: primary.rollout_state_reason,
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

fn inventory(wanted: &Wanted, pass: &Pass, previous: &Inventory) -> Inventory {
    let mut inventory = wanted.inventory();
    inventory.arns.clone_from(&previous.arns);
    let live = pass.observed.service.present().filter(|live| live.tags().contains_key(tags::OWNER));
    inventory.arns.extend(live.map(|live| ("service".to_owned(), live.arn().to_owned())));
    inventory.arns.extend(pass.plan.revision.clone().map(|arn| ("taskDefinition".to_owned(), arn)));
    inventory
}

/// Whether the pass before ended well for this generation. What one that did not left undone is no drift, though the
/// service has carried the generation since its create.
fn was_carried_through(previous: &AgentDeploymentStatus, generation: Option<&Generation>) -> bool {
    const ENDED_WELL: &[Reason] = &[
        Reason::Converged,
        Reason::RollingOut,
        Reason::WaitingForHealthy,
        Reason::WaitingForDependency,
        Reason::TasksFailing,
        Reason::FirstDeploymentFailed,
        Reason::DeploymentFailed,
        Reason::RolledBack,
        Reason::DriftLeftAlone,
        Reason::Suspended,
    ];
    let reason = previous.condition(ConditionType::Ready).map(|ready| ready.reason);
    previous.observed_generation.as_ref() == generation && reason.is_some_and(|reason| ENDED_WELL.contains(&reason))
}

fn drift(status: &mut AgentDeploymentStatus, pass: &Pass, outcome: &Outcome, now: Timestamp) {
    if !pass.drift || outcome.reason == Reason::RolledBack {
        return;
    }
    let fields: Vec<String> = pass.differences.iter().map(|difference| difference.field.clone()).collect();
    let corrected = !pass.done.is_empty();
    let same = status.last_drift.as_ref().is_some_and(|drift| drift.fields == fields && drift.corrected == corrected);
    if !same || corrected {
        status.last_drift = Some(DriftStatus { fields, at: now.to_string(), corrected });
    }
}

fn history(status: &mut AgentDeploymentStatus, pass: &Pass, now: Timestamp) {
    if pass.done.is_empty() {
        return;
    }
    let actions = pass.done.iter().map(ToString::to_string).collect();
    let entry = HistoryEntry { at: now.to_string(), generation: status.observed_generation.clone(), actions };
    status.history.insert(0, entry);
    status.history.truncate(HISTORY);
}
