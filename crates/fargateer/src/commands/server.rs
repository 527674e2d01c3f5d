//! Questions to a running daemon.

use anyhow::Context as _;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use crate::address;
use crate::output::hinted;

/// GET `path` of the daemon at `server`.
pub(crate) async fn get(server: &str, path: &str) -> anyhow::Result<Value> {
    let url = format!("{}{path}", server.trim_end_matches('/'));
    let answer = Client::new().get(&url).send().await.map_err(|error| unreachable_daemon(server, &error))?;
    read(answer).await
}

/// POST to `path` of the daemon at `server`.
pub(crate) async fn post(server: &str, path: &str) -> anyhow::Result<Value> {
    let url = format!("{}{path}", server.trim_end_matches('/'));
    let request = Client::new().post(&url).header(crate::http::WRITE_HEADER, "1");
    read(request.send().await.map_err(|error| unreachable_daemon(server, &error))?).await
}

async fn read(answer: Response) -> anyhow::Result<Value> {
    let status = answer.status();
    let body: Value = answer.json().await.context("the daemon's answer is not JSON")?;
    if status.is_success() {
        return Ok(body);
    }
    let message = body.get("error").and_then(Value::as_str).unwrap_or("the daemon refused").to_owned();
    let hint = match status {
        StatusCode::NOT_FOUND => "`fargateer get` lists the agents",
        StatusCode::CONFLICT => "nothing was changed; `fargateer get -o wide` tells where the spec stands",
        _ => "see the daemon's log",
    };
    Err(hinted(message, hint))
}

fn unreachable_daemon(server: &str, error: &reqwest::Error) -> anyhow::Error {
    let kind = if error.is_builder() { "is no address" } else { "does not answer" };
    hinted(
        format!("{} {kind}", address::shown(server)),
        "start one with `fargateer run`, or name it with --server or FARGATEER_SERVER",
    )
}
