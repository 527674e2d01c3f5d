//! What a container's command comes to, where that can be seen without running it.
//!
//! Images are not run here, but `sleep 5`, `exit 3` or `echo hello` need none to be understood. Any other program runs until it
//! is stopped.

use crate::input::Members;
use serde_json::Value;
use std::time::Duration;

/// How a command ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) after: Duration,
    pub(super) code: i32,
    pub(super) said: Vec<String>,
}

/// How a container ends by itself, with the command that RunTask may have put over its own.
pub(super) fn ending(container: &Value, settings: &Value) -> Option<Ending> {
    let overrides = settings.get("overrides").and_then(|overrides| overrides.items("containerOverrides"));
    let own = overrides.unwrap_or_default().iter().find(|other| other.text("name") == container.text("name"));
    let instead = own.map(|own| own.texts("command")).filter(|command| !command.is_empty());
    let mut words = container.texts("entryPoint");
    words.extend(instead.unwrap_or_else(|| container.texts("command")));
    understand(&words)
}

/// Whether a health check command fails whatever it looks at.
pub(super) fn always_fails(check: &Value) -> bool {
    let command = check.texts("command");
    let words = match command.split_first() {
        Some((kind, words)) if kind == "CMD-SHELL" => vec!["sh".to_owned(), "-c".to_owned(), words.join(" ")],
        Some((_, words)) => words.to_vec(),
        None => return false,
    };
    understand(&words).is_some_and(|ending| ending.code != 0)
}

fn understand(words: &[String]) -> Option<Ending> {
    let shell = |word: &str| matches!(word.rsplit('/').next(), Some("sh" | "bash"));
    let script = match words {
        [] => return None,
        [first, flag, script, ..] if shell(first) && flag.starts_with('-') && flag.ends_with('c') => script.clone(),
        words => words.join(" "),
    };
    let mut ending = Ending { after: Duration::ZERO, code: 0, said: Vec::new() };
    for step in script.replace("&&", ";").split(';').map(str::trim).filter(|step| !step.is_empty()) {
        let (program, rest) = step.split_once(char::is_whitespace).unwrap_or((step, ""));
        match program.rsplit('/').next().unwrap_or_default() {
            "true" | ":" => ending.code = 0,
            "false" => ending.code = 1,
            "sleep" => ending.after += seconds(rest)?,
            "echo" if !rest.contains(['|', '>', '$', '`']) => {
                ending.said.push(rest.trim_matches(['"', '\'']).to_owned());
            }
            "exit" => {
                ending.code = if rest.is_empty() { ending.code } else { rest.trim().parse::<u8>().ok()?.into() };
                return Some(ending);
            }
            _ => return None,
        }
    }
    Some(ending)
}

/// The time of `sleep 5`, `sleep 0.5` or `sleep 2m`.
fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) if text.ends_with('m') => (number, 60.0),
        Some(number) if text.ends_with('h') => (number, 3600.0),
        Some(number) => (number, 1.0),
        None => (text, 1.0),
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    (0.0..1e9).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::{always_fails, ending};
    use serde_json::{Value, json};

    fn of(command: &Value) -> Option<(u64, i32, usize)> {
        let ending = ending(&json!({"name": "app", "command": command}), &Value::Null)?;
        Some((ending.after.as_secs(), ending.code, ending.said.len()))
    }

    #[test]
    fn commands_that_end_by_themselves() {
        assert_eq!(of(&json!(["true"])), Some((0, 0, 0)));
        assert_eq!(of(&json!(["sh", "-c", "exit 3"])), Some((0, 3, 0)));
        assert_eq!(of(&json!(["/bin/sh", "-ec", "echo hello && sleep 2m; exit 1"])), Some((120, 1, 1)));
        assert_eq!(of(&json!(["sleep", "30"])), Some((30, 0, 0)));
        assert_eq!(of(&json!(["python", "main.py"])), None);
        assert_eq!(of(&json!(["sleep", "infinity"])), None);
        assert_eq!(of(&json!([])), None);
    }

    #[test]
    fn a_check_that_can_only_fail() {
        let fails = |command: &Value| always_fails(&json!({"command": command}));
        assert!(fails(&json!(["CMD-SHELL", "exit 1"])) && fails(&json!(["CMD", "false"])));
        assert!(
            !fails(&json!(["CMD-SHELL", "curl -f http://localhost/ || exit 1"]))
                && !fails(&json!(["CMD-SHELL", "exit 0"]))
        );
    }
}
