//! A registry that is nobody's simulation: built, pushed, looked at by skopeo, unpacked by umoci, run by bubblewrap.

use std::process::{Command, Stdio};
use std::sync::Arc;

use fargateer_api::spec::Architecture;
use fargateer_image::{Builder, Destination, Moved, Progress, Reference};
use serde_json::Value;
use tempfile::TempDir;

use crate::docker_registry::{PASSWORD, Password, Registry, ask, base, config, free_port, start, unpack};
use crate::fixture::Agent;
use crate::install::{self, run};

/// An agent of Strands, whose requirements bring another package along.
fn greeter(registry: &Registry) -> Agent {
    let mut agent = Agent::plain(&format!("{}/library/python:3.11-slim", registry.host));
    let code = "import idna\nfrom strands import Agent\n\nagent = Agent(system_prompt=f'idna {idna.__version__}', \
                callback_handler=None)\n";
    agent.write("generated_agent.py", code);
    agent.write("requirements.txt", "idna==3.10\nstrands-agents==1.62.0\n");
    if cfg!(target_arch = "aarch64") {
        agent.recipe.architecture = Architecture::Arm64;
    }
    agent
}

/// What uv has locked is installed, and what the runtime needs must be in it.
async fn a_lock_is_taken_as_it_is(builder: &Builder, agent: &Agent, destination: &Destination) {
    let mut locked = Agent::plain(agent.recipe.build.base.as_deref().expect("a base"));
    locked.recipe.architecture = agent.recipe.architecture;
    let lock = |needs: &str| {
        let project = "[project]\nname = 'bot'\nversion = '1'\nrequires-python = '>=3.11'\n";
        locked.write("pyproject.toml", &format!("{project}dependencies = [{needs}]\n"));
        let tools = install::tools(&[]);
        let mut uv = Command::new(tools.uv.expect("uv"));
        run(uv.args(["lock", "--quiet"]).current_dir(locked.folder.path()).envs(tools.environment));
    };
    lock("'idna==3.10'");
    let progress = Progress::silent();
    let prepared = builder.prepare(&locked.recipe, &progress).await.expect("sources");
    let error = builder.push(&prepared, destination, &progress).await.expect_err("no server");
    assert_eq!(error.to_string(), "uv.lock: starlette is not in it, which the runtime needs");
    lock("'idna==3.9', 'starlette', 'uvicorn'");
    let prepared = builder.prepare(&locked.recipe, &progress).await.expect("sources");
    let built = builder.push(&prepared, destination, &progress).await.expect("an image");
    assert!(builder.sbom(&built.image).await.expect("a bill")["components"].to_string().contains("pkg:pypi/idna@3.9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_a_real_registry_is_understood_by_others_and_runs() {
    install::packages();
    let registry = Registry::start();
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    base(&registry.hand(), "3.11-slim", &[architecture], None).await;
    let agent = greeter(&registry);
    let cache = TempDir::new().expect("a folder");
    let builder = Builder::new(cache.path().to_owned(), install::tools(&[]), Arc::new(Password)).expect("a builder");
    let repository = Reference::parse(&format!("{}/agents/greeter", registry.host)).expect("a reference");
    let (destination, progress) = (Destination::new(repository), Progress::silent());
    let prepared = builder.prepare(&agent.recipe, &progress).await.expect("sources");
    let built = builder.push(&prepared, &destination, &progress).await.expect("an image");
    // Of the base nothing is sent: it lies in the same registry.
    assert_eq!((built.moved.mounted, built.moved.sent), (2, 3), "{:?}", built.moved);
    let digest = built.image.digest.clone().expect("a digest");
    let credentials = format!("AWS:{PASSWORD}");
    let name = format!("docker://{}/agents/greeter:{}", registry.host, built.tag);
    let seen = run(Command::new("skopeo").args(["inspect", "--tls-verify=false", "--creds", &credentials, &name]));
    let seen: Value = serde_json::from_str(&seen).expect("JSON");
    assert_eq!((seen["Digest"].as_str(), seen["Architecture"].as_str()), (Some(digest.as_str()), Some(architecture)));
    assert_eq!(seen["Layers"].as_array().map(Vec::len), Some(5));
    assert!(builder.sbom(&built.image).await.expect("a bill")["components"].to_string().contains("pkg:pypi/idna@3.10"));
    let root = unpack(&registry, &built.tag);
    let port = free_port();
    let mut running = start(&root, &config(&registry, &built.tag), port, Stdio::inherit());
    let answer = ask(&mut running, port, "bücher").await;
    assert!(answer["output"]["text"].as_str().is_some_and(|text| text.ends_with("turn 1: bücher")), "{answer}");
    let health = reqwest::get(format!("http://127.0.0.1:{port}/health")).await.expect("an answer");
    assert_eq!(health.status().as_u16(), 200);
    assert_eq!(running.end(), Some(0), "SIGTERM drains");
    a_lock_is_taken_as_it_is(&builder, &agent, &destination).await;
    // The same again is the same, and a change of code is a few hundred bytes.
    let again = builder.push(&prepared, &destination, &progress).await.expect("an image");
    assert_eq!((again.image, again.moved), (built.image, Moved::default()));
    agent.write("generated_agent.py", "def handler(payload):\n    return 'bye'\n");
    let prepared = builder.prepare(&agent.recipe, &progress).await.expect("sources");
    let changed = builder.push(&prepared, &destination, &progress).await.expect("an image");
    assert!((changed.moved.present, changed.moved.sent) == (4, 1) && changed.moved.bytes < 1000, "{:?}", changed.moved);
}
