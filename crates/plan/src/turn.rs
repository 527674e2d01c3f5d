//! Whose turn it is to roll: how many agents of a line replace tasks at the same time, and when a wave is stopped.
//!
//! A line is the fleet, or a project that has numbers of its own. A wave begins when somebody of an idle line wants to roll,
//! and lasts until nobody of it rolls or waits. First deployments roll, too.

use fargateer_api::Key;
use fargateer_api::project::RolloutRules;
use fargateer_api::status::{AgentDeploymentStatus, ConditionType, Reason, Stage};

/// How many names a sentence holds.
const NAMED: usize = 5;

/// Whether an agent may begin to roll.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Turn {
    /// Nobody asked.
    Unasked,
    /// It may.
    #[default]
    Given,
    /// Others roll, or were there before it.
    Waits {
        /// Its place among those that wait, from 1.
        position: usize,
        /// Who rolls.
        rolling: Vec<Key>,
        /// How many may.
        max: u32,
    },
    /// Nobody knows yet what rolls: so many agents were not looked at since the start.
    Unseen(usize),
    /// Too many of the wave failed.
    Held {
        /// Its place among those that wait, from 1.
        position: usize,
        /// Who failed.
        failed: Vec<Key>,
    },
}

/// What is known of a line when somebody of it asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Its numbers.
    pub rules: RolloutRules,
    /// Who rolls, the one who asks apart.
    pub rolling: Vec<Key>,
    /// How many wait and were there before.
    pub ahead: usize,
    /// Who failed in this wave, the one who asks apart.
    pub failed: Vec<Key>,
    /// How many were not looked at yet.
    pub unseen: usize,
    /// Whether the one who asks rolls already: a newer spec goes on with it.
    pub is_rolling: bool,
}

impl Line {
    /// Whether the one who asks may begin.
    pub fn turn(self) -> Turn {
        let Self { rules: RolloutRules { max, stop_after_failures }, rolling, ahead, failed, unseen, is_rolling } =
            self;
        let position = ahead + 1;
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        if is_rolling {
            return Turn::Given;
        }
        if unseen > 0 {
            return Turn::Unseen(unseen);
        }
        if stop_after_failures.is_some_and(|most| failed.len() >= count(most)) {
            return Turn::Held { position, failed };
        }
        match max {
            Some(max) if rolling.len() + ahead >= count(max) => Turn::Waits { position, rolling, max },
            Some(_) | None => Turn::Given,
        }
    }
}

impl Turn {
    /// Why nothing is done, if so: the reason and a sentence.
    pub fn refusal(&self) -> Option<(Reason, String)> {
        match self {
            Self::Unasked | Self::Given => None,
            Self::Waits { position, rolling, max } => {
                let who = names(rolling);
                let message =
                    format!("waits for its turn at place {position}: {} of {max} agents roll{who}", rolling.len());
                Some((Reason::WaitingForTurn, message))
            }
            Self::Unseen(count) => {
                let message = format!("waits until it is known who rolls: {count} agents were not looked at yet");
                Some((Reason::WaitingForTurn, message))
            }
            Self::Held { position, failed } => {
                let message = format!(
                    "held at place {position}, because {} of this wave failed{}; goes on when their specs change, or this \
                     agent alone with `fargateer reconcile NAME --force`",
                    failed.len(),
                    names(failed)
                );
                Some((Reason::RolloutHeld, message))
            }
        }
    }

    /// The place in the line, for those that wait.
    pub fn position(&self) -> Option<usize> {
        match self {
            Self::Waits { position, .. } | Self::Held { position, .. } => Some(*position),
            Self::Unasked | Self::Given | Self::Unseen(_) => None,
        }
    }
}

