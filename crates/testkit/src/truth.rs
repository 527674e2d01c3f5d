//! What people want, whatever the sources say of it at the moment: the yardstick of every invariant.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fargateer_api::{AgentDeployment, Generation};
use serde_json::Value;

/// Three attempts of a call and the pauses between them.
const UNDER_WAY: Duration = Duration::from_secs(30);
/// After so long every process that runs knows that two sources speak of the same agent, and every pass that did not is over.
const HEARD: Duration = Duration::from_mins(5);

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
    /// Since when an agent is wanted no more.
    gone: BTreeMap<String, Duration>,
    /// Agents wanted again by a source that was read after they were gone and was not read since.
    unseen: BTreeSet<String>,
    /// The source an agent's spec stands in, or stood in last.
    homes: BTreeMap<String, &'static str>,
    /// Agents two sources speak of.
    disputes: BTreeMap<String, Dispute>,
    /// A source that is asked now and again knows of a change after so long at the latest.
    pub(crate) news: Duration,
}

/// What two sources say of an agent: nobody may follow it, and the agent stays as it was.
#[derive(Debug, Clone)]
struct Dispute {
    /// Since when both can be read; none as long as one of them can't.
    since: Option<Duration>,
    /// When people began it.
    begun: Duration,
    /// The generations of the wordings nobody may follow.
    barred: BTreeSet<String>,
}

impl Truth {
    /// Whether people changed their mind about `name` so lately that a call under way can't know.
    pub(crate) fn is_news(&self, name: &str, now: Duration) -> bool {
        let unseen = self.unseen.contains(name);
        unseen || self.changed.get(name).is_some_and(|at| now.saturating_sub(*at) < Duration::from_secs(1) + self.news)
    }

    /// Somebody wrote a spec at `now`. One that is refused changes nothing: the last good wording stays.
    pub(crate) fn write(&mut self, name: &str, document: &Value, now: Duration) {
        self.changed.insert(name.to_owned(), now);
        self.disputes.remove(name);
        let Some((generation, agent)) = self.worded(name, document) else { return };
        self.generations.insert(name.to_owned(), generation);
        self.agents.insert(name.to_owned(), Want::Present(Box::new(agent)));
    }

    /// Takes in a wording, if it can be used.
    fn worded(&mut self, name: &str, document: &Value) -> Option<(Generation, AgentDeployment)> {
        let agent: AgentDeployment = serde_json::from_value(document.clone()).ok()?;
        if !fargateer_api::validate::check(&agent).is_empty() {
            return None;
        }
        let generation = Generation::of(&agent.spec);
        self.wordings.insert((name.to_owned(), generation.to_string()), agent.clone());
        Some((generation, agent))
    }

    /// Somebody deleted a spec at `now`.
    pub(crate) fn delete(&mut self, name: &str, now: Duration) {
        self.disputes.remove(name);
        if let Some(Want::Present(agent)) = self.agents.get(name).cloned() {
            self.agents.insert(name.to_owned(), Want::Absent(agent));
            self.gone.insert(name.to_owned(), now);
        }
    }

    /// Whether `name` is gone, and was when a source was read at `read`.
    pub(crate) fn was_gone(&self, name: &str, read: Duration) -> bool {
        let is_absent = matches!(self.agents.get(name), Some(Want::Absent(_)));
        is_absent && self.gone.get(name).is_some_and(|since| *since <= read)
    }

    /// Whether `name` stands in another source than before; takes in that it stands in `source`.
    pub(crate) fn moves(&mut self, name: &str, source: &'static str) -> bool {
        self.homes.insert(name.to_owned(), source).is_some_and(|before| before != source)
    }

    /// What a source says of `name` is known to people alone.
    pub(crate) fn hide(&mut self, name: &str) {
        self.unseen.insert(name.to_owned());
    }

    /// The source is read: whoever reads it knows what people know.
    pub(crate) fn see(&mut self, now: Duration) {
        for name in std::mem::take(&mut self.unseen) {
            self.changed.insert(name, now);
        }
    }

    /// What `document` says at `now` of an agent that another source speaks of, too; whether both can be read.
    pub(crate) fn dispute(&mut self, name: &str, document: &Value, (now, readable): (Duration, bool)) {
        let worded = self.worded(name, document).map(|(generation, _)| generation.to_string());
        let wanted = self.generation(name).map(ToString::to_string);
        let heard = |since: &Duration| now.saturating_sub(*since) > HEARD;
        // Whoever had not heard of the one yet may have taken the other for it.
        let settled = self.changed.get(name).is_none_or(heard);
        let dispute = self.disputes.entry(name.to_owned()).or_insert(Dispute {
            since: readable.then_some(now),
            begun: now,
            barred: BTreeSet::new(),
        });
        let is_first = dispute.begun == now;
        let bars = settled && (is_first || heard(&dispute.begun));
        let newer = worded.filter(|generation| Some(generation) != wanted.as_ref());
        if bars {
            dispute.barred.extend(newer);
        } else if let Some(newer) = newer {
            dispute.barred.remove(&newer);
        }
    }

    /// A source can't be read any more: who had not heard of a dispute won't.
    pub(crate) fn veil(&mut self, now: Duration) {
        for dispute in self.disputes.values_mut() {
            dispute.since = dispute.since.filter(|since| now.saturating_sub(*since) > HEARD);
        }
    }

    /// All sources can be read.
    pub(crate) fn unveil(&mut self, now: Duration) {
        self.disputes.values_mut().for_each(|dispute| dispute.since = dispute.since.or(Some(now)));
    }

    /// Whether two sources speak of `name`.
    pub(crate) fn is_disputed(&self, name: &str) -> bool {
        self.disputes.contains_key(name)
    }

    /// Whether two sources speak of anybody.
    pub(crate) fn has_disputes(&self) -> bool {
        !self.disputes.is_empty()
    }

    /// Whether two sources have been speaking of `name` for so long that nobody can be unaware of it.
    pub(crate) fn was_disputed(&self, name: &str, now: Duration) -> bool {
        let since = self.disputes.get(name).and_then(|dispute| dispute.since);
        since.is_some_and(|since| now.saturating_sub(since) > HEARD)
    }

    /// The wordings of `name` that nobody may follow at `now`, by their generations.
    pub(crate) fn barred(&self, name: &str, now: Duration) -> BTreeMap<&str, &AgentDeployment> {
        let dispute = self.disputes.get(name).filter(|_| self.was_disputed(name, now));
        let generations = dispute.into_iter().flat_map(|dispute| &dispute.barred);
        generations.filter_map(|generation| Some((generation.as_str(), self.wording(name, generation)?))).collect()
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
