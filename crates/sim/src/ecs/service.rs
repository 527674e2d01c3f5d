//! Services: their beginning and their end. Changes in between are in `service_update`.

use super::{cluster, deployment, scheduler, service_input, service_rules, service_view, task_definition};
use crate::arn;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::{Service, ServiceStatus};
use crate::tag;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The key of the service a request means, whatever its state.
pub(super) fn key(region: &Region, input: &Value, member: &str) -> Result<(String, String), Refusal> {
    let cluster = cluster::named(region, input)?;
    let name = arn::leaf(input.text(member).unwrap_or_default()).to_owned();
    let key = (cluster, name);
    match region.ecs.services.get(&key) {
        Some(service) if !service.name.is_empty() && !expired(region, service) => Ok(key),
        Some(_) | None => Err(not_found()),
    }
}

fn not_found() -> Refusal {
    Refusal::new("ServiceNotFoundException", "Service not found.")
}

/// Whether an INACTIVE service is no longer remembered.
pub(super) fn expired(region: &Region, service: &Service) -> bool {
    service.inactive_since.is_some_and(|since| region.now > since + region.settings.times.inactive)
}

/// CreateService.
pub(super) fn create(region: &mut Region, input: &Value) -> Answer {
    let cluster = cluster::named(region, input)?;
    let name = input.text("serviceName").unwrap_or_default().to_owned();
    if !(1..=255).contains(&name.len()) || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(Refusal::invalid("Invalid service name."));
    }
    check_token(input)?;
    if let Some(answer) = existing(region, &cluster, &name, input) {
        return answer;
    }
    check_role(region)?;
    check_quota(region, &cluster)?;
    let service = build(region, &cluster, &name, input)?;
    let key = (cluster, name);
    region.ecs.services.insert(key.clone(), service);
    scheduler::with(region, &key, |region, service| {
        deployment::start(region, service);
        scheduler::pass(region, service);
    });
    Ok(json!({"service": service_view::one(region, &key, &["TAGS".to_owned()])}))
}

fn check_role(region: &mut Region) -> Result<(), Refusal> {
    let made = std::mem::replace(&mut region.ecs.role_made, true);
    if made || region.settings.service_linked_role {
        return Ok(());
    }
    let message = "Unable to assume the service linked role. Please verify that the ECS service linked role exists.";
    Err(Refusal::invalid(message))
}

/// Five thousand services a cluster, those that drain included.
fn check_quota(region: &Region, cluster: &str) -> Result<(), Refusal> {
    let services = region.ecs.services.values().filter(|service| service.cluster == cluster);
    if services.filter(|service| service.status != ServiceStatus::Inactive).count() < 5000 {
        return Ok(());
    }
    Err(Refusal::invalid("The maximum number of services for the cluster has been reached."))
}

fn check_token(input: &Value) -> Result<(), Refusal> {
    let valid = |token: &str| token.len() <= 36 && token.chars().all(|c| c.is_ascii_graphic());
    if input.text("clientToken").is_none_or(valid) {
        return Ok(());
    }
    let message = "clientToken must be at most 36 ASCII characters in the range of 33-126.";
    Err(Refusal::invalid(message))
}

/// What is answered when the name is taken: the same service for the same request, a refusal otherwise.
fn existing(region: &Region, cluster: &str, name: &str, input: &Value) -> Option<Answer> {
    let key = (cluster.to_owned(), name.to_owned());
    let service = region.ecs.services.get(&key)?;
    match service.status {
        ServiceStatus::Inactive => None,
        ServiceStatus::Draining => Some(Err(Refusal::invalid("Unable to Start a service that is still Draining."))),
        ServiceStatus::Active if same_request(&service.request, input) => {
            Some(Ok(json!({"service": service_view::one(region, &key, &["TAGS".to_owned()])})))
        }
        ServiceStatus::Active => Some(Err(Refusal::invalid("Creation of service was not idempotent."))),
    }
}

fn same_request(before: &Value, now: &Value) -> bool {
    let tokens = before.text("clientToken").zip(now.text("clientToken"));
    let stripped = |request: &Value| {
        let mut request = request.clone();
        request.as_object_mut().map(|members| members.remove("clientToken"));
        request
    };
    tokens.is_none_or(|(before, now)| before == now) && stripped(before) == stripped(now)
}

