//! The queue of keys: one run a key at a time, any number of wakes while it runs mean exactly one more run.
//!
//! Ready keys go by priority, which rises with waiting; within one, projects share fairly. A spurious wake never
//! shortens a backoff; a change of input or a person's request does.
//!
//! Everything is indexed: a turn costs as many steps as there are projects with something to do, not as there are keys.

use std::collections::btree_map::Entry as Place;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fargateer_api::Key;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A waiting key gains one priority in this time: nothing starves.
const AGING: Duration = Duration::from_secs(30);

/// What a turn costs a project of weight one.
const TURN: u64 = 10_000;

/// Why a key is woken: decides its turn and whether a backoff counts, never what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// A person asked, or the spec changed.
    Input,
    /// An agent it depends on became Ready.
    Dependency,
    /// A rollout is under way.
    Progress,
    /// A failed pass is tried again.
    Retry,
    /// The sweep over the fleet.
    Resync,
}

impl Wake {
    fn bypasses_backoff(self) -> bool {
        matches!(self, Self::Input | Self::Dependency)
    }
}

/// A moment, and whose it is: in a set, the oldest comes first.
type Line = BTreeSet<(Instant, Key)>;

#[derive(Debug, Clone, Copy)]
enum Entry {
    /// Waits for its time.
    Delayed { at: Instant, wake: Wake, backoff: bool },
    /// Waits for a worker.
    Ready { since: Instant, wake: Wake },
    /// A worker has it; `again` is the wake that came meanwhile.
    Running { since: Instant, again: Option<Wake> },
}

/// The entries are the truth; the lines are the same again, in the order in which they are asked for.
#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Key, Entry>,
    delayed: Line,
    ready: BTreeMap<(Wake, Arc<str>), Line>,
    running: Line,
    projects: BTreeMap<Key, Arc<str>>,
    shares: BTreeMap<Arc<str>, Share>,
    weights: BTreeMap<String, u32>,
    closed: bool,
}

/// What a project has had of the workers.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    keys: usize,
    served: u64,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

/// A key on its way to a worker.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The key.
    pub key: Key,
    /// How long it was ready.
    pub waited: Duration,
}

/// What the queue holds, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ready for a worker.
    pub ready: usize,
    /// Waiting for its time.
    pub delayed: usize,
    /// At work.
    pub running: usize,
    /// How long the slowest of those has been at it.
    pub longest: Duration,
}

impl Queue {
    /// Wakes `key`: it runs as soon as a worker is free, or once more after the run that is under way.
    pub fn wake(&self, key: &Key, wake: Wake) {
        let mut state = self.lock();
        let entry = match state.entries.get(key).copied() {
            Some(Entry::Running { since, again }) => {
                Entry::Running { since, again: Some(again.map_or(wake, |before| before.min(wake))) }
            }
            Some(Entry::Ready { since, wake: before }) => Entry::Ready { since, wake: before.min(wake) },
            Some(Entry::Delayed { backoff: true, .. }) if !wake.bypasses_backoff() => return,
            Some(Entry::Delayed { .. }) | None => Entry::Ready { since: Instant::now(), wake },
        };
        state.put(key, Some(entry));
        drop(state);
        self.changed.notify_one();
    }

    /// Whose share of the workers a key counts to.
    pub fn assign(&self, key: &Key, project: &str) {
        self.lock().assign(key, Some(project));
    }

    /// Projects' shares of the workers beside those of others; 1 for those that are not named.
    pub fn weigh(&self, weights: BTreeMap<String, u32>) {
        self.lock().weights = weights;
    }

    /// The key is gone for good: it counts to nobody's share any more.
    pub fn forget(&self, key: &Key) {
        self.lock().assign(key, None);
    }

