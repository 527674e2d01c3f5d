//! A registry's HTTP: logging in by Basic or Bearer, a new token when the old one is refused, answers turned into our errors.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::login::{Login, Logins, Secret};
use crate::error::{Cause, Error, chain};

/// The longest a request without much of a body may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The slowest transfer that is waited for, in bytes a second.
const SLOWEST: u64 = 128 * 1024;
/// The largest answer that is a document.
const DOCUMENT: usize = 4 * 1024 * 1024;

/// One registry, with what it takes to be let in.
pub(crate) struct Session {
    http: Client,
    registry: String,
    logins: Arc<dyn Logins>,
    /// Held while a token is fetched, so that many requests that find it stale fetch one.
    entry: Mutex<Entry>,
}

#[derive(Default)]
struct Entry {
    login: Option<Login>,
    /// The `Authorization` for everything, where the registry takes Basic.
    basic: Option<Secret>,
    /// The one for a scope: every token of Bearer is for one repository.
    bearer: BTreeMap<String, Secret>,
}

impl Entry {
    fn header(&self, scope: &str) -> Option<Secret> {
        self.basic.clone().or_else(|| self.bearer.get(scope).cloned())
    }

    fn sent_basic(&self, header: Option<&Secret>) -> bool {
        header.is_some() && self.basic.as_ref() == header
    }
}

/// How often a request is sent: without a login, with the one that is known, with a fresh one.
const ATTEMPTS: usize = 3;

/// A request, as often as it takes.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    /// What the token must allow: `repository:<name>:pull,push`.
    pub(super) scope: String,
    /// How many bytes go or come, so that a large transfer may take longer.
    pub(super) bytes: u64,
    /// Headers and body.
    pub(super) dress: &'a (dyn Fn(RequestBuilder) -> RequestBuilder + Send + Sync),
}

impl Session {
    pub(crate) fn new(http: Client, registry: &str, logins: Arc<dyn Logins>) -> Self {
        Self { http, registry: registry.to_owned(), logins, entry: Mutex::default() }
    }

    /// The registry's address, with a `/` at its end.
    pub(super) async fn base(&self) -> Result<Url, Error> {
        let mut entry = self.entry.lock().await;
        let login = match &entry.login {
            Some(login) => login.clone(),
            None => entry.login.insert(self.logins.login(&self.registry, None).await?).clone(),
        };
        let address = login.endpoint.unwrap_or_else(|| address(&self.registry));
        let address = format!("{}/", address.trim_end_matches('/'));
        Url::parse(&address).map_err(|error| self.fault(Cause::RegistryRefused, format!("{address}: {error}")))
    }

