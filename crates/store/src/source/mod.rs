//! Where specs come from.

pub mod dir;
mod last_good;
mod reading;
pub mod table;
mod tree;
mod watch;
