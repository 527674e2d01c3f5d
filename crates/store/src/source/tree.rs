//! The files of a folder, or one file: which there are, and their bytes. Knows nothing of what they say.
//!
//! Nothing outside the root is ever read: a symbolic link is followed only while its target stays inside. A file is
//! listed once, however many links lead to it, so links in a circle end.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use fargateer_api::yaml::MAX_BYTES;
use sha2::{Digest as _, Sha256};
use walkdir::{DirEntry, WalkDir};

use super::listing::{Files, Listed, Listing, MAX_ENTRIES, MAX_FILES, Mark, Unreadable, is_hidden, is_spec, shown};

/// The folder or file people call so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disk<'a>(pub(super) &'a Path);

impl Files for Disk<'_> {
    /// Where the file really is.
    type File = PathBuf;

    fn named(&self) -> String {
        shown(self.0)
    }

    fn shown(&self, path: &Path) -> String {
        shown(path)
    }

    fn list(&self) -> Listing<PathBuf> {
        let named = self.0;
        match fs::canonicalize(named) {
            Ok(file) if file.is_file() => {
                let only = Listed { path: named.to_owned(), file };
                Listing { files: vec![only], ..Listing::new() }
            }
            Ok(root) => Walk::new(named, root).everything(),
            Err(error) => Listing::refused(unreadable(named, &error)),
        }
    }

    fn mark(&self, _file: &PathBuf) -> Option<Mark> {
        None
    }

    fn code(&self, path: &Path, context: &str) -> Option<String> {
        let root = fs::canonicalize(if self.0.is_file() { self.0.parent()? } else { self.0 }).ok()?;
        let folder = fs::canonicalize(path.parent().unwrap_or(Path::new("")).join(context)).ok()?;
        folder.starts_with(root).then(|| fingerprint(&folder))?
    }

    fn read(&self, file: &PathBuf) -> Result<Vec<u8>, Unreadable> {
        let failed = |error: io::Error| Unreadable::plain(format!("cannot be read: {error}"));
        let about = fs::metadata(file).map_err(failed)?;
        // Opening a pipe or a device may block for ever.
        if !about.is_file() {
            return Err(Unreadable::plain("not a regular file"));
        }
        let most = MAX_BYTES as u64;
        if about.len() > most {
            return Err(Unreadable::too_large(about.len()));
        }
        let mut bytes = Vec::new();
        // It may have grown since.
        File::open(file).and_then(|open| open.take(most + 1).read_to_end(&mut bytes)).map_err(failed)?;
        if bytes.len() > MAX_BYTES { Err(Unreadable::too_large(bytes.len() as u64)) } else { Ok(bytes) }
    }
}

/// A digest over names, sizes and times of what is in `folder`: content is read by who builds from it.
fn fingerprint(folder: &Path) -> Option<String> {
    let mut digest = Sha256::new();
    let walk = WalkDir::new(folder).sort_by_file_name().into_iter();
    let visible = walk.filter_entry(|entry| entry.depth() == 0 || !is_made(entry));
    for (number, entry) in visible.enumerate() {
        let entry = entry.ok().filter(|_| number < MAX_ENTRIES)?;
        let about = entry.metadata().ok()?;
        let changed = about.modified().ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        // A folder's own time moves with what a program caches in it.
        let size = if about.is_file() { about.len() } else { 0 };
        let changed = if about.is_file() { changed.as_nanos() } else { 0 };
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        digest.update(path.as_os_str().as_bytes());
        digest.update(format!("\0{size} {changed}\0"));
    }
    Some(format!("{:x}", digest.finalize()))
}

/// Whether tools made it: what Python and editors leave is no change of the code.
fn is_made(entry: &DirEntry) -> bool {
    is_hidden(name(entry.path())) || entry.file_name() == "__pycache__"
}

/// A symbolic link still to be followed.
struct Link {
    path: PathBuf,
    link: PathBuf,
}

struct Walk<'a> {
    named: &'a Path,
    root: PathBuf,
    listing: Listing<PathBuf>,
    links: VecDeque<Link>,
    /// Files and folders listed so far, by their real path.
    seen: BTreeSet<PathBuf>,
    entries: usize,
}

impl<'a> Walk<'a> {
    fn new(named: &'a Path, root: PathBuf) -> Self {
        let listing = Listing::new();
        Self { named, root, listing, links: VecDeque::new(), seen: BTreeSet::new(), entries: 0 }
    }

    /// First what is really there, then what links lead to: a file is known by its own name where it has one.
    fn everything(mut self) -> Listing<PathBuf> {
        let mut within = self.folder(&self.root.clone(), self.named);
        while let (true, Some(link)) = (within, self.links.pop_front()) {
            within = self.follow(&link);
        }
        if !within {
            return Listing::too_long(&shown(self.named));
        }
        self.listing.files.sort_by(|one, other| one.path.cmp(&other.path));
        self.listing
    }

    /// Lists the real folder `folder`, which people see as `path`. False when a limit is reached.
    fn folder(&mut self, folder: &Path, path: &Path) -> bool {
        let walk = WalkDir::new(folder).sort_by_file_name();
        let mut entries = walk.into_iter().filter_entry(|entry| entry.depth() == 0 || !is_hidden(name(entry.path())));
        while let Some(entry) = entries.next() {
            self.entries += 1;
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {
                    if !self.seen.insert(entry.into_path()) {
                        entries.skip_current_dir();
                    }
                }
                Ok(entry) => self.entry(beneath(path, folder, entry.path()), entry),
                Err(error) => {
                    let at = error.path().map_or_else(|| path.to_owned(), |at| beneath(path, folder, at));
                    self.listing.fault(unreadable(&at, &io::Error::from(error)));
                }
            }
            if self.entries > MAX_ENTRIES || self.listing.files.len() > MAX_FILES {
                return false;
            }
        }
        true
    }

    fn entry(&mut self, path: PathBuf, entry: DirEntry) {
        if entry.file_type().is_symlink() {
            self.links.push_back(Link { path, link: entry.into_path() });
        } else {
            self.file(path, entry.into_path());
        }
    }

    /// Lists what a link leads to. False when a limit is reached.
    fn follow(&mut self, Link { path, link }: &Link) -> bool {
        let (target, about) = match fs::canonicalize(link).and_then(|target| Ok((fs::metadata(&target)?, target))) {
            Ok((about, target)) => (target, about),
            Err(error) => {
                self.listing.fault(unreadable(path, &error));
                return true;
            }
        };
        if !about.is_dir() && !is_spec(name(path)) {
            return true;
        }
        if !target.starts_with(&self.root) {
            let (link, target, root) = (shown(path), shown(&target), shown(self.named));
            self.listing
                .fault(format!("{link}: symbolic link to {target}, which is outside {root}; it is not followed"));
            return true;
        }
        if about.is_dir() {
            return self.folder(&target, path);
        }
        self.file(path.clone(), target);
        self.listing.files.len() <= MAX_FILES
    }

    fn file(&mut self, path: PathBuf, target: PathBuf) {
        if is_spec(name(&path)) && self.seen.insert(target.clone()) {
            self.listing.files.push(Listed { path, file: target });
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("{}: cannot be read: {error}", shown(path))
}

/// What people see of `at`, which is `folder` or lies in it, when they see `folder` as `path`.
fn beneath(path: &Path, folder: &Path, at: &Path) -> PathBuf {
    at.strip_prefix(folder).map_or_else(|_| path.to_owned(), |rest| path.join(rest))
}

/// The last part of `path`.
fn name(path: &Path) -> &[u8] {
    path.file_name().unwrap_or_default().as_encoded_bytes()
}