    /// Sends `call`. Every answer that is not a refusal to let us in is an answer.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Response, Error> {
        for _ in 1..ATTEMPTS {
            let header = self.header(call).await?;
            let response = self.once(call, header.as_ref()).await?;
            // ECR tells of a token that has expired as of a lack of permissions.
            let expired =
                response.status() == StatusCode::FORBIDDEN && self.entry.lock().await.sent_basic(header.as_ref());
            if response.status() != StatusCode::UNAUTHORIZED && !expired {
                return Ok(response);
            }
            let challenge = if expired { Some(Challenge::Basic) } else { challenge(response.headers()) };
            let said = self.refusal(response).await;
            self.enter(call, header, challenge, said).await?;
        }
        let header = self.header(call).await?;
        self.once(call, header.as_ref()).await
    }

    async fn once(&self, call: &Call<'_>, header: Option<&Secret>) -> Result<Response, Error> {
        let patience = PATIENCE + Duration::from_secs(call.bytes / SLOWEST);
        let mut request = self.http.request(call.method.clone(), call.url.clone()).timeout(patience);
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, header.text());
        }
        let sent = (call.dress)(request).send().await;
        sent.map_err(|error| {
            let error = error.without_url();
            self.fault(Cause::RegistryUnavailable, format!("{} {}: {}", call.method, call.url.path(), chain(&error)))
        })
    }

    /// The `Authorization` that is known. A password goes to the registry itself and nowhere else.
    async fn header(&self, call: &Call<'_>) -> Result<Option<Secret>, Error> {
        let is_ours = self.base().await?.origin() == call.url.origin();
        Ok(if is_ours { self.entry.lock().await.header(&call.scope) } else { None })
    }

    /// Makes an `Authorization` for the scope of `call`, after the registry asked for one or refused the one that was sent.
    async fn enter(
        &self,
        call: &Call<'_>,
        sent: Option<Secret>,
        challenge: Option<Challenge>,
        said: Error,
    ) -> Result<(), Error> {
        let mut entry = self.entry.lock().await;
        if entry.header(&call.scope) != sent {
            // Somebody else was here in the meantime.
            return Ok(());
        }
        let known = entry.login.clone().unwrap_or_default();
        let login = if sent.is_some() {
            let fresh = self.logins.login(&self.registry, Some(&known)).await?;
            if fresh == known && entry.basic.is_some() {
                return Err(said);
            }
            entry.basic = None;
            entry.bearer.clear();
            entry.login.insert(fresh).clone()
        } else {
            known
        };
        match challenge {
            Some(Challenge::Basic) => entry.basic = Some(login.basic().ok_or(said)?),
            Some(Challenge::Bearer { realm, service }) => {
                let token = self.token(&login, &realm, &service, &call.scope).await?;
                entry.bearer.insert(call.scope.clone(), token);
            }
            None => return Err(said),
        }
        Ok(())
    }

    /// A Bearer token from whoever gives them.
    async fn token(&self, login: &Login, realm: &str, service: &str, scope: &str) -> Result<Secret, Error> {
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
        }
        let fault = |problem: String| self.fault(Cause::RegistryUnavailable, format!("token from {realm}: {problem}"));
        let mut url = Url::parse(realm).map_err(|error| fault(error.to_string()))?;
        url.query_pairs_mut().append_pair("service", service).append_pair("scope", scope);
        let mut request = self.http.get(url).timeout(PATIENCE);
        if let Some(basic) = login.basic() {
            request = request.header(AUTHORIZATION, basic.text());
        }
        let response = request.send().await.map_err(|error| fault(chain(&error.without_url())))?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let answer: Answer = response.json().await.map_err(|error| fault(chain(&error.without_url())))?;
        let token =
            answer.token.or(answer.access_token).ok_or_else(|| fault("there is none in the answer".to_owned()))?;
        Ok(Secret::new(format!("Bearer {token}")))
    }

    /// An answer that refuses, in our words and the registry's.
    pub(super) async fn refusal(&self, response: Response) -> Error {
        let (status, path) = (response.status(), response.url().path().to_owned());
        let body = body(response, DOCUMENT).await.unwrap_or_default();
        let first = serde_json::from_slice::<Value>(&body).ok().and_then(|said| said.pointer("/errors/0").cloned());
        let word = |key: &str| first.as_ref().and_then(|error| error.get(key)?.as_str()).unwrap_or_default().to_owned();
        let (code, message) = (word("code"), word("message"));
        let said: Vec<&str> = [code.as_str(), message.as_str()].into_iter().filter(|text| !text.is_empty()).collect();
        let text = format!("{path}: {status}{}{}", if said.is_empty() { "" } else { ": " }, said.join(": "));
        match (status.as_u16(), code.as_str()) {
            (401 | 403, _) | (_, "DENIED" | "UNAUTHORIZED") => self.fault(Cause::RegistryDenied, text),
            (404, "NAME_UNKNOWN") => self.fault(Cause::RepositoryMissing, text),
            (408 | 425 | 429 | 500..=599, _) | (_, "TOOMANYREQUESTS") => self.fault(Cause::RegistryUnavailable, text),
            (_, "TAG_INVALID") => self.fault(Cause::TagTaken, text),
            _ => self.fault(Cause::RegistryRefused, text),
        }
    }

    pub(super) fn fault(&self, cause: Cause, problem: impl Display) -> Error {
        Error::new(cause, format!("registry {}: {problem}", self.registry))
    }
}

/// The body of `response`, unless it is longer than `most`.
pub(super) async fn body(mut response: Response, most: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| chain(&error.without_url()))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > most {
            return Err(format!("the answer is longer than {most} bytes"));
        }
    }
    Ok(bytes)
}

/// Where a registry is found by its name. On this machine itself it speaks plain HTTP, as Docker has it, too.
fn address(registry: &str) -> String {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    match host {
        "docker.io" => "https://registry-1.docker.io".to_owned(),
        "localhost" | "[::1]" => format!("http://{registry}"),
        _ if host.starts_with("127.") => format!("http://{registry}"),
        _ => format!("https://{registry}"),
    }
}

/// How a registry wants to be asked.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: String },
}

fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let mut asked = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    asked.find_map(parsed)
}

fn parsed(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    // A comma may stand within quotes, as in a scope.
    let word = |key: &str| {
        let (_, rest) = rest.split_once(&format!("{key}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    Some(Challenge::Bearer { realm: word("realm")?, service: word("service").unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_understood() {
        let bearer =
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="a:b:pull,push""#;
        let expected = Challenge::Bearer {
            realm: "https://auth.docker.io/token".to_owned(),
            service: "registry.docker.io".to_owned(),
        };
        assert_eq!(parsed(bearer), Some(expected));
        assert_eq!(parsed(r#"Basic realm="x",service="ecr.amazonaws.com""#), Some(Challenge::Basic));
        assert_eq!(parsed("Digest realm=x"), None);
    }

    #[test]
    fn a_registry_on_this_machine_speaks_plain_http() {
        assert_eq!(address("127.0.0.1:5000"), "http://127.0.0.1:5000");
        assert_eq!(address("localhost:5000"), "http://localhost:5000");
        assert_eq!(address("a.dkr.ecr.us-east-1.amazonaws.com"), "https://a.dkr.ecr.us-east-1.amazonaws.com");
        assert_eq!(address("docker.io"), "https://registry-1.docker.io");
    }
}
