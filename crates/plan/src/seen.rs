//! What a look at AWS brought: *unknown is never absent*. Nothing is created or deleted on a failed read.

use crate::failure::Failure;

/// The result of looking for one thing.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Seen<T> {
    /// Nobody looked yet.
    #[default]
    NotLooked,
    /// AWS said that it does not exist.
    Absent,
    /// It exists, like this.
    Present(T),
    /// The look failed: it may or may not exist.
    Unknown(Failure),
}

impl<T> Seen<T> {
    /// The thing, if it was seen.
    pub fn present(&self) -> Option<&T> {
        if let Self::Present(thing) = self { Some(thing) } else { None }
    }

    /// The thing, to be brought up to date after a write of ours.
    pub fn present_mut(&mut self) -> Option<&mut T> {
        if let Self::Present(thing) = self { Some(thing) } else { None }
    }

    /// Whether AWS said that it does not exist.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether nobody looked yet.
    pub fn is_unlooked(&self) -> bool {
        matches!(self, Self::NotLooked)
    }

    /// Why the look failed, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        if let Self::Unknown(failure) = self { Some(failure) } else { None }
    }
}
