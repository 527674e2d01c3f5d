//! `report`: one pass becomes a status. The only author of conditions; events follow from what changed.

use fargateer_api::status::{
    AgentDeploymentStatus, Condition, ConditionType, DriftStatus, HistoryEntry, Reason, Truth,
};
use fargateer_api::{Generation, Key, visible};
use jiff::Timestamp;

use crate::desired::{Desired, Obstacle, Wanted};
use crate::failure::Failure;
use crate::guard::{self, Gate};
use crate::outcome::{Outcome, drift_message, outcome};
use crate::pass::Pass;
use crate::rollout::Rollout;
use crate::{built, cost, diagnosis, inventory, live, overdue, roll};

/// How many changes the history keeps.
const HISTORY: usize = 10;
/// What is no matter of a deletion's taking long: it is done, not to be, or not ours to do.
const FINAL: &[Reason] = &[Reason::Deleted, Reason::Retained, Reason::NotOurs, Reason::ManagedElsewhere];
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
    let blocked = overdue::blocker(pass, result, now).filter(|_| !FINAL.contains(&outcome.reason));
    let outcome = blocked.map_or(outcome, |why| Outcome::stalled(Reason::DeletionBlocked, why));
    let mut status =
        AgentDeploymentStatus { source: Some(built::source(&pass.source, &pass.observed)), ..previous.clone() };
    status.next = None;
    status.turn = roll::status(pass, result, previous);
    status.frozen_until = match &pass.plan.gate {
        Some(Gate::Frozen(until, _)) => Some(until.to_string()),
        Some(_) | None => None,
    };
    if let Desired::Present(wanted) = &pass.desired {
        status.observed_generation = Some(wanted.generation.clone());
        status.cost = cost::monthly(&wanted.agent, wanted.agent.spec.desired_count);
    }
    // Nothing was made of what is rejected: what a deletion needs is what there was before.
    if !matches!(pass.plan.gate, Some(Gate::Rejected(_))) {
        status.inventory = inventory::after(pass, previous, now);
    }
    live::facts(&mut status, pass);
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
        let message = visible(&fact.message).chars().take(MESSAGE).collect();
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
        spec_valid(pass),
    ];
    if let Desired::Present(wanted) = &pass.desired {
        facts.extend(parts(wanted, pass, outcome));
    }
    facts
}

fn spec_valid(pass: &Pass) -> Fact {
    let invalid = |reason, message: &str| Fact::new(ConditionType::SpecValid, Truth::False, reason, message);
    if let Some(Gate::Rejected(message)) = &pass.plan.gate {
        return invalid(Reason::Rejected, message);
    }
    match &pass.desired {
        Desired::Unclear(reason, faults) => {
            Fact::new(ConditionType::SpecValid, Truth::False, *reason, faults.join("; "))
        }
        Desired::Present(wanted) if !wanted.faults.is_empty() => {
            let (reason, what) = match wanted.obstacle {
                Obstacle::Wording => {
                    (Reason::InvalidSpec, "the newest wording is not usable, the last good one is kept")
                }
                Obstacle::Dispute => (Reason::Conflict, "none of its specs is followed, and what runs stays as it is"),
                Obstacle::Source => {
                    (Reason::SourceUnavailable, "its source cannot be read, the last good wording is kept")
                }
            };
            invalid(reason, &format!("{what}: {}", wanted.faults.join("; ")))
        }
        Desired::Present(wanted) => match guard::dependency(&wanted.circumstances) {
            // A dependency that can never be Ready is told also while there is nothing to change.
            Some(Gate::Dependency(reason, message)) if reason != Reason::WaitingForDependency => {
                invalid(reason, &message)
            }
            Some(_) | None => Fact::new(ConditionType::SpecValid, Truth::True, Reason::Fine, ""),
        },
        Desired::Absent(..) => Fact::new(ConditionType::SpecValid, Truth::True, Reason::Fine, ""),
    }
}

