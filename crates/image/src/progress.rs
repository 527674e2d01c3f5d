//! How far a build is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// The folder is read.
    Context,
    /// The base image is looked up.
    Base,
    /// Requirements are resolved to exact versions.
    Resolve,
    /// Wheels are fetched and unpacked.
    Install,
    /// Layers are packed.
    Pack,
    /// Layers of the base image are fetched.
    Fetch,
    /// Layers are sent.
    Push,
    /// The context is packed for CodeBuild.
    Archive,
    /// The context is sent to S3.
    Send,
    /// CodeBuild is asked to build.
    Start,
}

impl Phase {
    /// What is being done, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Context => "reading the code",
            Self::Base => "looking up the base image",
            Self::Resolve => "resolving requirements",
            Self::Install => "installing wheels",
            Self::Pack => "packing layers",
            Self::Fetch => "fetching the base image",
            Self::Push => "sending layers",
            Self::Archive => "packing the context",
            Self::Send => "sending the context to S3",
            Self::Start => "asking CodeBuild to build it",
        }
    }
}

/// A moment of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is being done.
    pub phase: Phase,
    /// Bytes so far, where bytes are what it takes.
    pub done: u64,
    /// Bytes in all, where that is known.
    pub total: Option<u64>,
}

/// Who is told. Called from several tasks, seldom more than some hundred times a second.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Step) + Send + Sync>);

impl Progress {
    /// Tells `listener`.
    pub fn new(listener: impl Fn(Step) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Tells nobody.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn tell(&self, phase: Phase) {
        (self.0)(Step { phase, done: 0, total: None });
    }

    /// A meter for transfers of `total` bytes together.
    pub(crate) fn transfer(&self, phase: Phase, total: u64) -> Transfer {
        Transfer { progress: self.clone(), phase, total, done: Arc::default() }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress(..)")
    }
}

/// Several transfers whose bytes are counted together.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    progress: Progress,
    phase: Phase,
    total: u64,
    done: Arc<AtomicU64>,
}

impl Transfer {
    /// One of the transfers.
    pub(crate) fn meter(&self) -> Meter {
        Meter { transfer: self.clone(), own: Arc::default() }
    }
}

/// Counts the bytes of one transfer, which may start over.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    transfer: Transfer,
    own: Arc<AtomicU64>,
}

impl Meter {
    pub(crate) fn add(&self, bytes: u64) {
        self.own.fetch_add(bytes, Ordering::Relaxed);
        let done = self.transfer.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let Transfer { progress, phase, total, done: _ } = &self.transfer;
        (progress.0)(Step { phase: *phase, done, total: Some(*total) });
    }

    /// What was counted so far has to go again.
    pub(crate) fn restart(&self) {
        let own = self.own.swap(0, Ordering::Relaxed);
        self.transfer.done.fetch_sub(own, Ordering::Relaxed);
    }
}
