//! Amazon CloudWatch: alarms, those of scaling policies included, and data points. Alarms change their state only when told.

use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::scaling;
use crate::state::Region;
use crate::state::cloudwatch::{Alarm, Metric};
use crate::tag;
use serde_json::{Value, json};

/// So many data points of a metric are kept.
const POINTS: usize = 10_000;

/// Answers one CloudWatch operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "PutMetricAlarm" => put(region, input),
        "DescribeAlarms" => describe(region, input),
        "DeleteAlarms" => Ok(delete(region, input)),
        "SetAlarmState" => set_state(region, input),
        "EnableAlarmActions" => Ok(switch(region, input, &json!(true))),
        "DisableAlarmActions" => Ok(switch(region, input, &json!(false))),
        "PutMetricData" => put_data(region, input),
        "ListMetrics" => list(region, input),
        "GetMetricData" => Ok(data(region, input)),
        "GetMetricStatistics" => Ok(statistics(region, input)),
        "TagResource" => {
            let new = tag::UPPER.read(input.items("Tags"));
            by_arn(region, input)?.tags.extend(new);
            Ok(json!({}))
        }
        "UntagResource" => {
            let keys = input.texts("TagKeys");
            by_arn(region, input)?.tags.retain(|key, _| !keys.contains(key));
            Ok(json!({}))
        }
        "ListTagsForResource" => Ok(json!({"Tags": tag::UPPER.write(&by_arn(region, input)?.tags)})),
        _ => Err(Refusal::unknown_operation()),
    }
}

