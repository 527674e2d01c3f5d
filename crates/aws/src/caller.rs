//! One AWS call at a time: waits for its turn in the quota, is sent, counted and - when it fails - classified.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use fargateer_api::seeded::{Bug, has};
use fargateer_plan::desired::Place;
use fargateer_plan::failure::{Class, Failure};
use serde_json::Value;
use tracing::Instrument as _;

use crate::clients::Clients;
use crate::error;
use crate::http::Http;
use crate::memory::Rereads;
use crate::quota::{Group, Quota};
use crate::wire::Exchange;

/// An AWS operation: its name in metrics, and whose rate it counts to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    /// `ecs.DescribeServices`.
    pub(crate) name: &'static str,
    /// The bucket.
    pub(crate) group: Group,
}

impl Operation {
    pub(crate) const fn new(name: &'static str, group: Group) -> Self {
        Self { name, group }
    }
}

/// How often each operation was called, with which outcome.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<(&'static str, &'static str), u64>>);

impl Counts {
    /// Calls by (operation, outcome); outcomes are `ok`, `throttled` and `error`.
    pub fn all(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, operation: &'static str, outcome: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((operation, outcome)).or_default() += 1;
    }
}

/// Makes calls in one place.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) place: &'a Place,
    pub(crate) clients: Arc<Clients>,
    pub(crate) quota: &'a Quota,
    pub(crate) counts: &'a Counts,
    pub(crate) rereads: &'a Rereads,
    pub(crate) http: &'a dyn Http,
}

impl Caller<'_> {
    /// How long a call of `operation` would wait for its turn: time in which those who ask for the same can still join.
    pub(crate) fn backlog(&self, operation: Operation) -> Duration {
        self.quota.backlog(self.place, operation.group)
    }

    /// Calls a JSON operation with `request` and answers the whole answer document.
    pub(crate) async fn json<F, O, E>(
        &self,
        operation: Operation,
        request: &Value,
        send: impl FnOnce(Exchange) -> F,
    ) -> Result<Value, Failure>
    where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let exchange = Exchange::new(request);
        if has(Bug::SecretInLog) {
            tracing::info!(%request, "calls AWS");
        }
        self.typed(operation, send(exchange.clone())).await?;
        Ok(exchange.answer())
    }

    /// Makes a call whose answer the SDK's own types hold well enough.
    pub(crate) async fn typed<O, E>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> Result<O, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let waited = self.quota.acquire(self.place, operation.group).await;
        if !waited.is_zero() {
            tracing::debug!(operation = operation.name, seconds = waited.as_secs_f64(), "waited for quota");
        }
        let span = tracing::debug_span!("aws", operation = operation.name, region = self.place.region);
        let result = call.instrument(span).await.map_err(|error| error::failure(operation.name, &error));
        let unread = |failure: &Failure| failure.code == "UnreadableAnswer";
        assert!(!has(Bug::PanicsOnOddAnswers) || !result.as_ref().is_err_and(unread), "planted");
        let outcome = match &result {
            Ok(_) => "ok",
            Err(Failure { class: Class::Throttled, .. }) => {
                self.quota.throttled(self.place, operation.group);
                "throttled"
            }
            Err(_) => "error",
        };
        self.counts.add(operation.name, outcome);
        result
    }
}

/// The items of the list at `key` in `answer`.
pub(crate) fn items<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The text at `key`; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
