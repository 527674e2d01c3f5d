//! The controller: sources feed the fleet, workers reconcile keys, a sweep wakes everybody now and then. Ends gracefully.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fargateer_api::Key;
use fargateer_api::seeded::{Bug, has};
use fargateer_api::status::{AgentDeploymentStatus, ConditionType, NextLook, Reason};
use fargateer_plan::desired::Spec;
use fargateer_plan::status;
use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, jitter};
use crate::fleet::Objection;
use crate::lease::LOOK;
use crate::metrics::Metrics;
use crate::next::{Next, POLL};
use crate::port::Source;
use crate::queue::{Queue, Turn, Wake};
use crate::reconcile::Reconciler;
use crate::replica::Replica;

/// Attempts after which a one-shot run stops waiting for an AWS that cannot be reached.
const PATIENCE: u32 = 4;

/// Handing over to the other replicas may take so long; after it they wait for the lease to end.
const HAND_OVER: Duration = Duration::from_secs(2);

/// How the controller runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Passes at the same time. A pass never waits for a rollout, so this bounds memory, not progress; the more, the fuller
    /// the shared reads. Default 512.
    pub workers: usize,
    /// Time between two sweeps over the fleet, give or take a tenth. Default five minutes.
    pub resync: Duration,
    /// How long passes under way may take when the controller ends. Default 15 s.
    pub drain: Duration,
    /// Time between two looks at the lease table, where there are replicas: how soon they take over from one that hands over.
    /// Default one second.
    pub look: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { workers: 512, resync: Duration::from_mins(5), drain: Duration::from_secs(15), look: LOOK }
    }
}

/// The controller.
#[derive(Debug)]
pub struct Controller {
    /// What it runs.
    pub reconciler: Reconciler,
    /// The queue.
    pub queue: Queue,
    settings: Settings,
    metrics: Metrics,
    replica: Option<Arc<Replica>>,
    backoffs: Mutex<BTreeMap<Key, Backoff>>,
    /// Since when an agent waits for the same kind of progress.
    waiting: Mutex<BTreeMap<Key, Instant>>,
    started: Instant,
}

impl Controller {
    /// A controller that runs `reconciler`.
    pub fn new(reconciler: Reconciler, settings: Settings, metrics: Metrics) -> Self {
        let backoffs = Mutex::new(BTreeMap::new());
        let waiting = Mutex::default();
        let (queue, started) = (Queue::default(), Instant::now());
        Self { reconciler, queue, settings, metrics, replica: None, backoffs, waiting, started }
    }

    /// One of several over the same fleet. `replica` must be the reconciler's lease, too.
    #[must_use]
    pub fn among(self, replica: Arc<Replica>) -> Self {
        self.show_lease(false, 0);
        Self { replica: Some(replica), ..self }
    }

    /// Runs until `stop`: then takes nothing new on, lets passes under way end (for `drain` at most) and returns.
    pub async fn run(self: Arc<Self>, sources: Vec<Box<dyn Source>>, stop: CancellationToken) {
        let mut intake = JoinSet::new();
        for source in sources {
            intake.spawn(Arc::clone(&self).feed(source));
        }
        intake.spawn(Arc::clone(&self).sweep());
        let mut workers = JoinSet::new();
        for _ in 0..self.settings.workers {
            workers.spawn(Arc::clone(&self).work());
        }
        let mut keeper = JoinSet::new();
        if let Some(replica) = self.replica.clone() {
            keeper.spawn(Arc::clone(&self).keep(replica));
        }
        stop.cancelled().await;
        self.queue.close();
        intake.shutdown().await;
        let drained = tokio::time::timeout(self.settings.drain, async { while workers.join_next().await.is_some() {} });
        let drained = drained.await;
        keeper.shutdown().await;
        match (drained, &self.replica) {
            (Ok(()), Some(replica)) => hand_over(replica).await,
            (Ok(()), None) => {}
            // The calls of such a pass may still take effect: the other replicas have to wait for the lease to end.
            (Err(_), _) => {
                tracing::warn!(running = self.queue.depth().running, "passes cut short at the end of the drain time");
            }
        }
    }

