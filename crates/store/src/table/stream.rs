//! The stream of a table's changes. It only makes a source quicker: it says that somebody wrote rows, and then the table is
//! read. So nothing depends on the order of shards, and whoever lost their place in them begins at the end.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, ShardIteratorType};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::SpecTable;
use super::row::STATUS;

/// Shards are asked so often: each bears five questions a second from all who ask.
const PACE: Duration = Duration::from_secs(1);
/// And at least so often when it does not bear ours; an iterator lives for 15 minutes.
const SLOWEST: Duration = Duration::from_secs(30);
/// After so long it begins anew where it lost its place.
const AGAIN: Duration = Duration::from_secs(5);
/// After so long it looks whether there is a stream it may read.
const PATIENCE: Duration = Duration::from_mins(5);

/// Why following broke off.
enum Interruption {
    /// The place in the stream is lost: an iterator expired, records were trimmed, the stream ended.
    Lost,
    /// There is no stream, or not for us.
    Off(String),
}

/// Tells `changed` whenever somebody wrote rows of `table`, for ever. Our own statuses do not count.
pub(crate) async fn follow(table: SpecTable, changed: Arc<Notify>) {
    let mut told = String::new();
    loop {
        let pause = match interruption(&table, &changed).await {
            Interruption::Lost => AGAIN,
            Interruption::Off(why) => {
                if why != told {
                    tracing::info!(
                        table = table.address(),
                        why,
                        "changes of the table are not followed; it is polled only"
                    );
                    told = why;
                }
                PATIENCE
            }
        };
        rest(pause).await;
    }
}

async fn interruption(table: &SpecTable, changed: &Notify) -> Interruption {
    match followed(table, changed).await {
        Ok(never) => match never {},
        Err(interruption) => interruption,
    }
}

async fn followed(table: &SpecTable, changed: &Notify) -> Result<Infallible, Interruption> {
    let stream = table.stream().await.map_err(Interruption::Off)?;
    let arn = stream.ok_or_else(|| Interruption::Off("it has no stream".to_owned()))?;
    let mut reading = Reading { client: table.streams(), arn, shards: BTreeMap::new(), pace: PACE };
    reading.discover(&ShardIteratorType::Latest).await?;
    // What happened before we stood at the end is found by reading.
    changed.notify_one();
    loop {
        rest(reading.pace).await;
        if reading.read().await? {
            changed.notify_one();
        }
    }
}

/// A place in every shard of a stream.
struct Reading<'a> {
    client: &'a Client,
    arn: String,
    /// The iterators by shard; none where a shard was read to its end.
    shards: BTreeMap<String, Option<String>>,
    pace: Duration,
}

impl Reading<'_> {
    /// Takes a place, at `start`, in the shards that are new and not closed before we came.
    async fn discover(&mut self, start: &ShardIteratorType) -> Result<(), Interruption> {
        let (mut found, mut last) = (BTreeMap::new(), None);
        loop {
            let call = self.client.describe_stream().stream_arn(&self.arn).set_exclusive_start_shard_id(last);
            let answer = call.send().await.map_err(|error| interrupted("DescribeStream", &error))?;
            let Some(description) = answer.stream_description else { return Err(Interruption::Lost) };
            for shard in description.shards.unwrap_or_default() {
                let range = shard.sequence_number_range;
                let closed = range.is_some_and(|range| range.ending_sequence_number.is_some());
                found.extend(shard.shard_id.map(|id| (id, closed)));
            }
            last = description.last_evaluated_shard_id;
            if last.is_none() {
                break;
            }
        }
        self.shards.retain(|id, _| found.contains_key(id));
        for (id, closed) in found {
            let passed = closed && *start == ShardIteratorType::Latest;
            if !self.shards.contains_key(&id) {
                let iterator = if passed { None } else { self.iterator(&id, start).await? };
                self.shards.insert(id, iterator);
            }
        }
        if self.shards.values().all(Option::is_none) { Err(Interruption::Lost) } else { Ok(()) }
    }

    async fn iterator(&self, shard: &str, start: &ShardIteratorType) -> Result<Option<String>, Interruption> {
        let call = self.client.get_shard_iterator().stream_arn(&self.arn).shard_id(shard);
        let answer = call.shard_iterator_type(start.clone()).send().await;
        Ok(answer.map_err(|error| interrupted("GetShardIterator", &error))?.shard_iterator)
    }

    /// Whether somebody wrote rows since the last look.
    async fn read(&mut self) -> Result<bool, Interruption> {
        let (mut news, mut ended) = (false, false);
        for place in self.shards.values_mut() {
            let Some(iterator) = place.clone() else { continue };
            match self.client.get_records().shard_iterator(iterator).send().await {
                Ok(answer) => {
                    news |= answer.records().iter().any(is_news);
                    ended |= answer.next_shard_iterator.is_none();
                    *place = answer.next_shard_iterator;
                    self.pace = PACE;
                }
                // Others read it, too, or AWS is unwell: the iterator is as good later.
                Err(error) if is_passing(&error) => {
                    self.pace = (self.pace * 2).min(SLOWEST);
                    break;
                }
                Err(error) => return Err(interrupted("GetRecords", &error)),
            }
        }
        if ended {
            // Its children, from their beginning: they are younger than our place in it.
            self.discover(&ShardIteratorType::TrimHorizon).await?;
        }
        Ok(news)
    }
}

/// Whether a record tells of more than a status of ours.
fn is_news(record: &Record) -> bool {
    let Some(change) = &record.dynamodb else { return true };
    match (&change.old_image, &change.new_image) {
        (Some(old), Some(new)) => without_status(old) != without_status(new),
        // A row that came or went, or a stream that does not tell what changed.
        (None, _) | (_, None) => true,
    }
}

fn without_status(image: &HashMap<String, AttributeValue>) -> BTreeMap<&String, &AttributeValue> {
    image.iter().filter(|(name, _)| *name != STATUS).collect()
}

/// Whether the same question may be answered later.
fn is_passing<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    let final_word = [
        "AccessDeniedException",
        "ExpiredIteratorException",
        "ResourceNotFoundException",
        "TrimmedDataAccessException",
        "ValidationException",
    ];
    error.code().is_none_or(|code| !final_word.contains(&code))
}

fn interrupted<E: ProvideErrorMetadata, R>(operation: &str, error: &SdkError<E, R>) -> Interruption {
    match error.code() {
        Some("AccessDeniedException") => Interruption::Off(format!(
            "dynamodb:{operation} is not allowed on its stream; `fargateer iam-policy` prints what the role needs"
        )),
        Some(_) | None => Interruption::Lost,
    }
}

async fn rest(time: Duration) {
    drop(timeout(time, std::future::pending::<()>()).await);
}
