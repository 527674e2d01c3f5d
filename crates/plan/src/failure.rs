//! A call that did not succeed: its class decides when it is tried again, its reason what a person is told.

use fargateer_api::Reason;
use serde::{Deserialize, Serialize};

/// When a failed call is worth trying again. Every error of every AWS call belongs to exactly one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Class {
    /// AWS throttles: slow down, count no failure.
    Throttled,
    /// A fault of the moment: server error, time-out, reset connection.
    Transient,
    /// Another change is in the way (draining, active deployments).
    Conflict,
    /// AWS does not show yet what it was told.
    NotYetVisible,
    /// Permission or quota: a person must act, and then it works.
    Denied,
    /// The request itself is wrong: only another spec helps.
    Invalid,
}

/// One failed call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// When to try again.
    pub class: Class,
    /// What a person is told, in one word.
    pub reason: Reason,
    /// The operation, such as `ecs.DescribeServices`.
    pub operation: String,
    /// AWS's error code.
    pub code: String,
    /// AWS's message.
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { operation, code, message, class: _, reason } = self;
        // Whoever tells of it says the reason anyway.
        if *code == reason.name() {
            return write!(f, "{operation}: {message}");
        }
        write!(f, "{operation}: {code}: {message}")
    }
}

impl std::error::Error for Failure {}
