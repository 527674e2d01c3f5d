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
