//! One pass over one agent, as data: what is desired, what was seen, what was done. The controller drives it, the
//! report reads it.

use fargateer_api::status::SourceStatus;
use fargateer_api::{Key, Reason};
use jiff::Timestamp;

use crate::action::Action;
use crate::desired::{Circumstances, Desired, Place, Spec};
use crate::difference::Difference;
use crate::echo::{self, Done};
use crate::failure::{Class, Failure};
use crate::observed::{Finding, Look, Observed};
use crate::turn::Turn;
use crate::waves::{self, Plan};

/// A pass that needs more steps than this is going round in circles: a fault of ours, told as such.
const MOST_STEPS: usize = 40;

/// What to do next in a pass.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Read these.
    Look(Vec<Look>),
    /// Ask whether it is this agent's turn to roll.
    Ask,
    /// Carry these out, in order.
    Act(Vec<Action>),
    /// Nothing more can be done right now.
    Rest,
}

/// One pass over one agent.
#[derive(Debug, Clone)]
pub struct Pass {
    /// The agent.
    pub key: Key,
    /// What should be.
    pub desired: Desired,
    /// Where the spec stands.
    pub source: SourceStatus,
    /// What was seen.
    pub observed: Observed,
    /// The newest plan.
    pub plan: Plan,
    /// What differed at first, before anything was done.
    pub differences: Vec<Difference>,
    /// Whether those differences were drift.
    pub drift: bool,
    /// What was done.
    pub done: Vec<Action>,
    /// Whether it asked, and was let roll.
    pub let_roll: bool,
    steps: usize,
}

impl Pass {
    /// A pass that brings `key` closer to `spec`.
    pub fn toward(key: Key, spec: Spec, circumstances: Circumstances) -> Self {
        let source = match &spec {
            Spec::Present { source, .. } | Spec::Broken { source, .. } => source.clone(),
            Spec::Gone(departure) => {
                SourceStatus { location: departure.inventory.specified_in.clone(), ..SourceStatus::default() }
            }
        };
        Self {
            key,
            desired: Desired::of(spec, circumstances),
            source,
            observed: Observed::default(),
            plan: Plan::default(),
            differences: Vec::new(),
            drift: false,
            done: Vec::new(),
            let_roll: false,
            steps: 0,
        }
    }

    /// Where this pass's calls go.
    pub fn place(&self) -> Place {
        self.desired.place()
    }

    /// Plans again and says what is to be done next.
    pub fn decide(&mut self) -> Result<Step, Failure> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return Err(going_round(&self.plan));
        }
        self.plan = waves::plan(&self.desired, &self.observed);
        if !self.plan.looks.is_empty() {
            return Ok(Step::Look(self.plan.looks.clone()));
        }
        if self.done.is_empty() {
            self.differences = self.plan.differences.clone();
            self.drift = self.plan.drift;
        }
        if self.plan.asks {
            return Ok(Step::Ask);
        }
        if let Some(wave) = self.plan.waves.first() {
            return Ok(Step::Act(wave.actions.clone()));
        }
        let explaining = std::mem::take(&mut self.plan.explaining);
        Ok(if explaining.is_empty() { Step::Rest } else { Step::Look(explaining) })
    }

    /// Takes in what was found.
    pub fn see(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            self.observed.note(finding);
        }
    }

    /// Takes in whether it is this agent's turn, in a wave that began then.
    pub fn take(&mut self, turn: Turn, wave: Timestamp) {
        self.let_roll = turn == Turn::Given;
        if let Desired::Present(wanted) = &mut self.desired {
            (wanted.circumstances.turn, wanted.circumstances.wave) = (turn, wave);
        }
    }

    /// Takes in that `action` was carried out.
    pub fn did(&mut self, action: Action, done: Done) {
        echo::apply(&mut self.observed, &action, done);
        self.done.push(action);
    }
}

fn going_round(plan: &Plan) -> Failure {
    let action = plan.waves.first().and_then(|wave| wave.actions.first()).map(ToString::to_string).unwrap_or_default();
    Failure {
        class: Class::Transient,
        reason: Reason::InternalError,
        operation: "plan".to_owned(),
        code: "NotSettling".to_owned(),
        message: format!("the plan does not settle within {MOST_STEPS} steps; last action: {action}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Obstacle;
    use crate::seen::Seen;
    use serde_json::json;

    fn pass() -> Pass {
        let document = json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "bot"},
            "spec": {"cluster": "agents", "image": {"uri": "x"}, "network": {"subnets": ["subnet-1"]}}});
        let agent = crate::prepared::Prepared::shared(serde_json::from_value(document).unwrap());
        let spec =
            Spec::Present { agent, source: SourceStatus::default(), faults: Vec::new(), obstacle: Obstacle::Wording };
        Pass::toward(Key::new("bot"), spec, Circumstances::default())
    }

    #[test]
    fn a_pass_that_goes_round_in_circles_is_ended_and_says_where() {
        let mut pass = pass();
        pass.observed.service = Seen::Absent;
        pass.observed.log_group = Seen::Absent;
        pass.observed.revisions = Seen::Present(Vec::new());
        for _ in 0..MOST_STEPS {
            assert!(matches!(pass.decide(), Ok(Step::Act(_))));
        }
        let failure = pass.decide().unwrap_err();
        assert_eq!((failure.code.as_str(), failure.reason), ("NotSettling", Reason::InternalError));
        assert!(failure.message.ends_with("last action: logs.CreateLogGroup /ecs/bot"), "{failure}");
    }

    #[test]
    fn what_differed_at_first_is_kept_while_the_pass_puts_it_right() {
        let mut pass = pass();
        let live = json!({"status": "ACTIVE", "serviceArn": "arn", "taskDefinition": "bot:1", "desiredCount": 4,
            "tags": [{"key": "fargateer:owner", "value": ""}, {"key": "fargateer:agent", "value": "bot"}]});
        pass.observed.service = Seen::Present(crate::service::Live { document: live.as_object().unwrap().clone() });
        pass.observed.log_group = Seen::Absent;
        pass.observed.scaling = Seen::Absent;
        pass.observed.revision = Seen::Absent;
        pass.observed.revisions = Seen::Present(Vec::new());
        let Ok(Step::Act(actions)) = pass.decide() else { panic!("nothing to do") };
        let before = pass.differences.clone();
        assert!(before.iter().any(|difference| difference.field == "/logGroup"), "{before:?}");
        for action in actions {
            pass.did(action, Done::Nothing);
        }
        pass.decide().unwrap();
        assert!(!pass.plan.differences.iter().any(|difference| difference.field == "/logGroup"));
        assert_eq!(pass.differences, before);
    }
}
