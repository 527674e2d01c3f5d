//! Where a git repository is, which commit of it counts, and which part of that commit:
//! `git+https://HOST/PATH#ref:path`, `git+ssh://…`, `git+file://…`. Pure text; nothing is asked of the repository.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use gix::ObjectId;
use reqwest::Url;

/// The address of specs in a git repository. Shown, it has neither a user nor anything else that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitAddress {
    /// How the repository is reached.
    pub(super) remote: Remote,
    /// Which commit counts.
    pub(super) wanted: Wanted,
    /// The part of the commit that has specs; empty for all of it. Relative, without `..`.
    pub(super) path: PathBuf,
    shown: String,
}

/// How a repository is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remote {
    /// A folder of this machine, with or without a work tree.
    Folder(PathBuf),
    /// By https.
    Https {
        /// The address, without a user.
        url: Url,
        /// The user it names.
        user: Option<String>,
    },
    /// By ssh.
    Ssh {
        /// The host.
        host: String,
        /// The port, where it is not ssh's own.
        port: Option<u16>,
        /// The user, where it is not ours.
        user: Option<String>,
        /// The repository as the host calls it.
        path: String,
    },
}

/// Which commit counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// That of the default branch.
    Head,
    /// That of a branch or tag: its name, in full (`refs/heads/main`) or not.
    Name(String),
    /// This one, always.
    Commit(ObjectId),
}

/// Why a text is no address. Says nothing of the text, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct AddressError {
    problem: String,
    /// What would be right.
    pub hint: &'static str,
}

const FORM: &str =
    "write git+https://HOST/PATH#ref:path, git+ssh://USER@HOST/PATH#ref:path or git+file:///PATH#ref:path";

impl GitAddress {
    /// Whether `text` means a git repository, rightly or wrongly written.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("git+")
    }

    /// The address written as `text`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (remote, part) = text.split_once('#').map_or((text, None), |(remote, part)| (remote, Some(part)));
        if remote.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
            return Err(wrong("an address of a git repository has no spaces", FORM));
        }
        let (remote, mut shown) =
            if let Some(path) = remote.strip_prefix("git+file://") { folder(path)? } else { hosted(remote)? };
        let (name, path) = part.unwrap_or_default().split_once(':').unwrap_or((part.unwrap_or_default(), ""));
        let (wanted, path) = (wanted(name)?, beneath(path)?);
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            shown = format!("{shown}#{part}");
        }
        Ok(Self { remote, wanted, path, shown })
    }

    /// The address without `#ref:path`: what people call the repository.
    pub(super) fn repository(&self) -> &str {
        self.shown.split('#').next().unwrap_or_default()
    }

    /// Host and path of the repository, for those who know it by another scheme: `github.com/org/specs`.
    pub(super) fn identity(&self) -> String {
        match &self.remote {
            Remote::Folder(path) => path.display().to_string(),
            Remote::Https { url, user: _ } => same(url.host_str().unwrap_or_default(), url.path()),
            Remote::Ssh { host, path, port: _, user: _ } => same(host, path),
        }
    }
}

impl fmt::Display for GitAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Host and path in the form in which all spellings of one repository are equal.
pub(super) fn same(host: &str, path: &str) -> String {
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    format!("{host}/{path}").to_ascii_lowercase()
}

fn wrong(problem: impl Into<String>, hint: &'static str) -> AddressError {
    AddressError { problem: problem.into(), hint }
}

fn folder(path: &str) -> Result<(Remote, String), AddressError> {
    if !path.starts_with('/') {
        return Err(wrong("git+file:// has no host and an absolute path", "write git+file:///PATH#ref:path"));
    }
    Ok((Remote::Folder(PathBuf::from(path)), format!("git+file://{path}")))
}

