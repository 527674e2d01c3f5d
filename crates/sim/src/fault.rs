//! Faults on order: which calls go wrong, and how.

use crate::call;
use serde::{Deserialize, Serialize};
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// ThrottlingException: Rate exceeded.
    Throttle,
    /// The same, with `x-amz-retry-after` in milliseconds.
    ThrottleFor(u64),
    /// A 500 with the service's own error document.
    ServerError,
    /// The call takes effect, and the answer is a 500 all the same.
    ServerErrorAfter,
    /// A 503 with an HTML page, as a proxy in between answers.
    HtmlError,
    /// A 502 without a body.
    EmptyError,
    /// The call takes effect, and its answer breaks off in the middle of a document.
    Truncated,
    /// AccessDeniedException.
    AccessDenied,
    /// Nobody answers at the address.
    ConnectTimeout,
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
    /// A read answers what was so many milliseconds ago (see `Settings::history`). No fault of a write.
    Stale(u64),
    /// DescribeServices leaves a service out.
    Omit(Omission),
    /// A list comes in awkward pages.
    Paged(Paging),
}

/// What DescribeServices says of a service it leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Omission {
    /// A failure MISSING.
    Missing,
    /// A failure ACCESS_DENIED.
    Denied,
    /// Nothing.
    Silent,
}

/// In which pages a list comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Paging {
    /// One item a page.
    Single,
    /// The first page is empty and has a token.
    Empty,
    /// Items come again on the next page.
    Repeated,
    /// In another order than last time.
    Shuffled,
    /// The token of the second page has expired.
    Expired,
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
