//! Deterministic simulation: the real controller, the real SDK clients and real wire bytes against the simulated AWS, in one
//! thread, under a paused clock - and everything goes wrong that can go wrong.
//!
//! A [`Plan`] is a whole scenario as plain data: what people do and when, which call fails and how. [`run()`] plays it and
//! answers an [`Outcome`]: every broken invariant, a hash of all that happened, the state in the end. The same plan always
//! has the same outcome. Plans come from three places: [`enumerate`] makes one for every call of a workload and every way
//! it can fail, [`swarm`] draws them at random from a seed, and `regressions/*.json` keeps those that once found a bug.

#![expect(clippy::wildcard_enum_match_arm, reason = "of many kinds of acts and values, few matter in one place")]
#![expect(clippy::format_push_string, reason = "reports are short")]

pub mod agent;
pub mod bugs;
pub mod clock;
pub mod enumerate;
pub mod figures;
pub mod plan;
pub mod play;
pub mod report;
pub mod run;
pub mod shrink;
pub mod source;
pub mod swarm;
pub mod wiring;
pub mod workload;

mod effects;
mod invariants;
mod leaks;
mod operator;
mod overseer;
mod people;
mod record;
mod rows;
mod shelf;
mod state;
mod truth;

pub use agent::Agent;
pub use plan::Plan;
pub use run::{Outcome, run};
pub use state::DECIDED;
