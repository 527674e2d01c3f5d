//! An error answer of a simulated service, before any protocol gives it a shape.

use serde_json::Value;

/// What an operation answers.
pub(crate) type Answer = Result<Value, Refusal>;

/// An error as AWS names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// Further members of the error document; an object or null.
    pub(crate) detail: Value,
}

impl Refusal {
    /// A fault of the caller.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.to_owned(), message: message.into(), detail: Value::Null }
    }

    /// A fault of the service.
    pub(crate) fn server(code: &str, message: impl Into<String>) -> Self {
        Self { status: 500, code: code.to_owned(), message: message.into(), detail: Value::Null }
    }

    /// `InvalidParameterException`, the usual answer of ECS, ECR and Logs.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// `ClientException`, the answer of ECS for task definitions and much else.
    pub(crate) fn client(message: impl Into<String>) -> Self {
        Self::new("ClientException", message)
    }

    /// `ValidationException`, the answer of Application Auto Scaling.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// The same refusal with further members in its document.
    pub(crate) fn with(self, detail: Value) -> Self {
        Self { detail, ..self }
    }

    /// The answer to an operation that is not simulated.
    pub(crate) fn unknown_operation() -> Self {
        Self::new("UnknownOperationException", "The requested operation is not supported.")
    }
}
