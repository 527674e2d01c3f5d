//! From the command line to a command, and from its result to an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::{ContextKind, ContextValue};

use crate::cli::{Cli, Command, LogFormat, SchemaKind, WRONG};
use crate::{address, commands, output, telemetry};

/// Parses the command line, runs the command and turns its result into an exit code.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(mut error) => {
            if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue).cloned()
                && value.contains("://")
            {
                // What is given for an option is repeated where it does not fit, a password in it, too.
                error.insert(ContextKind::InvalidValue, ContextValue::String(address::shown(&value)));
            }
            // Help and version are errors to clap, and fine to people.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { WRONG } else { 0 });
        }
    };
    telemetry::start(&cli.global);
    dispatch(cli).unwrap_or_else(|error| {
        output::error(&error);
        ExitCode::from(WRONG)
    })
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let json_logs = cli.global.log_format == LogFormat::Json;
    match cli.command {
        Command::Validate(args) => commands::validate::run(&args),
        Command::Render(args) => commands::render::run(&args),
        Command::Convert(args) => commands::convert::run(&args),
        Command::Schema { kind: SchemaKind::Agentdeployment } => output::data(&fargateer_api::schema::file()),
        Command::Schema { kind: SchemaKind::Project } => output::data(&fargateer_api::schema::project_file()),
        Command::IamPolicy => commands::iam_policy::run(),
        Command::Completion { shell } => commands::completion::run(shell),
        Command::Version => output::data(&format!("fargateer {}", env!("CARGO_PKG_VERSION"))),
        Command::Run(args) => block_on(commands::run::run(*args, json_logs)),
        Command::Plan(args) => block_on(commands::plan::run(args)),
        Command::Diff(args) => block_on(commands::diff::run(args)),
        Command::Apply(args) => block_on(commands::apply::run(args, json_logs)),
        Command::Import(args) => block_on(commands::import::run(args)),
        Command::Adopt(args) => block_on(commands::adopt::run(args)),
        Command::Get(args) => block_on(commands::get::run(args)),
        Command::Delete(args) => block_on(commands::delete::run(args)),
        Command::Describe(args) => block_on(commands::describe::run(args)),
        Command::Reconcile(args) => block_on(commands::reconcile::run(args)),
        Command::Prune(args) => block_on(commands::prune::run(args)),
        Command::Table(command) => block_on(commands::table::run(command)),
        Command::Image(command) => block_on(commands::image::run(command, json_logs)),
        Command::Init(command) => commands::init::run(&command),
        Command::Dev(args) => block_on(commands::dev::run(args)),
        Command::Sim(args) => block_on(commands::sim::run(args)),
    }
}

fn block_on(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}
