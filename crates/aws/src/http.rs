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
#[derive(Debug, Clone)]
pub struct Network(reqwest::Client);

impl Default for Network {
    /// Follows no redirect: an agent could send us, and the body of its check, wherever we can reach and others cannot.
    fn default() -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        // What fails here, such as missing certificates, fails in the same way without the option.
        Self(client.unwrap_or_default())
    }
}

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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_not_followed() {
        let (trap, agent) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let url = format!("http://{}/ready", agent.local_addr().unwrap());
        let location = format!("http://{}/", trap.local_addr().unwrap());
        let answers = std::thread::spawn(move || {
            let (mut stream, _) = agent.accept().unwrap();
            let mut asked = [0; 1024];
            assert!(stream.read(&mut asked).unwrap() > 0);
            write!(stream, "HTTP/1.1 307 x\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n").unwrap();
        });
        trap.set_nonblocking(true).unwrap();
        assert_eq!(Network::default().ask(&url, Some("{}")).await, Ok(307));
        answers.join().unwrap();
        assert!(trap.accept().is_err(), "nobody comes where the agent points");
    }
}
