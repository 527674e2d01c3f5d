//! A spec without what its defaults say anyway: as a person would write it.

use serde_json::Value;

use crate::spec::AgentDeployment;

/// `agent` as a document that reads as the same spec and has no field that could be left out.
///
/// Found by trying: a field goes when the rest still reads as `agent`. So there is no second table of defaults, and a
/// field whose default is not null keeps its null.
pub fn brief(agent: &AgentDeployment) -> Value {
    let whole = serde_json::to_value(agent).unwrap_or_default();
    let mut document = whole.clone();
    for path in fields(&whole, "") {
        let mut shorter = document.clone();
        let (parent, key) = path.rsplit_once('/').unwrap_or_default();
        let removed =
            shorter.pointer_mut(parent).and_then(Value::as_object_mut).and_then(|map| map.remove(&unescape(key)));
        let same = serde_json::from_value::<AgentDeployment>(shorter.clone()).is_ok_and(|read| read == *agent);
        if removed.is_some() && same {
            document = shorter;
        }
    }
    document
}

/// The pointers of all fields of objects in `value`, the outermost first: where one goes, those in it need not be tried.
fn fields(value: &Value, at: &str) -> Vec<String> {
    let Some(map) = value.as_object() else { return Vec::new() };
    let below = map.iter().flat_map(|(key, value)| {
        let here = format!("{at}/{}", escape(key));
        let inner = fields(value, &here);
        std::iter::once(here).chain(inner)
    });
    below.collect()
}

/// A key as a JSON pointer writes it.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn unescape(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(spec: &Value) -> AgentDeployment {
        serde_json::from_value(json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment",
            "metadata": {"name": "bot"}, "spec": spec}))
        .unwrap()
    }

    #[test]
    fn what_the_defaults_say_is_left_out_and_a_null_that_says_something_stays() {
        let spec = json!({"cluster": "agents", "image": {"uri": "x:1"}, "network": {"subnets": ["subnet-1"]},
            "container": {"port": 80}, "autoscaling": {"enabled": true, "targetCpu": null, "targetMemory": 80}});
        assert_eq!(brief(&read(&spec))["spec"], spec);
        let mut wordy = spec.clone();
        wordy["region"] = json!("us-east-1");
        wordy["container"]["name"] = json!("strands-agent");
        wordy["rollout"] = json!({"circuitBreaker": {"enabled": true}});
        assert_eq!(brief(&read(&wordy))["spec"], spec);
    }

    #[test]
    fn keys_with_a_slash_are_fields_like_any_other() {
        let spec = json!({"cluster": "agents", "image": {"uri": "x:1"}, "network": {"subnets": ["subnet-1"]},
            "tags": {"a/b~c": "d"}});
        assert_eq!(brief(&read(&spec))["spec"], spec);
    }
}
