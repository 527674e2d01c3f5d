//! The files of a commit, without a work tree: trees and blobs are read as they are asked for. Nothing outside the path that
//! was named is read, symbolic links end where the commit ends, and what git does not keep itself is told.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use fargateer_api::yaml::MAX_BYTES;
use gix::objs::tree::EntryKind;
use gix::{ObjectId, Repository};

use super::super::listing::{
    self, Files, Listed, Listing, MAX_ENTRIES, MAX_FILES, Mark, Unreadable, is_hidden, is_spec,
};
use super::super::reading::Revision;
use super::address::GitAddress;
use super::tip::{Trouble, short, told};

/// Most bytes the target of a symbolic link has.
const LONGEST_LINK: u64 = 4096;
/// Most symbolic links on the way to one file.
const MOST_LINKS: usize = 40;

/// A commit, as the files it has.
#[derive(Debug)]
pub(super) struct Checkout<'a> {
    repository: &'a Repository,
    address: &'a GitAddress,
    commit: ObjectId,
    tree: ObjectId,
    revision: Revision,
}

/// Something in a tree.
#[derive(Debug, Clone)]
struct Found {
    /// Where it really is.
    path: PathBuf,
    kind: EntryKind,
    id: ObjectId,
}

impl<'a> Checkout<'a> {
    /// The files of `commit`.
    pub(super) fn of(repository: &'a Repository, address: &'a GitAddress, commit: ObjectId) -> Result<Self, Trouble> {
        let failed = |error: gix::Error| {
            let (at, commit) = (address.repository(), short(commit));
            Trouble::Passing(format!("{at}: commit {commit} cannot be read: {}", told(&error)))
        };
        let found = repository.find_object(commit).map_err(failed)?;
        let not_one = || Trouble::Standing(format!("{}: {} is no commit", address.repository(), short(commit)));
        let found = found.try_into_commit().map_err(|_| not_one())?;
        let tree = found.tree_id().map_err(failed)?.detach();
        let author = found.author().map_err(failed)?;
        let author = fargateer_api::visible(&format!("{} <{}>", author.name, author.email));
        let revision = Revision { commit: commit.to_string(), author };
        Ok(Self { repository, address, commit, tree, revision })
    }

    /// What the address's path leads to, if anything.
    fn root(&self) -> gix::Result<Option<Found>> {
        self.resolve(&self.address.path)
    }

    /// What `path`, free of `..`, leads to; symbolic links on the way are followed within the commit.
    fn resolve(&self, path: &Path) -> gix::Result<Option<Found>> {
        let mut open: VecDeque<PathBuf> = path.iter().map(PathBuf::from).collect();
        let top = Found { path: PathBuf::new(), kind: EntryKind::Tree, id: self.tree };
        let (mut at, mut links) = (vec![top], 0);
        while let Some(name) = open.pop_front() {
            if name.as_os_str() == ".." {
                // Above the root there is nothing of the commit.
                if at.len() == 1 {
                    return Ok(None);
                }
                at.pop();
                continue;
            }
            let Some(here) = at.last().filter(|here| here.kind == EntryKind::Tree) else { return Ok(None) };
            let Some(found) = self.entry(here, name.as_os_str())? else { return Ok(None) };
            if found.kind != EntryKind::Link {
                at.push(found);
                continue;
            }
            links += 1;
            let target = self.target(found.id)?.filter(|target| target.is_relative() && links <= MOST_LINKS);
            let Some(target) = target else { return Ok(None) };
            for component in target.components().rev().filter(|component| *component != Component::CurDir) {
                open.push_front(PathBuf::from(component.as_os_str()));
            }
        }
        Ok(at.pop())
    }

    fn entry(&self, folder: &Found, name: &OsStr) -> gix::Result<Option<Found>> {
        let tree = self.repository.find_tree(folder.id)?;
        for entry in tree.iter() {
            let entry = entry?;
            if entry.filename() == name.as_bytes() {
                let path = folder.path.join(name);
                return Ok(Some(Found { path, kind: entry.mode().kind(), id: entry.object_id() }));
            }
        }
        Ok(None)
    }

    /// Where a symbolic link leads to; none, when it is longer than any path.
    fn target(&self, link: ObjectId) -> gix::Result<Option<PathBuf>> {
        if self.repository.find_header(link)?.size() > LONGEST_LINK {
            return Ok(None);
        }
        let blob = self.repository.find_blob(link)?;
        Ok(Some(PathBuf::from(OsStr::from_bytes(&blob.data))))
    }
}

impl Files for Checkout<'_> {
    /// The blob.
    type File = ObjectId;

    fn named(&self) -> String {
        self.address.to_string()
    }

    fn shown(&self, path: &Path) -> String {
        format!("{}:{}", self.address.repository(), listing::shown(path))
    }

    fn list(&self) -> Listing<ObjectId> {
        let (path, commit) = (listing::shown(&self.address.path), short(self.commit));
        match self.root() {
            Ok(Some(root)) => Walk::new(self).everything(&root),
            Ok(None) => Listing::refused(format!("{}: commit {commit} has no {path}", self.address.repository())),
            Err(error) => Listing::refused(format!("{}: {}", self.shown(&self.address.path), told(&error))),
        }
    }

    fn mark(&self, blob: &ObjectId) -> Option<Mark> {
        blob.as_slice().try_into().ok().map(Mark::Blob)
    }

    fn read(&self, blob: &ObjectId) -> Result<Vec<u8>, Unreadable> {
        let failed = |error: gix::Error| Unreadable::plain(format!("cannot be read: {}", told(&error)));
        let size = self.repository.find_header(*blob).map_err(failed)?.size();
        if size > MAX_BYTES as u64 {
            return Err(Unreadable::too_large(size));
        }
        Ok(self.repository.find_blob(*blob).map_err(failed)?.take_data())
    }

    fn code(&self, path: &Path, context: &str) -> Option<String> {
        let beside = path.parent().unwrap_or(Path::new("")).join(context);
        let plain: PathBuf = beside.components().filter(|component| *component != Component::CurDir).collect();
        let found = self.resolve(&plain).ok().flatten()?;
        (found.kind == EntryKind::Tree).then(|| found.id.to_string())
    }

    fn revision(&self) -> Option<Revision> {
        Some(self.revision.clone())
    }
}

