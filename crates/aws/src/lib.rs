//! The hands of Fargateer: they look at AWS and carry actions out. They decide nothing.
//!
//! Every file observes and applies one kind of resource, under the same name as in `fargateer_plan`. The SDK signs, finds
//! endpoints, retries and tells errors; the documents travel as JSON (see `wire.rs`), so that no field is lost.

pub mod batch;
mod build;
mod caller;
pub mod clients;
pub mod cloud;
pub mod error;
pub mod fence;
pub mod http;
mod image;
mod log_group;
mod memory;
mod object;
mod probe;
pub mod quota;
mod repository;
mod role;
mod rollout;
mod scaling;
mod service;
mod tags;
mod target_group;
mod task;
mod task_definition;
pub mod whole;
mod wire;

pub use caller::Counts;
pub use clients::Clients;
pub use cloud::{Aws, Settings};

/// Every IAM action Fargateer may use, sorted: the source of `deploy/iam-policy.json`.
pub fn permissions() -> Vec<&'static str> {
    let all = [
        build::PERMISSIONS,
        image::PERMISSIONS,
        log_group::PERMISSIONS,
        object::PERMISSIONS,
        repository::PERMISSIONS,
        rollout::PERMISSIONS,
        scaling::PERMISSIONS,
        service::PERMISSIONS,
        tags::PERMISSIONS,
        target_group::PERMISSIONS,
        task::PERMISSIONS,
        task_definition::PERMISSIONS,
        clients::PERMISSIONS,
    ];
    let mut permissions: Vec<&'static str> = all.concat();
    permissions.sort_unstable();
    permissions.dedup();
    permissions
}
