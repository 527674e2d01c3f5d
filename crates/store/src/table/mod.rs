//! DynamoDB tables: one for all that several replicas share - who is a member, who owns which shard, and the statuses - and
//! tables of specs (`spec.rs`).
//!
//! This folder alone knows keys and attributes. Of the shared table, partition key `owner` is the installation's id, so that several share a
//! table; sort key `item` is `lease` (the owners of the shards), `lease#<member>` or `status#<agent>`.

mod edit;
mod lease;
mod make;
mod row;
mod spec;
mod status;
pub(crate) mod stream;
mod value;

pub use edit::Entry;
pub(crate) use row::{Row, fingerprint};
pub(crate) use spec::Written;
pub use spec::{PERMISSIONS as SPEC_PERMISSIONS, SpecTable};

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, KeyType};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_types::SdkConfig;

use self::make::Design;

/// The partition key.
const OWNER: &str = "owner";
/// The sort key.
const ITEM: &str = "item";
/// Both of them.
const KEYS: &[(&str, KeyType)] = &[(OWNER, KeyType::Hash), (ITEM, KeyType::Range)];
/// What the users of the shared table call.
pub const PERMISSIONS: &[&str] = &[
    "dynamodb:CreateTable",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeTable",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
];

/// An attempt that takes longer is given up: a lease that is not renewed in time is lost.
const ATTEMPT: Duration = Duration::from_secs(2);
/// A connection that takes longer is given up.
const CONNECT: Duration = Duration::from_secs(1);

type Item = HashMap<String, AttributeValue>;

/// The table, as one installation sees it.
#[derive(Debug, Clone)]
pub struct StateTable {
    client: Client,
    name: String,
    owner: String,
}

impl StateTable {
    /// The table `name` reached by `config`, for installation `owner`.
    pub fn new(config: &SdkConfig, name: &str, owner: &str) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).connect_timeout(CONNECT).build();
        // Not the SDK's own partition: throttled calls of others would use up what a beat needs.
        let bucket = TokenBucket::builder().capacity(100).refill_rate(2.5).build();
        let partition = RetryPartition::custom("fargateer-state").token_bucket(bucket).build();
        let config = aws_sdk_dynamodb::config::Builder::from(config);
        let config = config.timeout_config(timeouts).retry_partition(partition).build();
        Self { client: Client::from_conf(config), name: name.to_owned(), owner: owner.to_owned() }
    }

    /// Makes the table, paid by request, and waits until it can be used. One that is there already is left as it is.
    pub async fn create(&self) -> Result<(), String> {
        let design = Design { keys: KEYS, stream: None };
        make::make(&self.client, &self.name, design).await
    }

    fn key(&self, item: &str) -> Item {
        HashMap::from([(OWNER.to_owned(), text(&self.owner)), (ITEM.to_owned(), text(item))])
    }

    /// All items whose sort key begins with `prefix`, as they are now.
    async fn items(&self, prefix: &str) -> Result<Vec<Item>, String> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("#owner = :owner AND begins_with(#item, :prefix)")
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_names("#item", ITEM)
            .expression_attribute_values(":owner", text(&self.owner))
            .expression_attribute_values(":prefix", text(prefix))
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            match item {
                Ok(item) => items.push(item),
                // DynamoDB says of a table with other keys what the question lacks, not what the table is.
                Err(error) if error.code() == Some("ValidationException") => {
                    self.fits().await?;
                    return Err(self.told("Query", &error));
                }
                Err(error) => return Err(self.told("Query", &error)),
            }
        }
        Ok(items)
    }

    /// Whether the table has the keys of the shared table, as far as it can be described.
    async fn fits(&self) -> Result<(), String> {
        let described = self.client.describe_table().table_name(&self.name).send().await;
        let Some(table) = described.ok().and_then(|described| described.table) else { return Ok(()) };
        make::fits(&self.name, &table, KEYS).map_err(|problem| {
            let name = &self.name;
            format!(
                "{problem} (`fargateer table create NAME` makes one for --state; a table of specs is a source: `fargateer run dynamodb://{name}`)"
            )
        })
    }

    /// What went wrong, for people.
    fn told<E: ProvideErrorMetadata + std::error::Error + 'static, R: std::fmt::Debug>(
        &self,
        operation: &str,
        error: &SdkError<E, R>,
    ) -> String {
        told(&self.name, operation, error)
    }
}

/// What went wrong with the table `name`, for people.
fn told<E: ProvideErrorMetadata + std::error::Error + 'static, R: std::fmt::Debug>(
    name: &str,
    operation: &str,
    error: &SdkError<E, R>,
) -> String {
    let what = match (error.code(), error.message()) {
        (Some("ResourceNotFoundException"), _) => {
            format!("there is no such table; `fargateer table create {name}` makes it")
        }
        (Some(code), message) => format!("{code}: {}", message.unwrap_or_default()),
        (None, _) => causes(error),
    };
    format!("table {name}: {operation}: {what}")
}

/// An error and all that caused it, in one line. What quotes the endpoint is left out: people put passwords into those.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = chain.map(ToString::to_string).filter(|text| !text.contains('`')).collect();
    texts.dedup();
    texts.join(": ")
}

fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The number under `name`; zero when there is none.
fn number_of(item: &Item, name: &str) -> u64 {
    item.get(name).and_then(|value| value.as_n().ok()).and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// The text under `name`; empty when there is none.
fn text_of<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargateer_controller::replica::LeaseTable as _;

    #[tokio::test]
    async fn an_endpoint_that_cannot_be_used_is_not_repeated() {
        let config = SdkConfig::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
            .endpoint_url("http://somebody:password@ nowhere")
            .build();
        let error = StateTable::new(&config, "fargateer", "prod").read().await.unwrap_err();
        assert!(error.starts_with("table fargateer: Query: ") && !error.contains("password"), "{error}");
    }
}
