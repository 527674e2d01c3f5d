//! Clusters and the capacity providers attached to them.
//!
//! A deleted cluster stays as INACTIVE, which most calls treat as missing, as ECS does.

use super::{account_setting, capacity_provider};
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
        let cluster = build(region, &name, input)?;
        region.ecs.clusters.insert(name.clone(), cluster);
    }
    let include = ["TAGS", "SETTINGS", "CONFIGURATIONS"].map(str::to_owned);
    Ok(json!({"cluster": view(region, &name, &include)}))
}

fn build(region: &Region, name: &str, input: &Value) -> Result<Cluster, Refusal> {
    let tags = tag::LOWER.read(input.items("tags"));
    tag::check(&tags, "InvalidParameterException")?;
    check_settings(input)?;
    let providers = input.texts("capacityProviders");
    let default_strategy = strategy(input.items("defaultCapacityProviderStrategy"));
    capacity_provider::check(region, &providers, &default_strategy)?;
    let insights = account_setting::effective(region, "containerInsights");
    let default = json!([{"name": "containerInsights", "value": insights}]);
    Ok(Cluster {
        arn: region.arn("ecs", &format!("cluster/{name}")),
        name: name.to_owned(),
        deleted: false,
        providers,
        default_strategy,
        settings: input.items("settings").filter(|list| !list.is_empty()).map_or(default, |list| json!(list)),
        extras: extras(json!({}), input),
        tags,
    })
}

/// The configuration and the Service Connect defaults of a request, over those there were.
fn extras(mut before: Value, input: &Value) -> Value {
    for name in ["configuration", "serviceConnectDefaults"] {
        if let Some(value) = input.member(name) {
            before.put(name, value.clone());
        }
    }
    before
}

fn check_settings(input: &Value) -> Result<(), Refusal> {
    for setting in input.items("settings").unwrap_or_default() {
        let (name, value) = (setting.text("name").unwrap_or_default(), setting.text("value").unwrap_or_default());
        if name != "containerInsights" || !matches!(value, "enabled" | "disabled" | "enhanced") {
            return Err(Refusal::invalid(format!("Invalid cluster setting: '{name}' with value '{value}'.")));
        }
    }
    Ok(())
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

#[derive(Default)]
struct Counts {
    active: u32,
    draining: u32,
    running: u32,
    pending: u32,
}

fn counts(region: &Region, name: &str) -> Counts {
    let mut counts = Counts::default();
    for service in region.ecs.services.values().filter(|service| service.cluster == name) {
        counts.active += u32::from(service.status == ServiceStatus::Active && !service.name.is_empty());
        counts.draining += u32::from(service.status == ServiceStatus::Draining);
        for task in service.tasks.values() {
            counts.running += u32::from(task.phase == Phase::Running);
            counts.pending += u32::from(task.phase < Phase::Running);
        }
    }
    counts
}

/// The statistics of a cluster, as text, by launch type. There are no instances here, so all is Fargate.
fn statistics(counts: &Counts) -> Value {
    let names = ["running{}TasksCount", "pending{}TasksCount", "active{}ServiceCount", "draining{}ServiceCount"];
    let fargate = [counts.running, counts.pending, counts.active, counts.draining];
    let mut statistics = Vec::new();
    for kind in ["EC2", "Fargate", "External"] {
        for (name, count) in names.iter().zip(fargate) {
            let value = if kind == "Fargate" { count } else { 0 };
            statistics.push(json!({"name": name.replace("{}", kind), "value": value.to_string()}));
        }
    }
    json!(statistics)
}

fn view(region: &Region, name: &str, include: &[String]) -> Value {
    let Some(cluster) = region.ecs.clusters.get(name) else {
        return Value::Null;
    };
    let includes = |what: &str| include.iter().any(|included| included == what);
    let counts = counts(region, name);
    let mut body = json!({
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": if cluster.deleted { "INACTIVE" } else { "ACTIVE" },
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": counts.running,
        "pendingTasksCount": counts.pending,
        "activeServicesCount": counts.active + counts.draining,
        "statistics": if includes("STATISTICS") { statistics(&counts) } else { json!([]) },
        "tags": if includes("TAGS") { tag::LOWER.write(&cluster.tags) } else { json!([]) },
        "settings": if includes("SETTINGS") { cluster.settings.clone() } else { json!([]) },
        "capacityProviders": cluster.providers,
        "defaultCapacityProviderStrategy": cluster.default_strategy,
    });
    for (name, value) in cluster.extras.as_object().into_iter().flatten() {
        if name != "configuration" || includes("CONFIGURATIONS") {
            body.put(name, value.clone());
        }
    }
    if includes("ATTACHMENTS") {
        body.put("attachments", json!([]));
    }
    body
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

/// UpdateCluster and UpdateClusterSettings: settings, configuration, Service Connect defaults; what is absent stays.
pub(super) fn update(region: &mut Region, input: &Value) -> Answer {
    let name = named(region, input)?;
    check_settings(input)?;
    if let Some(cluster) = region.ecs.clusters.get_mut(&name) {
        if let Some(settings) = input.member("settings") {
            cluster.settings = settings.clone();
        }
        cluster.extras = extras(std::mem::take(&mut cluster.extras), input);
    }
    Ok(json!({"cluster": view(region, &name, &["SETTINGS".to_owned(), "CONFIGURATIONS".to_owned()])}))
}

/// PutClusterCapacityProviders: replaces both lists. A provider that services use stays.
pub(super) fn put_capacity_providers(region: &mut Region, input: &Value) -> Answer {
    let name = named(region, input)?;
    let providers = input.texts("capacityProviders");
    let default_strategy = strategy(input.items("defaultCapacityProviderStrategy"));
    capacity_provider::check(region, &providers, &default_strategy)?;
    if let Some(used) = capacity_provider::used(region, &name).into_iter().find(|used| !providers.contains(used)) {
        let message = format!("The specified capacity provider '{used}' is in use and cannot be removed.");
        return Err(Refusal::new("ResourceInUseException", message));
    }
    if let Some(cluster) = region.ecs.clusters.get_mut(&name) {
        (cluster.providers, cluster.default_strategy) = (providers, default_strategy);
    }
    Ok(json!({"cluster": view(region, &name, &[])}))
}
