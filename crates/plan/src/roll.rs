//! An agent's place among those that roll, as its status tells it after a pass.

use fargateer_api::AgentDeploymentStatus;
use fargateer_api::status::{Stage, TurnStatus};

use crate::desired::{Circumstances, Desired};
use crate::failure::Failure;
use crate::guard::Gate;
use crate::pass::Pass;
use crate::rollout::Rollout;
use crate::turn::Turn;

/// The place of the agent of `pass` after it. Who was let roll holds its place until it is known to have ended: neither an
/// answer that was lost nor a crash gives it to somebody else.
pub fn status(pass: &Pass, result: &Result<(), Failure>, previous: &AgentDeploymentStatus) -> Option<TurnStatus> {
    let Desired::Present(wanted) = &pass.desired else { return None };
    let Circumstances { turn, wave, .. } = &wanted.circumstances;
    let stage = match (&pass.plan.gate, turn) {
        (Some(Gate::Turn(..)), Turn::Held { .. }) => Stage::Held,
        (Some(Gate::Turn(..)), _) => Stage::Waiting,
        _ => {
            let before = previous.turn.as_ref().filter(|turn| turn.stage == Stage::Rolling);
            let wave = if pass.let_roll { wave.to_string() } else { before?.wave.clone() };
            return (!has_ended(pass, result)).then_some(TurnStatus { stage: Stage::Rolling, wave, position: None });
        }
    };
    Some(TurnStatus { stage, wave: wave.to_string(), position: turn.position() })
}

fn has_ended(pass: &Pass, result: &Result<(), Failure>) -> bool {
    let primary = pass.observed.active_service().and_then(|live| live.deployments().into_iter().next());
    let moves = primary.is_some_and(|primary| primary.rollout_state.as_deref() == Some("IN_PROGRESS"));
    let open = match &pass.plan.gate {
        Some(Gate::Unknown(_)) => true,
        Some(_) => false,
        None => matches!(pass.plan.rollout, None | Some(Rollout::Moving { .. })),
    };
    result.is_ok() && pass.plan.waves.is_empty() && !moves && !open
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{Obstacle, Spec};
    use crate::failure::Class;
    use crate::seen::Seen;
    use crate::service::Live;
    use crate::waves::Wave;
    use fargateer_api::status::SourceStatus;
    use fargateer_api::{Key, Reason};
    use serde_json::json;

    fn failure() -> Failure {
        let (operation, code, message) = ("ecs.DescribeServices".to_owned(), "Reset".to_owned(), String::new());
        Failure { class: Class::Transient, reason: Reason::InternalError, operation, code, message }
    }

    /// A pass that was let roll and has nothing left to do; the primary deployment stands at `state`.
    fn pass(state: &str) -> Pass {
        let document = json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "bot"},
            "spec": {"cluster": "agents", "image": {"uri": "x"}, "network": {"subnets": ["subnet-1"]}}});
        let agent = crate::prepared::Prepared::shared(serde_json::from_value(document).unwrap());
        let spec =
            Spec::Present { agent, source: SourceStatus::default(), faults: Vec::new(), obstacle: Obstacle::Wording };
        let mut pass = Pass::toward(Key::new("bot"), spec, Circumstances::default());
        let live = json!({"status": "ACTIVE", "deployments": [
            {"id": "2", "status": "PRIMARY", "taskDefinition": "bot:2", "rolloutState": state}]});
        pass.observed.service = Seen::Present(Live { document: live.as_object().unwrap().clone() });
        pass.plan.rollout = Some(Rollout::Done);
        pass.let_roll = true;
        pass
    }

    fn rolls(pass: &Pass, result: &Result<(), Failure>) -> bool {
        let status = status(pass, result, &AgentDeploymentStatus::default());
        status.is_some_and(|turn| turn.stage == Stage::Rolling)
    }

    #[test]
    fn who_was_let_roll_holds_its_place_until_it_is_known_to_have_ended() {
        assert!(!rolls(&pass("COMPLETED"), &Ok(())), "it has ended");
        assert!(rolls(&pass("IN_PROGRESS"), &Ok(())), "AWS still rolls it");
        assert!(rolls(&pass("COMPLETED"), &Err(failure())), "an answer was lost");
        let mut unknown = pass("COMPLETED");
        unknown.plan.gate = Some(Gate::Unknown(failure()));
        assert!(rolls(&unknown, &Ok(())), "nobody knows");
        let mut stopped = pass("COMPLETED");
        stopped.plan.gate = Some(Gate::DriftLeftAlone);
        assert!(!rolls(&stopped, &Ok(())), "a gate ends it");
        let mut unfinished = pass("COMPLETED");
        unfinished.plan.waves = vec![Wave { name: "service", actions: Vec::new() }];
        assert!(rolls(&unfinished, &Ok(())), "there is more to do");
        let mut unjudged = pass("COMPLETED");
        unjudged.plan.rollout = None;
        assert!(rolls(&unjudged, &Ok(())), "nothing was seen of it");
    }
}
