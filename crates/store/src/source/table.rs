//! A table of specs: read whole at the start, every so often, and when its stream says that rows were written.
//!
//! It reads and remembers; which agents to change or delete is the fleet's business.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fargateer_api::status::SourceStatus;
use fargateer_controller::port::{Document, Snapshot, Source};
use tokio::sync::Notify;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout_at};

use crate::status::row::RowStatuses;
use crate::table::{Row, SpecTable, stream};

/// Most rows a table may have.
const MAX_ROWS: usize = 20_000;
/// Most bytes the specs of a table may have together.
const MAX_TOTAL: usize = 64 * 1024 * 1024;
/// So many rows are parsed within a millisecond or two: no thread is asked to.
const FEW: usize = 8;
/// A read because of a change that failed is tried again after so long.
const AGAIN: Duration = Duration::from_secs(10);
/// Between two reads lies so many times what a read takes, however much is written.
const SHARE: u32 = 10;
/// Polls are spread so far around their time, so that replicas do not read together.
const JITTER: f64 = 0.1;

/// A table of specs as a source.
///
/// A read sees every row that stays where it is; of rows written meanwhile it sees some. A row that is faulty keeps its
/// last good wording. When the table cannot be read, no row is found, and those who were known stay as they are.
#[derive(Debug)]
pub struct TableSource {
    table: SpecTable,
    poll: Duration,
    due: Option<Instant>,
    changed: Arc<Notify>,
    /// When to read because something changed.
    pending: Option<Instant>,
    /// No read because of a change before.
    earliest: Instant,
    /// The read under way: it survives a `next` that is given up.
    job: JoinSet<(Cause, Reading)>,
    rows: Arc<Rows>,
    /// The last read that was an answer failed.
    failed: bool,
    follower: JoinSet<()>,
    statuses: Option<Arc<RowStatuses>>,
    mending: JoinSet<()>,
}

type Rows = BTreeMap<String, Row>;

/// What the table says at one moment.
#[derive(Debug)]
struct Reading {
    rows: Arc<Rows>,
    /// Why these are not all the rows there are, or not as they are now.
    fault: Option<String>,
    /// How long it took.
    took: Duration,
}

/// Why the table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It is time: the snapshot is an answer, whatever it says.
    Time,
    /// Somebody wrote rows: the snapshot is an answer if it says something new.
    Change,
}

impl TableSource {
    /// The source `table`, which need not be there yet, read every `poll`.
    pub fn new(table: SpecTable, poll: Duration) -> Self {
        let (job, follower, mending) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        let (changed, rows, earliest) = (Arc::default(), Arc::default(), Instant::now());
        let (due, pending, statuses, failed) = (None, None, None, false);
        Self { table, poll, due, changed, pending, earliest, job, rows, failed, follower, statuses, mending }
    }

    /// The same, read also whenever the table's stream of changes says so, if it has one. Needs a runtime.
    #[must_use]
    pub fn following(mut self) -> Self {
        self.follower.spawn(stream::follow(self.table.clone(), Arc::clone(&self.changed)));
        self
    }

    /// The same, which lets `statuses` know what stands in the rows.
    #[must_use]
    pub fn telling(self, statuses: Arc<RowStatuses>) -> Self {
        Self { statuses: Some(statuses), ..self }
    }

    /// Waits for a reason to read.
    async fn cause(&mut self) -> Cause {
        let Some(due) = self.due else { return Cause::Time };
        loop {
            // Kept in `self`, so that giving up loses no change.
            if let Some(pending) = self.pending {
                drop(timeout_at(pending.min(due), std::future::pending::<()>()).await);
                self.pending = None;
                return if pending < due { Cause::Change } else { Cause::Time };
            }
            if timeout_at(due, self.changed.notified()).await.is_err() {
                return Cause::Time;
            }
            self.pending = Some(self.earliest);
        }
    }

