//! Every way an AWS call can fail, in one table: the class decides when it is tried again, the reason what is told.
//!
//! Sources of the rows: ECS API reference, "Common errors"; the retry lists of other tools for what proved transient.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use fargateer_api::Reason;
use fargateer_api::seeded::{Bug, has};
use fargateer_plan::failure::{Class, Failure};

/// One row: a code, a piece of the message (empty: any), and what it means. The first match wins.
type Row = (&'static str, &'static str, Class, Reason);

/// The table.
const TABLE: &[Row] = &[
    ("ThrottlingException", "", Class::Throttled, Reason::Throttled),
    ("Throttling", "", Class::Throttled, Reason::Throttled),
    ("TooManyRequestsException", "", Class::Throttled, Reason::Throttled),
    ("RequestLimitExceeded", "", Class::Throttled, Reason::Throttled),
    ("AccessDeniedException", "", Class::Denied, Reason::AccessDenied),
    ("AccessDenied", "", Class::Denied, Reason::AccessDenied),
    ("UnauthorizedOperation", "", Class::Denied, Reason::AccessDenied),
    ("BlockedException", "", Class::Denied, Reason::AccessDenied),
    ("FailedResourceAccessException", "", Class::Denied, Reason::AccessDenied),
    ("UnrecognizedClientException", "", Class::Denied, Reason::NoCredentials),
    ("InvalidClientTokenId", "", Class::Denied, Reason::NoCredentials),
    ("InvalidSignatureException", "", Class::Denied, Reason::NoCredentials),
    ("SignatureDoesNotMatch", "", Class::Denied, Reason::NoCredentials),
    ("ExpiredTokenException", "", Class::Denied, Reason::NoCredentials),
    ("ExpiredToken", "", Class::Denied, Reason::NoCredentials),
    ("IncompleteSignature", "", Class::Denied, Reason::NoCredentials),
    // The SDK retries this name as throttling; it is a quota, and only a person raises it.
    ("LimitExceededException", "", Class::Denied, Reason::QuotaExceeded),
    ("ServiceQuotaExceededException", "", Class::Denied, Reason::QuotaExceeded),
    ("ClusterNotFoundException", "", Class::Denied, Reason::ClusterNotFound),
    ("TargetGroupNotFound", "", Class::Denied, Reason::TargetGroupNotFound),
    ("ServiceNotActiveException", "", Class::Conflict, Reason::WaitingForConflict),
    ("ServiceNotFoundException", "", Class::NotYetVisible, Reason::NotYetVisible),
    ("ConcurrentUpdateException", "", Class::Conflict, Reason::WaitingForConflict),
    ("OperationAbortedException", "", Class::Conflict, Reason::WaitingForConflict),
    ("UpdateInProgressException", "", Class::Conflict, Reason::WaitingForConflict),
    ("ConflictException", "", Class::Conflict, Reason::WaitingForConflict),
    ("InvalidParameterException", "still Draining", Class::Conflict, Reason::WaitingForConflict),
    ("InvalidParameterException", "deployments are active", Class::Conflict, Reason::WaitingForConflict),
    ("InvalidParameterException", "scaled above 0", Class::Conflict, Reason::WaitingForConflict),
    // Listener or rule was made a moment ago; or there is none, which a person sees from the message.
    (
        "InvalidParameterException",
        "does not have an associated load balancer",
        Class::NotYetVisible,
        Reason::NotYetVisible,
    ),
    (
        "InvalidParameterException",
        "Unable to assume the service linked role",
        Class::NotYetVisible,
        Reason::NotYetVisible,
    ),
    ("InvalidParameterException", "verify that the ECS service role", Class::NotYetVisible, Reason::NotYetVisible),
    // Somebody made a service of this name between our look and our create: the next look tells whose it is.
    ("InvalidParameterException", "not idempotent", Class::Conflict, Reason::WaitingForConflict),
    ("InvalidParameterException", "target group", Class::Invalid, Reason::TargetGroupNotFound),
    ("ValidationException", "ECS service doesn't exist", Class::NotYetVisible, Reason::NotYetVisible),
    // Made since our look, perhaps by a call of ours whose answer was lost: the next look tells.
    ("ValidationException", "you tried to tag already exists", Class::Conflict, Reason::WaitingForConflict),
    ("ValidationException", "Unable to assume IAM role", Class::NotYetVisible, Reason::NotYetVisible),
    ("ObjectNotFoundException", "", Class::NotYetVisible, Reason::NotYetVisible),
    // A revision registered a moment ago is not everywhere yet.
    ("ClientException", "Unable to describe task definition", Class::NotYetVisible, Reason::NotYetVisible),
    ("ClientException", "TaskDefinition not found", Class::NotYetVisible, Reason::NotYetVisible),
    ("ClientException", "not idempotent", Class::Conflict, Reason::WaitingForConflict),
    ("AccountLimitExceededException", "", Class::Denied, Reason::QuotaExceeded),
    ("SlowDown", "", Class::Throttled, Reason::Throttled),
    ("ServerException", "", Class::Transient, Reason::Unavailable),
    ("InternalServiceException", "", Class::Transient, Reason::Unavailable),
    ("InternalFailure", "", Class::Transient, Reason::Unavailable),
    ("ServiceUnavailableException", "", Class::Transient, Reason::Unavailable),
];

