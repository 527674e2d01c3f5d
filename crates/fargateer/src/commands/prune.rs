//! `fargateer prune`: deletions a running daemon holds back, and a person's word that they are meant.

use std::process::ExitCode;

use serde_json::Value;

use crate::cli::{Format, PruneArgs};
use crate::commands::{get, server};
use crate::output;

/// Runs the command: exit code 1 when something is held back.
pub(crate) async fn run(args: PruneArgs) -> anyhow::Result<ExitCode> {
    if args.confirm {
        server::post(&args.server.server, "/api/v1/prune/confirm").await?;
        output::note("confirmed: agents whose specs are gone are deleted now");
        return Ok(ExitCode::SUCCESS);
    }
    let mut list = server::get(&args.server.server, "/api/v1/agents").await?;
    let held = |item: &Value| {
        let reason = get::ready(item).map(|ready| ready["reason"].clone()).unwrap_or_default();
        reason == "PruneBlocked" || reason == "PruneGrace"
    };
    let items: Vec<Value> = list["items"].as_array().into_iter().flatten().filter(|item| held(item)).cloned().collect();
    let any = !items.is_empty();
    list["items"] = Value::Array(items);
    get::print(&list, Format::Text)?;
    Ok(ExitCode::from(u8::from(any)))
}