    /// Wakes `key` for a person; `force` tries a held revision again. False where another replica works on it: nothing is
    /// kept for a time when this one may.
    pub fn request(&self, key: &Key, force: Option<Force>) -> bool {
        if !self.reconciler.lease.holds(key) {
            return false;
        }
        if force.is_some() {
            self.reconciler.fleet.force(key);
        }
        self.queue.wake(key, Wake::Input);
        true
    }

    /// A person confirmed a mass deletion.
    pub fn confirm_prune(&self) {
        for key in self.reconciler.fleet.confirm_prune() {
            self.queue.wake(&key, Wake::Input);
        }
    }

    /// A person wants `key` gone now: deleted, or - `Retain` - handed back. What they want is kept before it is answered: a
    /// process that ends now must not delete afterwards what was to go on running.
    pub async fn leave(&self, key: &Key, leave: Leave) -> Result<(), String> {
        if !self.reconciler.lease.holds(key) {
            return Err(format!("another replica works on {key}, or the lease is lost at the moment; ask the others"));
        }
        let fleet = &self.reconciler.fleet;
        let stands = fleet.objection(key).filter(|objection| !leave.expects(objection));
        if let Some(objection) = stands {
            return Err(objection.words(key));
        }
        if leave != Leave::Delete {
            self.release(key).await?;
        }
        fleet.name(key);
        self.queue.wake(key, Wake::Input);
        Ok(())
    }

    /// Keeps that `key` is to be handed back.
    async fn release(&self, key: &Key) -> Result<(), String> {
        let (board, now) = (&self.reconciler.board, self.reconciler.clock.now().to_string());
        let mut status = (*board.status(key)).clone();
        if status.inventory.leaving_since.is_some() {
            return Err(format!("the deletion of {key} is under way; it cannot be handed back any more"));
        }
        status.inventory.release = Some(now.clone());
        self.reconciler.fleet.release(key, &now);
        let kept = board.keep(key, &status).await;
        // Who was told no must not find it done.
        kept.inspect_err(|_| self.reconciler.fleet.withdraw(key))
            .map_err(|error| format!("the wish cannot be kept: {error}"))
    }

    /// Shows the lease in the metrics.
    pub(crate) fn show_lease(&self, held: bool, shards: usize) {
        self.metrics.show_lease(held, shards);
    }

    /// How it runs.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Shows the queue in the metrics.
    pub fn measure(&self) {
        self.metrics.show(self.queue.depth());
    }

    /// Whether nothing more will happen without a change from outside: every agent is Ready, Stalled or left as it is.
    pub fn is_settled(&self) -> bool {
        let fleet = &self.reconciler.fleet;
        fleet.is_loaded() && fleet.keys().iter().all(|key| self.is_agent_settled(key))
    }

    fn is_agent_settled(&self, key: &Key) -> bool {
        let status = self.reconciler.board.status(key);
        let current = match self.reconciler.fleet.spec(key) {
            Spec::Present { agent, .. } => status.observed_generation == Some(agent.generation().clone()),
            Spec::Broken { .. } | Spec::Gone(_) => status.condition(ConditionType::Ready).is_some(),
        };
        current && (is_at_rest(&status) || self.gave_up(key, &status) || self.waits_in_vain(key, &status))
    }

    /// Whether everything an agent waits for stays as it is.
    fn waits_in_vain(&self, key: &Key, status: &AgentDeploymentStatus) -> bool {
        let reason = status.condition(ConditionType::Ready).map(|ready| ready.reason);
        let fleet = &self.reconciler.fleet;
        if reason != Some(Reason::WaitingForDependency) || fleet.is_in_cycle(key) {
            return false;
        }
        let unready = fleet.unready(key);
        !unready.is_empty() && unready.iter().all(|other| self.is_agent_settled(other))
    }

