//! Data to standard output, errors and notes to standard error. Colour only on a terminal, and not with NO_COLOR.
//!
//! Whatever a text says - and AWS, an agent or a daemon said much of it - leaves this file without a character that acts on
//! a screen.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use fargateer_api::{visible, visible_json, visible_lines};
use serde::Serialize;
use serde_json::Value;

use crate::cli::Format;

/// An error with a hint apart: what is wrong, then what would be right.
#[derive(Debug)]
pub(crate) struct Hint(pub(crate) String);

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Hint {}

/// An error that says `problem`, with `hint` on a line of its own.
pub(crate) fn hinted(problem: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hint(hint.into())).context(problem.into())
}

/// Prints the chain of `error` to standard error, and the hint apart.
pub(crate) fn error(error: &anyhow::Error) {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let hint = error.chain().find_map(|cause| cause.downcast_ref::<Hint>());
    let chain = error.chain().filter(|cause| cause.downcast_ref::<Hint>().is_none());
    let text: Vec<String> = chain.map(ToString::to_string).collect();
    // What a program said may have several lines; none of them may look like one of ours.
    let text = text.join(": ");
    let lines: Vec<String> = text.trim_end().lines().map(visible).collect();
    styled(&format!("{red}error:{red:#} {}", lines.join("\n  ")));
    if let Some(Hint(hint)) = hint {
        let cyan = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
        styled(&format!("{cyan}hint:{cyan:#} {}", visible(hint)));
    }
}

/// Whether standard error holds JSON logs and nothing else.
static JSON_LOGS: OnceLock<()> = OnceLock::new();

/// From now on notes are log entries.
pub(crate) fn notes_are_logs() {
    JSON_LOGS.get_or_init(|| ());
}

/// A line to standard error.
pub(crate) fn note(line: &str) {
    styled(&visible_lines(line));
}

/// The same with colours of ours in it.
fn styled(line: &str) {
    if JSON_LOGS.get().is_some() {
        tracing::info!(note = %anstream::adapter::strip_str(line), "note");
        return;
    }
    // Nobody is left to tell when standard error is closed.
    drop(writeln!(anstream::stderr(), "{line}"));
}

/// Text to standard output, with a newline at its end; a closed pipe (`| head`) is not an error.
pub(crate) fn data(text: &str) -> anyhow::Result<ExitCode> {
    raw(&visible_lines(text))
}

/// The same of a text that is ours alone, tabs included.
pub(crate) fn raw(text: &str) -> anyhow::Result<ExitCode> {
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    match write!(anstream::stdout(), "{text}{newline}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        Err(_) | Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// A document to standard output, as JSON or YAML.
pub(crate) fn document(document: &impl Serialize, format: Format) -> anyhow::Result<ExitCode> {
    let value = serde_json::to_value(document)?;
    if format == Format::Yaml {
        // YAML has no one way to write such a character: it depends on the quotes around it.
        return data(&fargateer_api::yaml::print_value(&plain(&value)));
    }
    raw(&visible_json(&serde_json::to_string_pretty(&value)?))
}

/// `value` with what acts on a screen written out in its texts.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (visible(key), plain(value))).collect(),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::String(text) => Value::from(visible_lines(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
