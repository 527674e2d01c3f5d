//! DynamoDB Streams: the changes of the last 24 hours, in shards that close after about four hours.

use super::store::{Actor, Moment};
use crate::clock;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::dynamodb::value::{size, write};
use crate::state::dynamodb::{Item, KeyNames, Record, Shard, Stream, Table};
use aws_smithy_types::base64;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long records are kept.
pub(super) const RETENTION: Duration = Duration::from_hours(24);

/// How long a shard takes records.
const SHARD: Duration = Duration::from_hours(4);

/// How long an iterator is good.
const ITERATOR: Duration = Duration::from_mins(15);

/// So many bytes are returned at once at most.
const PAGE: usize = 1024 * 1024;

/// A sequence number as it is written; all have the same length, so that their order is that of texts too.
fn numbered(number: u64) -> String {
    format!("1{number:020}")
}

fn number(text: &str) -> Option<u64> {
    text.strip_prefix('1').filter(|rest| rest.len() == 20)?.parse().ok()
}

/// Switches on a stream for a table.
pub(super) fn open(streams: &mut BTreeMap<String, Stream>, table: &mut Table, moment: &Moment, view: String) {
    let label = clock::iso(moment.epoch, moment.now).trim_end_matches('Z').to_owned();
    let arn = format!("{}/stream/{label}", table.arn);
    let mut stream = Stream {
        arn: arn.clone(),
        table: table.name.clone(),
        label,
        view,
        keys: table.body.get("KeySchema").cloned().unwrap_or(Value::Null),
        created: moment.now,
        disabled: None,
        shards: Vec::new(),
        records: VecDeque::new(),
        next: 1_000_000,
    };
    add_shard(&mut stream, moment.now);
    streams.insert(arn.clone(), stream);
    (table.stream, table.latest_stream) = (Some(arn.clone()), Some(arn));
}

fn add_shard(stream: &mut Stream, opened: Duration) {
    let hash = Sha256::digest(format!("{}{}", stream.arn, opened.as_millis()).as_bytes());
    let id = format!(
        "shardId-{:020}-{}",
        1_700_000_000_000 + opened.as_millis(),
        hex::encode(hash.get(..4).unwrap_or_default())
    );
    stream.shards.push(Shard { id, opened, closed: None, first: stream.next, last: None });
}

fn close_shard(stream: &mut Stream, at: Duration) {
    let last = stream.next;
    if let Some(shard) = stream.shards.last_mut().filter(|shard| shard.closed.is_none()) {
        (shard.closed, shard.last) = (Some(at), Some(last));
        stream.next += 1;
    }
}

/// Switches a stream off: what it holds stays readable for a day.
pub(super) fn close(stream: &mut Stream, now: Duration) {
    settle(stream, now);
    close_shard(stream, now);
    stream.disabled = Some(now);
}

/// Rolls shards over and trims what is older than a day.
pub(super) fn settle(stream: &mut Stream, now: Duration) {
    while let Some(end) = stream.shards.last().filter(|shard| shard.closed.is_none()).map(|shard| shard.opened + SHARD)
    {
        if end > now {
            break;
        }
        close_shard(stream, end);
        add_shard(stream, end);
    }
    let cut = now.saturating_sub(RETENTION);
    while stream.records.front().is_some_and(|record| record.at < cut) {
        stream.records.pop_front();
    }
    stream.shards.retain(|shard| shard.closed.is_none_or(|closed| closed >= cut));
}

/// What became of an item, and by whom.
type Changed<'a> = (Option<&'a Item>, Option<&'a Item>, Actor);

