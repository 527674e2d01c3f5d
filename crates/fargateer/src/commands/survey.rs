//! What `plan` and `diff` share: every agent is looked at, nothing is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fargateer_api::status::SourceStatus;
use fargateer_api::{AgentDeployment, Key, Reason};
use fargateer_aws::Aws;
use fargateer_controller::port::{Clock as _, Cloud as _};
use fargateer_controller::reconcile;
use fargateer_plan::adopt;
use fargateer_plan::desired::{Circumstances, Desired, Obstacle, Place, Spec};
use fargateer_plan::failure::Failure;
use fargateer_plan::guard::Gate;
use fargateer_plan::pass::{Pass, Step};
use fargateer_plan::policy::{Policy, Standing};
use fargateer_plan::rollout::Rollout;
use futures::future::join_all;

use crate::cli::{CloudArgs, PlanArgs};
use crate::commands::specs;
use crate::hands::Hands;
use crate::output::hinted;
use crate::wire::{ImageParts, WallClock, cloud_settings, works};
use crate::{config, policy};

/// One agent, looked at.
pub(crate) struct Surveyed {
    /// Its spec.
    pub(crate) agent: AgentDeployment,
    /// The pass, with its plan.
    pub(crate) pass: Pass,
    /// Those its change waits for, each with the reason.
    pub(crate) waits: Vec<Wait>,
}

/// An agent that another one's change waits for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Wait {
    /// Its name.
    pub(crate) agent: String,
    /// Why it is not Ready, as far as this plan knows.
    pub(crate) why: String,
}

/// Looks at every agent under the paths of `args`. When AWS cannot be asked at all, that is an error.
pub(crate) async fn run(args: &PlanArgs) -> anyhow::Result<Vec<Surveyed>> {
    let policy = policy::open(&args.policy)?;
    let specs = specs::read_sound(&args.paths).await?;
    let aws = Arc::new(Aws::new(config::aws().await, &cloud_settings(&args.cloud)));
    let images = ImageParts { folders: args.paths.clone(), cache: config::image_cache(), ..ImageParts::default() };
    let hands = Hands { images: works(&aws, images, Arc::default()), aws };
    let place_of = |agent: &AgentDeployment| specs.places.get(&agent.metadata.name).cloned().unwrap_or_default();
    let graph = specs::graph(&specs.agents);
    let looks: Vec<_> = specs
        .agents
        .iter()
        .map(|agent| {
            let mut pass = pass(agent, &args.cloud.owner, policy.as_ref());
            if let Desired::Present(wanted) = &mut pass.desired {
                wanted.circumstances.source.location = place_of(agent);
                wanted.circumstances.cycle = graph.cycle(&agent.key()).to_vec();
            }
            look(&hands, agent.clone(), pass)
        })
        .collect();
    let mut surveyed: Vec<Surveyed> = join_all(looks).await.into_iter().collect::<Result<_, _>>()?;
    note_waits(&mut surveyed);
    let failures: Vec<&Failure> = surveyed.iter().filter_map(|one| one.pass.plan.unknown()).collect();
    match failures.first() {
        Some(failure) if failures.len() == surveyed.len() => Err(refused(failure)),
        Some(_) | None => Ok(surveyed),
    }
}

/// As whom the changes would be made, a line for each place.
pub(crate) async fn identities(surveyed: &[Surveyed], cloud: &CloudArgs) -> Vec<String> {
    let aws = Aws::new(config::aws().await, &cloud_settings(cloud));
    let places: BTreeSet<Place> = surveyed.iter().map(|one| one.pass.place()).collect();
    let mut lines = Vec::new();
    for place in places {
        let region = &place.region;
        lines.push(match aws.identity(&place).await {
            Ok((account, arn)) => format!("in account {account}, {region}, as {arn}"),
            Err(failure) => format!("in {region}, as nobody knows whom: {failure}"),
        });
    }
    lines
}

/// What helps against failures that stop a whole command.
const HINTS: &[(Reason, &str)] = &[
    (
        Reason::NoCredentials,
        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or try `fargateer run --local`",
    ),
    (Reason::AccessDenied, "`fargateer iam-policy` prints the permissions Fargateer needs"),
    (Reason::ClusterNotFound, "spec.cluster names an existing ECS cluster in spec.region"),
    (Reason::Unavailable, "check the network, spec.region and AWS_ENDPOINT_URL"),
];

