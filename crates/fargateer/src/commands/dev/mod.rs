//! `fargateer dev`: one agent on this machine, without any AWS, and again at every change of its code.
//!
//! A front stays at one port; behind it the agent runs as it does in its container, with the runtime and the packages it
//! would have there. What a change makes of it takes over once it is healthy; until then, and if it never is, the one before
//! it answers.

mod changes;
mod lines;
mod packages;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use fargateer_api::spec::Build;
use fargateer_sim::process::{Keeper, Program, Running, Table, status};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{image, run};
use crate::cli::{DevArgs, Model};
use crate::output::{self, hinted};
use crate::{config, local};
use changes::Changes;
use packages::Packages;

/// The front's port unless another one is asked for.
const PORT: u16 = 8000;
/// How long an agent may take to be healthy.
const START: Duration = Duration::from_mins(2);
/// Between two looks at whether it is.
const LOOK: Duration = Duration::from_millis(100);
/// How long calls under way may take when an agent ends.
const GRACE: Duration = Duration::from_secs(8);
/// The program of the runtime; an agent may bring one of its own.
const SERVER: &str = "agent_server.py";

/// Runs the command until it is interrupted.
pub(crate) async fn run(args: DevArgs) -> anyhow::Result<ExitCode> {
    let (folder, build) = image::build::source(&args.path)?;
    let build = build.map(|found| found.build).unwrap_or_default();
    let bench = Bench::new(&args, folder, build).await?;
    let stop = CancellationToken::new();
    run::stop_on_signal_saying(stop.clone(), "calls under way end first")?;
    let listener = listener(args.port).await?;
    let front = listener.local_addr().context("the front has no address")?;
    let table = Table::default();
    let (serving, stopped) = (table.clone(), stop.clone());
    let server = tokio::spawn(async move { serving.serve(listener, async move { stopped.cancelled().await }).await });
    bench.work(front, &table, &stop).await;
    drop(server.await);
    Ok(ExitCode::SUCCESS)
}

async fn listener(port: Option<u16>) -> anyhow::Result<TcpListener> {
    if let Some(port) = port {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        return bound.map_err(|error| hinted(format!("port {port}: {error}"), "leave --port out to take a free one"));
    }
    match TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("there is no free port"),
    }
}

/// The agent and what it is run with.
struct Bench {
    folder: PathBuf,
    packages: Packages,
    cache: PathBuf,
    environment: Vec<(String, String)>,
    model: Model,
    keeper: Keeper,
}

/// An agent that runs.
struct Agent {
    running: Running,
    address: SocketAddr,
    lines: JoinHandle<()>,
}