fn by_arn<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Alarm, Refusal> {
    let arn = input.text("ResourceARN").unwrap_or_default();
    let name = arn.split_once(":alarm:").map_or("", |(_, name)| name);
    let missing = || Refusal::new("ResourceNotFoundException", format!("Resource {arn} does not exist."));
    region.cloudwatch.alarms.get_mut(name).ok_or_else(missing)
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

/// PutMetricAlarm: an upsert that keeps the state.
fn put(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("AlarmName").unwrap_or_default().to_owned();
    if !(1..=255).contains(&name.len()) {
        return Err(invalid(
            "1 validation error detected: Value at 'alarmName' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ));
    }
    if input.member("ComparisonOperator").is_none()
        || input.whole("EvaluationPeriods").is_none_or(|periods| periods < 1)
    {
        return Err(invalid("The parameters ComparisonOperator and EvaluationPeriods are required"));
    }
    let mut body = input.clone();
    if let Some(members) = body.as_object_mut() {
        members.remove("Tags");
    }
    let now = region.timestamp();
    body.put("AlarmArn", json!(region.arn("cloudwatch", &format!("alarm:{name}"))));
    body.put("AlarmConfigurationUpdatedTimestamp", json!(now));
    for list in ["OKActions", "AlarmActions", "InsufficientDataActions", "Dimensions"] {
        body.fill(list, json!([]));
    }
    body.fill("ActionsEnabled", json!(true));
    let known = region.cloudwatch.alarms.remove(&name);
    let state = |member: &str| known.as_ref().and_then(|known| known.body.get(member).cloned());
    body.put("StateValue", state("StateValue").unwrap_or(json!("INSUFFICIENT_DATA")));
    body.put("StateReason", state("StateReason").unwrap_or(json!("Unchecked: Initial alarm creation")));
    body.put("StateUpdatedTimestamp", state("StateUpdatedTimestamp").unwrap_or(json!(now)));
    body.put("StateTransitionedTimestamp", state("StateTransitionedTimestamp").unwrap_or(json!(now)));
    let tags = known.map(|known| known.tags).unwrap_or_default();
    let new = tag::UPPER.read(input.items("Tags"));
    region.cloudwatch.alarms.insert(name, Alarm { body, tags: tags.into_iter().chain(new).collect() });
    Ok(json!({}))
}

/// The alarms target tracking keeps for itself, derived from its policies.
fn tracking(region: &Region) -> Vec<Value> {
    let mut all = Vec::new();
    for (id, target) in &region.scaling.targets {
        for policy in target.policies.values() {
            let configuration = policy.get("TargetTrackingScalingPolicyConfiguration").cloned().unwrap_or(Value::Null);
            for alarm in policy.items("Alarms").unwrap_or_default() {
                all.push(tracked(region, id, policy, (alarm, &configuration)));
            }
        }
    }
    all
}

fn tracked(region: &Region, id: &str, policy: &Value, (alarm, configuration): (&Value, &Value)) -> Value {
    let high = alarm.text("AlarmName").is_some_and(|name| name.contains("AlarmHigh"));
    let target = configuration.number("TargetValue").unwrap_or(0.0);
    let mut parts = id.split('/').skip(1);
    let (cluster, service) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let metric =
        configuration.get("PredefinedMetricSpecification").and_then(|metric| metric.text("PredefinedMetricType"));
    let name =
        if metric == Some("ECSServiceAverageMemoryUtilization") { "MemoryUtilization" } else { "CPUUtilization" };
    let seen = metric.and_then(|metric| region.scaling.metrics.get(&(id.to_owned(), metric.to_owned())));
    let over = seen.map(|seen| if high { *seen > target } else { *seen < target * 0.9 });
    let state = match over {
        None => "INSUFFICIENT_DATA",
        Some(true) => "ALARM",
        Some(false) => "OK",
    };
    json!({
        "AlarmName": alarm.text("AlarmName"),
        "AlarmArn": alarm.text("AlarmARN"),
        "AlarmDescription": "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy.",
        "ActionsEnabled": true,
        "OKActions": [],
        "AlarmActions": [policy.text("PolicyARN")],
        "InsufficientDataActions": [],
        "StateValue": state,
        "StateReason": "Simulated",
        "StateUpdatedTimestamp": policy.get("CreationTime"),
        "MetricName": name,
        "Namespace": "AWS/ECS",
        "Statistic": "Average",
        "Dimensions": [{"Name": "ClusterName", "Value": cluster}, {"Name": "ServiceName", "Value": service}],
        "Period": 60,
        "Unit": "Percent",
        "EvaluationPeriods": if high { 3 } else { 15 },
        "Threshold": if high { target } else { target * 0.9 },
        "ComparisonOperator": if high { "GreaterThanThreshold" } else { "LessThanThreshold" },
    })
}

/// DescribeAlarms.
fn describe(region: &Region, input: &Value) -> Answer {
    let names = input.texts("AlarmNames");
    let prefix = input.text("AlarmNamePrefix").unwrap_or_default();
    if !names.is_empty() && !prefix.is_empty() {
        return Err(invalid("AlarmNames and AlarmNamePrefix can't be specified together"));
    }
    let action = input.text("ActionPrefix").unwrap_or_default();
    let wanted = |alarm: &Value| {
        let name = alarm.text("AlarmName").unwrap_or_default();
        (names.is_empty() || names.iter().any(|wanted| wanted == name))
            && name.starts_with(prefix)
            && input.text("StateValue").is_none_or(|state| alarm.text("StateValue") == Some(state))
            && (action.is_empty() || alarm.texts("AlarmActions").iter().any(|known| known.starts_with(action)))
    };
    let own = region.cloudwatch.alarms.values().map(|alarm| alarm.body.clone());
    let mut all: Vec<Value> = own.chain(tracking(region)).filter(wanted).collect();
    all.sort_by_key(|alarm| alarm.text("AlarmName").unwrap_or_default().to_owned());
    let size = input.whole("MaxRecords").and_then(|size| usize::try_from(size).ok()).unwrap_or(50);
    let invalid = || Refusal::new("InvalidNextToken", "Request parameter NextToken is invalid.");
    let page = page::cut(all, input.text("NextToken"), size).ok_or_else(invalid)?;
    Ok(json!({"MetricAlarms": page.items, "CompositeAlarms": [], "NextToken": page.next}))
}

/// DeleteAlarms: what is not there is no error.
fn delete(region: &mut Region, input: &Value) -> Value {
    for name in input.texts("AlarmNames") {
        region.cloudwatch.alarms.remove(&name);
    }
    json!({})
}

fn named<'a>(region: &'a mut Region, name: &str) -> Result<&'a mut Alarm, Refusal> {
    let missing = || Refusal { status: 404, ..Refusal::new("ResourceNotFound", "Alarm does not exist") };
    region.cloudwatch.alarms.get_mut(name).ok_or_else(missing)
}

fn set_state(region: &mut Region, input: &Value) -> Answer {
    let state = input.text("StateValue").unwrap_or_default();
    if !["OK", "ALARM", "INSUFFICIENT_DATA"].contains(&state) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{state}' at 'stateValue' failed to satisfy constraint: Member must satisfy enum \
             value set: [INSUFFICIENT_DATA, ALARM, OK]"
        )));
    }
    let now = region.timestamp();
    let alarm = named(region, input.text("AlarmName").unwrap_or_default())?;
    alarm.body.put("StateValue", json!(state));
    alarm.body.put("StateReason", json!(input.text("StateReason")));
    alarm.body.put("StateUpdatedTimestamp", json!(now));
    alarm.body.put("StateTransitionedTimestamp", json!(now));
    Ok(json!({}))
}

fn switch(region: &mut Region, input: &Value, enabled: &Value) -> Value {
    for name in input.texts("AlarmNames") {
        if let Ok(alarm) = named(region, &name) {
            alarm.body.put("ActionsEnabled", enabled.clone());
        }
    }
    json!({})
}

/// What tells one metric from another.
fn key(namespace: &str, metric: &Value) -> String {
    let dimensions = metric.items("Dimensions").unwrap_or_default().iter();
    let mut dimensions: Vec<String> = dimensions
        .map(|one| format!("{}={}", one.text("Name").unwrap_or_default(), one.text("Value").unwrap_or_default()))
        .collect();
    dimensions.sort();
    format!("{namespace}|{}|{}", metric.text("MetricName").unwrap_or_default(), dimensions.join(","))
}

/// A number, or the text of one: the query protocol knows nothing else.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