    /// The next key to work on; none when the queue is closed. Cancel-safe.
    pub async fn pop(&self) -> Option<Turn> {
        loop {
            // Registered before looking, so that a wake in between is not lost.
            let changed = self.changed.notified();
            let wait_until = {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                state.promote(Instant::now());
                if let Some(turn) = state.take() {
                    if !state.ready.is_empty() {
                        self.changed.notify_one();
                    }
                    return Some(turn);
                }
                state.delayed.first().map(|(at, _)| *at)
            };
            match wait_until {
                Some(at) => drop(tokio::time::timeout_at(at, changed).await),
                None => changed.await,
            }
        }
    }

    /// A run ended: `after` says when the key is due again (none: only when woken), `backoff` whether that is one.
    pub fn finish(&self, key: &Key, after: Option<(Duration, Wake)>, backoff: bool) {
        let mut state = self.lock();
        let again = match state.entries.get(key) {
            Some(Entry::Running { again, .. }) => *again,
            Some(Entry::Ready { .. } | Entry::Delayed { .. }) | None => None,
        };
        let again = again.filter(|wake| wake.bypasses_backoff() || !backoff);
        let now = Instant::now();
        let entry = match (again, after) {
            (Some(wake), _) => Some(Entry::Ready { since: now, wake }),
            (None, Some((wait, wake))) => Some(Entry::Delayed { at: now + wait, wake, backoff }),
            (None, None) => None,
        };
        state.put(key, entry);
        drop(state);
        self.changed.notify_one();
    }

    /// Ends the queue: `pop` answers none from now on.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    /// What it holds.
    pub fn depth(&self) -> Depth {
        let state = self.lock();
        let ready = state.ready.values().map(Line::len).sum();
        let longest = state.running.first().map(|(since, _)| since.elapsed()).unwrap_or_default();
        Depth { ready, delayed: state.delayed.len(), running: state.running.len(), longest }
    }

    /// The keys at work.
    pub fn running(&self) -> Vec<Key> {
        let state = self.lock();
        let running = state.entries.iter().filter(|(_, entry)| matches!(entry, Entry::Running { .. }));
        running.map(|(key, _)| key.clone()).collect()
    }

