//! What was done in a run, counted: the summary of updates that a run with faults must share with one without.

use std::collections::BTreeMap;

use serde::Serialize;

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

/// A hash of a sequence of documents, eight bytes at a time with the prime of FNV-1a; it tells two runs apart, nothing more.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    text: Vec<u8>,
}

impl Default for Trace {
    fn default() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, text: Vec::new() }
    }
}

impl Trace {
    /// Takes in one more document, as its JSON.
    pub(crate) fn add(&mut self, document: &impl Serialize) {
        self.text.clear();
        if serde_json::to_writer(&mut self.text, document).is_err() {
            self.text.extend(b"no JSON");
        }
        let (words, rest) = self.text.as_chunks::<8>();
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let length = u64::try_from(self.text.len()).unwrap_or(u64::MAX);
        for word in words.iter().map(|word| u64::from_le_bytes(*word)).chain([u64::from_le_bytes(last), length]) {
            // The product's low bits know nothing of the word's high ones: they are turned down.
            self.hash = ((self.hash ^ word).wrapping_mul(0x0100_0000_01b3)).rotate_left(29);
        }
    }

    /// The hash.
    pub(crate) fn value(&self) -> u64 {
        self.hash
    }
}