/// PutMetricData.
fn put_data(region: &mut Region, input: &Value) -> Answer {
    let namespace = input.text("Namespace").unwrap_or_default();
    if namespace.is_empty() || namespace.starts_with("AWS/") {
        let message = format!("The value {namespace} for parameter Namespace is invalid.");
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    let now = region.timestamp();
    for datum in input.items("MetricData").unwrap_or_default() {
        let dimensions = datum.get("Dimensions").cloned().unwrap_or(json!([]));
        let body = json!({"Namespace": namespace, "MetricName": datum.text("MetricName"), "Dimensions": dimensions});
        let fresh = || Metric { body, points: Vec::new() };
        let metric = region.cloudwatch.metrics.entry(key(namespace, datum)).or_insert_with(fresh);
        let at = datum.number("Timestamp").unwrap_or(now);
        let values = datum.items("Values").unwrap_or_default().iter().filter_map(number);
        metric.points.extend(values.chain(datum.number("Value")).map(|value| (at, value)));
        let excess = metric.points.len().saturating_sub(POINTS);
        metric.points.drain(..excess);
        let reported = metric.points.last().map(|(_, value)| (metric.body.clone(), *value));
        if let Some((body, value)) = reported {
            scaling::report(region, &body, value);
        }
    }
    Ok(json!({}))
}

/// ListMetrics.
fn list(region: &Region, input: &Value) -> Answer {
    let is = |metric: &Metric, member: &str| {
        input.text(member).is_none_or(|wanted| metric.body.text(member) == Some(wanted))
    };
    let all = region.cloudwatch.metrics.values().filter(|metric| is(metric, "Namespace") && is(metric, "MetricName"));
    let all: Vec<&Value> = all.map(|metric| &metric.body).collect();
    let invalid = || Refusal::new("InvalidNextToken", "Request parameter NextToken is invalid.");
    let page = page::cut(all, input.text("NextToken"), 500).ok_or_else(invalid)?;
    Ok(json!({"Metrics": page.items, "NextToken": page.next}))
}

/// The values of a metric in periods: the start of each, newest first, and one statistic.
fn periods(
    region: &Region,
    (namespace, metric): (&str, &Value),
    input: &Value,
    (period, statistic): (f64, &str),
) -> Vec<(f64, f64)> {
    let (from, to) = (input.number("StartTime").unwrap_or(0.0), input.number("EndTime").unwrap_or(f64::MAX));
    let Some(metric) = region.cloudwatch.metrics.get(&key(namespace, metric)) else { return Vec::new() };
    let mut buckets: Vec<(f64, Vec<f64>)> = Vec::new();
    for (at, value) in metric.points.iter().filter(|(at, _)| (from..to).contains(at)) {
        let start = (at / period).floor() * period;
        match buckets.iter_mut().find(|(known, _)| (known - start).abs() < f64::EPSILON) {
            Some((_, values)) => values.push(*value),
            None => buckets.push((start, vec![*value])),
        }
    }
    buckets.sort_by(|one, other| other.0.total_cmp(&one.0));
    buckets.into_iter().map(|(start, values)| (start, reduced(&values, statistic))).collect()
}

fn reduced(values: &[f64], statistic: &str) -> f64 {
    let count = f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX));
    let sum: f64 = values.iter().sum();
    match statistic {
        "Sum" => sum,
        "SampleCount" => count,
        "Minimum" => values.iter().copied().fold(f64::INFINITY, f64::min),
        "Maximum" => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        _ => sum / count,
    }
}

/// GetMetricData: metrics only, no expressions.
fn data(region: &Region, input: &Value) -> Value {
    let results = input.items("MetricDataQueries").unwrap_or_default().iter().map(|query| {
        let stat = query.get("MetricStat").cloned().unwrap_or(Value::Null);
        let metric = stat.get("Metric").cloned().unwrap_or(Value::Null);
        let period = stat.number("Period").unwrap_or(60.0).max(1.0);
        let namespace = metric.text("Namespace").unwrap_or_default();
        let points = periods(region, (namespace, &metric), input, (period, stat.text("Stat").unwrap_or("Average")));
        json!({
            "Id": query.text("Id"),
            "Label": query.text("Label").or_else(|| metric.text("MetricName")),
            "Timestamps": points.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            "Values": points.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
            "StatusCode": "Complete",
        })
    });
    json!({"MetricDataResults": results.collect::<Vec<_>>(), "Messages": []})
}

/// GetMetricStatistics.
fn statistics(region: &Region, input: &Value) -> Value {
    let namespace = input.text("Namespace").unwrap_or_default();
    let period = input.number("Period").unwrap_or(60.0).max(1.0);
    let mut points: Vec<Value> = Vec::new();
    for statistic in input.texts("Statistics") {
        for (index, (at, value)) in
            periods(region, (namespace, input), input, (period, &statistic)).into_iter().enumerate()
        {
            if points.len() <= index {
                points.push(json!({"Timestamp": at, "Unit": "None"}));
            }
            if let Some(point) = points.get_mut(index) {
                point.put(&statistic, json!(value));
            }
        }
    }
    json!({"Label": input.text("MetricName"), "Datapoints": points})
}
