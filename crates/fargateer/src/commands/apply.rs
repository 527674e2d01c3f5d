//! `fargateer apply`: one shot - plan, ask, converge, wait. Nothing that is not in the given specs is touched.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fargateer_controller::Settings;
use fargateer_controller::port::Source;
use fargateer_plan::prune::Policy;
use tokio_util::sync::CancellationToken;

use crate::cli::{ApplyArgs, Format, PlanArgs, PlanFormat};
use crate::commands::{plan, rows, run, survey};
use crate::output::{self, hinted};
use crate::progress::Progress;
use crate::wire::{self, ImageParts, Machine, Partial, Parts};
use crate::{config, policy};

/// Runs the command.
pub(crate) async fn run(args: ApplyArgs, json_logs: bool) -> anyhow::Result<ExitCode> {
    if let Some(to) = &args.to {
        return rows::apply(&args, to).await;
    }
    if !args.yes {
        let paths = args.paths.iter().map(PathBuf::from).collect();
        let (cloud, policy) = (args.cloud.clone(), args.policy.clone());
        let plan = PlanArgs { paths, format: PlanFormat::Text, cloud, policy };
        let surveyed = survey::run(&plan).await?;
        output::note(&plan::text(&surveyed));
        for line in survey::identities(&surveyed, &args.cloud).await {
            output::note(&line);
        }
        if !confirmed("apply")? {
            output::note("nothing was changed");
            return Ok(ExitCode::from(1));
        }
    }
    let stop = CancellationToken::new();
    run::stop_on_signal(stop.clone())?;
    let machine = Machine::build(parts(&args).await).await?;
    policy::rule(&machine.controller, &args.policy, stop.clone())?;
    let sources = sources(&args)?;
    let progress =
        Progress::start(Arc::clone(&machine.controller), json_logs || args.output != Format::Text, stop.clone());
    let running = tokio::spawn(Arc::clone(&machine.controller).run(sources, stop.clone()));
    let settled = run::until_settled(&machine, args.timeout, &stop).await;
    stop.cancel();
    running.await.context("the controller ended unexpectedly")?;
    progress.finish().await;
    run::show(&machine, args.output)?;
    Ok(ExitCode::from(if settled { run::verdict(&machine) } else { 1 }))
}

/// Whether a person says yes to what `command` just said it would do.
pub(super) fn confirmed(command: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        let problem = format!("{command} asks before it changes anything, and nobody is there to answer");
        return Err(hinted(problem, "add -y to go ahead"));
    }
    output::note("Do this? Only `yes` goes on.");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("no answer")?;
    Ok(line.trim() == "yes")
}

async fn parts(args: &ApplyArgs) -> Parts {
    Parts {
        config: config::aws().await,
        aws: wire::cloud_settings(&args.cloud),
        owner: args.cloud.owner.clone(),
        state: None,
        policy: Policy::default(),
        settings: Settings { drain: Duration::from_secs(10), ..Settings::default() },
        sources: args.paths.len(),
        tables: Vec::new(),
        images: ImageParts {
            folders: args.paths.iter().map(std::path::PathBuf::from).collect(),
            cache: config::image_cache(),
            ..ImageParts::default()
        },
    }
}

fn sources(args: &ApplyArgs) -> anyhow::Result<Vec<Box<dyn Source>>> {
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    for path in &args.paths {
        super::specs::exists(std::path::Path::new(path))?;
        sources.push(Box::new(Partial(wire::source(path, Duration::from_hours(1))?)));
    }
    Ok(sources)
}
