//! Whether a value has the shape of a type: unknown fields, missing fields, wrong types, all of them at once.
//!
//! What does not fit is replaced by a placeholder, so that the rules in `validate.rs` can still look at the rest.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    fault::{ENOUGH, Violation},
    nearest::nearest,
    path,
    shape::{Field, Shape, quoted},
};

/// The hint for what is a string in quotes. Whoever has the text adds it: a number may have lost a zero (`1.10`).
pub(crate) const QUOTE: &str = "quote it";

/// A value as `T`, with everything that did not fit.
pub(crate) struct Typed<T> {
    /// The value with placeholders where it did not fit; none when not even that was possible.
    pub(crate) value: Option<T>,
    /// Fields nobody knows; their place is that of their key.
    pub(crate) unknown: Vec<Violation>,
    /// Missing fields and wrong types.
    pub(crate) wrong: Vec<Violation>,
    /// Fields not to say more about: those above, and those probably meant by an unknown one.
    pub(crate) spoiled: Vec<String>,
}

/// Reads `value` as a `T`, whose shape is `root`.
pub(crate) fn read<T: DeserializeOwned>(root: &Shape, mut value: Value) -> Typed<T> {
    let mut check = Check { root, unknown: Vec::new(), wrong: Vec::new(), spoiled: Vec::new() };
    check.walk(root, &mut value, "");
    let Check { unknown, mut wrong, mut spoiled, .. } = check;
    let value = serde_path_to_error::deserialize(value)
        .map_err(|error| wrong.push(Violation::new(error.path().to_string(), error.inner().to_string())))
        .ok();
    spoiled.extend(wrong.iter().map(|violation| violation.path.clone()));
    Typed { value, unknown, wrong, spoiled }
}

struct Check<'a> {
    root: &'a Shape,
    unknown: Vec<Violation>,
    wrong: Vec<Violation>,
    spoiled: Vec<String>,
}

impl Check<'_> {
    /// Checks and mends `value`; false when it had to be replaced as a whole.
    fn walk(&mut self, shape: &Shape, value: &mut Value, path: &str) -> bool {
        match (shape, &mut *value) {
            (Shape::Nullable(_), Value::Null)
            | (Shape::Any, _)
            | (Shape::Text, Value::String(_))
            | (Shape::Flag, Value::Bool(_)) => return true,
            (Shape::Nullable(inner), _) => return self.walk(inner, value, path),
            (Shape::Whole(largest), Value::Number(number)) if number.as_u64().is_some_and(|n| n <= *largest) => {
                return true;
            }
            (Shape::Choice(names), Value::String(text)) if names.contains(text) => return true,
            (Shape::List(shape), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.walk(shape, item, &path::item(path, index));
                }
                return true;
            }
            (Shape::Table(shape), Value::Object(entries)) => {
                for (key, entry) in entries {
                    self.walk(shape, entry, &path::field(path, key));
                }
                return true;
            }
            (Shape::Record(fields), Value::Object(entries)) => {
                self.record(fields, entries, path);
                return true;
            }
            _ => {}
        }
        self.wrong.push(mismatch(shape, value, path));
        *value = shape.placeholder();
        false
    }

    fn record(&mut self, fields: &BTreeMap<String, Field>, entries: &mut Map<String, Value>, path: &str) {
        let names = entries.keys().cloned().collect::<Vec<_>>();
        for name in names {
            let here = path::field(path, &name);
            let Some(field) = fields.get(&name) else {
                entries.remove(&name);
                self.unknown(fields.keys(), &name, path);
                continue;
            };
            let fits = entries.get_mut(&name).is_none_or(|entry| self.walk(&field.shape, entry, &here));
            if !fits && !field.required {
                entries.remove(&name);
            }
        }
        for (name, field) in fields.iter().filter(|(_, field)| field.required) {
            if !entries.contains_key(name) {
                let violation = Violation::new(path::field(path, name), "required field is missing");
                self.wrong.push(violation.hint(&field.about));
                entries.insert(name.clone(), field.shape.placeholder());
            }
        }
    }

    fn unknown<'a>(&mut self, known: impl Iterator<Item = &'a String> + Clone, name: &str, path: &str) {
        let here = path::field(path, name);
        let violation = Violation::new(&here, format!("unknown field `{name}`"));
        if self.unknown.len() >= ENOUGH {
            return self.unknown.push(violation);
        }
        let hint = if let Some(near) = nearest(name, known.clone().map(String::as_str)) {
            self.spoiled.push(path::field(path, near));
            format!("did you mean `{near}`?")
        } else if let Some(home) = self.root.homes(name, "").first() {
            self.spoiled.push(path::field(home, name));
            format!(
                "`{name}` belongs in {}",
                if home.is_empty() { "the outermost mapping".to_owned() } else { format!("`{home}`") }
            )
        } else if let Some(meant) = self.root.abbreviated(name, "") {
            format!("did you mean `{meant}`?")
        } else {
            format!("known here: {}", quoted(known))
        };
        self.unknown.push(violation.hint(hint));
    }
}

fn mismatch(shape: &Shape, value: &Value, path: &str) -> Violation {
    let found = match value {
        Value::Null => "nothing".to_owned(),
        Value::Number(_) if path::is_confidential(path) => "a number".to_owned(),
        Value::String(_) if path::is_confidential(path) => "a string".to_owned(),
        Value::Bool(flag) => format!("the boolean {flag}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() > 40 => "a string".to_owned(),
        Value::String(text) => format!("`{text}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    };
    let violation = Violation::new(path, format!("must be {}, found {found}", shape.describe()));
    match (shape, value) {
        (Shape::Nullable(inner), _) => mismatch(inner, value, path),
        (Shape::Text, Value::Bool(_) | Value::Number(_)) => violation.hint(QUOTE),
        (Shape::Whole(_), Value::String(text)) if text.parse::<u64>().is_ok() => violation.hint("remove the quotes"),
        (Shape::Whole(largest), Value::Number(_)) if *largest < u64::from(u32::MAX) => {
            violation.hint(format!("at most {largest}"))
        }
        (Shape::Flag, Value::String(text)) => flag_hint(violation, text),
        (Shape::Choice(names), Value::String(text)) => match nearest(text, names.iter().map(String::as_str)) {
            Some(near) => violation.hint(format!("did you mean `{near}`?")),
            None => violation,
        },
        (Shape::List(_), Value::String(_)) => violation.hint("write it as a list: `- item` lines or `[item]`"),
        (Shape::Table(_) | Shape::Record(_), Value::Null) => violation.hint("leave the field out, or give it fields"),
        _ => violation,
    }
}

fn flag_hint(violation: Violation, text: &str) -> Violation {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" => violation.hint("true, without quotes"),
        "no" | "off" | "false" => violation.hint("false, without quotes"),
        _ => violation,
    }
}
