//! What the emulators say they were asked.

use std::collections::HashSet;
use std::fmt;

use serde_json::{Value, json};

use super::http::{Aws, USER_AGENT};

/// Operations whose names begin so only read, or only lend credentials.
const READS: [&str; 13] = [
    "Get",
    "List",
    "Describe",
    "Scan",
    "Query",
    "Head",
    "BatchGet",
    "BatchCheck",
    "Filter",
    "Lookup",
    "AssumeRole",
    "GET.",
    "HEAD.",
];

/// A call that was made.
pub(super) struct Call {
    service: String,
    operation: String,
    /// Made by this module, not by the program under test.
    pub(super) is_ours: bool,
}

impl Call {
    pub(super) fn only_reads(&self) -> bool {
        READS.iter().any(|read| self.operation.starts_with(read))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.operation)
    }
}

/// The calls ministack recorded after the time `since`, oldest first.
pub(super) fn of_ministack(ministack: &Aws, since: f64) -> Vec<Call> {
    let (mut events, mut known, mut until) = (Vec::new(), HashSet::new(), None);
    loop {
        // It answers the newest fifty and has no second page: ask for what is older than the oldest of them.
        let found = look_up(ministack, until);
        let new: Vec<Value> = found.iter().filter(|event| known.insert(text(&event["EventId"]))).cloned().collect();
        let oldest = new.iter().map(time).fold(f64::INFINITY, f64::min);
        let more = !new.is_empty() && oldest > since;
        events.extend(new.into_iter().filter(|event| time(event) > since));
        if !more {
            break;
        }
        until = Some(oldest);
    }
    events.iter().rev().map(recorded).collect()
}

/// The time of the newest call ministack recorded.
pub(super) fn newest(ministack: &Aws) -> f64 {
    look_up(ministack, None).first().map_or(0.0, time)
}

fn look_up(ministack: &Aws, until: Option<f64>) -> Vec<Value> {
    let mut request = json!({"MaxResults": 50});
    if let Some(until) = until {
        request["EndTime"] = json!(until);
    }
    let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    let answer = ministack.call("cloudtrail", target, &request);
    answer["Events"].as_array().cloned().unwrap_or_default()
}

fn recorded(event: &Value) -> Call {
    let record: Value = serde_json::from_str(&text(&event["CloudTrailEvent"])).unwrap_or_default();
    let service = text(&event["EventSource"]).trim_end_matches(".amazonaws.com").to_owned();
    // Of query protocols it does not know the operation: `POST.sts`.
    let action = record["requestParameters"]["Action"].as_str();
    let operation = action.map_or_else(|| text(&event["EventName"]), str::to_owned);
    Call { service, operation, is_ours: record["userAgent"] == USER_AGENT }
}

/// The calls of moto's recording, oldest first.
pub(super) fn of_moto(recording: &str) -> Vec<Call> {
    let lines = recording.lines().map(|line| serde_json::from_str(line).expect("a line of moto's calls"));
    lines.filter_map(|entry: Value| asked(&entry)).collect()
}

/// The AWS call in an entry of moto's recording; other requests are questions about moto itself.
fn asked(entry: &Value) -> Option<Call> {
    let header = |name: &str| {
        let headers = entry["headers"].as_object()?.iter();
        headers.filter(|(key, _)| key.eq_ignore_ascii_case(name)).find_map(|(_, value)| value.as_str())
    };
    let is_ours = header("User-Agent") == Some(USER_AGENT);
    let scope = header("Authorization")?.split("Credential=").nth(1)?;
    let service = scope.split('/').nth(3)?.to_owned();
    let operation = match header("X-Amz-Target") {
        Some(target) => target.rsplit('.').next()?.to_owned(),
        None => action(&decoded(entry["body"].as_str()?))?,
    };
    Some(Call { service, operation, is_ours })
}

/// `Action` of a form.
fn action(form: &str) -> Option<String> {
    form.split('&').find_map(|field| field.strip_prefix("Action=")).map(str::to_owned)
}

/// Base 64, standard alphabet. Action names are ASCII; other bytes do not matter here.
fn decoded(text: &str) -> String {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn time(event: &Value) -> f64 {
    event["EventTime"].as_f64().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
