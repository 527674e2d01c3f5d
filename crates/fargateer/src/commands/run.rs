//! `fargateer run`: the daemon - or, with `--once`, one run until every agent is settled.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fargateer_api::Reason;
use fargateer_api::project::RolloutRules;
use fargateer_api::status::ConditionType;
use fargateer_aws::http::Http;
use fargateer_controller::{Settings, controller};
use fargateer_plan::prune::Policy;
use fargateer_sim::process::Python;
use fargateer_sim::{Simulation, Tasks, Times};
use fargateer_store::table::StateTable;
use tokio_util::sync::CancellationToken;

use crate::cli::{Format, RunArgs, StatePlace, TaskKind, WRONG};
use crate::commands::specs;
use crate::progress::Progress;
use crate::sources::Sources;
use crate::tables;
use crate::wire::{self, ImageParts, Machine, Parts};
use crate::{config, document, http, local, output, policy, telemetry};

/// Address of the simulated AWS, when it is free.
const LOCAL_ENDPOINT: &str = "127.0.0.1:8373";
/// Simulated seconds a real second, unless told otherwise.
const SPEED: f64 = 2.0;
/// How long passes under way may take at the end.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs the command.
pub(crate) async fn run(args: RunArgs, json_logs: bool) -> anyhow::Result<ExitCode> {
    for source in args.sources.iter().filter(|source| !source.contains("://")) {
        specs::exists(Path::new(source))?;
    }
    let stop = CancellationToken::new();
    let python = python(&args).await?;
    let simulation = args.local.then(|| simulation(&args));
    let tables = tables::names(&args.sources)?;
    let parts = Parts { tables, ..parts(&args, simulation.as_ref()).await };
    if let (Some(StatePlace::Table(name)), true) = (&parts.state, args.local) {
        StateTable::new(&parts.config, name, "").create().await.map_err(anyhow::Error::msg)?;
    }
    let images = parts.images.clone();
    let machine = Machine::build(parts).await?;
    policy::rule(&machine.controller, &args.policy, stop.clone())?;
    let rules = RolloutRules { max: args.max_rollouts, stop_after_failures: args.stop_after_failures };
    machine.controller.reconciler.fleet.limit_rollouts(rules);
    if args.local {
        machine.tables.create().await?;
    }
    let Sources { all: sources, webhook, checkouts, copies: _copies } =
        Sources::open(&args, simulation.as_ref(), &machine.tables)?;
    drop(images.repositories.set(checkouts));
    stop_on_signal(stop.clone())?;
    if let Some(simulation) = &simulation {
        let endpoint = local::serve(simulation, LOCAL_ENDPOINT, &stop).await?;
        let here: Arc<dyn fargateer_image::Logins> = local::Registries::new(simulation, &endpoint);
        drop(images.here.set(here));
        output::note(&format!("simulated AWS at {endpoint} (aws --endpoint-url {endpoint} ecs list-clusters)"));
    }
    let driver = match (&simulation, python) {
        (Some(simulation), Some(python)) => Some(local::Driver::start(simulation, python, args.on_this_machine.model)?),
        (Some(_) | None, _) => None,
    };
    if !args.once {
        let address = http::serve(machine.clone(), webhook, args.listen.as_deref(), stop.clone()).await?;
        output::note(&format!("serving http://{address} (fargateer get, /metrics, /healthz, /readyz)"));
    }
    if !args.once {
        let (machine, stop, period) = (machine.clone(), stop.clone(), args.period());
        tokio::spawn(async move { machine.look_around(period, &stop).await });
    }
    let progress =
        Progress::start(Arc::clone(&machine.controller), json_logs || args.output != Format::Text, stop.clone());
    let running = tokio::spawn(Arc::clone(&machine.controller).run(sources, stop.clone()));
    let interrupted = if args.once {
        !until_settled(&machine, args.timeout, &stop).await
    } else {
        stop.cancelled().await;
        true
    };
    stop.cancel();
    running.await.context("the controller ended unexpectedly")?;
    machine.tables.finish().await;
    progress.finish().await;
    if let Some(driver) = driver {
        driver.end().await;
    }
    if args.once { result(&args, &machine, interrupted) } else { Ok(ExitCode::SUCCESS) }
}

/// Waits until nothing more will happen. False when it was interrupted or took too long.
pub(crate) async fn until_settled(machine: &Machine, timeout: Duration, stop: &CancellationToken) -> bool {
    let mut changes = machine.controller.reconciler.board.watch();
    let settled = async {
        // An agent may settle without a change of its status, so the board is looked at now and then, too.
        while !machine.controller.is_settled() {
            drop(tokio::time::timeout(Duration::from_millis(200), changes.changed()).await);
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        ended = tokio::time::timeout(timeout, settled) => ended.is_ok(),
    }
}

/// Ends on SIGINT and SIGTERM; a second one ends at once.
pub(crate) fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    stop_on_signal_saying(stop, "passes under way end first")
}

/// The same, with other words for what comes first.
pub(crate) fn stop_on_signal_saying(stop: CancellationToken, first: &'static str) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be caught")?;
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        output::note(&format!("stopping: {first} (once more to stop at once)"));
        stop.cancel();
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        #[expect(
            clippy::disallowed_methods,
            reason = "a person asked twice; nothing is half done that the next run does not find"
        )]
        std::process::exit(130);
    });
    Ok(())
}

