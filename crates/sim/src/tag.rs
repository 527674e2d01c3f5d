//! Tags, and the rules every service shares about them.

use crate::input::Members;
use crate::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The tags of a resource.
pub(crate) type Tags = BTreeMap<String, String>;

/// How a service spells a tag.
#[derive(Clone, Copy)]
pub(crate) struct Spelling {
    key: &'static str,
    value: &'static str,
}

/// ECS: `{"key": .., "value": ..}`.
pub(crate) const LOWER: Spelling = Spelling { key: "key", value: "value" };
/// ECR and Elastic Load Balancing: `{"Key": .., "Value": ..}`.
pub(crate) const UPPER: Spelling = Spelling { key: "Key", value: "Value" };

impl Spelling {
    /// The tags of a list.
    pub(crate) fn read(self, list: Option<&[Value]>) -> Tags {
        let pairs = list.unwrap_or_default().iter();
        pairs
            .filter_map(|tag| {
                Some((tag.text(self.key)?.to_owned(), tag.text(self.value).unwrap_or_default().to_owned()))
            })
            .collect()
    }

    /// The list of tags.
    pub(crate) fn write(self, tags: &Tags) -> Value {
        tags.iter().map(|(key, value)| json!({self.key: key, self.value: value})).collect()
    }
}

/// The tags of a map, as CloudWatch Logs and Application Auto Scaling send them.
pub(crate) fn of_map(map: Option<&Value>) -> Tags {
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// Refuses tags no service takes: more than fifty, `aws:` keys, keys over 128 and values over 256 characters.
pub(crate) fn check(tags: &Tags, code: &str) -> Result<(), Refusal> {
    if tags.len() > 50 {
        return Err(Refusal::new(code, "The number of tags exceeds the maximum of 50."));
    }
    for (key, value) in tags {
        if let Some(fault) = fault(key, value) {
            return Err(Refusal::new(code, format!("The tag '{key}' is not valid: {fault}.")));
        }
    }
    Ok(())
}

fn fault(key: &str, value: &str) -> Option<&'static str> {
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Some("keys that start with 'aws:' are reserved for system use");
    }
    if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
        return Some("keys have 1 to 128 characters, values at most 256");
    }
    let clean = key.chars().chain(value.chars()).all(allowed);
    (!clean).then_some("it contains characters that are not allowed")
}

fn allowed(letter: char) -> bool {
    letter.is_alphanumeric() || letter.is_whitespace() || "_.:/=+-@".contains(letter)
}
