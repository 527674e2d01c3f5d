//! What can be asked for about agents that run on this machine.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What the tasks of `run --local` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TaskKind {
    /// Nothing runs: states alone, for any number of agents.
    Virtual,
    /// Programs on this machine, behind load balancers on free ports; needs Python 3.11. Agents whose image is only a name
    /// stay virtual.
    Process,
}

/// Which model agents on this machine are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Model {
    /// One that needs no network and no credentials, whatever model an agent asks for.
    Offline,
    /// The one an agent asks for; it gets the environment's AWS credentials.
    Bedrock,
}

/// Options of `run --local`.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct LocalArgs {
    /// What tasks are, with --local.
    #[arg(long, value_enum, default_value_t = TaskKind::Virtual, requires_if("process", "local"))]
    pub(crate) tasks: TaskKind,
    /// The model of tasks that are processes.
    #[arg(long, value_enum, default_value_t = Model::Offline, requires_if("bedrock", "local"))]
    pub(crate) model: Model,
}

/// Options of `dev`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DevArgs {
    /// A folder with an agent's code, or an AgentDeployment whose `image.build` names one.
    pub(crate) path: PathBuf,
    /// The model the agent is given.
    #[arg(long, value_enum, default_value_t = Model::Offline)]
    pub(crate) model: Model,
    /// Port on 127.0.0.1 at which the agent answers. Default: 8000, or a free one where that is taken.
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// What answers. Default: what the AgentDeployment says, else what `generated_agent.py` defines.
    #[arg(long, value_name = "MODULE[:SYMBOL]")]
    pub(crate) entrypoint: Option<String>,
    /// Variable of the agent's environment, as often as wanted.
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::image::label)]
    pub(crate) env: Vec<(String, String)>,
    /// Where packages are kept between runs.
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = ".fargateer/dev",
        env = "FARGATEER_DEV_CACHE",
        hide_env_values = true
    )]
    pub(crate) cache: PathBuf,
}
