//! An HTTP client that sends no write while this process may not: the last look before a request leaves.
//!
//! Whoever asked for a write may have been allowed to and then have waited - for a quota, for a retry, or because the whole
//! process stood still. So the question is asked again at every attempt, right before its first byte. Reads pass: they
//! harm nobody.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// Whether a write may leave now.
pub type MaySend = Arc<dyn Fn() -> bool + Send + Sync>;

/// An HTTP client behind a question.
#[derive(Clone)]
pub struct Fence {
    inner: SharedHttpClient,
    may_send: MaySend,
}

impl Fence {
    /// `inner`, as long as `may_send` says so.
    pub fn new(inner: SharedHttpClient, may_send: MaySend) -> Self {
        Self { inner, may_send }
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fence").finish_non_exhaustive()
    }
}

impl HttpClient for Fence {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Fenced { inner, may_send: Arc::clone(&self.may_send) })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

struct Fenced {
    inner: SharedHttpConnector,
    may_send: MaySend,
}

impl fmt::Debug for Fenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fenced").finish_non_exhaustive()
    }
}

impl HttpConnector for Fenced {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if is_read(&request) || (self.may_send)() {
            return self.inner.call(request);
        }
        HttpConnectorFuture::ready(Err(ConnectorError::user("another replica may have taken over".into())))
    }
}

/// Whether a request changes nothing. What does not name its operation in the header (the Query protocol) may change something.
fn is_read(request: &HttpRequest) -> bool {
    let operation = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
    let reads = ["Describe", "List", "Get", "BatchGet", "Query", "Scan"];
    operation.is_some_and(|operation| reads.iter().any(|prefix| operation.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;

    fn request(target: Option<&str>) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::empty());
        if let Some(target) = target {
            request.headers_mut().insert("x-amz-target", target.to_owned());
        }
        request
    }

    #[test]
    fn what_is_not_plainly_a_read_is_a_write() {
        let reads = ["AmazonEC2ContainerServiceV20141113.DescribeServices", "DynamoDB_20120810.Query"];
        assert!(reads.iter().all(|target| is_read(&request(Some(target)))));
        let writes =
            ["AmazonEC2ContainerServiceV20141113.UpdateService", "DynamoDB_20120810.PutItem", "", "Describe.Put"];
        assert!(!writes.iter().any(|target| is_read(&request(Some(target)))));
        assert!(!is_read(&request(None)));
    }
}
