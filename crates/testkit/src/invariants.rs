//! What must never happen, checked at every effect: right before a write, while the world can still be seen as it was, and
//! right after it. The numbers are those of the project's list of invariants.

use std::collections::BTreeMap;
use std::time::Duration;

use fargateer_api::Key;
use fargateer_controller::lease::Shard;
use fargateer_sim::{Meeting, View};
use serde_json::{Value, json};

use crate::record::Record;
use crate::state::{self, Ask};
use crate::truth::Want;
use crate::wiring::TABLE;

/// The owner of every scenario's installation.
pub(crate) const OWNER: &str = "simulated";

/// Asks through a view.
struct Looking<'a, 'b>(&'a mut View<'b>);

impl Ask for Looking<'_, '_> {
    fn ask(&mut self, service: &str, operation: &str, request: &Value) -> Value {
        self.0.ask(service, operation, request).unwrap_or_default()
    }
}

/// What is about to be written may be written.
pub(crate) fn before_a_write(record: &mut Record, call: &Meeting<'_>, world: &mut View<'_>) {
    if !is_permitted(call) {
        record.violate(call.at, "T10 least privilege", &format!("{} is not in the IAM policy", call.operation));
    }
    // A pass that had begun goes on to its end.
    let settled = |since: Duration| call.at.saturating_sub(since) > Duration::from_secs(30);
    if record.frozen.is_some_and(settled) {
        record.violate(call.at, "a freeze is kept", &format!("{} {}", call.operation, call.request));
    }
    let handed = subject(record, call).and_then(|name| record.truth.handed(&name));
    if call.operation != "UntagResource" && handed.is_some_and(settled) {
        record.violate(call.at, "what is handed back is left", &format!("{} {}", call.operation, call.request));
    }
    let mut world = Looking(world);
    let broken = match call.operation {
        "RegisterTaskDefinition" => disputed(record, call),
        "UpdateService" => update(record, call, &mut world),
        "DeleteService" => deletion(record, call, &mut world),
        "TagResource" | "UntagResource" => tagging(record, call, &mut world),
        "DeregisterTaskDefinition" => deregistration(call, &mut world),
        "RegisterScalableTarget"
        | "PutScalingPolicy"
        | "DeleteScalingPolicy"
        | "DeregisterScalableTarget"
        | "PutScheduledAction"
        | "DeleteScheduledAction" => scaling(record, call, &mut world),
        "DeleteLogGroup" => logs(record, call),
        _ => None,
    };
    if let Some((invariant, what)) = broken {
        record.violate(call.at, invariant, &format!("{}: {what}", call.operation));
    }
}

/// Who writes owns what it writes about, by the lease table as it is right now (I9).
pub(crate) fn one_writer(record: &mut Record, call: &Meeting<'_>, (member, world): (&str, &mut View<'_>)) {
    let Some(name) = subject(record, call) else { return };
    let key = json!({"owner": {"S": OWNER}, "item": {"S": "lease"}});
    let item = Looking(world).ask("dynamodb", "GetItem", &json!({"TableName": TABLE, "Key": key}))["Item"].take();
    let shard = Shard::of(&Key::new(&name)).number();
    let owns = |bits: &Value| {
        let bits = aws_smithy_types::base64::decode(bits["B"].as_str().unwrap_or_default()).unwrap_or_default();
        bits.get(usize::from(shard / 8)).is_some_and(|byte| byte & (1 << (shard % 8)) != 0)
    };
    let owners = item["owners"]["M"].as_object().into_iter().flatten();
    let owner = owners.filter(|(_, bits)| owns(bits)).map(|(owner, _)| owner.clone()).next();
    if !owner.as_ref().is_some_and(|owner| owner.starts_with(member)) {
        let what = format!("{} by {member} about {name}, which is {owner:?}'s", call.operation);
        record.violate(call.at, "I9 exactly one writer", &what);
    }
}

/// The agent a write is about, found by the names in it.
fn subject(record: &Record, call: &Meeting<'_>) -> Option<String> {
    let fields = ["service", "serviceName", "family", "taskDefinition", "resourceArn", "ResourceId", "logGroupName"];
    let texts = fields.iter().filter_map(|field| call.request.get(*field)?.as_str());
    let mut names = texts.filter_map(|text| text.rsplit('/').next()?.split(':').next());
    names.find(|name| record.truth.of(name).is_some()).map(str::to_owned)
}

/// What was written left nothing twice.
pub(crate) fn after_a_write(record: &mut Record, call: &Meeting<'_>, world: &mut View<'_>) {
    let mut world = Looking(world);
    let broken = match call.operation {
        "CreateService" => services_of_one_agent(call, &mut world),
        "RegisterTaskDefinition" => revisions_of_one_digest(call, &mut world, record.lost_registrations),
        "PutScalingPolicy" => policies_of_one_metric(call, &mut world),
        _ => None,
    };
    if let Some(what) = broken {
        record.violate(call.at, "I2 nothing twice", &what);
    }
    let rolls = ["CreateService", "UpdateService"].contains(&call.operation);
    if let Some(most) = record.max_rollouts.filter(|_| rolls) {
        let rolling = rolling(&mut world);
        if rolling.len() > usize::try_from(most).unwrap_or(usize::MAX) {
            record.violate(call.at, "I17 so many roll at once", &format!("{rolling:?}, {most} may"));
        }
    }
}

