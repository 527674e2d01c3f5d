//! Reads that travel together: callers who ask for the same kind of thing within a moment share one AWS call.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

/// Callers that wait for one shared call.
#[derive(Debug)]
struct Slot<K, V> {
    waiting: Mutex<Vec<(K, oneshot::Sender<V>)>>,
    full: Notify,
}

/// Collects keys for a moment, or until enough are there, and fetches them in one go.
///
/// The first caller of a group leads: it waits for the window - or longer, while the call could not be made anyway -,
/// fetches and hands the results out. There is no task of its
/// own, so a dropped caller leaves nothing behind; whoever waited on a dropped leader gets none and asks again.
#[derive(Debug)]
pub struct Batch<G, K, V> {
    window: Duration,
    size: usize,
    open: Mutex<BTreeMap<G, Arc<Slot<K, V>>>>,
}

impl<G: Ord + Clone, K: Ord + Clone, V: Clone> Batch<G, K, V> {
    /// Batches of up to `size` keys, open for `window`.
    pub fn new(size: usize, window: Duration) -> Self {
        Self { window, size, open: Mutex::new(BTreeMap::new()) }
    }

    /// The value of `key`: `fetch` is called by the caller who leads, with all keys of the batch. A batch that is not full
    /// stays open for `backlog`, where that is longer than the window.
    pub async fn get<F>(&self, group: &G, key: K, backlog: Duration, fetch: impl FnOnce(Vec<K>) -> F) -> Option<V>
    where
        F: Future<Output = BTreeMap<K, V>>,
    {
        let (sender, receiver) = oneshot::channel();
        if let Some(slot) = self.join(group, key, sender) {
            self.lead(group, &slot, backlog.max(self.window), fetch).await;
        }
        receiver.await.ok()
    }

    /// Joins the open batch of `group`; answers the slot when the caller is its first.
    fn join(&self, group: &G, key: K, sender: oneshot::Sender<V>) -> Option<Arc<Slot<K, V>>> {
        let mut open = lock(&self.open);
        let fresh = || Arc::new(Slot { waiting: Mutex::new(Vec::new()), full: Notify::new() });
        let slot = Arc::clone(open.entry(group.clone()).or_insert_with(fresh));
        let mut waiting = lock(&slot.waiting);
        waiting.push((key, sender));
        let (first, full) = (waiting.len() == 1, waiting.len() >= self.size);
        drop(waiting);
        if full {
            open.remove(group);
            slot.full.notify_one();
        }
        first.then_some(slot)
    }

    async fn lead<F>(&self, group: &G, slot: &Arc<Slot<K, V>>, open_for: Duration, fetch: impl FnOnce(Vec<K>) -> F)
    where
        F: Future<Output = BTreeMap<K, V>>,
    {
        let filled = tokio::time::timeout(open_for, slot.full.notified()).await;
        if filled.is_err() {
            let mut open = lock(&self.open);
            if open.get(group).is_some_and(|current| Arc::ptr_eq(current, slot)) {
                open.remove(group);
            }
        }
        let callers = std::mem::take(&mut *lock(&slot.waiting));
        let mut keys: Vec<K> = callers.iter().map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys.dedup();
        let found = fetch(keys).await;
        for (key, sender) in callers {
            if let Some(value) = found.get(&key) {
                // A caller that went away does not want the value any more.
                drop(sender.send(value.clone()));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;

    fn lengths(calls: &Mutex<Vec<usize>>, keys: Vec<u32>) -> BTreeMap<u32, u32> {
        lock(calls).push(keys.len());
        keys.into_iter().map(|key| (key, key * 2)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_five_callers_make_three_calls_of_ten() {
        let (batch, log) = (Batch::new(10, Duration::from_millis(25)), Mutex::new(Vec::new()));
        let gets = (0..25).map(|key| batch.get(&(), key, Duration::ZERO, |keys| async { lengths(&log, keys) }));
        let doubled = join_all(gets).await;
        assert_eq!(doubled, (0..25).map(|key| Some(key * 2)).collect::<Vec<_>>());
        assert_eq!(*lock(&log), vec![10, 10, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_must_wait_for_its_turn_takes_those_along_who_come_meanwhile() {
        let (batch, log) = (Batch::new(10, Duration::from_millis(25)), Mutex::new(Vec::new()));
        let gets = (0..12).map(|key| {
            let (batch, log) = (&batch, &log);
            async move {
                drop(tokio::time::timeout(Duration::from_millis(50) * key, std::future::pending::<()>()).await);
                batch.get(&(), key, Duration::from_secs(1), |keys| async { lengths(log, keys) }).await
            }
        });
        assert!(join_all(gets).await.iter().all(Option::is_some));
        assert_eq!(*lock(&log), vec![10, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_leader_leaves_nobody_hanging() {
        let batch: Batch<(), u32, u32> = Batch::new(10, Duration::from_millis(25));
        let never = |_| std::future::pending::<BTreeMap<u32, u32>>();
        let leader = tokio::time::timeout(Duration::from_millis(50), batch.get(&(), 1, Duration::ZERO, never));
        let follower = batch.get(&(), 2, Duration::ZERO, |_| async { BTreeMap::new() });
        let (led, answer) = tokio::join!(leader, follower);
        assert!(led.is_err());
        assert_eq!(answer, None);
    }
}
