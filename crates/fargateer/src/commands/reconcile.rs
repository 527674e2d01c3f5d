//! `fargateer reconcile`: asks a running daemon to look at an agent now.

use std::process::ExitCode;

use crate::cli::ReconcileArgs;
use crate::commands::server;
use crate::output;

/// Runs the command.
pub(crate) async fn run(args: ReconcileArgs) -> anyhow::Result<ExitCode> {
    let force = if args.force { "?force=true" } else { "" };
    server::post(&args.server.server, &format!("/api/v1/agents/{}/reconcile{force}", args.name)).await?;
    output::note(&format!("{} is reconciled now; watch it with `fargateer get {} -w`", args.name, args.name));
    Ok(ExitCode::SUCCESS)
}
