//! `fargateer image build --docker`: for whoever has a Dockerfile, and Docker. No more than a call of it: what its image holds
//! and whether it is the same twice is the Dockerfile's.

use std::path::Path;
use std::process::{ExitCode, Stdio};

use anyhow::Context as _;
use fargateer_api::spec::Architecture;
use fargateer_image::Output;
use serde_json::{Value, json};
use tokio::process::Command;

use super::build::source;
use crate::cli::{BuildArgs, Format};
use crate::output::{self, hinted};

/// Runs the command.
pub(super) async fn run(args: BuildArgs) -> anyhow::Result<ExitCode> {
    let (folder, found) = source(&args.path)?;
    let build = found.as_ref().map(|found| found.build.clone()).unwrap_or_default();
    let dockerfile = folder.join(build.dockerfile());
    if !dockerfile.is_file() {
        let hint = "without --docker none is needed; `fargateer init agent --dockerfile` writes one";
        return Err(hinted(format!("{} does not exist", dockerfile.display()), hint));
    }
    let metadata = tempfile::NamedTempFile::new().context("no room for what Docker answers")?;
    let mut command = Command::new("docker");
    let architecture = args.arch.map(Architecture::from).or(found.map(|found| found.architecture)).unwrap_or_default();
    let context = (folder.as_path(), build.dockerfile.is_some().then_some(dockerfile.as_path()));
    command.args(arguments(&args, context, architecture, metadata.path())).stdin(Stdio::null()).kill_on_drop(true);
    // Standard output is for the digest alone.
    command.stdout(Stdio::null());
    let status = command
        .status()
        .await
        .map_err(|error| hinted(format!("docker: {error}"), "without --docker the image is built without Docker"))?;
    if !status.success() {
        let hint = "its own words are above; it needs Docker's plugin buildx (`docker buildx version`)";
        return Err(hinted(format!("docker buildx build: {status}"), hint));
    }
    let said: Value = serde_json::from_slice(&tokio::fs::read(metadata.path()).await.unwrap_or_default())
        .context("docker buildx build says nothing of what it built")?;
    let digest = &said["containerimage.digest"];
    match args.format() {
        Format::Json | Format::Yaml => output::document(&json!({"digest": digest, "image": args.push}), args.format()),
        Format::Text | Format::Wide | Format::Name => output::data(digest.as_str().unwrap_or_default()),
    }
}

/// What Docker is told: to build a folder, perhaps by another file than its Dockerfile.
fn arguments(
    args: &BuildArgs,
    (folder, dockerfile): (&Path, Option<&Path>),
    architecture: Architecture,
    metadata: &Path,
) -> Vec<String> {
    let platform = match architecture {
        Architecture::X86_64 => "linux/amd64",
        Architecture::Arm64 => "linux/arm64",
    };
    // An attestation would make an index of it, which ECS takes for another image.
    let fixed = ["buildx", "build", "--platform", platform, "--provenance=false", "--metadata-file"];
    let mut arguments: Vec<String> = fixed.iter().map(|&word| word.to_owned()).collect();
    arguments.push(metadata.display().to_string());
    for (name, value) in &args.label {
        arguments.extend(["--label".to_owned(), format!("{name}={value}")]);
    }
    if let Some(image) = &args.push {
        arguments.extend(["--tag".to_owned(), image.clone(), "--push".to_owned()]);
    }
    let saved = args.saved().map(|output| match output {
        Output::OciDir(folder) => format!("type=oci,tar=false,dest={}", folder.display()),
        Output::DockerArchive(file) => format!("type=docker,dest={}", file.display()),
    });
    arguments.extend(saved.into_iter().flat_map(|saved| ["--output".to_owned(), saved]));
    let dockerfile = dockerfile.map(|file| ["--file".to_owned(), file.display().to_string()]);
    arguments.extend(dockerfile.into_iter().flatten());
    arguments.push(folder.display().to_string());
    arguments
}
