//! The command line: what can be asked for, with its defaults and its part of the environment. Each command's work is in
//! `commands/`.

mod image;
mod local;

pub(crate) use image::{BuildArgs, ImageArgs, ImageCommand, InitCommand, RebaseArgs, SbomArgs};

pub(crate) use local::{DevArgs, LocalArgs, Model, TaskKind};

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Exit code of a command that was used wrongly, or whose input is wrong, or that AWS refused.
pub(crate) const WRONG: u8 = 2;

/// Converges AgentDeployment specs on AWS ECS Fargate.
///
/// Exit codes: 0 fine, or no difference; 1 a difference, or not ready; 2 the command or its input is wrong.
/// AWS is reached as the AWS SDKs do: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE>, ...
#[derive(Debug, Parser)]
#[command(name = "fargateer", version, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// How logs are written to standard error.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "FARGATEER_LOG_FORMAT", hide_env_values = true)]
    pub(crate) log_format: LogFormat,
    /// What is logged: a level, or a filter such as `info,fargateer_aws=debug`. Default: warn; info for JSON.
    #[arg(long, global = true, value_parser = filter, env = "FARGATEER_LOG", hide_env_values = true)]
    pub(crate) log: Option<String>,
    /// Let --log reach into libraries, too, which else tell errors alone: whole requests and answers, with secrets in them.
    #[arg(long, global = true)]
    pub(crate) log_secrets: bool,
}

/// The format of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The format of data on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table or text for people.
    Text,
    /// More columns.
    Wide,
    /// JSON with a stable schema.
    Json,
    /// The same as YAML.
    Yaml,
    /// Names only, one a line.
    Name,
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// For a comment on a pull request.
    Markdown,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reconcile specs continuously (the daemon), or once
    Run(Box<RunArgs>),
    /// Check specs offline: every fault with file:line:column
    Validate(ValidateArgs),
    /// Show the exact AWS requests a spec means, offline
    Render(RenderArgs),
    /// Convert flat deployment requests into AgentDeployments
    Convert(PathArgs),
    /// Show what would change in AWS, field by field, with its effect and cost
    Plan(PlanArgs),
    /// Show desired against live state, field by field
    Diff(PlanArgs),
    /// Bring AWS to the given specs now, and wait
    Apply(ApplyArgs),
    /// Write the spec of a live service that somebody else made, proven by an empty plan
    Import(ImportArgs),
    /// Put the ownership tags on live services that specs describe, and nothing else
    Adopt(AdoptArgs),
    /// List agents of a running daemon, or the rows of a table of specs
    ///
    /// A list is an answer whatever is in it: exit code 0. With a NAME: 0 when it is Ready, 1 when not, 2 when there is none. What is
    /// not Ready: `get --status ready=false -o name`.
    Get(GetArgs),
    /// Let agents go whose specs are gone, at once: delete them, or hand them back as they run
    ///
    /// Asks a running daemon. An agent whose spec still stands is refused: remove the spec first. With --from the rows of that
    /// table are deleted, and the daemon that runs on it deletes their agents when its rules allow.
    Delete(DeleteArgs),
    /// Show everything about one agent of a running daemon
    Describe(NameArgs),
    /// Ask a running daemon to reconcile an agent now
    Reconcile(ReconcileArgs),
    /// Show deletions a running daemon holds back, or confirm them
    Prune(PruneArgs),
    /// Print the JSON Schema of an AgentDeployment, or of a Project
    Schema {
        /// Of which kind of document.
        #[arg(value_enum, default_value_t = SchemaKind::Agentdeployment)]
        kind: SchemaKind,
    },
    /// Print the IAM policy Fargateer needs: exactly the actions it calls
    IamPolicy,
    /// Serve the simulated AWS alone
    ///
    /// Any AWS client can talk to it, an image client too under /v2/. GET /_sim lists what shows and controls it: its state,
    /// its calls, its time, faults and behaviours.
    Sim(SimArgs),
    /// Make a DynamoDB table: one that replicas share (run --state dynamodb://TABLE), or one of specs (run dynamodb://TABLE)
    #[command(subcommand)]
    Table(TableCommand),
    /// Build images of agents without Docker, and look at them
    #[command(subcommand)]
    Image(ImageCommand),
    /// Begin something new
    #[command(subcommand)]
    Init(InitCommand),
    /// Run one agent on this machine, without any AWS, and again at every change of its code
    ///
    /// Needs Python 3.11 and uv. The agent answers with a model that needs no network, unless told otherwise. A change that
    /// does not start leaves the one before it running.
    Dev(DevArgs),
    /// Print a completion script for a shell
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the version
    Version,
}