fn names(keys: &[Key]) -> String {
    let mut names: Vec<&str> = keys.iter().take(NAMED).map(Key::as_str).collect();
    if keys.len() > NAMED {
        names.push("...");
    }
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

/// Whether an agent with this status holds a place: it was given one, or AWS rolls it for whatever reason.
pub fn is_rolling(status: &AgentDeploymentStatus) -> bool {
    let given = status.turn.as_ref().is_some_and(|turn| turn.stage == Stage::Rolling);
    given || status.rollout.as_ref().is_some_and(|rollout| rollout.state == "IN_PROGRESS")
}

/// When the newest rollout of an agent with this status failed, if it did.
pub fn failed_at(status: &AgentDeploymentStatus) -> Option<&str> {
    const FAILED: &[Reason] =
        &[Reason::RolledBack, Reason::DeploymentFailed, Reason::FirstDeploymentFailed, Reason::VerificationFailed];
    let stalled = status.condition(ConditionType::Stalled)?;
    FAILED.contains(&stalled.reason).then_some(stalled.last_transition_time.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> Vec<Key> {
        names.iter().map(|name| Key::new(*name)).collect()
    }

    fn line(max: Option<u32>, stop: Option<u32>) -> Line {
        Line { rules: RolloutRules { max, stop_after_failures: stop }, ..Line::default() }
    }

    #[test]
    fn a_line_without_numbers_lets_everybody_roll() {
        let busy = Line { rolling: keys(&["a", "b"]), ahead: 9, failed: keys(&["c"]), ..line(None, None) };
        assert_eq!(busy.turn(), Turn::Given);
    }

    #[test]
    fn so_many_roll_at_once_and_whoever_came_first_goes_first() {
        let with = |rolling: &[&str], ahead| Line { rolling: keys(rolling), ahead, ..line(Some(2), None) }.turn();
        assert_eq!(with(&["a"], 0), Turn::Given);
        assert_eq!(with(&["a"], 1), Turn::Waits { position: 2, rolling: keys(&["a"]), max: 2 });
        assert_eq!(with(&[], 1), Turn::Given);
        assert_eq!(with(&["a", "b"], 0), Turn::Waits { position: 1, rolling: keys(&["a", "b"]), max: 2 });
        let reason = with(&["a", "b"], 0).refusal().unwrap();
        assert_eq!(
            reason,
            (Reason::WaitingForTurn, "waits for its turn at place 1: 2 of 2 agents roll (a, b)".to_owned())
        );
    }

    #[test]
    fn a_newer_spec_goes_on_with_a_place_it_has() {
        let full =
            Line { rolling: keys(&["a", "b"]), is_rolling: true, failed: keys(&["c"]), ..line(Some(1), Some(1)) };
        assert_eq!(full.turn(), Turn::Given);
    }

    #[test]
    fn a_wave_is_stopped_after_so_many_failures_and_says_whose() {
        let with = |failed: &[&str]| Line { failed: keys(failed), ahead: 3, ..line(None, Some(2)) }.turn();
        assert_eq!(with(&["x"]), Turn::Given);
        assert_eq!(with(&["x", "y"]), Turn::Held { position: 4, failed: keys(&["x", "y"]) });
        assert!(
            with(&["x", "y"]).refusal().unwrap().1.starts_with("held at place 4, because 2 of this wave failed (x, y)")
        );
    }

    #[test]
    fn nobody_begins_while_it_is_unknown_who_rolls() {
        assert_eq!(Line { unseen: 3, ..line(Some(5), None) }.turn(), Turn::Unseen(3));
    }

    #[test]
    fn who_waits_has_a_place_and_nobody_else() {
        let waits = |position| Turn::Waits { position, rolling: Vec::new(), max: 1 }.position();
        assert_eq!((waits(4), Turn::Held { position: 3, failed: Vec::new() }.position()), (Some(4), Some(3)));
        for turn in [Turn::Given, Turn::Unasked, Turn::Unseen(2)] {
            assert_eq!(turn.position(), None, "{turn:?}");
        }
    }

    #[test]
    fn as_many_names_as_there_is_room_for_are_all_there_are() {
        let many = |count: usize| (0..count).map(|number| Key::new(format!("a{number}"))).collect::<Vec<_>>();
        assert!(!names(&many(NAMED)).contains("..."));
        assert!(names(&many(NAMED + 1)).ends_with(", ...)"));
    }

    #[test]
    fn who_was_let_roll_or_is_rolled_by_aws_holds_a_place() {
        let status = |text: serde_json::Value| serde_json::from_value::<AgentDeploymentStatus>(text).unwrap();
        let rollout = |state: &str| status(serde_json::json!({"rollout": {"id": "1", "state": state}}));
        assert!(is_rolling(&rollout("IN_PROGRESS")) && !is_rolling(&rollout("COMPLETED")));
        let turn = |stage: Stage| AgentDeploymentStatus {
            turn: Some(fargateer_api::status::TurnStatus { stage, wave: String::new(), position: None }),
            ..AgentDeploymentStatus::default()
        };
        assert!(is_rolling(&turn(Stage::Rolling)) && !is_rolling(&turn(Stage::Waiting)));
    }
}
