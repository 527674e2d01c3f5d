//! Logs: text for people or one JSON object a line, always to standard error. Metrics are `http`'s business.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::cli::{Global, LogFormat};
use crate::output;

/// Starts logging as the options say. Control characters in logged text are escaped by the subscriber.
pub(crate) fn start(global: &Global) {
    let json = global.log_format == LogFormat::Json;
    // The SDK's own warnings repeat, in its words, what a status says in ours.
    let level = if json {
        "warn,fargateer=info,fargateer_controller=info,fargateer_aws=info,fargateer_store=info"
    } else {
        "error,fargateer=warn,fargateer_controller=warn,fargateer_aws=warn,fargateer_store=warn"
    };
    let filter = global.log.as_deref().unwrap_or(level);
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(level));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        output::notes_are_logs();
        logs.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
    } else {
        let colour = std::io::stderr().is_terminal();
        logs.compact().with_target(false).with_ansi(colour).init();
    }
}
