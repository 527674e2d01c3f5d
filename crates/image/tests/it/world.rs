//! The simulated ECR behind HTTP, with a base image in it.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fargateer_image::{Builder, Cause, Destination, Error, Login, Logins, Moved, Progress, Reference, Secret, Tools};
use fargateer_sim::{Registry, Settings, Simulation, Strict};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::fixture::Agent;
use crate::registry::{BaseLayer, Hand};

/// The registry's name.
pub(crate) const HOST: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com";
/// The repository of the base image, and the one of most agents.
pub(crate) const BASE: &str = "mirror/python";
pub(crate) const REPOSITORY: &str = "agents/greeter";

/// A simulated AWS with a registry.
pub(crate) struct World {
    pub(crate) aws: Simulation,
    address: String,
    _stop: oneshot::Sender<()>,
}

/// Logins as ECR gives them: a token of twelve hours.
struct Tokens {
    aws: Simulation,
    address: String,
    /// What is given first, whatever it is worth by then.
    stale: Option<Login>,
}

fn token(aws: &Simulation) -> (String, String) {
    let answer = aws.call("us-east-1", "ecr", "GetAuthorizationToken", json!({})).expect("a token");
    let token = answer["authorizationData"][0]["authorizationToken"].as_str().expect("a token").to_owned();
    let text = String::from_utf8(STANDARD.decode(token).expect("base64")).expect("text");
    let (user, password) = text.split_once(':').expect("a login");
    (user.to_owned(), password.to_owned())
}

fn login(aws: &Simulation, address: &str) -> Login {
    let (user, password) = token(aws);
    Login { endpoint: Some(address.to_owned()), ..Login::new(user, Secret::new(password)) }
}

#[async_trait]
impl Logins for Tokens {
    async fn login(&self, registry: &str, refused: Option<&Login>) -> Result<Login, Error> {
        if registry != HOST {
            return Err(Error::new(Cause::RegistryUnavailable, format!("nobody knows {registry}")));
        }
        if let (None, Some(stale)) = (refused, &self.stale) {
            return Ok(stale.clone());
        }
        Ok(login(&self.aws, &self.address))
    }
}

impl World {
    /// ECR as its users report it.
    pub(crate) async fn open() -> Self {
        Self::with(Registry::default()).await
    }

    /// ECR with these quirks; a repository for agents whose tags may not move.
    pub(crate) async fn with(registry: Registry) -> Self {
        let strict = Strict { images: true, ..Strict::default() };
        let aws = Simulation::new(Settings { registry, strict, ..Settings::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(aws.clone().serve(listener, async {
            drop(stopped.await);
        }));
        let world = Self { aws, address, _stop: stop };
        world.repository(BASE, "MUTABLE");
        world.repository(REPOSITORY, "IMMUTABLE");
        world.base("3.11", "a base").await;
        world
    }

    pub(crate) fn repository(&self, name: &str, mutability: &str) {
        let input = json!({"repositoryName": name, "imageTagMutability": mutability});
        self.aws.call("us-east-1", "ecr", "CreateRepository", input).expect("a repository");
    }

    /// Puts a base image under a tag, for two machines.
    pub(crate) async fn base(&self, tag: &str, text: &str) {
        let hand = self.hand();
        let layers = [BaseLayer::of(text)];
        let images = [hand.image(BASE, &layers, "amd64").await, hand.image(BASE, &layers, "arm64").await];
        hand.index(BASE, tag, &images).await;
    }

    pub(crate) fn hand(&self) -> Hand {
        let (user, password) = token(&self.aws);
        Hand::new(&self.address, &user, &password)
    }

    /// A builder that knows nothing yet.
    pub(crate) fn builder(&self, tools: Tools) -> Bench {
        self.bench(tools, None)
    }

    /// The same with a token that was given some time ago.
    pub(crate) fn builder_with_token_of_now(&self, tools: Tools) -> Bench {
        self.bench(tools, Some(login(&self.aws, &self.address)))
    }

    fn bench(&self, tools: Tools, stale: Option<Login>) -> Bench {
        let folder = TempDir::new().expect("a folder");
        let logins = Tokens { aws: self.aws.clone(), address: self.address.clone(), stale };
        let builder = Builder::new(folder.path().to_owned(), tools, Arc::new(logins)).expect("a builder");
        Bench { builder, _folder: folder }
    }

    /// The base image under a tag.
    pub(crate) fn base_name(tag: &str) -> String {
        format!("{HOST}/{BASE}:{tag}")
    }

    /// The tags of a repository.
    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        let input = json!({"repositoryName": repository});
        let answer = self.aws.call("us-east-1", "ecr", "ListImages", input).expect("images");
        let images = answer["imageIds"].as_array().expect("images").iter();
        images.filter_map(|image| image["imageTag"].as_str().map(str::to_owned)).collect()
    }

    /// The requests since the last look, by the registry's names.
    pub(crate) fn requests(&self) -> Vec<String> {
        let calls = self.aws.calls();
        self.aws.clear_calls();
        calls.into_iter().filter(|call| call.service == "registry").map(|call| call.operation).collect()
    }

    /// What manifests were put as since the last look: tags and digests.
    pub(crate) fn puts(&self) -> Vec<String> {
        let calls = self.aws.calls();
        let puts = calls.iter().filter(|call| call.operation == "PutManifest");
        puts.filter_map(|call| Some(call.request["path"].as_str()?.rsplit_once('/')?.1.to_owned())).collect()
    }

    /// The configuration of an image.
    pub(crate) async fn config(&self, repository: &str, digest: &str) -> Value {
        let hand = self.hand();
        let manifest = hand.get(repository, &format!("manifests/{digest}")).await.expect("a manifest");
        let config = manifest["config"]["digest"].as_str().expect("a configuration");
        hand.get(repository, &format!("blobs/{config}")).await.expect("a configuration")
    }
}

/// A builder with a cache of its own.
pub(crate) struct Bench {
    pub(crate) builder: Builder,
    _folder: TempDir,
}

impl Bench {
    /// Builds and pushes: the digest and what was moved.
    pub(crate) async fn push(&self, agent: &Agent) -> Result<(String, Moved), Error> {
        self.push_to(agent, &destination(REPOSITORY)).await
    }

    pub(crate) async fn push_to(&self, agent: &Agent, destination: &Destination) -> Result<(String, Moved), Error> {
        let progress = Progress::silent();
        let prepared = self.builder.prepare(&agent.recipe, &progress).await?;
        let built = self.builder.push(&prepared, destination, &progress).await?;
        Ok((built.image.digest.expect("a digest"), built.moved))
    }
}

pub(crate) fn destination(repository: &str) -> Destination {
    Destination::new(Reference::parse(&format!("{HOST}/{repository}")).expect("a reference"))
}
