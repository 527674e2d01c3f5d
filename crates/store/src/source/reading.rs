//! One read of a source: every file and what it says. Files that did not change since the last read are not parsed again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use fargateer_api::status::SourceStatus;
use fargateer_api::yaml::{self, Parsed};
use fargateer_api::{AgentDeployment, Fault, Key};
use sha2::{Digest, Sha256};

use super::listing::{Files, Listed, Listing, Mark, Unreadable};

/// Most bytes all files of a source may have together.
const MAX_TOTAL: usize = 10 * 1024 * 1024;
/// How the stand-in begins that Git LFS leaves for a file.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// What a source says at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// The revision in which it was first seen to say so.
    pub(super) revision: Option<Arc<Revision>>,
    /// The code beside it, by the contexts that its agents name.
    codes: BTreeMap<String, String>,
    /// What tells its bytes from others; none when there were none.
    mark: Option<Mark>,
    size: usize,
}

/// A revision of a source that keeps its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Revision {
    /// Its commit.
    pub(super) commit: String,
    /// Who made it.
    pub(super) author: String,
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
    /// Reads the source whose files are `place`.
    pub(super) fn of<P: Files>(place: &P, before: &Self) -> Self {
        let Listing { files: listed, faults, complete } = place.list();
        let revision = place.revision().map(Arc::new);
        let (mut files, mut total) = (BTreeMap::new(), 0);
        for found in listed {
            let known = before.files.get(&found.path);
            let mut file = File::read(place, &found, known, revision.as_ref());
            file.codes =
                file.contexts().filter_map(|name| Some((name.to_owned(), place.code(&found.path, name)?))).collect();
            // A commit that changes the code alone is the one that brought what is to run.
            if known.is_some_and(|known| known.codes != file.codes) {
                file.revision.clone_from(&revision);
            }
            total += file.size;
            if total > MAX_TOTAL {
                let fault = format!("{}: more than {MAX_TOTAL} bytes of specs; split it", place.named());
                return Self::refused(fault);
            }
            files.insert(found.path, file);
        }
        Self { files, faults, complete }
    }

    /// Nothing, because of `fault`.
    pub(super) fn refused(fault: String) -> Self {
        Self { faults: vec![fault], ..Self::default() }
    }
}

impl File {
    fn read<P: Files>(
        place: &P,
        found: &Listed<P::File>,
        known: Option<&Self>,
        revision: Option<&Arc<Revision>>,
    ) -> Self {
        let same = |mark: Mark| known.filter(|known| known.mark == Some(mark)).cloned();
        if let Some(known) = place.mark(&found.file).and_then(same) {
            return known;
        }
        let (shown, revision) = (place.shown(&found.path), revision.cloned());
        let bytes = match place.read(&found.file) {
            Ok(bytes) if bytes.starts_with(LFS_POINTER) => Err(Unreadable {
                problem: "a Git LFS pointer stands here, not the file".to_owned(),
                hint: Some("keep specs in git itself (git lfs migrate export)".to_owned()),
            }),
            read => read,
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(unreadable) => return Self::unreadable(shown, revision, unreadable),
        };
        let mark = place.mark(&found.file).unwrap_or_else(|| Mark::Digest(Sha256::digest(&bytes).into()));
        same(mark).unwrap_or_else(|| {
            let parsed = Arc::new(yaml::parse_bytes(&shown, &bytes));
            Self { parsed, shown, revision, codes: BTreeMap::new(), mark: Some(mark), size: bytes.len() }
        })
    }

    /// A file of no bytes: whatever can be read later is parsed.
    fn unreadable(shown: String, revision: Option<Arc<Revision>>, unreadable: Unreadable) -> Self {
        let Unreadable { problem, hint } = unreadable;
        let (file, path) = (shown.clone(), String::new());
        let fault = Fault { file, line: 1, column: 1, path, agent: None, problem, hint };
        let parsed = Arc::new(Parsed { faults: vec![fault], ..Parsed::default() });
        Self { shown, parsed, revision, codes: BTreeMap::new(), mark: None, size: 0 }
    }

    /// The folders of code that its agents are built from.
    fn contexts(&self) -> impl Iterator<Item = &str> {
        let builds = self.parsed.agents.iter().filter_map(|located| located.agent.spec.image.build.as_ref());
        // What lies in S3 is no part of the source: whoever builds looks there.
        builds.filter(|build| build.object().is_none()).map(|build| build.context.as_str())
    }

    /// Where `agent` of it stands, in line `line`.
    pub(super) fn place_of(&self, agent: &AgentDeployment, line: usize) -> SourceStatus {
        let build = agent.spec.image.build.as_ref();
        let code = build.and_then(|build| self.codes.get(&build.context).cloned());
        SourceStatus { code, ..self.place(line) }
    }

    /// Where line `line` of it stands.
    pub(super) fn place(&self, line: usize) -> SourceStatus {
        let of = |part: fn(&Revision) -> &String| self.revision.as_deref().map(|revision| part(revision).clone());
        SourceStatus {
            location: format!("{}:{line}", self.shown),
            commit: of(|revision| &revision.commit),
            author: of(|revision| &revision.author),
            ..SourceStatus::default()
        }
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
