//! The contract between Fargateer and people: what they write (`AgentDeployment`), what we answer (`Status`).
//!
//! Pure data. No I/O, no clock, no AWS. Everything else in the workspace may import this crate; it imports nothing of ours.

mod brief;
mod build;
mod container;
mod cron;
pub mod default;
pub mod fargate;
pub mod fault;
pub mod freeze;
pub mod key;
mod meaning;
mod nearest;
mod outline;
mod path;
pub mod pattern;
pub mod project;
pub mod request;
pub mod schema;
pub mod seeded;
mod shape;
pub mod spec;
pub mod status;
mod structure;
mod text;
mod traffic;
pub mod validate;
mod visible;
pub mod yaml;

pub use brief::brief;
pub use fault::{Fault, Violation};
pub use key::{Generation, Key};
pub use path::is_confidential;
pub use project::Project;
pub use spec::{AgentDeployment, AgentDeploymentSpec, Metadata};
pub use status::{AgentDeploymentStatus, Condition, ConditionType, Reason};
pub use visible::{visible, visible_json, visible_lines};
