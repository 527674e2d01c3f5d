//! The in-process door: an HTTP client for the SDK that never leaves the process.

use crate::simulation::Simulation;
use crate::wire::{Message, Reply, Rest, is_rest};
use crate::world::{Headers, Outcome};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use std::io;

#[derive(Debug)]
struct Door {
    simulation: Simulation,
}

impl Simulation {
    /// The HTTP client to give to SDK clients in the same process.
    pub fn connector(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(Door { simulation: self.clone() });
        http_client_fn(move |_settings, _components| connector.clone())
    }
}

impl HttpConnector for Door {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let simulation = self.simulation.clone();
        HttpConnectorFuture::new(async move {
            let message = read(request).await?;
            wait(&simulation).await;
            match simulation.handle(&message) {
                Outcome::Reply(reply, headers) => respond(reply, &headers),
                Outcome::Reset => Err(reset()),
                Outcome::Unreachable => Err(unreachable()),
                Outcome::Hang => std::future::pending().await,
            }
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the latency of a call is simulated, in virtual time")]
async fn wait(simulation: &Simulation) {
    if !simulation.latency().is_zero() {
        tokio::time::sleep(simulation.latency()).await;
    }
}

/// Reads a request to the end of its body, or the SDK's stalled stream protection would cut the call.
async fn read(mut request: HttpRequest) -> Result<Message, ConnectorError> {
    let header = |name: &str| request.headers().get(name).map(str::to_owned);
    let (target, authorization) = (header("x-amz-target"), header("authorization"));
    let rest = is_rest(authorization.as_deref()).then(|| Box::new(rest(&request)));
    let body = std::mem::replace(request.body_mut(), SdkBody::taken());
    let body = match body.bytes() {
        Some(body) => body.to_vec(),
        None => ByteStream::new(body).collect().await.map_err(|error| ConnectorError::user(error.into()))?.to_vec(),
    };
    Ok(Message { target, authorization, rest, body })
}

fn rest(request: &HttpRequest) -> Rest {
    let uri = request.uri();
    let (_, after) = uri.split_once("://").unwrap_or(("", uri));
    let (host, path) = after.find('/').map_or((after, ""), |end| after.split_at(end));
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let headers = request.headers().iter().map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let [method, host, path, query] = [request.method(), host, path, query].map(str::to_owned);
    Rest { method, host, path, query, headers: headers.collect() }
}

fn respond(reply: Reply, headers: &Headers) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(reply.status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
    let out = response.headers_mut();
    out.insert("x-amzn-requestid", headers.request_id.clone());
    out.insert("date", headers.date.clone());
    if !reply.content_type.is_empty() {
        out.insert("content-type", reply.content_type);
    }
    for (name, value) in reply.headers {
        out.insert(name, value);
    }
    if let Some(wait) = headers.retry_after {
        out.insert("x-amz-retry-after", wait.to_string());
    }
    if let Some(error) = reply.error.filter(|_| reply.content_type.ends_with("json-1.1")) {
        out.insert("x-amzn-errortype", error);
    }
    Ok(response)
}

fn reset() -> ConnectorError {
    ConnectorError::io(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer").into())
}

fn unreachable() -> ConnectorError {
    ConnectorError::timeout(io::Error::new(io::ErrorKind::TimedOut, "connect timed out").into())
}

#[cfg(test)]
mod tests {
    use super::Door;
    use crate::{Fault, FaultKind, Settings, Simulation};
    use aws_smithy_runtime_api::client::http::HttpConnector;
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use std::time::Duration;
    use tokio::time::{Instant, timeout};

    async fn create(simulation: &Simulation) -> Result<HttpResponse, ConnectorError> {
        let mut request = HttpRequest::new(SdkBody::from("{\"clusterName\":\"blue\"}"));
        let headers = request.headers_mut();
        headers.insert("x-amz-target", "AmazonEC2ContainerServiceV20141113.CreateCluster");
        headers.insert("authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/ecs/aws4_request");
        let door = Door { simulation: simulation.clone() };
        door.call(request).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_takes_its_latency_and_no_more() {
        let simulation = Simulation::new(Settings { latency: Duration::from_secs(3), ..Settings::default() });
        let before = Instant::now();
        let response = create(&simulation).await.unwrap();
        assert_eq!((response.status().as_u16(), before.elapsed().as_secs()), (200, 3));
        assert_eq!(response.headers().get("date"), Some("Thu, 01 Jan 2026 00:00:03 GMT"));
        assert_eq!(simulation.calls()[0].region, "eu-west-1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reset_is_an_input_output_error() {
        let simulation = Simulation::new(Settings::default());
        simulation.fault(Fault::once(FaultKind::ResetAfter));
        assert!(create(&simulation).await.unwrap_err().is_io());
        assert_eq!(simulation.calls()[0].error.as_deref(), Some("reset"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hang_never_ends_and_may_yet_have_its_effect() {
        let simulation = Simulation::new(Settings::default());
        for (kind, clusters) in [(FaultKind::HangBefore, 0), (FaultKind::HangAfter, 1)] {
            simulation.fault(Fault::once(kind));
            assert!(timeout(Duration::from_hours(1), create(&simulation)).await.is_err());
            let listed = simulation.call("eu-west-1", "ecs", "ListClusters", serde_json::json!({})).unwrap();
            assert_eq!(listed["clusterArns"].as_array().unwrap().len(), clusters);
        }
    }
}
