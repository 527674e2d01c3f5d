//! Reading the members of a request, and leaving out those of an answer that say nothing.
//!
//! The query protocol knows only strings, so numbers and flags are read from either form. What is missing or null reads as
//! `None`; a member of the wrong type does too, since real clients check types before they send.

use serde_json::Value;
use std::time::Duration;

/// The members of a JSON object, read leniently.
pub(crate) trait Members {
    fn text(&self, name: &str) -> Option<&str>;
    fn items(&self, name: &str) -> Option<&[Value]>;
    fn whole(&self, name: &str) -> Option<i64>;
    fn number(&self, name: &str) -> Option<f64>;
    fn flag(&self, name: &str) -> Option<bool>;
    /// A number of seconds, cut to a century so that no sum of times overflows; `None` below zero.
    fn seconds(&self, name: &str) -> Option<Duration>;
    /// The strings of a list, none when it is missing.
    fn texts(&self, name: &str) -> Vec<String>;
    /// The member, unless it is missing or null.
    fn member(&self, name: &str) -> Option<&Value>;
    /// Sets a member that is missing or null.
    fn fill(&mut self, name: &str, value: Value);
    /// Sets a member; does nothing to a value that is no object.
    fn put(&mut self, name: &str, value: Value);
}

impl Members for Value {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    fn items(&self, name: &str) -> Option<&[Value]> {
        self.get(name).and_then(Value::as_array).map(Vec::as_slice)
    }

    fn whole(&self, name: &str) -> Option<i64> {
        let value = self.get(name)?;
        value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
    }

    fn number(&self, name: &str) -> Option<f64> {
        let value = self.get(name)?;
        value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
    }

    fn flag(&self, name: &str) -> Option<bool> {
        let value = self.get(name)?;
        value.as_bool().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
    }

    fn seconds(&self, name: &str) -> Option<Duration> {
        let seconds = u64::try_from(self.whole(name)?).ok()?;
        Some(Duration::from_secs(seconds.min(100 * 365 * 86_400)))
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let items = self.items(name).unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| !value.is_null())
    }

    fn fill(&mut self, name: &str, value: Value) {
        if self.member(name).is_none() {
            self.put(name, value);
        }
    }

    fn put(&mut self, name: &str, value: Value) {
        if let Some(object) = self.as_object_mut() {
            object.insert(name.to_owned(), value);
        }
    }
}

/// A value without the members that are null: AWS leaves out what it does not know.
pub(crate) fn without_nulls(mut value: Value) -> Value {
    drop_nulls(&mut value);
    value
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
