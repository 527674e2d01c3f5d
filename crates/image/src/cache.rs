//! What is kept on this machine: blobs by digest, and what requirements were resolved to. All of it can be made again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

use crate::error::Error;
use crate::hash;
use crate::oci::{Descriptor, Document, MANIFEST};

/// How much is kept, in bytes: beyond it what was used longest ago goes.
const ROOM: u64 = 4 * 1024 * 1024 * 1024;

/// A folder of things that may vanish.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder for what is not whole yet.
    pub(crate) fn scratch(&self) -> Result<PathBuf, Error> {
        self.made("scratch")
    }

    fn made(&self, name: &str) -> Result<PathBuf, Error> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).map_err(|error| Error::local(&folder, error))?;
        Ok(folder)
    }

    /// Where the blob is, if it is here.
    pub(crate) fn blob(&self, digest: &str) -> Option<PathBuf> {
        let path = self.folder.join("blobs").join(plain(digest));
        // That it was used now is told to who makes room; where it cannot be, it only goes sooner.
        let used = File::options().append(true).open(&path).and_then(|file| file.set_modified(now()));
        (used.is_ok() || path.is_file()).then_some(path)
    }

    /// Where the layer is, if it is here whole.
    pub(crate) fn layer(&self, layer: &Descriptor) -> Option<PathBuf> {
        let path = self.blob(&layer.digest)?;
        fs::metadata(&path).is_ok_and(|metadata| metadata.len() == layer.size).then_some(path)
    }

    /// Keeps the file `from` as the blob of this digest.
    pub(crate) fn keep(&self, digest: &str, from: NamedTempFile) -> Result<PathBuf, Error> {
        let folder = self.made("blobs")?;
        let path = folder.join(plain(digest));
        from.persist(&path).map_err(|error| Error::local(&path, error.error))?;
        make_room(&folder, ROOM, &path);
        Ok(path)
    }

    /// A small blob, by its digest.
    pub(crate) fn document(&self, digest: &str) -> Option<Vec<u8>> {
        // What a full disk cut off is not there.
        fs::read(self.blob(digest)?).ok().filter(|bytes| hash::of(bytes) == digest)
    }

    /// A manifest that is kept, unless it is a list of several.
    pub(crate) fn manifest(&self, digest: &str) -> Option<Document> {
        let bytes = self.document(digest)?;
        let manifest: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        manifest.get("config")?;
        let media_type = manifest.get("mediaType").and_then(serde_json::Value::as_str).unwrap_or(MANIFEST);
        Some(Document { descriptor: Descriptor::of(media_type, &bytes), bytes })
    }

    /// Keeps a small blob. Not being able to is no failure.
    pub(crate) fn keep_document(&self, bytes: &[u8]) {
        let kept = self.scratch().and_then(|scratch| write(&scratch, bytes));
        if let Err(error) = kept.and_then(|file| self.keep(&hash::of(bytes), file)) {
            tracing::debug!(%error, "not kept");
        }
    }

    /// What is kept under `key`.
    pub(crate) fn record<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let bytes = fs::read(self.folder.join("records").join(plain(key))).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Keeps `record` under `key`. Not being able to is no failure.
    pub(crate) fn keep_record(&self, key: &str, record: &impl Serialize) {
        let kept = || -> Result<(), Error> {
            let path = self.made("records")?.join(plain(key));
            let bytes = serde_json::to_vec(record).map_err(|error| Error::local(&path, error))?;
            let file = write(&self.scratch()?, &bytes)?;
            file.persist(&path).map_err(|error| Error::local(&path, error.error)).map(drop)
        };
        if let Err(error) = kept() {
            tracing::debug!(%error, "not kept");
        }
    }
}

/// A digest as the name of a file.
fn plain(digest: &str) -> &str {
    digest.trim_start_matches("sha256:")
}

fn write(scratch: &Path, bytes: &[u8]) -> Result<NamedTempFile, Error> {
    let file = NamedTempFile::new_in(scratch).map_err(|error| Error::local(scratch, error))?;
    fs::write(file.path(), bytes).map_err(|error| Error::local(file.path(), error))?;
    Ok(file)
}

#[expect(clippy::disallowed_methods, reason = "the age of files on this disk, in this disk's time")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Removes what was used longest ago until the files of `folder` take no more than `room`; never `kept`.
fn make_room(folder: &Path, room: u64, kept: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let files = entries.flatten().filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len(), entry.path()))
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    let mut taken: u64 = files.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in files.iter().filter(|(_, _, path)| path != kept) {
        if taken <= room {
            return;
        }
        if fs::remove_file(path).is_ok() {
            taken -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tempfile::TempDir;

    #[test]
    fn room_is_made_by_what_was_used_longest_ago() {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, age) in [("old", 30), ("older", 40), ("new", 10), ("kept", 50)] {
            fs::write(path(name), [0; 10]).unwrap();
            let file = File::options().append(true).open(path(name)).unwrap();
            file.set_modified(now() - Duration::from_secs(age)).unwrap();
        }
        make_room(folder.path(), 20, &path("kept"));
        let left = ["old", "older", "new", "kept"].map(|name| path(name).exists());
        assert_eq!(left, [false, false, true, true]);
    }

    #[test]
    fn a_document_that_was_cut_off_is_not_there() {
        let folder = TempDir::new().unwrap();
        let cache = Cache::new(folder.path().to_owned());
        cache.keep_document(b"whole");
        let digest = hash::of(b"whole");
        assert_eq!(cache.document(&digest).unwrap(), b"whole");
        fs::write(cache.blob(&digest).unwrap(), b"who").unwrap();
        assert_eq!(cache.document(&digest), None);
    }
}
