//! What an agent has to do with others: the policy of its project, those it depends on, those it takes turns with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fargateer_api::project::RolloutRules;
use fargateer_api::status::SourceStatus;
use fargateer_api::{AgentDeploymentStatus, Key, Reason};
use fargateer_plan::dependency::Graph;
use fargateer_plan::desired::{Circumstances, Spec};
use fargateer_plan::pass::Pass;
use fargateer_plan::policy::{Policy, Standing};
use fargateer_plan::turn::Turn;
use jiff::Timestamp;

use super::{Fleet, State};
use crate::board::Board;

/// What is known beside the specs.
#[derive(Debug, Default)]
pub(super) struct Relations {
    /// The projects' rules; without them everything is allowed.
    policy: Option<Arc<Policy>>,
    /// What is wrong with a newer wording of them.
    pub(super) faults: Vec<String>,
    /// The numbers of the whole fleet.
    rollouts: RolloutRules,
    graph: Graph,
    /// How many of the same project come before an agent, where a project counts its agents.
    before: BTreeMap<Key, usize>,
    /// Those of which there are too many.
    surplus: BTreeSet<Key>,
}

impl Fleet {
    /// How many agents of the fleet roll at the same time.
    pub fn limit_rollouts(&self, rules: RolloutRules) {
        self.lock().relations.rollouts = rules;
    }

    /// From now on the projects are ruled by this policy. Every agent has to be woken.
    pub fn govern(&self, policy: Policy) {
        let made = self.board.made();
        let mut state = self.lock();
        state.relations.policy = Some(Arc::new(policy));
        state.relations.faults.clear();
        state.count_agents(&made);
    }

    /// The agents something was made of, where it matters who was there first.
    pub(super) fn made(&self) -> BTreeSet<Key> {
        let counts = self.lock().relations.policy.is_some();
        if counts { self.board.made() } else { BTreeSet::new() }
    }

    /// A newer policy cannot be used; the last good one stays.
    pub fn keep_policy(&self, faults: Vec<String>) {
        self.lock().relations.faults = faults;
    }

    /// The projects' shares of the workers.
    pub fn weights(&self) -> BTreeMap<String, u32> {
        let policy = self.lock().relations.policy.clone();
        let weights = policy.iter().flat_map(|policy| policy.weights());
        weights.map(|(name, weight)| (name.to_owned(), weight)).collect()
    }

    /// Those `key` depends on that are not Ready with their newest spec.
    pub fn unready(&self, key: &Key) -> Vec<Key> {
        self.lock().unready(key, &self.board)
    }

    /// Whether `key` depends on itself.
    pub fn is_in_cycle(&self, key: &Key) -> bool {
        !self.lock().relations.graph.cycle(key).is_empty()
    }

    /// Asks for `pass` whether it may roll.
    pub fn give_turn(&self, pass: &mut Pass, now: Timestamp) {
        let (turn, wave) = self.turns.ask(&pass.key, self.lock().line(&pass.key), now);
        pass.take(turn, wave);
    }

    /// Takes in how `key` is after a pass, or that it is no business of ours any more. Answers whom that lets go on.
    pub fn note(&self, key: &Key, status: Option<&AgentDeploymentStatus>) -> Vec<Key> {
        let state = self.lock();
        let line = state.line(key);
        let waiting = self.turns.note(key, line, status);
        waiting.into_iter().chain(state.dependents_of_ready(key, &self.board)).collect()
    }

    /// Those that wait for `key`, if it is Ready.
    pub fn dependents_of_ready(&self, key: &Key) -> Vec<Key> {
        self.lock().dependents_of_ready(key, &self.board)
    }

    /// Nobody rolls before these were looked at; what their statuses say is known at once.
    pub fn know(&self, keys: impl IntoIterator<Item = Key>) {
        let (known, unseen): (Vec<Key>, Vec<Key>) =
            keys.into_iter().partition(|key| self.board.reason(key).is_some() || self.agent(key).is_none());
        for key in known {
            self.note(&key, Some(&self.board.status(&key)));
        }
        self.turns.look_first(unseen);
    }

    /// The agents of ours that wait for agents of `others`.
    pub fn waits_for(&self, others: impl Fn(&Key) -> bool) -> bool {
        let state = self.lock();
        let keys = state.specs.keys().filter(|key| !others(key) && !state.relations.graph.needs(key).is_empty());
        let mut needed = keys.flat_map(|key| state.unready(key, &self.board));
        needed.any(|key| others(&key))
    }
}

