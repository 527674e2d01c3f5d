//! A folder of specs (or one file): read at the start, whenever it changes, and every so often in any case.
//!
//! It watches, reads and remembers; which agents to change or delete is the fleet's business.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fargateer_controller::port::{Snapshot, Source};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::last_good::LastGood;
use super::listing::shown;
use super::reading::Reading;
use super::tree::Disk;
use super::watch::Watch;

/// How a folder is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirSettings {
    /// It is read at least so often. Default 30 seconds.
    pub poll: Duration,
    /// How long files must be left alone before a change counts. Default 200 milliseconds.
    pub debounce: Duration,
}

impl Default for DirSettings {
    fn default() -> Self {
        Self { poll: Duration::from_secs(30), debounce: Duration::from_millis(200) }
    }
}

/// The least the settings may say: timers need some time.
const LEAST: Duration = Duration::from_millis(4);

/// A folder of specs, or one file with specs.
///
/// A folder is read with all folders in it: `*.yaml`, `*.yml` and `*.json`, but no `*.schema.json`, nothing hidden, and
/// nothing a symbolic link leads out to. A snapshot is whole only when every file could be read and every document
/// names its agent. What was good before a file broke stays good, as long as this value lives.
#[derive(Debug)]
pub struct DirectorySource {
    path: PathBuf,
    settings: DirSettings,
    changed: Arc<Notify>,
    ticks: Option<Interval>,
    watch: Option<Watch>,
    /// The read under way: it survives a `next` that is given up.
    job: Option<Job>,
    reading: Arc<Reading>,
    last_good: LastGood,
}

#[derive(Debug)]
struct Job {
    cause: Cause,
    handle: JoinHandle<(Watch, Reading)>,
}

/// Why the source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It is time: the snapshot is an answer, whatever it says.
    Time,
    /// Something happened to the files: the snapshot is an answer if it says something new.
    Change,
}

impl DirectorySource {
    /// The source at `path`, a folder or a file, which need not be there yet.
    pub fn new(path: PathBuf, settings: DirSettings) -> Self {
        let DirSettings { poll, debounce } = settings;
        let settings = DirSettings { poll: poll.max(LEAST), debounce: debounce.max(LEAST) };
        let changed = Arc::new(Notify::new());
        let watch = Some(Watch::telling(Arc::clone(&changed)));
        let (reading, last_good) = (Arc::default(), LastGood::default());
        Self { path, settings, changed, ticks: None, watch, job: None, reading, last_good }
    }

    /// Waits for a reason to read.
    async fn cause(&mut self) -> Cause {
        let Some(ticks) = &mut self.ticks else {
            let poll = self.settings.poll;
            let mut ticks = interval_at(Instant::now() + poll, poll);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            self.ticks = Some(ticks);
            return Cause::Time;
        };
        tokio::select! {
            biased;
            _ = ticks.tick() => Cause::Time,
            () = self.changed.notified() => Cause::Change,
        }
    }

    fn start(&mut self, cause: Cause) -> Job {
        let (path, debounce, before) = (self.path.clone(), self.settings.debounce, Arc::clone(&self.reading));
        let mut watch = self.watch.take().unwrap_or_else(|| Watch::telling(Arc::clone(&self.changed)));
        let handle = spawn_blocking(move || {
            watch.arm(&path, debounce);
            let reading = Reading::of(&Disk(&path), &before);
            (watch, reading)
        });
        Job { cause, handle }
    }

    /// The snapshot, if there is something to answer.
    fn finish(&mut self, cause: Cause, reading: Reading) -> Option<Snapshot> {
        if cause == Cause::Change && reading == *self.reading {
            return None;
        }
        let snapshot = self.last_good.snapshot(&shown(&self.path), &reading);
        self.reading = Arc::new(reading);
        Some(snapshot)
    }
}

#[async_trait]
impl Source for DirectorySource {
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
            let reading = match result {
                Ok((watch, reading)) => {
                    self.watch = Some(watch);
                    reading
                }
                Err(error) => Reading::refused(format!("{}: the read broke off: {error}", shown(&self.path))),
            };
            if let Some(snapshot) = self.finish(cause, reading) {
                return snapshot;
            }
        }
    }
}
