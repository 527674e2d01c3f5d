//! Which files a source has, and their bytes. Knows nothing of what they say.
//!
//! Nothing outside the root is ever read: a symbolic link is followed only while its target stays inside. A file is
//! listed once, however many links lead to it, so links in a circle end.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fargateer_api::yaml::MAX_BYTES;
use walkdir::{DirEntry, WalkDir};

/// Most files a source may have.
const MAX_FILES: usize = 10_000;
/// Most entries of any kind looked at.
const MAX_ENTRIES: usize = 200_000;

/// What a source consists of.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The files with specs, sorted by the path people see.
    pub(super) files: Vec<Listed>,
    /// What could not be listed.
    pub(super) faults: Vec<String>,
    /// Whether nothing was left out.
    pub(super) complete: bool,
}

/// A file to read.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listed {
    /// The path as people see it: what they called the source, and the way from there.
    pub(super) path: PathBuf,
    /// Where it really is.
    target: PathBuf,
}

/// Lists the files of the source people call `named`: a folder, or one file.
pub(super) fn list(named: &Path) -> Tree {
    match fs::canonicalize(named) {
        Ok(file) if file.is_file() => {
            Tree { files: vec![Listed { path: named.to_owned(), target: file }], faults: Vec::new(), complete: true }
        }
        Ok(root) => Walk::new(named, root).everything(),
        Err(error) => Tree::refused(unreadable(named, &error)),
    }
}

/// The bytes of a file, or why there are none. Never holds more than the largest file allowed.
pub(super) fn read(file: &Listed) -> Result<Vec<u8>, Unreadable> {
    let plain = |problem: String| Unreadable { problem, hint: None };
    let failed = |error: io::Error| plain(format!("cannot be read: {error}"));
    let too_large = |size: u64| Unreadable {
        problem: format!("file of {size} bytes is too large"),
        hint: Some(format!("at most {MAX_BYTES} bytes; split it")),
    };
    let about = fs::metadata(&file.target).map_err(failed)?;
    // Opening a pipe or a device may block for ever.
    if !about.is_file() {
        return Err(plain("not a regular file".to_owned()));
    }
    let most = MAX_BYTES as u64;
    if about.len() > most {
        return Err(too_large(about.len()));
    }
    let mut bytes = Vec::new();
    // It may have grown since.
    File::open(&file.target).and_then(|open| open.take(most + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() > MAX_BYTES { Err(too_large(bytes.len() as u64)) } else { Ok(bytes) }
}

/// Why a file could not be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// What is wrong.
    pub(super) problem: String,
    /// What would be right.
    pub(super) hint: Option<String>,
}

/// A path for people: without the control characters a file name may have.
pub(super) fn shown(path: &Path) -> String {
    let plain = |character: char| {
        if character.is_control() { character.escape_default().to_string() } else { character.to_string() }
    };
    path.to_string_lossy().chars().map(plain).collect()
}

impl Tree {
    /// Nothing, because of `fault`.
    pub(super) fn refused(fault: String) -> Self {
        Self { faults: vec![fault], ..Self::default() }
    }
}

/// A symbolic link still to be followed.
struct Link {
    path: PathBuf,
    link: PathBuf,
}

struct Walk<'a> {
    named: &'a Path,
    root: PathBuf,
    tree: Tree,
    links: VecDeque<Link>,
    /// Files and folders listed so far, by their real path.
    seen: BTreeSet<PathBuf>,
    entries: usize,
}

impl<'a> Walk<'a> {
    fn new(named: &'a Path, root: PathBuf) -> Self {
        let tree = Tree { complete: true, ..Tree::default() };
        Self { named, root, tree, links: VecDeque::new(), seen: BTreeSet::new(), entries: 0 }
    }

    /// First what is really there, then what links lead to: a file is known by its own name where it has one.
    fn everything(mut self) -> Tree {
        let mut within = self.folder(&self.root.clone(), self.named);
        while let (true, Some(link)) = (within, self.links.pop_front()) {
            within = self.follow(&link);
        }
        if !within {
            let most = format!("at most {MAX_FILES} files with specs and {MAX_ENTRIES} entries in all");
            return Tree::refused(format!("{}: too many files ({most})", shown(self.named)));
        }
        self.tree.files.sort();
        self.tree
    }

    /// Lists the real folder `folder`, which people see as `path`. False when a limit is reached.
    fn folder(&mut self, folder: &Path, path: &Path) -> bool {
        let walk = WalkDir::new(folder).sort_by_file_name();
        let mut entries = walk.into_iter().filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry));
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
                    self.fault(unreadable(&at, &io::Error::from(error)));
                }
            }
            if self.entries > MAX_ENTRIES || self.tree.files.len() > MAX_FILES {
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
                self.fault(unreadable(path, &error));
                return true;
            }
        };
        if !about.is_dir() && !is_spec(path) {
            return true;
        }
        if !target.starts_with(&self.root) {
            let (link, target, root) = (shown(path), shown(&target), shown(self.named));
            self.fault(format!("{link}: symbolic link to {target}, which is outside {root}; it is not followed"));
            return true;
        }
        if about.is_dir() {
            return self.folder(&target, path);
        }
        self.file(path.clone(), target);
        self.tree.files.len() <= MAX_FILES
    }

    fn file(&mut self, path: PathBuf, target: PathBuf) {
        if is_spec(&path) && self.seen.insert(target.clone()) {
            self.tree.files.push(Listed { path, target });
        }
    }

    fn fault(&mut self, fault: String) {
        self.tree.faults.push(fault);
        self.tree.complete = false;
    }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("{}: cannot be read: {error}", shown(path))
}

/// What people see of `at`, which is `folder` or lies in it, when they see `folder` as `path`.
fn beneath(path: &Path, folder: &Path, at: &Path) -> PathBuf {
    at.strip_prefix(folder).map_or_else(|_| path.to_owned(), |rest| path.join(rest))
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// Whether a file of this name has specs.
fn is_spec(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let known = [&b".yaml"[..], b".yml", b".json"].iter().any(|end| name.ends_with(end));
    known && !name.ends_with(b".schema.json")
}
