//! The folder of agent code: which of its files become part of the image, checked and hashed.
//!
//! Nothing outside the folder can get in: links must stay inside, and are kept as links. The order of entries, their
//! times and owners on this machine play no part. Folders are implied by the files in them: an empty one is left out.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use walkdir::{DirEntry, WalkDir};

use crate::error::Error;
use crate::hash::Hashing;
use crate::ignore::Ignore;
use crate::secretive;

/// What a context may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All files together, in bytes.
    pub bytes: u64,
    /// How many files.
    pub files: usize,
}

impl Default for Limits {
    /// 512 MiB in 50,000 files: an agent's code, with a model of moderate size beside it.
    fn default() -> Self {
        Self { bytes: 512 * 1024 * 1024, files: 50_000 }
    }
}

/// So much of a file is searched for secrets.
const SEARCHED: u64 = 1024 * 1024;
/// So many faults are told at once.
const TOLD: usize = 10;

/// The files of a folder that become part of an image, in the order of their paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The folder.
    pub root: PathBuf,
    /// Its files and links.
    pub entries: Vec<Entry>,
}

/// A file or a link of a context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Where it is in the context, with `/` between the parts.
    pub path: String,
    /// What it is.
    #[serde(flatten)]
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum EntryKind {
    /// A file.
    File {
        /// `sha256:<hex>` of its bytes.
        digest: String,
        /// Its length in bytes.
        size: u64,
        /// Whether anybody may execute it.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// Where it points, relative to the folder it is in.
        target: String,
    },
}

impl Context {
    /// Reads the folder `root`. `allowed` are paths that may look like secrets. Blocks.
    pub fn read(root: &Path, allowed: &[String], limits: Limits) -> Result<Self, Error> {
        let shown = root.display();
        let root = fs::canonicalize(root).map_err(|error| Error::context(shown, error))?;
        if !root.is_dir() {
            return Err(
                Error::context(root.display(), "not a folder").hinted("`context` names the folder of the agent's code")
            );
        }
        let ignore = Ignore::new(&dockerignore(&root)?)?;
        let paths = walk(&root, &ignore, limits)?;
        let mut entries = Vec::new();
        let mut secrets = Vec::new();
        for (path, metadata) in paths {
            if metadata.is_symlink() {
                let target = link(&root, &path)?;
                entries.push(Entry { path, kind: EntryKind::Link { target } });
                continue;
            }
            let file = read(&root, &path, &metadata)?;
            if file.spec {
                continue;
            }
            secrets.extend(file.secret.filter(|_| !allowed.contains(&path)).map(|why| format!("{path} {why}")));
            entries.push(Entry { path, kind: file.kind });
        }
        refuse_secrets(&secrets)?;
        let context = Self { root, entries };
        context.links_arrive()?;
        Ok(context)
    }

    /// Takes in the file at `path` although it is left out: what Docker reads in any case. Answers whether there is one. Blocks.
    pub(crate) fn bring_back(&mut self, path: &str) -> Result<bool, Error> {
        if self.contains(path) {
            return Ok(true);
        }
        let place = self.root.join(path);
        let inside = fs::canonicalize(&place).is_ok_and(|real| real.starts_with(&self.root));
        let Some(metadata) = fs::metadata(&place).ok().filter(|metadata| inside && metadata.is_file()) else {
            return Ok(false);
        };
        let kind = read(&self.root, path, &metadata)?.kind;
        self.entries.push(Entry { path: path.to_owned(), kind });
        self.entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(true)
    }

    /// Whether there is a file or link at `path`.
    pub fn contains(&self, path: &str) -> bool {
        self.entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).is_ok()
    }

    /// All bytes of all files.
    pub fn size(&self) -> u64 {
        let sizes = self.entries.iter().map(|entry| match &entry.kind {
            EntryKind::File { size, .. } => *size,
            EntryKind::Link { .. } => 0,
        });
        sizes.sum()
    }

    /// The text of the file at `path`, which must be part of the context.
    pub(crate) fn text(&self, path: &str) -> Result<String, Error> {
        if !self.contains(path) {
            let near = "it must lie in the context, and not be left out by .dockerignore";
            return Err(Error::context(path, "there is no such file in the context").hinted(near));
        }
        // A link may stand for it: those stay inside, which was checked.
        fs::read_to_string(self.root.join(path)).map_err(|error| Error::context(path, error))
    }

    /// A link to something that is left out would point to nothing in the image.
    fn links_arrive(&self) -> Result<(), Error> {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for entry in &self.entries {
            known.insert(&entry.path);
            known.extend(entry.path.match_indices('/').filter_map(|(end, _)| entry.path.get(..end)));
        }
        for entry in &self.entries {
            let EntryKind::Link { target } = &entry.kind else { continue };
            let place = resolve(&entry.path, target).unwrap_or_default();
            // What lies behind a link to a folder has no entry of its own.
            let inside_a_link = place.match_indices('/').filter_map(|(end, _)| place.get(..end)).any(|parent| {
                self.entries.iter().any(|other| other.path == parent && matches!(other.kind, EntryKind::Link { .. }))
            });
            if !place.is_empty() && !known.contains(place.as_str()) && !inside_a_link {
                let problem = format!("links to {target}, which is not part of the image");
                return Err(Error::context(&entry.path, problem).hinted("check .dockerignore, or leave the link out"));
            }
        }
        Ok(())
    }
}

