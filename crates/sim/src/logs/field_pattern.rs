//! Filter patterns of log events that are JSON: `{ ($.level = "error" || $.code >= 500) && $.user NOT EXISTS }`.
//!
//! CloudWatch Logs user guide, "Filter pattern syntax for JSON log events". Regular expressions are not simulated: nothing
//! matches them.

use crate::wildcard::like;
use serde_json::Value;

/// A condition on a log event.
#[derive(Debug)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Field { path: Vec<String>, test: Test },
}

/// What is asked of one field.
#[derive(Debug)]
pub(super) enum Test {
    Compare(String, String),
    Is(Value),
    Missing,
}

/// Reads what stands between the braces; `None` when it makes no sense.
pub(super) fn parse(text: &str) -> Option<Condition> {
    let words = words(text);
    let mut rest = words.as_slice();
    let condition = any(&mut rest)?;
    rest.is_empty().then_some(condition)
}

fn any(rest: &mut &[String]) -> Option<Condition> {
    joined(rest, "||", &all).map(Condition::Any)
}

fn all(rest: &mut &[String]) -> Option<Condition> {
    joined(rest, "&&", &one).map(Condition::All)
}

type Reader = dyn Fn(&mut &[String]) -> Option<Condition>;

fn joined(rest: &mut &[String], sign: &str, read: &Reader) -> Option<Vec<Condition>> {
    let mut parts = vec![read(rest)?];
    while take(rest, sign) {
        parts.push(read(rest)?);
    }
    Some(parts)
}

/// Takes a word if it comes next.
fn take(rest: &mut &[String], word: &str) -> bool {
    let next = rest.split_first().filter(|(first, _)| first.eq_ignore_ascii_case(word));
    next.map(|(_, after)| *rest = after).is_some()
}

fn word(rest: &mut &[String]) -> Option<String> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(first.clone())
}

fn one(rest: &mut &[String]) -> Option<Condition> {
    if take(rest, "(") {
        let inner = any(rest)?;
        return take(rest, ")").then_some(inner);
    }
    let path = path(&word(rest)?)?;
    let test = match word(rest)?.to_ascii_uppercase().as_str() {
        "NOT" => take(rest, "EXISTS").then_some(Test::Missing)?,
        "IS" => Test::Is(serde_json::from_str(&word(rest)?.to_ascii_lowercase()).ok()?),
        sign if matches!(sign, "=" | "!=" | "<" | ">" | "<=" | ">=") => Test::Compare(sign.to_owned(), word(rest)?),
        _ => return None,
    };
    Some(Condition::Field { path, test })
}

/// The steps of `$.a.b[0]`.
fn path(text: &str) -> Option<Vec<String>> {
    let steps = text.strip_prefix('$')?.split(['.', '[', ']']).filter(|step| !step.is_empty());
    Some(steps.map(|step| step.trim_matches(['"', '\'']).to_owned()).collect())
}

/// The words of a pattern: signs, selectors, numbers and quoted texts, which keep their opening quote.
fn words(text: &str) -> Vec<String> {
    const SIGNS: [&str; 10] = ["&&", "||", "<=", ">=", "!=", "=", "<", ">", "(", ")"];
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let length = if let Some(quoted) = rest.strip_prefix('"') {
            quoted.find('"').map_or(rest.len(), |end| end + 2)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            sign.len()
        } else {
            let ends = |c: char| c.is_whitespace() || "&|<>=!()".contains(c);
            rest.find(ends).unwrap_or(rest.len()).max(1)
        };
        let Some((word, after)) = rest.split_at_checked(length) else { break };
        words.push(word.trim_end_matches('"').to_owned());
        rest = after.trim_start();
    }
    words
}

impl Condition {
    /// Whether an event meets the condition. One that is not JSON never does.
    pub(super) fn meets(&self, event: &Value) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.meets(event)),
            Self::All(parts) => parts.iter().all(|part| part.meets(event)),
            Self::Field { path, test } => test.meets(find(event, path)),
        }
    }
}

fn find<'a>(event: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(event, |value, step| match value.as_array() {
        Some(items) => items.get(step.parse::<usize>().ok()?),
        None => value.get(step),
    })
}

impl Test {
    fn meets(&self, found: Option<&Value>) -> bool {
        match (self, found) {
            (Self::Missing, found) => found.is_none(),
            (_, None) => false,
            (Self::Is(wanted), Some(value)) => value == wanted,
            (Self::Compare(sign, wanted), Some(value)) => compare(sign, wanted, value),
        }
    }
}

fn compare(sign: &str, wanted: &str, value: &Value) -> bool {
    let number = value.as_f64().zip(wanted.parse::<f64>().ok());
    let order = number.map(|(value, wanted)| value.total_cmp(&wanted));
    let text = wanted.trim_start_matches('"');
    let flag = value.as_bool().zip(text.parse::<bool>().ok()).is_some_and(|(value, wanted)| value == wanted);
    let equal = match value.as_str() {
        Some(value) => like(text, value),
        None => flag || order.is_some_and(std::cmp::Ordering::is_eq),
    };
    match sign {
        "=" => equal,
        "!=" => !equal,
        "<" => order.is_some_and(std::cmp::Ordering::is_lt),
        ">" => order.is_some_and(std::cmp::Ordering::is_gt),
        "<=" => order.is_some_and(std::cmp::Ordering::is_le),
        _ => order.is_some_and(std::cmp::Ordering::is_ge),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use serde_json::json;

    #[test]
    fn fields_are_compared_and_conditions_joined() {
        let event = json!({"level": "error", "code": 503, "user": {"name": "ann"}, "tags": ["a", "b"], "gone": null});
        for (pattern, expected) in [
            ("$.level = \"error\"", true),
            ("$.level = error", true),
            ("$.level = \"err*\"", true),
            ("$.level != \"error\"", false),
            ("$.code >= 500 && $.user.name = \"ann\"", true),
            ("$.code < 500 || $.tags[1] = \"b\"", true),
            ("($.code = 1 || $.code = 503) && $.nobody NOT EXISTS", true),
            ("$.gone IS NULL", true),
            ("$.nobody = \"x\"", false),
        ] {
            assert_eq!(parse(pattern).unwrap().meets(&event), expected, "{pattern}");
        }
        assert!(parse("$.level").is_none() && parse("level = 1").is_none() && parse("").is_none());
    }
}
