//! Specs in a git repository: a branch, a tag or a commit of it, read whenever it changes, and every so often in any case.
//!
//! A snapshot is one commit, never half of one. Files are known by the ids git gives them, so that only those a push changed
//! are parsed. What a repository lacks is deletion evidence only where a commit removed it: a branch that is gone, a history
//! that was rewritten, a commit nobody we trust has signed, a commit without specs say so and delete nothing.

mod address;
mod budget;
mod checkout;
mod code;
mod contact;
mod https;
mod look;
mod request;
mod secret;
mod signature;
mod ssh;
mod tip;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use fargateer_api::Key;
use fargateer_controller::backoff::jitter;
use fargateer_controller::port::{Snapshot, Source};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use address::{AddressError, GitAddress};
pub use code::Checkouts;
pub use contact::Credentials;
pub use secret::Secret;
pub use signature::Trust;

use self::budget::Budget;
use self::look::{Scene, Sight};
use self::tip::{Descent, Good, Trouble};
use super::last_good::LastGood;
use super::reading::Reading;

/// The least time between the end of a look and the next one somebody asks for: a flood of pushes is one look a second.
const PAUSE: Duration = Duration::from_secs(1);

/// How a repository is looked at.
#[derive(Debug, Clone)]
pub struct GitSettings {
    /// It is asked at least so often, give or take a tenth. Default 30 seconds.
    pub poll: Duration,
    /// How long asking may take. Default two minutes.
    pub timeout: Duration,
    /// Most bytes one look may fetch. Default 256 MiB.
    pub bytes: u64,
    /// What its host is told of us.
    pub credentials: Credentials,
    /// Whose commits count.
    pub trust: Trust,
}

impl Default for GitSettings {
    fn default() -> Self {
        let (credentials, trust) = (Credentials::default(), Trust::default());
        let (poll, timeout) = (Duration::from_secs(30), Duration::from_mins(2));
        Self { poll, timeout, bytes: 256 << 20, credentials, trust }
    }
}

/// Makes a source look now. Anybody may use it: it says nothing of what there is to see.
#[derive(Debug, Clone)]
pub struct Trigger {
    identity: String,
    pushed: Arc<Notify>,
}

impl Trigger {
    /// Whether the source reads the repository that is `path` on `host`, by whatever scheme.
    pub fn concerns(&self, host: &str, path: &str) -> bool {
        self.identity == address::same(host, path)
    }

    /// Makes it look.
    pub fn pull(&self) {
        self.pushed.notify_one();
    }
}

/// A git repository of specs.
#[derive(Debug)]
pub struct GitSource {
    scene: Arc<Scene>,
    settings: GitSettings,
    pushed: Arc<Notify>,
    /// Somebody asked for a look that has not begun.
    asked: bool,
    /// When the next look is due; none before the first.
    due: Option<Instant>,
    /// When the last one ended.
    ended: Option<Instant>,
    /// The look under way: it survives a `next` that is given up.
    job: Option<Job>,
    reading: Arc<Reading>,
    good: Option<Good>,
    last_good: LastGood,
    /// The agents of the last snapshot.
    keys: BTreeSet<Key>,
    stop: CancellationToken,
    _stopped_with_us: DropGuard,
}

#[derive(Debug)]
struct Job {
    cause: Cause,
    handle: JoinHandle<Sight>,
}

/// Why the repository is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It is time: the snapshot is an answer, whatever it says.
    Time,
    /// Somebody says it was pushed to: the snapshot is an answer if it says something new.
    Push,
}

impl GitSource {
    /// The source at `address`. `folder` is its own: a mirror and what was read last are kept there, over restarts, too.
    pub fn new(address: GitAddress, folder: PathBuf, settings: GitSettings) -> Self {
        let GitSettings { credentials, trust, .. } = settings.clone();
        let scene = Arc::new(Scene { address, credentials, trust, folder, client: OnceLock::new() });
        let stop = CancellationToken::new();
        Self {
            scene,
            settings,
            pushed: Arc::default(),
            asked: false,
            due: None,
            ended: None,
            job: None,
            reading: Arc::default(),
            good: None,
            last_good: LastGood::default(),
            keys: BTreeSet::new(),
            _stopped_with_us: stop.clone().drop_guard(),
            stop,
        }
    }

