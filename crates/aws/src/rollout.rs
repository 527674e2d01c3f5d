//! How the last service deployments ended: what ECS gave up is held, never tried again by itself.

use fargateer_plan::failure::Failure;
use fargateer_plan::rollout::Verdict;
use fargateer_plan::seen::Seen;
use serde_json::{Value, json};

use crate::caller::{Caller, Operation, items, text};
use crate::quota::Group;

/// What this file calls.
pub(crate) const PERMISSIONS: &[&str] =
    &["ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions", "ecs:ListServiceDeployments"];

const LIST: Operation = Operation::new("ecs.ListServiceDeployments", Group::ServiceDeployment);
const DESCRIBE: Operation = Operation::new("ecs.DescribeServiceDeployments", Group::ServiceDeployment);
const REVISIONS: Operation = Operation::new("ecs.DescribeServiceRevisions", Group::ServiceDeployment);

/// How many deployments are looked back at; 20 ARNs fit one DescribeServiceDeployments.
const LOOK_BACK: u32 = 20;

/// The verdicts on the last deployments of a service, newest first.
pub(crate) async fn observe(caller: &Caller<'_>, cluster: &str, service: &str) -> Seen<Vec<Verdict>> {
    match verdicts(caller, cluster, service).await {
        Ok(verdicts) => Seen::Present(verdicts),
        // Regions and emulators without this API have no verdicts to tell.
        Err(failure) if is_unsupported(&failure) => Seen::Present(Vec::new()),
        Err(failure) => Seen::Unknown(failure),
    }
}

async fn verdicts(caller: &Caller<'_>, cluster: &str, service: &str) -> Result<Vec<Verdict>, Failure> {
    let ecs = &caller.clients.ecs;
    let request = json!({"cluster": cluster, "service": service, "maxResults": LOOK_BACK});
    let send = |exchange| ecs.list_service_deployments().customize().interceptor(exchange).send();
    let listed = caller.json(LIST, &request, send).await?;
    let arns: Vec<&str> =
        items(&listed, "serviceDeployments").iter().map(|brief| text(brief, "serviceDeploymentArn")).collect();
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let request = json!({"serviceDeploymentArns": arns});
    let send = |exchange| ecs.describe_service_deployments().customize().interceptor(exchange).send();
    let described = caller.json(DESCRIBE, &request, send).await?;
    let mut deployments: Vec<&Value> = items(&described, "serviceDeployments").iter().collect();
    let created = |deployment: &&Value| deployment.get("createdAt").and_then(Value::as_f64).unwrap_or_default();
    deployments.sort_by(|left, right| created(right).total_cmp(&created(left)));
    let mut targets: Vec<&str> = deployments.iter().filter_map(|deployment| target(deployment)).collect();
    targets.sort_unstable();
    targets.dedup();
    let request = json!({"serviceRevisionArns": targets});
    let send = |exchange| ecs.describe_service_revisions().customize().interceptor(exchange).send();
    let revisions = caller.json(REVISIONS, &request, send).await?;
    Ok(deployments
        .into_iter()
        .filter_map(|deployment| verdict(deployment, items(&revisions, "serviceRevisions")))
        .collect())
}

fn verdict(deployment: &Value, revisions: &[Value]) -> Option<Verdict> {
    let target = target(deployment)?;
    let revision = revisions.iter().find(|revision| text(revision, "serviceRevisionArn") == target)?;
    Some(Verdict {
        arn: text(deployment, "serviceDeploymentArn").to_owned(),
        task_definition: text(revision, "taskDefinition").to_owned(),
        status: text(deployment, "status").to_owned(),
        reason: text(deployment, "statusReason").to_owned(),
    })
}

fn target(deployment: &Value) -> Option<&str> {
    deployment.get("targetServiceRevision")?.get("arn")?.as_str()
}

fn is_unsupported(failure: &Failure) -> bool {
    ["UnknownOperationException", "UnsupportedFeatureException", "InvalidAction", "UnknownOperation", "NotImplemented"]
        .contains(&failure.code.as_str())
}
