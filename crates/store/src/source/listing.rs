//! What all listings of files have in common, wherever the files are kept: which names are those of specs, how much is read,
//! and how paths are shown. Knows nothing of what the files say.

use std::path::{Path, PathBuf};

use fargateer_api::yaml::MAX_BYTES;

use super::reading::Revision;

/// Most files a source may have.
pub(super) const MAX_FILES: usize = 10_000;
/// Most entries of any kind looked at.
pub(super) const MAX_ENTRIES: usize = 200_000;

/// A place that keeps the files of a source.
pub(super) trait Files {
    /// How the place finds a file again.
    type File;

    /// What people call the source.
    fn named(&self) -> String;

    /// The file at `path` for people.
    fn shown(&self, path: &Path) -> String;

    /// Lists the files with specs.
    fn list(&self) -> Listing<Self::File>;

    /// What tells the bytes of `file` from all others, where the place knows it without reading them.
    fn mark(&self, file: &Self::File) -> Option<Mark>;

    /// The bytes of `file`, or why there are none. Never holds more than the largest file allowed.
    fn read(&self, file: &Self::File) -> Result<Vec<u8>, Unreadable>;

    /// What tells the folder `context` beside the file at `path` from what it was and will be; none where there is no such
    /// folder in the place.
    fn code(&self, path: &Path, context: &str) -> Option<String>;

    /// Which revision of the source this is, where it has any.
    fn revision(&self) -> Option<Revision> {
        None
    }
}

/// What tells the bytes of a file from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Their SHA-256.
    Digest([u8; 32]),
    /// The id git gave them.
    #[cfg(feature = "git")]
    Blob([u8; 20]),
}

/// What a source consists of.
#[derive(Debug)]
pub(super) struct Listing<F> {
    /// The files with specs, sorted by the path people see.
    pub(super) files: Vec<Listed<F>>,
    /// What could not be listed.
    pub(super) faults: Vec<String>,
    /// Whether nothing was left out.
    pub(super) complete: bool,
}

/// A file to read.
#[derive(Debug)]
pub(super) struct Listed<F> {
    /// The path as people see it.
    pub(super) path: PathBuf,
    /// How its place finds it.
    pub(super) file: F,
}

/// Why a file could not be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// What is wrong.
    pub(super) problem: String,
    /// What would be right.
    pub(super) hint: Option<String>,
}

impl<F> Listing<F> {
    /// Nothing yet, and nothing left out.
    pub(super) fn new() -> Self {
        Self { files: Vec::new(), faults: Vec::new(), complete: true }
    }

    /// Nothing, because of `fault`.
    pub(super) fn refused(fault: String) -> Self {
        Self { files: Vec::new(), faults: vec![fault], complete: false }
    }

    /// The source people call `named` has too much in it.
    pub(super) fn too_long(named: &str) -> Self {
        let most = format!("at most {MAX_FILES} files with specs and {MAX_ENTRIES} entries in all");
        Self::refused(format!("{named}: too many files ({most})"))
    }

    /// Something was left out.
    pub(super) fn fault(&mut self, fault: String) {
        self.faults.push(fault);
        self.complete = false;
    }
}

impl Unreadable {
    /// Not read because of `problem`.
    pub(super) fn plain(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: None }
    }

    /// Larger than a file may be.
    pub(super) fn too_large(size: u64) -> Self {
        Self {
            problem: format!("file of {size} bytes is too large"),
            hint: Some(format!("at most {MAX_BYTES} bytes; split it")),
        }
    }
}

/// A path for people: without the control characters a file name may have.
pub(super) fn shown(path: &Path) -> String {
    let plain = |character: char| {
        if character.is_control() { character.escape_default().to_string() } else { character.to_string() }
    };
    path.to_string_lossy().chars().map(plain).collect()
}

/// Whether nobody is meant to see a file or folder of this name.
pub(super) fn is_hidden(name: &[u8]) -> bool {
    name.starts_with(b".")
}

/// Whether a file of this name has specs.
pub(super) fn is_spec(name: &[u8]) -> bool {
    let known = [&b".yaml"[..], b".yml", b".json"].iter().any(|end| name.ends_with(end));
    known && !name.ends_with(b".schema.json")
}
