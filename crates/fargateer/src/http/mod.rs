//! The daemon's HTTP: /healthz, /readyz, /metrics, and the small JSON API of `get`, `describe`, `reconcile`, `delete` and
//! `prune`.
//!
//! It serves loopback by default and has no users: whoever reaches it may read. Writes ask for a header that a web page of
//! another origin cannot send without being asked first (CORS), so that a browser on the same machine cannot be abused.
//! POST /webhooks/git, where it is served at all, knows its senders by a secret.

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use fargateer_api::Key;
use fargateer_controller::controller::{Force, Leave};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::DEFAULT_LISTEN;
use crate::document;
use crate::http::webhook::Webhook;
use crate::output::{self, hinted};
use crate::wire::Machine;

mod metrics;
pub(crate) mod webhook;

/// The header a write must carry.
pub(crate) const WRITE_HEADER: &str = "x-fargateer";

/// Serves `machine` and `webhook` on `address` until `stop`; without one on the default address, or on a free port where
/// that is taken, which is told: the other commands would ask somebody else. Answers the address.
pub(crate) async fn serve(
    machine: Machine,
    webhook: Option<Webhook>,
    address: Option<&str>,
    stop: CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let listener = match (TcpListener::bind(address.unwrap_or(DEFAULT_LISTEN)).await, address) {
        (Ok(listener), _) => listener,
        (Err(error), None) => {
            output::note(&format!(
                "{DEFAULT_LISTEN}: {error}; a free port is taken: tell the other commands with --server"
            ));
            TcpListener::bind("127.0.0.1:0").await.context("no free port")?
        }
        (Err(error), Some(address)) => {
            let hint = "name another address with --listen HOST:PORT; port 0 takes a free one";
            return Err(hinted(format!("cannot serve on {address}: {error}"), hint));
        }
    };
    let address = listener.local_addr()?;
    let server = axum::serve(listener, router(machine, webhook)).with_graceful_shutdown(stop.cancelled_owned());
    tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the HTTP server stopped");
        }
    });
    Ok(address)
}

fn router(machine: Machine, webhook: Option<Webhook>) -> Router {
    let pushes = webhook.map(|webhook| Router::new().route("/webhooks/git", webhook.into_route())).unwrap_or_default();
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics::show))
        .route("/api/v1/agents", get(agents))
        .route("/api/v1/agents/{name}", get(agent))
        .route("/api/v1/agents/{name}/reconcile", post(reconcile))
        .route("/api/v1/agents/{name}/delete", post(delete))
        .route("/api/v1/events", get(events))
        .route("/api/v1/prune/confirm", post(confirm))
        .with_state(machine)
        .merge(pushes)
}

/// Ready when every source was read once.
async fn readyz(State(machine): State<Machine>) -> Response {
    if machine.controller.reconciler.fleet.is_loaded() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "the sources are not read yet\n").into_response()
}

async fn agents(State(machine): State<Machine>) -> Response {
    Json(document::list(&machine.controller, machine.aws.counts())).into_response()
}

async fn agent(State(machine): State<Machine>, Path(name): Path<String>) -> Response {
    let key = Key::new(name);
    if !machine.controller.reconciler.fleet.keys().contains(&key) {
        return unknown(&key);
    }
    let mut found = document::agent(&machine.controller, &key);
    found["events"] = json!(machine.controller.reconciler.board.events().list(Some(&key)));
    Json(found).into_response()
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    force: bool,
}

async fn reconcile(
    State(machine): State<Machine>,
    Path(name): Path<String>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Response {
    let key = match addressed(&machine, name, &headers) {
        Ok(key) => key,
        Err(refusal) => return *refusal,
    };
    let taken = machine.controller.request(&key, wish.force.then_some(Force));
    let elsewhere = || format!("another replica works on {key}, or the lease is lost at the moment; ask the others");
    answered(&key, if taken { Ok(()) } else { Err(elsewhere()) })
}

#[derive(Deserialize)]
struct Parting {
    #[serde(default)]
    retain: bool,
    /// The place from which whoever asks is about to remove the spec.
    from: Option<String>,
}

/// Lets go of an agent whose spec is gone: now, and nothing else that is gone.
async fn delete(
    State(machine): State<Machine>,
    Path(name): Path<String>,
    Query(parting): Query<Parting>,
    headers: HeaderMap,
) -> Response {
    let key = match addressed(&machine, name, &headers) {
        Ok(key) => key,
        Err(refusal) => return *refusal,
    };
    let leave = match parting {
        Parting { retain: false, from: _ } => Leave::Delete,
        Parting { retain: true, from: None } => Leave::Retain,
        Parting { retain: true, from: Some(place) } => Leave::RetainFrom(place),
    };
    answered(&key, machine.controller.leave(&key, leave).await)
}

/// The agent a write is about, if it is a write that may be listened to, and there is such an agent.
fn addressed(machine: &Machine, name: String, headers: &HeaderMap) -> Result<Key, Box<Response>> {
    if !headers.contains_key(WRITE_HEADER) {
        return Err(Box::new(unsent()));
    }
    let key = Key::new(name);
    if machine.controller.reconciler.fleet.keys().contains(&key) { Ok(key) } else { Err(Box::new(unknown(&key))) }
}

/// That what a person wants of `key` is under way, or why not.
fn answered(key: &Key, done: Result<(), String>) -> Response {
    match done {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({"agent": key}))).into_response(),
        Err(error) => (StatusCode::CONFLICT, Json(json!({"error": error}))).into_response(),
    }
}

async fn confirm(State(machine): State<Machine>, headers: HeaderMap) -> Response {
    if !headers.contains_key(WRITE_HEADER) {
        return unsent();
    }
    machine.controller.confirm_prune();
    (StatusCode::ACCEPTED, Json(json!({}))).into_response()
}

async fn events(State(machine): State<Machine>) -> Response {
    Json(json!({"items": machine.controller.reconciler.board.events().list(None)})).into_response()
}

fn unknown(key: &Key) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"error": format!("no agent {key}")}))).into_response()
}

fn unsent() -> Response {
    (StatusCode::FORBIDDEN, Json(json!({"error": format!("writes need the header {WRITE_HEADER}")}))).into_response()
}