struct Walk<'a> {
    checkout: &'a Checkout<'a>,
    listing: Listing<ObjectId>,
    /// Symbolic links still to be followed, by the path people see.
    links: VecDeque<(PathBuf, Found)>,
    /// Files and folders listed so far, by their real path.
    seen: BTreeSet<PathBuf>,
    entries: usize,
}

impl<'a> Walk<'a> {
    fn new(checkout: &'a Checkout<'a>) -> Self {
        Self { checkout, listing: Listing::new(), links: VecDeque::new(), seen: BTreeSet::new(), entries: 0 }
    }

    /// First what is really there, then what links lead to: a file is known by its own name where it has one.
    fn everything(mut self, root: &Found) -> Listing<ObjectId> {
        let named = &self.checkout.address.path;
        match root.kind {
            EntryKind::Tree => {
                let mut within = self.folder(named.clone(), root);
                while let (true, Some((path, link))) = (within, self.links.pop_front()) {
                    within = self.follow(path, &link, root);
                }
                if !within {
                    return Listing::too_long(&self.checkout.named());
                }
            }
            // Whoever names a file means it, whatever its name.
            EntryKind::Blob | EntryKind::BlobExecutable => {
                self.listing.files.push(Listed { path: named.clone(), file: root.id });
            }
            EntryKind::Commit | EntryKind::Link => self.submodule(named),
        }
        self.listing.files.sort_by(|one, other| one.path.cmp(&other.path));
        self.listing
    }

    /// Lists `folder`, which people see as `path`. False when a limit is reached.
    fn folder(&mut self, path: PathBuf, folder: &Found) -> bool {
        let mut open = vec![(path, folder.clone())];
        while let Some((path, folder)) = open.pop() {
            if !self.seen.insert(folder.path.clone()) {
                continue;
            }
            let entries = match self.entries(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    let shown = self.checkout.shown(&path);
                    self.listing.fault(format!("{shown}: cannot be read: {}", told(&error)));
                    continue;
                }
            };
            for (name, found) in entries {
                let path = path.join(&name);
                self.entries += 1;
                match found.kind {
                    EntryKind::Tree => open.push((path, found)),
                    EntryKind::Blob | EntryKind::BlobExecutable => self.file(path, &name, found),
                    EntryKind::Link => self.links.push_back((path, found)),
                    EntryKind::Commit => self.submodule(&path),
                }
                if self.entries > MAX_ENTRIES || self.listing.files.len() > MAX_FILES {
                    return false;
                }
            }
        }
        true
    }

    /// What is visible in `folder`, with its name.
    fn entries(&self, folder: &Found) -> gix::Result<Vec<(PathBuf, Found)>> {
        let tree = self.checkout.repository.find_tree(folder.id)?;
        let mut entries = Vec::new();
        for entry in tree.iter() {
            let entry = entry?;
            if !is_hidden(entry.filename()) {
                let name = PathBuf::from(OsStr::from_bytes(entry.filename()));
                let path = folder.path.join(&name);
                entries.push((name, Found { path, kind: entry.mode().kind(), id: entry.object_id() }));
            }
        }
        Ok(entries)
    }

    fn file(&mut self, path: PathBuf, name: &Path, found: Found) {
        if is_spec(name.as_os_str().as_bytes()) && self.seen.insert(found.path) {
            self.listing.files.push(Listed { path, file: found.id });
        }
    }

    /// Lists what a link leads to. False when a limit is reached.
    fn follow(&mut self, path: PathBuf, link: &Found, root: &Found) -> bool {
        let shown = self.checkout.shown(&path);
        let found = match self.checkout.resolve(&link.path) {
            Ok(found) => found,
            Err(error) => {
                self.listing.fault(format!("{shown}: cannot be read: {}", told(&error)));
                return true;
            }
        };
        let name = PathBuf::from(path.file_name().unwrap_or_default());
        let is_spec = is_spec(name.as_os_str().as_bytes());
        match found {
            Some(found) if found.kind == EntryKind::Tree || is_spec => {
                if !found.path.starts_with(&root.path) {
                    let (to, root) = (listing::shown(&found.path), listing::shown(&root.path));
                    self.listing
                        .fault(format!("{shown}: symbolic link to {to}, which is outside {root}; it is not followed"));
                } else if found.kind == EntryKind::Tree {
                    return self.folder(path, &found);
                } else {
                    self.file(path, &name, found);
                }
            }
            None if is_spec => {
                self.listing.fault(format!("{shown}: symbolic link to nothing in the commit; it is not followed"));
            }
            Some(_) | None => {}
        }
        self.listing.files.len() <= MAX_FILES
    }

    fn submodule(&mut self, path: &Path) {
        let shown = self.checkout.shown(path);
        self.listing.fault(format!(
            "{shown}: a submodule is not read, so nothing is deleted (name a folder beside it, or its own repository as a source)"
        ));
    }
}
