//! What DynamoDB holds: tables, their items, and the streams of their changes.

pub(crate) mod number;
pub(crate) mod value;

use crate::tag::Tags;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use value::Attribute;

/// An item: attributes by name.
pub(crate) type Item = BTreeMap<String, Attribute>;

/// Everything of DynamoDB in one region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dynamodb {
    pub(crate) tables: BTreeMap<String, Table>,
    /// By ARN. A stream outlives its table and being switched off.
    pub(crate) streams: BTreeMap<String, Stream>,
    /// The transactions of the last ten minutes: when, and what was asked for.
    pub(crate) transactions: BTreeMap<String, (Duration, Value)>,
}

/// The names of a table's or an index's key attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyNames {
    pub(crate) hash: String,
    pub(crate) range: Option<String>,
}

impl KeyNames {
    /// The partition key's name, then the sort key's.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.hash.as_str()).chain(self.range.as_deref())
    }
}

/// Where an item is: items lie by the hash of their partition key, then by sort key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) slot: u64,
    pub(crate) hash: Attribute,
    pub(crate) range: Option<Attribute>,
}

#[derive(Clone, Debug)]
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) keys: KeyNames,
    /// Whether it is a local one, which allows consistent reads.
    pub(crate) local: bool,
    /// The attributes it holds beside the keys; all when unset.
    pub(crate) projected: Option<BTreeSet<String>>,
    /// As DescribeTable returns it, but for status and counts.
    pub(crate) body: Value,
    pub(crate) ready: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) keys: KeyNames,
    /// The types of key attributes: `S`, `N` or `B`.
    pub(crate) types: BTreeMap<String, String>,
    pub(crate) indexes: Vec<Index>,
    /// As DescribeTable returns it, but for status, counts, indexes and stream.
    pub(crate) body: Value,
    pub(crate) tags: Tags,
    /// CREATING before, ACTIVE from then on.
    pub(crate) ready: Duration,
    /// UPDATING before.
    pub(crate) updated: Duration,
    /// DELETING, and gone from then on.
    pub(crate) gone: Option<Duration>,
    pub(crate) items: BTreeMap<Key, Arc<Item>>,
    /// What items were before their latest changes, for reads that may be stale.
    pub(crate) past: VecDeque<(Duration, Key, Option<Arc<Item>>)>,
    pub(crate) time_to_live: Option<TimeToLive>,
    /// The ARN of the stream that is switched on.
    pub(crate) stream: Option<String>,
    /// The ARN of the newest stream.
    pub(crate) latest_stream: Option<String>,
    pub(crate) backups: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct TimeToLive {
    pub(crate) attribute: String,
    pub(crate) enabled: bool,
    pub(crate) changed: Duration,
    /// Items by the second since 1970 at which they expire.
    pub(crate) due: BTreeSet<(u64, Key)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) arn: String,
    pub(crate) table: String,
    pub(crate) label: String,
    pub(crate) view: String,
    pub(crate) keys: Value,
    pub(crate) created: Duration,
    pub(crate) disabled: Option<Duration>,
    /// Oldest first; each but the last is closed and the parent of the next.
    pub(crate) shards: Vec<Shard>,
    /// Oldest first.
    pub(crate) records: VecDeque<Record>,
    /// The number the next record gets.
    pub(crate) next: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Shard {
    pub(crate) id: String,
    pub(crate) opened: Duration,
    pub(crate) closed: Option<Duration>,
    pub(crate) first: u64,
    /// The last number of a closed shard.
    pub(crate) last: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) number: u64,
    pub(crate) at: Duration,
    /// As GetRecords returns it.
    pub(crate) body: Value,
}
