//! `fargateer render`: the exact AWS requests a spec means, offline, in the order in which they would be made.
//!
//! They come from the same planner the daemon uses, looking at an account in which nothing exists yet.

use std::collections::BTreeMap;
use std::process::ExitCode;

use fargateer_api::AgentDeployment;
use fargateer_api::status::SourceStatus;
use fargateer_plan::action::Action;
use fargateer_plan::build::{self, Work};
use fargateer_plan::desired::{Circumstances, Desired, Obstacle, Spec};
use fargateer_plan::observed::Observed;
use fargateer_plan::repository;
use fargateer_plan::seen::Seen;
use fargateer_plan::{target_group, waves};
use serde_json::{Value, json};

use crate::cli::RenderArgs;
use crate::commands::specs;
use crate::output;

/// Runs the command.
pub(crate) fn run(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let agents = runtime.block_on(specs::read_good(&args.paths))?;
    let items: Vec<Value> = agents.iter().map(|agent| rendered(agent, &args.owner)).collect();
    let document = json!({"apiVersion": "fargateer/v1", "kind": "RenderedList", "items": items});
    output::document(&document, args.output)
}

fn rendered(agent: &AgentDeployment, owner: &str) -> Value {
    let spec = Spec::Present {
        agent: fargateer_plan::prepared::Prepared::shared(agent.clone()),
        source: SourceStatus::default(),
        faults: Vec::new(),
        obstacle: Obstacle::Wording,
    };
    let mut desired = Desired::of(spec, Circumstances { owner: owner.to_owned(), ..Circumstances::default() });
    if let Desired::Present(wanted) = &mut desired {
        // Offline the tag stays as it is written: the digest is ECR's to say.
        wanted.image.ecr = None;
    }
    let nothing = nothing_yet(agent);
    let mut waves = waves::plan(&desired, &nothing).waves;
    if agent.spec.image.build.is_some() {
        waves.extend(waves::plan(&desired, &built(agent, nothing)).waves);
    }
    let requests: Vec<Value> = waves.iter().flat_map(|wave| wave.actions.iter().map(request)).collect();
    json!({"name": agent.metadata.name, "region": agent.spec.region, "requests": requests})
}

/// An account in which the agent's image and load balancer exist, and nothing that Fargateer makes.
fn nothing_yet(agent: &AgentDeployment) -> Observed {
    let arn = agent.spec.load_balancer.as_ref().and_then(|balancer| balancer.target_group_arn.clone());
    let group = target_group::Live { arn: arn.unwrap_or_default(), ..target_group::Live::default() };
    Observed {
        service: Seen::Absent,
        log_group: Seen::Absent,
        scaling: Seen::Absent,
        revisions: Seen::Present(Vec::new()),
        target_group: Seen::Present(group),
        repository: Seen::Absent,
        build: Seen::Present(build::Live { work: Work::Missing, ..image() }),
        ..Observed::default()
    }
}

/// The same once the image is built. Whose registry that is, and which digest, nobody can say offline.
fn built(agent: &AgentDeployment, nothing: Observed) -> Observed {
    let uri =
        format!("<account>.dkr.ecr.{}.amazonaws.com/{}", agent.spec.region, agent.repository().unwrap_or_default());
    let (arn, mutability, tags) = (String::new(), String::new(), BTreeMap::new());
    let repository = repository::Live { arn, uri, mutability, scans: true, has_lifecycle: true, tags };
    Observed { repository: Seen::Present(repository), build: Seen::Present(image()), ..nothing }
}

fn image() -> build::Live {
    let work = Work::Done("<digest of the image>".to_owned());
    build::Live { tag: String::new(), base_digest: String::new(), runtime: String::new(), code: None, work }
}

fn request(action: &Action) -> Value {
    let input = match action {
        Action::Repository(change) => json!(change),
        Action::Image(change) => json!(change),
        Action::LogGroup(change) => json!(change),
        Action::TaskDefinition(change) => json!(change),
        Action::Service(change) => json!(change),
        Action::Scaling(change) => json!(change),
    };
    // Each change serialises as {"kind of change": its request}.
    let input = input.as_object().and_then(|fields| fields.values().next().cloned()).unwrap_or(input);
    json!({"operation": action.operation(), "input": input})
}
