//! Images built, pushed and run: against the simulated ECR with each of its quirks, and against Debian's registry.

#![allow(clippy::allow_attributes, reason = "the next line holds in some builds only")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so and fails"
)]

mod archives;
mod cloud;
mod debian;
mod docker_registry;
mod ecr;
mod exports;
mod failures;
mod fixture;
mod install;
mod quirks;
mod registry;
mod remote;
mod works;
mod world;
