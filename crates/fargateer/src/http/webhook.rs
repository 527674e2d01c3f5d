//! POST /webhooks/git: somebody pushed. GitHub, GitLab and whoever can make an HMAC may say so; what they say makes sources
//! fetch, and is used for nothing else.
//!
//! A body is read no further than a mebibyte and ten seconds, and not at all where nothing vouches for it. What was said
//! before is not heard again.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use fargateer_store::source::git::{Secret, Trigger};
use futures::StreamExt as _;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Most bytes of a body.
const MOST: usize = 1 << 20;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How far a sender's clock may be off, in seconds.
const SKEW: i64 = 300;
/// How many messages are remembered.
const REMEMBERED: usize = 10_000;

/// Where repositories say that they were pushed to.
pub(crate) struct Webhook {
    secret: Secret,
    triggers: Vec<Trigger>,
    heard: Mutex<Heard>,
}

/// What was heard before, oldest first.
#[derive(Default)]
struct Heard {
    order: VecDeque<[u8; 32]>,
    known: BTreeSet<[u8; 32]>,
}

/// How a sender shows that it knows the secret.
#[derive(Debug, PartialEq, Eq)]
enum Proof<'a> {
    /// GitHub: an HMAC of the body.
    Body(&'a str),
    /// GitLab: the secret itself.
    Token(&'a str),
    /// Anybody: an HMAC of the time in seconds, a full stop and the body.
    Timed(&'a str, &'a str),
}

impl Webhook {
    /// One that knows its senders by `secret` and pulls `triggers`.
    pub(crate) fn new(secret: Secret, triggers: Vec<Trigger>) -> Self {
        Self { secret, triggers, heard: Mutex::default() }
    }

    /// The endpoint.
    pub(crate) fn into_route(self) -> MethodRouter {
        post(pushed).with_state(Arc::new(self))
    }

    /// Whether whoever sent `body` at `now` knows the secret.
    fn trusts(&self, proof: &Proof<'_>, body: &[u8], now: Timestamp) -> bool {
        match proof {
            Proof::Body(signature) => self.signed(&[body], signature),
            // Compared by their HMACs, which takes as long however much of a guess is right.
            Proof::Token(token) => {
                let known = self.mac(&[self.secret.reveal().as_bytes()]).map(|mac| mac.finalize().into_bytes());
                known.is_some_and(|known| self.holds(&[token.as_bytes()], &known))
            }
            Proof::Timed(time, signature) => {
                let near = time.parse::<i64>().is_ok_and(|time| now.as_second().abs_diff(time) <= SKEW.unsigned_abs());
                near && self.signed(&[time.as_bytes(), b".", body], signature)
            }
        }
    }

    fn signed(&self, parts: &[&[u8]], signature: &str) -> bool {
        let digits = signature.strip_prefix("sha256=").unwrap_or(signature);
        hex::decode(digits).is_ok_and(|signature| self.holds(parts, &signature))
    }

    /// Whether `signature` is the HMAC of `parts`, in a time that does not tell how nearly.
    fn holds(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        self.mac(parts).is_some_and(|mac| mac.verify_slice(signature).is_ok())
    }

    fn mac(&self, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
        // A secret of any length makes a key; if it did not, nobody would be trusted.
        let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(self.secret.reveal().as_bytes()).ok()?;
        for part in parts {
            mac.update(part);
        }
        Some(mac)
    }

    /// Whether `message` was not heard before.
    fn is_news(&self, message: [u8; 32]) -> bool {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if !heard.known.insert(message) {
            return false;
        }
        heard.order.push_back(message);
        if heard.order.len() > REMEMBERED
            && let Some(oldest) = heard.order.pop_front()
        {
            heard.known.remove(&oldest);
        }
        true
    }

    /// Makes those sources fetch that `body` may be about. Answers how many.
    fn pull(&self, body: &[u8]) -> usize {
        let places = places(body);
        let concerned = self.triggers.iter().filter(|trigger| {
            // Of a message that names no repository all may be meant.
            places.is_empty() || places.iter().any(|(host, path)| trigger.concerns(host, path))
        });
        concerned.inspect(|trigger| trigger.pull()).count()
    }
}

async fn pushed(State(webhook): State<Arc<Webhook>>, headers: HeaderMap, body: Body) -> Response {
    let Some(proof) = proof(&headers) else {
        return refused(StatusCode::UNAUTHORIZED, "nothing vouches for the message");
    };
    let announced = header(&headers, CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MOST) {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "at most 1 MiB");
    }
    let body = match tokio::time::timeout(PATIENCE, read(body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(status)) => return refused(status, "at most 1 MiB, all of it"),
        Err(_) => return refused(StatusCode::REQUEST_TIMEOUT, "at most 10 s"),
    };
    if !webhook.trusts(&proof, &body, Timestamp::now()) {
        return refused(StatusCode::UNAUTHORIZED, "the message is not by somebody who knows the secret");
    }
    // What is signed tells messages apart. GitLab signs nothing, but numbers its messages.
    let apart = match proof {
        Proof::Body(_) => "",
        Proof::Token(_) => header(&headers, "x-gitlab-event-uuid").unwrap_or_default(),
        Proof::Timed(time, _) => time,
    };
    let message = Sha256::new().chain_update(format!("{apart} ")).chain_update(&body).finalize();
    let sources = if webhook.is_news(message.into()) { webhook.pull(&body) } else { 0 };
    tracing::debug!(sources, "a push was told");
    (StatusCode::ACCEPTED, Json(json!({"sources": sources}))).into_response()
}

