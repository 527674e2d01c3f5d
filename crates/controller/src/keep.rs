//! The controller among its replicas: takes turns at the lease table, wakes what it gained, forgets what others told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fargateer_api::Key;
use fargateer_api::seeded::{Bug, has};
use tokio::time::Instant;

use crate::controller::Controller;
use crate::lease::Shard;
use crate::queue::Wake;
use crate::replica::Replica;

/// How often the statuses of the other replicas are read while an agent of ours waits for one of theirs.
const SOON: Duration = Duration::from_secs(15);

/// A lease table that does not answer for so long is given up for this turn.
const PATIENCE: Duration = Duration::from_secs(4);

impl Controller {
    /// Stays a member for ever.
    pub(crate) async fn keep(self: Arc<Self>, replica: Arc<Replica>) {
        let (mut refreshed, mut told) = (Instant::now(), None);
        loop {
            let turn = tokio::time::timeout(PATIENCE, self.turn(&replica)).await;
            let error = turn.unwrap_or_else(|_| Err("the lease table does not answer".to_owned())).err();
            if let Some(error) = error.as_ref().filter(|error| told.as_ref() != Some(*error)) {
                tracing::warn!(
                    error,
                    writing = replica.is_alive(),
                    "lease not kept; nothing is written while it is lost"
                );
            }
            told = error;
            // What the other replicas tell is read now and then: who depends on their agents waits for it.
            let others = |key: &Key| !replica.may_work_on(key);
            let period = if self.reconciler.fleet.waits_for(others) { SOON } else { self.settings().resync };
            if refreshed.elapsed() >= period.min(self.settings().resync) {
                refreshed = Instant::now();
                if let Err(error) = self.reconciler.board.refresh(others).await {
                    tracing::warn!(error, "statuses of the other replicas not read");
                }
                self.wake_dependents(others);
            }
            self.show_lease(replica.is_alive(), replica.owned());
            pause(self.settings().look).await;
        }
    }

    async fn turn(&self, replica: &Replica) -> Result<(), String> {
        // A replica that knows no spec yet has nothing to work on, and would only take agents from those that have.
        if !self.reconciler.fleet.is_loaded() {
            return Ok(());
        }
        let gained = replica.turn(|| self.busy()).await?;
        if gained.is_empty() {
            return Ok(());
        }
        tracing::info!(shards = gained.len(), "took shards over");
        // First what is known of them: what a deletion needs may stand nowhere but in the last status.
        let ours = |key: &Key| gained.contains(&Shard::of(key));
        if !has(Bug::TakesOverBlindly) {
            self.reconciler.board.refresh(ours).await?;
        }
        self.reconciler.cloud.distrust();
        replica.accept(&gained);
        let known = self.reconciler.board.all().into_keys().chain(self.reconciler.fleet.keys());
        let keys = known.filter(ours).collect::<BTreeSet<Key>>();
        self.reconciler.fleet.know(keys.iter().cloned());
        for key in keys {
            self.queue.wake(&key, Wake::Dependency);
        }
        Ok(())
    }

    /// The shards with passes under way.
    fn busy(&self) -> BTreeSet<Shard> {
        self.queue.running().iter().map(Shard::of).collect()
    }
}

/// Time passes. The only timer beside the sweep's: everything else waits in the queue.
async fn pause(time: Duration) {
    drop(tokio::time::timeout(time, std::future::pending::<()>()).await);
}