    /// When `key` is due; none when it runs, is ready or sleeps until woken.
    pub fn due(&self, key: &Key) -> Option<Duration> {
        if let Some(Entry::Delayed { at, .. }) = self.lock().entries.get(key) {
            return Some(at.saturating_duration_since(Instant::now()));
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Puts `key` where `entry` says, out of the line it stood in.
    fn put(&mut self, key: &Key, entry: Option<Entry>) {
        let before = match entry {
            Some(entry) => self.entries.insert(key.clone(), entry),
            None => self.entries.remove(key),
        };
        if let Some(before) = before {
            self.leave(key, before);
        }
        match entry {
            Some(Entry::Delayed { at, .. }) => drop(self.delayed.insert((at, key.clone()))),
            Some(Entry::Ready { since, wake }) => {
                let class = (wake, self.project(key));
                self.ready.entry(class).or_default().insert((since, key.clone()));
            }
            Some(Entry::Running { since, .. }) => drop(self.running.insert((since, key.clone()))),
            None => {}
        }
    }

    fn leave(&mut self, key: &Key, entry: Entry) {
        match entry {
            Entry::Delayed { at, .. } => drop(self.delayed.remove(&(at, key.clone()))),
            Entry::Running { since, .. } => drop(self.running.remove(&(since, key.clone()))),
            Entry::Ready { since, wake } => {
                if let Place::Occupied(mut line) = self.ready.entry((wake, self.project(key))) {
                    line.get_mut().remove(&(since, key.clone()));
                    if line.get().is_empty() {
                        line.remove();
                    }
                }
            }
        }
    }

    /// Whose `key` is; the nameless project's where nobody said.
    fn project(&self, key: &Key) -> Arc<str> {
        self.projects.get(key).cloned().unwrap_or_default()
    }

    fn assign(&mut self, key: &Key, project: Option<&str>) {
        if self.projects.get(key).map(AsRef::as_ref) == project {
            return;
        }
        let entry = self.entries.get(key).copied();
        // Out of the line of the old project, into that of the new one.
        self.put(key, None);
        if let Some(before) = self.projects.remove(key)
            && let Place::Occupied(mut share) = self.shares.entry(before)
        {
            share.get_mut().keys -= 1;
            if share.get().keys == 0 {
                share.remove();
            }
        }
        if let Some(project) = project {
            let known = self.shares.get_key_value(project).map(|(name, _)| Arc::clone(name));
            let name = known.unwrap_or_else(|| Arc::from(project));
            // A newcomer starts even with those who had least: what others had before it came is no debt to it.
            let least = self.shares.values().map(|share| share.served).min().unwrap_or(0);
            let fresh = Share { keys: 0, served: least };
            self.shares.entry(Arc::clone(&name)).or_insert(fresh).keys += 1;
            self.projects.insert(key.clone(), name);
        }
        self.put(key, entry);
    }

    /// Delayed keys whose time has come become ready.
    fn promote(&mut self, now: Instant) {
        while let Some((at, key)) = self.delayed.first().filter(|(at, _)| *at <= now).cloned() {
            match self.entries.get(&key).copied() {
                Some(Entry::Delayed { wake, .. }) => self.put(&key, Some(Entry::Ready { since: at, wake })),
                Some(Entry::Ready { .. } | Entry::Running { .. }) | None => drop(self.delayed.remove(&(at, key))),
            }
        }
    }

    /// The ready key whose turn it is: priority raised by age, then the project served least, then the oldest. Of one class
    /// the oldest is first whatever the time, so only the heads of the lines are compared.
    fn next_ready(&self, now: Instant) -> Option<Key> {
        let heads = self.ready.iter().filter_map(|(class, line)| Some((class, line.first()?)));
        let rank = |((wake, project), (since, key)): &(&(Wake, Arc<str>), &(Instant, Key))| {
            let age = now.saturating_duration_since(*since).as_secs() / AGING.as_secs();
            let priority = (*wake as u64).saturating_sub(age);
            let served = self.shares.get(project).map_or(0, |share| share.served);
            (priority, served, *since, key.clone())
        };
        heads.min_by_key(rank).map(|(_, (_, key))| key.clone())
    }

    fn take(&mut self) -> Option<Turn> {
        let now = Instant::now();
        let key = self.next_ready(now)?;
        let waited = match self.entries.get(&key) {
            Some(Entry::Ready { since, .. }) => now.saturating_duration_since(*since),
            Some(Entry::Delayed { .. } | Entry::Running { .. }) | None => Duration::ZERO,
        };
        self.put(&key, Some(Entry::Running { since: now, again: None }));
        let project = self.project(&key);
        let weight = self.weights.get(&*project).copied().unwrap_or(1).max(1);
        if let Some(share) = self.shares.get_mut(&project) {
            share.served += TURN / u64::from(weight);
        }
        Some(Turn { key, waited })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new(name)
    }

    async fn popped(queue: &Queue) -> String {
        queue.pop().await.unwrap().key.to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn many_wakes_while_a_key_runs_mean_exactly_one_more_run() {
        let queue = Queue::default();
        queue.wake(&key("a"), Wake::Input);
        assert_eq!(popped(&queue).await, "a");
        queue.wake(&key("a"), Wake::Input);
        queue.wake(&key("a"), Wake::Resync);
        queue.finish(&key("a"), None, false);
        assert_eq!(popped(&queue).await, "a");
        queue.finish(&key("a"), None, false);
        assert_eq!(queue.depth(), Depth::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_spurious_wake_does_not_shorten_a_backoff_and_a_new_spec_does() {
        let queue = Queue::default();
        for (wake, waits) in [(Wake::Resync, 60), (Wake::Input, 0)] {
            queue.wake(&key("a"), Wake::Input);
            popped(&queue).await;
            queue.finish(&key("a"), Some((Duration::from_mins(1), Wake::Retry)), true);
            let before = Instant::now();
            queue.wake(&key("a"), wake);
            popped(&queue).await;
            assert_eq!(before.elapsed().as_secs(), waits, "{wake:?}");
            queue.finish(&key("a"), None, false);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_person_goes_before_a_resync_and_age_goes_before_both() {
        let queue = Queue::default();
        queue.wake(&key("old"), Wake::Resync);
        tokio::time::advance(AGING * 5).await;
        queue.wake(&key("sweep"), Wake::Resync);
        queue.wake(&key("person"), Wake::Input);
        let order = [popped(&queue).await, popped(&queue).await, popped(&queue).await];
        assert_eq!(order, ["old", "person", "sweep"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_big_project_does_not_keep_a_small_one_waiting() {
        let queue = Queue::default();
        for name in ["big-1", "big-2", "big-3", "small-1"] {
            queue.assign(&key(name), name.split('-').next().unwrap());
            queue.wake(&key(name), Wake::Resync);
        }
        popped(&queue).await;
        assert_eq!(popped(&queue).await, "small-1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_project_of_weight_three_is_served_three_times_as_often() {
        let queue = Queue::default();
        queue.weigh(BTreeMap::from([("heavy".to_owned(), 3)]));
        for number in 0..20 {
            for project in ["heavy", "light"] {
                let key = key(&format!("{project}-{number:02}"));
                queue.assign(&key, project);
                queue.wake(&key, Wake::Resync);
            }
        }
        let mut served = Vec::new();
        for _ in 0..20 {
            served.push(popped(&queue).await);
        }
        assert_eq!(served.iter().filter(|name| name.starts_with("heavy")).count(), 15, "{served:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_project_starts_even_with_those_before_it() {
        let queue = Queue::default();
        queue.assign(&key("old"), "old");
        for _ in 0..100 {
            queue.wake(&key("old"), Wake::Resync);
            popped(&queue).await;
            queue.finish(&key("old"), None, false);
        }
        queue.wake(&key("old"), Wake::Resync);
        tokio::time::advance(Duration::from_secs(1)).await;
        queue.assign(&key("new"), "new");
        queue.wake(&key("new"), Wake::Resync);
        assert_eq!(popped(&queue).await, "old");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_changes_its_project_while_it_waits_is_served_once() {
        let queue = Queue::default();
        queue.assign(&key("a"), "one");
        queue.wake(&key("a"), Wake::Input);
        queue.assign(&key("a"), "other");
        assert_eq!(popped(&queue).await, "a");
        queue.finish(&key("a"), None, false);
        assert_eq!(queue.depth(), Depth::default());
    }

    #[tokio::test(start_paused = true)]
    async fn delayed_keys_come_in_the_order_of_their_times_whatever_their_names() {
        let queue = Queue::default();
        for (name, seconds) in [("a", 30), ("b", 10), ("c", 20)] {
            queue.wake(&key(name), Wake::Input);
            popped(&queue).await;
            queue.finish(&key(name), Some((Duration::from_secs(seconds), Wake::Progress)), false);
        }
        assert_eq!((queue.depth().delayed, queue.due(&key("b"))), (3, Some(Duration::from_secs(10))));
        let order = [popped(&queue).await, popped(&queue).await, popped(&queue).await];
        assert_eq!(order, ["b", "c", "a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_served_everybody_holds_nothing_of_them() {
        let queue = Queue::default();
        for number in 0..100 {
            let key = key(&format!("agent-{number}"));
            queue.assign(&key, &format!("project-{number}"));
            queue.wake(&key, Wake::Resync);
        }
        for _ in 0..100 {
            let turn = queue.pop().await.unwrap();
            queue.finish(&turn.key, None, false);
            queue.forget(&turn.key);
        }
        let state = queue.lock();
        assert!(state.entries.is_empty() && state.ready.is_empty() && state.delayed.is_empty());
        assert!(state.running.is_empty() && state.projects.is_empty() && state.shares.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_queue_gives_nothing_out() {
        let queue = Queue::default();
        queue.wake(&key("a"), Wake::Input);
        queue.close();
        assert!(queue.pop().await.is_none());
    }
}
