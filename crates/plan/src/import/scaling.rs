//! Scaling as fields of a spec. A policy that has no field is left to whoever set it up: Fargateer neither changes nor
//! removes what is called neither `fargateer-...` nor by a name in the spec.

use serde_json::{Map, Value, json};

use super::task::some;
use super::{Unsaid, text};
use crate::scaling::{Live, PREFIX};

/// The metrics a policy of ours may track, with the spec's field and word for each.
const METRICS: &[(&str, &str, &str)] = &[
    ("ECSServiceAverageCPUUtilization", "targetCpu", "cpu"),
    ("ECSServiceAverageMemoryUtilization", "targetMemory", "memory"),
    ("ALBRequestCountPerTarget", "requestsPerTarget", "requests"),
];

/// The cooldowns, which all policies of a spec share: in AWS and in the spec.
const COOLDOWNS: &[(&str, &str)] = &[("ScaleInCooldown", "scaleInCooldown"), ("ScaleOutCooldown", "scaleOutCooldown")];

/// What is said of scaling: the block `autoscaling`, the paths whose drift is ignored, and what cannot be said.
pub(super) fn fields(live: Option<&Live>) -> (Value, Vec<&'static str>, Vec<Unsaid>) {
    let Some(live) = live else { return (json!({}), Vec::new(), Vec::new()) };
    let mut block = Block::default();
    for policy in &live.policies {
        block.policy(policy);
    }
    for action in &live.scheduled {
        block.action(action);
    }
    let Block { mut fields, names, scheduled, mut unsaid } = block;
    let policies = METRICS.iter().any(|(_, field, _)| fields.contains_key(*field));
    if !policies && scheduled.is_empty() {
        unsaid.push(unsayable("/scaling", "no policy or schedule of it has a field in the spec"));
        return (json!({}), Vec::new(), unsaid);
    }
    // CPU is tracked by default.
    fields.entry("targetCpu").or_insert(Value::Null);
    fields.extend([("enabled", json!(true)), ("min", json!(live.min)), ("max", json!(live.max))].map(owned));
    fields.extend([("names", json!(names)), ("scheduled", json!(scheduled))].map(owned));
    let ignored = if live.suspended { vec!["/scaling/suspended"] } else { Vec::new() };
    (Value::Object(fields), ignored, unsaid)
}

/// A target that a policy tracks: the spec's field and word for it, the goal, and the cooldowns.
struct Target {
    field: &'static str,
    word: &'static str,
    goal: u64,
    cooldowns: Map<String, Value>,
}

/// The block `autoscaling` in the making.
#[derive(Default)]
struct Block {
    fields: Map<String, Value>,
    names: Map<String, Value>,
    scheduled: Vec<Value>,
    unsaid: Vec<Unsaid>,
}

impl Block {
    fn policy(&mut self, policy: &Value) {
        let name = text(policy, "PolicyName");
        match self.target(policy) {
            Ok(Target { field, word, goal, cooldowns }) => {
                self.fields.insert(field.to_owned(), json!(goal));
                self.fields.extend(cooldowns);
                self.named(word, name);
            }
            Err(why) => self.unsaid.push(unsayable(&format!("/scaling/policies/{name}"), &why)),
        }
    }

    /// What the spec says of `policy`, or why it cannot.
    fn target(&self, policy: &Value) -> Result<Target, String> {
        let kind = text(policy, "PolicyType");
        if kind != "TargetTrackingScaling" {
            return Err(format!("a policy of type {kind}; the spec tracks targets alone"));
        }
        let configuration = policy.get("TargetTrackingScalingPolicyConfiguration").cloned().unwrap_or_default();
        let metric = configuration.pointer("/PredefinedMetricSpecification/PredefinedMetricType");
        let known = METRICS.iter().find(|(known, ..)| metric.is_some_and(|metric| metric == known));
        let Some((metric, field, word)) = known else { return Err("a metric the spec has no field for".to_owned()) };
        if self.fields.contains_key(*field) {
            return Err(format!("a second policy on {metric}"));
        }
        if configuration.get("DisableScaleIn") == Some(&json!(true)) {
            return Err("a policy that never scales in".to_owned());
        }
        let cooldowns = cooldowns(&configuration);
        let first = !METRICS.iter().any(|(_, field, _)| self.fields.contains_key(*field));
        let same = COOLDOWNS.iter().all(|(_, field)| self.fields.get(*field) == cooldowns.get(*field));
        if !first && !same {
            return Err("cooldowns of its own; those of the spec hold for all policies".to_owned());
        }
        let goal = configuration.get("TargetValue").and_then(Value::as_f64).and_then(whole);
        let goal = goal.ok_or_else(|| "a target that is no whole number".to_owned())?;
        Ok(Target { field, word, goal, cooldowns })
    }

