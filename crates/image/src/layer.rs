//! Layers: tar archives packed with gzip, the same bytes from the same files on any machine.
//!
//! Names in order, every parent folder once, all times 1970, all owners root, modes 0644 or 0755. Whatever a file's time,
//! owner or exact mode is here says nothing about what it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};
use tar::{EntryType, Header};
use tempfile::NamedTempFile;

use crate::error::{Cause, Error};
use crate::hash::Hashing;
use crate::oci::{Descriptor, LAYER};

/// How hard gzip tries: its own default, which every cost here was measured with.
const LEVEL: u32 = 6;

/// What a layer is made of, by path; without a leading `/`.
#[derive(Debug, Default)]
pub(crate) struct Files(BTreeMap<String, Source>);

/// Where the content of an entry comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A file of this machine, which must have this digest where one is given.
    Disk { path: PathBuf, executable: bool, digest: Option<String> },
    /// These bytes.
    Bytes { bytes: Vec<u8>, executable: bool },
    /// A symbolic link.
    Link(String),
}

impl Files {
    /// Puts an entry at `path`, in place of what was there.
    pub(crate) fn put(&mut self, path: impl Into<String>, source: Source) {
        self.0.insert(path.into(), source);
    }

    /// The entries in the order of their paths.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.0.iter().map(|(path, source)| (path.as_str(), source))
    }

    /// A file of `bytes` that nobody executes.
    pub(crate) fn text(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.put(path, Source::Bytes { bytes: bytes.into(), executable: false });
    }
}

/// What a layer is, apart from its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Layer {
    /// The packed layer, as a manifest names it.
    pub(crate) descriptor: Descriptor,
    /// The digest of the unpacked archive, as an image's configuration names it.
    pub(crate) diff_id: String,
}

/// A layer with its bytes in a file that goes when this does.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) layer: Layer,
    pub(crate) file: NamedTempFile,
}

/// Packs `files` into a new file in the folder `scratch`. Blocks.
pub(crate) fn pack(files: &Files, scratch: &Path) -> Result<Packed, Error> {
    let file = NamedTempFile::new_in(scratch).map_err(|error| Error::local(scratch, error))?;
    let packed = Hashing::new(BufWriter::new(file.as_file()));
    // No name, no time, and 255 ("unknown") for the system: what GzBuilder writes by itself differs by system.
    let gzip = GzBuilder::new().mtime(0).operating_system(255).write(packed, Compression::new(LEVEL));
    let written = archive(files, Hashing::new(gzip))?;
    let finished = || {
        let (gzip, diff_id, _) = written.finish();
        let (mut writer, digest, size) = gzip.finish()?.finish();
        writer.flush()?;
        Ok(Layer { descriptor: Descriptor::new(LAYER, digest, size), diff_id })
    };
    let layer = finished().map_err(|error: io::Error| Error::local(scratch, error))?;
    Ok(Packed { layer, file })
}

/// Writes `files` as a tar archive. Blocks.
pub(crate) fn archive<W: Write>(files: &Files, writer: W) -> Result<W, Error> {
    let mut archive = tar::Builder::new(writer);
    let mut folder = String::new();
    let fault = |path: &str, error: io::Error| Error::new(Cause::Local, format!("{path}: {error}"));
    for (path, source) in &files.0 {
        parents(&mut archive, &folder, path).map_err(|error| fault(path, error))?;
        folder = path.rsplit_once('/').map_or_else(String::new, |(folder, _)| folder.to_owned());
        append(&mut archive, path, source)?;
    }
    archive.into_inner().map_err(|error| fault("archive", error))
}

/// The folders of `path` that are not those of `before`, which was the path before it in the same order.
fn parents<W: Write>(archive: &mut tar::Builder<W>, before: &str, path: &str) -> io::Result<()> {
    for (end, _) in path.match_indices('/') {
        let folder = path.get(..end).unwrap_or_default();
        let known = before == folder || before.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        if !known {
            archive.append_data(&mut header(EntryType::Directory, 0o755, 0), format!("{folder}/"), io::empty())?;
        }
    }
    Ok(())
}

