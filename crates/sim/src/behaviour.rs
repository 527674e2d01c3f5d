//! How the program inside an image behaves once it is started.
//!
//! A behaviour belongs to an image, not to a task: a new deployment of a good image heals what a bad one broke.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How tasks whose main container runs a given image behave.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    /// Starts and stays healthy.
    #[default]
    Healthy,
    /// The container exits before its task ever counts as RUNNING.
    CrashLoop {
        /// What it exits with.
        exit_code: i32,
    },
    /// The image can't be pulled.
    PullFailure,
    /// Runs, and fails whichever health check is defined.
    NeverHealthy,
    /// Runs and passes its own check, and fails the load balancer's.
    UnhealthyTarget,
    /// Runs, and passes its checks only after this long.
    SlowStart(Duration),
    /// Never gets past PROVISIONING.
    StuckProvisioning,
    /// Reaches RUNNING and is killed for its memory shortly after.
    OutOfMemory,
}
