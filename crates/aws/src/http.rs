//! Plain HTTP to agents, behind a trait: tests and virtual tasks answer without a network.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

/// A request that takes longer has failed. An invocation may think for a while.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes plain HTTP requests to agents.
#[async_trait]
pub trait Http: Debug + Send + Sync {
    /// GETs `url`, or POSTs `body` (JSON text) to it. Answers the status code, or why there is none.
    async fn ask(&self, url: &str, body: Option<&str>) -> Result<u16, String>;
}

/// Requests over the network.
#[derive(Debug, Clone, Default)]
pub struct Network(reqwest::Client);

#[async_trait]
impl Http for Network {
    async fn ask(&self, url: &str, body: Option<&str>) -> Result<u16, String> {
        let request = match body {
            Some(body) => self.0.post(url).header("content-type", "application/json").body(body.to_owned()),
            None => self.0.get(url),
        };
        let answer = request.timeout(PATIENCE).send().await;
        answer.map(|answer| answer.status().as_u16()).map_err(|error| error.without_url().to_string())
    }
}
