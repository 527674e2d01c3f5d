//! The contract between Fargateer and people: what they write (`AgentDeployment`), what we answer (`Status`).
//!
//! Pure data. No I/O, no clock, no AWS. Everything else in the workspace may import this crate; it imports nothing of ours.

mod container;
pub mod default;
pub mod key;
pub mod spec;
pub mod status;
mod traffic;

pub use key::{Generation, Key};
pub use spec::{AgentDeployment, AgentDeploymentSpec, Metadata};
pub use status::{AgentDeploymentStatus, Condition, ConditionType, Reason};
