//! What people want, whatever the sources say of it at the moment: the yardstick of every invariant.

use std::collections::BTreeMap;
use std::time::Duration;

use fargateer_api::{AgentDeployment, Generation};
use serde_json::Value;

/// Three attempts of a call and the pauses between them.
const UNDER_WAY: Duration = Duration::from_secs(30);

/// What people want of one agent.
#[derive(Debug, Clone)]
pub(crate) enum Want {
    /// It should run like this.
    Present(Box<AgentDeployment>),
    /// It should be gone.
    Absent(Box<AgentDeployment>),
}

/// What people want.
#[derive(Debug, Clone, Default)]
pub(crate) struct Truth {
    agents: BTreeMap<String, Want>,
    /// Every wording an agent ever had, by its generation: a status speaks of one of them.
    wordings: BTreeMap<(String, String), AgentDeployment>,
    /// The generation of what is wanted of each agent, or was.
    generations: BTreeMap<String, Generation>,
    /// Agents somebody took the owner tag from, and when: hands off.
    disowned: BTreeMap<String, Duration>,
    /// Agents that were handed back: they go on running, and nobody changes anything of them.
    handed: BTreeMap<String, Duration>,
    /// Agents whose passes panic.
    pub(crate) poisoned: Vec<String>,
    /// When people last changed their mind, by agent: a call that is under way may still be of the old one.
    changed: BTreeMap<String, Duration>,
    /// A source that is asked now and again knows of a change after so long at the latest.
    pub(crate) news: Duration,
}

impl Truth {
    /// Whether people changed their mind about `name` so lately that a call under way can't know.
    pub(crate) fn is_news(&self, name: &str, now: Duration) -> bool {
        self.changed.get(name).is_some_and(|at| now.saturating_sub(*at) < Duration::from_secs(1) + self.news)
    }

    /// Somebody wrote a spec at `now`. One that is refused changes nothing: the last good wording stays.
    pub(crate) fn write(&mut self, name: &str, document: &Value, now: Duration) {
        self.changed.insert(name.to_owned(), now);
        let Ok(agent) = serde_json::from_value::<AgentDeployment>(document.clone()) else { return };
        if !fargateer_api::validate::check(&agent).is_empty() {
            return;
        }
        let generation = Generation::of(&agent.spec);
        self.wordings.insert((name.to_owned(), generation.to_string()), agent.clone());
        self.generations.insert(name.to_owned(), generation);
        self.agents.insert(name.to_owned(), Want::Present(Box::new(agent)));
    }

    /// Somebody deleted a spec.
    pub(crate) fn delete(&mut self, name: &str) {
        if let Some(Want::Present(agent)) = self.agents.get(name).cloned() {
            self.agents.insert(name.to_owned(), Want::Absent(agent));
        }
    }

    /// A deleted agent was handed back at `now` instead.
    pub(crate) fn hand_back(&mut self, name: &str, now: Duration) {
        self.handed.insert(name.to_owned(), now);
    }

    /// Since when `name` is handed back.
    pub(crate) fn handed(&self, name: &str) -> Option<Duration> {
        self.handed.get(name).copied()
    }

    /// Somebody adopts `name`.
    pub(crate) fn adopt(&mut self, name: &str) {
        self.disowned.remove(name);
    }

    /// What is wanted of `name`.
    pub(crate) fn of(&self, name: &str) -> Option<&Want> {
        self.agents.get(name)
    }

    /// The agent that should run under `name`.
    pub(crate) fn present(&self, name: &str) -> Option<&AgentDeployment> {
        match self.agents.get(name) {
            Some(Want::Present(agent)) => Some(agent),
            Some(Want::Absent(_)) | None => None,
        }
    }

    /// The generation of the newest good wording of `name`.
    pub(crate) fn generation(&self, name: &str) -> Option<&Generation> {
        self.generations.get(name)
    }

    /// The wording of `generation`.
    pub(crate) fn wording(&self, name: &str, generation: &str) -> Option<&AgentDeployment> {
        self.wordings.get(&(name.to_owned(), generation.to_owned()))
    }

    /// All agents.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&String, &Want)> {
        self.agents.iter()
    }

    /// The agent whose service this is, present or absent.
    pub(crate) fn of_service(&self, cluster: &str, service: &str) -> Option<(&String, &Want)> {
        let name_of = |text: &str| text.rsplit('/').next().unwrap_or(text).to_owned();
        let (cluster, service) = (name_of(cluster), name_of(service));
        self.agents.iter().find(|(_, want)| {
            let (Want::Present(agent) | Want::Absent(agent)) = want;
            agent.cluster_name() == cluster && agent.service_name() == service
        })
    }

    /// Whether anything may touch the agent at all.
    pub(crate) fn is_hands_off(&self, name: &str) -> bool {
        self.disowned.contains_key(name)
    }

    /// Somebody takes the owner tag from `name` at `now`.
    pub(crate) fn disown(&mut self, name: &str, now: Duration) {
        self.disowned.entry(name.to_owned()).or_insert(now);
    }

    /// Whether that was so lately that a pass under way may have looked before: ECS writes on no condition, and between a
    /// look and the write that follows another look may take as long as its attempts.
    pub(crate) fn was_just_disowned(&self, name: &str, now: Duration) -> bool {
        self.disowned.get(name).is_some_and(|at| now.saturating_sub(*at) < UNDER_WAY)
    }
}

impl Truth {
    /// Whether any wording of the agent asked for so many tasks, or nobody fixed the number.
    pub(crate) fn ever_counted(&self, name: &str, count: u64) -> bool {
        let mut wordings = self.wordings.range((name.to_owned(), String::new())..);
        wordings.by_ref().take_while(|((agent, _), _)| agent == name).any(|(_, agent)| {
            u64::from(agent.spec.desired_count) == count
                || (agent.spec.autoscaling.enabled
                    && (u64::from(agent.spec.autoscaling.min)..=u64::from(agent.spec.autoscaling.max)).contains(&count))
        })
    }

    /// The lowest minimumHealthyPercent any wording of the agent asked for.
    pub(crate) fn lowest_minimum(&self, name: &str) -> u64 {
        let wordings = self.wordings.iter().filter(|((agent, _), _)| agent == name);
        wordings.map(|(_, agent)| u64::from(agent.spec.rollout.minimum_healthy_percent)).min().unwrap_or(0)
    }
}
