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
