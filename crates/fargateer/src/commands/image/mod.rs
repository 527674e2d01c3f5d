//! `fargateer image`: images of agents, built without Docker.

pub(super) mod build;
mod docker;
mod inspect;
mod rebase;
mod sbom;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use fargateer_image::{Builder, Error, Reference};

use crate::cli::ImageCommand;
use crate::config;
use crate::logins::DockerLogins;
use crate::output;

/// Runs the command.
pub(crate) async fn run(command: ImageCommand, json_logs: bool) -> anyhow::Result<ExitCode> {
    match command {
        ImageCommand::Build(args) if args.docker => docker::run(*args).await,
        ImageCommand::Build(args) => build::run(*args, json_logs).await,
        ImageCommand::Inspect(args) => inspect::run(args).await,
        ImageCommand::Sbom(args) => sbom::run(args).await,
        ImageCommand::Rebase(args) => rebase::run(args).await,
    }
}

fn builder(cache: Option<PathBuf>) -> anyhow::Result<Builder> {
    let logins = DockerLogins::new(config::docker_config());
    let cache = cache.unwrap_or_else(config::image_cache);
    Builder::new(cache, config::image_tools(), Arc::new(logins)).map_err(told)
}

fn reference(text: &str) -> anyhow::Result<Reference> {
    let kept = ["oci-dir:", "docker-archive:"].iter().find_map(|kind| text.strip_prefix(kind));
    if let Some(path) = kept.or_else(|| text.starts_with(['.', '/']).then_some(text)) {
        let problem = format!("{path} is on this machine, and only images in a registry can be asked about");
        return Err(output::hinted(
            problem,
            "`fargateer image build --push REGISTRY/REPOSITORY` brings it to one; `skopeo inspect oci:FOLDER` reads it here",
        ));
    }
    Reference::parse(text).map_err(told)
}

/// A failure in the words of the command line.
fn told(error: Error) -> anyhow::Error {
    let problem = format!("{}: {}", error.cause.name(), error.message);
    match error.hint {
        Some(hint) => output::hinted(problem, hint),
        None => anyhow::Error::msg(problem),
    }
}
