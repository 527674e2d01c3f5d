//! JSON through the SDK: the request document replaces the body the SDK wrote, the answer is read as it came.
//!
//! The SDK's own types drop every field they do not know, and a planner that never sees a field cannot tell that it
//! differs. So the SDK does what it is best at - endpoints, signing, retries, errors - and the documents stay whole. Once one
//! is read, the SDK is given an empty one in its place: what nobody looks at need not be understood twice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeDeserializationInterceptorContextRef,
    BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;

/// Carries one request document to AWS and its answer back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exchange {
    request: String,
    answer: Arc<Mutex<Option<Value>>>,
}

impl Exchange {
    /// An exchange that sends `request`.
    pub(crate) fn new(request: &Value) -> Self {
        Self { request: request.to_string(), answer: Arc::default() }
    }

    /// Takes the answer; null before there is one.
    pub(crate) fn answer(&self) -> Value {
        self.held().take().unwrap_or_default()
    }

    fn held(&self) -> MutexGuard<'_, Option<Value>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Exchange {
    fn name(&self) -> &'static str {
        "FargateerExchange"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        *request.body_mut() = SdkBody::from(self.request.clone());
        request.headers_mut().insert("content-length", self.request.len().to_string());
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = Some(context.response()).filter(|answer| answer.status().is_success());
        let document = answer.and_then(|answer| serde_json::from_slice(answer.body().bytes()?).ok());
        *self.held() = document;
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // What is no document, or breaks off, is left to the SDK: it says what is wrong with it, and tries again.
        if self.held().is_some() {
            *context.response_mut().body_mut() = SdkBody::from("{}");
        }
        Ok(())
    }
}
