//! The tasks of `run --local --tasks process`: programs on this machine.

use std::path::PathBuf;

use anyhow::Context as _;
use fargateer_sim::Simulation;
use fargateer_sim::process::{self, Notice, Options, Python};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cli::Model;
use crate::config;
use crate::output::{self, hinted};

/// The Python that images of ours are for.
const PYTHON: &str = "3.11";
/// Where images are unpacked.
const CACHE: &str = ".fargateer/tasks";

/// The Python of this machine on which agents run.
pub(crate) async fn python() -> anyhow::Result<Python> {
    let hint = "install Python 3.11 so that `python3.11` is on the PATH (`uv python install 3.11` does)";
    Python::find(PYTHON).await.map_err(|problem| hinted(problem, hint))
}

/// Whoever runs the tasks of a simulation.
pub(crate) struct Driver {
    stop: CancellationToken,
    running: JoinHandle<std::io::Result<()>>,
}

impl Driver {
    /// Begins to run tasks on `python`, and tells where their load balancers answer.
    pub(crate) fn start(simulation: &Simulation, python: Python, model: Model) -> anyhow::Result<Self> {
        let cache = std::path::absolute(PathBuf::from(CACHE)).context("the working folder is gone")?;
        let options = Options { cache, python, path: config::path(), environment: environment(model) };
        let (tell, mut told) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Notice::Balancer { group, url }) = told.recv().await {
                output::note(&format!("load balancer of target group {group} at {url}"));
            }
        });
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let driven = process::drive(simulation.clone(), options, tell, async move { stopped.cancelled().await });
        Ok(Self { stop, running: tokio::spawn(driven) })
    }

    /// Ends all tasks.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        match self.running.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "tasks could not be run"),
            Err(error) => tracing::error!(%error, "tasks are run no more"),
        }
    }
}

/// What every task is told about its model.
fn environment(model: Model) -> Vec<(String, String)> {
    match model {
        Model::Offline => vec![("AGENT_MODEL".to_owned(), "offline".to_owned())],
        Model::Bedrock => {
            let mut all = config::agent_environment(true);
            all.retain(|(name, _)| name.starts_with("AWS_") || name.to_ascii_uppercase().ends_with("_PROXY"));
            all
        }
    }
}
