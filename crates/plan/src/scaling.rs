//! Application Auto Scaling of the task count: scalable target, target tracking policies, scheduled changes.
//!
//! Scaling that somebody else set up on the service is left alone: our policies and actions are known by their names, which
//! begin with `fargateer-` or stand in the spec.

use fargateer_api::AgentDeployment;
use fargateer_api::seeded::{Bug, has};
use fargateer_api::spec::{Autoscaling, ScheduledAction};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::difference::{self, Difference, Effect};
use crate::seen::Seen;
use crate::tags::{self, Tags};
use crate::target_group;

/// Prefix of the names of our policies and scheduled actions.
pub(crate) const PREFIX: &str = "fargateer-";

/// What Application Auto Scaling has for a service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Live {
    /// Fewest tasks.
    pub min: u32,
    /// Most tasks.
    pub max: u32,
    /// Whether scaling is suspended, in any direction.
    pub suspended: bool,
    /// Policies, as described.
    pub policies: Vec<Value>,
    /// Scheduled actions, as described; looked for only when the spec has some.
    pub scheduled: Vec<Value>,
    /// Tags of the target; looked for only when it has neither policies nor scheduled actions.
    pub tags: Tags,
}

impl Live {
    /// Whether we set this up: a policy or scheduled action with our prefix is there, or nothing but a target with our tag,
    /// which a pass that did not get further left behind.
    pub fn is_ours(&self) -> bool {
        let named = |item: &Value, key: &str| {
            item.get(key).and_then(Value::as_str).is_some_and(|name| name.starts_with(PREFIX))
        };
        self.policies.iter().any(|policy| named(policy, "PolicyName"))
            || self.scheduled.iter().any(|action| named(action, "ScheduledActionName"))
            || self.tags.contains_key(tags::OWNER)
    }
}

/// What a spec asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// `service/<cluster>/<service>`.
    pub resource: String,
    /// Fewest tasks.
    pub min: u32,
    /// Most tasks.
    pub max: u32,
    /// Whether scaling may stay suspended: only where drift of it is ignored.
    pub suspended: bool,
    /// PutScalingPolicy requests without identity, by policy name.
    pub policies: Vec<(String, Value)>,
    /// PutScheduledAction requests without identity, by action name.
    pub scheduled: Vec<(String, Value)>,
    /// Names the spec took over from another tool: what bears one of them is ours, too.
    pub names: Vec<String>,
}

/// A write to Application Auto Scaling. Requests carry `ResourceId` and the rest of the identity.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// RegisterScalableTarget: creates or updates.
    Register(Value),
    /// PutScalingPolicy: creates or updates.
    PutPolicy(Value),
    /// DeleteScalingPolicy.
    DeletePolicy(Value),
    /// PutScheduledAction: creates or updates.
    PutScheduled(Value),
    /// DeleteScheduledAction.
    DeleteScheduled(Value),
    /// DeregisterScalableTarget: takes policies and scheduled actions with it.
    Deregister(Value),
}

/// `service/<cluster>/<service>`, the id of a service in Application Auto Scaling.
pub fn resource_id(cluster: &str, service: &str) -> String {
    format!("service/{cluster}/{service}")
}

/// The scaling that `agent` means, if it is enabled. `target` is needed for a policy on requests.
pub fn from_spec(agent: &AgentDeployment, target: Option<&target_group::Live>) -> Option<Wanted> {
    let scaling = &agent.spec.autoscaling;
    let label = target.and_then(target_group::Live::resource_label);
    let policy = |word: &str, metric: &str, goal: Option<u32>, label: Option<String>| {
        let configuration = tracking(agent, metric, goal?, label);
        let name = name(scaling, word);
        Some((
            if has(Bug::DoublesPolicies) { format!("{name}-{goal:?}") } else { name },
            json!({"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": configuration}),
        ))
    };
    let requests = scaling.requests_per_target.filter(|_| label.is_some());
    let policies = [
        policy("cpu", "ECSServiceAverageCPUUtilization", scaling.target_cpu, None),
        policy("memory", "ECSServiceAverageMemoryUtilization", scaling.target_memory, None),
        policy("requests", "ALBRequestCountPerTarget", requests, label),
    ];
    scaling.enabled.then(|| Wanted {
        resource: resource_id(agent.cluster_name(), agent.service_name()),
        min: scaling.min,
        max: scaling.max,
        suspended: false,
        policies: policies.into_iter().flatten().collect(),
        scheduled: scaling.scheduled.iter().map(|action| (name(scaling, &action.name), scheduled(action))).collect(),
        names: scaling.names.values().cloned().collect(),
    })
}

