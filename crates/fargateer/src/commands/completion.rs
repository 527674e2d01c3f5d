//! `fargateer completion`: a completion script for a shell.

use std::process::ExitCode;

use clap_complete::Shell;

use crate::{cli, output};

/// Runs the command.
pub(crate) fn run(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "fargateer", &mut script);
    output::raw(&String::from_utf8_lossy(&script))
}
