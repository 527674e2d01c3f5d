//! What was read a while ago and need not be read again yet: facts that hardly change, each with its age.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fargateer_plan::desired::Place;
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

/// Values by key, each believed for a time.
#[derive(Debug)]
pub(crate) struct Memory<K, V> {
    believed: Duration,
    values: Mutex<BTreeMap<K, (Instant, V)>>,
}

impl<K: Ord, V: Clone> Memory<K, V> {
    /// A memory that believes a value for `believed`.
    pub(crate) fn new(believed: Duration) -> Self {
        Self { believed, values: Mutex::new(BTreeMap::new()) }
    }

    /// The value of `key`, unless it is too old.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let values = self.lock();
        let (at, value) = values.get(key)?;
        (at.elapsed() < self.believed).then(|| value.clone())
    }

    /// The value of `key`, also when it is a little too old (by two thirds): for when it can well be read the next time.
    pub(crate) fn get_leniently(&self, key: &K) -> Option<V> {
        let values = self.lock();
        let (at, value) = values.get(key)?;
        (at.elapsed() < self.believed * 5 / 3).then(|| value.clone())
    }

    /// Keeps a value.
    pub(crate) fn put(&self, key: K, value: V) {
        self.lock().insert(key, (Instant::now(), value));
    }

    /// Forgets a value: it was just changed.
    pub(crate) fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, (Instant, V)>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
