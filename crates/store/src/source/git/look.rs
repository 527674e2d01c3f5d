//! One look at a repository, from its refs to what its files say. Blocks; ends with its budget.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use gix::{ObjectId, Repository, create, open};

use super::super::reading::Reading;
use super::address::{GitAddress, Remote, Wanted};
use super::budget::Budget;
use super::checkout::Checkout;
use super::contact::{Contact, Credentials, Depth};
use super::signature::Trust;
use super::tip::{self, Descent, Good, STEPS, Tip, Trouble, short};

/// The mirror's name in our folder, and that of one being made in its place.
const MIRROR: &str = "mirror";
const NEW_MIRROR: &str = "mirror.new";
/// Packs a mirror may have before it is made anew: every push adds one.
const MOST_PACKS: usize = 40;
/// How repositories are opened: no object larger than 128 MiB is unpacked, and none is taken for another (refs/replace),
/// which anybody who may push could ask for behind a signature's back.
const CAUTION: [&str; 2] = ["gitoxide.objects.allocLimit=134217728", "core.useReplaceRefs=false"];

/// What stays the same from look to look.
#[derive(Debug)]
pub(super) struct Scene {
    /// Where the repository is and what counts of it.
    pub(super) address: GitAddress,
    /// What its host is told of us.
    pub(super) credentials: Credentials,
    /// Whose commits count.
    pub(super) trust: Trust,
    /// Ours: a mirror, and which revision was usable last.
    pub(super) folder: PathBuf,
    /// The client for https.
    pub(super) client: OnceLock<reqwest::Client>,
}

/// What was seen.
#[derive(Debug)]
pub(super) struct Sight {
    /// What the newest usable revision says.
    pub(super) reading: Reading,
    /// That revision.
    pub(super) good: Option<Good>,
    /// How it goes on from the one before.
    pub(super) descent: Descent,
    /// Why it is not the newest there is, if so.
    pub(super) trouble: Option<Trouble>,
}

impl Scene {
    /// Looks. `before` and `good` are what was seen last; nothing in them is parsed again that did not change.
    pub(super) fn look(&self, before: &Reading, good: Option<Good>, budget: &Arc<Budget>) -> Sight {
        let good = good.or_else(|| Good::load(&self.folder));
        match self.newest(before, good.as_ref(), budget) {
            Ok(sight) => sight,
            Err(trouble) => {
                let reading = self.again(before, good.as_ref());
                Sight { reading, good, descent: Descent::Same, trouble: Some(trouble) }
            }
        }
    }

    /// The repository as it is on this disk, without asking anybody.
    pub(super) fn here(&self) -> Result<Repository, Trouble> {
        match &self.address.remote {
            Remote::Folder(path) => self.open(path),
            Remote::Https { .. } | Remote::Ssh { .. } => self.mirror(MIRROR),
        }
    }

    fn newest(&self, before: &Reading, good: Option<&Good>, budget: &Arc<Budget>) -> Result<Sight, Trouble> {
        let (repository, tip, descent) = self.tip(good, budget)?;
        let checkout = Checkout::of(&repository, &self.address, tip.commit)?;
        self.verify(&repository, tip.commit)?;
        let reading = Reading::of(&checkout, before);
        if reading.files.is_empty() {
            let (at, commit, path) = (self.address.repository(), short(tip.commit), self.address.path.display());
            // What could not be listed says more.
            let why = reading.faults.first().cloned();
            return Err(Trouble::Standing(why.unwrap_or_else(|| {
                let path =
                    if self.address.path.as_os_str().is_empty() { String::new() } else { format!(" under {path}") };
                format!("{at}: commit {commit} has no specs{path}; an empty checkout deletes nothing")
            })));
        }
        let good = Good { name: tip.name, commit: tip.commit };
        if descent != Descent::Same {
            good.save(&self.folder).map_err(|error| self.own(&error))?;
        }
        if descent == Descent::Follows {
            self.sweep();
        }
        Ok(Sight { reading, good: Some(good), descent, trouble: None })
    }

    /// The repository that has the tip, here or as a mirror; the tip; how it goes on from `good`.
    fn tip(&self, good: Option<&Good>, budget: &Arc<Budget>) -> Result<(Repository, Tip, Descent), Trouble> {
        fs::create_dir_all(&self.folder).map_err(|error| self.own(&error))?;
        if let Remote::Folder(path) = &self.address.remote {
            let repository = self.open(path)?;
            let tip = tip::local(&self.address, &repository)?;
            let is_ancestor = |commit| Ok(tip::is_ancestor(&repository, commit, tip.commit));
            let descent = Descent::of(&self.address, &tip, good, is_ancestor)?;
            return Ok((repository, tip, descent));
        }
        let mut repository = self.mirror(MIRROR)?;
        let Self { address, credentials, client, .. } = self;
        let contact = Contact { address, credentials, client, budget };
        let tip = match self.address.wanted {
            // It never changes: once it is here nobody is asked any more.
            Wanted::Commit(commit) if repository.has_object(commit) => {
                Tip { name: commit.to_string(), commit, object: commit }
            }
            Wanted::Commit(_) | Wanted::Head | Wanted::Name(_) => match contact.tip(&repository, Depth::Tip) {
                // Neither the host nor the way there says what is wrong: it may be the mirror.
                Err(trouble @ Trouble::Passing(_)) if budget.said().is_none() => {
                    let tip = self.anew(&contact).ok_or(trouble)?;
                    repository = self.mirror(MIRROR)?;
                    tip
                }
                tip => tip?,
            },
        };
        let descent = Descent::of(address, &tip, good, |before| self.follows(&contact, &repository, before, &tip))?;
        Ok((repository, tip, descent))
    }

