//! Bugs planted on purpose, one of each class that operators are known for: the simulation must find every one of them,
//! or it proves nothing. Only a build with the feature `seeded-bugs` has them; in any other build `has` is constantly false.

use serde::{Deserialize, Serialize};

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bug {
    /// A placeholder.
    None,
}

/// Whether `bug` is planted in this thread.
#[cfg(not(feature = "seeded-bugs"))]
#[inline]
pub const fn has(_bug: Bug) -> bool {
    false
}

#[cfg(feature = "seeded-bugs")]
pub use planted::{has, plant};

#[cfg(feature = "seeded-bugs")]
mod planted {
    use super::Bug;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether `bug` is planted in this thread.
    pub fn has(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Plants `bug` in this thread, and takes out any other.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }
}
