//! What an agent writes, for a person: the runtime's JSON in words, everything else as it is.

use serde_json::Value;

/// What stands in a line in its own place, or is of no use to somebody who looks at one agent.
const KNOWN: [&str; 9] = ["time", "level", "message", "agent", "revision", "traceback", "stream", "logger", "event"];

/// A line of an agent's output as it is shown.
pub(super) fn told(line: &str) -> String {
    let Ok(Value::Object(entry)) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    if text("event") == Some("agent_load_failed") {
        return failed(&text);
    }
    let Some(message) = text("message") else { return line.to_owned() };
    if text("stream").is_some() {
        return message.to_owned();
    }
    let level = text("level").unwrap_or("info");
    let mut shown = if level == "info" { message.to_owned() } else { format!("{level}: {message}") };
    for (name, value) in entry.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        shown.extend([" ", name, "=", &value]);
    }
    if let Some(traceback) = text("traceback") {
        shown.push('\n');
        shown.push_str(traceback.trim_end());
    }
    shown
}

/// Why an agent could not be loaded (exit 78).
fn failed<'a>(text: &impl Fn(&str) -> Option<&'a str>) -> String {
    let mut shown = String::new();
    if let Some(traceback) = text("traceback") {
        shown.push_str(traceback.trim_end());
        shown.push('\n');
    }
    let (reason, detail) = (text("reason").unwrap_or("Unknown"), text("detail").unwrap_or_default());
    shown.extend(["the agent cannot be loaded: ", reason, ": ", detail]);
    if let Some(hint) = text("hint") {
        shown.extend(["\nhint: ", hint]);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn a_failure_to_load_is_told_with_its_traceback_and_hint() {
        let line = r#"{"event":"agent_load_failed","reason":"ImportFailed","detail":"boom","hint":"mend it",
            "traceback":"Traceback\n  x\n","exit_code":78}"#;
        assert_eq!(told(line), "Traceback\n  x\nthe agent cannot be loaded: ImportFailed: boom\nhint: mend it");
    }

    #[test]
    fn what_the_runtime_logs_is_told_in_words_and_what_is_printed_as_it_is() {
        let request = r#"{"time":"t","level":"info","message":"request","outcome":"ok","seconds":0.5,"agent":"a"}"#;
        assert_eq!(told(request), "request outcome=ok seconds=0.5");
        assert_eq!(told(r#"{"level":"error","message":"oh","traceback":"T\n"}"#), "error: oh\nT");
        assert_eq!(told(r#"{"level":"info","message":"hello","stream":"stdout"}"#), "hello");
        for line in ["plain text", "[1, 2]", "{\"a\": 1}"] {
            assert_eq!(told(line), line);
        }
    }
}
