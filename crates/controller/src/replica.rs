//! One of several processes over the same fleet: beats, watches the lease table, takes shards over and gives them away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use fargateer_api::Key;
use fargateer_api::seeded::{Bug, has};
use tokio::time::Instant;

use crate::lease::{BEAT, Claim, MARGIN, Shard, Table, View, Wish};
use crate::port::Lease;

/// Where members beat and claim. Every read sees every write that ended before it.
#[async_trait]
pub trait LeaseTable: Send + Sync {
    /// What stands in it.
    async fn read(&self) -> Result<Table, String>;

    /// Enters `member` with version 0. A member of this name that is there already is an error.
    async fn join(&self, member: &str) -> Result<(), String>;

    /// Sets the version of `member`; false when it was removed meanwhile. Trying again does no harm.
    async fn beat(&self, member: &str, version: u64) -> Result<bool, String>;

    /// Makes a claim; false when another one came first. After an error nobody knows whether it was made, or will be.
    async fn claim(&self, claim: &Claim) -> Result<bool, String>;

    /// Removes `member`, whose shards are free from then on.
    async fn leave(&self, member: &str) -> Result<(), String>;
}

/// This process among its peers.
pub struct Replica {
    table: Box<dyn LeaseTable>,
    name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Our name in the table, while we are a member. A new one with every entry: what an old one owned is lost.
    me: Option<String>,
    entries: u32,
    version: u64,
    /// When the last good beat was sent.
    beaten: Option<Instant>,
    view: View,
    /// Ours to work on.
    owned: BTreeSet<Shard>,
    /// Ours by the table, but not worked on: to be given away. A claim that does so may be on its way for as long as the
    /// epoch is the one it was made from, whatever became of its answer; so until then nothing is taken back.
    parting: BTreeSet<Shard>,
    epoch: u64,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Lease for Replica {
    fn holds(&self, key: &Key) -> bool {
        self.is_alive() && self.may_work_on(key)
    }
}

impl Replica {
    /// A replica called `name` - unique among all that ever were - over `table`.
    pub fn new(table: Box<dyn LeaseTable>, name: impl Into<String>) -> Self {
        Self { table, name: name.into(), state: Mutex::default() }
    }

    /// Whether calls may leave this process: its last good beat was sent less than half a lease ago.
    pub fn is_alive(&self) -> bool {
        let margin = if has(Bug::LeaseWithoutMargin) { MARGIN * 40 } else { MARGIN };
        self.lock().beaten.is_some_and(|beaten| beaten.elapsed() < margin)
    }

    /// Whether `key` is ours to work on. It may be, and yet nothing may be written: while the table cannot be reached.
    pub fn may_work_on(&self, key: &Key) -> bool {
        let shard = Shard::of(key);
        let state = self.lock();
        state.owned.contains(&shard) && (!state.parting.contains(&shard) || has(Bug::GivesAwayWhileBusy))
    }

    /// How many shards are ours.
    pub fn owned(&self) -> usize {
        self.lock().owned.len()
    }

    /// Beats if it is time, looks at the table and claims what should be claimed. `busy` are the shards with work under
    /// way. Answers the shards that are ours from now on, to be worked on once they are accepted; those kept through a
    /// time in which nothing might be written are among them.
    pub async fn turn(&self, busy: impl Fn() -> BTreeSet<Shard>) -> Result<BTreeSet<Shard>, String> {
        let me = self.enter().await?;
        let lapsed = self.beat(&me).await?;
        let (mut table, dead) = self.look(&me).await?;
        // Only now: passes over shards that are parted with are under way already, or do not begin.
        let busy = if has(Bug::GivesAwayWhileBusy) { BTreeSet::new() } else { busy() };
        if let Some(claim) = (Wish { me: &me, leaving: false, busy: &busy }).claim(&table, &dead) {
            self.table.claim(&claim).await?;
            (table, _) = self.look(&me).await?;
        }
        let state = self.lock();
        let ours = table.of(&me).difference(&state.parting).copied().collect::<BTreeSet<Shard>>();
        Ok(if lapsed { ours } else { ours.difference(&state.owned).copied().collect() })
    }

    /// From now on the gained shards are worked on.
    pub fn accept(&self, gained: &BTreeSet<Shard>) {
        self.lock().owned.extend(gained);
    }

    /// Gives everything away and ends. To be called when no work is under way any more.
    pub async fn leave(&self) -> Result<(), String> {
        let Some(me) = self.lock().me.take() else { return Ok(()) };
        self.lock().owned.clear();
        let table = self.table.read().await?;
        let dead = self.lock().view.dead(&me, &table, Instant::now());
        let wish = Wish { me: &me, leaving: true, busy: &BTreeSet::new() };
        // Should another claim come first, the shards are free as soon as we are gone, and the others take them.
        if let Some(claim) = wish.claim(&table, &dead) {
            self.table.claim(&claim).await?;
        }
        self.table.leave(&me).await
    }

    /// Our name in the table.
    async fn enter(&self) -> Result<String, String> {
        let name = {
            let mut state = self.lock();
            if let Some(me) = &state.me {
                return Ok(me.clone());
            }
            state.entries += 1;
            format!("{}.{}", self.name, state.entries)
        };
        self.table.join(&name).await?;
        let mut state = self.lock();
        let entries = state.entries;
        *state = State { me: Some(name.clone()), entries, ..State::default() };
        Ok(name)
    }

    /// Shows that we live, when it is time. Answers whether we may write again after we might not.
    async fn beat(&self, me: &str) -> Result<bool, String> {
        let sent = Instant::now();
        let version = {
            let mut state = self.lock();
            if state.beaten.is_some_and(|beaten| sent < beaten + BEAT) {
                return Ok(false);
            }
            state.version += 1;
            state.version
        };
        if self.table.beat(me, version).await? {
            let lapsed = !self.is_alive();
            self.lock().beaten = Some(sent);
            return Ok(lapsed);
        }
        let mut state = self.lock();
        let entries = state.entries;
        *state = State { entries, ..State::default() };
        Err("this replica was taken for dead; it starts anew".to_owned())
    }

    /// What stands in the table, and who in it is dead.
    async fn look(&self, me: &str) -> Result<(Table, BTreeMap<String, u64>), String> {
        let table = self.table.read().await?;
        let now = Instant::now();
        let mut state = self.lock();
        state.view.hear(&table, now);
        let dead = state.view.dead(me, &table, now);
        let ours = table.of(me);
        state.owned.retain(|shard| ours.contains(shard));
        let surplus = Wish { me, leaving: false, busy: &BTreeSet::new() }.surplus(&table, &dead);
        if table.epoch != state.epoch {
            state.epoch = table.epoch;
            state.parting.clear();
        }
        state.parting.extend(surplus);
        Ok((table, dead))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
