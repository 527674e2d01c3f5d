//! Tasks as real processes of this machine: local Fargate.
//!
//! `drive` does what the simulated ECS wants of driven tasks (`Simulation::assignments`) and reports how they go. An image
//! that Fargateer built is unpacked and run with this machine's Python, at an address of its own; its health check is
//! executed, its output goes to the simulated log group, its end is SIGTERM and, after the stop timeout, SIGKILL. In front of
//! each target group stands a proxy with checks of its own. The other containers of a task, volumes, limits of CPU and
//! memory, users and read-only file systems are not simulated: a task is as well fenced in as any program one starts.

mod address;
mod balance;
mod command;
mod program;
mod proxy;
mod python;
mod tally;
mod task;
mod unpack;

pub use program::{Keeper, Program, Running};
pub use proxy::{Table, status};
pub use python::Python;

use crate::assignment::{Assignment, Report, Stage};
use crate::simulation::Simulation;
use balance::Balancers;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use task::Host;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use unpack::Cache;

/// How often is looked what is wanted.
const LOOK: Duration = Duration::from_millis(100);
/// How long all tasks together may take to end when we do.
const FAREWELL: Duration = Duration::from_secs(15);

/// How tasks are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where images are unpacked and tasks have their folders.
    pub cache: PathBuf,
    /// The Python they run on.
    pub python: Python,
    /// The PATH they get.
    pub path: String,
    /// Variables every task gets, unless its definition says otherwise.
    pub environment: Vec<(String, String)>,
}

/// Something a person may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A load balancer stands in front of a target group.
    Balancer {
        /// The name of the target group.
        group: String,
        /// Where it answers.
        url: String,
    },
}

/// A task that was begun.
struct Life {
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

/// Runs the driven tasks of `simulation` until `stop` resolves; then ends them, and returns when they have ended.
///
/// The simulation must run at the pace of the clock, since processes do.
pub async fn drive(
    simulation: Simulation,
    options: Options,
    notices: mpsc::UnboundedSender<Notice>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let addresses = Arc::default();
    let mut balancers = Balancers::new(simulation.clone(), Arc::clone(&addresses));
    let cache = Cache(options.cache.clone());
    let host = Arc::new(Host { simulation, options, cache, keeper: Keeper::start()?, addresses });
    let mut lives = BTreeMap::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        // First who is asked, then who is stopped.
        for (group, url) in balancers.pass().await {
            // Nobody may listen.
            drop(notices.send(Notice::Balancer { group, url }));
        }
        pass(&host, &mut lives);
        if timeout(LOOK, &mut stop).await.is_ok() {
            break;
        }
    }
    farewell(lives).await;
    Ok(())
}

/// Begins and ends tasks as is wanted.
fn pass(host: &Arc<Host>, lives: &mut BTreeMap<String, Life>) {
    let wanted: BTreeMap<String, Assignment> =
        host.simulation.assignments().into_iter().map(|assignment| (assignment.task.clone(), assignment)).collect();
    for (task, life) in lives.iter() {
        if wanted.get(task).is_none_or(|assignment| assignment.stage == Stage::Stop) {
            life.stop.send_replace(true);
        }
    }
    lives.retain(|task, life| wanted.contains_key(task) || !life.ended.is_finished());
    for (task, assignment) in wanted {
        match (lives.get(&task), assignment.stage) {
            (None, Stage::Start) => {
                let (stop, told) = watch::channel(false);
                let ended = tokio::spawn(task::live(Arc::clone(host), assignment, told));
                lives.insert(task, Life { stop, ended });
            }
            // It was begun by somebody before us, or ended and that was not heard.
            (None, Stage::Run | Stage::Stop) => lost(host, &task),
            (Some(life), Stage::Run | Stage::Stop) if life.ended.is_finished() => lost(host, &task),
            (Some(_), _) => {}
        }
    }
}

fn lost(host: &Host, task: &str) {
    host.simulation.report(task, &Report::Exited { code: 137, reason: None });
}

async fn farewell(lives: BTreeMap<String, Life>) {
    for life in lives.values() {
        life.stop.send_replace(true);
    }
    let ended = async {
        for life in lives.into_values() {
            drop(life.ended.await);
        }
    };
    // What is left then is killed when it is dropped, or by the keeper.
    drop(timeout(FAREWELL, ended).await);
}

/// Waits. The one place: everything here is at the pace of processes.
async fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "checks of real processes are made at a pace")]
    tokio::time::sleep(time).await;
}