/// What a policy or scheduled action is called in AWS.
fn name(scaling: &Autoscaling, word: &str) -> String {
    scaling.names.get(word).cloned().unwrap_or_else(|| format!("{PREFIX}{word}"))
}

/// The fields that differ, over target, policies and schedules.
pub fn diff(live: &Live, wanted: &Wanted) -> Vec<Difference> {
    let Wanted { resource: _, min, max, suspended, policies, scheduled, names } = wanted;
    // A scheduled action rewrites the range: any value one of them sets is as good as the spec's own.
    let allowed = |key: &str, have: u32, want: u32| {
        have == want || scheduled.iter().any(|(_, action)| action["ScalableTargetAction"][key] == json!(have))
    };
    let mut differences = Vec::new();
    let mut compare = |field: String, have: Value, want: Value| {
        differences.extend(difference::between(&field, &have, &want, Effect::InPlace));
    };
    if !allowed("MinCapacity", live.min, *min) {
        compare("/scaling/min".to_owned(), json!(live.min), json!(min));
    }
    if !allowed("MaxCapacity", live.max, *max) {
        compare("/scaling/max".to_owned(), json!(live.max), json!(max));
    }
    compare("/scaling/suspended".to_owned(), json!(live.suspended), json!(suspended));
    compare("/scaling/policies".to_owned(), ours(&live.policies, "PolicyName", names), document(policies));
    compare("/scaling/scheduled".to_owned(), ours(&live.scheduled, "ScheduledActionName", names), document(scheduled));
    differences
}

/// The writes that make the scaling what is wanted; `tags` go on a target that is created.
pub fn changes(live: &Seen<Live>, wanted: &Wanted, tags: &Tags) -> Vec<Change> {
    let have = live.present();
    let differences = have.map(|live| diff(live, wanted)).unwrap_or_default();
    let touched =
        |prefix: &str| have.is_none() || differences.iter().any(|difference| difference.field.starts_with(prefix));
    let mut changes = Vec::new();
    if ["/scaling/min", "/scaling/max", "/scaling/suspended"].into_iter().any(touched) {
        changes.push(Change::Register(register(wanted, have.is_none().then_some(tags))));
    }
    let empty = Live::default();
    let have = have.unwrap_or(&empty);
    let policies = ours(&have.policies, "PolicyName", &wanted.names);
    let actions = ours(&have.scheduled, "ScheduledActionName", &wanted.names);
    changes.extend(puts(&policies, &wanted.policies, "PolicyName", wanted).map(Change::PutPolicy));
    changes.extend(removals(&policies, &wanted.policies, "PolicyName", wanted).map(Change::DeletePolicy));
    changes.extend(puts(&actions, &wanted.scheduled, "ScheduledActionName", wanted).map(Change::PutScheduled));
    changes.extend(removals(&actions, &wanted.scheduled, "ScheduledActionName", wanted).map(Change::DeleteScheduled));
    changes
}

/// Where a count belongs that somebody set outside the range by hand. An autoscaler corrects it with its next activity only,
/// which never comes while no task runs; none while scaling is suspended, for then people have the count.
pub fn astray(live: &Live, count: u32) -> Option<u32> {
    let belongs = count.min(live.max).max(live.min);
    (belongs != count && !live.suspended).then_some(belongs)
}