/// The kind of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaKind {
    /// A spec.
    Agentdeployment,
    /// A project's rules, for --policy.
    Project,
}

/// What to do with a table.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TableCommand {
    /// Make it, paid by request, and wait until it can be used; one that is there is left as it is
    Create {
        /// Its name. The region is that of the environment (AWS_REGION).
        #[arg(value_parser = table_name)]
        name: String,
        /// Make a table of specs, one row an agent: `name` (a string, the key), `spec` (a map, or a text of YAML or JSON) and,
        /// where wanted, `labels`, `project` and `suspend`. Fargateer answers in `status`.
        #[arg(long)]
        specs: bool,
    },
}

/// Where statuses are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StatePlace {
    /// In a folder, for one process.
    Folder(PathBuf),
    /// In a DynamoDB table, for any number.
    Table(String),
}

impl RunArgs {
    /// How often sources are read, and agents' code in S3 is looked at: on this machine somebody waits for it.
    pub(crate) fn period(&self) -> Duration {
        if self.local { self.poll.min(Duration::from_secs(5)) } else { self.poll }
    }
}

impl Default for StatePlace {
    fn default() -> Self {
        Self::Folder(PathBuf::from(".fargateer"))
    }
}

/// Who we are to AWS resources, and how hard we may press AWS.
#[derive(Debug, Clone, Args)]
pub(crate) struct CloudArgs {
    /// This installation's id: the value of the owner tag. Resources of another id are never touched.
    #[arg(long, value_parser = owner, default_value = "default", env = "FARGATEER_OWNER", hide_env_values = true)]
    pub(crate) owner: String,
    /// Share of AWS's published API rates to use, 0.01 to 1.
    #[arg(long, value_parser = share, default_value = "0.5", env = "FARGATEER_QUOTA_SHARE", hide_env_values = true)]
    pub(crate) quota_share: f64,
}

