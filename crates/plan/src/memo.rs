//! The last answer of a costly pure function beside its arguments. A plan is made several times a pass, and most of what it
//! renders is the same each time.

use std::sync::{Mutex, PoisonError};

/// Remembers one answer. Two memos are always equal and a clone remembers nothing: it holds nothing but what can be computed.
#[derive(Debug)]
pub(crate) struct Memo<K, V>(Mutex<Option<(K, V)>>);

impl<K: PartialEq, V: Clone> Memo<K, V> {
    /// The answer for `key`, computed unless it is the one remembered.
    pub(crate) fn get(&self, key: K, compute: impl FnOnce() -> V) -> V {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((known, value)) if *known == key => value.clone(),
            Some(_) | None => {
                let value = compute();
                *kept = Some((key, value.clone()));
                value
            }
        }
    }
}

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<K, V> Clone for Memo<K, V> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<K, V> PartialEq for Memo<K, V> {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_computed_once_for_the_same_arguments() {
        let (memo, mut computed) = (Memo::default(), 0);
        for key in [1, 1, 2, 1] {
            let value = memo.get(key, || {
                computed += 1;
                key * 10
            });
            assert_eq!(value, key * 10);
        }
        assert_eq!(computed, 3);
    }
}
