//! The brain of Fargateer: what should happen, as plain data.
//!
//! Pure: no async, no clock, no environment, no AWS SDK. Data goes in (`Desired`, `Observed`), data comes out (`Plan`,
//! `Status`). Documents of the ECS API stay JSON, so that a field nobody here has heard of is still compared and shown.

pub mod action;
pub mod adopt;
pub mod build;
pub mod built;
pub mod conceal;
pub mod cost;
pub mod dependency;
pub mod desired;
pub mod diagnosis;
pub mod difference;
pub mod echo;
pub mod failure;
pub mod guard;
pub mod image;
pub mod import;
mod intent;
pub mod inventory;
mod live;
pub mod log_group;
pub mod look;
mod memo;
mod merge;
pub mod normal;
pub mod object;
pub mod observed;
mod outcome;
pub mod overdue;
pub mod pass;
pub mod policy;
pub mod prepared;
pub mod prune;
pub mod remote;
pub mod repository;
pub mod revision;
pub mod roll;
pub mod rollout;
pub mod scaling;
pub mod seen;
pub mod service;
pub mod status;
pub mod tags;
pub mod target_group;
pub mod task_definition;
pub mod turn;
pub mod verify;
pub mod waves;