/// An error that stops the whole command, with what would help.
pub(crate) fn refused(failure: &Failure) -> anyhow::Error {
    let hint = HINTS.iter().find(|(reason, _)| *reason == failure.reason);
    hinted(failure.to_string(), hint.map_or("the AWS error above says what is wrong", |(_, hint)| hint))
}

async fn look(cloud: &Hands, agent: AgentDeployment, mut pass: Pass) -> Result<Surveyed, Failure> {
    reconcile::survey(cloud, &mut pass).await?;
    Ok(Surveyed { agent, pass, waits: Vec::new() })
}

/// Notes of every agent that changes whom that waits for. What the others wait for is their own business.
fn note_waits(surveyed: &mut [Surveyed]) {
    let unready: BTreeMap<Key, Option<String>> = surveyed.iter().map(|one| (one.agent.key(), unready(one))).collect();
    for one in surveyed.iter_mut().filter(|one| !one.pass.plan.waves.is_empty()) {
        let others = one.agent.spec.depends_on.iter();
        let waits = others.filter_map(|name| {
            let unknown = || Some("it is not among these specs, so it may be Ready or not".to_owned());
            let why = unready.get(&Key::new(name)).cloned().unwrap_or_else(unknown)?;
            Some(Wait { agent: name.clone(), why })
        });
        one.waits = waits.collect();
    }
}

/// Why an agent is not Ready with its newest spec, if that is so.
fn unready(one: &Surveyed) -> Option<String> {
    let plan = &one.pass.plan;
    match (&plan.gate, &plan.rollout) {
        (Some(Gate::Suspended(_)) | None, _) if !plan.waves.is_empty() => Some("it changes, too".to_owned()),
        (Some(Gate::Suspended(_)) | None, Some(Rollout::Done)) => None,
        (Some(Gate::Suspended(_)) | None, Some(Rollout::Moving { message, .. } | Rollout::Failed { message, .. })) => {
            Some(message.clone())
        }
        (Some(Gate::Suspended(_)) | None, None) => Some("it does not run".to_owned()),
        (Some(gate), _) => Some(gate_words(gate)),
    }
}

/// Looks at `agent` as if its service carried our ownership tags already.
pub(crate) async fn adopted(aws: &Aws, agent: AgentDeployment, owner: &str) -> Result<Surveyed, Failure> {
    let mut pass = pass(&agent, owner, None);
    let place = pass.place();
    while let Step::Look(looks) = pass.decide()? {
        let found = aws.look(&place, &looks).await.into_iter();
        pass.see(found.map(|finding| adopt::pretend(finding, owner, &agent.metadata.name)).collect());
    }
    Ok(Surveyed { agent, pass, waits: Vec::new() })
}

/// Where the calls about `agent` go.
pub(crate) fn place(agent: &AgentDeployment) -> Place {
    pass(agent, "", None).place()
}

fn pass(agent: &AgentDeployment, owner: &str, policy: Option<&Policy>) -> Pass {
    let key = Key::new(&agent.metadata.name);
    let spec = Spec::Present {
        agent: fargateer_plan::prepared::Prepared::shared(agent.clone()),
        source: SourceStatus::default(),
        faults: Vec::new(),
        obstacle: Obstacle::Wording,
    };
    let (project, now) = (&agent.metadata.project, WallClock.now());
    let circumstances = Circumstances {
        owner: owner.to_owned(),
        breaches: policy.map(|policy| policy.breaches(agent, Standing::default())).unwrap_or_default(),
        frozen: policy.and_then(|policy| policy.frozen(project, now)),
        now,
        ..Circumstances::default()
    };
    Pass::toward(key, spec, circumstances)
}

/// Why nothing would be done, in a sentence.
pub(crate) fn gate_words(gate: &Gate) -> String {
    match gate {
        Gate::Unclear(_, message)
        | Gate::Suspended(message)
        | Gate::Rejected(message)
        | Gate::Dependency(_, message)
        | Gate::Frozen(_, message)
        | Gate::Turn(_, message)
        | Gate::ImageNotFound(message)
        | Gate::Building(message)
        | Gate::TargetGroupNotFound(message)
        | Gate::NotOurs(_, message)
        | Gate::Draining(message)
        | Gate::RolledBack(message)
        | Gate::Kept(_, message) => message.clone(),
        Gate::Unknown(failure) | Gate::NotBuilt(failure) => failure.to_string(),
        Gate::DriftLeftAlone => "drift is left alone (spec.drift.mode)".to_owned(),
    }
}
