//! What the files of a source last said without a fault: a broken file takes no agent away and changes none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fargateer_api::status::SourceStatus;
use fargateer_api::yaml::Located;
use fargateer_api::{AgentDeployment, Key};
use fargateer_controller::port::{Document, Snapshot};

use super::reading::{File, Reading};

/// The agents of every file, as they last were without a fault.
#[derive(Debug, Default)]
pub(super) struct LastGood {
    files: BTreeMap<PathBuf, Agents>,
}

type Agents = BTreeMap<Key, Good>;

#[derive(Debug, Clone)]
struct Good {
    agent: Arc<AgentDeployment>,
    source: SourceStatus,
}

impl LastGood {
    /// What the source says now. A newly broken document is answered with its last good wording and the faults, and
    /// so is an agent that may stand in the broken part of a file and is named nowhere else.
    pub(super) fn snapshot(&mut self, source: &str, reading: &Reading) -> Snapshot {
        let (whole, faults) = (reading.complete, reading.faults.clone());
        let mut snapshot = Snapshot { source: source.to_owned(), whole, faults, ..Snapshot::default() };
        let mut files: BTreeMap<PathBuf, Agents> = BTreeMap::new();
        for (path, file) in &reading.files {
            files.insert(path.clone(), self.named(path, file, &mut snapshot));
        }
        for (path, file) in &reading.files {
            let nameless = file.nameless_faults();
            if !nameless.is_empty() {
                let kept = self.overlooked(path, &nameless, &mut snapshot);
                files.entry(path.clone()).or_default().extend(kept);
                snapshot.whole = false;
                snapshot.faults.extend(nameless);
            }
        }
        if !reading.complete {
            // A file that was not listed may be there all the same.
            let unlisted = std::mem::take(&mut self.files).into_iter().filter(|(path, _)| !files.contains_key(path));
            let unlisted: Vec<(PathBuf, Agents)> = unlisted.collect();
            files.extend(unlisted);
        }
        self.files = files;
        snapshot
    }

    /// Takes the agents `file` names into the snapshot; answers their last good wordings.
    fn named(&self, path: &Path, file: &File, snapshot: &mut Snapshot) -> Agents {
        let mut agents = Agents::new();
        for located in &file.parsed.agents {
            let key = located.agent.key();
            let good = self.good(path, &key, located, file);
            snapshot.documents.entry(key.clone()).or_default().push(good.clone().document(Vec::new()));
            agents.insert(key, good);
        }
        for (key, faulty) in file.faulty() {
            let last = self.last(path, &key);
            let (agent, source) = (last.map(|good| good.agent.clone()), file.place(faulty.line));
            let document = Document { agent, faults: faulty.faults, source };
            snapshot.documents.entry(key.clone()).or_default().push(document);
            if let Some(last) = last {
                agents.entry(key).or_insert_with(|| last.clone());
            }
        }
        agents
    }

    /// The good wording of `key` in `file`. The same wording of the same code as before keeps its revision, whatever else changed
    /// in the file.
    fn good(&self, path: &Path, key: &Key, located: &Located, file: &File) -> Good {
        let source = file.place_of(&located.agent, located.line);
        match self.files.get(path).and_then(|agents| agents.get(key)) {
            Some(Good { agent, source: before }) if **agent == located.agent => {
                let same = before.code == source.code;
                let of = if same { before } else { &source };
                let (commit, author) = (of.commit.clone(), of.author.clone());
                Good { agent: Arc::clone(agent), source: SourceStatus { commit, author, ..source } }
            }
            Some(_) | None => Good { agent: Arc::new(located.agent.clone()), source },
        }
    }

    /// Takes those agents `path` last had into the snapshot that nothing names now; answers their last good wordings.
    fn overlooked(&self, path: &Path, faults: &[String], snapshot: &mut Snapshot) -> Agents {
        let known = self.files.get(path).into_iter().flatten();
        let unnamed = known.filter(|(key, _)| !snapshot.documents.contains_key(*key));
        let kept: Agents = unnamed.map(|(key, good)| (key.clone(), good.clone())).collect();
        for (key, good) in &kept {
            snapshot.documents.entry(key.clone()).or_default().push(good.clone().document(faults.to_vec()));
        }
        kept
    }

    /// The last good wording of `key`: that of the same file, else that of the file it was moved from.
    fn last(&self, path: &Path, key: &Key) -> Option<&Good> {
        let here = self.files.get(path).and_then(|agents| agents.get(key));
        here.or_else(|| self.files.values().find_map(|agents| agents.get(key)))
    }
}

impl Good {
    fn document(self, faults: Vec<String>) -> Document {
        Document { agent: Some(self.agent), faults, source: self.source }
    }
}