/// What an error code and message mean; `status` decides where the table has no row.
pub fn classify(code: &str, message: &str, status: u16) -> (Class, Reason) {
    let row = TABLE.iter().find(|(row, piece, ..)| *row == code && message.contains(piece));
    match row {
        Some((_, _, class, reason)) => (*class, *reason),
        None if status >= 500 || status == 0 => (Class::Transient, Reason::Unavailable),
        None if status == 429 => (Class::Throttled, Reason::Throttled),
        // Told to have worked, in words nobody can read: an answer that broke off on its way.
        None if (200..300).contains(&status) && !has(Bug::BrokenAnswerIsFinal) => {
            (Class::Transient, Reason::Unavailable)
        }
        None => (Class::Invalid, Reason::InvalidRequest),
    }
}

/// The failure behind an SDK error of `operation`.
pub fn failure<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let SdkError::ServiceError(service) = error {
        let status = service.raw().status().as_u16();
        let code = error.code().unwrap_or(if (200..300).contains(&status) { "UnreadableAnswer" } else { "Unknown" });
        let message = error.message().unwrap_or_default();
        let (class, reason) = classify(code, message, status);
        return of(operation, class, reason, (code, message));
    }
    if let Some(failure) = carried(error) {
        return failure;
    }
    let text = DisplayErrorContext(error).to_string();
    if is_credentials(&text) {
        let hint = "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run with a role";
        return of(
            operation,
            Class::Denied,
            Reason::NoCredentials,
            ("NoCredentials", &format!("no AWS credentials: {hint}")),
        );
    }
    let code = match error {
        SdkError::TimeoutError(_) => "Timeout",
        SdkError::DispatchFailure(_) => "Unreachable",
        SdkError::ResponseError(_) => "UnreadableAnswer",
        SdkError::ConstructionFailure(_) | SdkError::ServiceError(_) | _ => "NotSent",
    };
    of(operation, Class::Transient, Reason::Unavailable, (code, &without_endpoint(&shorten(&text))))
}

/// A failure of ours on its way through the SDK, as why there are no credentials.
#[derive(Debug)]
pub(crate) struct Carried(pub(crate) Failure);

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Carried {}

/// The failure of ours behind `error`, if there is one.
fn carried(error: &(dyn Error + 'static)) -> Option<Failure> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Carried(failure)) = error.downcast_ref::<Carried>() {
            return Some(failure.clone());
        }
        cause = error.source();
    }
    None
}

/// A failure that is ours to name.
pub fn of(operation: &str, class: Class, reason: Reason, (code, message): (&str, &str)) -> Failure {
    Failure { class, reason, operation: operation.to_owned(), code: code.to_owned(), message: message.to_owned() }
}

fn is_credentials(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("credential") && (text.contains("not") || text.contains("fail") || text.contains("no "))
}

/// An endpoint may hold a password: who set it knows it, and others read the status.
fn without_endpoint(text: &str) -> String {
    let Some((before, rest)) = text.split_once("endpoint `") else { return text.to_owned() };
    let after = rest.rsplit_once('`').map_or("", |(_, after)| after);
    format!("{before}endpoint `...`{after}")
}

/// The chain of causes without the SDK's debug dump behind it.
fn shorten(text: &str) -> String {
    let dump = ["(DispatchFailure", "(TimeoutError", "(ResponseError", "(ConstructionFailure"];
    let end = dump.iter().filter_map(|start| text.find(start)).min().unwrap_or(text.len());
    text.chars().take(text[..end].chars().count().min(300)).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_reachable() {
        for (code, piece, class, reason) in TABLE {
            assert_eq!(classify(code, piece, 400), (*class, *reason), "{code} {piece}");
        }
    }

    #[test]
    fn an_endpoint_is_not_repeated() {
        let text = "failed to apply endpoint `u:se`cret`: endpoint must contain scheme";
        assert_eq!(without_endpoint(text), "failed to apply endpoint `...`: endpoint must contain scheme");
        assert_eq!(without_endpoint("endpoint `secret"), "endpoint `...`");
        assert_eq!(without_endpoint("connection refused"), "connection refused");
    }

    #[test]
    fn an_unknown_client_error_is_invalid_and_an_unknown_server_error_is_transient() {
        assert_eq!(classify("Novelty", "x", 400).0, Class::Invalid);
        assert_eq!(classify("Novelty", "x", 503).0, Class::Transient);
        assert_eq!(classify("Novelty", "x", 429).0, Class::Throttled);
        assert_eq!(classify("UnreadableAnswer", "", 200).0, Class::Transient);
    }
}
