//! Runs passes against the model, as the controller does, and tells what was done.

use fargateer_api::AgentDeployment;
use fargateer_api::status::SourceStatus;
use fargateer_plan::action::Action;
use fargateer_plan::desired::{Circumstances, Departure, Desired, Obstacle, Spec, Wanted};
use fargateer_plan::observed::{Finding, Look, Observed};
use fargateer_plan::pass::{Pass, Step};
use fargateer_plan::prepared::Prepared;
use fargateer_plan::waves::{self, Plan};

use crate::model::Aws;

/// An installation at a moment.
pub(crate) fn circumstances() -> Circumstances {
    Circumstances { owner: "prod".to_owned(), now: "2026-07-01T12:00:00Z".parse().unwrap(), ..Circumstances::default() }
}

/// A spec as the sources give it.
pub(crate) fn present(agent: &AgentDeployment) -> Spec {
    Spec::Present {
        agent: Prepared::shared(agent.clone()),
        source: SourceStatus::default(),
        faults: Vec::new(),
        obstacle: Obstacle::Wording,
    }
}

/// The spec of `agent`, gone.
pub(crate) fn gone(agent: &AgentDeployment) -> Spec {
    let inventory = Wanted::new(Prepared::shared(agent.clone()), Vec::new(), circumstances()).inventory();
    Spec::Gone(Box::new(Departure { key: agent.key(), inventory, held: None }))
}

/// One pass; what was done, in waves.
pub(crate) fn pass(aws: &mut Aws, spec: &Spec, key: &AgentDeployment) -> (Pass, Vec<Vec<Action>>) {
    let mut pass = Pass::toward(key.key(), spec.clone(), circumstances());
    let mut done = Vec::new();
    loop {
        match pass.decide().unwrap() {
            Step::Look(looks) => pass.see(looks.iter().map(|look| aws.look(look)).collect()),
            Step::Act(actions) => {
                for action in &actions {
                    let answer = aws.act(action);
                    pass.did(action.clone(), answer);
                }
                done.push(actions);
            }
            Step::Ask => panic!("nobody limits rollouts here"),
            Step::Rest => return (pass, done),
        }
    }
}

/// Passes until one does nothing; the waves it took.
pub(crate) fn converge(aws: &mut Aws, spec: &Spec, key: &AgentDeployment) -> Vec<Vec<Action>> {
    let mut all = Vec::new();
    for _ in 0..12 {
        let (_, done) = pass(aws, spec, key);
        aws.settle();
        if done.is_empty() {
            return all;
        }
        all.extend(done);
    }
    panic!("does not settle: {all:#?}");
}

/// Brings `agent` about.
pub(crate) fn deploy(aws: &mut Aws, agent: &AgentDeployment) -> Vec<Vec<Action>> {
    converge(aws, &present(agent), agent)
}

/// Looks until a plan can be made; `through` may spoil what is found.
pub(crate) fn plan_with(aws: &Aws, spec: &Spec, through: impl Fn(&Look, Finding) -> Finding) -> (Plan, Vec<Look>) {
    let desired = Desired::of(spec.clone(), circumstances());
    let (mut observed, mut looked) = (Observed::default(), Vec::new());
    loop {
        let plan = waves::plan(&desired, &observed);
        if plan.looks.is_empty() {
            return (plan, looked);
        }
        for look in plan.looks {
            assert!(!looked.contains(&look), "{look:?} is looked at twice");
            observed.note(through(&look, aws.look(&look)));
            looked.push(look);
        }
    }
}

/// The plan for `agent` as things stand.
pub(crate) fn plan(aws: &Aws, agent: &AgentDeployment) -> Plan {
    plan_with(aws, &present(agent), |_, finding| finding).0
}
