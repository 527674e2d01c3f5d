//! Images that CodeBuild builds from a Dockerfile: what is sent there, and what comes of it.
//!
//! The tag follows from the files of the context, the Dockerfile's name and the processor, before anything is sent. What a
//! Dockerfile fetches by itself is not known here: the same files are the same tag, and are built once.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fargateer_api::spec::{Architecture, Build, ObjectAddress};
use fargateer_controller::port::{Builds, Objects};
use fargateer_plan::desired::Place;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::object::{NO_BUCKET, NO_KEY};
use fargateer_plan::remote::{Complaint, Job, NO_PROJECT, Project, Run};
use serde_json::json;
use tempfile::NamedTempFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::builder::blocking;
use crate::context::{Context, EntryKind, Limits};
use crate::error::{Cause, Error};
use crate::hash::{self, Hashing};
use crate::inputs;
use crate::progress::{Phase, Progress};

/// The version of what CodeBuild is told to do. Another one is another tag for every image.
const VERSION: u32 = 1;
/// Where contexts lie in the project's bucket. Whoever owns it lets them expire: what is missing is sent again.
pub const CONTEXTS: &str = "fargateer/contexts/";

/// What builds elsewhere.
#[derive(Clone)]
pub struct Services {
    /// S3.
    pub objects: Arc<dyn Objects>,
    /// CodeBuild.
    pub builds: Arc<dyn Builds>,
}

/// A context with a Dockerfile, and the tag of what it becomes.
#[derive(Debug, Clone)]
pub(crate) struct Contained {
    context: Context,
    project: String,
    dockerfile: String,
    architecture: Architecture,
}

impl Contained {
    /// Reads the folder `root`. Blocks.
    pub(crate) fn read(root: &Path, build: &Build, architecture: Architecture, limits: Limits) -> Result<Self, Error> {
        let mut context = Context::read(root, &build.allow_secret_files, limits)?;
        let dockerfile = build.dockerfile();
        if !context.bring_back(dockerfile)? {
            let problem = "there is no such file in the context";
            return Err(Error::context(dockerfile, problem).hinted("name the Dockerfile in `dockerfile`"));
        }
        let (project, dockerfile) = (build.project().to_owned(), dockerfile.to_owned());
        Ok(Self { context, project, dockerfile, architecture })
    }

    /// The project that builds it.
    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    /// The tag that follows from what it is made of. Which project builds it plays no part.
    pub(crate) fn tag(&self) -> String {
        let Self { context, project: _, dockerfile, architecture } = self;
        let code = inputs::code(&context.entries);
        let inputs = json!({"version": VERSION, "code": code, "dockerfile": dockerfile, "architecture": architecture});
        inputs::tagged("c", &hash::of(hash::canonical(&inputs).as_bytes()))
    }

    /// Where its packed files lie in `bucket`.
    fn source(&self, bucket: &str) -> ObjectAddress {
        let code = inputs::code(&self.context.entries);
        let key = format!("{CONTEXTS}{}.zip", code.trim_start_matches("sha256:"));
        ObjectAddress { bucket: bucket.to_owned(), key }
    }

    /// Packs it: the same bytes from the same files. Blocks.
    fn pack(&self, scratch: &Path) -> Result<NamedTempFile, Error> {
        let file = NamedTempFile::new_in(scratch).map_err(|error| Error::local(scratch, error))?;
        let fault = |error: &dyn std::error::Error| Error::local(file.path(), error);
        let mut zip = ZipWriter::new(BufWriter::new(file.as_file()));
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default());
        for entry in &self.context.entries {
            match &entry.kind {
                EntryKind::Link { target } => {
                    zip.add_symlink(entry.path.as_str(), target.as_str(), options).map_err(|error| fault(&error))?;
                }
                EntryKind::File { digest, executable, size: _ } => {
                    let mode = if *executable { 0o755 } else { 0o644 };
                    let started = zip.start_file(entry.path.as_str(), options.unix_permissions(mode));
                    started.map_err(|error| fault(&error))?;
                    copy(&self.context.root.join(&entry.path), digest, &mut zip)?;
                }
            }
        }
        let mut writer = zip.finish().map_err(|error| fault(&error))?;
        writer.flush().map_err(|error| fault(&error))?;
        drop(writer);
        Ok(file)
    }
}

/// Writes the file `path`, which must still have this digest.
fn copy(path: &Path, digest: &str, into: &mut impl io::Write) -> Result<(), Error> {
    let mut file = File::open(path).map_err(|error| Error::local(path, error))?;
    let mut hashing = Hashing::new(into);
    io::copy(&mut file, &mut hashing).map_err(|error| Error::local(path, error))?;
    let (_, found, _) = hashing.finish();
    if found == digest {
        return Ok(());
    }
    Err(Error::new(Cause::ContextChanged, format!("{} changed while it was read", path.display())))
}

impl Services {
    /// The build of `contained` that is under way, whoever started it.
    pub(crate) async fn under_way(
        &self,
        place: &Place,
        contained: &Contained,
        repository: &str,
    ) -> Result<Option<String>, Error> {
        let runs = self.runs(place, contained, repository).await?;
        Ok(runs.into_iter().find(|run| run.end.is_none()).map(|run| run.id))
    }

