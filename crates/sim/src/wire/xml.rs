//! XML as the query protocols write it: elements and text, no attributes but the namespace.

use serde_json::Value;

/// Writes a value's members as elements; the elements of a list are named `item`.
pub(super) fn write(out: &mut String, value: &Value, item: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(name, member)| element(name) && !member.is_null()) {
                out.extend(["<", name, ">"]);
                write(out, member, item);
                out.extend(["</", name, ">"]);
            }
        }
        Value::Array(items) => {
            for member in items {
                out.extend(["<", item, ">"]);
                write(out, member, item);
                out.extend(["</", item, ">"]);
            }
        }
        Value::String(text) => out.push_str(&escape(text)),
        Value::Bool(flag) => out.push_str(&flag.to_string()),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::Null => {}
    }
}

/// Whether a name can be an element's: what a caller sent is echoed in conditions and actions.
fn element(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
