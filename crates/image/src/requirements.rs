//! What the agent's code needs besides itself, as its author wrote it down.
//!
//! Requirements come from people who may not be the ones who run Fargateer: nothing in them may read this machine's files or
//! environment, or run code of theirs on it. So: packages from an index, files of the context, and nothing else.

use std::collections::BTreeMap;

use fargateer_api::spec::Build;
use serde_json::json;

use crate::context::Context;
use crate::error::Error;
use crate::hash;
use crate::runtime::{NEEDS, PROGRAM};

/// So many files may include one another.
const INCLUDES: usize = 32;

/// The requirements of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirements {
    pub(crate) kind: Kind,
    /// The file to begin with.
    pub(crate) main: String,
    /// It and those it includes, by path in the context.
    pub(crate) files: BTreeMap<String, String>,
    /// What the runtime needs besides, unless the agent brings a server of its own.
    pub(crate) needs: &'static [&'static str],
}

/// What kind of file they stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There are none.
    None,
    /// A list of requirements, to be resolved.
    List,
    /// A list with a hash for everything in it.
    Locked,
    /// uv's lock of a project.
    UvLock,
    /// A project's description, to be resolved.
    Project,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::List => "list",
            Self::Locked => "locked",
            Self::UvLock => "uv.lock",
            Self::Project => "project",
        }
    }
}

/// The names that are looked for where none is given.
const NAMES: [&str; 3] = ["requirements.txt", "uv.lock", "pyproject.toml"];

impl Requirements {
    /// Finds and reads the requirements of a context.
    pub(crate) fn read(context: &Context, build: &Build) -> Result<Self, Error> {
        let found = NAMES.into_iter().find(|name| context.contains(name) && is_meant(context, name));
        let needs: &[&str] = if context.contains(PROGRAM) { &[] } else { &NEEDS };
        let Some(main) = build.requirements.as_deref().or(found) else {
            let kind = if needs.is_empty() { Kind::None } else { Kind::List };
            return Ok(Self { kind, main: String::new(), files: BTreeMap::new(), needs });
        };
        let mut files = BTreeMap::new();
        let name = main.rsplit('/').next().unwrap_or(main);
        let kind = match name {
            "uv.lock" => {
                let project = format!("{}pyproject.toml", main.trim_end_matches("uv.lock"));
                files.insert(main.to_owned(), context.text(main)?);
                files.insert(project.clone(), context.text(&project)?);
                Kind::UvLock
            }
            "pyproject.toml" => {
                files.insert(main.to_owned(), context.text(main)?);
                Kind::Project
            }
            _ => {
                include(context, main, &mut files)?;
                let locked = files.values().all(|text| is_locked(text));
                if locked { Kind::Locked } else { Kind::List }
            }
        };
        Ok(Self { kind, main: main.to_owned(), files, needs })
    }

    /// Whether a lock somebody else made has what the runtime needs.
    pub(crate) fn suffices(&self, lock: &str) -> Result<(), Error> {
        let has = |name: &str| {
            let pinned = |line: &str| line.split_once("==").is_some_and(|(known, _)| known.trim() == name);
            lock.lines().any(|line| pinned(line) || line.split('[').next() == Some(name))
        };
        match self.needs.iter().find(|name| !has(name)) {
            Some(name) => Err(Error::context(&self.main, format!("{name} is not in it, which the runtime needs"))
                .hinted(format!("add {} to what is locked", self.needs.join(" and ")))),
            None => Ok(()),
        }
    }

    /// What tells these requirements, for this platform and version of Python, from any others: what they resolve to is kept
    /// under it, and not asked for again while it is the same.
    pub(crate) fn key(&self, target: &Target) -> String {
        let Target { architecture, python, exclude_newer } = target;
        let key = json!({
            "layout": crate::inputs::LAYOUT,
            "kind": self.kind.name(),
            "main": self.main,
            "files": self.files,
            "needs": self.needs,
            "architecture": architecture,
            "python": python,
            "excludeNewer": exclude_newer,
        });
        hash::of(hash::canonical(&key).as_bytes())
    }
}

/// What wheels must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// `amd64` or `arm64`.
    pub(crate) architecture: &'static str,
    /// `3.11`.
    pub(crate) python: String,
    /// Nothing published later counts.
    pub(crate) exclude_newer: Option<String>,
}

