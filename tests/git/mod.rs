//! Git repositories as sources, end to end: real hosts by https and ssh, the real binary, the simulated AWS.

mod daemon;
mod hosts;
mod install;
mod remote;
pub(crate) mod repository;

/// A sound document.
fn spec(name: &str, image: &str) -> String {
    format!(
        "apiVersion: fargateer/v1
kind: AgentDeployment
metadata: {{name: {name}}}
spec:
  cluster: agents
  image: {{uri: \"111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/{name}:{image}\"}}
  network: {{subnets: [subnet-0a1b2c3d4e5f60718]}}
  roles: {{execution: agent-execution}}
"
    )
}
