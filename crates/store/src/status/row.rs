//! Statuses in the rows of their specs, beside wherever else they are kept: what a person who wrote a row reads there.
//!
//! A row is never made by it, and nothing of a row but its status is written. A status is replaced only by one who knows
//! which one it replaces: every wording has a number, and a write on condition of the last one. So what a replica wrote
//! that lost its shards, or what the network held back, never stands over something newer.

use std::collections::BTreeMap;
use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fargateer_api::seeded::{Bug, has};
use fargateer_api::{AgentDeploymentStatus, Key};
use fargateer_controller::port::{Lease, Statuses};
use tokio::time::Instant;

use crate::table::{Row, SpecTable, Written, fingerprint};

/// A write that takes longer is given up: a pass waits for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a failure the table is left alone for so long; what was to be written meanwhile follows the next read.
const PAUSE: Duration = Duration::from_secs(10);
/// So many others may come between a look at a row's status and the write.
const TRIES: u32 = 3;

/// Statuses kept by another store, and told in the rows of tables of specs.
pub struct RowStatuses {
    inner: Arc<dyn Statuses>,
    lease: Arc<dyn Lease>,
    tables: Vec<SpecTable>,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    rows: BTreeMap<String, Note>,
    /// The names of rows that are not those in their places: people see no line break, say, but the characters that stand for it.
    names: BTreeMap<String, String>,
    /// The newest statuses of rows that no agent may be called by: nobody else keeps them.
    nameless: BTreeMap<Key, AgentDeploymentStatus>,
    /// Since when the table of this address fails.
    failing: BTreeMap<String, Instant>,
}

/// What is known of a row's status.
#[derive(Debug, Default, Clone, Copy)]
struct Note {
    /// The revision that stands there.
    revision: Option<u64>,
    /// The last write did not succeed.
    owed: bool,
    /// The last read found no status, though there may be one to tell.
    lacked: bool,
    /// It has no room for a status, and that was told.
    full: bool,
}

impl std::fmt::Debug for RowStatuses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowStatuses").field("tables", &self.tables).finish_non_exhaustive()
    }
}

impl RowStatuses {
    /// What `inner` keeps, told in the rows of `tables` while `lease` is held.
    pub fn new(inner: Arc<dyn Statuses>, lease: Arc<dyn Lease>, tables: Vec<SpecTable>) -> Self {
        Self { inner, lease, tables, notes: Mutex::default() }
    }

    /// Takes notice of what the rows of `table` are called, before anybody has anything to tell in them.
    pub(crate) fn meet(&self, table: &SpecTable, rows: &BTreeMap<String, Row>) {
        let odd = rows.iter().filter(|(name, row)| table.row_at(&row.location) != Some(name.as_str()));
        self.lock().names.extend(odd.map(|(name, row)| (row.location.clone(), name.clone())));
    }

    /// Every status there is.
    async fn statuses(&self) -> Result<BTreeMap<Key, AgentDeploymentStatus>, String> {
        let mut statuses = self.inner.load().await?;
        statuses.extend(self.lock().nameless.clone());
        Ok(statuses)
    }

    /// Takes notice of what a whole read of `table` found, and writes the statuses that should stand there and do not: those
    /// that could not be written, and those of rows that somebody wrote anew without them.
    pub(crate) async fn mend(&self, table: &SpecTable, rows: &BTreeMap<String, Row>) {
        if has(Bug::TellsRowsOnce) {
            return;
        }
        let lacking: BTreeMap<&Key, (&Row, Lack)> = {
            let mut notes = self.lock();
            notes.forget(table, rows);
            let lacking = rows.values().filter_map(|row| Some((row, notes.lacks(row)?)));
            let ours = lacking.filter(|(row, _)| self.lease.holds(&row.key));
            ours.map(|(row, lack)| (&row.key, (row, lack))).collect()
        };
        if lacking.is_empty() {
            return;
        }
        let statuses = match self.statuses().await {
            Ok(statuses) => statuses,
            Err(error) => return tracing::warn!(error, "statuses not read; those missing in rows are told later"),
        };
        for (key, (row, lack)) in lacking {
            let status = statuses.get(key).filter(|status| places(status).any(|place| place == row.location));
            let Some(status) = status.filter(|_| self.lease.holds(key)) else { continue };
            // One that died after it had kept a status may not have told it, and nothing may ever change it again.
            let says = || serde_json::to_value(status).map(|status| fingerprint(&status)).ok();
            if lack == Lack::Perhaps && row.told == says() {
                continue;
            }
            if self.attempt(table, &row.location, status, 1).await.is_err() {
                return;
            }
        }
    }

    /// Writes what could not be written and what no read will follow for any more: the end of a run.
    pub async fn finish(&self) {
        let notes = self.lock().rows.clone();
        if !notes.values().any(|note| note.owed) {
            return;
        }
        let Ok(statuses) = self.statuses().await else { return };
        let ours = statuses.iter().filter(|(key, _)| self.lease.holds(key));
        let told = ours.flat_map(|(key, status)| places(status).map(move |place| (key, place, status)));
        for (key, place, status) in told.filter(|(_, place, _)| notes.get(*place).is_some_and(|note| note.owed)) {
            let Some(table) = self.table_of(place) else { continue };
            if self.attempt(table, place, status, TRIES).await.is_err() {
                tracing::warn!(agent = %key, "the row does not tell how it ended, nor may others");
                return;
            }
        }
    }

