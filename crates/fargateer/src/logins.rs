//! Logins to registries, where Docker keeps them: its configuration file, and the programs that file names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fargateer_image::{Cause, Error, Login, Logins, Secret};
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// What Docker's configuration says of logins.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DockerConfig {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
}

/// What a credential helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The logins of Docker's configuration. A registry that is not in it is asked as nobody in particular.
pub(crate) struct DockerLogins {
    /// Where it is: read anew at every question, because a login may come while we run.
    file: Option<PathBuf>,
}

impl DockerLogins {
    /// Logins of this configuration file, which need not be there.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self { file }
    }

    async fn read(&self) -> Result<DockerConfig, Error> {
        let Some(file) = &self.file else { return Ok(DockerConfig::default()) };
        match tokio::fs::read(file).await {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| refused(&format!("{}: {error}", file.display())))
            }
            Err(_) => Ok(DockerConfig::default()),
        }
    }
}

fn refused(problem: &str) -> Error {
    Error::new(Cause::RegistryDenied, problem)
}

#[async_trait]
impl Logins for DockerLogins {
    async fn login(&self, registry: &str, _: Option<&Login>) -> Result<Login, Error> {
        let config = self.read().await?;
        let names = names(registry);
        let helper = names.iter().find_map(|name| config.cred_helpers.get(name)).or(config.creds_store.as_ref());
        if let Some(helper) = helper
            && let Some(login) = ask(&format!("docker-credential-{helper}"), &names).await?
        {
            return Ok(login);
        }
        let auth = names.iter().find_map(|name| config.auths.get(name)?.auth.clone());
        match auth {
            Some(auth) => decode(&auth).ok_or_else(|| refused(&format!("the login of {registry} is not readable"))),
            None => Ok(Login::default()),
        }
    }
}

/// How a registry may be called in Docker's configuration.
fn names(registry: &str) -> Vec<String> {
    let hub = (registry == "docker.io").then(|| "https://index.docker.io/v1/".to_owned());
    hub.into_iter().chain([registry.to_owned(), format!("https://{registry}")]).collect()
}

/// `user:password` in base64.
fn decode(auth: &str) -> Option<Login> {
    let text = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Login::new(user, Secret::new(password)))
}

/// Asks a credential helper; nothing where it knows nothing.
async fn ask(program: &str, names: &[String]) -> Result<Option<Login>, Error> {
    for name in names {
        let mut command = Command::new(program);
        command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| refused(&format!("{program}: {error}")))?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that ends without having read has said all it will.
            drop(stdin.write_all(name.as_bytes()).await);
        }
        let output = child.wait_with_output().await.map_err(|error| refused(&format!("{program}: {error}")))?;
        if let Ok(answer) = serde_json::from_slice::<Answer>(&output.stdout)
            && output.status.success()
        {
            return Ok(Some(Login::new(answer.username, Secret::new(answer.secret))));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn a_login_of_docker_is_ours_and_a_registry_without_one_is_asked_without() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        fs::write(&file, r#"{"auths": {"a.example.com": {"auth": "QVdTOnNlY3JldA=="}, "b.example.com": {}}}"#).unwrap();
        let logins = DockerLogins::new(Some(file));
        let login = logins.login("a.example.com", None).await.unwrap();
        assert_eq!(login, Login::new("AWS", Secret::new("secret")));
        assert_eq!(logins.login("b.example.com", None).await.unwrap(), Login::default());
        assert_eq!(DockerLogins::new(None).login("x", None).await.unwrap(), Login::default());
    }

    #[tokio::test]
    async fn a_credential_helper_is_asked_by_the_registrys_name() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("docker-credential-test");
        let script =
            "#!/bin/sh\nread name; echo \"{\\\"Username\\\": \\\"AWS\\\", \\\"Secret\\\": \\\"for $name\\\"}\"\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let answered = ask(&program.to_string_lossy(), &names("a.example.com")).await.unwrap();
        assert_eq!(answered, Some(Login::new("AWS", Secret::new("for a.example.com"))));
        let file = folder.path().join("config.json");
        fs::write(&file, r#"{"credHelpers": {"a.example.com": "nowhere"}}"#).unwrap();
        let error = DockerLogins::new(Some(file)).login("a.example.com", None).await.unwrap_err();
        assert!(error.to_string().starts_with("docker-credential-nowhere: "), "{error}");
    }
}