/// The operator's rules.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PolicyArgs {
    /// File of Projects: what the agents of each project may be, and when they may change. Agents outside of it are rejected,
    /// those of a project it does not name, too. Default: everything is allowed.
    #[arg(long, value_name = "FILE", env = "FARGATEER_POLICY", hide_env_values = true)]
    pub(crate) policy: Option<PathBuf>,
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// Where specs come from: folders or files of YAML, git repositories, or tables of specs.
    ///
    /// git+https://HOST/PATH#ref:path, git+ssh://USER@HOST/PATH#ref:path or git+file:///PATH#ref:path. The ref is a branch, a
    /// tag or all 40 digits of a commit (default: the default branch), the path a folder or file in it (default: all of it).
    /// dynamodb://TABLE is a table that `fargateer table create --specs` makes.
    #[arg(required = true, value_name = "SOURCE")]
    pub(crate) sources: Vec<String>,
    /// Run against an embedded simulated AWS and print its endpoint.
    #[arg(long)]
    pub(crate) local: bool,
    /// Reconcile until every agent is Ready or Stalled, print the result and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// Address of /healthz, /readyz, /metrics and the API of `get` and `describe`. Default: 127.0.0.1:8372, or a free port
    /// where that one is taken.
    #[arg(long, value_name = "ADDR", env = "FARGATEER_LISTEN", hide_env_values = true)]
    pub(crate) listen: Option<String>,
    /// Where statuses are kept, which deletions of a later run rely on: a folder for one process, or dynamodb://TABLE for
    /// any number of replicas, which share the agents and take over from one another. Default: .fargateer; with --local none.
    #[arg(long, value_name = "PLACE", value_parser = state, env = "FARGATEER_STATE", hide_env_values = true)]
    pub(crate) state: Option<StatePlace>,
    /// Time between two sweeps over the fleet. Default: 5m; with --local 20s.
    #[arg(long, value_parser = period, env = "FARGATEER_RESYNC", hide_env_values = true)]
    pub(crate) resync: Option<Duration>,
    /// How often sources are read even when nothing seems to have changed, and how often agents' code in S3 is looked at.
    #[arg(long, value_parser = period, default_value = "30s", env = "FARGATEER_POLL", hide_env_values = true)]
    pub(crate) poll: Duration,
    /// How long a spec must be gone before its agent is deleted. Default: 10m; with --local 10s; with --once 0s.
    #[arg(long, value_parser = duration, env = "FARGATEER_PRUNE_GRACE", hide_env_values = true)]
    pub(crate) prune_grace: Option<Duration>,
    /// Delete agents even when many specs vanished at once.
    #[arg(long)]
    pub(crate) confirm_prune: bool,
    /// So many agents roll (replace their tasks, or make the first ones) at the same time, 1 or more; a Project may say otherwise.
    /// Each replica counts its own agents. Default: as many as there are.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), env = "FARGATEER_MAX_ROLLOUTS", hide_env_values = true)]
    pub(crate) max_rollouts: Option<u32>,
    /// Start no more rollouts of a wave after so many of it failed, until their specs change; a Project may say otherwise.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..), env = "FARGATEER_STOP_AFTER_FAILURES", hide_env_values = true)]
    pub(crate) stop_after_failures: Option<u32>,
    /// With --once: give up after this time. Not-ready agents are then told as such.
    #[arg(long, value_parser = period, default_value = "30m", requires = "once")]
    pub(crate) timeout: Duration,
    /// Passes at the same time, 1 to 10000.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=10_000), default_value = "512", env = "FARGATEER_WORKERS", hide_env_values = true)]
    pub(crate) workers: u16,
    #[command(flatten)]
    pub(crate) on_this_machine: LocalArgs,
    /// Simulated seconds a real second, 0.1 to 1000, with --local. Default: 2; with --tasks process always 1.
    #[arg(long, value_parser = speed)]
    pub(crate) speed: Option<f64>,
    /// Format of the result of --once.
    #[arg(short, long, value_enum, default_value_t = Format::Text, requires = "once")]
    pub(crate) output: Format,
    #[command(flatten)]
    pub(crate) cloud: CloudArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) git: GitArgs,
}

/// How git repositories are reached, and whose commits count. Secrets are never options: everybody on the machine sees those.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Git sources")]
pub(crate) struct GitArgs {
    /// File with the token for git+https, read anew at every fetch. The environment variable FARGATEER_GIT_TOKEN may hold the
    /// token itself.
    #[arg(long, value_name = "FILE", env = "FARGATEER_GIT_TOKEN_FILE", hide_env_values = true)]
    pub(crate) git_token_file: Option<PathBuf>,
    /// User that goes with the token, where a host cares. Default: that of the address, else x-access-token.
    #[arg(long, value_name = "NAME", env = "FARGATEER_GIT_USER", hide_env_values = true)]
    pub(crate) git_user: Option<String>,
    /// Certificates (PEM) of authorities to trust for git+https besides those of the system.
    #[arg(long, value_name = "FILE", env = "FARGATEER_GIT_CA_FILE", hide_env_values = true)]
    pub(crate) git_ca_file: Option<PathBuf>,
    /// Private key for git+ssh. Default: as ssh chooses for the user.
    #[arg(long, value_name = "FILE", env = "FARGATEER_GIT_SSH_KEY", hide_env_values = true)]
    pub(crate) git_ssh_key: Option<PathBuf>,
    /// Keys of the hosts of git+ssh; a host whose key is not in it is not talked to. Default: the user's own known_hosts.
    #[arg(long, value_name = "FILE", env = "FARGATEER_GIT_KNOWN_HOSTS", hide_env_values = true)]
    pub(crate) git_known_hosts: Option<PathBuf>,
    /// Take only commits signed by an SSH key in this file (ssh-keygen's allowed signers).
    #[arg(long, value_name = "FILE", env = "FARGATEER_GIT_ALLOWED_SIGNERS", hide_env_values = true)]
    pub(crate) git_allowed_signers: Option<PathBuf>,
    /// Take only commits signed by an OpenPGP key in this file (gpg --export); needs the program gpgv. With
    /// --git-allowed-signers: either will do.
    #[arg(long, value_name = "FILE", env = "FARGATEER_GIT_KEYRING", hide_env_values = true)]
    pub(crate) git_keyring: Option<PathBuf>,
    /// File with the secret of POST /webhooks/git (GitHub, GitLab, or any sender), which makes sources fetch at once; without
    /// a secret there is no such endpoint. The environment variable FARGATEER_WEBHOOK_SECRET may hold the secret itself.
    #[arg(long, value_name = "FILE", env = "FARGATEER_WEBHOOK_SECRET_FILE", hide_env_values = true)]
    pub(crate) webhook_secret_file: Option<PathBuf>,
}

