//! The heart of Fargateer: when something happens, never what.
//!
//! A level-triggered queue of keys, workers that never wait for AWS, one retry rule, and the ports (traits) behind which
//! AWS, the sources of specs and the places for statuses stand. What should happen is `fargateer_plan`'s business.

pub mod backoff;
pub mod board;
pub mod controller;
pub mod event;
pub mod fleet;
mod keep;
pub mod lease;
pub mod metrics;
pub mod next;
pub mod port;
pub mod queue;
pub mod reconcile;
pub mod replica;
mod turns;
mod wake;

pub use controller::{Controller, Settings};
pub use reconcile::Reconciler;
