//! `fargateer sim`: the simulated AWS alone, for tests and for trying things out with any AWS CLI.
//!
//! Made for strangers: what tasks name and nobody made here - roles, networks, images, log groups - is taken to exist elsewhere,
//! and their calls are throttled when they flood, not when they come one after the other. ECR itself knows only what it was given:
//! Fargateer, which asks it for the digests of tags, wants `--seed`.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use fargateer_sim::{Registry, Simulation, Strict, Times};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::SimArgs;
use crate::commands::{run, specs};
use crate::{local, output};

/// Runs the command until it is interrupted.
pub(crate) async fn run(args: SimArgs) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(&args.listen).await.with_context(|| format!("cannot serve on {}", args.listen))?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let simulation = Simulation::new(fargateer_sim::Settings {
        epoch: std::time::SystemTime::from(jiff::Timestamp::now()),
        throttle: true,
        lenient: true,
        strict: Strict { images: false, log_groups: false },
        speed: args.speed,
        times: Times::brisk(),
        // In creation when made, and there when next looked at: not everybody waits.
        table_delay: Duration::from_millis(1),
        // As the specification of the protocol has it: an image client of any make shall be content.
        registry: Registry { breaks_chunks: false, endpoint: Some(endpoint.clone()), ..Registry::default() },
        ..fargateer_sim::Settings::default()
    });
    let mut seen = BTreeSet::new();
    if !args.seed.is_empty() {
        for agent in specs::read_good(&args.seed).await? {
            local::seed(&simulation, &agent, &mut seen);
        }
    }
    // The one line of data: scripts read it to learn the port.
    output::data(&endpoint)?;
    let stop = CancellationToken::new();
    run::stop_on_signal(stop.clone())?;
    simulation.serve(listener, async move { stop.cancelled().await }).await?;
    Ok(ExitCode::SUCCESS)
}
