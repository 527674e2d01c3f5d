//! One read of a source: every file and what it says. Files that did not change since the last read are not parsed again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fargateer_api::yaml::{self, Parsed};
use fargateer_api::{Fault, Key};
use sha2::{Digest, Sha256};

use super::tree::{self, Listed, Tree, Unreadable};

/// Most bytes all files of a source may have together.
const MAX_TOTAL: usize = 10 * 1024 * 1024;

/// What a source says at one moment.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Reading {
    /// The files by the path people see.
    pub(super) files: BTreeMap<PathBuf, File>,
    /// What is wrong with the source itself.
    pub(super) faults: Vec<String>,
    /// Whether every file of the source is in `files`.
    pub(super) complete: bool,
}

/// What a file says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct File {
    /// The file's path, for people.
    pub(super) shown: String,
    /// Its agents and faults.
    pub(super) parsed: Arc<Parsed>,
    digest: [u8; 32],
}

/// What is wrong with a document that names its agent.
#[derive(Debug)]
pub(super) struct Faulty {
    /// The faults, for people; never empty.
    pub(super) faults: Vec<String>,
    /// Line of the first of them.
    pub(super) line: usize,
}

impl Reading {
    /// Reads the source people call `named`.
    pub(super) fn of(named: &Path, before: &Self) -> Self {
        let Tree { files: listed, faults, complete } = tree::list(named);
        let (mut files, mut total) = (BTreeMap::new(), 0);
        for file in listed {
            let known = before.files.get(&file.path);
            let (size, read) = File::read(&file, known);
            total += size;
            if total > MAX_TOTAL {
                let fault = format!("{}: more than {MAX_TOTAL} bytes of specs; split it", tree::shown(named));
                return Self::refused(fault);
            }
            files.insert(file.path, read);
        }
        Self { files, faults, complete }
    }

    /// Nothing, because of `fault`.
    pub(super) fn refused(fault: String) -> Self {
        Self { faults: vec![fault], ..Self::default() }
    }
}

impl File {
    /// The file and its size.
    fn read(file: &Listed, known: Option<&Self>) -> (usize, Self) {
        let shown = tree::shown(&file.path);
        let bytes = match tree::read(file) {
            Ok(bytes) => bytes,
            Err(unreadable) => return (0, Self::unreadable(shown, unreadable)),
        };
        let digest = Sha256::digest(&bytes).into();
        let parsed = match known {
            Some(known) if known.digest == digest => Arc::clone(&known.parsed),
            Some(_) | None => Arc::new(yaml::parse_bytes(&shown, &bytes)),
        };
        (bytes.len(), Self { shown, parsed, digest })
    }

    fn unreadable(shown: String, Unreadable { problem, hint }: Unreadable) -> Self {
        let (file, path) = (shown.clone(), String::new());
        let fault = Fault { file, line: 1, column: 1, path, agent: None, problem, hint };
        // The digest of no file: whatever can be read later is parsed.
        Self { shown, digest: [0; 32], parsed: Arc::new(Parsed { faults: vec![fault], ..Parsed::default() }) }
    }

    /// What is wrong with the file without naming an agent; not empty when an agent in it may have been overlooked.
    pub(super) fn nameless_faults(&self) -> Vec<String> {
        let nameless = self.parsed.faults.iter().filter(|fault| fault.agent.is_none());
        let mut faults: Vec<String> = nameless.map(told).collect();
        // A half save or a full disk leaves an empty file; whoever means it deletes the file.
        if self.parsed.documents == 0 && faults.is_empty() {
            faults.push(format!("{}: the file holds no document (delete it if that is meant)", self.shown));
        }
        // Of very many faults the parser reports some; a nameless document may be among the rest.
        if faults.is_empty() && self.parsed.named.len() < self.parsed.documents {
            faults.push(format!("{}: a document without a name", self.shown));
        }
        faults
    }

    /// The agents some document of which is faulty.
    pub(super) fn faulty(&self) -> BTreeMap<Key, Faulty> {
        let mut open: BTreeMap<&Key, usize> = BTreeMap::new();
        for key in &self.parsed.named {
            *open.entry(key).or_default() += 1;
        }
        for located in &self.parsed.agents {
            if let Some(count) = open.get_mut(&located.agent.key()) {
                *count = count.saturating_sub(1);
            }
        }
        let faulty = open.into_iter().filter(|(_, count)| *count > 0);
        faulty.map(|(key, _)| (key.clone(), self.faulty_document(key))).collect()
    }

    fn faulty_document(&self, key: &Key) -> Faulty {
        let own: Vec<&Fault> = self.parsed.faults.iter().filter(|fault| fault.agent.as_ref() == Some(key)).collect();
        // None of its own among those reported: the last one says how many more there are.
        let told_of = if own.is_empty() { self.parsed.faults.last().into_iter().collect() } else { own };
        let line = told_of.first().map_or(1, |fault| fault.line);
        Faulty { faults: told_of.into_iter().map(told).collect(), line }
    }
}

/// A fault with its hint, for people.
fn told(fault: &Fault) -> String {
    match &fault.hint {
        Some(hint) => format!("{fault} ({hint})"),
        None => fault.to_string(),
    }
}