fn build(region: &mut Region, cluster: &str, name: &str, input: &Value) -> Result<Service, Refusal> {
    service_rules::word(input, "schedulingStrategy", &["REPLICA", "DAEMON"])?;
    if input.text("schedulingStrategy") == Some("DAEMON") {
        return Err(Refusal::invalid("The daemon scheduling strategy is not supported on Fargate."));
    }
    let external = input.get("deploymentController").and_then(|controller| controller.text("type")) == Some("EXTERNAL");
    if external {
        return Err(Refusal::new(
            "UnsupportedFeatureException",
            "The EXTERNAL deployment controller is not simulated.",
        ));
    }
    let count = input.whole("desiredCount").ok_or_else(|| Refusal::invalid("The desired count is required."))?;
    let desired = service_rules::desired_count(count)?;
    let strategy = input.items("capacityProviderStrategy").is_some_and(|items| !items.is_empty());
    if strategy && input.member("launchType").is_some() {
        return Err(Refusal::invalid("Specify either Launch Type or Capacity Provider Strategy, but not both."));
    }
    let named = input.text("taskDefinition").filter(|name| !name.is_empty());
    let named = named.ok_or_else(|| Refusal::invalid("TaskDefinition can not be blank."))?;
    let definition = task_definition::usable(region, named)?;
    let definition_arn = definition.body.text("taskDefinitionArn").unwrap_or_default();
    let config = service_input::settings(region, cluster, input, definition_arn);
    if input.member("role").is_some() && definition.body.text("networkMode") == Some("awsvpc") {
        return Err(Refusal::invalid(
            "You cannot specify an IAM role for services that require a service linked role.",
        ));
    }
    service_rules::check(region, cluster, &config, &definition, input)?;
    let tags = tag::LOWER.read(input.items("tags"));
    tag::check(&tags, "InvalidParameterException")?;
    let arn = region.arn("ecs", &format!("service/{cluster}/{name}"));
    let mut service = empty(region.now, cluster, name);
    // Stopped tasks of an earlier service of the same name stay visible for their hour.
    let key = (cluster.to_owned(), name.to_owned());
    service.tasks = region.ecs.services.remove(&key).map(|before| before.tasks).unwrap_or_default();
    service.arn = arn;
    service.hidden = service_input::hidden(input);
    (service.config, service.desired, service.tags, service.request) = (config, desired, tags, input.clone());
    Ok(service)
}

/// A service with nothing in it.
pub(super) fn empty(now: Duration, cluster: &str, name: &str) -> Service {
    Service {
        cluster: cluster.to_owned(),
        name: name.to_owned(),
        arn: String::new(),
        status: ServiceStatus::Active,
        config: json!({}),
        hidden: json!({}),
        desired: 0,
        deployments: Vec::new(),
        completed: None,
        tasks: BTreeMap::new(),
        events: VecDeque::new(),
        tags: BTreeMap::new(),
        created: now,
        inactive_since: None,
        request: Value::Null,
        steady: false,
        history: Vec::new(),
        revisions: Vec::new(),
        failures: 0,
        launch_after: now,
    }
}

/// DeleteService: drains, and takes the scalable target along.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let key = key(region, input, "service")?;
    let service = region.ecs.services.get(&key).ok_or_else(not_found)?;
    if service.status == ServiceStatus::Inactive {
        return Err(not_found());
    }
    let force = input.flag("force").unwrap_or(false);
    if service.status == ServiceStatus::Active && service.desired > 0 && !force {
        return Err(Refusal::invalid("The service cannot be stopped while it is scaled above 0."));
    }
    region.scaling.targets.remove(&format!("service/{}/{}", key.0, key.1));
    scheduler::with(region, &key, |region, service| {
        if service.status == ServiceStatus::Active {
            service.status = ServiceStatus::Draining;
            service.desired = 0;
        }
        scheduler::pass(region, service);
    });
    Ok(json!({"service": service_view::one(region, &key, &[])}))
}
