//! `fargateer import`: the spec of a live service that somebody else made. It proves itself: what is printed is read again
//! and planned against the service, and that plan must be empty, the ownership tags apart.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use fargateer_api::{brief, visible_lines, yaml};
use fargateer_aws::Aws;
use fargateer_controller::port::Cloud as _;
use fargateer_plan::adopt::{self, Standing};
use fargateer_plan::desired::Place;
use fargateer_plan::import::{self, Found, Imported, Unsaid};
use fargateer_plan::observed::{Look, Observed};
use fargateer_plan::seen::Seen;
use fargateer_plan::{scaling, service, tags};

use crate::cli::ImportArgs;
use crate::commands::survey::{self, Surveyed, gate_words};
use crate::config;
use crate::output::{self, hinted};
use crate::wire::cloud_settings;

/// Runs the command: exit code 1 when the spec does not say all of the service, 2 when it is not to be taken over.
pub(crate) async fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let config = config::aws().await;
    let fallback = config.region().map_or(fargateer_api::default::REGION, |region| region.as_ref()).to_owned();
    let target = Target::parse(&args.service, args.region.as_deref(), &fallback)?;
    let aws = Aws::new(config, &cloud_settings(&args.cloud));
    let observed = read(&aws, &target).await?;
    let live = observed.service.present().ok_or_else(|| missing(&target))?;
    let imported = imported(&target, live, &observed, &args.cloud.owner)?;
    let text = visible_lines(&yaml::print_value(&brief(&imported.agent)));
    let (proof, unsaid) = prove(&aws, &imported, &text, &args.cloud.owner).await?;
    let written = format!("{}{text}", comments(&target, &unsaid));
    match &args.output {
        Some(file) => save(file, &written)?,
        None => drop(output::data(&written)?),
    }
    if live.tags().get(tags::OWNER) == Some(&args.cloud.owner) {
        output::note(&format!("{} is ours already: some source has its spec", target.shown()));
    }
    tell(&target, &imported, &proof, &unsaid);
    Ok(ExitCode::from(u8::from(!unsaid.is_empty())))
}

/// Which service.
struct Target {
    region: String,
    cluster: String,
    service: String,
}

impl Target {
    /// `CLUSTER/SERVICE`, or the service's ARN, whose region counts where none is given.
    fn parse(text: &str, region: Option<&str>, fallback: &str) -> anyhow::Result<Self> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let (of_arn, path) = match parts.as_slice() {
            ["arn", _, "ecs", region, _, path] => (Some(*region), path.strip_prefix("service/").unwrap_or_default()),
            _ => (None, text),
        };
        let region = region.or(of_arn).unwrap_or(fallback).to_owned();
        match path.split('/').collect::<Vec<_>>().as_slice() {
            [cluster, service] if !cluster.is_empty() && !service.is_empty() => {
                Ok(Self { region, cluster: (*cluster).to_owned(), service: (*service).to_owned() })
            }
            _ => Err(hinted(format!("{text} names no service"), "as in `fargateer import agents/support-bot`")),
        }
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.cluster, self.service)
    }
}

/// Everything of the service that a spec speaks of.
async fn read(aws: &Aws, target: &Target) -> anyhow::Result<Observed> {
    let place = Place { region: target.region.clone(), ..Place::default() };
    let mut observed = Observed::default();
    let Target { cluster, service, .. } = target;
    let look = Look::Service { cluster: cluster.clone(), service: service.clone() };
    aws.look(&place, &[look]).await.into_iter().for_each(|finding| observed.note(finding));
    let Some(live) = observed.active_service().cloned() else { return seen(observed) };
    let resource = scaling::resource_id(cluster, service);
    let looks = [Look::Revision(live.text("taskDefinition").to_owned()), Look::Scaling { resource, scheduled: true }];
    aws.look(&place, &looks).await.into_iter().for_each(|finding| observed.note(finding));
    let group = observed.revision.present().and_then(|revision| import::log_group_name(&live, revision));
    for finding in aws.look(&place, &group.map(Look::LogGroup).into_iter().collect::<Vec<_>>()).await {
        observed.note(finding);
    }
    seen(observed)
}

/// `observed`, unless something of it could not be read: that is not the same as nothing.
fn seen(observed: Observed) -> anyhow::Result<Observed> {
    match observed.gap() {
        Some(failure) => Err(survey::refused(failure)),
        None => Ok(observed),
    }
}

