//! Where specs come from and where statuses go: the adapters behind the ports `Source` and `Statuses`.
//!
//! A source yields whole snapshots and says when one is not whole; it never decides what that means.

pub mod source;
pub mod status;
pub mod table;
