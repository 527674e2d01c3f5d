//! Where agents' code is, and who lets us into the registries: what the builder of images asks of the rest.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use fargateer_aws::Aws;
use fargateer_image::{Cause, Contexts, Error, Login, Logins, Secret};
use fargateer_plan::build::Order;
use fargateer_plan::desired::Place;
use fargateer_store::source::git;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config;
use crate::logins::DockerLogins;

/// The folders and repositories that specs are read from, and AWS for logins.
pub(crate) struct Sources {
    /// Folders on this disk, as they were named.
    pub(crate) folders: Vec<PathBuf>,
    /// Copies of repositories.
    pub(crate) repositories: Arc<OnceLock<Vec<git::Checkouts>>>,
    /// Where ECR's tokens come from.
    pub(crate) aws: Arc<Aws>,
    /// Who lets us into every registry, where all of them are on this machine.
    pub(crate) here: Arc<OnceLock<Arc<dyn Logins>>>,
}

#[async_trait]
impl Contexts for Sources {
    async fn folder(&self, order: &Order) -> Result<PathBuf, Error> {
        if let Some(checkouts) =
            self.repositories.get().into_iter().flatten().find(|checkouts| checkouts.holds(&order.location))
        {
            let Some(code) = &order.code else {
                let problem = format!("spec.image.build.context: there is no folder {}", order.build.context);
                return Err(invalid(problem).hinted(format!("a folder of the commit, relative to {}", order.location)));
            };
            return checkouts.folder(code).await.map_err(|problem| Error::new(Cause::Local, problem));
        }
        let Some((file, _)) = order.location.rsplit_once(':').filter(|_| !order.location.contains("://")) else {
            let problem = format!("{}: there is no folder beside the spec", order.location);
            let hint = "put the code into S3: `context: s3://<bucket>/<key>.zip`; or name an image in `spec.image.uri`";
            return Err(invalid(problem).hinted(hint));
        };
        beside(&self.folders, Path::new(file), &order.build.context)
    }

    fn logins(&self, place: &Place) -> Arc<dyn Logins> {
        if let Some(here) = self.here.get() {
            return Arc::clone(here);
        }
        let docker = DockerLogins::new(config::docker_config());
        Arc::new(PlaceLogins { aws: Arc::clone(&self.aws), place: place.clone(), docker, token: Mutex::default() })
    }
}

/// The folder `context` beside the spec in `file`; never outside of the `folders` that were named as sources, whose owner need not be
/// the one who wrote the spec.
pub(crate) fn beside(folders: &[PathBuf], file: &Path, context: &str) -> Result<PathBuf, Error> {
    let beside = file.parent().unwrap_or(Path::new(".")).join(context);
    let told = |error: std::io::Error| invalid(format!("spec.image.build.context: {}: {error}", beside.display()));
    let real = beside.canonicalize().map_err(told)?;
    let root = |named: &PathBuf| {
        let folder = if named.is_file() { named.parent().map(Path::to_path_buf) } else { Some(named.clone()) };
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from("."));
        folder.canonicalize().ok()
    };
    if folders.iter().filter_map(root).any(|root| real.starts_with(root)) {
        return Ok(real);
    }
    let problem = format!("spec.image.build.context: {} lies outside of the folder of specs", beside.display());
    Err(invalid(problem).hinted("put the code beside the spec, or name a folder above both as the source"))
}

fn invalid(problem: String) -> Error {
    Error::new(Cause::ContextInvalid, problem)
}

/// ECR's own token for ECR, what Docker knows for the others.
struct PlaceLogins {
    aws: Arc<Aws>,
    place: Place,
    docker: DockerLogins,
    token: Mutex<Option<(Instant, Login)>>,
}

/// A token of ECR's is good for twelve hours (ECR API reference, GetAuthorizationToken).
const FRESH: Duration = Duration::from_mins(12 * 60 - 30);

#[async_trait]
impl Logins for PlaceLogins {
    async fn login(&self, registry: &str, refused: Option<&Login>) -> Result<Login, Error> {
        let is_ecr = registry.contains(".dkr.ecr.") || registry.contains(".dkr-ecr.");
        if is_ecr { self.token(registry).await } else { self.docker.login(registry, refused).await }
    }
}

impl PlaceLogins {
    /// The token, asked for again half an hour before it ends. The same one until then: a registry that refuses a fresh token
    /// means it, and is not asked again and again.
    async fn token(&self, registry: &str) -> Result<Login, Error> {
        let mut token = self.token.lock().await;
        if let Some((_, login)) = token.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(login.clone());
        }
        let answer = self.aws.registry_login(&self.place).await;
        let (user, password, endpoint) = answer
            .map_err(|failure| Error::new(Cause::RegistryDenied, format!("no login to {registry}: {failure}")))?;
        let endpoint = Some(endpoint).filter(|endpoint| !endpoint.is_empty());
        let login = Login { endpoint, ..Login::new(user, Secret::new(password)) };
        *token = Some((Instant::now(), login.clone()));
        Ok(login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargateer_aws::Settings;
    use std::fs;

    fn sources(folder: &Path) -> Sources {
        let aws = Arc::new(Aws::new(aws_config::SdkConfig::builder().build(), &Settings::default()));
        Sources { folders: vec![folder.to_owned()], repositories: Arc::default(), aws, here: Arc::default() }
    }

    #[test]
    fn code_is_found_beside_its_spec_and_never_outside_of_the_source() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("specs/team/agent")).unwrap();
        fs::create_dir_all(home.path().join("private")).unwrap();
        let sources = sources(&home.path().join("specs"));
        let spec = home.path().join("specs/team/bot.yaml");
        let found = beside(&sources.folders, &spec, "agent").unwrap();
        assert!(found.ends_with("specs/team/agent"), "{found:?}");
        assert!(beside(&sources.folders, &spec, "..").unwrap().ends_with("specs"));
        let error = beside(&sources.folders, &spec, "../../private").unwrap_err();
        assert!(error.to_string().contains("outside of the folder of specs"), "{error}");
        let error = beside(&sources.folders, &spec, "nowhere").unwrap_err();
        assert!(error.to_string().contains("spec.image.build.context"), "{error}");
    }
}