impl Bench {
    async fn new(args: &DevArgs, folder: PathBuf, build: Build) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("{} is not there", folder.display()))?;
        let python = local::python().await?;
        let cache = std::path::absolute(&args.cache).context("the working folder is gone")?;
        std::fs::create_dir_all(&cache).with_context(|| format!("{} cannot be made", cache.display()))?;
        let named = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let mut environment = config::agent_environment(args.model == Model::Bedrock);
        let mut set = |name: &str, value: String| environment.push((name.to_owned(), value));
        set("AGENT_NAME", named.unwrap_or_else(|| "agent".to_owned()));
        set("AGENT_REVISION", "dev".to_owned());
        set("AGENT_SHUTDOWN_GRACE_SECONDS", "6".to_owned());
        set("PYTHONUNBUFFERED", "1".to_owned());
        set("PYTHONDONTWRITEBYTECODE", "1".to_owned());
        if args.model == Model::Offline {
            set("AGENT_MODEL", "offline".to_owned());
        }
        if let Some(entrypoint) = args.entrypoint.clone().or_else(|| entrypoint(&build)) {
            set("AGENT_ENTRYPOINT", entrypoint);
        }
        environment.extend(args.env.iter().cloned());
        let own = folder.join(SERVER).is_file();
        let packages = Packages::new(&folder, build.requirements, (python, cache.clone()), own);
        packages.check().await?;
        let keeper = Keeper::start().context("a shell cannot be started")?;
        Ok(Self { folder, packages, cache, environment, model: args.model, keeper })
    }

    /// Runs the agent as it is, and as it becomes, until `stop`.
    async fn work(&self, front: SocketAddr, table: &Table, stop: &CancellationToken) {
        let mut changes = Changes::of(&self.folder);
        let mut current: Option<Agent> = None;
        loop {
            let fresh = tokio::select! {
                fresh = self.fresh() => fresh,
                () = stop.cancelled() => break,
            };
            match fresh {
                Ok(agent) => {
                    table.put(agent.address, true);
                    if current.is_some() {
                        output::note("the changed agent answers");
                    } else {
                        self.tell(front, status(agent.address, "/invocations", Duration::from_secs(2)).await);
                    }
                    if let Some(before) = current.replace(agent) {
                        self.retire(before, table).await;
                    }
                }
                Err(problem) => {
                    output::error(&problem);
                    let kept = if current.is_some() { "the agent from before the change goes on; " } else { "" };
                    output::note(&format!("{kept}waiting for a change"));
                }
            }
            if !self.until_changed(&mut current, &mut changes, table, stop).await {
                break;
            }
            output::note("changed; starting anew");
        }
        if let Some(agent) = current.take() {
            self.retire(agent, table).await;
        }
    }

    /// Waits for a change; false when it is over.
    async fn until_changed(
        &self,
        current: &mut Option<Agent>,
        changes: &mut Changes,
        table: &Table,
        stop: &CancellationToken,
    ) -> bool {
        loop {
            let ended = async {
                match current.as_mut() {
                    Some(agent) => self.keeper.wait(&mut agent.running).await,
                    None => std::future::pending().await,
                }
            };
            let code = tokio::select! {
                code = ended => code,
                () = changes.next() => return true,
                () = stop.cancelled() => return false,
            };
            if let Some(agent) = current.take() {
                table.remove(agent.address);
                drop(agent.lines.await);
            }
            output::note(&format!("the agent ended with exit code {code}; waiting for a change"));
        }
    }

    /// Says where the agent is, and what may be tried; it answered `status` when it was asked for what it is invoked by.
    fn tell(&self, front: SocketAddr, status: Option<u16>) {
        let model = match self.model {
            Model::Offline => "offline model: no network, no credentials",
            Model::Bedrock => "the model it asks for, with this environment's AWS credentials",
        };
        output::note(&format!("agent at http://{front} ({model})"));
        let own_server = self.folder.join(SERVER).is_file();
        output::note(&if own_server { example(front, None) } else { example(front, status) });
        output::note("it starts anew whenever its code is saved; Ctrl-C ends it");
    }

    /// The agent as it is now, healthy.
    async fn fresh(&self) -> anyhow::Result<Agent> {
        let python = self.packages.ready().await?;
        let address = free()?;
        let mut agent = self.start(python, address).await?;
        let healthy = async {
            while status(address, "/health", Duration::from_secs(2)).await != Some(200) {
                pause().await;
            }
        };
        let code = tokio::select! {
            healthy = timeout(START, healthy) => match healthy {
                Ok(()) => return Ok(agent),
                Err(_) => None,
            },
            code = self.keeper.wait(&mut agent.running) => Some(code),
        };
        if let Some(code) = code {
            // What it said last says why.
            drop(agent.lines.await);
            anyhow::bail!("the agent ended with exit code {code} before it was healthy");
        }
        self.keeper.stop(&mut agent.running, GRACE).await;
        anyhow::bail!("the agent was not healthy within {} s (GET /health)", START.as_secs())
    }

    async fn start(&self, python: PathBuf, address: SocketAddr) -> anyhow::Result<Agent> {
        let own = self.folder.join(SERVER);
        let server = if own.is_file() { own } else { self.runtime()? };
        let mut environment = self.environment.clone();
        let programs = python.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        environment.retain(|(name, _)| !["PATH", "HOST", "PORT"].contains(&name.as_str()));
        environment.push(("PATH".to_owned(), format!("{programs}:{}", config::path())));
        environment.push(("HOST".to_owned(), address.ip().to_string()));
        environment.push(("PORT".to_owned(), address.port().to_string()));
        let words = vec![python.display().to_string(), server.display().to_string()];
        let program = Program { words, environment, folder: self.folder.clone() };
        let (said, mut heard) = mpsc::channel::<String>(100);
        let running = self.keeper.run(&program, &said).await.context("the agent cannot be started")?;
        let lines = tokio::spawn(async move {
            while let Some(line) = heard.recv().await {
                output::note(&lines::told(&line));
            }
        });
        Ok(Agent { running, address, lines })
    }

    /// The runtime as one file.
    fn runtime(&self) -> anyhow::Result<PathBuf> {
        let version = fargateer_image::runtime_version();
        let name = version.split(':').next_back().unwrap_or_default().get(..16).unwrap_or_default().to_owned();
        let folder = self.cache.join(format!("runtime-{name}"));
        let place = folder.join(SERVER);
        if !place.is_file() {
            std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
            std::fs::write(&place, fargateer_image::bundle())
                .with_context(|| format!("{} cannot be written", place.display()))?;
        }
        Ok(place)
    }

    /// Ends an agent; calls under way come first.
    async fn retire(&self, mut agent: Agent, table: &Table) {
        table.retire(agent.address);
        self.keeper.stop(&mut agent.running, GRACE).await;
        table.remove(agent.address);
        drop(agent.lines.await);
    }
}

/// What a person may try at `front`, where a GET of what agents are invoked by was answered with `status`: the runtime's own does not
/// take that method, and of an application there is no such path.
fn example(front: SocketAddr, status: Option<u16>) -> String {
    if status == Some(404) {
        return format!(
            "the paths are those of its own application, such as curl -s http://{front}/...; /health is the runtime's"
        );
    }
    format!("try: curl -s http://{front}/invocations -d '{{\"prompt\": \"hello\"}}'")
}

/// What the runtime is told of what answers, if it would not find it by itself.
fn entrypoint(build: &Build) -> Option<String> {
    let module = |file: &String| file.strip_suffix(".py").map(|stem| stem.replace('/', "."));
    build.entrypoint.clone().or_else(|| build.agent.as_ref().and_then(module))
}

/// An address at which nobody listens now.
fn free() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free port")?;
    listener.local_addr().context("a port has no address")
}

async fn pause() {
    #[expect(clippy::disallowed_methods, reason = "a process that starts is looked at again and again")]
    tokio::time::sleep(LOOK).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_of_its_own_is_not_told_to_be_invoked_at_a_path_it_does_not_have() {
        let front = SocketAddr::from(([127, 0, 0, 1], 8000));
        assert!(example(front, Some(405)).contains("curl -s http://127.0.0.1:8000/invocations"));
        assert!(example(front, None).contains("/invocations"));
        assert!(!example(front, Some(404)).contains("/invocations"));
    }
}