/// The conditions of the parts an agent is made of.
fn parts(wanted: &Wanted, pass: &Pass, outcome: &Outcome) -> Vec<Fact> {
    let spec = &wanted.agent.spec;
    let done = outcome.ready == Truth::True;
    let rolled_back = matches!(pass.plan.gate, Some(Gate::RolledBack(_)));
    // What is said of the revision that was given up says nothing of how the one that serves is reached.
    let judged = (!rolled_back).then_some(done);
    let part = |kind, holds: Option<bool>| match holds {
        Some(true) => Fact::new(kind, Truth::True, Reason::Fine, ""),
        Some(false) => Fact::new(kind, Truth::False, outcome.reason, &outcome.message),
        None => Fact::new(kind, Truth::Unknown, Reason::NotObserved, ""),
    };
    let asked = |asked: bool, fact: Fact| {
        if asked { fact } else { Fact::new(fact.kind, Truth::False, Reason::NotConfigured, "") }
    };
    let image = match wanted.agent.spec.image.build {
        Some(_) if pass.observed.build.failure().is_some() => Some(false),
        Some(_) => pass.observed.build.present().map(|live| live.digest().is_some()),
        None => wanted.image.ecr.is_none().then_some(true).or_else(|| seen_truth(&pass.observed.image)),
    };
    let scaling_done = pass.observed.scaling.present().map(|_| pass.plan.waves.is_empty());
    let drifted = pass.drift && matches!(pass.plan.gate, Some(Gate::DriftLeftAlone));
    vec![
        part(ConditionType::ImageReady, image),
        part(ConditionType::TaskDefinitionRegistered, pass.plan.revision.as_ref().map(|_| true)),
        part(
            ConditionType::ServiceStable,
            pass.plan.rollout.as_ref().map(|rollout| *rollout == Rollout::Done && !rolled_back),
        ),
        asked(spec.load_balancer.is_some(), part(ConditionType::LoadBalancerReady, judged)),
        asked(spec.autoscaling.enabled, part(ConditionType::ScalingConfigured, scaling_done)),
        asked(spec.verify.is_some(), part(ConditionType::Verified, judged)),
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

/// Whether the pass before ended well for this generation. What one that did not left undone is no drift, though the
/// service has carried the generation since its create.
fn was_carried_through(previous: &AgentDeploymentStatus, generation: Option<&Generation>) -> bool {
    const ENDED_WELL: &[Reason] = &[
        Reason::Converged,
        Reason::RollingOut,
        Reason::WaitingForHealthy,
        Reason::WaitingForDependency,
        Reason::DependencyMissing,
        Reason::DependencyCycle,
        Reason::WaitingForTurn,
        Reason::RolloutHeld,
        Reason::Frozen,
        Reason::TasksFailing,
        Reason::FirstDeploymentFailed,
        Reason::DeploymentFailed,
        Reason::RolledBack,
        Reason::VerificationFailed,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
    use crate::desired::{Circumstances, Spec};
    use crate::difference::{Difference, Effect};
    use crate::failure::Class;
    use crate::seen::Seen;
    use crate::{log_group, service};
    use fargateer_api::status::{Inventory, SourceStatus};
    use serde_json::{Value, json};

    fn at(minute: u8) -> Timestamp {
        format!("2026-07-01T12:{minute:02}:00Z").parse().unwrap()
    }

    fn spec(more: &Value, faults: &[&str]) -> Spec {
        let mut spec =
            json!({"cluster": "agents", "image": {"uri": "public.ecr.aws/x:1"}, "network": {"subnets": ["subnet-1"]}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let document =
            json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "bot"}, "spec": spec});
        let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
        let source = SourceStatus { location: "bot.yaml:1".to_owned(), ..SourceStatus::default() };
        Spec::Present {
            agent: crate::prepared::Prepared::shared(serde_json::from_value(document).unwrap()),
            source,
            faults,
            obstacle: Obstacle::Wording,
        }
    }

    fn pass_of(spec: Spec) -> Pass {
        Pass::toward(Key::new("bot"), spec, Circumstances::default())
    }

    fn pass(rollout: Rollout) -> Pass {
        let mut pass = pass_of(spec(&json!({}), &[]));
        pass.plan.rollout = Some(rollout);
        pass
    }

    fn moving(message: &str) -> Rollout {
        Rollout::Moving { reason: Reason::RollingOut, message: message.to_owned() }
    }

    fn failure(class: Class) -> Failure {
        let (operation, code) = ("ecs.UpdateService".to_owned(), "Oops".to_owned());
        Failure { class, reason: Reason::Unavailable, operation, code, message: "sorry".to_owned() }
    }

    fn told(pass: &Pass, result: &Result<(), Failure>) -> AgentDeploymentStatus {
        report(pass, result, &AgentDeploymentStatus::default(), at(0))
    }

    fn truth(status: &AgentDeploymentStatus, kind: ConditionType) -> Truth {
        status.condition(kind).unwrap().status
    }

    fn difference() -> Difference {
        let (field, have, want) = ("/service/desiredCount".to_owned(), json!(4), json!(1));
        Difference { field, have, want, effect: Effect::InPlace }
    }

    fn action(name: &str) -> Action {
        Action::LogGroup(log_group::Change::Delete { name: name.to_owned() })
    }

    #[test]
    fn a_transition_time_moves_only_when_the_truth_does() {
        let first = report(&pass(moving("1 of 2")), &Ok(()), &AgentDeploymentStatus::default(), at(0));
        let second = report(&pass(moving("2 of 2")), &Ok(()), &first, at(1));
        let ready = second.condition(ConditionType::Ready).unwrap();
        assert_eq!((ready.message.as_str(), &ready.last_transition_time), ("2 of 2", &at(0).to_string()));
        let third = report(&pass(Rollout::Done), &Ok(()), &second, at(2));
        let ready = third.condition(ConditionType::Ready).unwrap();
        assert_eq!((ready.status, &ready.last_transition_time), (Truth::True, &at(2).to_string()));
        let stalled = third.condition(ConditionType::Stalled).unwrap();
        assert_eq!(stalled.last_transition_time, at(0).to_string());
    }

    #[test]
    fn a_message_is_short_and_has_no_control_characters() {
        let message = format!("a\u{1b}[31m\nb{}", "x".repeat(5000));
        let status = told(&pass(moving(&message)), &Ok(()));
        let told = &status.condition(ConditionType::Ready).unwrap().message;
        assert!(told.starts_with("a\\u{1b}[31m\\nbxx"), "{told}");
        assert_eq!(told.chars().count(), MESSAGE);
    }

    #[test]
    fn the_history_keeps_the_newest_ten_changes() {
        let mut status = AgentDeploymentStatus::default();
        for minute in 0..12 {
            let mut pass = pass(Rollout::Done);
            pass.done = vec![action("group")];
            status = report(&pass, &Ok(()), &status, at(minute));
        }
        assert_eq!(status.history.len(), HISTORY);
        assert_eq!((&status.history[0].at, &status.history[9].at), (&at(11).to_string(), &at(2).to_string()));
        assert_eq!(status.history[0].actions, ["logs.DeleteLogGroup group"]);
        let quiet = report(&pass(Rollout::Done), &Ok(()), &status, at(20));
        assert_eq!(quiet.history, status.history, "a pass that does nothing is no history");
    }

    #[test]
    fn an_error_a_person_must_mend_stalls_and_any_other_is_tried_again() {
        for class in [Class::Invalid, Class::Denied] {
            let status = told(&pass(Rollout::Done), &Err(failure(class)));
            assert!(status.is(ConditionType::Stalled) && !status.is(ConditionType::Reconciling), "{class:?}");
            assert_eq!(truth(&status, ConditionType::Ready), Truth::False);
        }
        for class in [Class::Throttled, Class::Transient, Class::Conflict, Class::NotYetVisible] {
            let status = told(&pass(Rollout::Done), &Err(failure(class)));
            assert!(!status.is(ConditionType::Stalled) && status.is(ConditionType::Reconciling), "{class:?}");
            let message = &status.condition(ConditionType::Ready).unwrap().message;
            assert_eq!(message, "ecs.UpdateService: Oops: sorry");
        }
    }

    #[test]
    fn a_look_that_failed_leaves_ready_unknown() {
        let mut pass = pass(Rollout::Done);
        pass.plan.gate = Some(Gate::Unknown(failure(Class::Throttled)));
        assert_eq!(truth(&told(&pass, &Ok(())), ConditionType::Ready), Truth::Unknown);
    }

    #[test]
    fn drift_is_remembered_with_its_time_until_it_changes() {
        let mut drifted = pass(Rollout::Done);
        (drifted.drift, drifted.differences) = (true, vec![difference()]);
        let before = told(&pass(Rollout::Done), &Ok(()));
        let first = report(&drifted, &Ok(()), &before, at(0));
        let seen = first.last_drift.clone().unwrap();
        assert_eq!((seen.fields.len(), seen.corrected, &seen.at), (1, false, &at(0).to_string()));
        let second = report(&drifted, &Ok(()), &first, at(1));
        assert_eq!(second.last_drift, first.last_drift);
        drifted.done = vec![action("x")];
        let third = report(&drifted, &Ok(()), &second, at(2));
        assert_eq!(
            third.last_drift.as_ref().map(|drift| (drift.corrected, drift.at.clone())),
            Some((true, at(2).to_string()))
        );
        let fourth = report(&drifted, &Ok(()), &third, at(3));
        assert_eq!(fourth.last_drift.unwrap().at, at(3).to_string(), "put right once more");
        let calm = report(&pass(Rollout::Done), &Ok(()), &first, at(4));
        assert_eq!(calm.last_drift, first.last_drift);
    }

    #[test]
    fn a_rollback_is_no_drift() {
        let mut held = pass(moving(""));
        (held.drift, held.differences) = (true, vec![difference()]);
        held.plan.gate = Some(Gate::RolledBack("no".to_owned()));
        let status = told(&held, &Ok(()));
        assert_eq!(status.last_drift, None);
        assert!(status.is(ConditionType::RolledBack) && status.is(ConditionType::Stalled));
        assert!(!status.is(ConditionType::DriftDetected));
        assert_eq!(truth(&status, ConditionType::ServiceStable), Truth::False);
    }

    #[test]
    fn drift_left_alone_is_told_and_not_waited_for() {
        let mut drifted = pass(Rollout::Done);
        (drifted.drift, drifted.differences) = (true, vec![difference()]);
        drifted.plan.gate = Some(Gate::DriftLeftAlone);
        let status = told(&drifted, &Ok(()));
        assert!(status.is(ConditionType::Ready) && status.is(ConditionType::DriftDetected));
        let message = &status.condition(ConditionType::DriftDetected).unwrap().message;
        assert_eq!(message, "differs from the spec: /service/desiredCount");
        drifted.plan.revision = Some("one that does not run".to_owned());
        let status = told(&drifted, &Ok(()));
        assert!(!status.is(ConditionType::Ready) && !status.is(ConditionType::Reconciling));
        drifted.plan.revision = None;
        drifted.plan.rollout = Some(moving("on its way"));
        assert!(told(&drifted, &Ok(())).is(ConditionType::Reconciling));
    }

    #[test]
    fn who_was_let_roll_applies_as_long_as_there_is_something_to_do() {
        let mut rolls = pass(Rollout::Done);
        rolls.let_roll = true;
        assert!(told(&rolls, &Ok(())).is(ConditionType::Ready));
        rolls.plan.waves = vec![crate::waves::Wave { name: "service", actions: Vec::new() }];
        let status = told(&rolls, &Ok(()));
        assert_eq!(status.condition(ConditionType::Ready).map(|ready| ready.reason), Some(Reason::Applying));
    }

    #[test]
    fn a_wording_that_cannot_be_used_is_told_beside_what_runs() {
        let mut pass = pass_of(spec(&json!({}), &["spec.cpu: unknown", "spec.x: unknown"]));
        pass.plan.rollout = Some(Rollout::Done);
        let status = told(&pass, &Ok(()));
        assert!(status.is(ConditionType::Ready) && !status.is(ConditionType::SpecValid));
        assert_eq!(status.source.as_ref().map(|source| source.location.as_str()), Some("bot.yaml:1"));
        let message = &status.condition(ConditionType::SpecValid).unwrap().message;
        assert!(message.ends_with("is kept: spec.cpu: unknown; spec.x: unknown"), "{message}");
    }

    #[test]
    fn a_spec_that_never_was_usable_says_what_is_wrong() {
        let source = SourceStatus::default();
        let mut pass =
            pass_of(Spec::Broken { reason: Reason::Conflict, faults: vec!["two of them".to_owned()], source });
        pass.decide().unwrap();
        let status = told(&pass, &Ok(()));
        let valid = status.condition(ConditionType::SpecValid).unwrap();
        assert_eq!(
            (valid.status, valid.reason, valid.message.as_str()),
            (Truth::False, Reason::Conflict, "two of them")
        );
        assert!(status.is(ConditionType::Stalled));
        assert_eq!(status.observed_generation, None);
    }

    #[test]
    fn what_the_spec_does_not_ask_for_is_said_not_to_be_configured() {
        let mut plain = pass(Rollout::Done);
        plain.observed.scaling = Seen::Absent;
        let reason = |pass: &Pass, kind| told(pass, &Ok(())).condition(kind).unwrap().reason;
        for kind in [ConditionType::LoadBalancerReady, ConditionType::ScalingConfigured] {
            assert_eq!(reason(&plain, kind), Reason::NotConfigured);
        }
        let more = json!({"loadBalancer": {"targetGroupArn": "arn"}, "autoscaling": {"enabled": true}});
        let mut full = pass_of(spec(&more, &[]));
        full.plan.rollout = Some(Rollout::Done);
        full.observed.scaling = Seen::Present(crate::scaling::Live::default());
        let status = told(&full, &Ok(()));
        assert!(status.is(ConditionType::LoadBalancerReady) && status.is(ConditionType::ScalingConfigured));
    }

    #[test]
    fn the_services_own_numbers_and_rollout_are_told() {
        let document = json!({"serviceArn": "arn:svc", "runningCount": 1, "pendingCount": 2, "desiredCount": 3, "tags": [],
            "deployments": [{"id": "ecs-svc/9", "status": "PRIMARY", "rolloutState": "IN_PROGRESS", "createdAt": 1_782_000_000.5}]});
        let mut pass = pass(moving("x"));
        pass.observed.service = Seen::Present(service::Live { document: document.as_object().unwrap().clone() });
        pass.plan.revision = Some("bot:7".to_owned());
        let status = told(&pass, &Ok(()));
        assert_eq!((status.running_count, status.pending_count, status.desired_count), (1, 2, 3));
        assert_eq!(status.task_definition_arn.as_deref(), Some("bot:7"));
        let rollout = status.rollout.clone().unwrap();
        assert_eq!((rollout.id.as_str(), rollout.state.as_str()), ("ecs-svc/9", "IN_PROGRESS"));
        assert_eq!(rollout.started.as_deref(), Some("2026-06-21T00:00:00.5Z"));
        assert_eq!(status.inventory.arns.get("service"), None, "a service without our tag is not ours to list");
        pass.observed.service = Seen::Absent;
        let later = report(&pass, &Ok(()), &status, at(1));
        assert_eq!((later.running_count, later.pending_count, later.desired_count), (0, 0, 0));
        pass.observed.service = Seen::NotLooked;
        assert_eq!(report(&pass, &Ok(()), &status, at(1)).running_count, 1);
    }

    #[test]
    fn a_pass_that_panicked_is_our_fault_and_is_tried_again() {
        let before = told(&pass(Rollout::Done), &Ok(()));
        let status = panicked(&Key::new("bot"), &before, at(5));
        let ready = status.condition(ConditionType::Ready).unwrap();
        assert_eq!((ready.status, ready.reason), (Truth::Unknown, Reason::InternalError));
        assert!(status.is(ConditionType::Reconciling) && !status.is(ConditionType::Stalled));
        assert_eq!(status.observed_generation, before.observed_generation);
    }

    #[test]
    fn an_agent_is_deleted_when_nothing_is_left_and_deleting_until_then() {
        let departure = crate::desired::Departure { key: Key::new("bot"), inventory: Inventory::default(), held: None };
        let mut pass = pass_of(Spec::Gone(Box::new(departure)));
        let reason =
            |pass: &Pass| told(pass, &Ok(())).condition(ConditionType::Reconciling).map(|c| (c.status, c.reason));
        assert_eq!(reason(&pass), Some((Truth::True, Reason::Deleting)));
        pass.plan.gone = true;
        assert_eq!(reason(&pass), Some((Truth::False, Reason::Deleted)));
    }
}