    /// A one-shot run does not wait for ever for an AWS that cannot be reached.
    fn gave_up(&self, key: &Key, status: &AgentDeploymentStatus) -> bool {
        let unavailable =
            status.condition(ConditionType::Ready).is_some_and(|ready| ready.reason == Reason::Unavailable);
        let backoffs = self.backoffs.lock().unwrap_or_else(PoisonError::into_inner);
        unavailable && backoffs.get(key).is_some_and(|backoff| backoff.failures() >= PATIENCE)
    }

    async fn feed(self: Arc<Self>, mut source: Box<dyn Source>) {
        let (mut told, mut loaded) = (Vec::new(), false);
        loop {
            let fleet = &self.reconciler.fleet;
            let changes = fleet.update(source.next().await);
            if fleet.is_loaded() && !std::mem::replace(&mut loaded, true) {
                // What of it is ours, where there are replicas, is known when the shards are.
                fleet.know(fleet.keys().into_iter().filter(|_| self.replica.is_none()));
            }
            let faults = self.reconciler.fleet.spec_faults();
            for fault in faults.iter().filter(|fault| !told.contains(*fault)) {
                tracing::warn!(fault, "fault in a spec; nothing is deleted while there is one");
            }
            told = faults;
            for key in &changes.changed {
                self.queue.assign(key, &self.reconciler.fleet.project(key));
                self.queue.wake(key, Wake::Input);
            }
            for key in &changes.missing {
                self.queue.wake(key, Wake::Resync);
            }
            for key in &changes.related {
                self.queue.wake(key, Wake::Dependency);
            }
        }
    }

    async fn sweep(self: Arc<Self>) {
        let mut due = Instant::now();
        loop {
            due += jitter(self.settings.resync, 0.1);
            // The timer of the sweep: everything else waits in the queue.
            let never = std::future::pending::<()>();
            drop(tokio::time::timeout_at(due, never).await);
            for key in self.reconciler.fleet.keys() {
                self.queue.wake(&key, Wake::Resync);
            }
        }
    }

    async fn work(self: Arc<Self>) {
        while let Some(Turn { key, waited }) = self.queue.pop().await {
            let begun = Instant::now();
            if has(Bug::LeaksTasks) {
                tokio::spawn(std::future::pending::<()>());
            }
            let may = self.reconciler.lease.holds(&key);
            let next = if may { self.isolated(&key).await } else { Next::Yield };
            self.metrics.passed(next, waited, begun.elapsed());
            self.schedule(&key, next).await;
        }
    }

    /// A pass whose panic harms nobody else: one bad spec must not stop the fleet.
    async fn isolated(&self, key: &Key) -> Next {
        if has(Bug::PoisonSpreads) {
            return self.reconciler.reconcile(key).await;
        }
        if let Ok(next) = AssertUnwindSafe(self.reconciler.reconcile(key)).catch_unwind().await {
            return next;
        }
        self.metrics.panicked();
        let (board, now) = (&self.reconciler.board, self.reconciler.clock.now());
        let status = status::panicked(key, &board.status(key), now);
        board.publish(key, &status).await;
        Next::after(&status)
    }

    async fn schedule(&self, key: &Key, next: Next) {
        let wait = self.wait(key, next);
        let is_backoff = matches!(next, Next::Retry(_) | Next::Slow);
        self.reconciler.board.note_next(key, self.next_look(wait, next));
        if next == Next::Forget {
            self.reconciler.fleet.forget(key);
            self.reconciler.board.forget(key).await;
        }
        let wake = if matches!(next, Next::Wait(_)) { Wake::Progress } else { Wake::Retry };
        self.queue.finish(key, wait.map(|wait| (wait, wake)), is_backoff);
        if next == Next::Forget {
            self.queue.forget(key);
        }
        self.tell_others(key, next);
    }

