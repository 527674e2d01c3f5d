//! Clusters and the capacity providers attached to them.
//!
//! A deleted cluster stays as INACTIVE, which most calls treat as missing, as ECS does.

use crate::arn;
use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::{Cluster, Phase, ServiceStatus};
use crate::tag;
use serde_json::{Value, json};

/// The name of the active cluster a request means; `default` when it names none.
pub(super) fn named(region: &Region, input: &Value) -> Result<String, Refusal> {
    let name = arn::tail(input.text("cluster").filter(|name| !name.is_empty()).unwrap_or("default"));
    match region.ecs.clusters.get(name) {
        Some(cluster) if !cluster.deleted => Ok(name.to_owned()),
        Some(_) | None => Err(not_found()),
    }
}

fn not_found() -> Refusal {
    Refusal::new("ClusterNotFoundException", "Cluster not found.")
}

/// CreateCluster: answers the existing cluster when there is one.
pub(crate) fn create(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("clusterName").unwrap_or("default").to_owned();
    if name.is_empty() || name.len() > 255 || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(Refusal::invalid("Invalid cluster name."));
    }
    if region.ecs.clusters.get(&name).is_none_or(|cluster| cluster.deleted) {
        let tags = tag::LOWER.read(input.items("tags"));
        tag::check(&tags, "InvalidParameterException")?;
        let cluster = Cluster {
            arn: region.arn("ecs", &format!("cluster/{name}")),
            name: name.clone(),
            deleted: false,
            providers: input.texts("capacityProviders"),
            default_strategy: strategy(input.items("defaultCapacityProviderStrategy")),
            settings: input.member("settings").cloned().unwrap_or_else(default_settings),
            tags,
        };
        region.ecs.clusters.insert(name.clone(), cluster);
    }
    Ok(json!({"cluster": view(region, &name, &["TAGS".to_owned(), "SETTINGS".to_owned()])}))
}

fn default_settings() -> Value {
    json!([{"name": "containerInsights", "value": "disabled"}])
}

/// A strategy as it is returned: with weight and base filled.
pub(super) fn strategy(items: Option<&[Value]>) -> Vec<Value> {
    let items = items.unwrap_or_default().iter();
    items
        .map(|item| {
            let mut item = item.clone();
            item.fill("weight", json!(0));
            item.fill("base", json!(0));
            item
        })
        .collect()
}

/// DescribeClusters.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let mut names = input.texts("clusters");
    if names.len() > 100 {
        return Err(Refusal::invalid("Clusters cannot be empty or more than 100."));
    }
    if names.is_empty() {
        names.push("default".to_owned());
    }
    let include = input.texts("include");
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let short = arn::tail(&name);
        if region.ecs.clusters.contains_key(short) {
            clusters.push(view(region, short, &include));
        } else {
            let arn = if name.starts_with("arn:") { name } else { region.arn("ecs", &format!("cluster/{name}")) };
            failures.push(json!({"arn": arn, "reason": "MISSING"}));
        }
    }
    Ok(json!({"clusters": clusters, "failures": failures}))
}

/// Services, running tasks and pending tasks.
fn counts(region: &Region, name: &str) -> (u32, u32, u32) {
    let (mut active, mut running, mut pending) = (0, 0, 0);
    for service in region.ecs.services.values().filter(|service| service.cluster == name) {
        active += u32::from(service.status != ServiceStatus::Inactive && !service.name.is_empty());
        for task in service.tasks.values() {
            running += u32::from(task.phase == Phase::Running);
            pending += u32::from(task.phase < Phase::Running);
        }
    }
    (active, running, pending)
}

fn view(region: &Region, name: &str, include: &[String]) -> Value {
    let Some(cluster) = region.ecs.clusters.get(name) else {
        return Value::Null;
    };
    let includes = |what: &str| include.iter().any(|included| included == what);
    let (active, running, pending) = counts(region, name);
    json!({
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": if cluster.deleted { "INACTIVE" } else { "ACTIVE" },
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": running,
        "pendingTasksCount": pending,
        "activeServicesCount": active,
        "statistics": [],
        "tags": if includes("TAGS") { tag::LOWER.write(&cluster.tags) } else { json!([]) },
        "settings": if includes("SETTINGS") { cluster.settings.clone() } else { json!([]) },
        "capacityProviders": cluster.providers,
        "defaultCapacityProviderStrategy": cluster.default_strategy,
    })
}

/// ListClusters.
pub(super) fn list(region: &Region, input: &Value) -> Answer {
    let arns: Vec<&String> =
        region.ecs.clusters.values().filter(|cluster| !cluster.deleted).map(|cluster| &cluster.arn).collect();
    let page = paged(arns, input, 100)?;
    Ok(json!({"clusterArns": page.items, "nextToken": page.next}))
}

/// A page of at most `most` items, by the members every ECS list takes.
pub(super) fn paged<T>(all: Vec<T>, input: &Value, most: usize) -> Result<page::Page<T>, Refusal> {
    let size = input.whole("maxResults").unwrap_or(i64::try_from(most).unwrap_or(100));
    let size = usize::try_from(size).ok().filter(|size| (1..=100).contains(size));
    let size = size.ok_or_else(|| Refusal::invalid("maxResults must be between 1 and 100."))?;
    page::cut(all, input.text("nextToken"), size).ok_or_else(|| Refusal::invalid("Invalid token."))
}

/// DeleteCluster: only an empty one.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    let name = named(region, input)?;
    let mut services = region.ecs.services.values().filter(|service| service.cluster == name);
    if services.any(|service| service.status == ServiceStatus::Active && !service.name.is_empty()) {
        let message = "The Cluster cannot be deleted while Services are active.";
        return Err(Refusal::new("ClusterContainsServicesException", message));
    }
    let tasks = region.ecs.services.values().filter(|service| service.cluster == name).flat_map(|s| s.tasks.values());
    if tasks.into_iter().any(|task| task.phase != Phase::Stopped) {
        return Err(Refusal::new(
            "ClusterContainsTasksException",
            "The Cluster cannot be deleted while Tasks are active.",
        ));
    }
    if let Some(cluster) = region.ecs.clusters.get_mut(&name) {
        cluster.deleted = true;
    }
    Ok(json!({"cluster": view(region, &name, &[])}))
}

/// UpdateCluster and UpdateClusterSettings: the settings.
pub(super) fn update(region: &mut Region, input: &Value) -> Answer {
    let name = named(region, input)?;
    if let (Some(cluster), Some(settings)) = (region.ecs.clusters.get_mut(&name), input.member("settings")) {
        cluster.settings = settings.clone();
    }
    Ok(json!({"cluster": view(region, &name, &["SETTINGS".to_owned()])}))
}

/// PutClusterCapacityProviders: replaces both lists.
pub(super) fn put_capacity_providers(region: &mut Region, input: &Value) -> Answer {
    let name = named(region, input)?;
    let providers = input.texts("capacityProviders");
    if let Some(unknown) = providers.iter().find(|provider| !matches!(provider.as_str(), "FARGATE" | "FARGATE_SPOT")) {
        return Err(Refusal::invalid(format!("The specified capacity provider '{unknown}' was not found.")));
    }
    if let Some(cluster) = region.ecs.clusters.get_mut(&name) {
        cluster.providers = providers;
        cluster.default_strategy = strategy(input.items("defaultCapacityProviderStrategy"));
    }
    Ok(json!({"cluster": view(region, &name, &[])}))
}
