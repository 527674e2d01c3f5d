//! The code beside a spec, as files on this disk: what images are built from. A folder is named after the id git gave its
//! tree, so it is written once and never changes.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix::objs::tree::EntryKind;
use gix::{ObjectId, Repository};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::look::Scene;
use super::tip::told;

/// Most entries a folder of code has, with all folders in it.
const MAX_ENTRIES: usize = 20_000;
/// Most bytes its files have together.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// The folder of them, beside the mirror.
const CODE: &str = "code";

/// Writes folders of a repository's commits to this disk.
#[derive(Debug, Clone)]
pub struct Checkouts(pub(super) Arc<Scene>);

impl Checkouts {
    /// Whether the spec at `location` was read from this repository.
    pub fn holds(&self, location: &str) -> bool {
        location.strip_prefix(&self.0.address.repository().to_string()).is_some_and(|rest| rest.starts_with(':'))
    }

    /// The folder with the files of the tree `code`.
    pub async fn folder(&self, code: &str) -> Result<PathBuf, String> {
        let (scene, code) = (Arc::clone(&self.0), code.to_owned());
        let written = spawn_blocking(move || scene.code(&code)).await;
        written.unwrap_or_else(|error| Err(format!("the checkout broke off: {error}")))
    }
}

impl Scene {
    fn code(&self, code: &str) -> Result<PathBuf, String> {
        let id: ObjectId = code.parse().map_err(|_| format!("`{code}` is no tree of git's"))?;
        let home = self.folder.join(CODE);
        let folder = home.join(id.to_string());
        if folder.is_dir() {
            return Ok(folder);
        }
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
        let repository = self.here().map_err(|trouble| format!("{trouble:?}"))?;
        fs::create_dir_all(&home).map_err(|error| failed(&error))?;
        // Whole or not at all: it gets its name in the end.
        let scratch = TempDir::new_in(&home).map_err(|error| failed(&error))?;
        let mut writing = Writing { repository: &repository, entries: 0, bytes: 0 };
        writing.folder(id, scratch.path()).map_err(|error| failed(&error))?;
        match fs::rename(scratch.path(), &folder) {
            Ok(()) => drop(scratch.keep()),
            // Somebody else was quicker.
            Err(_) if folder.is_dir() => {}
            Err(error) => return Err(failed(&error)),
        }
        Ok(folder)
    }
}

struct Writing<'a> {
    repository: &'a Repository,
    entries: usize,
    bytes: u64,
}

impl Writing<'_> {
    fn folder(&mut self, tree: ObjectId, at: &Path) -> io::Result<()> {
        let tree = self.repository.find_tree(tree).map_err(|error| io::Error::other(told(&error)))?;
        for entry in tree.iter() {
            let entry = entry.map_err(|error| io::Error::other(error.to_string()))?;
            let name = std::ffi::OsStr::from_bytes(entry.filename());
            // git refuses such trees; nobody's transport need.
            if name.is_empty() || name == "." || name == ".." || name.as_bytes().contains(&b'/') {
                return Err(io::Error::other("a name in it leads elsewhere"));
            }
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(io::Error::other(format!("more than {MAX_ENTRIES} files")));
            }
            let path = at.join(name);
            match entry.mode().kind() {
                EntryKind::Tree => {
                    fs::create_dir(&path)?;
                    self.folder(entry.object_id(), &path)?;
                }
                EntryKind::Blob => fs::write(&path, self.blob(entry.object_id())?)?,
                EntryKind::BlobExecutable => {
                    fs::write(&path, self.blob(entry.object_id())?)?;
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
                }
                // Whoever reads the folder does not follow links out of it.
                EntryKind::Link => {
                    let target = self.blob(entry.object_id())?;
                    symlink(std::ffi::OsStr::from_bytes(&target), &path)?;
                }
                // A submodule's files are in another repository.
                EntryKind::Commit => {}
            }
        }
        Ok(())
    }

    fn blob(&mut self, id: ObjectId) -> io::Result<Vec<u8>> {
        let size = self.repository.find_header(id).map_err(|error| io::Error::other(told(&error)))?.size();
        self.bytes += size;
        if self.bytes > MAX_BYTES {
            return Err(io::Error::other(format!("more than {MAX_BYTES} bytes")));
        }
        let blob = self.repository.find_blob(id).map_err(|error| io::Error::other(told(&error)))?;
        Ok(blob.detach().data)
    }
}
