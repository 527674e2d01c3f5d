//! `fargateer adopt`: live services that specs describe get the ownership tags of their agents, and nothing else, so that
//! the daemon takes them over.

use std::path::PathBuf;
use std::process::ExitCode;

use fargateer_api::{AgentDeployment, Key};
use fargateer_aws::Aws;
use fargateer_controller::port::Cloud as _;
use fargateer_plan::action::Action;
use fargateer_plan::adopt::{self, Standing};
use fargateer_plan::desired::Place;
use fargateer_plan::guard::Gate;
use fargateer_plan::observed::{Look, Observed};

use crate::cli::AdoptArgs;
use crate::commands::survey::{self, Surveyed, gate_words};
use crate::commands::{apply, rows, specs};
use crate::config;
use crate::output::{self, hinted};
use crate::wire::cloud_settings;

/// Runs the command: exit code 2 when any of the services is not to be taken over; then none is.
pub(crate) async fn run(args: AdoptArgs) -> anyhow::Result<ExitCode> {
    let agents = match &args.from {
        Some(from) => rows::specs(from, &args.specs).await?,
        None => specs::read_good(&args.specs.iter().map(PathBuf::from).collect::<Vec<_>>()).await?,
    };
    let aws = Aws::new(config::aws().await, &cloud_settings(&args.cloud));
    let mut claims = Vec::new();
    for agent in agents {
        claims.extend(claim(&aws, agent, &args.cloud.owner).await?);
    }
    claims.iter().for_each(tell);
    if claims.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !apply::confirmed("adopt")? {
        output::note("nothing was changed");
        return Ok(ExitCode::from(1));
    }
    for claim in &claims {
        aws.act(&claim.place, &claim.action).await.map_err(|failure| survey::refused(&failure))?;
    }
    let names: Vec<&str> = claims.iter().map(|claim| claim.after.agent.metadata.name.as_str()).collect();
    output::note(&format!(
        "{} services adopted; the daemon that runs on their specs takes them over, one that refused them before within an hour or at once with `fargateer reconcile {}`",
        claims.len(),
        names.first().unwrap_or(&"NAME")
    ));
    Ok(ExitCode::SUCCESS)
}

/// A service that may be adopted.
struct Claim {
    place: Place,
    action: Action,
    /// The agent looked at as if that were done.
    after: Surveyed,
}

/// The claim of `agent` on its service; none where it is ours already.
async fn claim(aws: &Aws, agent: AgentDeployment, owner: &str) -> anyhow::Result<Option<Claim>> {
    let (name, shown) = (Key::new(&agent.metadata.name), format!("{}/{}", agent.cluster_name(), agent.service_name()));
    let place = survey::place(&agent);
    let look = Look::Service { cluster: agent.spec.cluster.clone(), service: agent.service_name().to_owned() };
    let mut observed = Observed::default();
    aws.look(&place, &[look]).await.into_iter().for_each(|finding| observed.note(finding));
    if let Some(failure) = observed.gap() {
        return Err(survey::refused(failure));
    }
    let Some(live) = observed.active_service() else {
        return Err(hinted(format!("{name}: no active service {shown}"), "`fargateer apply` makes it"));
    };
    match adopt::standing(live, owner, name.as_str()) {
        Standing::Ours => {
            output::note(&format!("{name}: {shown} is ours already"));
            Ok(None)
        }
        Standing::Refused { problem, remedy } => Err(hinted(format!("{name}: {problem}"), remedy)),
        Standing::Free => {
            let action = Action::Service(adopt::change(live, owner, name.as_str()));
            let after = survey::adopted(aws, agent, owner).await.map_err(|failure| survey::refused(&failure))?;
            Ok(Some(Claim { place, action, after }))
        }
    }
}

/// What will be done now, and what the daemon will do after it.
fn tell(claim: &Claim) {
    let (name, plan) = (&claim.after.agent.metadata.name, &claim.after.pass.plan);
    output::note(&format!("{name}: {}", claim.action));
    if let Some(Gate::NotBuilt(_)) = &plan.gate {
        return output::note(&format!(
            "{name}: after it the daemon builds the image, and then brings the service to the spec"
        ));
    }
    if let Some(gate) = &plan.gate {
        return output::note(&format!("{name}: after it the daemon does nothing: {}", gate_words(gate)));
    }
    let actions = adopt::beyond_tags(plan);
    if actions.is_empty() && plan.differences.is_empty() {
        let told = "nothing else differs from the spec; tags that say which wording is applied follow";
        return output::note(&format!("{name}: {told}"));
    }
    output::note(&format!("{name}: after it the daemon brings the service to the spec:"));
    for difference in &plan.differences {
        let (field, have, want) = (&difference.field, &difference.have, &difference.want);
        output::note(&format!("  ~ {field}: {have} -> {want} ({})", difference.effect.words()));
    }
    for action in actions {
        output::note(&format!("  + {action}"));
    }
}