    /// The snapshot, if there is something to answer.
    fn finish(&mut self, cause: Cause, reading: Reading) -> Option<Snapshot> {
        let Reading { rows, fault, took: _ } = reading;
        if cause == Cause::Change {
            // A table that cannot be read is told of when it is time; until then it is tried again.
            self.pending = fault.as_ref().map(|_| Instant::now() + AGAIN);
            if fault.is_some() || same(&rows, &self.rows) {
                return None;
            }
        }
        let spread = (fastrand::f64() * 2.0 - 1.0) * JITTER;
        self.due = Some(Instant::now() + self.poll.mul_f64(1.0 + spread));
        let failed_before = std::mem::replace(&mut self.failed, fault.is_some());
        let (whole, faults) = (fault.is_none(), fault.into_iter().collect());
        let mut snapshot = Snapshot { source: self.table.address(), whole, faults, ..Snapshot::default() };
        // One read that fails is no agent's news. When it lasts, every agent's status says that nobody knows its row any more.
        let known = rows.values().filter(|_| whole || !failed_before);
        for row in known {
            snapshot.documents.entry(row.key.clone()).or_default().push(document(row));
        }
        self.rows = rows;
        if let Some(statuses) = &self.statuses {
            statuses.meet(&self.table, &self.rows);
        }
        if whole {
            self.mend();
        }
        Some(snapshot)
    }

    /// Lets statuses be written that are missing, unless that is under way.
    fn mend(&mut self) {
        while self.mending.try_join_next().is_some() {}
        let Some(statuses) = self.statuses.clone().filter(|_| self.mending.is_empty()) else { return };
        let (table, rows) = (self.table.clone(), Arc::clone(&self.rows));
        self.mending.spawn(async move { statuses.mend(&table, &rows).await });
    }
}

#[async_trait]
impl Source for TableSource {
    async fn next(&mut self) -> Snapshot {
        loop {
            if self.job.is_empty() {
                let cause = self.cause().await;
                let (table, rows) = (self.table.clone(), Arc::clone(&self.rows));
                self.job.spawn(async move { (cause, read(table, rows).await) });
            }
            // Kept in `self` while we wait, so that giving up loses nothing.
            let (cause, reading) = match self.job.join_next().await {
                Some(Ok(done)) => done,
                Some(Err(error)) => (Cause::Time, self.unread(&format!("the read broke off: {error}"))),
                None => (Cause::Time, self.unread("the read was lost")),
            };
            self.earliest = Instant::now() + reading.took * SHARE;
            if let Some(snapshot) = self.finish(cause, reading) {
                return snapshot;
            }
        }
    }
}

impl TableSource {
    fn unread(&self, why: &str) -> Reading {
        let (rows, fault) = (Arc::clone(&self.rows), Some(format!("{}: {why}", self.table.address())));
        Reading { rows, fault, took: Duration::ZERO }
    }
}

/// Whether people would see no difference between two readings.
fn same(rows: &Rows, before: &Rows) -> bool {
    let pairs = || rows.iter().zip(before);
    rows.len() == before.len() && pairs().all(|((name, row), (known, was))| name == known && row.says_the_same(was))
}

/// Reads the whole table. When that fails, the rows are those of `before`: what one page says means nothing without the others.
async fn read(table: SpecTable, before: Arc<Rows>) -> Reading {
    let begun = Instant::now();
    let read = read_whole(&table, &before).await;
    let took = begun.elapsed();
    match read {
        Ok(rows) => Reading { rows: Arc::new(rows), fault: None, took },
        Err(fault) => Reading { rows: before, fault: Some(fault), took },
    }
}

async fn read_whole(table: &SpecTable, before: &Arc<Rows>) -> Result<Rows, String> {
    if before.is_empty() {
        table.check().await?;
    }
    let (mut rows, mut total, mut start) = (Rows::new(), 0, None);
    loop {
        let (items, next) = table.page(start).await?;
        let (parser, known) = (table.clone(), Arc::clone(before));
        // Much text is parsed at the start, which must not keep anything else waiting.
        let page = if items.len() > FEW {
            let page = spawn_blocking(move || parser.rows(&items, |name| known.get(name))).await;
            page.map_err(|error| format!("{}: the read broke off: {error}", table.address()))??
        } else {
            parser.rows(&items, |name| known.get(name))?
        };
        total += page.iter().map(|(_, row)| row.size).sum::<usize>();
        rows.extend(page);
        if rows.len() > MAX_ROWS || total > MAX_TOTAL {
            let most = format!("at most {MAX_ROWS} rows and {MAX_TOTAL} bytes of specs; use several tables");
            return Err(format!("{}: too large ({most})", table.address()));
        }
        start = next;
        if start.is_none() {
            return Ok(rows);
        }
    }
}

fn document(row: &Row) -> Document {
    let source = SourceStatus { location: row.location.clone(), ..SourceStatus::default() };
    Document { agent: row.agent.clone(), faults: row.faults.clone(), source }
}