    /// How long until `key` is due; none: with the next sweep.
    fn wait(&self, key: &Key, next: Next) -> Option<Duration> {
        let mut backoffs = self.backoffs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Next::Retry(class) = next {
            let backoff = backoffs.entry(key.clone()).or_insert_with(|| Backoff::new(class));
            if backoff.class() != class {
                *backoff = Backoff::new(class);
            }
            return Some(backoff.wait());
        }
        backoffs.remove(key);
        let waited = self.waited(key, next);
        match next {
            Next::Wait(period) => Some(self.aligned(period, patience(waited))),
            Next::At(at) => {
                let left = Duration::try_from(at - self.reconciler.clock.now()).unwrap_or_default();
                Some(left.clamp(Duration::from_secs(1), self.settings.resync))
            }
            Next::Slow => Some(jitter(Duration::from_hours(1), 0.2)),
            Next::Resync | Next::Forget | Next::Yield | Next::Retry(_) => None,
        }
    }

    /// For how long `key` has been waiting for progress without a break.
    fn waited(&self, key: &Key, next: Next) -> Duration {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(next, Next::Wait(_)) {
            return waiting.entry(key.clone()).or_insert_with(Instant::now).elapsed();
        }
        waiting.remove(key);
        Duration::ZERO
    }

    /// To a multiple of `period` at least `least` away: agents that wait look together and share their reads.
    fn aligned(&self, period: Duration, least: Duration) -> Duration {
        let period_ms = period.as_millis().max(1);
        let now = self.started.elapsed().as_millis();
        let periods = (now + least.as_millis()) / period_ms + 1;
        Duration::from_millis(u64::try_from(periods * period_ms - now).unwrap_or(u64::MAX))
    }

    fn next_look(&self, wait: Option<Duration>, next: Next) -> Option<NextLook> {
        let wait = wait.unwrap_or(self.settings.resync);
        let at: Option<Timestamp> = SignedDuration::try_from(wait).ok().map(|wait| self.reconciler.clock.now() + wait);
        at.map(|at| NextLook { at: at.to_string(), why: next.words().to_owned() })
    }
}

/// Gives all shards to the other replicas.
async fn hand_over(replica: &Replica) {
    let left = tokio::time::timeout(HAND_OVER, replica.leave()).await;
    if let Err(error) = left.unwrap_or_else(|_| Err("the lease table does not answer".to_owned())) {
        tracing::warn!(error, "not handed over; the other replicas take over when the lease ends");
    }
}

/// The pause of an agent that has waited this long: what takes long may well take an eighth longer, and what takes for ever
/// (tasks that fail again and again) must not be looked at every few seconds for ever.
fn patience(waited: Duration) -> Duration {
    let pause = if has(Bug::PollsForEver) { Duration::ZERO } else { (waited / 8).min(Duration::from_mins(5)) };
    // Below the shortest poll, alignment alone decides.
    pause.saturating_sub(POLL)
}

/// How a person wants an agent to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// Deleted, now.
    Delete,
    /// Handed back, now.
    Retain,
    /// Handed back as soon as its spec is gone from here, which whoever asks sees to.
    RetainFrom(String),
}

impl Leave {
    /// Whether `objection` is none to this.
    fn expects(&self, objection: &Objection) -> bool {
        matches!((self, objection), (Self::RetainFrom(place), Objection::Stands(there)) if place == there)
    }
}

/// A person's wish to try a held revision again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Force;

/// Whether an agent stays as it is until something changes outside.
pub fn is_at_rest(status: &AgentDeploymentStatus) -> bool {
    let reason = status.condition(ConditionType::Ready).map(|ready| ready.reason);
    let left = [
        Reason::Suspended,
        Reason::Retained,
        Reason::PruneBlocked,
        Reason::Deleted,
        Reason::Frozen,
        Reason::RolloutHeld,
    ];
    status.is(ConditionType::Ready)
        || status.is(ConditionType::Stalled)
        || reason.is_some_and(|reason| left.contains(&reason))
        || (reason == Some(Reason::DriftLeftAlone) && !status.is(ConditionType::Reconciling))
}
