//! What was read a while ago and need not be read again yet: facts that hardly change, each with its age.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fargateer_plan::desired::Place;
use serde_json::Value;
use tokio::time::Instant;

/// When something that hardly changes was last read again. Two such reads in one pass can be spread over two.
#[derive(Debug, Default)]
pub(crate) struct Rereads(Mutex<BTreeMap<Place, Instant>>);

impl Rereads {
    /// Two reads this close belong to one pass.
    const ONE_PASS: Duration = Duration::from_secs(5);

    /// Something is read again in `place` now.
    pub(crate) fn mark(&self, place: &Place) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone(), Instant::now());
    }

    /// Whether something was read again in `place` a moment ago.
    pub(crate) fn just_now(&self, place: &Place) -> bool {
        let at = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(place).copied();
        at.is_some_and(|at| at.elapsed() < Self::ONE_PASS)
    }
}

/// One caller at a time for each key; the others wait for their turn.
#[derive(Debug)]
pub(crate) struct Turns<K>(Mutex<BTreeMap<K, Arc<tokio::sync::Mutex<()>>>>);

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Turns<K> {
    /// Waits until nobody else has the turn of `key`; it ends when the answer is dropped.
    pub(crate) async fn wait(&self, key: &K) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(key.clone()).or_default())
        };
        turn.lock_owned().await
    }
}

/// A document in little room: thousands are remembered, and one of small maps is many times as large as its text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Folded(Box<str>);

impl Folded {
    pub(crate) fn of(document: &Value) -> Self {
        Self(document.to_string().into())
    }

    /// The document; null where there is none.
    pub(crate) fn unfold(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

/// Values by key, each believed for a time; what nobody would believe any more is let go.
#[derive(Debug)]
pub(crate) struct Memory<K, V> {
    believed: Duration,
    kept: Mutex<Kept<K, V>>,
}

#[derive(Debug)]
struct Kept<K, V> {
    values: BTreeMap<K, (Instant, V)>,
    /// When what is too old was last let go.
    cleaned: Instant,
}

impl<K: Ord, V: Clone> Memory<K, V> {
    /// A memory that believes a value for `believed`.
    pub(crate) fn new(believed: Duration) -> Self {
        Self { believed, kept: Mutex::new(Kept { values: BTreeMap::new(), cleaned: Instant::now() }) }
    }

    /// The value of `key`, unless it is too old.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let kept = self.lock();
        let (at, value) = kept.values.get(key)?;
        (at.elapsed() < self.believed).then(|| value.clone())
    }

    /// The value of `key`, also when it is a little too old (by two thirds): for when it can well be read the next time.
    pub(crate) fn get_leniently(&self, key: &K) -> Option<V> {
        let kept = self.lock();
        let (at, value) = kept.values.get(key)?;
        (at.elapsed() < self.leniently()).then(|| value.clone())
    }

    /// Keeps a value.
    pub(crate) fn put(&self, key: K, value: V) {
        let (mut kept, lenient) = (self.lock(), self.leniently());
        let now = Instant::now();
        if now.duration_since(kept.cleaned) >= lenient {
            kept.cleaned = now;
            kept.values.retain(|_, (at, _)| now.duration_since(*at) < lenient);
        }
        kept.values.insert(key, (now, value));
    }

    /// Forgets a value: it was just changed.
    pub(crate) fn forget(&self, key: &K) {
        self.lock().values.remove(key);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.lock().values.clear();
    }

    /// The longest anybody believes a value.
    fn leniently(&self) -> Duration {
        self.believed * 5 / 3
    }

    fn lock(&self) -> MutexGuard<'_, Kept<K, V>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_nobody_believes_any_more_is_not_kept() {
        let memory = Memory::new(Duration::from_mins(3));
        for minute in 0..60 {
            memory.put(minute, ());
            tokio::time::advance(Duration::from_mins(1)).await;
        }
        assert!(memory.lock().values.len() <= 10, "{}", memory.lock().values.len());
        assert_eq!((memory.get(&58), memory.get(&56)), (Some(()), None));
        assert_eq!(memory.get_leniently(&56), Some(()));
    }
}
