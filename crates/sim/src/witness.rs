//! Somebody who sees every call: decides what befalls it, and looks at the world right before and right after.
//!
//! A simulation test needs both: faults at exactly the n-th call, and invariants checked at every effect.

use crate::fault::FaultKind;
use crate::refusal::Answer;
use serde_json::Value;
use std::fmt::{self, Debug};
use std::time::Duration;

/// A call that came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct Meeting<'a> {
    /// Its number, counted from 1 since the start of the simulation.
    pub number: u64,
    /// When, since the start of the simulation.
    pub at: Duration,
    /// The access key of the caller.
    pub caller: &'a str,
    /// The service, by its endpoint's name.
    pub service: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// Whether the operation changes anything.
    pub mutating: bool,
    /// The request's members.
    pub request: &'a Value,
}

/// Sees every call.
pub trait Witness: Debug + Send {
    /// A call came in; answers what befalls it, if anything.
    fn before(&mut self, call: &Meeting<'_>, world: &mut View<'_>) -> Option<FaultKind>;

    /// A call was handled: `Ok` when it took effect, else the error code. Not called for what never reached AWS.
    /// The caller may or may not get the answer.
    fn after(&mut self, call: &Meeting<'_>, answer: Result<&Value, &str>, world: &mut View<'_>);
}

/// Answers an operation: service, operation, members.
type Answers<'a> = dyn FnMut(&str, &str, &Value) -> Answer + 'a;

/// The world as a witness may look at it, in the middle of a call.
pub struct View<'a>(pub(crate) &'a mut Answers<'a>);

impl Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}

impl View<'_> {
    /// Calls an operation past faults, rates and records; see `Simulation::call`.
    pub fn ask(&mut self, service: &str, operation: &str, input: &Value) -> Result<Value, (String, String)> {
        (self.0)(service, operation, input).map_err(|refusal| (refusal.code, refusal.message))
    }
}

/// The part of an answer a witness is told.
pub(crate) fn told(answer: &Answer) -> Result<&Value, &str> {
    answer.as_ref().map_err(|refusal| refusal.code.as_str())
}
