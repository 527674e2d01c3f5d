//! Where specs come from.

pub mod dir;
#[cfg(feature = "git")]
pub mod git;
mod last_good;
mod listing;
mod reading;
pub mod table;
mod tree;
pub mod watch;
