//! Event patterns: which events a rule wants (EventBridge user guide, "Event pattern syntax").

use crate::input::Members;
use crate::refusal::Refusal;
use crate::wildcard::like;
use serde_json::Value;

/// Patterns are nested so deep at most.
const DEPTH: usize = 60;

/// Reads a pattern; refuses one that could match nothing by its shape.
pub(super) fn parse(text: &str) -> Result<Value, Refusal> {
    let invalid = |reason: &str| {
        Refusal::new("InvalidEventPatternException", format!("Event pattern is not valid. Reason: {reason}"))
    };
    let pattern: Value = serde_json::from_str(text).map_err(|_| invalid("Unrecognized token"))?;
    if !pattern.is_object() {
        return Err(invalid("Filter is not an object"));
    }
    check(&pattern, 0).map_err(invalid)?;
    Ok(pattern)
}

fn check(pattern: &Value, depth: usize) -> Result<(), &'static str> {
    let members = pattern.as_object().ok_or("Filter is not an object")?;
    if members.is_empty() {
        return Err("Empty objects are not allowed");
    }
    if depth > DEPTH {
        return Err("Event pattern is too deep");
    }
    members.iter().try_for_each(|(name, member)| match member {
        Value::Array(items) if items.is_empty() => Err("Empty arrays are not allowed"),
        Value::Array(items) if name == "$or" => items.iter().try_for_each(|item| check(item, depth + 1)),
        Value::Array(_) => Ok(()),
        Value::Object(_) => check(member, depth + 1),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err("Event pattern contains a value that is not an array or an object")
        }
    })
}

/// Whether an event has what a pattern asks for.
pub(super) fn matches(pattern: &Value, event: &Value) -> bool {
    let Some(members) = pattern.as_object() else { return false };
    members.iter().all(|(name, wanted)| match wanted {
        Value::Array(ways) if name == "$or" => ways.iter().any(|way| matches(way, event)),
        Value::Array(rules) => {
            let seen = event.get(name);
            match seen {
                Some(Value::Array(items)) => items.iter().any(|item| rules.iter().any(|rule| fits(rule, Some(item)))),
                _ => rules.iter().any(|rule| fits(rule, seen)),
            }
        }
        Value::Object(_) => event.get(name).is_some_and(|inner| match inner {
            Value::Array(items) => items.iter().any(|item| matches(wanted, item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                matches(wanted, inner)
            }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    })
}

/// Whether one value fits one rule.
fn fits(rule: &Value, seen: Option<&Value>) -> bool {
    let Some(operator) = rule.as_object() else { return seen == Some(rule) };
    let Some((name, wanted)) = operator.iter().next() else { return false };
    let text = seen.and_then(Value::as_str);
    match (name.as_str(), wanted) {
        ("exists", wanted) => wanted.as_bool() == Some(seen.is_some()),
        ("prefix", Value::Object(_)) => {
            let prefix = wanted.text("equals-ignore-case").unwrap_or_default().to_lowercase();
            text.is_some_and(|text| text.to_lowercase().starts_with(&prefix))
        }
        ("prefix", wanted) => wanted.as_str().is_some_and(|prefix| text.is_some_and(|text| text.starts_with(prefix))),
        ("suffix", wanted) => wanted.as_str().is_some_and(|suffix| text.is_some_and(|text| text.ends_with(suffix))),
        ("equals-ignore-case", wanted) => {
            wanted.as_str().is_some_and(|wanted| text.is_some_and(|text| text.eq_ignore_ascii_case(wanted)))
        }
        ("wildcard", wanted) => wanted.as_str().is_some_and(|wanted| text.is_some_and(|text| like(wanted, text))),
        ("anything-but", Value::Array(list)) => seen.is_some_and(|seen| !list.contains(seen)),
        ("anything-but", Value::Object(_)) => seen.is_some() && !fits(wanted, seen),
        ("anything-but", wanted) => seen.is_some_and(|seen| seen != wanted),
        ("numeric", Value::Array(parts)) => seen.and_then(Value::as_f64).is_some_and(|number| numeric(parts, number)),
        _ => false,
    }
}

fn numeric(parts: &[Value], number: f64) -> bool {
    parts.chunks(2).all(|pair| match pair {
        [operator, bound] => {
            let Some(bound) = bound.as_f64() else { return false };
            match operator.as_str() {
                Some("=") => (number - bound).abs() < f64::EPSILON,
                Some("<") => number < bound,
                Some("<=") => number <= bound,
                Some(">") => number > bound,
                Some(">=") => number >= bound,
                _ => false,
            }
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::{matches, parse};
    use serde_json::{Value, json};

    fn wants(pattern: &Value) -> bool {
        let event = json!({"source": "aws.ecs", "detail": {"lastStatus": "STOPPED", "version": 6, "tags": ["a", "b"]}});
        matches(&parse(&pattern.to_string()).unwrap(), &event)
    }

    #[test]
    fn a_pattern_says_what_must_be_there() {
        assert!(wants(&json!({"source": ["aws.ecs", "aws.ec2"], "detail": {"lastStatus": [{"prefix": "STOP"}]}})));
        assert!(wants(&json!({"detail": {"version": [{"numeric": [">", 5, "<=", 6]}], "tags": ["b"]}})));
        assert!(wants(
            &json!({"detail": {"other": [{"exists": false}], "lastStatus": [{"anything-but": ["RUNNING"]}]}})
        ));
        assert!(wants(&json!({"$or": [{"source": ["x"]}, {"detail": {"version": [6]}}]})));
        assert!(!wants(&json!({"detail": {"lastStatus": ["RUNNING"]}})));
        assert!(!wants(&json!({"account": ["1"]})));
        assert!(parse("{\"source\": \"aws.ecs\"}").is_err() && parse("[]").is_err() && parse("{\"a\": []}").is_err());
    }
}