    fn action(&mut self, action: &Value) {
        let live = text(action, "ScheduledActionName");
        if ["StartTime", "EndTime"].iter().any(|key| action.get(*key).is_some_and(|time| !time.is_null())) {
            let why = "a schedule with a beginning or an end";
            return self.unsaid.push(unsayable(&format!("/scaling/scheduled/{live}"), why));
        }
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
        let plain = live.strip_prefix(PREFIX).unwrap_or(live);
        let name: String = plain.chars().map(|letter| if fits(letter) { letter } else { '-' }).collect();
        let range = action.get("ScalableTargetAction").cloned().unwrap_or_default();
        self.scheduled.push(some(json!({
            "name": name,
            "schedule": action.get("Schedule"),
            "timezone": action.get("Timezone"),
            "min": range.get("MinCapacity"),
            "max": range.get("MaxCapacity"),
        })));
        self.named(&name, live);
    }

    /// Remembers what AWS calls something, where it is not what we would.
    fn named(&mut self, word: &str, live: &str) {
        if live != format!("{PREFIX}{word}") {
            self.names.insert(word.to_owned(), json!(live));
        }
    }
}

fn cooldowns(configuration: &Value) -> Map<String, Value> {
    let given =
        COOLDOWNS.iter().filter_map(|(key, field)| Some(((*field).to_owned(), configuration.get(*key)?.clone())));
    given.filter(|(_, seconds)| !seconds.is_null()).collect()
}

/// 70.0 as 70; none for 70.5.
fn whole(number: f64) -> Option<u64> {
    let text = format!("{number}");
    text.parse().ok()
}

fn owned((key, value): (&str, Value)) -> (String, Value) {
    (key.to_owned(), value)
}

fn unsayable(field: &str, what: &str) -> Unsaid {
    let why = format!("{what}; the plan leaves it as it is, and so does Fargateer afterwards");
    Unsaid { field: field.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracking(name: &str, metric: &str, more: &Value) -> Value {
        let mut configuration =
            json!({"TargetValue": 60.0, "PredefinedMetricSpecification": {"PredefinedMetricType": metric}});
        configuration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"PolicyName": name, "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": configuration})
    }

    fn live(policies: Vec<Value>) -> Live {
        Live { min: 2, max: 8, policies, ..Live::default() }
    }

    const CPU: &str = "ECSServiceAverageCPUUtilization";
    const MEMORY: &str = "ECSServiceAverageMemoryUtilization";

    #[test]
    fn policies_get_their_fields_and_keep_their_names() {
        let cool = json!({"ScaleInCooldown": 120});
        let found = live(vec![tracking("web-cpu", CPU, &cool), tracking("fargateer-memory", MEMORY, &cool)]);
        let (block, ignored, unsaid) = fields(Some(&found));
        let expected = json!({"enabled": true, "min": 2, "max": 8, "targetCpu": 60, "targetMemory": 60,
            "scaleInCooldown": 120, "names": {"cpu": "web-cpu"}, "scheduled": []});
        assert_eq!((block, ignored, unsaid), (expected, vec![], vec![]));
    }

    #[test]
    fn what_has_no_field_is_told_and_left_alone() {
        let step = json!({"PolicyName": "step", "PolicyType": "StepScaling"});
        let own = json!({"CustomizedMetricSpecification": {}, "PredefinedMetricSpecification": null});
        let policies = vec![
            tracking("cpu", CPU, &json!({})),
            step,
            tracking("twice", CPU, &json!({})),
            tracking("queue", "", &own),
            tracking("out", MEMORY, &json!({"DisableScaleIn": true})),
            tracking("slow", MEMORY, &json!({"ScaleOutCooldown": 9})),
            tracking("half", MEMORY, &json!({"TargetValue": 60.5})),
        ];
        let (block, _, unsaid) = fields(Some(&live(policies)));
        assert_eq!((&block["targetCpu"], block.get("targetMemory")), (&json!(60), None));
        let names: Vec<&str> = unsaid.iter().map(|one| one.field.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["step", "twice", "queue", "out", "slow", "half"]);
        let (block, _, unsaid) = fields(Some(&live(vec![json!({"PolicyName": "s", "PolicyType": "StepScaling"})])));
        assert_eq!((block, unsaid.len()), (json!({}), 2));
    }

    #[test]
    fn schedules_are_named_after_what_they_are_called_and_a_suspension_is_kept() {
        let mut found = live(vec![]);
        found.suspended = true;
        let action = |name: &str, more: &Value| {
            let mut action = json!({"ScheduledActionName": name, "Schedule": "rate(1 hour)",
                "ScalableTargetAction": {"MinCapacity": 1}});
            action.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            action
        };
        found.scheduled = vec![action("night shift", &json!({})), action("once", &json!({"EndTime": 1.0}))];
        let (block, ignored, unsaid) = fields(Some(&found));
        assert_eq!(block["scheduled"], json!([{"name": "night-shift", "schedule": "rate(1 hour)", "min": 1}]));
        assert_eq!((&block["names"], &block["targetCpu"]), (&json!({"night-shift": "night shift"}), &Value::Null));
        assert_eq!(ignored, ["/scaling/suspended"]);
        assert_eq!(unsaid.len(), 1);
    }
}