/// The default address of the daemon.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:8372";

/// Options of `validate`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ValidateArgs {
    /// Folders or files of YAML.
    #[arg(required_unless_present_any = ["schema", "policy"])]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// Print the JSON Schema instead.
    #[arg(long)]
    pub(crate) schema: bool,
    /// Format of the faults.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
}

/// Options of commands that read specs.
#[derive(Debug, Clone, Args)]
pub(crate) struct PathArgs {
    /// Folders or files of YAML or JSON.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
}

/// Options of `render`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RenderArgs {
    /// Folders or files of YAML.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Format of the requests.
    #[arg(short, long, value_enum, default_value_t = Format::Json)]
    pub(crate) output: Format,
    /// This installation's id: the value of the owner tag.
    #[arg(long, value_parser = owner, default_value = "default", env = "FARGATEER_OWNER", hide_env_values = true)]
    pub(crate) owner: String,
}

/// Options of `plan` and `diff`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    /// Folders or files of YAML.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// How the plan is shown.
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub(crate) format: PlanFormat,
    #[command(flatten)]
    pub(crate) cloud: CloudArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}

/// Options of `apply`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ApplyArgs {
    /// Folders or files of YAML. Nothing that is not in them is touched.
    #[arg(required = true)]
    pub(crate) paths: Vec<String>,
    /// Write the specs into rows of this table instead, and leave the rest to the daemon that runs on it.
    #[arg(long, value_name = "dynamodb://TABLE", conflicts_with_all = ["timeout", "output"])]
    pub(crate) to: Option<String>,
    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Give up waiting after this time.
    #[arg(long, value_parser = duration, default_value = "30m")]
    pub(crate) timeout: Duration,
    /// Format of the result.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    #[command(flatten)]
    pub(crate) cloud: CloudArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}

/// Options of `import`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImportArgs {
    /// The service: CLUSTER/SERVICE, or its ARN.
    #[arg(value_name = "CLUSTER/SERVICE")]
    pub(crate) service: String,
    /// Write the spec into this file, which must not be there yet, in place of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Region of the service. Default: that of its ARN, else of the environment (AWS_REGION), else us-east-1.
    #[arg(long)]
    pub(crate) region: Option<String>,
    #[command(flatten)]
    pub(crate) cloud: CloudArgs,
}

/// Options of `adopt`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AdoptArgs {
    /// Folders or files of YAML whose services are there; with --from the names of rows.
    #[arg(required = true, value_name = "PATH|NAME")]
    pub(crate) specs: Vec<String>,
    /// The table the specs stand in.
    #[arg(long, value_name = "dynamodb://TABLE")]
    pub(crate) from: Option<String>,
    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) cloud: CloudArgs,
}

/// Which daemon to talk to.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// Address of the daemon.
    #[arg(long, default_value = "http://127.0.0.1:8372", env = "FARGATEER_SERVER", hide_env_values = true)]
    pub(crate) server: String,
}

