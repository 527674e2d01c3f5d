//! Changes of an agent's files. Notices say when to look; what is found says whether anything changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fargateer_store::source::watch::Watch;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Where nothing is noticed, it is looked so often.
const POLL: Duration = Duration::from_secs(2);
/// What is saved in several pieces is one change.
const DEBOUNCE: Duration = Duration::from_millis(150);
/// Folders that hold no code of the agent; those whose name begins with a dot do not either.
const OTHERS: [&str; 4] = ["__pycache__", "venv", "node_modules", "build"];
/// So many files are looked at.
const FILES: usize = 10_000;

type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// The files of a folder as they were.
pub(super) struct Changes {
    folder: PathBuf,
    seen: Seen,
    changed: Arc<Notify>,
    watch: Watch,
}

impl Changes {
    pub(super) fn of(folder: &Path) -> Self {
        let changed = Arc::new(Notify::new());
        let mut watch = Watch::telling(Arc::clone(&changed));
        watch.arm(folder, DEBOUNCE);
        Self { folder: folder.to_owned(), seen: look(folder), changed, watch }
    }

    /// Waits until a file is another one than before. May be dropped and called again.
    pub(super) async fn next(&mut self) {
        loop {
            drop(timeout(POLL, self.changed.notified()).await);
            self.watch.arm(&self.folder, DEBOUNCE);
            let now = look(&self.folder);
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }
}

fn look(folder: &Path) -> Seen {
    let mut seen = Seen::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // One that went while we look is a change that the next look finds.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(kind) = entry.file_type() else { continue };
            let hidden = name.starts_with('.') || OTHERS.contains(&name.as_str());
            if kind.is_dir() && !hidden {
                folders.push(entry.path());
            } else if !kind.is_dir() && seen.len() < FILES && !is_scratch(&name) {
                let found = fs::metadata(entry.path());
                let what = found.map(|found| (found.modified().ok(), found.len())).unwrap_or_default();
                seen.insert(entry.path(), what);
            }
        }
    }
    seen
}

/// Files that editors and Python leave behind.
fn is_scratch(name: &str) -> bool {
    let endings = ["~", ".pyc", ".swp", ".swx", ".tmp"];
    endings.iter().any(|ending| name.ends_with(ending)) || name.starts_with(".#") || name == "4913"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_saved_file_is_a_change_and_what_tools_leave_behind_is_none() {
        let folder = tempfile::TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("agent.py"), "one").unwrap();
        let mut changes = Changes::of(folder.path());
        for name in ["__pycache__", ".git"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("x"), "x").unwrap();
        }
        fs::write(at("agent.py~"), "x").unwrap();
        assert_eq!(look(folder.path()), changes.seen);
        fs::write(at("agent.py"), "other").unwrap();
        timeout(Duration::from_mins(1), changes.next()).await.unwrap();
        fs::create_dir(at("tools")).unwrap();
        fs::write(at("tools/new.py"), "").unwrap();
        timeout(Duration::from_mins(1), changes.next()).await.unwrap();
    }
}
