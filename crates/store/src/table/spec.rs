//! A table of specs: one row an agent, partition key `name`. What the attributes say is `row.rs`'s business.
//!
//! The daemon reads rows and writes the attribute `status` of rows there are, nothing else; what people do with our commands
//! is in `edit.rs`.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeyType, ReturnValuesOnConditionCheckFailure, StreamViewType, TableDescription,
};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_types::SdkConfig;
use fargateer_api::{AgentDeploymentStatus, visible};
use serde_json::{Value, json};

use super::make::{self, Design};
use super::row::{self, NAME, REVISION, Row, STATUS};
use super::{Item, causes, number, text, value};

/// What the users of a table of specs call.
pub const PERMISSIONS: &[&str] = &[
    "dynamodb:CreateTable",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeStream",
    "dynamodb:DescribeTable",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
];

/// An attempt that takes longer is given up: a page is a megabyte at most.
const ATTEMPT: Duration = Duration::from_secs(10);
/// A connection that takes longer is given up.
const CONNECT: Duration = Duration::from_secs(2);
/// A call with all its attempts takes no longer.
const CALL: Duration = Duration::from_secs(30);
/// How the address of a table begins.
const SCHEME: &str = "dynamodb://";
/// Characters of a message that are left where a row has little room.
const SHORT: usize = 200;

/// A table of specs.
#[derive(Debug, Clone)]
pub struct SpecTable {
    client: Client,
    streams: aws_sdk_dynamodbstreams::Client,
    name: String,
    region: String,
}

/// What became of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// It stands in the row, as this revision.
    Done(u64),
    /// The row is not there.
    Gone,
    /// The row's status is not the revision that was thought of, but this one, or none.
    Other(Option<u64>),
    /// The row has no room for it.
    NoRoom,
}

impl SpecTable {
    /// The table `name` reached by `config`.
    pub fn new(config: &SdkConfig, name: &str) -> Self {
        let timeouts = TimeoutConfig::builder();
        let timeouts = timeouts.operation_attempt_timeout(ATTEMPT).operation_timeout(CALL).connect_timeout(CONNECT);
        // Not the SDK's own partition: what is throttled here must not use up what leases need.
        let bucket = TokenBucket::builder().capacity(100).refill_rate(2.5).build();
        let partition = RetryPartition::custom("fargateer-specs").token_bucket(bucket).build();
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let streams = aws_sdk_dynamodbstreams::config::Builder::from(config);
        let streams = streams.timeout_config(timeouts.clone().build()).retry_partition(partition.clone()).build();
        let config = aws_sdk_dynamodb::config::Builder::from(config);
        let config = config.timeout_config(timeouts.build()).retry_partition(partition).build();
        let (client, streams) = (Client::from_conf(config), aws_sdk_dynamodbstreams::Client::from_conf(streams));
        Self { client, streams, name: name.to_owned(), region }
    }

    /// The table's name, if `address` is the address of one.
    pub fn named(address: &str) -> Option<&str> {
        address.strip_prefix(SCHEME)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn streams(&self) -> &aws_sdk_dynamodbstreams::Client {
        &self.streams
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its address: `dynamodb://TABLE`.
    pub fn address(&self) -> String {
        format!("{SCHEME}{}", self.name)
    }

    /// Where the row `name` stands, for people.
    pub fn location(&self, name: &str) -> String {
        format!("{}/{}", self.address(), visible(name))
    }

    /// The name of the row at `location`, if that is one of this table.
    pub(crate) fn row_at<'a>(&self, location: &'a str) -> Option<&'a str> {
        location.strip_prefix(SCHEME)?.strip_prefix(self.name.as_str())?.strip_prefix('/')
    }

    /// Makes the table, paid by request and with a stream of its changes, and waits until it can be used. One that is
    /// there already is left as it is.
    pub async fn create(&self) -> Result<(), String> {
        let design = Design { keys: &[(NAME, KeyType::Hash)], stream: Some(StreamViewType::NewAndOldImages) };
        make::make(&self.client, &self.name, design).await
    }

    /// The ARN of the stream of its changes, if that is switched on.
    pub(super) async fn stream(&self) -> Result<Option<String>, String> {
        let described = self.client.describe_table().table_name(&self.name).send().await;
        let table = described.map_err(|error| self.told("DescribeTable", &error))?.table;
        let open =
            |table: &TableDescription| table.stream_specification.as_ref().is_some_and(|stream| stream.stream_enabled);
        Ok(table.filter(open).and_then(|table| table.latest_stream_arn))
    }

    /// Whether it is a table of specs at all: one that is empty cannot be told by its rows.
    pub(crate) async fn check(&self) -> Result<(), String> {
        match self.client.describe_table().table_name(&self.name).send().await {
            Ok(described) => {
                let table = described.table.as_ref();
                table.map_or(Ok(()), |table| make::fits(&self.name, table, &[(NAME, KeyType::Hash)]))
            }
            // Who may not ask finds out by reading.
            Err(error) if error.code() == Some("AccessDeniedException") => Ok(()),
            Err(error) => Err(self.told("DescribeTable", &error)),
        }
    }