    /// Builds of this very image, the newest first.
    async fn runs(&self, place: &Place, contained: &Contained, repository: &str) -> Result<Vec<Run>, Error> {
        let (project, tag) = (&contained.project, contained.tag());
        let latest = self.builds.latest(place, project).await;
        let mut latest = latest.map_err(|failure| refused(&failure, place, project))?;
        latest.retain(|run| run.repository == repository && run.tag == tag);
        Ok(latest)
    }

    /// Sees to it that CodeBuild builds `contained`; answers the build's id.
    pub(crate) async fn begin(
        &self,
        place: &Place,
        (contained, repository): (&Contained, &str),
        scratch: PathBuf,
        progress: &Progress,
    ) -> Result<String, Error> {
        let name = &contained.project;
        let project = self.builds.project(place, name).await.map_err(|failure| refused(&failure, place, name))?;
        let source = contained.source(bucket(name, &project)?);
        self.send(place, contained, (&source, scratch), progress).await?;
        progress.tell(Phase::Start);
        let runs = self.runs(place, contained, repository).await?;
        if let Some(run) = runs.iter().find(|run| run.end.is_none()) {
            return Ok(run.id.clone());
        }
        let arm = contained.architecture == Architecture::Arm64;
        let job = Job {
            project: name.clone(),
            source,
            dockerfile: contained.dockerfile.clone(),
            repository: repository.to_owned(),
            tag: contained.tag(),
            architecture: contained.architecture,
            other_machine: project.environment.starts_with("ARM_") != arm,
            after: runs.first().map(|run| run.id.clone()),
        };
        let started = self.builds.start(place, &job).await.map_err(|failure| refused(&failure, place, name))?;
        tracing::info!(build = started.id, tag = job.tag, "CodeBuild builds the image");
        Ok(started.id)
    }

    /// Sees to it that the packed context lies at `source`.
    async fn send(
        &self,
        place: &Place,
        contained: &Contained,
        (source, scratch): (&ObjectAddress, PathBuf),
        progress: &Progress,
    ) -> Result<(), Error> {
        match self.objects.find(place, source).await {
            Ok(_) => return Ok(()),
            // Who may not list the bucket is told that what is missing is denied.
            Err(failure) if failure.code == NO_KEY || failure.class == Class::Denied => {}
            Err(failure) => return Err(unsent(&failure, place, &contained.project, source)),
        }
        progress.tell(Phase::Archive);
        let packing = contained.clone();
        let packed = blocking(move || packing.pack(&scratch)).await?;
        progress.tell(Phase::Send);
        let sent = self.objects.put(place, source, packed.path()).await;
        sent.map_err(|failure| unsent(&failure, place, &contained.project, source))
    }

    /// How far the build `id` is; none where CodeBuild has forgotten it.
    pub(crate) async fn run(&self, place: &Place, project: &str, id: &str) -> Result<Option<Run>, Error> {
        self.builds.run(place, id).await.map_err(|failure| refused(&failure, place, project))
    }
}

/// The bucket a project builds from.
fn bucket<'a>(name: &str, project: &'a Project) -> Result<&'a str, Error> {
    let location = project.location.strip_prefix("arn:aws:s3:::").unwrap_or(&project.location);
    let bucket = location.split('/').next().filter(|bucket| project.source == "S3" && !bucket.is_empty());
    bucket.ok_or_else(|| {
        let problem = format!("CodeBuild project {name}: its source is {}, not a bucket of S3", project.source);
        Error::new(Cause::BuildFailed, problem).hinted("deploy/codebuild.yaml makes such a project, with its bucket")
    })
}

/// What a build that failed means.
pub(crate) fn failed(complaint: &Complaint) -> Error {
    if complaint.is_denied() {
        return Error::new(Cause::RegistryDenied, complaint.to_string())
            .hinted("the project's role needs the right to push to the repository, as deploy/codebuild.yaml gives it");
    }
    Error::new(Cause::BuildFailed, complaint.to_string())
}

/// A build that ended well and left nothing.
pub(crate) fn nothing_pushed(run: &Run) -> Error {
    let Run { id, repository, tag, .. } = run;
    Error::new(Cause::BuildFailed, format!("CodeBuild: build {id} succeeded, and there is no {repository}:{tag}"))
        .hinted("was the image deleted since?")
}

/// Why CodeBuild does not build, and what to do.
fn refused(failure: &Failure, place: &Place, project: &str) -> Error {
    if failure.code == NO_PROJECT || failure.code == "ResourceNotFoundException" {
        let problem = format!("there is no CodeBuild project {project} in {} of the agent's account", place.region);
        let hint = "deploy/codebuild.yaml makes one; another name goes into spec.image.build.project";
        return Error::new(Cause::BuildFailed, problem).hinted(hint);
    }
    match failure.class {
        Class::Denied | Class::Invalid => {
            let error = Error::new(Cause::BuildFailed, format!("CodeBuild project {project}: {failure}"));
            let denied = failure.code.starts_with("AccessDenied");
            let who = place.role.as_deref().unwrap_or("Fargateer's own role");
            if denied {
                error.hinted(format!("{who} needs the codebuild actions of deploy/iam-policy.json"))
            } else {
                error
            }
        }
        Class::Throttled | Class::Transient | Class::Conflict | Class::NotYetVisible => {
            Error::new(Cause::ServiceUnavailable, format!("CodeBuild project {project}: {failure}"))
        }
    }
}

