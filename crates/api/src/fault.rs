//! What is wrong with a document: `Violation` says it of a field, `Fault` says it of a place in a file.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    key::Key,
    visible::{shorten, visible},
};

/// Nobody reads more faults of a file; searches that could go on and on end here.
pub(crate) const ENOUGH: usize = 500;

/// Longest text of a problem or a hint, in characters: a value quoted in it may be a whole file.
pub(crate) const LONGEST: usize = 400;

/// A rule a field breaks. Where the field stands in a file is the parser's knowledge, not a rule's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The field, such as `spec.resources.cpu` or `spec.network.subnets[1]`.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// A violation with its place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The file, as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The field, such as `spec.resources.cpu`; empty when the fault is of the whole document.
    pub path: String,
    /// The agent the document speaks of, as far as it could be read.
    pub agent: Option<Key>,
    /// What is wrong.
    pub problem: String,
    /// What would be right; for the reader's eyes apart from the problem.
    pub hint: Option<String>,
}

impl Violation {
    /// `problem` at `path`, without a hint.
    pub fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: told(&problem.into()), hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(told(&hint.into())), ..self }
    }
}

/// One line a person can read: what a spec says is quoted in it, and a spec may say anything.
fn told(text: &str) -> String {
    shorten(visible(text), LONGEST)
}

/// `file:line:column: path: problem`; the hint is rendered apart, by the caller.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.problem)
    }
}