/// The result of a run that ends: 0 all ready, 1 not, 2 AWS could not be asked at all.
pub(crate) fn verdict(machine: &Machine) -> u8 {
    let (fleet, board) = (&machine.controller.reconciler.fleet, &machine.controller.reconciler.board);
    let statuses: Vec<_> = fleet.keys().iter().map(|key| board.status(key)).collect();
    let reason = |status: &fargateer_api::AgentDeploymentStatus| {
        status.condition(ConditionType::Ready).map(|ready| ready.reason)
    };
    let unreachable = [Some(Reason::NoCredentials), Some(Reason::Unavailable), Some(Reason::AccessDenied)];
    let fine = |status: &Arc<fargateer_api::AgentDeploymentStatus>| {
        status.is(ConditionType::Ready) || [Some(Reason::Suspended), Some(Reason::Retained)].contains(&reason(status))
    };
    if !statuses.is_empty() && statuses.iter().all(|status| unreachable.contains(&reason(status))) {
        return WRONG;
    }
    u8::from(!statuses.iter().all(fine) || !fleet.faults().is_empty())
}

fn result(args: &RunArgs, machine: &Machine, interrupted: bool) -> anyhow::Result<ExitCode> {
    show(machine, args.output)?;
    let (keys, board) = (machine.controller.reconciler.fleet.keys(), &machine.controller.reconciler.board);
    if interrupted {
        let open = keys.iter().filter(|key| !controller::is_at_rest(&board.status(key))).count();
        output::note(&format!("ended before {open} agents were settled"));
        return Ok(ExitCode::from(1));
    }
    let faults = machine.controller.reconciler.fleet.faults().len();
    if faults > 0 {
        let noun = if faults == 1 { "fault" } else { "faults" };
        return Err(output::hinted(
            format!("{faults} {noun} in the specs, or in where they come from"),
            "what has none is as above, and nothing was deleted; `fargateer validate` finds them without AWS",
        ));
    }
    Ok(ExitCode::from(verdict(machine)))
}

/// Prints the agents in `format`, and the faults of their specs where the log has not told them.
pub(crate) fn show(machine: &Machine, format: Format) -> anyhow::Result<ExitCode> {
    let list = document::list(&machine.controller, machine.aws.counts());
    if !telemetry::tells_faults() {
        for fault in machine.controller.reconciler.fleet.faults() {
            output::note(&fault);
        }
    }
    super::get::print(&list, format)
}

/// The Python that tasks run on, if they are processes.
async fn python(args: &RunArgs) -> anyhow::Result<Option<Python>> {
    if !processes(args) {
        return Ok(None);
    }
    if let Some(speed) = args.speed.filter(|speed| (speed - 1.0).abs() > f64::EPSILON) {
        let problem = format!("--speed {speed} does not go with --tasks process");
        return Err(output::hinted(problem, "processes run at the pace of the clock; leave --speed out"));
    }
    local::python().await.map(Some)
}

fn processes(args: &RunArgs) -> bool {
    args.on_this_machine.tasks == TaskKind::Process
}

fn simulation(args: &RunArgs) -> Simulation {
    let (tasks, speed, times) = if processes(args) {
        // Targets drain as long as AWS lets them, which ends with their last request.
        let times = Times { provision: Duration::from_millis(300), drain: Duration::from_mins(5), ..Times::brisk() };
        (Tasks::Driven, 1.0, times)
    } else {
        (Tasks::Virtual, args.speed.unwrap_or(SPEED), Times::default())
    };
    Simulation::new(fargateer_sim::Settings {
        epoch: std::time::SystemTime::from(jiff::Timestamp::now()),
        throttle: true,
        speed,
        tasks,
        times,
        latency: Duration::from_millis(5),
        ..fargateer_sim::Settings::default()
    })
}

async fn parts(args: &RunArgs, simulation: Option<&Simulation>) -> Parts {
    let config = match simulation {
        Some(simulation) => config::simulated(simulation.connector()),
        None => config::aws().await,
    };
    // On the simulated AWS nobody else uses the account, and somebody wants to see drift corrected soon.
    let aws = match simulation {
        Some(_) => {
            let http: Arc<dyn Http> =
                if processes(args) { Arc::<local::Mixed>::default() } else { Arc::new(local::Virtual) };
            fargateer_aws::Settings { share: 1.0, believed: Duration::ZERO, http }
        }
        None => wire::cloud_settings(&args.cloud),
    };
    let grace = if args.once {
        Duration::ZERO
    } else if args.local {
        Duration::from_secs(10)
    } else {
        Duration::from_mins(10)
    };
    let policy = Policy {
        grace: args.prune_grace.unwrap_or(grace),
        reads: if args.once { 1 } else { 2 },
        confirmed: args.confirm_prune,
        ..Policy::default()
    };
    let resync = if args.local { Duration::from_secs(20) } else { Duration::from_mins(5) };
    let settings = Settings {
        workers: usize::from(args.workers),
        resync: args.resync.unwrap_or(resync),
        drain: DRAIN,
        ..Settings::default()
    };
    let state = args.state.clone().or_else(|| (!args.local).then(StatePlace::default));
    let (owner, sources) = (args.cloud.owner.clone(), args.sources.len());
    let images = ImageParts { folders: folders(args), cache: cache(state.as_ref()), ..ImageParts::default() };
    Parts { config, aws, owner, state, policy, settings, sources, tables: Vec::new(), images }
}

/// The sources that are folders or files of this machine.
fn folders(args: &RunArgs) -> Vec<PathBuf> {
    args.sources.iter().filter(|source| !source.contains("://")).map(PathBuf::from).collect()
}

/// Layers are kept with the state, where that is a folder of this machine.
fn cache(state: Option<&StatePlace>) -> PathBuf {
    match state {
        Some(StatePlace::Folder(folder)) => folder.join("images"),
        Some(StatePlace::Table(_)) | None => config::image_cache(),
    }
}