/// Options of `get`.
#[derive(Debug, Clone, Args)]
pub(crate) struct GetArgs {
    /// One agent; all when left out.
    pub(crate) name: Option<String>,
    /// Only agents with these labels, such as `team=support,tier=1`.
    #[arg(short = 'l', long)]
    pub(crate) labels: Option<String>,
    /// Only agents whose condition has this value, such as `ready=false`.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Show changes as they come.
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Read the rows of this table, with the statuses in them, instead of asking a daemon.
    #[arg(long, value_name = "dynamodb://TABLE", conflicts_with = "server")]
    pub(crate) from: Option<String>,
    /// Format of the list.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Options of `delete`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeleteArgs {
    /// The agents.
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Delete their rows in this table.
    #[arg(long, value_name = "dynamodb://TABLE")]
    pub(crate) from: Option<String>,
    /// Leave everything running and take our tags off it, so that it is nobody's or somebody else's.
    #[arg(long)]
    pub(crate) retain: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Options of commands on one agent.
#[derive(Debug, Clone, Args)]
pub(crate) struct NameArgs {
    /// The agent.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Options of `reconcile`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReconcileArgs {
    /// The agent.
    pub(crate) name: String,
    /// Try a revision again that ECS rolled back; go ahead in a freeze, and without a turn or in spite of failures of others.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Options of `prune`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PruneArgs {
    /// Delete what is held back.
    #[arg(long)]
    pub(crate) confirm: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Options of `sim`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SimArgs {
    /// Address to serve on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8373")]
    pub(crate) listen: String,
    /// Simulated seconds a real second.
    #[arg(long, value_parser = speed, default_value = "1")]
    pub(crate) speed: f64,
    /// Specs whose clusters, target groups and images are put in place first.
    #[arg(long, value_name = "PATH")]
    pub(crate) seed: Vec<PathBuf>,
}

/// The command tree, for completion scripts.
pub(crate) fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// A duration of a second at least: something is done once in it.
fn period(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|time| if time.is_zero() { Err("at least 1s".to_owned()) } else { Ok(time) })
}

/// A filter of logs.
fn filter(text: &str) -> Result<String, String> {
    let parsed = tracing_subscriber::EnvFilter::try_new(text);
    parsed
        .map(|_| text.to_owned())
        .map_err(|error| format!("{error}; expected a level or a filter such as info,fargateer_aws=debug"))
}

/// A share of a rate.
fn share(text: &str) -> Result<f64, String> {
    between(text, 0.01, 1.0)
}

/// A pace of simulated time.
fn speed(text: &str) -> Result<f64, String> {
    between(text, 0.1, 1000.0)
}

fn between(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("expected a number from {least} to {most}"))
}

fn state(text: &str) -> Result<StatePlace, String> {
    match text.split_once("://") {
        None => Ok(StatePlace::Folder(PathBuf::from(text))),
        Some(("dynamodb", name)) => table_name(name).map(StatePlace::Table),
        Some((scheme, _)) => Err(format!("{scheme}:// is no place for statuses; a folder and dynamodb://TABLE are")),
    }
}

/// The rules of DynamoDB for names of tables.
pub(crate) fn table_name(text: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    let good = (3..=255).contains(&text.len()) && text.chars().all(fits);
    if good { Ok(text.to_owned()) } else { Err("a table's name has 3 to 255 of a-z, A-Z, 0-9, _, - and .".to_owned()) }
}

/// What an AWS tag may hold and a person can read out.
fn owner(text: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "._-/@".contains(letter);
    let good = (1..=128).contains(&text.len()) && text.chars().all(fits);
    good.then(|| text.to_owned()).ok_or_else(|| "expected 1 to 128 letters, digits and . _ - / @".to_owned())
}

/// `90`, `90s`, `5m`, `2h`, `1d`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(format!("{unit} is no unit of time; use s, m, h or d, as in 90s or 5m")),
    };
    let number: u64 = digits.parse().map_err(|_| "expected a whole number with a unit, as in 90s or 5m".to_owned())?;
    number.checked_mul(factor).map(Duration::from_secs).ok_or_else(|| "too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn help_shows_no_value_of_the_environment() {
        fn options(command: &clap::Command) -> Vec<clap::Arg> {
            let own = command.get_arguments().cloned();
            own.chain(command.get_subcommands().flat_map(options)).collect()
        }
        let set: Vec<clap::Arg> = options(&command()).into_iter().filter(|option| option.get_env().is_some()).collect();
        let shown = set.iter().filter(|option| !option.is_hide_env_values_set());
        assert!(set.len() > 8);
        assert_eq!(shown.map(clap::Arg::get_id).collect::<Vec<_>>(), Vec::<&clap::Id>::new());
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert!(duration("5 parsecs").is_err());
        assert!(duration("99999999999999999h").is_err());
    }
}
