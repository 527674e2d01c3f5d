//! A table of specs: read whole at the start and every so often.
//!
//! It reads and remembers; which agents to change or delete is the fleet's business.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fargateer_api::status::SourceStatus;
use fargateer_controller::port::{Document, Snapshot, Source};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout_at};

use crate::status::row::RowStatuses;
use crate::table::{Row, SpecTable};

/// Most rows a table may have.
const MAX_ROWS: usize = 20_000;
/// Most bytes the specs of a table may have together.
const MAX_TOTAL: usize = 64 * 1024 * 1024;
/// Polls are spread so far around their time, so that replicas do not read together.
const JITTER: f64 = 0.1;

/// A table of specs as a source.
///
/// A read sees every row that stays where it is; of rows written meanwhile it sees some. A row that is faulty keeps its
/// last good wording, and when the table cannot be read all rows do, as long as this value lives.
#[derive(Debug)]
pub struct TableSource {
    table: SpecTable,
    poll: Duration,
    due: Option<Instant>,
    /// The read under way: it survives a `next` that is given up.
    job: JoinSet<Reading>,
    rows: Arc<Rows>,
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
}

impl TableSource {
    /// The source `table`, which need not be there yet, read every `poll`.
    pub fn new(table: SpecTable, poll: Duration) -> Self {
        let (job, mending) = (JoinSet::new(), JoinSet::new());
        Self { table, poll, due: None, job, rows: Arc::default(), statuses: None, mending }
    }

    /// The same, which lets `statuses` know what stands in the rows.
    #[must_use]
    pub fn telling(self, statuses: Arc<RowStatuses>) -> Self {
        Self { statuses: Some(statuses), ..self }
    }

    /// Waits until it is time to read.
    async fn cause(&mut self) {
        if let Some(due) = self.due {
            drop(timeout_at(due, std::future::pending::<()>()).await);
        }
    }

    fn finish(&mut self, Reading { rows, fault }: Reading) -> Snapshot {
        let spread = (fastrand::f64() * 2.0 - 1.0) * JITTER;
        self.due = Some(Instant::now() + self.poll.mul_f64(1.0 + spread));
        let (whole, faults) = (fault.is_none(), fault.into_iter().collect());
        let mut snapshot = Snapshot { source: self.table.address(), whole, faults, ..Snapshot::default() };
        for row in rows.values() {
            snapshot.documents.entry(row.key.clone()).or_default().push(document(row));
        }
        self.rows = rows;
        if whole {
            self.mend();
        }
        snapshot
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
        if self.job.is_empty() {
            self.cause().await;
            self.job.spawn(read(self.table.clone(), Arc::clone(&self.rows)));
        }
        // Kept in `self` while we wait, so that giving up loses nothing.
        let reading = match self.job.join_next().await {
            Some(Ok(reading)) => reading,
            Some(Err(error)) => self.unread(format!("{}: the read broke off: {error}", self.table.address())),
            None => self.unread(format!("{}: the read was lost", self.table.address())),
        };
        self.finish(reading)
    }
}

impl TableSource {
    fn unread(&self, fault: String) -> Reading {
        Reading { rows: Arc::clone(&self.rows), fault: Some(fault) }
    }
}

/// Reads the whole table. When that fails, the rows are those of `before`: what one page says means nothing without the others.
async fn read(table: SpecTable, before: Arc<Rows>) -> Reading {
    match read_whole(&table, &before).await {
        Ok(rows) => Reading { rows: Arc::new(rows), fault: None },
        Err(fault) => Reading { rows: before, fault: Some(fault) },
    }
}

async fn read_whole(table: &SpecTable, before: &Arc<Rows>) -> Result<Rows, String> {
    let (mut rows, mut total, mut start) = (Rows::new(), 0, None);
    loop {
        let (items, next) = table.page(start).await?;
        let (parser, known) = (table.clone(), Arc::clone(before));
        // Much text is parsed at the start, which must not keep anything else waiting.
        let page = spawn_blocking(move || parser.rows(&items, |name| known.get(name))).await;
        let page = page.map_err(|error| format!("{}: the read broke off: {error}", table.address()))??;
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