/// The services of which a deployment is under way.
fn rolling(world: &mut dyn Ask) -> Vec<String> {
    let names = world.ask("ecs", "ListServices", &json!({"cluster": "agents", "maxResults": 100}));
    let names = names["serviceArns"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names: Vec<String> = names.map(str::to_owned).collect();
    let mut rolls = |name: &String| {
        let live = state::service(world, "agents", name);
        let mut deployments = live["deployments"].as_array().into_iter().flatten();
        deployments.any(|deployment| deployment["rolloutState"] == "IN_PROGRESS")
    };
    names.into_iter().filter(|name| rolls(name)).collect()
}

type Broken = Option<(&'static str, String)>;

/// Whoever stands in two sources stays as it was.
pub(crate) const DISPUTES: &str = "a dispute changes nothing";

const OURS: &str = "I3 only what is ours";
const DELETES: &str = "I4 deletes nothing that is wanted";
const CAPACITY: &str = "I12 capacity is kept";
const COUNTS: &str = "I13 the count is the autoscaler's";

fn update(record: &Record, call: &Meeting<'_>, world: &mut dyn Ask) -> Broken {
    let (cluster, name) = named(call);
    let before = state::service(world, &cluster, &name);
    let wanted = record.truth.of_service(&cluster, &name);
    if let Some(broken) = foreign(record, call, &before) {
        return Some((OURS, broken));
    }
    if record.is_done_again(call) {
        return Some(("what was just done is not done again", call.request.to_string()));
    }
    let agent = match wanted {
        Some((_, Want::Present(agent))) => agent,
        Some((_, Want::Absent(_))) | None => return None,
    };
    let request = call.request;
    let minimum = request["deploymentConfiguration"]["minimumHealthyPercent"].as_u64();
    let count = request["desiredCount"].as_u64();
    let mut scaled = || !state::target(world, &cluster, &name).is_null();
    if agent.spec.autoscaling.enabled && count.is_some() && scaled() {
        return Some((COUNTS, format!("desiredCount {count:?} is sent for a scaled service")));
    }
    let frozen = state::tags(&before["tags"]).contains_key("fargateer:frozen-count");
    let known = |count: u64| record.truth.ever_counted(&agent.metadata.name, count);
    if let Some(count) = count.filter(|count| !known(*count) && !frozen) {
        return Some((CAPACITY, format!("desiredCount {count} was never asked for")));
    }
    let lowest = record.truth.lowest_minimum(&agent.metadata.name);
    minimum
        .filter(|minimum| *minimum < lowest)
        .map(|minimum| (CAPACITY, format!("minimumHealthyPercent {minimum} was never asked for")))
}

fn deletion(record: &Record, call: &Meeting<'_>, world: &mut dyn Ask) -> Broken {
    let (cluster, name) = named(call);
    let before = state::service(world, &cluster, &name);
    if let Some(broken) = foreign(record, call, &before) {
        return Some((OURS, broken));
    }
    match record.truth.of_service(&cluster, &name) {
        Some((agent, Want::Absent(_))) if record.truth.handed(agent).is_some() => {
            Some((DELETES, format!("{agent} was handed back")))
        }
        Some((agent, Want::Present(_))) if record.truth.is_news(agent, call.at) => None,
        Some((agent, Want::Present(_))) => Some((DELETES, format!("{agent} is wanted"))),
        None => Some((DELETES, format!("{name} is nobody's"))),
        Some((_, Want::Absent(_))) => None,
    }
}

/// A revision says what nobody may follow, because two sources speak of the agent.
fn disputed(record: &Record, call: &Meeting<'_>) -> Broken {
    let name = call.request["family"].as_str().unwrap_or_default();
    let differs = |agent| state::definition_differs(call.request, agent).is_some();
    let wanted = record.truth.present(name)?;
    let barred = record.truth.barred(name, call.at);
    let follows = barred.into_iter().find(|(_, agent)| !differs(agent) && differs(wanted));
    follows.map(|(generation, _)| (DISPUTES, format!("{name} follows {generation}")))
}

fn tagging(record: &Record, call: &Meeting<'_>, world: &mut dyn Ask) -> Broken {
    if call.service != "ecs" {
        return None;
    }
    let arn = &call.request["resourceArn"];
    let has = state::tags(&world.ask("ecs", "ListTagsForResource", &json!({"resourceArn": arn}))["tags"]);
    let agent = has.get("fargateer:agent").map_or("", String::as_str);
    let ours = is_ours(&has) || record.truth.was_just_disowned(agent, call.at);
    (!ours).then(|| (OURS, format!("{arn} has the tags {has:?}")))
}

fn deregistration(call: &Meeting<'_>, world: &mut dyn Ask) -> Broken {
    let request = json!({"taskDefinition": call.request["taskDefinition"], "include": ["TAGS"]});
    let answer = world.ask("ecs", "DescribeTaskDefinition", &request);
    let has = state::tags(&answer["tags"]);
    if !is_ours(&has) {
        return Some((OURS, format!("{} has the tags {has:?}", call.request["taskDefinition"])));
    }
    let arn = answer["taskDefinition"]["taskDefinitionArn"].clone();
    for cluster in ["agents", "batch"] {
        let names = world.ask("ecs", "ListServices", &json!({"cluster": cluster, "maxResults": 100}));
        for service in names["serviceArns"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if state::service(world, cluster, service)["taskDefinition"] == arn {
                return Some(("lesson 21 revisions in use stay", format!("{service} runs {arn}")));
            }
        }
    }
    None
}

fn scaling(record: &Record, call: &Meeting<'_>, world: &mut dyn Ask) -> Broken {
    let resource = call.request["ResourceId"].as_str().unwrap_or_default();
    let mut parts = resource.split('/').skip(1);
    let (cluster, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let before = state::service(world, cluster, name);
    foreign(record, call, &before).map(|broken| (OURS, broken))
}

fn logs(record: &Record, call: &Meeting<'_>) -> Broken {
    let group = call.request["logGroupName"].as_str().unwrap_or_default();
    let name = group.trim_start_matches("/ecs/");
    match record.truth.of(name) {
        Some(Want::Absent(agent)) if !agent.spec.retain_data => None,
        Some(Want::Absent(_) | Want::Present(_)) | None => {
            Some(("I5 data survives", format!("{group} holds data that is to be kept")))
        }
    }
}

fn services_of_one_agent(call: &Meeting<'_>, world: &mut dyn Ask) -> Option<String> {
    let agent = state::tags(&call.request["tags"]).get("fargateer:agent").cloned()?;
    let mut found = Vec::new();
    for cluster in ["agents", "batch"] {
        let names = world.ask("ecs", "ListServices", &json!({"cluster": cluster, "maxResults": 100}));
        for service in names["serviceArns"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let live = state::service(world, cluster, service);
            if live["status"] == "ACTIVE" && state::tags(&live["tags"]).get("fargateer:agent") == Some(&agent) {
                found.push(service.to_owned());
            }
        }
    }
    (found.len() > 1).then(|| format!("{agent} has the services {found:?}"))
}

fn revisions_of_one_digest(call: &Meeting<'_>, world: &mut dyn Ask, lost: u64) -> Option<String> {
    let digest = state::tags(&call.request["tags"]).get("fargateer:digest").cloned()?;
    let request = json!({"familyPrefix": call.request["family"], "maxResults": 100});
    let listed = world.ask("ecs", "ListTaskDefinitions", &request);
    let mut same = Vec::new();
    for arn in listed["taskDefinitionArns"].as_array().into_iter().flatten() {
        let answer = world.ask("ecs", "DescribeTaskDefinition", &json!({"taskDefinition": arn, "include": ["TAGS"]}));
        if state::tags(&answer["tags"]).get("fargateer:digest") == Some(&digest) {
            same.push(arn.clone());
        }
    }
    let allowed = usize::try_from(lost).unwrap_or(usize::MAX).saturating_add(1);
    (same.len() > allowed).then(|| format!("{same:?} are the same"))
}

fn policies_of_one_metric(call: &Meeting<'_>, world: &mut dyn Ask) -> Option<String> {
    let mut parts = call.request["ResourceId"].as_str().unwrap_or_default().split('/').skip(1);
    let (cluster, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut metrics: BTreeMap<String, usize> = BTreeMap::new();
    for policy in state::policies(world, cluster, name) {
        let metric =
            policy["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]["PredefinedMetricType"]
                .to_string();
        *metrics.entry(metric).or_default() += 1;
    }
    metrics.iter().find(|(_, count)| **count > 1).map(|(metric, count)| format!("{count} policies for {metric}"))
}

/// Cluster and service a request names.
fn named(call: &Meeting<'_>) -> (String, String) {
    let last = |value: &Value| value.as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    (last(&call.request["cluster"]), last(&call.request["service"]))
}

/// Why a service must not be touched. One that is not there can't be harmed.
fn foreign(record: &Record, call: &Meeting<'_>, before: &Value) -> Option<String> {
    let has = state::tags(&before["tags"]);
    let agent = has.get("fargateer:agent").cloned().unwrap_or_default();
    if before.is_null() || record.truth.was_just_disowned(&agent, call.at) {
        return None;
    }
    if !is_ours(&has) {
        return Some(format!("{} has the tags {has:?}", before["serviceArn"]));
    }
    record.truth.is_hands_off(&agent).then(|| format!("{agent} was disowned"))
}

fn is_ours(tags: &BTreeMap<String, String>) -> bool {
    tags.get("fargateer:owner").is_some_and(|owner| owner == OWNER)
}

/// Whether the shipped IAM policy allows the call.
fn is_permitted(call: &Meeting<'_>) -> bool {
    let service = match call.service {
        "elbv2" => "elasticloadbalancing",
        other => other,
    };
    let action = format!("{service}:{}", call.operation);
    fargateer_aws::permissions().iter().any(|permission| *permission == action)
}
