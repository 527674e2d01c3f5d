//! Notices that files change. Only makes a source quicker: without it, or where it notices nothing (network file
//! systems), polling finds the same changes later.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use notify::event::{EventKind, ModifyKind};
use notify::{Config, ErrorKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};
use tokio::sync::Notify;

/// The watch over one source.
#[derive(Debug, Default)]
pub struct Watch {
    changed: Arc<Notify>,
    armed: Option<Armed>,
    /// It failed for good, and that was told.
    off: bool,
}

#[derive(Debug)]
struct Armed {
    root: PathBuf,
    /// The root itself was moved or removed: what stands in its place is not watched.
    lost: Arc<AtomicBool>,
    _debouncer: Debouncer<RecommendedWatcher, NoCache>,
}

impl Watch {
    /// A watch that tells `changed`.
    pub fn telling(changed: Arc<Notify>) -> Self {
        Self { changed, ..Self::default() }
    }

    /// Watches what `named` leads to now, if it does not already. Blocks; to be called before a read, so that nothing
    /// that happens after the read is missed.
    pub fn arm(&mut self, named: &Path, debounce: Duration) {
        let Ok(root) = fs::canonicalize(named) else {
            self.armed = None;
            return;
        };
        let holds = |armed: &Armed| armed.root == root && !armed.lost.load(Ordering::Acquire);
        if self.off || self.armed.as_ref().is_some_and(holds) {
            return;
        }
        self.armed = None;
        match start(root, debounce, Arc::clone(&self.changed)) {
            Ok(armed) => self.armed = Some(armed),
            // It went while we looked: the next read tries again.
            Err(error) if matches!(error.kind, ErrorKind::PathNotFound) => {}
            Err(error) => {
                self.off = true;
                let source = named.display().to_string();
                tracing::warn!(source, %error, "source cannot be watched; it is polled only");
            }
        }
    }
}

fn start(root: PathBuf, debounce: Duration, changed: Arc<Notify>) -> notify::Result<Armed> {
    let lost = Arc::new(AtomicBool::new(false));
    let (flag, watched) = (Arc::clone(&lost), root.clone());
    let tell = move |result: DebounceEventResult| {
        let (any, gone) = match &result {
            Ok(events) => (
                // Our own reads are events, too.
                events.iter().any(|event| !matches!(event.kind, EventKind::Access(_))),
                events.iter().any(|event| moves(event.kind) && event.paths.contains(&watched)),
            ),
            // Events were lost: something changed.
            Err(_) => (true, false),
        };
        if gone {
            flag.store(true, Ordering::Release);
        }
        if any {
            changed.notify_one();
        }
    };
    // Links are followed within the root only, where their targets are watched anyway.
    let config = Config::default().with_follow_symlinks(false);
    let mut debouncer = new_debouncer_opt::<_, RecommendedWatcher, _>(debounce, None, tell, NoCache, config)?;
    // A file is watched by its folder: editors put a new file in the place of the old one.
    match root.parent().filter(|_| root.is_file()) {
        Some(folder) => debouncer.watch(folder, RecursiveMode::NonRecursive)?,
        None => debouncer.watch(&root, RecursiveMode::Recursive)?,
    }
    Ok(Armed { root, lost, _debouncer: debouncer })
}

fn moves(kind: EventKind) -> bool {
    matches!(kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)))
}
