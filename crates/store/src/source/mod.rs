//! Where specs come from.

pub mod dir;
mod last_good;
mod listing;
mod reading;
mod tree;
mod watch;
