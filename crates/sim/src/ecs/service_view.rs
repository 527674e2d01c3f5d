//! Services as DescribeServices and ListServices show them.
//!
//! A draining service vanishes from the list but not from the description; an unknown name is a failure, not an error.

use super::task_view::platform;
use super::{cluster, event, service, service_rules};
use crate::arn;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::{Deployment, Phase, Rollout, Service, ServiceStatus};
use crate::tag;
use serde_json::{Value, json};

/// DescribeServices: at most ten names or ARNs.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let cluster = cluster::named(region, input)?;
    let names = input.texts("services");
    if names.is_empty() {
        return Err(Refusal::invalid("Services cannot be empty."));
    }
    if names.len() > 10 {
        return Err(Refusal::invalid("Services cannot have more than 10 elements."));
    }
    let include = input.texts("include");
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let key = (cluster.clone(), arn::leaf(&name).to_owned());
        let service = region.ecs.services.get(&key);
        if service.is_some_and(|service| visible(region, service)) {
            services.push(one(region, &key, &include));
        } else {
            let arn = region.arn("ecs", &format!("service/{cluster}/{}", key.1));
            failures.push(json!({"arn": arn, "reason": "MISSING"}));
        }
    }
    Ok(json!({"services": services, "failures": failures}))
}

/// Reads are eventually consistent: a service just made may still be missing.
fn visible(region: &Region, service: &Service) -> bool {
    let young = region.now < service.created + region.settings.visibility;
    !service.name.is_empty() && !young && !service::expired(region, service)
}

/// ListServices: the active ones.
pub(super) fn list(region: &Region, input: &Value) -> Answer {
    let cluster = cluster::named(region, input)?;
    service_rules::word(input, "launchType", &["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"])?;
    service_rules::word(input, "schedulingStrategy", &["REPLICA", "DAEMON"])?;
    let services = region.ecs.services.values().filter(|service| {
        service.cluster == cluster && service.status == ServiceStatus::Active && !service.name.is_empty()
    });
    let arns: Vec<&String> = services
        .filter(|service| {
            let as_asked =
                |member: &str| input.text(member).is_none_or(|asked| service.config.text(member) == Some(asked));
            as_asked("launchType") && as_asked("schedulingStrategy") && as_asked("resourceManagementType")
        })
        .map(|service| &service.arn)
        .collect();
    let page = cluster::paged(arns, input, 10)?;
    Ok(json!({"serviceArns": page.items, "nextToken": page.next}))
}

/// ListServicesByNamespace: the active services whose Service Connect configuration names it, in any cluster.
pub(super) fn list_by_namespace(region: &Region, input: &Value) -> Answer {
    let wanted = arn::leaf(input.text("namespace").unwrap_or_default());
    if wanted.is_empty() {
        return Err(Refusal::invalid("The namespace can not be blank."));
    }
    let of = |service: &Service| {
        let connect = service.hidden.member("serviceConnectConfiguration")?;
        let own = connect.text("namespace").map(str::to_owned);
        own.or_else(|| {
            let cluster = region.ecs.clusters.get(&service.cluster)?;
            Some(cluster.extras.member("serviceConnectDefaults")?.text("namespace")?.to_owned())
        })
    };
    let services = region.ecs.services.values().filter(|service| service.status == ServiceStatus::Active);
    let arns: Vec<&String> = services
        .filter(|service| of(service).is_some_and(|namespace| arn::leaf(&namespace) == wanted))
        .map(|service| &service.arn)
        .collect();
    let page = cluster::paged(arns, input, 10)?;
    Ok(json!({"serviceArns": page.items, "nextToken": page.next}))
}

/// One service as it is described.
pub(super) fn one(region: &Region, key: &(String, String), include: &[String]) -> Value {
    let Some(service) = region.ecs.services.get(key) else {
        return Value::Null;
    };
    let mut body = service.config.clone();
    let cluster_arn = region.arn("ecs", &format!("cluster/{}", service.cluster));
    let counts = |test: &dyn Fn(Phase) -> bool| service.tasks.values().filter(|task| test(task.phase)).count();
    body.put("serviceArn", json!(service.arn));
    body.put("serviceName", json!(service.name));
    body.put("clusterArn", json!(cluster_arn));
    body.put("status", json!(status(service.status)));
    body.put("desiredCount", json!(service.desired));
    body.put("runningCount", json!(counts(&|phase| phase == Phase::Running)));
    body.put("pendingCount", json!(counts(&|phase| phase < Phase::Running)));
    body.put("createdAt", json!(region.stamp(service.created)));
    body.put("events", json!(event::shown(region, service)));
    let deployments = service.deployments.iter().enumerate();
    let deployments: Value = deployments.map(|(index, _)| deployment(region, service, index)).collect();
    body.put("deployments", deployments);
    if let Some(current) = service.history.last() {
        body.put("currentServiceDeployment", json!(current.arn));
    }
    let revisions: Value = service.deployments.iter().map(|deployment| revision(service, deployment)).collect();
    body.put("currentServiceRevisions", revisions);
    if include.iter().any(|included| included == "TAGS") {
        body.put("tags", tag::LOWER.write(&service.tags));
    }
    body
}

fn status(status: ServiceStatus) -> &'static str {
    match status {
        ServiceStatus::Active => "ACTIVE",
        ServiceStatus::Draining => "DRAINING",
        ServiceStatus::Inactive => "INACTIVE",
    }
}

fn revision(service: &Service, deployment: &Deployment) -> Value {
    let (running, pending) = counts(service, &deployment.id);
    json!({
        "arn": deployment.revision,
        "requestedTaskCount": running + pending,
        "runningTaskCount": running,
        "pendingTaskCount": pending,
    })
}

/// Running and pending tasks of a deployment.
pub(super) fn counts(service: &Service, deployment: &str) -> (usize, usize) {
    let tasks = || service.tasks.values().filter(|task| task.deployment == deployment);
    let running = tasks().filter(|task| task.phase == Phase::Running).count();
    let pending = tasks().filter(|task| task.phase < Phase::Running).count();
    (running, pending)
}

fn deployment(region: &Region, service: &Service, index: usize) -> Value {
    let Some(deployment) = service.deployments.get(index) else {
        return Value::Null;
    };
    let (running, pending) = counts(service, &deployment.id);
    let mut body = deployment.settings.clone();
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "loadBalancers" | "serviceRegistries"));
    }
    if let Some(version) = deployment.settings.text("platformVersion") {
        body.put("platformVersion", json!(platform(Some(version))));
    }
    body.put("id", json!(deployment.id));
    body.put("status", json!(if index == 0 { "PRIMARY" } else { "ACTIVE" }));
    body.put("taskDefinition", json!(deployment.task_definition));
    let desired = if index == 0 { service.desired as usize } else { running + pending };
    body.put("desiredCount", json!(desired));
    body.put("runningCount", json!(running));
    body.put("pendingCount", json!(pending));
    body.put("failedTasks", json!(deployment.failed));
    body.put("createdAt", json!(region.stamp(deployment.created)));
    body.put("updatedAt", json!(region.stamp(deployment.updated)));
    body.put("rolloutState", json!(rollout(deployment.rollout)));
    body.put("rolloutStateReason", json!(deployment.reason));
    body
}

fn rollout(rollout: Rollout) -> &'static str {
    match rollout {
        Rollout::InProgress => "IN_PROGRESS",
        Rollout::Completed => "COMPLETED",
        Rollout::Failed => "FAILED",
    }
}