/// A `pyproject.toml` may be there for a formatter's sake alone.
fn is_meant(context: &Context, name: &str) -> bool {
    let is_project = |text: String| text.lines().any(|line| line.trim() == "[project]");
    name != "pyproject.toml" || context.text(name).is_ok_and(is_project)
}

/// Reads the list at `path` and those it includes.
fn include(context: &Context, path: &str, files: &mut BTreeMap<String, String>) -> Result<(), Error> {
    if files.contains_key(path) {
        return Ok(());
    }
    if files.len() >= INCLUDES {
        return Err(Error::context(path, format!("more than {INCLUDES} files include one another")));
    }
    let text = context.text(path)?;
    let lines = logical_lines(&text);
    files.insert(path.to_owned(), text);
    for (number, line) in lines {
        let place = format!("{path}:{number}");
        if let Some(included) = check(&place, &line)? {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let inner = joined(folder, &included)
                .ok_or_else(|| Error::context(&place, format!("`{included}` lies outside of the context")))?;
            include(context, &inner, files)?;
        }
    }
    Ok(())
}

/// The lines of a list without comments, those joined that end with a backslash, each with the number of its first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.split_once(" #").map_or(line, |(code, _)| code).trim();
        if line.starts_with('#') && !goes_on {
            continue;
        }
        let (line, continued) = line.strip_suffix('\\').map_or((line, false), |line| (line.trim_end(), true));
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, before)) => {
                before.push(' ');
                before.push_str(line);
            }
            None => lines.push((index + 1, line.to_owned())),
        }
        goes_on = continued;
    }
    lines.retain(|(_, line)| !line.is_empty());
    lines
}

/// Options of pip that a list may have.
const OPTIONS: [&str; 8] =
    ["--index-url", "-i", "--extra-index-url", "--no-index", "--find-links", "-f", "--hash", "--only-binary"];

/// Refuses what reaches beyond an index and the context; a file to include, if that is what the line says.
fn check(place: &str, line: &str) -> Result<Option<String>, Error> {
    let refused = |problem: &str, hint: &str| Err(Error::context(place, problem).hinted(hint));
    if line.contains("${") {
        return refused("`${..}` would read this machine's environment", "write the value itself");
    }
    let (first, rest) = line.split_once([' ', '=']).unwrap_or((line, ""));
    if ["-r", "--requirement", "-c", "--constraint"].contains(&first) {
        return Ok(Some(rest.trim().to_owned()));
    }
    if let Some(attached) = ["-r", "-c"].iter().find_map(|option| line.strip_prefix(option)) {
        return Ok(Some(attached.trim().to_owned()));
    }
    if first.starts_with('-') && !OPTIONS.contains(&first) {
        return refused(&format!("the option `{first}` is not for images"), "an agent's own code needs no installing");
    }
    let address = line.split_once(" @ ").map_or(rest, |(_, address)| address).trim();
    let is_option = first.starts_with('-');
    let local = |text: &str| ["file:", ".", "/", "~"].iter().any(|start| text.starts_with(start));
    if local(line) || (line.contains(" @ ") && local(address)) {
        return refused("a path is no package", "publish it on an index, or put its code into the context");
    }
    if is_option
        && ["-f", "--find-links", "-i", "--index-url", "--extra-index-url"].contains(&first)
        && !is_https(address)
    {
        return refused(&format!("`{first}` wants an address"), "as in `https://packages.example.com/simple`");
    }
    if ["git+", "hg+", "svn+", "bzr+"].iter().any(|scheme| line.contains(scheme)) {
        return refused("code from a repository has to be built first", "publish a wheel of it on an index");
    }
    Ok(None)
}

/// Plain HTTP would reach what a machine tells itself alone, such as its credentials.
fn is_https(address: &str) -> bool {
    address.starts_with("https://")
}