    /// Something that makes this source look now.
    pub fn trigger(&self) -> Trigger {
        Trigger { identity: self.scene.address.identity(), pushed: Arc::clone(&self.pushed) }
    }

    /// Something that writes folders of its commits to this disk.
    pub fn checkouts(&self) -> Checkouts {
        Checkouts(Arc::clone(&self.scene))
    }

    /// Waits for a reason to look.
    async fn cause(&mut self) -> Cause {
        let Some(due) = self.due else { return Cause::Time };
        if !self.asked && timeout_at(due, self.pushed.notified()).await.is_err() {
            return Cause::Time;
        }
        // Kept while we wait, so that giving up forgets nobody.
        self.asked = true;
        let soonest = self.ended.map_or(due, |ended| due.min(ended + PAUSE));
        let never = std::future::pending::<()>();
        drop(timeout_at(soonest, never).await);
        Cause::Push
    }

    fn start(&mut self, cause: Cause) -> Job {
        self.asked = false;
        let (scene, before, good) = (Arc::clone(&self.scene), Arc::clone(&self.reading), self.good.clone());
        let budget = Arc::new(Budget::new(self.settings.timeout, self.settings.bytes, &self.stop));
        let watched = Arc::clone(&budget);
        tokio::spawn(async move { watched.watch().await });
        let handle = spawn_blocking(move || {
            let sight = scene.look(&before, good, &budget);
            budget.stop.cancel();
            sight
        });
        Job { cause, handle }
    }

    /// The snapshot, if there is something to answer.
    fn finish(&mut self, cause: Cause, sight: Sight) -> Option<Snapshot> {
        let Sight { mut reading, good, descent, trouble } = sight;
        let told = match (&trouble, &descent) {
            (Some(Trouble::Passing(why) | Trouble::Standing(why)), _) => {
                Some(format!("{why}; {}", kept(good.as_ref())))
            }
            (None, Descent::Breaks(why)) => Some(why.clone()),
            (None, Descent::First | Descent::Same | Descent::Follows) => None,
        };
        if let Some(why) = &told {
            reading.complete = false;
            reading.faults.push(why.clone());
        }
        self.good = good;
        if cause == Cause::Push && reading == *self.reading {
            return None;
        }
        let mut snapshot = self.last_good.snapshot(&self.scene.address.to_string(), &reading);
        if let (Some(Trouble::Standing(_)), Some(why)) = (&trouble, &told) {
            snapshot.documents.values_mut().flatten().for_each(|document| document.faults.push(why.clone()));
        }
        let keys: BTreeSet<Key> = snapshot.documents.keys().cloned().collect();
        if snapshot.whole && descent == Descent::Follows {
            snapshot.removed = self.keys.difference(&keys).cloned().collect();
        }
        (self.keys, self.reading) = (keys, Arc::new(reading));
        Some(snapshot)
    }
}

/// What is kept instead of what cannot be used.
fn kept(good: Option<&Good>) -> String {
    match good {
        Some(good) => format!("commit {} is kept", tip::short(good.commit)),
        None => "nothing is known of it, and nothing is deleted".to_owned(),
    }
}

#[async_trait]
impl Source for GitSource {
    async fn next(&mut self) -> Snapshot {
        loop {
            let job = if let Some(job) = self.job.take() {
                job
            } else {
                let cause = self.cause().await;
                self.start(cause)
            };
            // Kept in `self` while we wait, so that giving up loses nothing.
            let Job { cause, handle } = self.job.insert(job);
            let (cause, result) = (*cause, handle.await);
            self.job = None;
            self.ended = Some(Instant::now());
            self.due = Some(Instant::now() + jitter(self.settings.poll, 0.1));
            let sight = result.unwrap_or_else(|error| {
                let why = format!("{}: the look broke off: {error}", self.scene.address.repository());
                let reading = Reading { faults: Vec::new(), complete: false, ..Reading::clone(&self.reading) };
                let (good, trouble) = (self.good.clone(), Some(Trouble::Passing(why)));
                Sight { reading, good, descent: Descent::Same, trouble }
            });
            if let Some(snapshot) = self.finish(cause, sight) {
                return snapshot;
            }
        }
    }
}
