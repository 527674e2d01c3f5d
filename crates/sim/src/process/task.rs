//! One task as a process: from its image to its end.

use super::address::Addresses;
use super::command::{self, Places, Setting};
use super::program::{self, Keeper, Program, Running};
use super::tally::Tally;
use super::unpack::{self, Cache};
use super::{Options, pause};
use crate::assignment::{Assignment, Report};
use crate::ecr::Content;
use crate::input::Members;
use crate::simulation::Simulation;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

/// For how long a container is ACTIVATING at most: until its first passed check, as long as it lives.
const ACTIVATING: Duration = Duration::from_secs(20);
/// A container without a health check and a port runs when it has lived so long.
const SETTLED: Duration = Duration::from_secs(1);
/// From SIGTERM to SIGKILL unless the container says otherwise.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// So many lines of output may wait to be told.
const LINES: usize = 1000;

/// What every task needs.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) simulation: Simulation,
    pub(super) options: Options,
    pub(super) cache: Cache,
    pub(super) keeper: Keeper,
    pub(super) addresses: Arc<Addresses>,
}

/// Why a task cannot be started: the kind of error and its text, as ECS tells them.
type Refusal = (&'static str, String);

/// What is ready to be started.
struct Ready {
    program: Program,
    check: Option<Program>,
    socket: SocketAddr,
    folder: TempDir,
}

/// Runs a task until it ends or `stop` says that it shall.
pub(super) async fn live(host: Arc<Host>, assignment: Assignment, mut stop: watch::Receiver<bool>) {
    let tell = |report: Report| host.simulation.report(&assignment.task, &report);
    let prepared = tokio::select! {
        prepared = prepare(&host, &assignment) => prepared,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let ready = match prepared {
        Ok(ready) => ready,
        Err((code, reason)) => return tell(Report::Refused { code: code.to_owned(), reason }),
    };
    let (said, heard) = mpsc::channel(LINES);
    let listener = tokio::spawn(listen(Arc::clone(&host), assignment.task.clone(), heard));
    let started = host.keeper.run(&ready.program, &said).await;
    // What is said from now on is the program's alone: the listener ends with it.
    drop(said);
    let mut running = match started {
        Ok(running) => running,
        Err(error) => {
            return tell(Report::Refused { code: "CannotStartContainerError".to_owned(), reason: error.to_string() });
        }
    };
    let code = attend(&host, &assignment, (&ready, &mut running), &mut stop).await;
    // The last words come before the end.
    drop(listener.await);
    tell(Report::Exited { code, reason: None });
    drop(tokio::task::spawn_blocking(move || drop(ready.folder)).await);
}

/// Watches a container's health until it ends, and ends it when it shall. Answers its exit code.
async fn attend(
    host: &Host,
    assignment: &Assignment,
    (ready, running): (&Ready, &mut Running),
    stop: &mut watch::Receiver<bool>,
) -> i32 {
    let healthy = watch_health(host, assignment, ready);
    tokio::select! {
        code = host.keeper.wait(running) => return code,
        () = healthy => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    let patience = assignment.container.seconds("stopTimeout").unwrap_or(STOP_TIMEOUT);
    host.keeper.stop(running, patience).await
}

/// Checks and reports for ever.
async fn watch_health(host: &Host, assignment: &Assignment, ready: &Ready) {
    let tell = |report: Report| host.simulation.report(&assignment.task, &report);
    let began = Instant::now();
    let Some(check) = &ready.check else {
        let ported = assignment.container.items("portMappings").is_some_and(|ports| !ports.is_empty());
        let up = async { if ported { answers(ready.socket).await } else { pause(SETTLED).await } };
        drop(timeout(ACTIVATING, up).await);
        tell(Report::Started);
        return std::future::pending().await;
    };
    let settings = assignment.container.member("healthCheck").unwrap_or(&Value::Null);
    let seconds = |name: &str, default: u64| settings.seconds(name).unwrap_or(Duration::from_secs(default));
    let retries = settings.whole("retries").and_then(|retries| u32::try_from(retries).ok()).unwrap_or(3);
    let mut tally = Tally::new(seconds("interval", 30), (1, retries), began + seconds("startPeriod", 0));
    let mut started = false;
    loop {
        let passed = program::succeeds(&host.keeper, check, seconds("timeout", 5)).await;
        let verdict = tally.note(passed, Instant::now());
        if !started && (verdict.is_some() || began.elapsed() >= ACTIVATING) {
            started = true;
            tell(Report::Started);
        }
        match verdict {
            Some(true) => tell(Report::Healthy),
            Some(false) => tell(Report::Unhealthy),
            None => {}
        }
        pause(tally.pace()).await;
    }
}

/// Waits until something accepts connections.
async fn answers(socket: SocketAddr) {
    while TcpStream::connect(socket).await.is_err() {
        pause(Duration::from_millis(100)).await;
    }
}

/// Tells the lines of a container in batches.
async fn listen(host: Arc<Host>, task: String, mut heard: mpsc::Receiver<String>) {
    let mut lines = Vec::new();
    while heard.recv_many(&mut lines, LINES).await > 0 {
        host.simulation.report(&task, &Report::Said(std::mem::take(&mut lines)));
    }
}

/// From the image to what can be started.
async fn prepare(host: &Arc<Host>, assignment: &Assignment) -> Result<Ready, Refusal> {
    let image = assignment.container.text("image").unwrap_or_default().to_owned();
    let refuse = |reason: String| ("CannotPullContainerError", format!("{image}: {reason}"));
    let content = host.simulation.pull(assignment).map_err(refuse)?;
    let (own, content) = (Arc::clone(host), Arc::new(content));
    let pulled = Arc::clone(&content);
    let unpacking = tokio::task::spawn_blocking(move || own.cache.root(&pulled, &own.options.python));
    let root = unpacking.await.map_err(|error| refuse(error.to_string()))?.map_err(refuse)?;
    host.simulation.report(&assignment.task, &Report::Pulled);
    let secrets = secrets(&host.simulation, assignment).map_err(|reason| {
        ("ResourceInitializationError", format!("unable to pull secrets or registry auth: {reason}"))
    })?;
    let folder = home(host, &content, &root).map_err(|error| ("CannotCreateContainerError", error.to_string()))?;
    let image = content.config.get("config").unwrap_or(&Value::Null);
    let inner = image.text("WorkingDir").filter(|inner| inner.len() > 1).unwrap_or("/app").to_owned();
    let at = |name: &str| folder.path().join(name);
    let places = Places { root, inner, work: at("work"), home: at("home"), scratch: at("tmp") };
    let socket = host.addresses.socket(&assignment.address, command::port(&assignment.container));
    let setting = Setting {
        assignment,
        image,
        places: &places,
        python: &host.options.python,
        path: &host.options.path,
        common: &host.options.environment,
        secrets,
        address: socket,
    };
    let (program, check) = (setting.program(), setting.check());
    Ok(Ready { program, check, socket, folder })
}

/// The task's own folder: its working folder as the image has it, a home, a place for temporary files.
fn home(host: &Host, content: &Content, root: &std::path::Path) -> io::Result<TempDir> {
    let tasks = host.cache.0.join("tasks");
    std::fs::create_dir_all(&tasks)?;
    let folder = TempDir::new_in(tasks)?;
    for name in ["home", "tmp"] {
        std::fs::create_dir(folder.path().join(name))?;
    }
    let working = content.config.get("config").and_then(|config| config.text("WorkingDir"));
    let inner = working.unwrap_or_default().trim_matches('/');
    let from = root.join(if inner.is_empty() { "app" } else { inner });
    let work = folder.path().join("work");
    if from.is_dir() && !inner.split('/').any(|part| part == "..") {
        unpack::copy(&from, &work)?;
    } else {
        std::fs::create_dir(work)?;
    }
    Ok(folder)
}

fn secrets(simulation: &Simulation, assignment: &Assignment) -> Result<Vec<(String, String)>, String> {
    let named = assignment.container.items("secrets").unwrap_or_default().iter();
    let named = named.filter_map(|secret| Some((secret.text("name")?, secret.text("valueFrom")?)));
    named.map(|(name, from)| Ok((name.to_owned(), simulation.secret(&assignment.task, from)?))).collect()
}
