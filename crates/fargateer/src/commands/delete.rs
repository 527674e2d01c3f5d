//! `fargateer delete`: agents whose specs are gone go now, without grace - or are handed back and go on running.

use std::process::ExitCode;

use crate::cli::DeleteArgs;
use crate::commands::{apply, rows, server};
use crate::output;

/// Runs the command: exit code 2 when the spec of an agent still stands.
pub(crate) async fn run(args: DeleteArgs) -> anyhow::Result<ExitCode> {
    if let Some(from) = &args.from {
        return rows::delete(&args, from).await;
    }
    for name in &args.names {
        output::note(&if args.retain {
            format!("{name} is to be handed back: its resources go on running, and our tags are taken off them")
        } else {
            format!("{name} is to be deleted at once, without its grace period")
        });
    }
    if !args.yes && !apply::confirmed("delete")? {
        output::note("nothing was changed");
        return Ok(ExitCode::from(1));
    }
    let retain = if args.retain { "?retain=true" } else { "" };
    for name in &args.names {
        server::post(&args.server.server, &format!("/api/v1/agents/{name}/delete{retain}")).await?;
        output::note(&format!("{name}: under way; watch it with `fargateer get {name} -w` until it is gone"));
    }
    Ok(ExitCode::SUCCESS)
}
