//! The loopback door: the same engine behind HTTP, for any client, with a window into it under `/_sim` (see `window`) and the image
//! registry under `/v2/`.
//!
//! No TLS and no check of signatures: it is meant for the local machine only, and whoever serves it binds it there.

use crate::distribution::Pulled;
use crate::simulation::Simulation;
use crate::window;
use crate::wire::{self, BODY_LIMIT, Message, Reply, Rest};
use crate::world::{Headers, Outcome};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use axum::routing::any;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

#[derive(Clone)]
struct Door {
    simulation: Simulation,
    closed: watch::Receiver<()>,
}

impl Simulation {
    /// Serves the simulated AWS until `shutdown` resolves.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let (open, closed) = watch::channel(());
        let windows = window::routes(&self);
        let door = Door { simulation: self, closed };
        let shutdown = async move {
            shutdown.await;
            drop(open);
        };
        let router = Router::new()
            .route("/v2", any(registry))
            .route("/v2/{*rest}", any(registry))
            .route("/v2/", any(registry))
            .fallback(any(aws))
            .with_state(door);
        let router = windows.into_iter().fold(router, |router, (path, route)| router.route(path, route));
        axum::serve(listener, router).with_graceful_shutdown(shutdown).await
    }
}

async fn aws(State(mut door): State<Door>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    // Larger than what any service takes, so that the engine refuses it in the caller's own protocol.
    let Ok(body) = to_bytes(body, BODY_LIMIT / 16).await else {
        return broken(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let authorization = header(&parts.headers, "authorization");
    let rest = wire::is_rest(authorization.as_deref()).then(|| Box::new(rest(&parts)));
    let message = Message { target: header(&parts.headers, "x-amz-target"), authorization, rest, body: body.to_vec() };
    wait(&mut door, &message).await;
    match door.simulation.handle(&message) {
        Outcome::Reply(reply, headers) => respond(reply, &headers),
        Outcome::Reset | Outcome::Unreachable => reset(),
        Outcome::Hang => {
            // Ends with an error when the door closes, or a graceful shutdown would wait for it for ever.
            let _ = door.closed.changed().await;
            reset()
        }
    }
}

/// How often a receive that waits looks whether a message came.
const LOOK: Duration = Duration::from_millis(50);

/// Holds a receive back until there is a message, its time is over - in seconds of the caller's, however fast the simulation
/// runs - or the door closes.
#[expect(clippy::disallowed_methods, reason = "a long poll waits in its caller's time")]
async fn wait(door: &mut Door, message: &Message) {
    let began = Instant::now();
    while door.simulation.patience(message).is_some_and(|patience| began.elapsed() < patience) {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = door.closed.changed() => return,
        }
    }
}

/// The OCI distribution API of the image registry.
async fn registry(State(mut door): State<Door>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return broken(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let request = wire::Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        authorization: header(&parts.headers, "authorization"),
        content_type: header(&parts.headers, "content-type"),
        content_range: header(&parts.headers, "content-range"),
        body: body.to_vec(),
    };
    let (pulled, date) = door.simulation.distribute(&request);
    match pulled {
        Pulled::Response(answer) => {
            let mut response = Response::builder().status(answer.status).header("date", date);
            response = response.header("content-length", answer.body.len());
            for (name, value) in answer.headers {
                response = response.header(name, value);
            }
            let body = if parts.method == Method::HEAD { Body::empty() } else { Body::from(answer.body) };
            response.body(body).unwrap_or_else(|_| broken(StatusCode::INTERNAL_SERVER_ERROR))
        }
        Pulled::Reset => reset(),
        Pulled::Hang => {
            let _ = door.closed.changed().await;
            reset()
        }
    }
}

fn rest(parts: &Parts) -> Rest {
    let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
    Rest {
        method: parts.method.to_string(),
        host: header(&parts.headers, "host").unwrap_or_default(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().filter_map(text).collect(),
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn respond(reply: Reply, headers: &Headers) -> Response<Body> {
    let mut response = Response::builder()
        .status(reply.status)
        .header("x-amzn-requestid", &headers.request_id)
        .header("date", &headers.date);
    if !reply.content_type.is_empty() {
        response = response.header("content-type", reply.content_type);
    }
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    if let Some(wait) = headers.retry_after {
        response = response.header("x-amz-retry-after", wait);
    }
    if let Some(error) = reply.error {
        if let Some(named) = wire::query_error(&error) {
            response = response.header("x-amzn-query-error", named);
        } else if reply.content_type.ends_with("json-1.1") {
            response = response.header("x-amzn-errortype", error);
        }
    }
    response.body(Body::from(reply.body)).unwrap_or_else(|_| broken(StatusCode::INTERNAL_SERVER_ERROR))
}

fn broken(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer that promises a body and breaks off: the closest a handler comes to resetting the connection.
fn reset() -> Response<Body> {
    let broken = async { Err::<Vec<u8>, _>(io::Error::from(io::ErrorKind::ConnectionReset)) };
    Response::new(Body::from_stream(futures::stream::once(broken)))
}
