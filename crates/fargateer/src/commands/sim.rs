//! `fargateer sim`: the simulated AWS alone, for tests and for trying things out with any AWS CLI.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Context as _;
use fargateer_sim::Simulation;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::SimArgs;
use crate::commands::{run, specs};
use crate::{local, output};

/// Runs the command until it is interrupted.
pub(crate) async fn run(args: SimArgs) -> anyhow::Result<ExitCode> {
    let simulation = Simulation::new(fargateer_sim::Settings {
        epoch: std::time::SystemTime::from(jiff::Timestamp::now()),
        throttle: true,
        speed: args.speed,
        ..fargateer_sim::Settings::default()
    });
    let mut seen = BTreeSet::new();
    if !args.seed.is_empty() {
        for agent in specs::read_good(&args.seed).await? {
            local::seed(&simulation, &agent, &mut seen);
        }
    }
    let listener = TcpListener::bind(&args.listen).await.with_context(|| format!("cannot serve on {}", args.listen))?;
    // The one line of data: scripts read it to learn the port.
    output::data(&format!("http://{}", listener.local_addr()?))?;
    let stop = CancellationToken::new();
    run::stop_on_signal(stop.clone())?;
    simulation.serve(listener, async move { stop.cancelled().await }).await?;
    Ok(ExitCode::SUCCESS)
}