fn hosted(remote: &str) -> Result<(Remote, String), AddressError> {
    let scheme = remote.split("://").next().unwrap_or_default();
    let (true, Some(address)) = (["git+https", "git+ssh"].contains(&scheme), remote.strip_prefix("git+")) else {
        return Err(wrong("git repositories are reached by https, ssh or as files", FORM));
    };
    let url = Url::parse(address).map_err(|_| wrong("not an address of a git repository", FORM))?;
    if url.password().is_some() {
        let hint = "put the token into FARGATEER_GIT_TOKEN, or into a file named by FARGATEER_GIT_TOKEN_FILE";
        return Err(wrong("an address with a password can be read by everybody on the machine", hint));
    }
    if url.query().is_some() {
        return Err(wrong("an address of a git repository has no query", FORM));
    }
    let user = Some(url.username().to_owned()).filter(|user| !user.is_empty());
    let (host, path) = (url.host_str().unwrap_or_default().to_owned(), url.path().trim_end_matches('/').to_owned());
    // What begins with a dash is an option to some program or other (CVE-2017-1000117 and its kin).
    let options = [Some(&host), user.as_ref(), Some(&path)].into_iter().flatten().any(|part| part.starts_with('-'));
    if host.is_empty() || path.is_empty() || options {
        return Err(wrong("the address names no host, or no repository of it", FORM));
    }
    let at = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    let shown = format!("{scheme}://{at}{path}");
    if scheme == "git+ssh" {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        // As git writes it, `/~/specs` is a path of the user's own.
        let path = path.strip_prefix("/~/").map_or(path.clone(), ToOwned::to_owned);
        return Ok((Remote::Ssh { host, port: url.port(), user, path }, shown));
    }
    let url = Url::parse(&format!("https://{at}{path}")).map_err(|_| wrong("not an address of a repository", FORM))?;
    Ok((Remote::Https { url, user }, shown))
}

fn wanted(name: &str) -> Result<Wanted, AddressError> {
    if name.is_empty() || name == "HEAD" {
        return Ok(Wanted::Head);
    }
    if let Ok(commit) = ObjectId::from_hex(name.as_bytes()) {
        return Ok(Wanted::Commit(commit));
    }
    let hint = "a ref is the name of a branch or tag, or all 40 digits of a commit";
    let valid = gix::validate::reference::name_partial(name.into()).is_ok();
    if !valid || name.starts_with('-') || name.contains(['*', '^']) {
        return Err(wrong("not the name of a branch, tag or commit", hint));
    }
    Ok(Wanted::Name(name.to_owned()))
}

/// A path that stays beneath where it begins.
fn beneath(path: &str) -> Result<PathBuf, AddressError> {
    let mut clean = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => clean.push(name),
            // `/specs` and `./specs` mean `specs`: there is nothing above the repository.
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(wrong("the path leads out of the repository", "name a folder or file of it, without .."));
            }
        }
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> GitAddress {
        GitAddress::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_form_of_address_is_understood() {
        let https = parse("git+https://git.example.com/org/specs.git#main:agents/prod");
        assert_eq!(https.wanted, Wanted::Name("main".to_owned()));
        assert_eq!(https.path, Path::new("agents/prod"));
        assert_eq!(https.to_string(), "git+https://git.example.com/org/specs.git#main:agents/prod");
        assert_eq!(https.repository(), "git+https://git.example.com/org/specs.git");

        let ssh = parse("git+ssh://git@git.example.com:2222/org/specs.git#refs/tags/v1");
        let Remote::Ssh { host, port, user, path } = ssh.remote else { panic!("ssh") };
        assert_eq!((host.as_str(), port, user.as_deref()), ("git.example.com", Some(2222), Some("git")));
        assert_eq!(path, "/org/specs.git");

        let file = parse("git+file:///srv/specs.git#:agents");
        assert_eq!(file.remote, Remote::Folder(PathBuf::from("/srv/specs.git")));
        assert_eq!((file.wanted, file.path), (Wanted::Head, PathBuf::from("agents")));

        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert!(matches!(parse(&format!("git+file:///srv/x#{commit}")).wanted, Wanted::Commit(_)));
        assert_eq!(parse("git+file:///srv/x#0123456").wanted, Wanted::Name("0123456".to_owned()));
    }

    #[test]
    fn an_address_is_shown_without_its_user() {
        assert_eq!(parse("git+https://ghp_secret@host/x#main").to_string(), "git+https://host/x#main");
        assert_eq!(parse("git+ssh://git@host/x").to_string(), "git+ssh://host/x");
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        for text in [
            "git+https://user:secret@host/x",
            "git+http://secret/x",
            "git+ext::sh -c secret",
            "git+git://host/secret",
            "git+https://host",
            "git+https://host/x?token=secret",
            "git+ssh://-oProxyCommand=secret/x",
            "git+ssh://-lsecret@host/x",
            "git+file://secret/x",
            "git+file:///x#-secret",
            "git+file:///x#a b",
            "git+file:///x#refs/heads/*",
            "git+file:///x#a..b",
            "git+file:///x#main:../secret",
            "git+file:///x#main:a/../../secret",
        ] {
            let error = GitAddress::parse(text).expect_err(text);
            assert!(!error.to_string().contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn spellings_of_one_repository_have_one_identity() {
        let identity = "github.com/org/specs";
        for text in [
            "git+https://github.com/Org/specs",
            "git+ssh://git@github.com/org/specs.git",
            "git+https://x@github.com/org/specs.git/",
        ] {
            assert_eq!(parse(text).identity(), identity, "{text}");
        }
    }
}