fn imported(target: &Target, live: &service::Live, observed: &Observed, owner: &str) -> anyhow::Result<Imported> {
    let agent = live.tags().get(tags::AGENT).cloned().unwrap_or_default();
    if let Standing::Refused { problem, remedy } = adopt::standing(live, owner, &agent) {
        return Err(hinted(problem, remedy));
    }
    let (Some(service), Some(revision)) = (observed.active_service(), observed.revision.present()) else {
        return Err(missing(target));
    };
    let found = Found {
        region: &target.region,
        service,
        revision,
        scaling: observed.scaling.present(),
        log_group: observed.log_group.present(),
    };
    import::spec(&found)
        .map_err(|why| hinted(format!("{} cannot be a spec: {why}", target.shown()), "see examples/full.yaml"))
}

/// Reads what is about to be written and plans it: the pass, and everything that keeps its plan from being empty.
async fn prove(aws: &Aws, imported: &Imported, text: &str, owner: &str) -> anyhow::Result<(Surveyed, Vec<Unsaid>)> {
    let parsed = yaml::parse("", text);
    let mut unsaid = imported.unsaid.clone();
    unsaid.extend(parsed.faults.iter().map(|fault| Unsaid { field: fault.path.clone(), why: fault.problem.clone() }));
    let agent = parsed.agents.into_iter().next().map_or_else(|| imported.agent.clone(), |located| located.agent);
    let proof = survey::adopted(aws, agent, owner).await?;
    let plan = &proof.pass.plan;
    if let Some(failure) = plan.unknown() {
        return Err(survey::refused(failure));
    }
    unsaid.extend(plan.gate.iter().map(|gate| Unsaid { field: "/".to_owned(), why: gate_words(gate) }));
    unsaid.extend(plan.differences.iter().map(|difference| {
        let (have, want, effect) = (&difference.have, &difference.want, difference.effect.words());
        let why = format!("the plan would change {have} to {want} ({effect})");
        Unsaid { field: difference.field.clone(), why }
    }));
    let actions = adopt::beyond_tags(plan).into_iter();
    unsaid.extend(actions.map(|action| Unsaid { field: "plan".to_owned(), why: format!("{action} would be called") }));
    Ok((proof, unsaid))
}

/// What stands at the head of the spec.
fn comments(target: &Target, unsaid: &[Unsaid]) -> String {
    let mut head = format!("# Imported from {} in {}.\n", target.shown(), target.region);
    if !unsaid.is_empty() {
        head.push_str("# This spec does not say all of it:\n");
    }
    for Unsaid { field, why } in unsaid {
        let _ = writeln!(head, "# - {}: {}", fargateer_api::visible(field), fargateer_api::visible(why));
    }
    visible_lines(&head)
}

/// Only for its owner: there may be secrets in it.
fn save(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(file);
    let mut file = opened.with_context(|| format!("{} cannot be written", file.display()))?;
    file.write_all(text.as_bytes()).context("the spec is not written whole")
}

fn tell(target: &Target, imported: &Imported, proof: &Surveyed, unsaid: &[Unsaid]) {
    let (name, service) = (&proof.agent.metadata.name, target.shown());
    for variable in &imported.secretive {
        output::note(&format!(
            "warning: the variable {variable} looks like a secret and stands in the spec with its value; keep it in Secrets Manager or Parameter Store and name it in `secrets`"
        ));
    }
    if !imported.agent.spec.image.pin {
        output::note(
            "the image stays named by its tag (`pin: false`); without that line Fargateer resolves it to a digest: a new revision, tasks restart",
        );
    }
    if !unsaid.is_empty() {
        output::note(&format!("{name}: the spec does not say all of {service}:"));
        for Unsaid { field, why } in unsaid {
            output::note(&format!("  {field}: {why}"));
        }
        return;
    }
    let owned = match &proof.pass.observed.service {
        Seen::Present(live) => live.tags(),
        Seen::NotLooked | Seen::Absent | Seen::Unknown(_) => tags::Tags::new(),
    };
    let pair = [tags::OWNER, tags::AGENT].map(|key| format!("{key}={}", owned.get(key).cloned().unwrap_or_default()));
    output::note(&format!(
        "{name}: proven, the plan of this spec against {service} is empty; `fargateer adopt` puts {} on the service, and the daemon takes it over",
        pair.join(" and ")
    ));
}

fn missing(target: &Target) -> anyhow::Error {
    let problem = format!("no active service {} in {}", target.shown(), target.region);
    hinted(problem, "the region can be named with --region")
}
