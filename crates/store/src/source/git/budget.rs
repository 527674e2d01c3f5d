//! What one look at a remote repository may cost: time and bytes. Whatever is used up ends the look, wherever it is.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What is left of a look's time and bytes, and what it was that went wrong.
pub(super) struct Budget {
    /// When time is up.
    pub(super) end: Instant,
    /// Cancelled when the look is to end.
    pub(super) stop: CancellationToken,
    time: Duration,
    bytes: u64,
    used: AtomicU64,
    interrupted: AtomicBool,
    said: Mutex<Option<String>>,
    helper: Mutex<Option<Helper>>,
}

/// A program that works for the look.
#[derive(Debug)]
pub(super) struct Helper {
    /// The process.
    pub(super) child: Child,
    /// Hears what it complains about, to its end.
    pub(super) complaint: JoinHandle<Option<String>>,
}

impl Budget {
    /// `time` from now and `bytes`; over at once when `stop` is cancelled.
    pub(super) fn new(time: Duration, bytes: u64, stop: &CancellationToken) -> Self {
        Self {
            end: Instant::now() + time,
            stop: stop.child_token(),
            time,
            bytes,
            used: AtomicU64::new(0),
            interrupted: AtomicBool::new(false),
            said: Mutex::default(),
            helper: Mutex::default(),
        }
    }

    /// Waits until time is up or the look is to end, and ends it: nothing of it goes on in the background.
    pub(super) async fn watch(&self) {
        if tokio::time::timeout_at(self.end, self.stop.cancelled()).await.is_err() {
            self.say(format!("no answer in {} s", self.time.as_secs()));
        }
        self.stop.cancel();
        self.interrupted.store(true, Ordering::Release);
        self.keep(None);
    }

    /// Goes up when the look is to end: for code that asks now and then.
    pub(super) fn interrupted(&self) -> &AtomicBool {
        &self.interrupted
    }

    /// Takes `helper` on, which is ended with the look; or ends the one there is and tells what it complained about.
    pub(super) fn keep(&self, helper: Option<Helper>) {
        let mut kept = self.helper.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *kept, helper);
        // Time may have been up while it started.
        if let Some(helper) = kept.as_mut().filter(|_| self.stop.is_cancelled()) {
            drop(helper.child.kill());
        }
        drop(kept);
        if let Some(Helper { mut child, complaint }) = before {
            // It may have ended already.
            drop(child.kill());
            drop(child.wait());
            if let Ok(Some(complaint)) = complaint.join() {
                self.say(complaint);
            }
        }
    }

    /// Tells what went wrong, in words for people. The first one counts: the others follow from it.
    pub(super) fn say(&self, what: impl Into<String>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.get_or_insert_with(|| what.into());
    }

    /// What went wrong.
    pub(super) fn said(&self) -> Option<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes `count` bytes from what is left.
    pub(super) fn take(&self, count: usize) -> io::Result<()> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("the look was ended"));
        }
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let used = self.used.fetch_add(count, Ordering::AcqRel).saturating_add(count);
        if used > self.bytes {
            self.say(format!(
                "more than {} MiB are sent; a shallow copy of the repository is too large",
                self.bytes >> 20
            ));
            self.interrupted.store(true, Ordering::Release);
            return Err(io::Error::other("too many bytes"));
        }
        Ok(())
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("end", &self.end).field("used", &self.used).finish_non_exhaustive()
    }
}

/// A reader whose bytes count.
#[derive(Debug)]
pub(super) struct Metered<R> {
    /// What is read.
    pub(super) inner: R,
    /// What they count against.
    pub(super) budget: std::sync::Arc<Budget>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.budget.take(count)?;
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What is counted too late is at most a buffer: the next read refuses.
        drop(self.budget.take(amount));
        self.inner.consume(amount);
    }
}
