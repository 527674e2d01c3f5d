//! `fargateer table`: the DynamoDB table that replicas share.

use std::process::ExitCode;

use anyhow::anyhow;
use fargateer_store::table::StateTable;

use crate::cli::TableCommand;
use crate::{config, output};

/// Runs the command.
pub(crate) async fn run(command: TableCommand) -> anyhow::Result<ExitCode> {
    let TableCommand::Create { name } = command;
    StateTable::new(&config::aws().await, &name, "").create().await.map_err(|error| anyhow!(error))?;
    output::note(&format!("the table {name} is ready: fargateer run --state dynamodb://{name}"));
    Ok(ExitCode::SUCCESS)
}