/// Reads a body as far as it may go, whatever it said of its length.
async fn read(body: Body) -> Result<Vec<u8>, StatusCode> {
    let (mut parts, mut whole) = (body.into_data_stream(), Vec::new());
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| StatusCode::BAD_REQUEST)?;
        if whole.len() + part.len() > MOST {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole)
}

/// The one thing that vouches for a message; several would leave open which one counts.
fn proof(headers: &HeaderMap) -> Option<Proof<'_>> {
    let github = header(headers, "x-hub-signature-256");
    let (gitlab, other) = (header(headers, "x-gitlab-token"), header(headers, "x-signature-256"));
    match (github, gitlab, other) {
        (Some(signature), None, None) => Some(Proof::Body(signature)),
        (None, Some(token), None) => Some(Proof::Token(token)),
        (None, None, Some(signature)) => Some(Proof::Timed(header(headers, "x-timestamp")?, signature)),
        _ => None,
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({"error": why}))).into_response()
}

/// The repository a message names, as host and path, in every spelling it has.
fn places(body: &[u8]) -> Vec<(String, String)> {
    let Ok(message) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let fields = [
        "/repository/clone_url",
        "/repository/ssh_url",
        "/repository/html_url",
        "/repository/git_http_url",
        "/repository/git_ssh_url",
        "/repository/links/html/href",
        "/project/git_http_url",
        "/project/git_ssh_url",
        "/project/web_url",
    ];
    fields.iter().filter_map(|field| place(message.pointer(field)?.as_str()?)).collect()
}

/// `https://host/path`, `ssh://user@host:port/path` or `user@host:path`.
fn place(url: &str) -> Option<(String, String)> {
    if let Ok(url) = reqwest::Url::parse(url)
        && let Some(host) = url.host_str()
    {
        return Some((host.to_owned(), url.path().to_owned()));
    }
    let (host, path) = url.split_once(':')?;
    Some((host.rsplit('@').next()?.to_owned(), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "it is a secret to everybody";

    fn webhook() -> Webhook {
        Webhook::new(Secret::of(SECRET).unwrap(), Vec::new())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn github_is_known_by_its_signature_of_the_body() {
        // GitHub's own example.
        let webhook = Webhook::new(Secret::of("It's a Secret to Everybody").unwrap(), Vec::new());
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(webhook.trusts(&Proof::Body(signature), b"Hello, World!", at(0)));
        assert!(!webhook.trusts(&Proof::Body(signature), b"Hello, World?", at(0)));
        for wrong in ["", "sha256=", "sha256=75", "sha1=757107", "sha256=zz", &signature[..signature.len() - 2]] {
            assert!(!webhook.trusts(&Proof::Body(wrong), b"Hello, World!", at(0)), "{wrong}");
        }
    }

    #[test]
    fn gitlab_is_known_by_the_secret() {
        assert!(webhook().trusts(&Proof::Token(SECRET), b"", at(0)));
        for wrong in ["", "it is a secret", "it is a secret to everybody!", "It is a secret to everybody"] {
            assert!(!webhook().trusts(&Proof::Token(wrong), b"", at(0)), "{wrong}");
        }
    }

    #[test]
    fn others_sign_the_time_with_the_body_and_it_passes() {
        let webhook = webhook();
        let signature = hex::encode(webhook.mac(&[b"1000.body"]).unwrap().finalize().into_bytes());
        for (now, fits) in [(1000, true), (1300, true), (700, true), (1301, false), (699, false)] {
            assert_eq!(webhook.trusts(&Proof::Timed("1000", &signature), b"body", at(now)), fits, "{now}");
        }
        assert!(!webhook.trusts(&Proof::Timed("1001", &signature), b"body", at(1000)));
        assert!(!webhook.trusts(&Proof::Timed("soon", &signature), b"body", at(1000)));
    }

    #[test]
    fn one_thing_vouches_for_a_message_and_only_one() {
        let headers = |pairs: &[(&'static str, &str)]| {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
        };
        assert_eq!(proof(&headers(&[])), None);
        assert_eq!(proof(&headers(&[("x-gitlab-token", "a")])), Some(Proof::Token("a")));
        assert_eq!(
            proof(&headers(&[("x-signature-256", "a")])),
            None,
            "without a time it could be sent again for ever"
        );
        assert_eq!(proof(&headers(&[("x-hub-signature-256", "a"), ("x-gitlab-token", "b")])), None);
    }

    #[test]
    fn what_was_heard_is_not_news_and_memory_is_bounded() {
        let webhook = webhook();
        let message = |number: usize| -> [u8; 32] { Sha256::digest(number.to_be_bytes()).into() };
        assert!(webhook.is_news(message(0)) && !webhook.is_news(message(0)));
        (1..=REMEMBERED).for_each(|number| assert!(webhook.is_news(message(number))));
        let heard = webhook.heard.lock().unwrap();
        assert_eq!((heard.order.len(), heard.known.len()), (REMEMBERED, REMEMBERED));
    }

    #[test]
    fn a_message_names_its_repository_in_every_spelling() {
        let body = json!({"repository": {"clone_url": "https://github.com/org/specs.git", "ssh_url": "git@github.com:org/specs.git"}});
        let places = places(body.to_string().as_bytes());
        assert_eq!(places[0], ("github.com".to_owned(), "/org/specs.git".to_owned()));
        assert_eq!(places[1], ("github.com".to_owned(), "org/specs.git".to_owned()));
        assert_eq!(super::places(b"payload=%7B%7D"), []);
    }
}
