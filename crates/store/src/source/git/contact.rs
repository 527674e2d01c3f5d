//! A remote repository asked for its refs, and for the commit that is wanted: into a shallow mirror, one commit deep where
//! that is enough. No tags, no submodules, no hooks, no configuration but the mirror's own.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use gix::bstr::BString;
use gix::protocol::handshake::Ref;
use gix::remote::fetch::{Shallow, Tags};
use gix::remote::{Direction, ref_map};
use gix::{ObjectId, Repository, progress};
use gix_transport::client::blocking_io::Transport;

use super::address::{GitAddress, Remote, Wanted};
use super::budget::Budget;
use super::https::{self, Access};
use super::secret::Secret;
use super::ssh;
use super::tip::{self, Tip, Trouble};

/// What we show to hosts of repositories.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The token for https.
    pub token: Option<Secret>,
    /// A file with that token, read anew each time; it comes before `token`.
    pub token_file: Option<PathBuf>,
    /// The user that goes with the token.
    pub user: Option<String>,
    /// Certificates of authorities to trust besides those of the system, in PEM.
    pub authorities: Option<PathBuf>,
    /// The key for ssh. Left out, ssh chooses as it does for the user we run as.
    pub ssh_key: Option<PathBuf>,
    /// The keys of ssh's hosts. Left out, the files of the user we run as. A host that is in neither is not talked to.
    pub known_hosts: Option<PathBuf>,
}

/// A line to a repository.
type Line = Box<dyn Transport + Send>;

/// A remote repository, to be asked within a budget.
#[derive(Debug)]
pub(super) struct Contact<'a> {
    /// Where it is.
    pub(super) address: &'a GitAddress,
    /// What it is told of us.
    pub(super) credentials: &'a Credentials,
    /// The client for https, made when it is first needed.
    pub(super) client: &'a std::sync::OnceLock<reqwest::Client>,
    /// What asking may cost.
    pub(super) budget: &'a Arc<Budget>,
}

impl Contact<'_> {
    /// The tip that is wanted now; when `mirror` lacks it or `depth` asks for more than it has, that is fetched.
    pub(super) fn tip(&self, mirror: &Repository, depth: Depth) -> Result<Tip, Trouble> {
        let found = self.ask(mirror, depth);
        // What the program in between complained about is told when it has ended.
        self.budget.keep(None);
        found.map_err(|failure| match failure {
            Failure::Told(trouble) => trouble,
            Failure::Git(error) => {
                let why = self.budget.said().unwrap_or_else(|| tip::told(&error));
                Trouble::Passing(format!("{}: cannot be read: {why}", self.address.repository()))
            }
        })
    }

    fn ask(&self, mirror: &Repository, depth: Depth) -> Result<Tip, Failure> {
        let failed = |why: String| Trouble::Passing(format!("{}: {why}", self.address.repository()));
        let line = self.line().map_err(failed)?;
        // The address only names the remote: the line is there already.
        let remote = mirror.remote_at_without_url_rewrite("https://remote.invalid/repository")?;
        let remote = remote.with_fetch_tags(Tags::None).with_refspecs(self.refspecs(), Direction::Fetch)?;
        let connection = remote.to_connection_with_transport(line).with_transport_options(Box::new(()));
        // Whoever is not content with what was sent gets nothing else: no helper is asked, and nobody.
        let connection = connection.with_credentials(|_| Ok(None));
        let asked = connection.prepare_fetch(progress::Discard, ref_map::Options::default())?;
        let map = asked.ref_map();
        let tip = match self.address.wanted {
            Wanted::Commit(commit) => Tip { name: commit.to_string(), commit, object: commit },
            Wanted::Head | Wanted::Name(_) => {
                let head = self.address.wanted == Wanted::Head;
                // An old host tells all its refs, whatever it was asked for.
                let asked_for = map.remote_refs.iter().filter(|found| !head || found.unpack().0 == "HEAD");
                let known: Vec<Tip> = asked_for.filter_map(named).collect();
                tip::choose(self.address, &known)?
            }
        };
        let fetch = match depth {
            Depth::Tip if mirror.has_object(tip.commit) => None,
            Depth::Tip => NonZeroU32::new(1),
            Depth::Commits(count) => Some(count),
        };
        if let Some(depth) = fetch {
            asked.with_shallow(Shallow::DepthAtRemote(depth)).receive(progress::Discard, self.budget.interrupted())?;
        }
        Ok(tip)
    }

    fn client(&self) -> Result<reqwest::Client, String> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = https::client(self.credentials.authorities.as_deref())?;
        Ok(self.client.get_or_init(|| client).clone())
    }

    fn refspecs(&self) -> impl Iterator<Item = BString> {
        let specs = match &self.address.wanted {
            Wanted::Head => vec!["+HEAD:refs/fargateer/head".to_owned()],
            Wanted::Commit(commit) => vec![format!("+{commit}:refs/fargateer/commit")],
            Wanted::Name(name) if name.starts_with("refs/") => vec![format!("+{name}:refs/fargateer/ref")],
            Wanted::Name(name) => vec![
                format!("+refs/heads/{name}:refs/fargateer/branch"),
                format!("+refs/tags/{name}:refs/fargateer/tag"),
            ],
        };
        specs.into_iter().map(BString::from)
    }

    fn line(&self) -> Result<Line, String> {
        let credentials = self.credentials;
        Ok(match &self.address.remote {
            Remote::Folder(path) => return Err(format!("{} is a folder and is not fetched from", path.display())),
            Remote::Https { url, user } => {
                let user = user.clone().or_else(|| credentials.user.clone());
                let access = Access { user, token: credentials.token()? };
                Box::new(https::connect(self.client()?, access, url, Arc::clone(self.budget))?)
            }
            Remote::Ssh { host, port, user, path } => {
                let place = ssh::Place { host, port: *port, user: user.as_deref(), path };
                let keys = ssh::Keys {
                    identity: credentials.ssh_key.as_deref(),
                    known_hosts: credentials.known_hosts.as_deref(),
                };
                Box::new(ssh::connect(place, keys, self.budget)?)
            }
        })
    }
}

impl Credentials {
    /// The token as it is now: files are replaced when tokens run out.
    fn token(&self) -> Result<Option<Secret>, String> {
        let Some(file) = &self.token_file else { return Ok(self.token.clone()) };
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Secret::of(&text).map(Some).ok_or_else(|| format!("{}: no token in it", file.display()))
    }
}

/// How much of the history is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Depth {
    /// The tip alone.
    Tip,
    /// So many commits, the tip among them.
    Commits(NonZeroU32),
}

/// Why asking failed.
enum Failure {
    Told(Trouble),
    Git(gix::Error),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Told(trouble)
    }
}

impl From<gix::Error> for Failure {
    fn from(error: gix::Error) -> Self {
        Self::Git(error)
    }
}

/// What a ref of the remote stands for; nothing, where it has no commit yet.
fn named(found: &Ref) -> Option<Tip> {
    let tip = |name: &BString, object: ObjectId, commit: ObjectId| Tip { name: name.to_string(), commit, object };
    match found {
        Ref::Peeled { full_ref_name, tag, object } => Some(tip(full_ref_name, *tag, *object)),
        Ref::Direct { full_ref_name, object } => Some(tip(full_ref_name, *object, *object)),
        // HEAD is known by what it leads to: when that changes, another branch counts.
        Ref::Symbolic { full_ref_name, target, tag, object } => {
            let name = if full_ref_name == "HEAD" { target } else { full_ref_name };
            Some(tip(name, tag.unwrap_or(*object), *object))
        }
        Ref::Unborn { .. } => None,
    }
}