fn append<W: Write>(archive: &mut tar::Builder<W>, path: &str, source: &Source) -> Result<(), Error> {
    let mode = |executable: bool| if executable { 0o755 } else { 0o644 };
    let written = match source {
        Source::Link(target) => archive.append_link(&mut header(EntryType::Symlink, 0o777, 0), path, target),
        Source::Bytes { bytes, executable } => {
            let mut header = header(EntryType::Regular, mode(*executable), bytes.len() as u64);
            archive.append_data(&mut header, path, bytes.as_slice())
        }
        Source::Disk { path: place, executable, digest } => {
            let file = File::open(place).map_err(|error| Error::local(place, error))?;
            let size = file.metadata().map_err(|error| Error::local(place, error))?.len();
            let mut reading = Reading { file, hashing: Hashing::new(io::sink()) };
            let written =
                archive.append_data(&mut header(EntryType::Regular, mode(*executable), size), path, &mut reading);
            let (_, found, read) = reading.hashing.finish();
            if read != size || digest.as_ref().is_some_and(|expected| *expected != found) {
                let message = format!("{} changed while it was read", place.display());
                return Err(Error::new(Cause::ContextChanged, message));
            }
            written
        }
    };
    written.map_err(|error| Error::new(Cause::Local, format!("{path}: {error}")))
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// Hashes what is read.
struct Reading {
    file: File,
    hashing: Hashing<io::Sink>,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hashing.write_all(buffer.get(..read).unwrap_or_default())?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    fn sample() -> Files {
        let mut files = Files::default();
        files.text("app/agent.py", "agent = 1\n");
        files.put("app/bin/run", Source::Bytes { bytes: b"#!/bin/sh\n".to_vec(), executable: true });
        files.put("app/link", Source::Link("agent.py".to_owned()));
        files.text(format!("app/{}/deep.txt", "long/".repeat(40).trim_end_matches('/')), vec![b'x'; 100_000]);
        files
    }

    /// The digest of a layer is what the whole cache stands on. If this fails, the archive or the compressor writes other
    /// bytes than before: every image that is built anew gets another digest. Do that on purpose only, with a CHANGELOG line.
    #[test]
    fn the_same_files_are_the_same_bytes_for_ever() {
        let scratch = TempDir::new().unwrap();
        let packed = pack(&sample(), scratch.path()).unwrap();
        let Layer { descriptor, diff_id } = &packed.layer;
        assert_eq!(diff_id, "sha256:73fbd3120975f86ca0100d684b081e95207f7d11d1f234e5e28632c3531f9da1");
        assert_eq!(descriptor.digest, "sha256:b8c3077acaced514fad5c940fea46ce2e985adb95b630790336737bcb95c5dd3");
        let bytes = fs::read(packed.file.path()).unwrap();
        assert_eq!(descriptor.digest, crate::hash::of(&bytes));
        assert_eq!(descriptor.size, bytes.len() as u64);
        assert_eq!(&bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    }

    #[test]
    fn every_parent_stands_once_before_what_is_in_it() {
        let scratch = TempDir::new().unwrap();
        let mut files = Files::default();
        for path in ["a/b/c.py", "a/b.py", "a/b/d/e.py", "ab/c.py", "top.py"] {
            files.text(path, "");
        }
        let packed = pack(&files, scratch.path()).unwrap();
        let unpacked = flate2::read::GzDecoder::new(File::open(packed.file.path()).unwrap());
        let mut archive = tar::Archive::new(unpacked);
        let names =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned());
        let names: Vec<String> = names.collect();
        let expected = ["a/", "a/b.py", "a/b/", "a/b/c.py", "a/b/d/", "a/b/d/e.py", "ab/", "ab/c.py", "top.py"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_file_that_changed_since_it_was_hashed_is_told() {
        let scratch = TempDir::new().unwrap();
        let path = scratch.path().join("agent.py");
        fs::write(&path, "before").unwrap();
        let digest = Some(crate::hash::of(b"before"));
        let mut files = Files::default();
        files.put("app/agent.py", Source::Disk { path: path.clone(), executable: false, digest });
        assert!(pack(&files, scratch.path()).is_ok());
        fs::write(&path, "after!").unwrap();
        assert_eq!(pack(&files, scratch.path()).unwrap_err().cause, Cause::ContextChanged);
    }
}