/// Why the context cannot be sent, and what to do.
fn unsent(failure: &Failure, place: &Place, project: &str, source: &ObjectAddress) -> Error {
    let bucket = &source.bucket;
    if failure.code == NO_BUCKET {
        let problem = format!("there is no bucket {bucket}, which CodeBuild project {project} builds from");
        return Error::new(Cause::BuildFailed, problem).hinted("deploy/codebuild.yaml makes both");
    }
    match failure.class {
        Class::Denied | Class::Invalid => {
            let who = place.role.as_deref().unwrap_or("Fargateer's own role");
            let hint = format!("allow s3:GetObject and s3:PutObject on arn:aws:s3:::{bucket}/{CONTEXTS}* to {who}");
            Error::new(Cause::BuildFailed, format!("{source} may not be written: {failure}")).hinted(hint)
        }
        Class::Throttled | Class::Transient | Class::Conflict | Class::NotYetVisible => {
            Error::new(Cause::ServiceUnavailable, format!("{source}: {failure}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn contained(folder: &TempDir, build: &Build) -> Result<Contained, Error> {
        Contained::read(folder.path(), build, Architecture::X86_64, Limits::default())
    }

    fn folder() -> TempDir {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/a.py"), "1").unwrap();
        symlink("a.py", folder.path().join("src/b.py")).unwrap();
        folder
    }

    #[test]
    fn the_tag_changes_with_files_dockerfile_and_processor_and_with_nothing_else() {
        let (folder, build) = (folder(), Build::default());
        let before = contained(&folder, &build).unwrap().tag();
        assert!(before.starts_with("c-") && before.len() == 42, "{before}");
        let elsewhere = Build { project: Some("other".to_owned()), ..Build::default() };
        assert_eq!(contained(&folder, &elsewhere).unwrap().tag(), before);
        let arm = Contained::read(folder.path(), &build, Architecture::Arm64, Limits::default()).unwrap();
        assert_ne!(arm.tag(), before);
        fs::write(folder.path().join("Other"), "FROM scratch\n").unwrap();
        let more = contained(&folder, &build).unwrap();
        assert_ne!(more.tag(), before);
        let other = Build { dockerfile: Some("Other".to_owned()), ..Build::default() };
        assert_ne!(contained(&folder, &other).unwrap().tag(), more.tag());
    }

    #[test]
    fn the_same_files_are_packed_to_the_same_bytes_that_unpack_to_them() {
        let (one, other, scratch) = (folder(), folder(), TempDir::new().unwrap());
        let packed = contained(&one, &Build::default()).unwrap().pack(scratch.path()).unwrap();
        let again = contained(&other, &Build::default()).unwrap().pack(scratch.path()).unwrap();
        let bytes = fs::read(packed.path()).unwrap();
        assert_eq!(bytes, fs::read(again.path()).unwrap());
        let into = TempDir::new().unwrap();
        let limits = Limits::default();
        crate::archive::unpack(packed.path(), fargateer_api::spec::Packing::Zip, into.path(), limits).unwrap();
        assert_eq!(fs::read_link(into.path().join("src/b.py")).unwrap(), Path::new("a.py"));
        let unpacked = contained(&into, &Build::default()).unwrap();
        assert_eq!(unpacked.tag(), contained(&one, &Build::default()).unwrap().tag());
    }

    #[test]
    fn a_dockerfile_that_docker_need_not_send_is_sent_and_one_that_is_not_there_is_told() {
        let folder = folder();
        fs::write(folder.path().join(".dockerignore"), "Dockerfile\n").unwrap();
        assert!(contained(&folder, &Build::default()).unwrap().context.contains("Dockerfile"));
        let other = Build { dockerfile: Some("docker/Dockerfile".to_owned()), ..Build::default() };
        let error = contained(&folder, &other).unwrap_err();
        assert_eq!(error.cause, Cause::ContextInvalid);
        assert!(error.to_string().starts_with("docker/Dockerfile: there is no such file"), "{error}");
    }

    #[test]
    fn a_project_without_a_bucket_is_told() {
        let project = |source: &str, location: &str| Project {
            source: source.to_owned(),
            location: location.to_owned(),
            environment: "LINUX_CONTAINER".to_owned(),
        };
        assert_eq!(bucket("p", &project("S3", "contexts/any/path.zip")).unwrap(), "contexts");
        assert_eq!(bucket("p", &project("S3", "arn:aws:s3:::contexts/x")).unwrap(), "contexts");
        let error = bucket("p", &project("GITHUB", "https://github.com/a/b")).unwrap_err();
        assert!(error.to_string().contains("its source is GITHUB"), "{error}");
        assert!(error.hint.unwrap().contains("deploy/codebuild.yaml"));
    }
}