    fn table_of(&self, place: &str) -> Option<&SpecTable> {
        self.tables.iter().find(|table| table.row_at(place).is_some())
    }

    /// Writes a status to every row that it speaks of.
    async fn tell(&self, key: &Key, status: &AgentDeploymentStatus) {
        for place in places(status) {
            let Some(table) = self.table_of(place) else { continue };
            let resting = self.lock().failing.get(&table.address()).is_some_and(|since| since.elapsed() < PAUSE);
            if resting || !self.lease.holds(key) {
                self.lock().rows.entry(place.to_owned()).or_default().owed = resting;
                continue;
            }
            // Told already, and the next read tries again.
            drop(self.attempt(table, place, status, TRIES).await);
        }
    }

    /// Writes a status over the one we know of; with several `tries`, over whatever stands there.
    async fn attempt(
        &self,
        table: &SpecTable,
        location: &str,
        status: &AgentDeploymentStatus,
        tries: u32,
    ) -> Result<(), String> {
        let written = tokio::time::timeout(PATIENCE, self.write(table, location, status, tries)).await;
        let written = written.unwrap_or_else(|_| Err(format!("{}: no answer", table.address())));
        let mut notes = self.lock();
        match &written {
            Ok(Written::Gone) => drop(notes.rows.remove(location)),
            Ok(Written::Other(revision)) => {
                let note = Note { revision: *revision, owed: tries > 1, ..Note::default() };
                notes.rows.insert(location.to_owned(), note);
            }
            Ok(Written::NoRoom) => {
                // A fault of this row: the others are written as ever.
                let note = notes.rows.entry(location.to_owned()).or_default();
                if !std::mem::replace(&mut note.full, true) {
                    tracing::warn!(row = location, "no room for a status: a row has 400 KB, and this one uses them");
                }
                note.owed = false;
            }
            Ok(Written::Done(revision)) => {
                let note = Note { revision: Some(*revision), ..Note::default() };
                notes.rows.insert(location.to_owned(), note);
                if notes.failing.remove(&table.address()).is_some() {
                    tracing::info!(table = table.address(), "statuses are written to rows again");
                }
            }
            Err(error) => {
                notes.rows.entry(location.to_owned()).or_default().owed = true;
                if notes.failing.insert(table.address(), Instant::now()).is_none() {
                    tracing::warn!(row = location, error, "status not written to its row; it is tried again");
                }
            }
        }
        written.map(drop)
    }

    async fn write(
        &self,
        table: &SpecTable,
        place: &str,
        status: &AgentDeploymentStatus,
        tries: u32,
    ) -> Result<Written, String> {
        let odd = self.lock().names.get(place).cloned();
        let Some(name) = odd.as_deref().or_else(|| table.row_at(place)) else { return Ok(Written::Gone) };
        let mut seen = self.lock().rows.get(place).and_then(|note| note.revision);
        for _ in 0..tries {
            match table.write_status(name, status, seen).await? {
                Written::Other(revision) => seen = revision,
                written @ (Written::Done(_) | Written::Gone | Written::NoRoom) => return Ok(written),
            }
        }
        Ok(Written::Other(seen))
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    /// Forgets rows of `table` that are not there any more.
    fn forget(&mut self, table: &SpecTable, rows: &BTreeMap<String, Row>) {
        let names = &self.names;
        let there = |location: &str| {
            let odd = names.get(location).map(String::as_str);
            odd.or_else(|| table.row_at(location)).is_none_or(|name| rows.contains_key(name))
        };
        self.rows.retain(|location, _| there(location));
        self.names.retain(|location, name| table.row_at(location).is_none() || rows.contains_key(name));
    }

    /// Whether a status should be written to `row`; remembers what was found there.
    fn lacks(&mut self, row: &Row) -> Option<Lack> {
        let perhaps = row.told.is_some() && !self.rows.contains_key(&row.location);
        let note = self.rows.entry(row.location.clone()).or_default();
        // A new row gets its status soon; one that lacks it twice was written anew without it.
        let lacks = note.owed || (row.revision.is_none() && note.lacked && !note.full);
        (note.revision, note.lacked) = (row.revision, row.revision.is_none());
        if lacks { Some(Lack::Surely) } else { perhaps.then_some(Lack::Perhaps) }
    }
}

/// Why a status should be written to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// It is not there.
    Surely,
    /// It was written by an earlier process, which may have died before it had told all.
    Perhaps,
}

/// Where the spec stands that a status speaks of, and the others of the same name.
fn places(status: &AgentDeploymentStatus) -> impl Iterator<Item = &str> {
    let places = status.source.iter().flat_map(|source| iter::once(&source.location).chain(&source.also_in));
    places.map(String::as_str)
}

#[async_trait]
impl Statuses for RowStatuses {
    async fn load(&self) -> Result<BTreeMap<Key, AgentDeploymentStatus>, String> {
        self.inner.load().await
    }

    async fn save(&self, key: &Key, status: &AgentDeploymentStatus) -> Result<(), String> {
        if !super::is_agents(key) {
            self.lock().nameless.insert(key.clone(), status.clone());
        }
        let saved = self.inner.save(key, status).await;
        self.tell(key, status).await;
        saved
    }

    async fn remove(&self, key: &Key) -> Result<(), String> {
        self.lock().nameless.remove(key);
        self.inner.remove(key).await
    }
}
