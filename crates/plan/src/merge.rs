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

/// The patch that makes `to` of `from`; none where they are equal. A list is replaced whole.
pub(crate) fn patch(from: &Value, to: &Value) -> Option<Value> {
    if from == to {
        return None;
    }
    let (Some(left), Some(right)) = (from.as_object(), to.as_object()) else {
        return Some(to.clone());
    };
    let removed = left.keys().filter(|key| !right.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = right.iter().filter_map(|(key, to)| {
        let patch = left.get(key).map_or_else(|| Some(to.clone()), |from| patch(from, to));
        Some((key.clone(), patch?))
    });
    Some(removed.chain(changed).collect())
}

/// Sets the field at `pointer` to what `live` has there, or removes it where live has nothing: ignored drift.
///
/// In a list a word of the pointer is a position or, as in the differences people are shown, the item's name.
pub(crate) fn keep_live(document: &mut Value, live: Option<&Value>, pointer: &str) {
    let path: Vec<&str> = pointer.split('/').skip(1).collect();
    if let Some(live) = live {
        keep(document, Some(live), &path);
    }
}

fn keep(document: &mut Value, live: Option<&Value>, path: &[&str]) {
    let [word, rest @ ..] = path else { return };
    let live = live.and_then(|live| position(live, word).map_or_else(|| live.get(word), |index| live.get(index)));
    let index = position(document, word);
    if let Some(items) = document.as_array_mut() {
        match (index, live) {
            (Some(index), _) if !rest.is_empty() => keep(&mut items[index], live, rest),
            (Some(index), Some(live)) => items[index] = live.clone(),
            (Some(index), None) if word.parse::<usize>().is_err() => drop(items.remove(index)),
            (None, Some(live)) if rest.is_empty() => items.push(live.clone()),
            (Some(_), None) | (None, _) => {}
        }
    } else if let Some(fields) = document.as_object_mut() {
        match live {
            Some(live) if rest.is_empty() => drop(fields.insert((*word).to_owned(), live.clone())),
            None if rest.is_empty() => drop(fields.remove(*word)),
            Some(Value::Object(_)) => {
                let inner = fields.entry(*word).or_insert_with(|| Value::Object(Map::new()));
                keep(inner, live, rest);
            }
            Some(_) | None => fields.get_mut(*word).into_iter().for_each(|inner| keep(inner, live, rest)),
        }
    }
}

/// Where `word` points in a list.
fn position(list: &Value, word: &str) -> Option<usize> {
    let items = list.as_array()?;
    let named = items.iter().position(|item| item.get("name").is_some_and(|name| name == word));
    named.or_else(|| word.parse().ok().filter(|index| *index < items.len()))
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
    fn a_patch_makes_one_document_of_another() {
        let (from, to) = (json!({"a": {"b": 1, "c": [1]}, "d": 1}), json!({"a": {"b": 1, "c": [2]}, "e": {"f": 0}}));
        assert_eq!(patch(&from, &from), None);
        let found = patch(&from, &to).unwrap();
        assert_eq!(found, json!({"a": {"c": [2]}, "d": null, "e": {"f": 0}}));
        let mut settings = from.as_object().unwrap().clone();
        super::settings(&mut settings, found.as_object().unwrap());
        assert_eq!(Value::Object(settings), to);
    }

    #[test]
    fn an_ignored_field_keeps_what_is_live() {
        let mut document = json!({"a": {"b": 1, "c": 2}});
        keep_live(&mut document, Some(&json!({"a": {"b": 7}})), "/a/b");
        keep_live(&mut document, Some(&json!({"a": {"b": 7}})), "/a/c");
        assert_eq!(document, json!({"a": {"b": 7}}));
    }

    #[test]
    fn an_ignored_field_is_found_by_the_name_of_its_item_or_by_its_place() {
        let live = json!({"list": [{"name": "x", "value": 1}, {"name": "y", "value": 2}]});
        let kept = |pointer: &str| {
            let mut document = json!({"list": [{"name": "y", "value": 3}, {"name": "z", "value": 4}]});
            keep_live(&mut document, Some(&live), pointer);
            document["list"].clone()
        };
        assert_eq!(kept("/list/y"), json!([{"name": "y", "value": 2}, {"name": "z", "value": 4}]));
        assert_eq!(kept("/list/y/value"), json!([{"name": "y", "value": 2}, {"name": "z", "value": 4}]));
        assert_eq!(kept("/list/z"), json!([{"name": "y", "value": 3}]));
        assert_eq!(kept("/list/x")[2], json!({"name": "x", "value": 1}));
        assert_eq!(kept("/list/1"), json!([{"name": "y", "value": 3}, {"name": "y", "value": 2}]));
        assert_eq!(kept("/list/7"), json!([{"name": "y", "value": 3}, {"name": "z", "value": 4}]));
    }

    #[test]
    fn an_ignored_field_is_kept_where_the_spec_has_nothing_above_it() {
        let mut document = json!({});
        keep_live(&mut document, Some(&json!({"a": {"b": {"c": 1}}})), "/a/b/c");
        keep_live(&mut document, Some(&json!({"a": {}})), "/x/y");
        assert_eq!(document, json!({"a": {"b": {"c": 1}}}));
    }

    /// `document` with the field at `pointer` as `live` has it.
    fn keeping(mut document: Value, live: &Value, pointer: &str) -> Value {
        keep_live(&mut document, Some(live), pointer);
        document
    }

    #[test]
    fn what_stands_beside_an_ignored_field_is_the_specs() {
        let (document, live) = (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": 7, "c": 8, "d": 9}}));
        assert_eq!(keeping(document.clone(), &live, "/a/b"), json!({"a": {"b": 7, "c": 2}}));
        assert_eq!(keeping(document, &json!({}), "/a/b"), json!({"a": {"c": 2}}));
        let list = |value: u8, more: u8| json!([{"name": "y", "value": value, "more": more}]);
        assert_eq!(
            keeping(json!({"list": list(1, 1)}), &json!({"list": list(7, 7)}), "/list/y/value")["list"],
            list(7, 1)
        );
        let unlisted = json!({"list": [{"name": "z", "value": 1}]});
        assert_eq!(keeping(unlisted.clone(), &json!({"list": list(7, 7)}), "/list/y/value"), unlisted);
    }

    #[test]
    fn an_ignored_place_is_kept_where_the_live_list_has_it() {
        let (short, long) = (json!({"list": [1]}), json!({"list": [2, 3]}));
        assert_eq!(keeping(long.clone(), &short, "/list/0"), json!({"list": [1, 3]}));
        assert_eq!(keeping(long.clone(), &short, "/list/1"), long);
        assert_eq!(keeping(long.clone(), &short, "/list/2"), long);
        assert_eq!(keeping(long, &json!({"list": [4, 5, 6]}), "/list/2"), json!({"list": [2, 3, 6]}));
    }

    #[test]
    fn without_anything_live_nothing_is_kept() {
        let mut document = json!({"a": 1});
        keep_live(&mut document, None, "/a");
        assert_eq!(document, json!({"a": 1}));
    }

    #[test]
    fn only_the_ignored_field_is_touched_and_nothing_beside_it() {
        let mut document = json!({"a": {"x": 1}, "list": [{"name": "y"}]});
        keep_live(&mut document, Some(&json!({})), "/a/b");
        keep_live(&mut document, Some(&json!({"list": [{"name": "z", "value": 1}]})), "/list/z/value");
        assert_eq!(document, json!({"a": {"x": 1}, "list": [{"name": "y"}]}));
    }
}
