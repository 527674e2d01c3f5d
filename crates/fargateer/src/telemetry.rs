//! Logs: text for people or one JSON object a line, always to standard error. Metrics are `http`'s business.

use tracing_subscriber::EnvFilter;

use crate::cli::{Global, LogFormat};

/// Starts logging as the options say. Control characters in logged text are escaped by the subscriber.
pub(crate) fn start(global: &Global) {
    let json = global.log_format == LogFormat::Json;
    let level = if json { "info" } else { "warn" };
    let filter = global.log.as_deref().unwrap_or(level);
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(level));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        logs.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
    } else {
        logs.compact().with_target(false).init();
    }
}
