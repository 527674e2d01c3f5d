//! Where specs come from.

pub mod dir;
pub mod git;
mod last_good;
mod listing;
mod reading;
mod tree;
mod watch;
