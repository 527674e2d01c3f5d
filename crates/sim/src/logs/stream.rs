//! Log streams and their lines, those that tasks write among them.

use super::group::named;
use super::pattern::Pattern;
use crate::clock;
use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::logs::{Group, Line, Stream};
use serde_json::{Value, json};

fn stream_missing() -> Refusal {
    Refusal::new("ResourceNotFoundException", "The specified log stream does not exist.")
}

/// CreateLogStream.
pub(super) fn create(region: &mut Region, input: &Value) -> Answer {
    let created = clock::milliseconds(region.settings.epoch, region.now);
    let name = input.text("logStreamName").unwrap_or_default().to_owned();
    if !(1..=512).contains(&name.len()) || name.contains([':', '*']) {
        return Err(Refusal::invalid(format!(
            "1 validation error detected: Value '{name}' at 'logStreamName' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [^:*]*"
        )));
    }
    let group = named(region, input)?;
    if group.streams.contains_key(&name) {
        return Err(Refusal::new("ResourceAlreadyExistsException", "The specified log stream already exists"));
    }
    group.streams.insert(name, Stream { created, lines: Vec::new() });
    Ok(json!({}))
}

/// DeleteLogStream.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("logStreamName").unwrap_or_default();
    named(region, input)?.streams.remove(name).map(|_| json!({})).ok_or_else(stream_missing)
}

/// DescribeLogStreams: by name, or by last event with the newest first.
pub(super) fn describe(region: &mut Region, input: &Value) -> Answer {
    let prefix = input.text("logStreamNamePrefix").unwrap_or_default();
    let by_time = input.text("orderBy") == Some("LastEventTime");
    let group = named(region, input)?;
    let mut streams: Vec<(&String, &Stream)> =
        group.streams.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    if by_time {
        streams.sort_by_key(|(_, stream)| stream.lines.last().map(|line| line.at));
    }
    if input.flag("descending").unwrap_or(false) {
        streams.reverse();
    }
    let arn = group.arn.clone();
    let views = streams.into_iter().map(|(name, stream)| stream_view(&arn, name, stream)).collect();
    let page = cut(views, input)?;
    Ok(json!({"logStreams": page.items, "nextToken": page.next}))
}

fn stream_view(arn: &str, name: &str, stream: &Stream) -> Value {
    let mut body = json!({
        "logStreamName": name,
        "creationTime": stream.created,
        "arn": format!("{arn}:log-stream:{name}"),
        "storedBytes": 0,
        "uploadSequenceToken": "0",
    });
    if let (Some(first), Some(last)) = (stream.lines.first(), stream.lines.last()) {
        body.put("firstEventTimestamp", json!(first.at));
        body.put("lastEventTimestamp", json!(last.at));
        body.put("lastIngestionTime", json!(last.ingested));
    }
    body
}