    /// The rows of one page as they are now, and where the next page begins.
    pub(crate) async fn page(&self, start: Option<Item>) -> Result<(Vec<Item>, Option<Item>), String> {
        let call = self.client.scan().table_name(&self.name).consistent_read(true).set_exclusive_start_key(start);
        let page = call.send().await.map_err(|error| self.told("Scan", &error))?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key.filter(|key| !key.is_empty())))
    }

    /// What the rows of a page say, by their names; `known` answers what one said before.
    pub(crate) fn rows<'a>(
        &self,
        items: &[Item],
        known: impl Fn(&str) -> Option<&'a Row>,
    ) -> Result<Vec<(String, Row)>, String> {
        let named = |item: &Item| {
            let name = item.get(NAME).and_then(|name| name.as_s().ok()).cloned();
            let name = name.ok_or_else(|| {
                format!("table {}: its partition key is not the string `name`, so it is no table of specs", self.name)
            })?;
            let row = Row::read(self.location(&name), &name, item, known(&name));
            Ok((name, row))
        };
        items.iter().map(named).collect()
    }

    /// Writes the status of the row `name`, if that is there and its status is still the revision `seen` (or there is
    /// none). Where the row has little room, the status is cut.
    pub(crate) async fn write_status(
        &self,
        name: &str,
        status: &AgentDeploymentStatus,
        seen: Option<u64>,
    ) -> Result<Written, String> {
        let revision = seen.unwrap_or_default() + 1;
        let whole = document(status, revision)?;
        let mut written = self.put_status(name, whole, seen).await;
        if written.as_ref().is_err_and(is_too_large) {
            written = self.put_status(name, document(&shortened(status), revision)?, seen).await;
        }
        match written {
            Err(error) if is_too_large(&error) => Ok(Written::NoRoom),
            written => written.map_err(|error| self.told("UpdateItem", &error)),
        }
    }

    async fn put_status(&self, name: &str, status: AttributeValue, seen: Option<u64>) -> Result<Written, Refused> {
        let (revision, told) = (seen.unwrap_or_default() + 1, status.clone());
        let newest =
            if seen.is_some() { "#status.#revision = :seen" } else { "attribute_not_exists(#status.#revision)" };
        let call = self
            .client
            .update_item()
            .table_name(&self.name)
            .key(NAME, text(name))
            .update_expression("SET #status = :status")
            .condition_expression(format!("attribute_exists(#name) AND {newest}"))
            .expression_attribute_names("#name", NAME)
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_names("#revision", REVISION)
            .expression_attribute_values(":status", status)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let call = match seen {
            Some(seen) => call.expression_attribute_values(":seen", number(seen)),
            None => call,
        };
        let Err(error) = call.send().await else { return Ok(Written::Done(revision)) };
        let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() else {
            return Err(error);
        };
        Ok(match &failed.item {
            // An attempt whose answer was lost wrote it.
            Some(item) if item.get(STATUS) == Some(&told) => Written::Done(revision),
            Some(item) => Written::Other(row::revision(item)),
            None => Written::Gone,
        })
    }

    /// What went wrong, for people, and what to do about it.
    pub(super) fn told<E: ProvideErrorMetadata + std::error::Error + 'static, R: std::fmt::Debug>(
        &self,
        operation: &str,
        error: &SdkError<E, R>,
    ) -> String {
        let (name, region) = (&self.name, &self.region);
        let message = error.message().unwrap_or_default();
        let what = match error.code() {
            Some("ResourceNotFoundException") => format!(
                "there is no such table in {region}; `fargateer table create --specs {name}` makes it, AWS_REGION names another region"
            ),
            Some("AccessDeniedException") => format!(
                "dynamodb:{operation} is not allowed on it; `fargateer iam-policy` prints what the role needs ({message})"
            ),
            Some("ThrottlingException" | "ProvisionedThroughputExceededException" | "RequestLimitExceeded") => {
                format!("throttled; it is tried again later, and capacity on demand or more of it helps ({message})")
            }
            Some(code) => format!("{code}: {message}"),
            None => causes(error),
        };
        format!("table {name}: {operation}: {what}")
    }
}

type Refused = SdkError<UpdateItemError, aws_sdk_dynamodb::config::http::HttpResponse>;

/// Whether a row would be larger than rows may be (400 KB).
fn is_too_large(error: &Refused) -> bool {
    error.code() == Some("ValidationException")
        && error.message().is_some_and(|message| message.contains("maximum allowed size"))
}

/// A status as it stands in a row.
fn document(status: &AgentDeploymentStatus, revision: u64) -> Result<AttributeValue, String> {
    let mut document = serde_json::to_value(status).map_err(|error| error.to_string())?;
    if let Value::Object(fields) = &mut document {
        fields.insert(REVISION.to_owned(), json!(revision));
    }
    Ok(value::attribute(document))
}

/// The part of a status nobody can do without.
fn shortened(status: &AgentDeploymentStatus) -> AgentDeploymentStatus {
    let mut short = AgentDeploymentStatus { history: Vec::new(), failure: None, cost: None, ..status.clone() };
    for condition in &mut short.conditions {
        condition.message = condition.message.chars().take(SHORT).collect();
    }
    short
}