impl State {
    /// What surrounds `key`, whose sources say `spec`.
    pub(super) fn circumstances(
        &mut self,
        key: &Key,
        spec: &Spec,
        now: Timestamp,
        (owner, board): (&str, &Board),
    ) -> Circumstances {
        let (project, breaches) = match spec {
            Spec::Present { agent, source, .. } => {
                let before = self.relations.before.get(key).copied().unwrap_or(0);
                let standing = Standing { location: Some(&source.location), before };
                let policy = self.relations.policy.as_ref();
                let breaches = policy.map(|policy| policy.breaches(agent, standing)).unwrap_or_default();
                (agent.metadata.project.as_str(), breaches)
            }
            Spec::Gone(departure) => (departure.inventory.project.as_str(), Vec::new()),
            Spec::Broken { .. } => ("", Vec::new()),
        };
        let frozen = self.relations.policy.as_ref().and_then(|policy| policy.frozen(project, now));
        // Whoever builds no image needs no place of its own either: thousands of them are held.
        let source = match spec {
            Spec::Present { agent, source, .. } if agent.spec.image.build.is_some() => source.clone(),
            Spec::Present { .. } | Spec::Gone(_) | Spec::Broken { .. } => SourceStatus::default(),
        };
        let (_, rules) = self.line(key);
        let turn = if rules == RolloutRules::default() { Turn::Given } else { Turn::Unasked };
        Circumstances {
            owner: owner.to_owned(),
            breaches,
            cycle: self.relations.graph.cycle(key).to_vec(),
            absent: self.relations.graph.absent(key).to_vec(),
            unready: self.unready(key, board),
            frozen,
            turn,
            wave: now,
            now,
            force: self.forced.remove(key),
            source,
            image: board.status(key).image.clone(),
        }
    }

    /// Takes in that the specs changed. Answers those who now depend on themselves, or on nobody, or are too many, or do so no
    /// more.
    pub(super) fn relate(&mut self, made: &BTreeSet<Key>) -> BTreeSet<Key> {
        let needs = |(key, spec): (&Key, &Spec)| {
            let needs = match spec {
                Spec::Present { agent, .. } => agent.spec.depends_on.iter().map(Key::new).collect(),
                Spec::Broken { .. } | Spec::Gone(_) => Vec::new(),
            };
            (key.clone(), needs)
        };
        let needs: BTreeMap<Key, Vec<Key>> = self.specs.iter().map(needs).collect();
        let graph = if needs.values().all(Vec::is_empty) { Graph::default() } else { Graph::of(needs) };
        let mut changed = graph.changed_since(&self.relations.graph);
        self.relations.graph = graph;
        let surplus = self.relations.surplus.clone();
        self.count_agents(made);
        changed.extend(surplus.symmetric_difference(&self.relations.surplus).cloned());
        changed
    }

    /// Those something was made of come first, then the alphabet decides.
    fn count_agents(&mut self, made: &BTreeSet<Key>) {
        let Some(policy) = self.relations.policy.clone() else { return };
        let mut projects: BTreeMap<&str, Vec<(bool, &Key)>> = BTreeMap::new();
        for (key, spec) in &self.specs {
            if let Spec::Present { agent, .. } = spec
                && policy.most_agents(&agent.metadata.project).is_some()
            {
                projects.entry(&agent.metadata.project).or_default().push((!made.contains(key), key));
            }
        }
        let (mut before, mut surplus) = (BTreeMap::new(), BTreeSet::new());
        for (project, mut agents) in projects {
            agents.sort();
            let most = policy.most_agents(project).and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
            surplus.extend(agents.iter().skip(most).map(|(_, key)| (*key).clone()));
            before.extend(agents.into_iter().enumerate().map(|(number, (_, key))| (key.clone(), number)));
        }
        (self.relations.before, self.relations.surplus) = (before, surplus);
    }

    /// The line an agent stands in, and its numbers. A project that has a number of its own is a line of its own.
    fn line(&self, key: &Key) -> (Option<String>, RolloutRules) {
        let fleet = self.relations.rollouts;
        let Some(Spec::Present { agent, .. }) = self.specs.get(key) else { return (None, fleet) };
        let project = &agent.metadata.project;
        let own = self.relations.policy.as_ref().map(|policy| policy.rollouts(project)).unwrap_or_default();
        if own == RolloutRules::default() {
            return (None, fleet);
        }
        let RolloutRules { max, stop_after_failures } = own;
        let stop_after_failures = stop_after_failures.or(fleet.stop_after_failures);
        (Some(project.clone()), RolloutRules { max: max.or(fleet.max), stop_after_failures })
    }

    fn dependents_of_ready(&self, key: &Key, board: &Board) -> Vec<Key> {
        let ready = self.is_ready(key, board);
        let waits = |key: &&Key| board.reason(key) == Some(Reason::WaitingForDependency);
        self.relations.graph.needed_by(key).filter(|_| ready).filter(waits).cloned().collect()
    }

    fn unready(&self, key: &Key, board: &Board) -> Vec<Key> {
        let needs = self.relations.graph.needs(key).iter();
        needs.filter(|other| !self.is_ready(other, board)).cloned().collect()
    }

    /// A status that speaks of an older spec says nothing about the newest.
    fn is_ready(&self, key: &Key, board: &Board) -> bool {
        match self.specs.get(key) {
            Some(Spec::Present { agent, .. }) => board.is_ready_with(key, agent.generation()),
            Some(Spec::Broken { .. } | Spec::Gone(_)) | None => false,
        }
    }
}
