//! Who rolls, who waits to and who failed: what `plan::turn` decides on, kept up to date by the statuses.
//!
//! Nothing here is the truth. What an agent holds stands in its status, written down before it begins, so that a process that
//! starts anew knows it; what AWS rolls is seen by looking. Until every agent was looked at once, nobody begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fargateer_api::Key;
use fargateer_api::project::RolloutRules;
use fargateer_api::status::{AgentDeploymentStatus, Stage};
use fargateer_plan::turn::{self, Line, Turn};
use jiff::Timestamp;
use tokio::time::Instant;

/// Agents that nobody managed to look at for so long since the start hold nobody up any more.
const UNSEEN: Duration = Duration::from_mins(2);

/// Who shares numbers with whom: a project that has its own, or all the others together.
type Name = Option<String>;

/// The lines.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    parts: BTreeMap<Key, Part>,
    waves: BTreeMap<Name, Timestamp>,
    /// Counts those that came to wait, in their order.
    comers: u64,
    unseen: BTreeSet<Key>,
    /// Since when the unseen are looked at; nobody begins before.
    since: Option<Instant>,
}

/// What an agent does in its line.
#[derive(Debug, Clone, Default, PartialEq)]
struct Part {
    line: Name,
    rolls: bool,
    waits: Option<u64>,
    failed: Option<Timestamp>,
}

impl Turns {
    /// These agents have to be looked at before anybody begins. What `statuses` say of others is known at once.
    pub(crate) fn look_first(&self, unseen: impl IntoIterator<Item = Key>) {
        let mut state = self.lock();
        state.unseen.extend(unseen);
        state.since.get_or_insert_with(Instant::now);
    }

    /// Whether `key`, of a line with these rules, may begin; if so, it rolls from now on. And since when its wave lasts.
    pub(crate) fn ask(&self, key: &Key, (name, rules): (Name, RolloutRules), now: Timestamp) -> (Turn, Timestamp) {
        let mut state = self.lock();
        state.join(key, &name);
        if !state.is_busy(&name) {
            state.waves.remove(&name);
        }
        let wave = *state.waves.entry(name.clone()).or_insert(now);
        let turn = state.line(key, (&name, wave), rules).turn();
        state.comers += 1;
        let comer = state.comers;
        if let Some(part) = state.parts.get_mut(key) {
            if turn == Turn::Given {
                (part.rolls, part.waits) = (true, None);
            } else {
                // Who failed and is tried again goes first: it shows whether the others should.
                part.waits.get_or_insert(if part.failed.is_some() { 0 } else { comer });
            }
        }
        (turn, wave)
    }

