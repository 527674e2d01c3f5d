//! What holds whatever comes in from outside: specs, answers of AWS, files. Each law takes any bytes and fails, by an
//! assertion, when the product breaks it.
//!
//! The fuzz targets in `fuzz/` and the property tests in `tests/` call the same functions, so that neither can rot: a
//! target is one line, and the bodies are compiled and run by every `cargo test`.

mod answer;
mod name;
mod request;
mod spec;
mod status;

pub use answer::error_classifier;
pub use name::arn;
pub use request::spec_to_requests;
pub use spec::yaml_to_spec;
pub use status::status;

/// A law.
pub type Law = fn(&[u8]);

/// Every law by the name of its fuzz target.
pub const LAWS: [(&str, Law); 5] = [
    ("yaml_to_spec", yaml_to_spec),
    ("spec_to_requests", spec_to_requests),
    ("error_classifier", error_classifier),
    ("arn", arn),
    ("status", status),
];

/// Whether nothing in a line acts on a screen: no C0 or C1, and no mark that turns the direction of text.
fn is_harmless(line: &str) -> bool {
    let turns = |character: char| matches!(character, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    !line.chars().any(|character| character.is_control() || turns(character))
}

/// As text, as far as it is one.
fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}
