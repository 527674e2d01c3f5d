//! What can be asked for about images and new agents.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use fargateer_api::spec::Architecture;
use fargateer_image::Output;

use super::Format;

/// What to do with an image.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ImageCommand {
    /// Build the image of a folder of agent code, without Docker, and print its digest
    ///
    /// The same code on the same base is the same digest on any machine. With --push or --save it also goes somewhere.
    /// Registries are logged in to as Docker does: by the logins and credential helpers of ~/.docker/config.json.
    Build(Box<BuildArgs>),
    /// Show how an image that Fargateer built was made
    Inspect(ImageArgs),
    /// Print what is in an image: its bill of materials (CycloneDX), as it is attached to it in the registry
    Sbom(SbomArgs),
    /// Put an image that Fargateer built on another base, without its sources
    Rebase(RebaseArgs),
}

/// Options of `image build`.
#[derive(Debug, Clone, Args)]
pub(crate) struct BuildArgs {
    /// A folder with an agent's code, or an AgentDeployment whose `image.build` names one. Where an AgentDeployment lies in
    /// the folder, it says how; the options below say it otherwise.
    pub(crate) path: PathBuf,
    /// Push the image to this repository: REGISTRY/REPOSITORY, with a :TAG to move there, too.
    #[arg(long, value_name = "REF")]
    pub(crate) push: Option<String>,
    /// Write the image: oci-dir:FOLDER, or docker-archive:FILE for `docker load`.
    #[arg(long, value_name = "KIND:PATH", value_parser = save)]
    pub(crate) save: Option<Output>,
    /// Repository of the same registry that keeps dependencies for all agents. Default: that of --push.
    #[arg(long, value_name = "REPOSITORY", requires = "push")]
    pub(crate) layer_cache: Option<String>,
    /// The file that defines the agent. Default: generated_agent.py.
    #[arg(long, value_name = "FILE")]
    pub(crate) agent: Option<String>,
    /// What in it answers.
    #[arg(long, value_name = "MODULE:SYMBOL")]
    pub(crate) entrypoint: Option<String>,
    /// Python requirements. Default: requirements.txt, uv.lock or pyproject.toml, where there is one.
    #[arg(long, value_name = "FILE")]
    pub(crate) requirements: Option<String>,
    /// Nothing published later counts: a date, or a time.
    #[arg(long, value_name = "DATE")]
    pub(crate) exclude_newer: Option<String>,
    /// Base image. Default: public.ecr.aws/docker/library/python:3.11-slim.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) base: Option<String>,
    /// Python's version in the base image, as 3.11. Default: what that says.
    #[arg(long, value_name = "VERSION")]
    pub(crate) python: Option<String>,
    /// For which machines. Default: x86-64.
    #[arg(long, value_enum)]
    pub(crate) arch: Option<Machine>,
    /// Label of the image, as often as wanted: a commit, a team.
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// Let Docker build the folder's Dockerfile instead (`docker buildx build`).
    #[arg(long, conflicts_with_all = ["layer_cache", "agent", "entrypoint", "requirements", "exclude_newer", "base", "python"])]
    pub(crate) docker: bool,
    /// Where layers are kept between builds. Default: `fargateer/images` in the user's cache folder.
    #[arg(long, value_name = "FOLDER", env = "FARGATEER_IMAGE_CACHE", hide_env_values = true)]
    pub(crate) cache: Option<PathBuf>,
    /// Format of the result: text, wide, json, yaml or name. Or where to write the image, as --save.
    #[arg(short, long, value_name = "FORMAT|KIND:PATH", value_parser = build_output, default_value = "text")]
    output: BuildOutput,
}

impl BuildArgs {
    /// In which format the result is told.
    pub(crate) fn format(&self) -> Format {
        match self.output {
            BuildOutput::Format(format) => format,
            BuildOutput::Save(_) => Format::Text,
        }
    }

    /// Where the image is written.
    pub(crate) fn saved(&self) -> Option<&Output> {
        let named = match &self.output {
            BuildOutput::Format(_) => None,
            BuildOutput::Save(output) => Some(output),
        };
        self.save.as_ref().or(named)
    }
}

/// What `--output` says of a build: how it is told, or where it goes.
#[derive(Debug, Clone)]
enum BuildOutput {
    Format(Format),
    Save(Output),
}

fn build_output(text: &str) -> Result<BuildOutput, String> {
    if let Ok(format) = Format::from_str(text, false) {
        return Ok(BuildOutput::Format(format));
    }
    save(text).map(BuildOutput::Save).map_err(|problem| format!("{problem}; or a format: text, wide, json, yaml, name"))
}

/// For which machines an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Machine {
    /// Intel and AMD.
    #[value(name = "x86-64", alias = "amd64", alias = "x86_64")]
    X86,
    /// AWS Graviton.
    #[value(name = "arm64", alias = "aarch64")]
    Arm,
}

impl From<Machine> for Architecture {
    fn from(machine: Machine) -> Self {
        match machine {
            Machine::X86 => Self::X86_64,
            Machine::Arm => Self::Arm64,
        }
    }
}

/// An image in a registry.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImageArgs {
    /// The image: REGISTRY/REPOSITORY:TAG or @sha256:DIGEST.
    pub(crate) image: String,
    /// Format of what is shown.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
}

/// Options of `image sbom`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SbomArgs {
    /// The image: REGISTRY/REPOSITORY:TAG or @sha256:DIGEST.
    pub(crate) image: String,
    /// Print where it comes from instead (in-toto, SLSA provenance).
    #[arg(long)]
    pub(crate) provenance: bool,
}

/// Options of `image rebase`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RebaseArgs {
    /// The image: REGISTRY/REPOSITORY:TAG or @sha256:DIGEST. A tag moves along, where the repository lets it.
    pub(crate) image: String,
    /// The base image. Default: the one it is on, as its tag stands now.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) base: Option<String>,
    /// Repository of the same registry that keeps dependencies for all agents. Default: that of the image.
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) layer_cache: Option<String>,
    /// Format of the result.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
}

/// What to begin.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum InitCommand {
    /// Write a new agent into a folder: its code, its requirements, its AgentDeployment
    Agent {
        /// The folder, whose name becomes the agent's. Nothing that is there is replaced.
        folder: PathBuf,
        /// Write a Dockerfile that builds the same, too.
        #[arg(long)]
        dockerfile: bool,
    },
}

fn save(text: &str) -> Result<Output, String> {
    match text.split_once(':') {
        Some(("oci-dir", path)) if !path.is_empty() => Ok(Output::OciDir(path.into())),
        Some(("docker-archive", path)) if !path.is_empty() => Ok(Output::DockerArchive(path.into())),
        Some(_) | None => Err("expected oci-dir:FOLDER or docker-archive:FILE".to_owned()),
    }
}

pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "expected NAME=VALUE".to_owned())
}
