//! Overrides merged into rendered requests (RFC 7386), and fields that keep what is live.

use serde_json::{Map, Value};

/// Merges `patch` into a task definition; containers are merged by name, everything else as RFC 7386 says.
pub(crate) fn task_definition(mut document: Value, patch: &Map<String, Value>) -> Value {
    for (key, value) in patch {
        if key == "containerDefinitions" {
            containers(&mut document, value);
        } else {
            merge(&mut document, key, value);
        }
    }
    document
}

/// Merges `patch` into service settings.
pub(crate) fn settings(settings: &mut Map<String, Value>, patch: &Map<String, Value>) {
    let mut document = Value::Object(std::mem::take(settings));
    for (key, value) in patch {
        merge(&mut document, key, value);
    }
    if let Value::Object(merged) = document {
        *settings = merged;
    }
}

/// Sets the field at `pointer` to what `live` has there, or removes it where live has nothing: ignored drift.
pub(crate) fn keep_live(document: &mut Value, live: Option<&Value>, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        return;
    };
    let Some(live) = live else { return };
    let value = live.pointer(pointer).cloned();
    let Some(target) = document.pointer_mut(parent) else {
        return;
    };
    if let (Some(items), Ok(index)) = (target.as_array_mut(), key.parse::<usize>()) {
        if let (Some(slot), Some(value)) = (items.get_mut(index), value) {
            *slot = value;
        }
    } else if let Some(fields) = target.as_object_mut() {
        match value {
            Some(value) => fields.insert(key.to_owned(), value),
            None => fields.remove(key),
        };
    }
}

fn containers(document: &mut Value, patches: &Value) {
    let Some(existing) = document.get_mut("containerDefinitions").and_then(Value::as_array_mut) else {
        return;
    };
    for patch in patches.as_array().into_iter().flatten() {
        let found = existing.iter_mut().find(|container| container.get("name") == patch.get("name"));
        for (container, fields) in found.into_iter().zip(patch.as_object()) {
            for (key, value) in fields {
                merge(container, key, value);
            }
        }
    }
}

fn merge(document: &mut Value, key: &str, patch: &Value) {
    let Some(fields) = document.as_object_mut() else { return };
    if patch.is_null() {
        fields.remove(key);
        return;
    }
    let Some(inner) = patch.as_object() else {
        fields.insert(key.to_owned(), patch.clone());
        return;
    };
    let slot = fields.entry(key.to_owned()).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    for (key, value) in inner {
        merge(slot, key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_is_patched_by_its_name_and_null_removes() {
        let document = json!({"containerDefinitions": [{"name": "a", "user": "1"}, {"name": "b"}], "pidMode": "task"});
        let patch = json!({"containerDefinitions": [{"name": "a", "user": null, "stopTimeout": 9}], "pidMode": null});
        let merged = task_definition(document, patch.as_object().unwrap());
        assert_eq!(merged, json!({"containerDefinitions": [{"name": "a", "stopTimeout": 9}, {"name": "b"}]}));
    }

    #[test]
    fn an_ignored_field_keeps_what_is_live() {
        let mut document = json!({"a": {"b": 1, "c": 2}});
        keep_live(&mut document, Some(&json!({"a": {"b": 7}})), "/a/b");
        keep_live(&mut document, Some(&json!({"a": {"b": 7}})), "/a/c");
        assert_eq!(document, json!({"a": {"b": 7}}));
    }
}
