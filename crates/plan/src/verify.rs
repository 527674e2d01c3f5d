//! What smoke checks after a rollout found. When they are due is `look`'s business, the requests are `aws`'s.

/// What the smoke checks of one look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    /// Requests made.
    pub tried: usize,
    /// What went wrong, one line a request.
    pub failures: Vec<String>,
}

impl Probe {
    /// Whether every request was answered well, and there was one.
    pub fn passed(&self) -> bool {
        self.tried > 0 && self.failures.is_empty()
    }
}
