//! Making a table: paid by request, ready when it returns.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType, TableDescription, TableStatus,
};

use fargateer_api::visible;

use super::told;

/// A table that is made is ready after so long at most.
const CREATION: Duration = Duration::from_mins(2);

/// What a table is like.
pub(super) struct Design<'a> {
    /// The attributes of its key, all of them strings.
    pub(super) keys: &'a [(&'a str, KeyType)],
    /// What its stream of changes tells, if it has one.
    pub(super) stream: Option<StreamViewType>,
}

/// Makes the table `name` and waits until it can be used. One that is there already is left as it is; it may be of another
/// kind, which is an error.
pub(super) async fn make(client: &Client, name: &str, design: Design<'_>) -> Result<(), String> {
    match described(client, name).await? {
        Some(table) => fits(name, &table, design.keys)?,
        None => create(client, name, design).await?,
    }
    let active = async {
        while status(client, name).await? != Some(TableStatus::Active) {
            pause(Duration::from_millis(500)).await;
        }
        Ok(())
    };
    let timeout = || Err(format!("the table {name} was made and is not ready yet"));
    tokio::time::timeout(CREATION, active).await.unwrap_or_else(|_| timeout())
}

async fn create(client: &Client, name: &str, Design { keys, stream }: Design<'_>) -> Result<(), String> {
    let wrong = |error: aws_sdk_dynamodb::error::BuildError| error.to_string();
    let mut call = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, kind) in keys {
        let definition = AttributeDefinition::builder().attribute_name(*attribute);
        let definition = definition.attribute_type(ScalarAttributeType::S).build();
        let key = KeySchemaElement::builder().attribute_name(*attribute).key_type(kind.clone()).build();
        call = call.attribute_definitions(definition.map_err(wrong)?).key_schema(key.map_err(wrong)?);
    }
    if let Some(view) = stream {
        let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(view).build();
        call = call.stream_specification(stream.map_err(wrong)?);
    }
    call.send().await.map_err(|error| told(name, "CreateTable", &error))?;
    Ok(())
}

/// Whether the table `name`, as it is described, has these keys.
pub(super) fn fits(name: &str, table: &TableDescription, keys: &[(&str, KeyType)]) -> Result<(), String> {
    let words =
        |names: &[&str]| names.iter().map(|name| format!("`{}`", visible(name))).collect::<Vec<_>>().join(" and ");
    let has: Vec<&str> = table.key_schema().iter().map(KeySchemaElement::attribute_name).collect();
    let wants: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
    if has == wants {
        return Ok(());
    }
    let (has, wants) = (words(&has), words(&wants));
    Err(format!("the table {name} is of another kind: its key is {has}, not {wants}; name another table"))
}

/// What state the table is in; none when there is none.
async fn status(client: &Client, name: &str) -> Result<Option<TableStatus>, String> {
    Ok(described(client, name).await?.and_then(|table| table.table_status))
}

async fn described(client: &Client, name: &str) -> Result<Option<TableDescription>, String> {
    match client.describe_table().table_name(name).send().await {
        Ok(described) => Ok(described.table),
        Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(told(name, "DescribeTable", &error)),
    }
}

#[expect(clippy::disallowed_methods, reason = "waits for a table, before anything else runs")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
