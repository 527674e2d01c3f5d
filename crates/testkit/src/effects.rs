//! What was done in a run, counted: the summary of updates that a run with faults must share with one without.

use std::collections::BTreeMap;

/// How often what happened.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Counts one more of `what`.
pub(crate) fn count(counts: &mut Counts, what: impl Into<String>) {
    *counts.entry(what.into()).or_default() += 1;
}

/// Adds `more` to `counts`.
pub(crate) fn add(counts: &mut Counts, more: &Counts) {
    for (what, number) in more {
        *counts.entry(what.clone()).or_default() += number;
    }
}

/// A hash of a sequence of texts, eight bytes at a time with the prime of FNV-1a; it tells two runs apart, nothing more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    /// Takes in one more text.
    pub(crate) fn add(&mut self, text: &str) {
        let (words, rest) = text.as_bytes().as_chunks::<8>();
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        for word in words.iter().map(|word| u64::from_le_bytes(*word)).chain([u64::from_le_bytes(last), length]) {
            // The product's low bits know nothing of the word's high ones: they are turned down.
            self.0 = ((self.0 ^ word).wrapping_mul(0x0100_0000_01b3)).rotate_left(29);
        }
    }

    /// The hash.
    pub(crate) fn value(self) -> u64 {
        self.0
    }
}
