//! Faults on order: which calls go wrong, and how.

use crate::call;
use serde_json::Value;

/// A fault to inject into calls that come over the wire.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Only calls of this service.
    pub service: Option<String>,
    /// Only calls of this operation.
    pub operation: Option<String>,
    /// Only calls whose request mentions this, in a name or an ARN.
    pub resource: Option<String>,
    /// So many matching calls are let through first.
    pub skip: u32,
    /// So many matching calls go wrong; all of them when unset.
    pub times: Option<u32>,
    /// What goes wrong.
    pub kind: FaultKind,
}

impl Fault {
    /// A fault of every call, once; narrow it down with struct update syntax.
    pub fn once(kind: FaultKind) -> Self {
        Self { service: None, operation: None, resource: None, skip: 0, times: Some(1), kind }
    }
}

/// What goes wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// ThrottlingException: Rate exceeded.
    Throttle,
    /// A 500 with the service's own error document.
    ServerError,
    /// A 503 with an HTML page, as a proxy in between answers.
    HtmlError,
    /// AccessDeniedException.
    AccessDenied,
    /// The connection breaks before the call has any effect.
    ResetBefore,
    /// The call takes effect, and the connection breaks before the answer.
    ResetAfter,
    /// No answer ever, and no effect.
    HangBefore,
    /// The call takes effect, and no answer ever.
    HangAfter,
    /// A given error of the caller.
    Error {
        /// Its code.
        code: String,
        /// Its message.
        message: String,
    },
}

/// The faults on order, first come first served.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    ordered: Vec<Fault>,
}

impl Faults {
    pub(crate) fn order(&mut self, fault: Fault) {
        self.ordered.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.ordered.clear();
    }

    /// The fault that befalls a call, if any. Counts it.
    pub(crate) fn strike(&mut self, service: &str, operation: &str, input: &Value) -> Option<FaultKind> {
        let mut struck = None;
        for fault in &mut self.ordered {
            if !matches(fault, service, operation, input) || fault.times == Some(0) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times = fault.times.map(|times| times - 1);
            struck = Some(fault.kind.clone());
            break;
        }
        self.ordered.retain(|fault| fault.times != Some(0));
        struck
    }
}

fn matches(fault: &Fault, service: &str, operation: &str, input: &Value) -> bool {
    let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    let mentions = |part: &str| {
        call::resource(input).is_some_and(|resource| resource.contains(part)) || input.to_string().contains(part)
    };
    is(&fault.service, service) && is(&fault.operation, operation) && fault.resource.as_deref().is_none_or(mentions)
}