/// `path` as seen from `folder`; none where it leads outside.
fn joined(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether every requirement of the list is pinned by hash.
fn is_locked(text: &str) -> bool {
    let lines = logical_lines(text);
    let mut requirements = lines.iter().filter(|(_, line)| !line.starts_with('-')).peekable();
    requirements.peek().is_some()
        && requirements.all(|(_, line)| line.contains("--hash=sha256:") && line.contains("=="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Limits;
    use std::fs;
    use tempfile::TempDir;

    fn read(files: &[(&str, &str)], name: Option<&str>) -> Result<Requirements, Error> {
        let folder = TempDir::new().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let context = Context::read(folder.path(), &[], Limits::default()).unwrap();
        let build = Build { requirements: name.map(str::to_owned), ..Build::default() };
        Requirements::read(&context, &build)
    }

    #[test]
    fn files_that_are_included_belong_to_it() {
        let files =
            [("requirements.txt", "-r a/base.txt\nhttpx\n"), ("a/base.txt", "-c pins.txt\n"), ("a/pins.txt", "")];
        let found = read(&files, None).unwrap();
        assert_eq!(found.kind, Kind::List);
        assert_eq!(found.files.keys().collect::<Vec<_>>(), ["a/base.txt", "a/pins.txt", "requirements.txt"]);
    }

    #[test]
    fn a_list_with_hashes_is_a_lock() {
        let text =
            "httpx==0.28.1 \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\n# a comment\nidna==3 --hash=sha256:ef\n";
        assert_eq!(read(&[("requirements.txt", text)], None).unwrap().kind, Kind::Locked);
        assert_eq!(read(&[("requirements.txt", "httpx==0.28.1\n")], None).unwrap().kind, Kind::List);
    }

    #[test]
    fn a_formatters_pyproject_is_no_requirement() {
        assert_eq!(read(&[("pyproject.toml", "[tool.ruff]\n")], None).unwrap().main, "");
        assert_eq!(read(&[("pyproject.toml", "[project]\nname = 'x'\n")], None).unwrap().kind, Kind::Project);
    }

    #[test]
    fn what_the_runtime_needs_comes_with_it_unless_the_agent_serves_itself() {
        assert_eq!(read(&[("generated_agent.py", "")], None).unwrap().needs, NEEDS);
        let own = read(&[("agent_server.py", "")], None).unwrap();
        assert_eq!((own.kind, own.needs.len()), (Kind::None, 0));
        let locked = read(&[("requirements.txt", "idna==3 --hash=sha256:ef\n")], None).unwrap();
        assert!(locked.suffices("starlette==1 \\\n    --hash=x\nuvicorn[standard]==2\n").is_ok());
        let error = locked.suffices("starlette-x==1\nuvicorn==2\n").unwrap_err();
        assert!(error.to_string().contains("starlette is not in it"), "{error}");
    }

    #[test]
    fn what_reaches_beyond_the_context_or_runs_code_is_refused() {
        let lines = [
            "-r ../other.txt",
            "-r /etc/passwd",
            "-r../x",
            "-e .",
            "./package",
            "/opt/package",
            "~/package",
            "package @ file:///etc/passwd",
            "package @ git+https://example.com/x",
            "git+https://example.com/x",
            "--index-url https://${AWS_SECRET_ACCESS_KEY}.example.com/",
            "--find-links /etc",
            "--index-url http://169.254.169.254/latest",
            "-f file:///etc",
            "--config-settings x=y",
            "--no-binary :all:",
            "--trusted-host example.com",
        ];
        for line in lines {
            let error = read(&[("requirements.txt", line)], None).unwrap_err();
            assert_eq!(error.cause, crate::error::Cause::ContextInvalid, "{line}");
        }
    }

    #[test]
    fn everything_that_decides_what_is_installed_is_in_the_key() {
        let list = read(&[("requirements.txt", "httpx\n")], None).unwrap();
        let target = Target { architecture: "amd64", python: "3.11".to_owned(), exclude_newer: None };
        let key = list.key(&target);
        assert_eq!(key, read(&[("requirements.txt", "httpx\n")], None).unwrap().key(&target));
        let others = [
            read(&[("requirements.txt", "httpx \n")], None).unwrap().key(&target),
            list.key(&Target { architecture: "arm64", ..target.clone() }),
            list.key(&Target { python: "3.12".to_owned(), ..target.clone() }),
            list.key(&Target { exclude_newer: Some("2026-01-01".to_owned()), ..target.clone() }),
        ];
        assert!(others.iter().all(|other| *other != key));
    }
}
