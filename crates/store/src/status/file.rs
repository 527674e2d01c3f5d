//! Statuses as files, `<folder>/<agent>.json`: readable for people, whole after a crash, for one process at a time.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use fargateer_api::{AgentDeploymentStatus, Key};
use fargateer_controller::port::Statuses;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::task::spawn_blocking;

/// The file whose lock says that a process uses the folder.
const LOCK: &str = ".lock";
/// How the name of a file being written ends; left over by a crash, it is removed at the next start.
const UNFINISHED: &str = ".tmp";

/// Statuses in a folder.
#[derive(Debug)]
pub struct FileStatuses {
    folder: Arc<Folder>,
}

/// Why a folder cannot keep statuses.
#[derive(Debug, Error)]
pub enum Error {
    /// Another process keeps its statuses there.
    #[error("state folder {} is in use by another fargateer", .0.display())]
    InUse(PathBuf),
    /// The folder cannot be made or written to.
    #[error("state folder {} cannot be written to", .0.display())]
    Unwritable(PathBuf, #[source] io::Error),
    /// Its file system has no locks, so two processes could use it at once.
    #[error("state folder {} cannot be locked", .0.display())]
    Unlockable(PathBuf, #[source] io::Error),
}

impl FileStatuses {
    /// The statuses in `folder`, which is made if it is missing and is ours until this value is dropped. Blocks.
    pub fn open(folder: PathBuf) -> Result<Self, Error> {
        let lock = match lock(&folder) {
            Ok(lock) => lock,
            Err(error) => return Err(Error::Unwritable(folder, error)),
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(folder)),
            Err(TryLockError::Error(error)) => return Err(Error::Unlockable(folder, error)),
        }
        let folder = Folder { path: folder, writes: AtomicU64::new(0), _lock: lock };
        match folder.tidy() {
            Ok(()) => Ok(Self { folder: Arc::new(folder) }),
            Err(error) => Err(Error::Unwritable(folder.path.clone(), error)),
        }
    }

    /// Runs `work` where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let folder = Arc::clone(&self.folder);
        let done = spawn_blocking(move || work(&folder)).await;
        let place = self.folder.path.display();
        match done {
            Ok(done) => done.map_err(|error| format!("state folder {place}: {error}")),
            Err(error) => Err(format!("state folder {place}: {error}")),
        }
    }
}

#[async_trait]
impl Statuses for FileStatuses {
    async fn load(&self) -> Result<BTreeMap<Key, AgentDeploymentStatus>, String> {
        self.blocking(Folder::load).await
    }

    async fn save(&self, key: &Key, status: &AgentDeploymentStatus) -> Result<(), String> {
        // Nothing can have been made of what has no name an agent may have: there is nothing to remember.
        let Ok(name) = file_name(key) else { return Ok(()) };
        let document = Document::of(key, status.clone());
        self.blocking(move |folder| folder.write(&name, &document)).await
    }

    async fn remove(&self, key: &Key) -> Result<(), String> {
        let Ok(name) = file_name(key) else { return Ok(()) };
        self.blocking(move |folder| folder.remove(&name)).await
    }
}

/// What a file says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: String,
    kind: String,
    name: Key,
    status: AgentDeploymentStatus,
}

impl Document {
    const API_VERSION: &str = "fargateer/v1";
    const KIND: &str = "AgentDeploymentStatus";

    fn of(key: &Key, status: AgentDeploymentStatus) -> Self {
        let (api_version, kind) = (Self::API_VERSION.to_owned(), Self::KIND.to_owned());
        Self { api_version, kind, name: key.clone(), status }
    }

    /// The document in `bytes`, found in the file `name`.
    fn read(name: &str, bytes: &[u8]) -> Result<Self, String> {
        let document: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if document.api_version != Self::API_VERSION || document.kind != Self::KIND {
            return Err(format!("neither {} nor {}", Self::API_VERSION, Self::KIND));
        }
        match file_name(&document.name) {
            Ok(own) if own == name => Ok(document),
            Ok(_) | Err(_) => Err(format!("the status of {}", document.name)),
        }
    }
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    writes: AtomicU64,
    _lock: File,
}

impl Folder {
    /// Removes what a crash left half-written, and finds out whether the folder can be written to at all.
    fn tidy(&self) -> io::Result<()> {
        for name in self.names()? {
            if name.starts_with('.') && name.ends_with(UNFINISHED) {
                fs::remove_file(self.path.join(name))?;
            }
        }
        let probe = self.path.join(format!(".probe{UNFINISHED}"));
        File::create(&probe)?;
        fs::remove_file(probe)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.path)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn load(&self) -> io::Result<BTreeMap<Key, AgentDeploymentStatus>> {
        let mut statuses = BTreeMap::new();
        for name in self.names()? {
            let path = self.path.join(&name);
            if name.starts_with('.') || name.strip_suffix(".json").is_none() || !path.is_file() {
                continue;
            }
            match Document::read(&name, &fs::read(&path)?) {
                Ok(document) => {
                    statuses.insert(document.name, document.status);
                }
                Err(error) => self.set_aside(&name, &error)?,
            }
        }
        Ok(statuses)
    }

    /// A file we cannot understand is kept for people and no longer looked at.
    fn set_aside(&self, name: &str, error: &str) -> io::Result<()> {
        let aside = format!("{name}.corrupt");
        tracing::warn!(file = name, renamed = aside, error, "status file is corrupt; set aside");
        fs::rename(self.path.join(name), self.path.join(aside))
    }

    /// Writes a file so that after a crash either the old or the new one is there, whole.
    fn write(&self, name: &str, document: &Document) -> io::Result<()> {
        let write = self.writes.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.path.join(format!(".{name}.{write}{UNFINISHED}"));
        let mut text = serde_json::to_vec_pretty(document)?;
        text.push(b'\n');
        let written = put(&unfinished, &text).and_then(|()| fs::rename(&unfinished, self.path.join(name)));
        if written.is_err() {
            // What is left over is removed at the next start at the latest.
            fs::remove_file(&unfinished).ok();
        }
        written.and_then(|()| self.sync())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => self.sync(),
        }
    }

    /// Makes renames and removals last.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

fn lock(folder: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK))
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The file of an agent. Only what is a DNS label becomes a file name, so none leads out of the folder.
fn file_name(key: &Key) -> Result<String, String> {
    let name = key.as_str();
    if super::is_agents(key) {
        return Ok(format!("{name}.json"));
    }
    Err(format!("no file for the status of {name:?}: not a DNS label"))
}
