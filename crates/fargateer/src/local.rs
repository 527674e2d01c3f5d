//! The embedded simulated AWS of `run --local` and `sim`: what specs refer to is put in place, the endpoint is served.

mod registry;
mod tasks;

pub(crate) use registry::Registries;
pub(crate) use tasks::{Driver, python};

use std::collections::BTreeSet;

use anyhow::Context as _;
use async_trait::async_trait;
use fargateer_api::AgentDeployment;
use fargateer_api::spec::{Build, BuildStrategy};
use fargateer_aws::http::{Http, Network};
use fargateer_controller::port::{Snapshot, Source};
use fargateer_sim::{Seed, Simulation};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A source whose specs find the clusters, target groups and images they name in the simulated AWS.
pub(crate) struct Seeded<S> {
    inner: S,
    simulation: Simulation,
    seen: BTreeSet<String>,
}

impl<S> Seeded<S> {
    /// Seeds `simulation` with what the specs of `inner` need.
    pub(crate) fn new(inner: S, simulation: Simulation) -> Self {
        Self { inner, simulation, seen: BTreeSet::new() }
    }
}

#[async_trait]
impl<S: Source> Source for Seeded<S> {
    async fn next(&mut self) -> Snapshot {
        let snapshot = self.inner.next().await;
        let agents = snapshot.documents.values().flatten().filter_map(|document| document.agent.as_deref());
        for agent in agents {
            // Once only: what a person deletes in the simulated AWS stays deleted.
            if self.seen.insert(needs_key(agent)) {
                seed(&self.simulation, agent, &mut self.seen);
            }
        }
        snapshot
    }
}

/// The tasks of the simulated AWS are virtual: there is nobody to ask, and every smoke check passes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Virtual;

#[async_trait]
impl Http for Virtual {
    async fn ask(&self, _url: &str, _body: Option<&str>) -> Result<u16, String> {
        Ok(200)
    }
}

/// Tasks that are processes are asked; those that are virtual, whose addresses are nobody's, pass every smoke check.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mixed(Network);

#[async_trait]
impl Http for Mixed {
    async fn ask(&self, url: &str, body: Option<&str>) -> Result<u16, String> {
        if url.starts_with("http://127.") { self.0.ask(url, body).await } else { Virtual.ask(url, body).await }
    }
}

/// Puts in place what `agent` refers to and Fargateer does not make, unless it was put there before.
pub(crate) fn seed(simulation: &Simulation, agent: &AgentDeployment, seen: &mut BTreeSet<String>) {
    let spec = &agent.spec;
    let mut fresh =
        |kind: &str, name: &str| seen.insert(format!("{kind} {} {name}", spec.region)).then(|| name.to_owned());
    let balancer = spec.load_balancer.as_ref();
    let groups = balancer.into_iter().flat_map(|balancer| {
        let other = balancer.alternate.as_ref().map(|alternate| alternate.target_group_arn.as_str());
        balancer.target_group_arn.as_deref().into_iter().chain(other)
    });
    let groups: Vec<String> = groups.filter_map(|arn| fresh("target group", arn)).collect();
    let build = spec.image.build.as_ref();
    let object = build.and_then(Build::object);
    let project = build.filter(|build| build.strategy == BuildStrategy::CodeBuild).map(Build::project);
    let images = spec.image.uri.iter().filter(|uri| uri.contains(".dkr.ecr."));
    simulation.seed(Seed {
        region: spec.region.clone(),
        clusters: fresh("cluster", agent.cluster_name()).into_iter().collect(),
        capacity_providers: true,
        target_groups: groups.clone(),
        images: images.filter_map(|uri| fresh("image", uri)).collect(),
        buckets: object.iter().filter_map(|object| fresh("bucket", &object.bucket)).collect(),
        build_projects: project.into_iter().filter_map(|project| fresh("build project", project)).collect(),
        ..Seed::default()
    });
    for group in &groups {
        check_health(simulation, agent, group);
    }
}

/// Whoever made the target group would have it ask where the agent answers; here it asks often, since somebody watches.
fn check_health(simulation: &Simulation, agent: &AgentDeployment, group: &str) {
    let path = &agent.spec.container.health_check.path;
    let input = json!({"TargetGroupArn": group, "HealthCheckPath": path, "HealthCheckIntervalSeconds": 5,
        "HealthCheckTimeoutSeconds": 4, "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2});
    if let Err((code, message)) = simulation.call(&agent.spec.region, "elbv2", "ModifyTargetGroup", input) {
        tracing::debug!(group, code, message, "the checks of a target group stay as they are");
    }
}

/// Serves `simulation` on `address`, or on a free port when that one is taken. Answers the endpoint.
pub(crate) async fn serve(simulation: &Simulation, address: &str, stop: &CancellationToken) -> anyhow::Result<String> {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind("127.0.0.1:0").await.context("no free port for the simulated AWS")?,
    };
    let endpoint = format!("http://{}", listener.local_addr()?);
    let (simulation, stop) = (simulation.clone(), stop.clone());
    tokio::spawn(async move {
        if let Err(error) = simulation.serve(listener, async move { stop.cancelled().await }).await {
            tracing::error!(%error, "the simulated AWS stopped");
        }
    });
    Ok(endpoint)
}

fn needs_key(agent: &AgentDeployment) -> String {
    let spec = &agent.spec;
    let group = spec.load_balancer.as_ref().and_then(|balancer| balancer.target_group_arn.clone());
    format!("{} {} {:?} {:?}", spec.region, agent.cluster_name(), group, spec.image)
}