/// The write that brings such a count back: a target that is registered, even as it is, moves the count into its range (AWS
/// docs: RegisterScalableTarget).
pub fn recall(resource: &str, live: &Live) -> Change {
    let mut request = identity(resource);
    if let Some(fields) = request.as_object_mut() {
        fields.extend([("MinCapacity".to_owned(), json!(live.min)), ("MaxCapacity".to_owned(), json!(live.max))]);
    }
    Change::Register(request)
}

/// Keeps what is `live` in the fields whose drift is ignored: `min`, `max`, `suspended`, `policies` and `scheduled`, the
/// last two whole or by name.
pub fn keep_live(wanted: &mut Wanted, live: &Live, ignore: &[String]) {
    for path in ignore.iter().filter_map(|path| path.strip_prefix("/scaling/")) {
        let mut words = path.split('/');
        match (words.next().unwrap_or_default(), words.next()) {
            ("min", _) => wanted.min = live.min,
            ("max", _) => wanted.max = live.max,
            ("suspended", _) => wanted.suspended = live.suspended,
            ("policies", name) => {
                let live = kept(&live.policies, "PolicyName", &wanted.names);
                keep_named(&mut wanted.policies, &live, name);
            }
            ("scheduled", name) => {
                let live = kept(&live.scheduled, "ScheduledActionName", &wanted.names);
                keep_named(&mut wanted.scheduled, &live, name);
            }
            (_, _) => {}
        }
    }
}

fn keep_named(wanted: &mut Vec<(String, Value)>, live: &[(String, Value)], name: Option<&str>) {
    let ignored = |item: &(String, Value)| name.is_none_or(|name| name == item.0);
    wanted.retain(|item| !ignored(item));
    wanted.extend(live.iter().filter(|item| ignored(item)).cloned());
}

/// The write that ends scaling of a service.
pub fn deregister(resource: &str) -> Change {
    Change::Deregister(identity(resource))
}

fn tracking(agent: &AgentDeployment, metric: &str, goal: u32, label: Option<String>) -> Value {
    let scaling = &agent.spec.autoscaling;
    let mut specification = json!({"PredefinedMetricType": metric});
    if let (Some(fields), Some(label)) = (specification.as_object_mut(), label) {
        fields.insert("ResourceLabel".to_owned(), json!(label));
    }
    let mut configuration = json!({"TargetValue": f64::from(goal), "PredefinedMetricSpecification": specification});
    if let Some(fields) = configuration.as_object_mut() {
        let cooldowns =
            [("ScaleInCooldown", scaling.scale_in_cooldown), ("ScaleOutCooldown", scaling.scale_out_cooldown)];
        fields.extend(cooldowns.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value?)))));
    }
    configuration
}

fn scheduled(action: &ScheduledAction) -> Value {
    let range = [("MinCapacity", action.min), ("MaxCapacity", action.max)];
    let range: Map<String, Value> =
        range.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value?)))).collect();
    let mut request = json!({"Schedule": action.schedule, "ScalableTargetAction": range});
    if let (Some(fields), Some(zone)) = (request.as_object_mut(), &action.timezone) {
        fields.insert("Timezone".to_owned(), json!(zone));
    }
    request
}

fn identity(resource: &str) -> Value {
    json!({"ServiceNamespace": "ecs", "ResourceId": resource, "ScalableDimension": "ecs:service:DesiredCount"})
}

fn register(wanted: &Wanted, tags: Option<&Tags>) -> Value {
    let mut request = identity(&wanted.resource);
    let running = json!({"DynamicScalingInSuspended": false, "DynamicScalingOutSuspended": false, "ScheduledScalingSuspended": false});
    if let Some(fields) = request.as_object_mut() {
        fields.insert("MinCapacity".to_owned(), json!(wanted.min));
        fields.insert("MaxCapacity".to_owned(), json!(wanted.max));
        // Tags are accepted only while the target does not exist; a suspended state only matters when it does.
        match tags {
            Some(tags) => fields.insert("Tags".to_owned(), json!(tags)),
            None if wanted.suspended => None,
            None => fields.insert("SuspendedState".to_owned(), running),
        };
    }
    request
}

