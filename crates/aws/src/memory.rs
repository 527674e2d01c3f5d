//! What was read a while ago and need not be read again yet: facts that hardly change, each with its age.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

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
