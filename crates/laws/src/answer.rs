//! Errors of AWS: every one belongs to a class.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::ErrorMetadata;
use fargateer_api::Reason;
use fargateer_aws::error::{classify, failure};
use fargateer_plan::failure::Class;

/// Codes that mean throttling, whatever the status.
const THROTTLING: [&str; 4] = ["ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"];

/// Any code, message and status have a class: two bytes of status, a line of code, the rest is the message. Throttling is
/// throttling whatever the status; a server's unknown error and an unreadable answer that calls itself a success pass by
/// themselves, an unknown error of the caller does not; the SDK's errors are classified as their parts.
///
/// # Panics
///
/// When the law is broken.
pub fn error_classifier(data: &[u8]) {
    let (status, rest) = match data {
        [high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), rest),
        short => (0, short),
    };
    let text = crate::text(rest);
    let (code, message) = text.split_once('\n').unwrap_or((&text, ""));
    let (class, reason) = classify(code, message, status);
    assert_eq!((class, reason), classify(code, message, status), "not a function");
    if THROTTLING.contains(&code) {
        assert_eq!((class, reason), (Class::Throttled, Reason::Throttled), "{code} {status}");
    }
    assert!(class != Class::Throttled || THROTTLING.contains(&code) || status == 429, "{code} {status}");
    let unknown = format!("{code}?");
    let expected = match status {
        0 | 200..=299 | 500.. => Class::Transient,
        429 => Class::Throttled,
        _ => Class::Invalid,
    };
    assert_eq!(classify(&unknown, message, status).0, expected, "{unknown} {status}");
    // The class decides when it is tried again, and the reason what is told: they must not contradict one another.
    assert_eq!(class == Class::Throttled, reason == Reason::Throttled, "{code} {status}");
    assert_eq!(class == Class::NotYetVisible, reason == Reason::NotYetVisible, "{code} {status}");
    as_the_sdk_says_it(code, message, status);
}

fn as_the_sdk_says_it(code: &str, message: &str, status: u16) {
    let Ok(sent) = StatusCode::try_from(status) else { return };
    let error = ErrorMetadata::builder().code(code).message(message).build();
    let answer = HttpResponse::new(sent, SdkBody::empty());
    let told = failure("ecs.Operation", &SdkError::service_error(error, answer));
    assert_eq!((told.class, told.reason), classify(code, message, status));
    assert_eq!((told.operation.as_str(), told.code.as_str(), told.message.as_str()), ("ecs.Operation", code, message));
    let broken: SdkError<ErrorMetadata, HttpResponse> = SdkError::timeout_error(message.to_owned());
    let told = failure("ecs.Operation", &broken);
    assert!([Class::Transient, Class::Denied].contains(&told.class), "{told:?}");
    assert!(told.message.chars().count() <= 400, "a flood of words: {}", told.message);
}
