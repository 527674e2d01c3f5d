//! Logs: text for people or one JSON object a line, always to standard error. Metrics are `http`'s business.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;

use fargateer_api::{visible_json, visible_lines};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::cli::{Global, LogFormat};
use crate::output;

/// Starts logging as the options say.
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
    // The SDK logs bodies from debug on, and warns of an endpoint with the password in it; what is not ours may hold anything.
    let secrets = global.log_secrets;
    let told = filter_fn(move |entry| secrets || is_ours(entry.target()) || *entry.level() <= LevelFilter::ERROR);
    let filter = filter.and(told);
    let colour = !json && io::stderr().is_terminal();
    let logs = fmt::layer().with_writer(move || Harmless { json, colour });
    if json {
        output::notes_are_logs();
        let logs = logs.json().flatten_event(true).with_current_span(true).with_span_list(false);
        tracing_subscriber::registry().with(logs.with_filter(filter)).init();
    } else {
        let logs = logs.compact().with_target(false).with_ansi(colour);
        tracing_subscriber::registry().with(logs.with_filter(filter)).init();
    }
    std::panic::set_hook(Box::new(move |panic| {
        let told = told_of(panic);
        if json { tracing::error!(told, "panicked") } else { output::note(&told) }
    }));
}

/// Whether we wrote what is logged, and so know what it holds.
fn is_ours(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    name == "fargateer" || name.starts_with("fargateer_")
}

/// Standard error, for whole log entries: what acts on a screen is written out.
struct Harmless {
    json: bool,
    colour: bool,
}

impl Write for Harmless {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let shown = harmless(&String::from_utf8_lossy(entry), self.json, self.colour);
        io::stderr().write_all(shown.as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn harmless(entry: &str, json: bool, colour: bool) -> String {
    if json {
        return visible_json(entry);
    }
    // The subscriber writes out the escapes of logged texts itself, so what is left of them is colour.
    let escape = if colour { "\u{1b}" } else { "\\u{1b}" };
    entry.split('\u{1b}').map(visible_lines).collect::<Vec<_>>().join(escape)
}

/// A panic in a sentence. A text made while running may hold anything, such as a value out of a spec: it is not told.
fn told_of(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let constant = panic.payload().downcast_ref::<&'static str>().map(|text| format!(": {text}")).unwrap_or_default();
    let backtrace = Backtrace::capture();
    let trace = if backtrace.status() == BacktraceStatus::Captured { format!("\n{backtrace}") } else { String::new() };
    format!("a fault of fargateer itself at {place}{constant}; please report it{trace}")
}

/// Whether the log tells every fault of a spec when it is found, so that nobody else need.
pub(crate) fn tells_faults() -> bool {
    tracing::enabled!(target: "fargateer_controller::controller", tracing::Level::WARN)
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, set_hook, take_hook};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_panic_is_told_by_its_place_and_by_what_the_code_says_alone() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (heard, before) = (Arc::clone(&told), take_hook());
        set_hook(Box::new(move |panic| heard.lock().unwrap().push(told_of(panic))));
        let value = "S3CR3T";
        let panics: [fn(&str); 3] = [
            |value| panic!("unexpected {value}"),
            |_| panic!("a constant"),
            |value| assert_eq!(value.parse::<u32>().expect(value), 1),
        ];
        for panic in panics {
            assert!(catch_unwind(|| panic(value)).is_err());
        }
        set_hook(before);
        let told = told.lock().unwrap();
        assert!(told.iter().all(|text| text.contains("telemetry.rs:") && !text.contains(value)), "{told:?}");
        assert!(told[1].contains(": a constant;"), "{told:?}");
    }

    #[test]
    fn an_entry_keeps_its_lines_and_our_colours_and_nothing_else_that_acts_on_a_screen() {
        let entry = "\u{1b}[31mred\u{1b}[0m \u{9b}2J \u{202e}x\n";
        assert_eq!(harmless(entry, false, true), "\u{1b}[31mred\u{1b}[0m \\u{9b}2J \\u{202e}x\n");
        assert_eq!(harmless(entry, false, false), "\\u{1b}[31mred\\u{1b}[0m \\u{9b}2J \\u{202e}x\n");
        assert_eq!(harmless("{\"a\":\"\u{9b}\"}\n", true, false), "{\"a\":\"\\u009b\"}\n");
    }

    #[test]
    fn our_crates_are_told_from_others() {
        let ours = ["fargateer", "fargateer::commands::run", "fargateer_aws::caller", "fargateer_sim"];
        let others = ["aws_smithy_runtime::client", "hyper", "fargateer-like", "fargateering", ""];
        assert!(ours.into_iter().all(is_ours) && !others.into_iter().any(is_ours));
    }
}
