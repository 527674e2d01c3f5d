//! The commit that counts: which one it is, and whether it goes on from the one before.

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

use gix::{ObjectId, Repository};

use super::address::{GitAddress, Wanted};

/// How far back a commit is looked for in a remote history, step by step: most pushes have one commit.
pub(super) const STEPS: [NonZeroU32; 2] = [at(16), at(256)];
/// Most commits looked at in a history that is here.
const MOST: usize = 100_000;

/// Why there is no commit to take specs from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The repository could not be asked. It may well answer the next time.
    Passing(String),
    /// The repository answered, and its answer is not usable. It stays so until somebody changes it.
    Standing(String),
}

/// A ref and what it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tip {
    /// The ref in full; for a wanted commit its id.
    pub(super) name: String,
    /// The commit it leads to.
    pub(super) commit: ObjectId,
    /// What it names itself: that commit, or an annotated tag.
    pub(super) object: ObjectId,
}

/// A revision that was usable, as it is remembered over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Good {
    /// The ref it had.
    pub(super) name: String,
    /// Its commit.
    pub(super) commit: ObjectId,
}

/// How a tip goes on from the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Descent {
    /// Nothing is known of a tip before.
    First,
    /// It is the same.
    Same,
    /// The one before is among its ancestors: what it lacks was removed.
    Follows,
    /// It does not go on from it; how that is told. What it lacks may never have been in it.
    Breaks(String),
}

impl Good {
    /// What stands in `folder` from the time before, if anything.
    pub(super) fn load(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join("good")).ok()?;
        let (commit, name) = text.trim_end().split_once(' ')?;
        Some(Self { name: name.to_owned(), commit: ObjectId::from_hex(commit.as_bytes()).ok()? })
    }

    /// Keeps it in `folder`.
    pub(super) fn save(&self, folder: &Path) -> std::io::Result<()> {
        let new = folder.join("good.new");
        fs::write(&new, format!("{} {}\n", self.commit, self.name))?;
        fs::rename(new, folder.join("good"))
    }
}

impl Descent {
    /// How `tip` goes on from `good`; `is_ancestor` says whether that one's commit is among the ancestors of the tip's.
    pub(super) fn of(
        address: &GitAddress,
        tip: &Tip,
        good: Option<&Good>,
        is_ancestor: impl FnOnce(ObjectId) -> Result<bool, Trouble>,
    ) -> Result<Self, Trouble> {
        let Some(good) = good else { return Ok(Self::First) };
        let (from, to, at) = (short(good.commit), short(tip.commit), address.repository());
        let caution = "its specs are taken, and nothing is deleted until it was read once more";
        if good.name != tip.name {
            return Ok(Self::Breaks(format!("{at}: {} counts now instead of {}; {caution}", tip.name, good.name)));
        }
        if good.commit == tip.commit {
            return Ok(Self::Same);
        }
        if tip.name.starts_with("refs/tags/") {
            return Ok(Self::Breaks(format!("{at}: the tag {} was moved from {from} to {to}; {caution}", tip.name)));
        }
        if is_ancestor(good.commit)? {
            return Ok(Self::Follows);
        }
        let name = &tip.name;
        Ok(Self::Breaks(format!("{at}: {name} was rewritten: {to} does not go on from {from} (force-push); {caution}")))
    }
}

/// The one of `known` that `address` wants.
pub(super) fn choose(address: &GitAddress, known: &[Tip]) -> Result<Tip, Trouble> {
    let at = address.repository();
    let named = |name: &str| known.iter().find(|tip| tip.name == name).cloned();
    match &address.wanted {
        Wanted::Commit(commit) => Ok(Tip { name: commit.to_string(), commit: *commit, object: *commit }),
        // Then it is all there is to choose from.
        Wanted::Head => known.first().cloned().ok_or_else(|| {
            Trouble::Standing(format!("{at}: the repository is empty: its default branch has no commit"))
        }),
        Wanted::Name(name) if name.starts_with("refs/") => {
            named(name).ok_or_else(|| Trouble::Standing(format!("{at}: there is no {name} (any more)")))
        }
        Wanted::Name(name) => match (named(&format!("refs/heads/{name}")), named(&format!("refs/tags/{name}"))) {
            (Some(tip), None) | (None, Some(tip)) => Ok(tip),
            (None, None) => Err(Trouble::Standing(format!("{at}: there is no branch or tag {name} (any more)"))),
            (Some(_), Some(_)) => Err(Trouble::Standing(format!(
                "{at}: {name} is a branch and a tag; name refs/heads/{name} or refs/tags/{name}"
            ))),
        },
    }
}

/// The tip in a repository that is here.
pub(super) fn local(address: &GitAddress, repository: &Repository) -> Result<Tip, Trouble> {
    let failed = |error: gix::Error| Trouble::Passing(format!("{}: {}", address.repository(), told(&error)));
    let mut known = Vec::new();
    let names = match &address.wanted {
        Wanted::Head => match repository.head_name().map_err(failed)? {
            Some(name) => vec![name.as_bstr().to_string()],
            None => vec!["HEAD".to_owned()],
        },
        Wanted::Name(name) if name.starts_with("refs/") => vec![name.clone()],
        Wanted::Name(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        Wanted::Commit(_) => Vec::new(),
    };
    for name in names {
        if let Some(mut found) = repository.try_find_reference(name.as_str()).map_err(failed)? {
            let object = found.follow_to_object().map_err(failed)?.detach();
            let commit = found.peel_to_id().map_err(failed)?.detach();
            known.push(Tip { name, commit, object });
        }
    }
    choose(address, &known)
}

/// Whether `ancestor` is one of the commits `commit` goes on from, as far as they are here.
pub(super) fn is_ancestor(repository: &Repository, ancestor: ObjectId, commit: ObjectId) -> bool {
    let Ok(walk) = repository.rev_walk([commit]).all() else { return false };
    // A history that cannot be read to its end does not prove anything.
    walk.take(MOST).map_while(Result::ok).any(|commit| commit.id == ancestor)
}

/// An error of git's with what caused it, in one line without what acts on a screen.
pub(super) fn told(error: &gix::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    fargateer_api::visible(&text.split_whitespace().collect::<Vec<&str>>().join(" "))
}

/// A commit as people write it.
pub(super) fn short(commit: ObjectId) -> String {
    commit.to_hex_with_len(10).to_string()
}

const fn at(count: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(count - 1)
}