    /// Takes in how `key` is now. Answers whom of its line to wake, if that let somebody begin or made the line stop.
    pub(crate) fn note(
        &self,
        key: &Key,
        (name, rules): (Name, RolloutRules),
        status: Option<&AgentDeploymentStatus>,
    ) -> Vec<Key> {
        let mut state = self.lock();
        let last_unseen = state.unseen.remove(key) && state.unseen.is_empty();
        if rules == RolloutRules::default() {
            // Nobody counts here, and a fleet may be large.
            state.parts.remove(key);
            return if last_unseen { state.everybody() } else { Vec::new() };
        }
        let before = state.parts.get(key).cloned();
        let stopped = state.is_stopped(&name, rules);
        state.take_in(key, name.clone(), status);
        let moved = before.as_ref() != state.parts.get(key);
        if last_unseen || stopped != state.is_stopped(&name, rules) {
            return if last_unseen { state.everybody() } else { state.waiting(&name) };
        }
        if stopped || !moved {
            return Vec::new();
        }
        let most = rules.max.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
        let free = most.saturating_sub(state.rolling(&name, key).len());
        state.waiting(&name).into_iter().take(free).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// An agent that changed its project waits at the end of another line.
    fn join(&mut self, key: &Key, name: &Name) {
        let part = self.parts.entry(key.clone()).or_default();
        if part.line != *name {
            *part = Part { line: name.clone(), rolls: part.rolls, ..Part::default() };
        }
    }

    fn line(&self, key: &Key, (name, wave): (&Name, Timestamp), rules: RolloutRules) -> Line {
        let part = self.parts.get(key).cloned().unwrap_or_default();
        let waits = part.waits.unwrap_or(if part.failed.is_some() { 0 } else { u64::MAX });
        let ahead = |other: &&Part| other.waits.is_some_and(|since| since < waits);
        let counted = self.since.is_none_or(|since| since.elapsed() < UNSEEN);
        let unseen = self.unseen.iter().filter(|unseen| *unseen != key).count();
        Line {
            rules,
            rolling: self.rolling(name, key),
            ahead: self.of(name).map(|(_, part)| part).filter(ahead).count(),
            failed: self.failed(name, wave).into_iter().filter(|failed| failed != key).collect(),
            unseen: if counted { unseen.max(usize::from(self.since.is_none())) } else { 0 },
            is_rolling: part.rolls,
        }
    }

    fn take_in(&mut self, key: &Key, name: Name, status: Option<&AgentDeploymentStatus>) {
        let waits = self.parts.get(key).filter(|part| part.line == name).and_then(|part| part.waits);
        let failed = status.and_then(turn::failed_at).and_then(|at| at.parse().ok());
        let stage = status.and_then(|status| status.turn.as_ref());
        let is_waiting = stage.is_some_and(|turn| turn.stage != Stage::Rolling);
        if let Some(wave) = stage.and_then(|turn| turn.wave.parse().ok()) {
            // That of a process before this one, where this one knows of none.
            self.waves.entry(name.clone()).or_insert(wave);
        }
        let rolls = status.is_some_and(turn::is_rolling);
        self.comers += 1;
        let waits = is_waiting.then(|| waits.unwrap_or(self.comers));
        let part = Part { line: name, rolls, waits, failed };
        if rolls || waits.is_some() || failed.is_some() {
            self.parts.insert(key.clone(), part);
        } else {
            self.parts.remove(key);
        }
    }

    fn of(&self, name: &Name) -> impl Iterator<Item = (&Key, &Part)> {
        self.parts.iter().filter(move |(_, part)| part.line == *name)
    }

    fn rolling(&self, name: &Name, but: &Key) -> Vec<Key> {
        let rolls = self.of(name).filter(|(key, part)| part.rolls && *key != but);
        rolls.map(|(key, _)| key.clone()).collect()
    }

    /// Who of the wave failed; failures of waves before it are known and hold nobody up.
    fn failed(&self, name: &Name, wave: Timestamp) -> Vec<Key> {
        let failed = self.of(name).filter(|(_, part)| part.failed.is_some_and(|at| at >= wave));
        failed.map(|(key, _)| key.clone()).collect()
    }

    fn is_stopped(&self, name: &Name, rules: RolloutRules) -> bool {
        let most = rules.stop_after_failures.and_then(|most| usize::try_from(most).ok());
        let wave = self.waves.get(name);
        wave.zip(most).is_some_and(|(wave, most)| self.failed(name, *wave).len() >= most)
    }

    /// Whether a wave goes on: somebody rolls or waits.
    fn is_busy(&self, name: &Name) -> bool {
        self.of(name).any(|(_, part)| part.rolls || part.waits.is_some())
    }

    /// Those that wait, in their order.
    fn waiting(&self, name: &Name) -> Vec<Key> {
        let mut waiting: Vec<(u64, &Key)> = self.of(name).filter_map(|(key, part)| Some((part.waits?, key))).collect();
        waiting.sort();
        waiting.into_iter().map(|(_, key)| key.clone()).collect()
    }

    fn everybody(&self) -> Vec<Key> {
        self.parts.iter().filter(|(_, part)| part.waits.is_some()).map(|(key, _)| key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargateer_api::status::{RolloutStatus, TurnStatus};
    use serde_json::json;

    const TWO: RolloutRules = RolloutRules { max: Some(2), stop_after_failures: Some(1) };

    fn key(name: &str) -> Key {
        Key::new(name)
    }

    fn begun() -> Turns {
        let turns = Turns::default();
        turns.look_first([]);
        turns
    }

    fn ask(turns: &Turns, name: &str) -> Turn {
        turns.ask(&key(name), (None, TWO), Timestamp::UNIX_EPOCH).0
    }

    fn status(stage: Option<Stage>, rollout: &str) -> AgentDeploymentStatus {
        let wave = Timestamp::UNIX_EPOCH.to_string();
        let rollout = RolloutStatus { id: String::new(), state: rollout.to_owned(), reason: None, started: None };
        AgentDeploymentStatus {
            turn: stage.map(|stage| TurnStatus { stage, wave, position: None }),
            rollout: Some(rollout),
            ..AgentDeploymentStatus::default()
        }
    }

    fn failed(at: &str) -> AgentDeploymentStatus {
        let stalled = json!({"type": "Stalled", "status": "True", "reason": "RolledBack", "message": "",
            "lastTransitionTime": at, "observedGeneration": null});
        let conditions = vec![serde_json::from_value(stalled).unwrap()];
        AgentDeploymentStatus { conditions, ..status(None, "COMPLETED") }
    }

    fn note(turns: &Turns, name: &str, status: &AgentDeploymentStatus) -> Vec<Key> {
        turns.note(&key(name), (None, TWO), Some(status))
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_let_roll_counts_from_then_on_and_the_first_that_waits_is_woken() {
        let turns = begun();
        assert_eq!((ask(&turns, "a"), ask(&turns, "b")), (Turn::Given, Turn::Given));
        assert!(matches!(ask(&turns, "c"), Turn::Waits { position: 1, .. }));
        assert!(matches!(ask(&turns, "d"), Turn::Waits { position: 2, .. }));
        assert!(matches!(ask(&turns, "c"), Turn::Waits { position: 1, .. }), "asking again keeps the place");
        assert_eq!(note(&turns, "c", &status(Some(Stage::Waiting), "COMPLETED")), []);
        assert_eq!(note(&turns, "d", &status(Some(Stage::Waiting), "COMPLETED")), []);
        assert_eq!(note(&turns, "a", &status(Some(Stage::Rolling), "IN_PROGRESS")), []);
        assert_eq!(note(&turns, "a", &status(None, "COMPLETED")), [key("c")]);
        assert!(matches!(ask(&turns, "d"), Turn::Waits { position: 2, .. }), "who was woken goes before");
        assert_eq!(ask(&turns, "c"), Turn::Given);
    }

    #[tokio::test(start_paused = true)]
    async fn what_aws_rolls_counts_whoever_began_it() {
        let turns = begun();
        note(&turns, "a", &status(None, "IN_PROGRESS"));
        note(&turns, "b", &status(Some(Stage::Rolling), "COMPLETED"));
        assert!(matches!(ask(&turns, "c"), Turn::Waits { .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_stops_the_wave_and_tells_everybody_and_a_new_spec_goes_first() {
        let turns = begun();
        ask(&turns, "a");
        ask(&turns, "b");
        for name in ["c", "d"] {
            ask(&turns, name);
            note(&turns, name, &status(Some(Stage::Waiting), "COMPLETED"));
        }
        note(&turns, "b", &status(Some(Stage::Rolling), "IN_PROGRESS"));
        assert_eq!(note(&turns, "a", &failed("2026-07-01T12:00:00Z")), [key("c"), key("d")]);
        assert!(matches!(ask(&turns, "c"), Turn::Held { ref failed, .. } if *failed == [key("a")]));
        assert_eq!(ask(&turns, "a"), Turn::Given, "it is tried again before those that were never tried");
        assert_eq!(note(&turns, "a", &status(Some(Stage::Rolling), "IN_PROGRESS")), [key("c"), key("d")]);
        assert!(matches!(ask(&turns, "c"), Turn::Waits { .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_before_the_wave_holds_nobody_up() {
        let turns = begun();
        note(&turns, "old", &failed("1969-07-01T12:00:00Z"));
        assert_eq!(ask(&turns, "a"), Turn::Given);
        assert_eq!(ask(&turns, "b"), Turn::Given);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_begins_before_everybody_was_looked_at_or_the_patience_is_over() {
        let turns = Turns::default();
        assert_eq!(ask(&turns, "a"), Turn::Unseen(1), "nothing is loaded yet");
        turns.look_first([key("a"), key("b"), key("c")]);
        assert_eq!(ask(&turns, "a"), Turn::Unseen(2));
        note(&turns, "a", &status(Some(Stage::Waiting), "COMPLETED"));
        note(&turns, "b", &status(None, "COMPLETED"));
        assert_eq!(note(&turns, "c", &status(None, "COMPLETED")), [key("a")]);
        assert_eq!(ask(&turns, "a"), Turn::Given);
        let stuck = Turns::default();
        stuck.look_first([key("stuck")]);
        assert_eq!(ask(&stuck, "a"), Turn::Unseen(1));
        tokio::time::advance(UNSEEN).await;
        assert_eq!(ask(&stuck, "a"), Turn::Given);
    }

    #[tokio::test(start_paused = true)]
    async fn a_project_with_its_own_number_is_a_line_of_its_own() {
        let turns = begun();
        ask(&turns, "a");
        ask(&turns, "b");
        let own = (Some("support".to_owned()), TWO);
        assert_eq!(turns.ask(&key("c"), own, Timestamp::UNIX_EPOCH).0, Turn::Given);
    }
}