/// What `.dockerignore` says, if there is one.
fn dockerignore(root: &Path) -> Result<String, Error> {
    match fs::read_to_string(root.join(".dockerignore")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::context(".dockerignore", error)),
        Ok(text) => Ok(text),
    }
}

/// The files and links that are not left out. Sizes count before anything is read.
fn walk(root: &Path, ignore: &Ignore, limits: Limits) -> Result<Vec<(String, fs::Metadata)>, Error> {
    let looks_into = ignore.may_bring_back();
    let kept = |entry: &DirEntry| {
        let left_out = relative(root, entry.path()).is_ok_and(|path| !path.is_empty() && ignore.leaves_out(&path));
        !left_out || (looks_into && entry.file_type().is_dir())
    };
    let mut found = Vec::new();
    let mut bytes = 0_u64;
    for entry in WalkDir::new(root).follow_links(false).into_iter().filter_entry(kept) {
        let entry = entry.map_err(|error| Error::context("context", error))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let path = relative(root, entry.path())?;
        let metadata = entry.metadata().map_err(|error| Error::context(&path, error))?;
        if !metadata.is_file() && !metadata.is_symlink() {
            return Err(Error::context(path, "neither a file nor a link").hinted("leave it out with .dockerignore"));
        }
        bytes += metadata.len();
        found.push((path, metadata));
        if bytes > limits.bytes || found.len() > limits.files {
            return Err(too_large(&found, limits));
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

fn too_large(found: &[(String, fs::Metadata)], limits: Limits) -> Error {
    let mut largest: Vec<(u64, &str)> = found.iter().map(|(path, metadata)| (metadata.len(), path.as_str())).collect();
    largest.sort_unstable_by(|one, other| other.cmp(one));
    let largest: Vec<String> = largest.iter().take(3).map(|(size, path)| format!("{path} ({size} bytes)")).collect();
    let most = limits.bytes / (1024 * 1024);
    let problem = format!("more than {most} MiB or {} files; the largest so far: {}", limits.files, largest.join(", "));
    Error::context("context", problem).hinted("leave out with .dockerignore what the agent does not need when it runs")
}

/// `path` below `root`, as it will stand in the image.
fn relative(root: &Path, path: &Path) -> Result<String, Error> {
    let below = path.strip_prefix(root).map_err(|error| Error::context(path.display(), error))?;
    let text = below.to_str().ok_or_else(|| Error::context(below.display(), "the name is not UTF-8"))?;
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(Error::context(text.escape_debug(), format!("the name has the control character {c:?}"))),
        None => Ok(text.to_owned()),
    }
}

/// What the link at `path` points to, if that stays inside.
fn link(root: &Path, path: &str) -> Result<String, Error> {
    let place = root.join(path);
    let target = fs::read_link(&place).map_err(|error| Error::context(path, error))?;
    let text = target.to_str().ok_or_else(|| Error::context(path, "links to a name that is not UTF-8"))?;
    let outside = || {
        let problem = format!("links to {text}, outside of the context");
        Error::context(path, problem).hinted("copy what is needed into the context")
    };
    if target.is_absolute() || resolve(path, text).is_none() {
        return Err(outside());
    }
    // Other links may be on the way.
    let real = fs::canonicalize(&place).map_err(|error| Error::context(path, format!("links to {text}: {error}")))?;
    if real.starts_with(root) { Ok(text.to_owned()) } else { Err(outside()) }
}

/// Where a link at `path` with `target` leads, by its words alone; none where that is outside.
fn resolve(path: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A file as it was read.
struct Read {
    kind: EntryKind,
    /// Why it looks like a secret.
    secret: Option<String>,
    /// Whether it is a spec. Those stay outside: a change of the spec is no change of the code.
    spec: bool,
}

fn read(root: &Path, path: &str, metadata: &fs::Metadata) -> Result<Read, Error> {
    let fault = |error: io::Error| Error::context(path, error);
    let file = File::open(root.join(path)).map_err(fault)?;
    let mut head = Vec::new();
    let mut hashing = Hashing::new(io::sink());
    let mut first = (&file).take(SEARCHED);
    first.read_to_end(&mut head).map_err(fault)?;
    io::copy(&mut head.as_slice(), &mut hashing).map_err(fault)?;
    io::copy(&mut &file, &mut hashing).map_err(fault)?;
    let (_, digest, size) = hashing.finish();
    let secret = secretive::by_name(path).or_else(|| Some(format!("seems to hold {}", secretive::by_content(&head)?)));
    let executable = metadata.permissions().mode() & 0o111 != 0;
    Ok(Read { kind: EntryKind::File { digest, size, executable }, secret, spec: is_spec(path, &head) })
}

/// Whether the file is an AgentDeployment: a YAML file that says so.
fn is_spec(path: &str, head: &[u8]) -> bool {
    let yaml = [".yaml", ".yml"].iter().any(|ending| path.ends_with(ending));
    yaml && String::from_utf8_lossy(head).lines().any(|line| line.trim_end() == "kind: AgentDeployment")
}

fn refuse_secrets(secrets: &[String]) -> Result<(), Error> {
    if secrets.is_empty() {
        return Ok(());
    }
    let more = secrets.len().saturating_sub(TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let told: Vec<&str> = secrets.iter().take(TOLD).map(String::as_str).collect();
    Err(Error::context("context", format!("no secrets go into an image: {}{more}", told.join("; "))).hinted(
        "leave them out with .dockerignore and name them in `container.secrets`; `allowSecretFiles` lets a file pass",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn read(folder: &TempDir) -> Result<Context, Error> {
        Context::read(folder.path(), &[], Limits::default())
    }

    fn refused(folder: &TempDir) -> String {
        let error = read(folder).unwrap_err();
        assert_eq!(error.cause, crate::error::Cause::ContextInvalid);
        error.to_string()
    }

    #[test]
    fn entries_come_in_the_order_of_their_paths_without_what_is_left_out() {
        let folder = folder(&[
            ("b.py", "2"),
            ("a/c.py", "1"),
            ("a.py", "3"),
            (".git/config", "x"),
            ("a/__pycache__/c.pyc", "x"),
            ("big.bin", "x"),
            (".dockerignore", "*.bin"),
            ("bot.yaml", "apiVersion: fargateer/v1\nkind: AgentDeployment\n"),
            ("other.yaml", "kind: Something\n"),
        ]);
        let context = read(&folder).unwrap();
        let paths: Vec<&str> = context.entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["a.py", "a/c.py", "b.py", "other.yaml"]);
        assert_eq!(context.size(), 3 + "kind: Something\n".len() as u64);
    }

    #[test]
    fn a_file_that_was_left_out_with_its_folder_can_be_brought_back() {
        let folder = folder(&[("data/a.txt", ""), ("data/b.txt", ""), (".dockerignore", "data\n!data/b.txt")]);
        let context = read(&folder).unwrap();
        assert!(context.contains("data/b.txt") && !context.contains("data/a.txt"));
    }

    #[test]
    fn a_link_that_leads_outside_is_refused_however_it_is_written() {
        let outside = folder(&[("secret.txt", "s")]);
        let target = outside.path().join("secret.txt");
        for target in [target.to_str().unwrap(), "../x", "a/../../x", "/etc/passwd"] {
            let folder = folder(&[("a/x.py", "")]);
            symlink(target, folder.path().join("link")).unwrap();
            assert!(refused(&folder).contains("outside of the context"), "{target}");
        }
    }

    #[test]
    fn a_link_inside_is_kept_and_one_to_nothing_or_to_what_is_left_out_is_refused() {
        let folder = folder(&[("a/x.py", ""), ("data/big.bin", "")]);
        symlink("a/x.py", folder.path().join("link.py")).unwrap();
        symlink("../a", folder.path().join("a/self")).unwrap();
        let context = read(&folder).unwrap();
        let link = context.entries.iter().find(|entry| entry.path == "link.py").unwrap();
        assert_eq!(link.kind, EntryKind::Link { target: "a/x.py".to_owned() });
        symlink("data/big.bin", folder.path().join("z")).unwrap();
        fs::write(folder.path().join(".dockerignore"), "data").unwrap();
        assert!(refused(&folder).contains("not part of the image"));
        fs::remove_file(folder.path().join("z")).unwrap();
        symlink("nowhere", folder.path().join("z")).unwrap();
        assert!(refused(&folder).contains("links to nowhere"));
    }

    #[test]
    fn two_gibibytes_are_refused_without_being_read() {
        let folder = folder(&[("a.py", "")]);
        File::create(folder.path().join("model.bin")).unwrap().set_len(2 << 30).unwrap();
        let said = refused(&folder);
        assert!(said.contains("more than 512 MiB") && said.contains("model.bin (2147483648 bytes)"), "{said}");
    }

    #[test]
    fn what_looks_like_a_secret_is_refused_unless_allowed() {
        let folder = folder(&[(".env", "A=1"), ("a.py", ""), ("k.pem", "-----BEGIN EC PRIVATE KEY-----")]);
        let said = refused(&folder);
        assert!(said.contains(".env has the name") && said.contains("k.pem seems to hold a private key"), "{said}");
        let allowed = [".env".to_owned(), "k.pem".to_owned()];
        assert!(Context::read(folder.path(), &allowed, Limits::default()).is_ok());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = folder(&[("a.py", "")]);
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        assert!(refused(&folder).contains("neither a file nor a link"));
    }
}