    /// Whether `before` is an ancestor of `tip`: in what is here, else in more and more of what is there.
    fn follows(
        &self,
        contact: &Contact<'_>,
        mirror: &Repository,
        before: ObjectId,
        tip: &Tip,
    ) -> Result<bool, Trouble> {
        let parents = |commit: ObjectId| {
            mirror.find_commit(commit).map(|commit| commit.parent_ids().map(gix::Id::detach).collect::<Vec<_>>())
        };
        if parents(tip.commit).is_ok_and(|parents| parents.contains(&before)) {
            return Ok(true);
        }
        for depth in STEPS {
            // Whatever it is now, it is the same tip's history that is asked for: a push in between is seen the next time.
            if contact.tip(mirror, Depth::Commits(depth))?.commit != tip.commit {
                let at = self.address.repository();
                return Err(Trouble::Passing(format!("{at}: pushed to while it was read; it is read again")));
            }
            if tip::is_ancestor(mirror, before, tip.commit) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn verify(&self, repository: &Repository, commit: ObjectId) -> Result<(), Trouble> {
        if !self.trust.is_wanted() {
            return Ok(());
        }
        let (at, short) = (self.address.repository(), short(commit));
        let found =
            repository.find_object(commit).map_err(|error| Trouble::Passing(format!("{at}: {}", tip::told(&error))))?;
        let signer = self.trust.signer(&found.data);
        signer.map(|_| ()).map_err(|why| Trouble::Standing(format!("{at}: commit {short} is not verified: {why}")))
    }

    /// What the last usable revision says, without asking anybody: of what is known, else of what is kept here.
    fn again(&self, before: &Reading, good: Option<&Good>) -> Reading {
        let nothing = || Reading { complete: false, ..Reading::default() };
        if !before.files.is_empty() {
            return Reading { faults: Vec::new(), complete: false, ..before.clone() };
        }
        let Some(good) = good else { return nothing() };
        let repository = match &self.address.remote {
            Remote::Folder(path) => self.open(path),
            Remote::Https { .. } | Remote::Ssh { .. } => self.open(&self.folder.join(MIRROR)),
        };
        let Ok(repository) = repository else { return nothing() };
        let read = Checkout::of(&repository, &self.address, good.commit);
        read.map_or_else(|_| nothing(), |checkout| Reading { complete: false, ..Reading::of(&checkout, before) })
    }

    fn open(&self, path: &Path) -> Result<Repository, Trouble> {
        let opened = open::Options::isolated().config_overrides(CAUTION).open(path);
        let repository = opened.map_err(|error| {
            let why = if path.is_dir() { tip::told(&error) } else { "no such folder".to_owned() };
            Trouble::Passing(format!("{}: cannot be read: {why}", self.address.repository()))
        })?;
        Ok(repository.to_thread_local())
    }

    /// The mirror `name`, made where there is none or none that can be used.
    fn mirror(&self, name: &str) -> Result<Repository, Trouble> {
        let path = self.folder.join(name);
        tidy(&path);
        if let Ok(repository) = self.open(&path) {
            return Ok(repository);
        }
        self.drop_mirror(name)?;
        let (kind, none) = (create::Kind::Bare, create::Options::default());
        let made = gix::ThreadSafeRepository::init_opts(&path, kind, none, open::Options::isolated());
        made.map_err(|error| Trouble::Passing(format!("{}: {}", self.address.repository(), tip::told(&error))))?;
        self.open(&path)
    }

    /// The tip in a mirror that is made anew; it takes the place of the one there is when it has it, and not before.
    fn anew(&self, contact: &Contact<'_>) -> Option<Tip> {
        self.drop_mirror(NEW_MIRROR).ok()?;
        let tip = contact.tip(&self.mirror(NEW_MIRROR).ok()?, Depth::Tip).ok()?;
        self.drop_mirror(MIRROR).ok()?;
        fs::rename(self.folder.join(NEW_MIRROR), self.folder.join(MIRROR)).ok()?;
        tracing::info!(source = %self.address, "the mirror could not be used and was made anew");
        Some(tip)
    }

    /// Lets go of a mirror of many packs: the next look fetches one that has the tip alone. What is known stays known.
    fn sweep(&self) {
        let packs = fs::read_dir(self.folder.join(MIRROR).join("objects/pack")).into_iter().flatten().flatten();
        if packs.filter(|entry| entry.path().extension().is_some_and(|end| end == "pack")).count() > MOST_PACKS {
            // If it cannot be removed it is still good.
            drop(self.drop_mirror(MIRROR));
        }
    }

    fn drop_mirror(&self, name: &str) -> Result<(), Trouble> {
        match fs::remove_dir_all(self.folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(self.own(&error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Our own folder cannot be used.
    fn own(&self, error: &std::io::Error) -> Trouble {
        Trouble::Passing(format!("{}: {}: {error}", self.address.repository(), self.folder.display()))
    }
}

/// Removes from a mirror, which nobody but us uses, what a killed process left in it: locks, and packs received by half.
fn tidy(mirror: &Path) {
    for folder in ["", "refs/fargateer", "objects/pack"] {
        for entry in fs::read_dir(mirror.join(folder)).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            if name.ends_with(b".lock") || name.starts_with(b".tmp") || name.starts_with(b"tmp_") {
                // What cannot be removed is told by whoever stumbles over it.
                drop(fs::remove_file(entry.path()));
            }
        }
    }
}
