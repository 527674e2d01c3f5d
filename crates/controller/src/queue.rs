//! The queue of keys: one run a key at a time, any number of wakes while it runs mean exactly one more run.
//!
//! Ready keys go by priority, which rises with waiting; within one, projects share fairly. A spurious wake never
//! shortens a backoff; a change of input or a person's request does.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fargateer_api::Key;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A waiting key gains one priority in this time: nothing starves.
const AGING: Duration = Duration::from_secs(30);

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

#[derive(Debug)]
enum Entry {
    /// Waits for its time.
    Delayed { at: Instant, wake: Wake, backoff: bool },
    /// Waits for a worker.
    Ready { since: Instant, wake: Wake },
    /// A worker has it; `again` is the wake that came meanwhile.
    Running { since: Instant, again: Option<Wake> },
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Key, Entry>,
    projects: BTreeMap<Key, String>,
    served: BTreeMap<String, u64>,
    closed: bool,
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
        let ready = Entry::Ready { since: Instant::now(), wake };
        match state.entries.get_mut(key) {
            Some(Entry::Running { again, .. }) => *again = Some(again.map_or(wake, |before| before.min(wake))),
            Some(Entry::Ready { wake: before, .. }) => *before = (*before).min(wake),
            Some(Entry::Delayed { backoff: true, .. }) if !wake.bypasses_backoff() => {}
            Some(Entry::Delayed { .. }) | None => {
                state.entries.insert(key.clone(), ready);
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Whose share of the workers a key counts to.
    pub fn assign(&self, key: &Key, project: &str) {
        self.lock().projects.insert(key.clone(), project.to_owned());
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
                    if state.next_ready().is_some() {
                        self.changed.notify_one();
                    }
                    return Some(turn);
                }
                state.next_due()
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
        let again = match state.entries.remove(key) {
            Some(Entry::Running { again, .. }) => again,
            Some(Entry::Ready { .. } | Entry::Delayed { .. }) | None => None,
        };
        let again = again.filter(|wake| wake.bypasses_backoff() || !backoff);
        let now = Instant::now();
        let entry = match (again, after) {
            (Some(wake), _) => Some(Entry::Ready { since: now, wake }),
            (None, Some((wait, wake))) => Some(Entry::Delayed { at: now + wait, wake, backoff }),
            (None, None) => None,
        };
        if let Some(entry) = entry {
            state.entries.insert(key.clone(), entry);
        }
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
        let mut depth = Depth::default();
        for entry in self.lock().entries.values() {
            match entry {
                Entry::Delayed { .. } => depth.delayed += 1,
                Entry::Ready { .. } => depth.ready += 1,
                Entry::Running { since, .. } => {
                    depth.running += 1;
                    depth.longest = depth.longest.max(since.elapsed());
                }
            }
        }
        depth
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
    /// Delayed keys whose time has come become ready.
    fn promote(&mut self, now: Instant) {
        for entry in self.entries.values_mut() {
            if let Entry::Delayed { at, wake, .. } = entry
                && *at <= now
            {
                *entry = Entry::Ready { since: *at, wake: *wake };
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let due = self.entries.values().filter_map(|entry| match entry {
            Entry::Delayed { at, .. } => Some(*at),
            Entry::Ready { .. } | Entry::Running { .. } => None,
        });
        due.min()
    }

    /// The ready key whose turn it is: priority raised by age, then the project served least, then the oldest.
    fn next_ready(&self) -> Option<Key> {
        let ready = self.entries.iter().filter_map(|(key, entry)| match entry {
            Entry::Ready { since, wake } => Some((key, *since, *wake)),
            Entry::Delayed { .. } | Entry::Running { .. } => None,
        });
        let rank = |(key, since, wake): &(&Key, Instant, Wake)| {
            let age = since.elapsed().as_secs() / AGING.as_secs();
            let priority = (*wake as u64).saturating_sub(age);
            let served = self.projects.get(*key).and_then(|project| self.served.get(project)).copied();
            (priority, served.unwrap_or(0), *since)
        };
        ready.min_by_key(rank).map(|(key, ..)| key.clone())
    }

    fn take(&mut self) -> Option<Turn> {
        let key = self.next_ready()?;
        let now = Instant::now();
        let before = self.entries.insert(key.clone(), Entry::Running { since: now, again: None });
        let waited = match before {
            Some(Entry::Ready { since, .. }) => now.saturating_duration_since(since),
            Some(Entry::Delayed { .. } | Entry::Running { .. }) | None => Duration::ZERO,
        };
        if let Some(project) = self.projects.get(&key) {
            *self.served.entry(project.clone()).or_default() += 1;
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
    async fn a_closed_queue_gives_nothing_out() {
        let queue = Queue::default();
        queue.wake(&key("a"), Wake::Input);
        queue.close();
        assert!(queue.pop().await.is_none());
    }
}