/// Our items by name, reduced to the fields we set: alarms, ARNs and times are AWS's own.
fn ours(items: &[Value], name_key: &str, names: &[String]) -> Value {
    document(&kept(items, name_key, names))
}

fn kept(items: &[Value], name_key: &str, names: &[String]) -> Vec<(String, Value)> {
    const KEPT: &[&str] =
        &["PolicyType", "TargetTrackingScalingPolicyConfiguration", "Schedule", "Timezone", "ScalableTargetAction"];
    let is_ours = |name: &&str| name.starts_with(PREFIX) || names.iter().any(|ours| ours == name);
    let pairs = items.iter().filter_map(|item| {
        let name = item.get(name_key)?.as_str().filter(is_ours)?;
        let fields = item.as_object()?.iter().filter(|(key, value)| KEPT.contains(&key.as_str()) && !value.is_null());
        let fields: Map<String, Value> = fields.map(|(key, value)| (key.clone(), value.clone())).collect();
        Some((name.to_owned(), Value::Object(fields)))
    });
    pairs.collect()
}

fn document(items: &[(String, Value)]) -> Value {
    items.iter().map(|(name, value)| (name.clone(), numbers(value))).collect::<Map<String, Value>>().into()
}

/// 70 and 70.0 are one number; AWS's own default for scale-in is not a difference.
fn numbers(value: &Value) -> Value {
    if let Some(map) = value.as_object() {
        let kept =
            map.iter().filter(|(key, value)| !(key.as_str() == "DisableScaleIn" && value.as_bool() == Some(false)));
        return kept.map(|(key, value)| (key.clone(), numbers(value))).collect::<Map<String, Value>>().into();
    }
    value.as_f64().map_or_else(|| value.clone(), |number| json!(number))
}

fn puts<'a>(
    have: &'a Value,
    wanted: &'a [(String, Value)],
    name_key: &'a str,
    target: &'a Wanted,
) -> impl Iterator<Item = Value> + 'a {
    let differs = move |(name, want): &&(String, Value)| have.get(name) != Some(&numbers(want));
    wanted.iter().filter(differs).map(move |(name, want)| {
        let mut request = named(&target.resource, name_key, name);
        if let (Some(fields), Some(more)) = (request.as_object_mut(), want.as_object()) {
            fields.extend(more.clone());
        }
        request
    })
}

fn removals<'a>(
    have: &'a Value,
    wanted: &'a [(String, Value)],
    name_key: &'a str,
    target: &'a Wanted,
) -> impl Iterator<Item = Value> + 'a {
    let names = have.as_object().into_iter().flat_map(Map::keys);
    let dropped = names.filter(|name| !wanted.iter().any(|(wanted, _)| wanted == *name));
    dropped.map(move |name| named(&target.resource, name_key, name))
}

fn named(resource: &str, name_key: &str, name: &str) -> Value {
    let mut request = identity(resource);
    if let Some(fields) = request.as_object_mut() {
        fields.insert(name_key.to_owned(), json!(name));
    }
    request
}