fn cut<T>(all: Vec<T>, input: &Value) -> Result<page::Page<T>, Refusal> {
    let limit = input.whole("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(50).min(10_000);
    page::cut(all, input.text("nextToken"), limit)
        .ok_or_else(|| Refusal::invalid("The specified nextToken is invalid."))
}

/// PutLogEvents.
pub(super) fn put(region: &mut Region, input: &Value) -> Answer {
    let ingested = clock::milliseconds(region.settings.epoch, region.now);
    let name = input.text("logStreamName").unwrap_or_default();
    let stream = named(region, input)?.streams.get_mut(name).ok_or_else(stream_missing)?;
    check_events(input.items("logEvents").unwrap_or_default())?;
    for event in input.items("logEvents").unwrap_or_default() {
        let at = event.whole("timestamp").unwrap_or(ingested);
        stream.lines.push(Line { at, ingested, text: event.text("message").unwrap_or_default().to_owned() });
    }
    stream.lines.sort_by_key(|line| line.at);
    Ok(json!({"nextSequenceToken": "0"}))
}

/// Events come in order of time, at most ten thousand at once, none empty.
fn check_events(events: &[Value]) -> Result<(), Refusal> {
    if events.is_empty() || events.len() > 10_000 {
        return Err(Refusal::invalid("logEvents must have between 1 and 10000 elements."));
    }
    if events.iter().any(|event| event.text("message").is_none_or(str::is_empty)) {
        return Err(Refusal::invalid("Log event messages must not be empty."));
    }
    let times: Vec<i64> = events.iter().filter_map(|event| event.whole("timestamp")).collect();
    if !times.is_sorted() {
        return Err(Refusal::invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    Ok(())
}

/// The start of a range belongs to it, the end does not.
fn within(input: &Value, line: &Line) -> bool {
    line.at >= input.whole("startTime").unwrap_or(i64::MIN) && line.at < input.whole("endTime").unwrap_or(i64::MAX)
}

/// GetLogEvents: the newest lines unless `startFromHead`.
///
/// Reading past the end answers the token that was sent, which is how a reader knows it is at the end.
pub(super) fn get(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("logStreamName").unwrap_or_default();
    let limit = input.whole("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10_000);
    let stream = named(region, input)?.streams.get(name).ok_or_else(stream_missing)?;
    let lines: Vec<&Line> = stream.lines.iter().filter(|line| within(input, line)).collect();
    let position = |prefix: &str| {
        input.text("nextToken").and_then(|token| token.strip_prefix(prefix)).and_then(|at| at.parse::<usize>().ok())
    };
    let from_head = input.flag("startFromHead").unwrap_or(false);
    let start = match (position("f/"), position("b/")) {
        (Some(start), _) => start,
        (None, Some(end)) => end.saturating_sub(limit),
        (None, None) if from_head => 0,
        (None, None) => lines.len().saturating_sub(limit),
    };
    let end = position("b/").unwrap_or(start.saturating_add(limit)).min(lines.len());
    let taken = lines.get(start.min(end)..end).unwrap_or_default();
    let events: Vec<Value> = taken
        .iter()
        .map(|line| json!({"timestamp": line.at, "message": line.text, "ingestionTime": line.ingested}))
        .collect();
    Ok(json!({
        "events": events,
        "nextForwardToken": format!("f/{end}"),
        "nextBackwardToken": format!("b/{}", start.min(end)),
    }))
}

/// FilterLogEvents: the lines of all streams that match a pattern, by time.
pub(super) fn filter(region: &mut Region, input: &Value) -> Answer {
    let wanted = input.texts("logStreamNames");
    let prefix = input.text("logStreamNamePrefix").unwrap_or_default();
    let pattern = input.text("filterPattern").unwrap_or_default();
    let pattern = Pattern::parse(pattern);
    let group = named(region, input)?;
    let mut events = Vec::new();
    for (name, stream) in &group.streams {
        if !name.starts_with(prefix) || !(wanted.is_empty() || wanted.contains(name)) {
            continue;
        }
        let lines = stream.lines.iter().enumerate().filter(|(_, line)| within(input, line));
        for (index, line) in lines.filter(|(_, line)| pattern.matches(&line.text)) {
            events.push((
                line.at,
                json!({
                    "logStreamName": name,
                    "timestamp": line.at,
                    "message": line.text,
                    "ingestionTime": line.ingested,
                    "eventId": format!("{:020}{index:06}", line.at),
                }),
            ));
        }
    }
    events.sort_by_key(|(at, _)| *at);
    let events: Vec<Value> = events.into_iter().map(|(_, event)| event).collect();
    let limit = input.whole("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10_000).clamp(1, 10_000);
    let page = page::cut(events, input.text("nextToken"), limit);
    let page = page.ok_or_else(|| Refusal::invalid("The specified nextToken is invalid."))?;
    Ok(json!({"events": page.items, "searchedLogStreams": [], "nextToken": page.next}))
}

/// What a container says when it starts.
pub(crate) fn write_start(region: &mut Region, definition: &Value, task: &str) {
    write(
        region,
        definition,
        task,
        &["INFO:     Started server process [1]", "INFO:     Application startup complete."],
    );
}

/// What a container says in so many words.
pub(crate) fn write_lines(region: &mut Region, definition: &Value, task: &str, lines: &[String]) {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    write(region, definition, task, &lines);
}

/// What a container says when it dies of an exception.
pub(crate) fn write_crash(region: &mut Region, definition: &Value, task: &str, exit_code: i32) {
    let last = format!("RuntimeError: agent failed to start (exit code {exit_code})");
    let lines = [
        "Traceback (most recent call last):",
        "  File \"/app/main.py\", line 12, in <module>",
        "    app = create_app()",
        &last,
    ];
    write(region, definition, task, &lines);
}

/// Writes lines to the stream of each container that logs to CloudWatch.
fn write(region: &mut Region, definition: &Value, task: &str, texts: &[&str]) {
    for container in definition.items("containerDefinitions").unwrap_or_default() {
        write_container(region, container, task, texts);
    }
}

/// So many lines of a stream are kept at least; one that outgrows twice as many loses its oldest.
const LINES: usize = 20_000;

/// Writes lines to the stream of one container, if it logs to CloudWatch: `prefix/container/task`.
pub(crate) fn write_container(region: &mut Region, container: &Value, task: &str, texts: &[&str]) {
    let at = clock::milliseconds(region.settings.epoch, region.now);
    let log = container.member("logConfiguration").filter(|log| log.text("logDriver") == Some("awslogs"));
    let Some(options) = log.and_then(|log| log.member("options")) else { return };
    let name = options.text("awslogs-group").unwrap_or_default().to_owned();
    let prefix = options.text("awslogs-stream-prefix").unwrap_or("ecs");
    let stream = format!("{prefix}/{}/{task}", container.text("name").unwrap_or_default());
    if options.text("awslogs-create-group") == Some("true") && !region.logs.groups.contains_key(&name) {
        // The name was taken by a running task definition; a bad one only leaves its lines unwritten.
        let _ = super::group::create(region, &json!({"logGroupName": name}));
    }
    if let Some(group) = region.logs.groups.get_mut(&name) {
        append(group, stream, at, texts);
    }
}

/// Writes lines to a stream of a group, which is made where it is missing.
pub(crate) fn write_stream(region: &mut Region, (name, stream): (&str, &str), texts: &[&str]) {
    let at = clock::milliseconds(region.settings.epoch, region.now);
    if !region.logs.groups.contains_key(name) {
        // Whoever takes a bad name has its lines unwritten.
        let _ = super::group::create(region, &json!({"logGroupName": name}));
    }
    if let Some(group) = region.logs.groups.get_mut(name) {
        append(group, stream.to_owned(), at, texts);
    }
}

fn append(group: &mut Group, stream: String, at: i64, texts: &[&str]) {
    let stream = group.streams.entry(stream).or_insert_with(|| Stream { created: at, lines: Vec::new() });
    stream.lines.extend(texts.iter().map(|text| Line { at, ingested: at, text: (*text).to_owned() }));
    if stream.lines.len() > 2 * LINES {
        stream.lines.drain(..stream.lines.len() - LINES);
    }
}