/// Records a change, unless nothing changed.
pub(super) fn record(stream: &mut Stream, moment: &Moment, keys: &KeyNames, (old, new, actor): Changed) {
    let event = match (old, new) {
        (None, Some(_)) => "INSERT",
        (Some(_), None) => "REMOVE",
        (Some(old), Some(new)) if old != new => "MODIFY",
        _ => return,
    };
    settle(stream, moment.now);
    let number = stream.next;
    stream.next += 1;
    let mut written = Map::new();
    if let Some(item) = new.or(old) {
        super::key::write(keys, item, &mut written);
    }
    let mut change = json!({
        "ApproximateCreationDateTime": clock::seconds(moment.epoch, moment.now).floor(),
        "Keys": written,
        "SequenceNumber": numbered(number),
        "SizeBytes": old.map_or(0, size) + new.map_or(0, size),
        "StreamViewType": stream.view,
    });
    let (with_new, with_old) = (
        matches!(stream.view.as_str(), "NEW_IMAGE" | "NEW_AND_OLD_IMAGES"),
        matches!(stream.view.as_str(), "OLD_IMAGE" | "NEW_AND_OLD_IMAGES"),
    );
    if let Some(new) = new.filter(|_| with_new) {
        change.put("NewImage", write(new));
    }
    if let Some(old) = old.filter(|_| with_old) {
        change.put("OldImage", write(old));
    }
    let id = hex::encode(Sha256::digest(format!("{}{number}", stream.arn).as_bytes()));
    let mut body = json!({
        "eventID": id.get(..32),
        "eventName": event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": moment.region,
        "dynamodb": change,
    });
    if actor == Actor::TimeToLive {
        body.put("userIdentity", json!({"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}));
    }
    stream.records.push_back(Record { number, at: moment.now, body });
}

fn named<'a>(region: &'a Region, arn: &str) -> Result<&'a Stream, Refusal> {
    let missing = || {
        let message = format!("Requested resource not found: Stream: {arn} not found");
        Refusal::new("ResourceNotFoundException", message)
    };
    region.dynamodb.streams.get(arn).ok_or_else(missing)
}

fn limit(input: &Value, most: usize) -> usize {
    input.whole("Limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(most).clamp(1, most)
}

/// ListStreams.
pub(super) fn list(region: &Region, input: &Value) -> Value {
    let (table, after) = (input.text("TableName"), input.text("ExclusiveStartStreamArn").unwrap_or_default());
    let wanted = |stream: &&Stream| table.is_none_or(|table| stream.table == table) && stream.arn.as_str() > after;
    let mut all = region.dynamodb.streams.values().filter(wanted);
    let page: Vec<&Stream> = all.by_ref().take(limit(input, 100)).collect();
    let last = all.next().and(page.last()).map(|stream| &stream.arn);
    let view =
        |stream: &&Stream| json!({"StreamArn": stream.arn, "TableName": stream.table, "StreamLabel": stream.label});
    json!({"Streams": page.iter().map(view).collect::<Vec<_>>(), "LastEvaluatedStreamArn": last})
}

/// DescribeStream.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let stream = named(region, input.text("StreamArn").unwrap_or_default())?;
    let after = input.text("ExclusiveStartShardId");
    let from = after.and_then(|after| stream.shards.iter().position(|shard| shard.id == after)).map_or(0, |at| at + 1);
    let size = limit(input, 100);
    let shards: Vec<Value> =
        stream.shards.iter().enumerate().skip(from).take(size).map(|(at, _)| shard_view(stream, at)).collect();
    let more = from + shards.len() < stream.shards.len();
    let last = shards.last().and_then(|shard| shard.get("ShardId").cloned()).filter(|_| more);
    Ok(json!({"StreamDescription": {
        "StreamArn": stream.arn,
        "StreamLabel": stream.label,
        "StreamStatus": if stream.disabled.is_some() { "DISABLED" } else { "ENABLED" },
        "StreamViewType": stream.view,
        "CreationRequestDateTime": region.stamp(stream.created),
        "TableName": stream.table,
        "KeySchema": stream.keys,
        "Shards": shards,
        "LastEvaluatedShardId": last,
    }}))
}

fn shard_view(stream: &Stream, at: usize) -> Value {
    let Some(shard) = stream.shards.get(at) else { return Value::Null };
    let parent = at.checked_sub(1).and_then(|before| stream.shards.get(before)).map(|parent| &parent.id);
    json!({
        "ShardId": shard.id,
        "ParentShardId": parent,
        "SequenceNumberRange": {
            "StartingSequenceNumber": numbered(shard.first),
            "EndingSequenceNumber": shard.last.map(numbered),
        },
    })
}

/// GetShardIterator: a place in a shard, good for a quarter of an hour.
pub(super) fn iterator(region: &Region, input: &Value) -> Answer {
    let stream = named(region, input.text("StreamArn").unwrap_or_default())?;
    let id = input.text("ShardId").unwrap_or_default();
    let Some(shard) = stream.shards.iter().find(|shard| shard.id == id) else {
        let message = format!("Requested resource not found: Shard does not exist: {id}");
        return Err(Refusal::new("ResourceNotFoundException", message));
    };
    let given = input.text("SequenceNumber");
    let from = || {
        let number = given.and_then(number).ok_or_else(|| Refusal::validation("Invalid SequenceNumber"))?;
        let within = number >= shard.first && shard.last.is_none_or(|last| number <= last);
        within.then_some(number).ok_or_else(|| Refusal::validation("SequenceNumber is not in the range of the shard"))
    };
    let position = match input.text("ShardIteratorType").unwrap_or_default() {
        "TRIM_HORIZON" => shard.first.max(oldest(stream)),
        "LATEST" => shard.last.unwrap_or(stream.next),
        "AT_SEQUENCE_NUMBER" => from()?,
        "AFTER_SEQUENCE_NUMBER" => from()?.saturating_add(1),
        other => {
            return Err(super::not_in_set(
                other,
                "shardIteratorType",
                &["AFTER_SEQUENCE_NUMBER", "LATEST", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"],
            ));
        }
    };
    if given.is_some() && position < oldest(stream) {
        return Err(trimmed());
    }
    Ok(json!({"ShardIterator": token(stream, id, position, region.now)}))
}

/// The number of the oldest record still there, or of the next one.
fn oldest(stream: &Stream) -> u64 {
    let first = stream.shards.first().map_or(stream.next, |shard| shard.first);
    stream.records.front().map_or(first, |record| record.number)
}

fn trimmed() -> Refusal {
    let message = "The operation attempted to read past the oldest stream record in a shard.";
    Refusal::new("TrimmedDataAccessException", message)
}

fn token(stream: &Stream, shard: &str, position: u64, now: Duration) -> String {
    let inner = format!("{}|{shard}|{position}|{}", stream.arn, now.as_millis());
    format!("{}|1|{}", stream.arn, base64::encode(inner))
}

/// Stream, shard, position and age of an iterator.
fn opened(iterator: &str) -> Option<(String, String, u64, Duration)> {
    let inner = base64::decode(iterator.rsplit('|').next()?).ok()?;
    let inner = String::from_utf8(inner).ok()?;
    let mut parts = inner.split('|');
    let (arn, shard) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let position = parts.next()?.parse().ok()?;
    Some((arn, shard, position, Duration::from_millis(parts.next()?.parse().ok()?)))
}

/// GetRecords: may be empty with more to come; without a next iterator the shard is read to its end.
pub(super) fn records(region: &Region, input: &Value) -> Answer {
    let invalid = || Refusal::validation("Invalid ShardIterator");
    let (arn, id, position, made) = opened(input.text("ShardIterator").unwrap_or_default()).ok_or_else(invalid)?;
    if region.now > made + ITERATOR {
        return Err(Refusal::new(
            "ExpiredIteratorException",
            "The shard iterator has expired and can no longer be used.",
        ));
    }
    let stream = named(region, &arn)?;
    let Some(shard) = stream.shards.iter().find(|shard| shard.id == id) else { return Err(trimmed()) };
    let dropped = position > shard.first && position < oldest(stream) && stream.records.front().is_some();
    if dropped {
        return Err(trimmed());
    }
    let (mut page, mut bytes, mut next) = (Vec::new(), 0, position);
    let inside = |record: &&Record| record.number >= position && shard.last.is_none_or(|last| record.number < last);
    for record in stream.records.iter().filter(inside).take(limit(input, 1000)) {
        bytes += record.body.to_string().len();
        if bytes > PAGE && !page.is_empty() {
            break;
        }
        page.push(&record.body);
        next = record.number + 1;
    }
    let ended = shard
        .last
        .is_some_and(|last| !stream.records.iter().any(|record| record.number >= next && record.number < last));
    let iterator = (!ended).then(|| token(stream, &id, next, region.now));
    Ok(json!({"Records": page, "NextShardIterator": iterator}))
}
