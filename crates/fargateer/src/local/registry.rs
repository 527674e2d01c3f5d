//! Registries on this machine: whatever host an image's name has, the simulated one is meant.
//!
//! That goes for base images, too, which can't be reached without a network: one that stands in for the usual base is put in
//! place. It says which Python it brings and brings none; tasks that are processes run on this machine's.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fargateer_image::{Cause, Error, Login, Logins, Secret};
use fargateer_sim::Simulation;
use serde_json::json;

/// The region of whatever is no ECR registry.
const REGION: &str = fargateer_api::default::REGION;
/// The repository and tag of the usual base image, below its registry.
const BASE: (&str, &str) = ("docker/library/python", "3.11-slim");
/// The Python that the stand-in says it brings.
const PYTHON: &str = "3.11.9";

/// Logins of every registry at a simulated one.
#[derive(Debug, Clone)]
pub(crate) struct Registries {
    simulation: Simulation,
    endpoint: String,
}

impl Registries {
    /// Logins at the registry of `simulation`, which is served at `endpoint`, with a stand-in for the base image in it.
    pub(crate) fn new(simulation: &Simulation, endpoint: &str) -> Arc<Self> {
        simulation.seed_python(REGION, BASE.0, BASE.1, PYTHON);
        Arc::new(Self { simulation: simulation.clone(), endpoint: endpoint.to_owned() })
    }
}

#[async_trait]
impl Logins for Registries {
    async fn login(&self, registry: &str, _refused: Option<&Login>) -> Result<Login, Error> {
        let region = registry.split_once(".dkr.ecr.").and_then(|(_, rest)| rest.split('.').next()).unwrap_or(REGION);
        let answer = self.simulation.call(region, "ecr", "GetAuthorizationToken", json!({}));
        let denied = |problem: &str| Error::new(Cause::RegistryDenied, format!("{registry}: {problem}"));
        let answer = answer.map_err(|(code, message)| denied(&format!("{code}: {message}")))?;
        let token = answer.pointer("/authorizationData/0/authorizationToken").and_then(serde_json::Value::as_str);
        let token = token.and_then(|token| String::from_utf8(STANDARD.decode(token).ok()?).ok());
        let login = token.as_deref().and_then(|token| token.split_once(':'));
        let (user, password) = login.ok_or_else(|| denied("there is no token in its answer"))?;
        Ok(Login { user: Some((user.to_owned(), Secret::new(password))), endpoint: Some(self.endpoint.clone()) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use fargateer_api::spec::{Architecture, Build};
    use fargateer_image::{Builder, Destination, Progress, Recipe, Reference, Tools};
    use fargateer_sim::process::{self, Options, status};
    use fargateer_sim::{Seed, Settings, Tasks, Times};
    use serde_json::Value;
    use tempfile::TempDir;
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::local::{python, serve};

    /// An agent that brings a server of its own needs no packages, and so no network.
    const AGENT: &str = include_str!("../../../sim/tests/process/agent.py");
    const REPOSITORY: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/own";

    async fn pushed(logins: Arc<Registries>, folder: &TempDir) -> String {
        let code = folder.path().join("code");
        std::fs::create_dir(&code).unwrap();
        std::fs::write(code.join("agent_server.py"), AGENT).unwrap();
        let tools = Tools { uv: None, environment: vec![("PATH".into(), crate::config::path().into())] };
        let builder = Builder::new(folder.path().join("images"), tools, logins).unwrap();
        let recipe = Recipe {
            context: code,
            build: Build::default(),
            architecture: Architecture::X86_64,
            base_digest: None,
            runtime: None,
            labels: BTreeMap::new(),
        };
        let prepared = builder.prepare(&recipe, &Progress::silent()).await.unwrap();
        let destination = Destination::new(Reference::parse(REPOSITORY).unwrap());
        builder.push(&prepared, &destination, &Progress::silent()).await.unwrap().image.to_string()
    }

    fn run_task(simulation: &Simulation, image: &str) {
        let ask = |service: &str, operation: &str, input: Value| {
            simulation.call("us-east-1", service, operation, input).unwrap()
        };
        ask(
            "ecs",
            "RegisterTaskDefinition",
            json!({
                "family": "own", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
                "cpu": "256", "memory": "512", "executionRoleArn": "arn:aws:iam::111122223333:role/exec",
                "containerDefinitions": [{"name": "own", "image": image, "portMappings": [{"containerPort": 8000}]}],
            }),
        );
        let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
        let input =
            json!({"cluster": "c", "taskDefinition": "own", "launchType": "FARGATE", "networkConfiguration": network});
        ask("ecs", "RunTask", input);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_image_is_built_without_a_network_pushed_to_the_simulated_registry_and_run() {
        let simulation =
            Simulation::new(Settings { tasks: Tasks::Driven, times: Times::instant(), ..Settings::default() });
        simulation.seed(Seed { region: "us-east-1".to_owned(), clusters: vec!["c".to_owned()], ..Seed::default() });
        simulation.call("us-east-1", "ecr", "CreateRepository", json!({"repositoryName": "agents/own"})).unwrap();
        let (stop, folder) = (CancellationToken::new(), TempDir::new().unwrap());
        let endpoint = serve(&simulation, "127.0.0.1:0", &stop).await.unwrap();
        let image = pushed(Registries::new(&simulation, &endpoint), &folder).await;
        run_task(&simulation, &image);
        let python = python().await.unwrap();
        let cache = folder.path().join("tasks");
        let options = Options { cache, python, path: crate::config::path(), environment: Vec::new() };
        let stopped = stop.clone();
        let driven = process::drive(simulation.clone(), options, mpsc::unbounded_channel().0, async move {
            stopped.cancelled().await;
        });
        let running = tokio::spawn(driven);
        let answers = async {
            loop {
                let address = simulation.assignments().first().map(|task| format!("{}:8000", task.address));
                let address = address.and_then(|address| address.parse().ok());
                let Some(address) = address else {
                    tokio::task::yield_now().await;
                    continue;
                };
                if status(address, "/health", Duration::from_secs(1)).await == Some(200) {
                    return;
                }
            }
        };
        let healthy = tokio::time::timeout(Duration::from_mins(2), answers).await;
        assert!(healthy.is_ok(), "{}", simulation.state());
        stop.cancel();
        running.await.unwrap().unwrap();
    }
}