/// The frozen task count a service's tags remember, while the spec's own count has not been edited since.
pub fn frozen_count(tags: &Tags, spec_count: u32) -> Option<u32> {
    let (live, spec) = tags.get(tags::FROZEN_COUNT)?.split_once('/')?;
    (spec.parse() == Ok(spec_count)).then(|| live.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(min: u32, max: u32) -> Wanted {
        let policy = json!({"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0}});
        let policies = vec![("fargateer-cpu".to_owned(), policy)];
        let resource = resource_id("agents", "bot");
        Wanted { resource, min, max, suspended: false, policies, scheduled: Vec::new(), names: Vec::new() }
    }

    fn cpu(goal: &Value) -> Value {
        json!({"PolicyName": "fargateer-cpu", "PolicyType": "TargetTrackingScaling", "PolicyARN": "arn", "Alarms": [{}],
            "TargetTrackingScalingPolicyConfiguration": {"TargetValue": goal, "DisableScaleIn": false}})
    }

    fn live(min: u32, max: u32) -> Live {
        Live { min, max, policies: vec![cpu(&json!(70))], ..Live::default() }
    }

    fn kinds(changes: &[Change]) -> Vec<String> {
        let kind = |change: &Change| {
            let document = serde_json::to_value(change).unwrap();
            document.as_object().unwrap().keys().next().unwrap().clone()
        };
        changes.iter().map(kind).collect()
    }

    #[test]
    fn a_count_outside_the_range_belongs_at_its_end_unless_people_have_suspended_scaling() {
        let live = Live { min: 2, max: 6, ..Live::default() };
        assert_eq!([0, 2, 6, 9].map(|count| astray(&live, count)), [Some(2), None, None, Some(6)]);
        assert_eq!(astray(&Live { suspended: true, ..live }, 0), None);
    }

    #[test]
    fn what_aws_adds_and_how_it_writes_numbers_is_no_difference() {
        assert_eq!(diff(&live(1, 5), &wanted(1, 5)), vec![]);
        assert_eq!(changes(&Seen::Present(live(1, 5)), &wanted(1, 5), &Tags::new()), vec![]);
    }

    #[test]
    fn a_target_is_tagged_when_made_and_resumed_when_changed() {
        let tags = Tags::from([("a".to_owned(), "b".to_owned())]);
        let made = changes(&Seen::Absent, &wanted(1, 5), &tags);
        assert_eq!(kinds(&made), ["register", "putPolicy"]);
        let Change::Register(request) = &made[0] else { panic!("{made:?}") };
        assert_eq!((request.get("Tags"), request.get("SuspendedState")), (Some(&json!({"a": "b"})), None));
        let changed = changes(&Seen::Present(live(1, 4)), &wanted(1, 5), &tags);
        assert_eq!(kinds(&changed), ["register"]);
        let Change::Register(request) = &changed[0] else { panic!("{changed:?}") };
        assert_eq!((request.get("Tags"), &request["MaxCapacity"]), (None, &json!(5)));
        assert_eq!(request["SuspendedState"]["DynamicScalingInSuspended"], false);
    }

    #[test]
    fn a_policy_is_put_when_it_differs_and_only_ours_are_deleted() {
        let mut have = live(1, 5);
        have.policies = vec![
            cpu(&json!(60)),
            json!({"PolicyName": "fargateer-memory"}),
            json!({"PolicyName": "console"}),
            json!({"PolicyName": 7}),
        ];
        let found = changes(&Seen::Present(have), &wanted(1, 5), &Tags::new());
        assert_eq!(kinds(&found), ["putPolicy", "deletePolicy"]);
        let Change::DeletePolicy(request) = &found[1] else { panic!("{found:?}") };
        let expected = json!({"ServiceNamespace": "ecs", "ResourceId": "service/agents/bot",
            "ScalableDimension": "ecs:service:DesiredCount", "PolicyName": "fargateer-memory"});
        assert_eq!(request, &expected);
    }

    #[test]
    fn what_the_spec_names_is_ours_and_is_changed_under_its_own_name() {
        let mut have = live(1, 5);
        have.policies = vec![
            json!({"PolicyName": "web-cpu", "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0}}),
            json!({"PolicyName": "web-old"}),
        ];
        let mut want = wanted(1, 5);
        (want.policies[0].0, want.names) = ("web-cpu".to_owned(), vec!["web-cpu".to_owned()]);
        assert_eq!(changes(&Seen::Present(have.clone()), &want, &Tags::new()), vec![]);
        want.policies[0].1["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] = json!(50);
        want.names.push("web-old".to_owned());
        let found = changes(&Seen::Present(have), &want, &Tags::new());
        assert_eq!(kinds(&found), ["putPolicy", "deletePolicy"]);
        let (Change::PutPolicy(put), Change::DeletePolicy(gone)) = (&found[0], &found[1]) else { panic!("{found:?}") };
        assert_eq!((&put["PolicyName"], &gone["PolicyName"]), (&json!("web-cpu"), &json!("web-old")));
    }

    #[test]
    fn a_schedule_may_hold_the_range_at_its_own_values_and_no_others() {
        let mut want = wanted(2, 6);
        let night = json!({"Schedule": "rate(1 hour)", "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 1}});
        want.scheduled = vec![("fargateer-night".to_owned(), night.clone())];
        let mut have = live(0, 1);
        let mut described = night;
        described["ScheduledActionName"] = json!("fargateer-night");
        described["ScheduledActionARN"] = json!("arn");
        have.scheduled = vec![described];
        assert_eq!(diff(&have, &want), vec![]);
        (have.min, have.max) = (1, 0);
        let fields: Vec<String> = diff(&have, &want).into_iter().map(|difference| difference.field).collect();
        assert_eq!(fields, ["/scaling/min", "/scaling/max"]);
    }

    #[test]
    fn scaling_is_ours_by_the_name_of_a_policy_or_a_schedule() {
        let named = |policies: Value, scheduled: Value| Live {
            policies: policies.as_array().unwrap().clone(),
            scheduled: scheduled.as_array().unwrap().clone(),
            ..Live::default()
        };
        assert!(named(json!([{"PolicyName": "fargateer-cpu"}]), json!([])).is_ours());
        assert!(named(json!([]), json!([{"ScheduledActionName": "fargateer-x"}])).is_ours());
        let bare = |key: &str| Live { tags: Tags::from([(key.to_owned(), String::new())]), ..Live::default() };
        assert!(bare("fargateer:owner").is_ours() && !bare("team").is_ours());
        assert!(!named(json!([{"PolicyName": "cpu"}]), json!([{"ScheduledActionName": "x"}])).is_ours());
    }

    #[test]
    fn ignored_drift_of_scaling_keeps_what_is_live() {
        let mut have = Live { suspended: true, ..live(3, 9) };
        have.policies = vec![cpu(&json!(40)), json!({"PolicyName": "fargateer-x", "PolicyType": "StepScaling"})];
        let kept = |ignore: &[&str]| {
            let mut want = wanted(1, 5);
            let ignore: Vec<String> = ignore.iter().map(|path| (*path).to_owned()).collect();
            keep_live(&mut want, &have, &ignore);
            let fields: Vec<String> = diff(&have, &want).into_iter().map(|difference| difference.field).collect();
            (fields.join(" "), want)
        };
        let all = ["/scaling/min", "/scaling/max", "/scaling/suspended", "/scaling/policies", "/scaling/scheduled"];
        let (fields, want) = kept(&all);
        assert_eq!(fields, "");
        assert_eq!((want.min, want.max, want.suspended, want.policies.len()), (3, 9, true, 2));
        let (fields, _) =
            kept(&["/scaling/max", "/scaling/suspended", "/scaling/policies/fargateer-cpu", "/service/x"]);
        assert_eq!(fields, "/scaling/min /scaling/policies/fargateer-x");
    }

    #[test]
    fn a_suspension_that_is_to_be_kept_is_not_lifted_by_another_change() {
        let have = Live { suspended: true, ..live(3, 9) };
        let want = Wanted { suspended: true, ..wanted(1, 9) };
        let found = changes(&Seen::Present(have), &want, &Tags::new());
        let Change::Register(request) = &found[0] else { panic!("{found:?}") };
        assert_eq!(request.get("SuspendedState"), None);
    }

    #[test]
    fn a_frozen_count_holds_until_the_spec_says_another() {
        let tags = |text: &str| Tags::from([(tags::FROZEN_COUNT.to_owned(), text.to_owned())]);
        assert_eq!(frozen_count(&tags("7/1"), 1), Some(7));
        assert_eq!(frozen_count(&tags("0/1"), 1), Some(0));
        assert_eq!(frozen_count(&tags("7/1"), 2), None);
        assert_eq!(frozen_count(&tags("seven/1"), 1), None);
        assert_eq!(frozen_count(&tags("7"), 1), None);
        assert_eq!(frozen_count(&Tags::new(), 1), None);
    }
}
