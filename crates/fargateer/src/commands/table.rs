//! `fargateer table`: the DynamoDB table that replicas share, and tables of specs.

use std::process::ExitCode;

use anyhow::anyhow;
use fargateer_store::table::{SpecTable, StateTable};

use crate::cli::TableCommand;
use crate::{config, output};

/// Runs the command.
pub(crate) async fn run(command: TableCommand) -> anyhow::Result<ExitCode> {
    let TableCommand::Create { name, specs } = command;
    let config = config::aws().await;
    let (made, next) = if specs {
        (SpecTable::new(&config, &name).create().await, format!("fargateer run dynamodb://{name}"))
    } else {
        (StateTable::new(&config, &name, "").create().await, format!("fargateer run --state dynamodb://{name}"))
    };
    made.map_err(|error| anyhow!(error))?;
    output::note(&format!("the table {name} is ready: {next}"));
    Ok(ExitCode::SUCCESS)
}
