//! The sources a daemon was given: folders, files, git repositories and what makes those fetch at once, and tables.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use fargateer_controller::port::Source;
use fargateer_sim::Simulation;
use fargateer_store::source::git::{
    Checkouts, Credentials, GitAddress, GitSettings, GitSource, Secret, Trigger, Trust,
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::cli::{GitArgs, RunArgs, StatePlace};
use crate::http::webhook::Webhook;
use crate::output::hinted;
use crate::tables::Tables;
use crate::{address, config, local, wire};

/// A secret of fewer characters can be guessed.
const SHORTEST_SECRET: usize = 16;

/// Where specs come from.
pub(crate) struct Sources {
    /// All of them.
    pub(crate) all: Vec<Box<dyn Source>>,
    /// What a push to one of them is told by.
    pub(crate) webhook: Option<Webhook>,
    /// Where the code of agents in repositories is to be had.
    pub(crate) checkouts: Vec<Checkouts>,
    /// Holds copies of repositories, where no state folder does.
    pub(crate) copies: Option<TempDir>,
}

impl Sources {
    /// The sources `args` name. Those of a `simulation` find in it what their specs need.
    pub(crate) fn open(args: &RunArgs, simulation: Option<&Simulation>, tables: &Tables) -> anyhow::Result<Self> {
        let poll = args.period();
        let settings = settings(&args.git, poll)?;
        let (folder, copies) = copies(args)?;
        let (mut names, mut all) = (BTreeSet::new(), Vec::new());
        let (mut triggers, mut checkouts) = (Vec::new(), Vec::new());
        for name in &args.sources {
            if !names.insert(name) {
                return Err(hinted(format!("the source {} is given twice", shown(name)), "name each source once"));
            }
            if GitAddress::is_meant(name) {
                let source = repository(name, &folder, settings.clone())?;
                triggers.push(source.trigger());
                checkouts.push(source.checkouts());
                all.push(seeded(source, simulation));
            } else if let Some(table) = tables.source(name, poll) {
                all.push(seeded(table, simulation));
            } else {
                all.push(seeded(wire::source(name, poll)?, simulation));
            }
        }
        let webhook = webhook(&args.git, triggers)?;
        Ok(Self { all, webhook, checkouts, copies })
    }
}

fn shown(name: &str) -> String {
    if name.contains("://") { address::shown(name) } else { name.to_owned() }
}

fn seeded(source: impl Source + 'static, simulation: Option<&Simulation>) -> Box<dyn Source> {
    match simulation {
        Some(simulation) => Box::new(local::Seeded::new(source, simulation.clone())),
        None => Box::new(source),
    }
}

fn repository(name: &str, folder: &Path, settings: GitSettings) -> anyhow::Result<GitSource> {
    let address =
        GitAddress::parse(name).map_err(|error| hinted(format!("{}: {error}", address::shown(name)), error.hint))?;
    // Nothing of a name may act on a path, and no two sources share a folder.
    let folder = folder.join(hex::encode(Sha256::digest(name)));
    Ok(GitSource::new(address, folder, settings))
}

/// Where copies of repositories are kept: with the state, where that is a folder.
fn copies(args: &RunArgs) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    match args.state.clone().or_else(|| (!args.local).then(StatePlace::default)) {
        Some(StatePlace::Folder(folder)) => Ok((folder.join("git"), None)),
        Some(StatePlace::Table(_)) | None => {
            let folder =
                TempDir::with_prefix("fargateer-").context("no temporary folder for copies of repositories")?;
            Ok((folder.path().to_owned(), Some(folder)))
        }
    }
}

fn settings(args: &GitArgs, poll: Duration) -> anyhow::Result<GitSettings> {
    let GitArgs {
        git_token_file,
        git_user,
        git_ca_file,
        git_ssh_key,
        git_known_hosts,
        git_allowed_signers,
        git_keyring,
        webhook_secret_file: _,
    } = args.clone();
    for (option, file) in [
        ("--git-token-file", &git_token_file),
        ("--git-ca-file", &git_ca_file),
        ("--git-ssh-key", &git_ssh_key),
        ("--git-known-hosts", &git_known_hosts),
        ("--git-allowed-signers", &git_allowed_signers),
        ("--git-keyring", &git_keyring),
    ] {
        if let Some(file) = file {
            std::fs::metadata(file).with_context(|| format!("{option} {} cannot be read", file.display()))?;
        }
    }
    let credentials = Credentials {
        token: config::git_token(),
        token_file: git_token_file,
        user: git_user,
        authorities: git_ca_file,
        ssh_key: git_ssh_key,
        known_hosts: git_known_hosts,
    };
    let trust = Trust { allowed_signers: git_allowed_signers, keyring: git_keyring };
    Ok(GitSettings { poll, credentials, trust, ..GitSettings::default() })
}

/// The endpoint for pushes, if there is a secret for it.
fn webhook(args: &GitArgs, triggers: Vec<Trigger>) -> anyhow::Result<Option<Webhook>> {
    let secret = match &args.webhook_secret_file {
        None => config::webhook_secret(),
        Some(file) => {
            let text = std::fs::read_to_string(file);
            let text = text.with_context(|| format!("--webhook-secret-file {} cannot be read", file.display()))?;
            Some(
                Secret::of(&text)
                    .with_context(|| format!("--webhook-secret-file {}: no secret in it", file.display()))?,
            )
        }
    };
    let Some(secret) = secret else { return Ok(None) };
    if secret.reveal().len() < SHORTEST_SECRET {
        let problem = format!("the secret of webhooks has fewer than {SHORTEST_SECRET} characters");
        return Err(hinted(problem, "make one with: openssl rand -hex 32"));
    }
    Ok(Some(Webhook::new(secret, triggers)))
}
