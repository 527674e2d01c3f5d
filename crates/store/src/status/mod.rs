//! Where statuses are kept.

pub mod file;
pub mod memory;
pub mod row;
