//! A registry that is nobody's simulation, with a password as ECR's: built, pushed, looked at by skopeo, unpacked by umoci,
//! run by bubblewrap without any privilege a task on Fargate would lack.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use fargateer_api::spec::Architecture;
use fargateer_image::{Builder, Destination, Error, Login, Logins, Moved, Progress, Reference, Secret};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::Agent;
use crate::install::{self, run};
use crate::registry::{BaseLayer, Hand};

const PASSWORD: &str = "a-long-token";

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Debian's docker-registry with a password.
struct Registry {
    _process: Running,
    folder: TempDir,
    host: String,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

impl Registry {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let host = format!("127.0.0.1:{}", free_port());
        let passwords = run(Command::new("htpasswd").args(["-Bbn", "AWS", PASSWORD]));
        fs::write(folder.path().join("passwords"), passwords).expect("passwords");
        let (storage, passwords) = (folder.path().join("storage"), folder.path().join("passwords"));
        let settings = json!({
            "version": 0.1, "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": storage}, "delete": {"enabled": true}},
            "http": {"addr": host, "secret": "x"},
            "auth": {"htpasswd": {"realm": "ecr", "path": passwords}},
        });
        let file = folder.path().join("registry.yml");
        fs::write(&file, settings.to_string()).expect("settings");
        let mut command = Command::new("docker-registry");
        let mut process =
            command.arg("serve").arg(&file).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a registry");
        let errors = process.stderr.take().expect("its log");
        let process = Running(process);
        let mut lines = BufReader::new(errors).lines();
        let listens = |line: &std::io::Result<String>| line.as_ref().is_ok_and(|line| line.contains("listening on"));
        assert!(lines.any(|line| listens(&line)), "the registry ended");
        // Read on, or it stops when nobody takes what it says.
        std::thread::spawn(move || lines.for_each(drop));
        Self { _process: process, folder, host }
    }

    fn hand(&self) -> Hand {
        Hand::new(&format!("http://{}", self.host), "AWS", PASSWORD)
    }
}

struct Password;

#[async_trait]
impl Logins for Password {
    async fn login(&self, _: &str, _: Option<&Login>) -> Result<Login, Error> {
        Ok(Login::new("AWS", Secret::new(PASSWORD)))
    }
}

/// What stands in for python:3.11-slim where there is no Docker Hub: Debian's Python and what it needs.
fn root_file_system() -> PathBuf {
    const PACKAGES: &str = "python3.11-minimal,libpython3.11-stdlib,ca-certificates,base-files,libc6,libgcc-s1,zlib1g,\
        libexpat1,libssl3,libffi8,libbz2-1.0,liblzma5,libsqlite3-0,libuuid1,libreadline8,libtinfo6,libncursesw6,libdb5.3,\
        libcrypt1,libnsl2,libtirpc3,libgssapi-krb5-2,libkrb5-3,libk5crypto3,libkrb5support0,libkeyutils1,libcom-err2,dash";
    let _lock = install::lock("base");
    let archive = install::folder("base").join("bookworm.tar");
    if !archive.is_file() {
        let made = archive.with_extension("part.tar");
        let include = format!("--include={PACKAGES}");
        run(Command::new("mmdebstrap").args(["--quiet", "--variant=extract", &include, "bookworm"]).arg(&made));
        fs::rename(made, &archive).expect("the base");
    }
    archive
}

/// The base image, with Python where the official images have it.
async fn base(hand: &Hand, architecture: &str) {
    let system = fs::read(root_file_system()).expect("the base");
    let mut shim = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    shim.append_link(&mut header, "usr/local/bin/python3", "/usr/bin/python3.11").expect("a link");
    let layers = [BaseLayer::packed(&system), BaseLayer::packed(&shim.into_inner().expect("an archive"))];
    let image = hand.image("library/python", &layers, architecture).await;
    hand.index("library/python", "3.11-slim", &[image]).await;
}

/// Unpacks an image of the registry the way others do; its root file system.
fn unpack(registry: &Registry, tag: &str) -> PathBuf {
    let (layout, bundle) = (registry.folder.path().join("layout"), registry.folder.path().join("bundle"));
    let from = format!("docker://{}/agents/greeter:{tag}", registry.host);
    let credentials = format!("AWS:{PASSWORD}");
    let to = format!("oci:{}:v1", layout.display());
    run(Command::new("skopeo").args([
        "copy",
        "--quiet",
        "--src-tls-verify=false",
        "--src-creds",
        &credentials,
        &from,
        &to,
    ]));
    let image = format!("{}:v1", layout.display());
    let mut umoci = Command::new("umoci");
    umoci.args(["unpack", "--image", &image]);
    if run(Command::new("id").arg("--user")).trim() != "0" {
        umoci.arg("--rootless");
    }
    run(umoci.arg(&bundle));
    bundle.join("rootfs")
}

/// Runs an image as a task would: its user, its command, a read-only root, `/tmp` alone to write to.
fn start(root: &Path, config: &Value, port: u16) -> Running {
    let user = config["User"].as_str().expect("a user").split_once(':').expect("a group");
    let mut command = Command::new("bwrap");
    command.arg("--ro-bind").arg(root).arg("/");
    command.args([
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--tmpfs",
        "/tmp",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
    ]);
    command.args(["--unshare-user", "--uid", user.0, "--gid", user.1, "--as-pid-1", "--die-with-parent", "--clearenv"]);
    for variable in config["Env"].as_array().expect("variables") {
        let (name, value) = variable.as_str().and_then(|text| text.split_once('=')).expect("a variable");
        command.args(["--setenv", name, value]);
    }
    command.args(["--setenv", "HOST", "127.0.0.1", "--setenv", "PORT", &port.to_string()]);
    // Nobody's model, without a network.
    command.args(["--setenv", "AGENT_MODEL", "offline"]);
    command.args(["--chdir", config["WorkingDir"].as_str().expect("a folder")]);
    command.args(config["Cmd"].as_array().expect("a command").iter().filter_map(Value::as_str));
    Running(command.stdin(Stdio::null()).spawn().expect("bubblewrap"))
}

/// The answer of an agent that may still be starting.
async fn ask(process: &mut Running, port: u16, prompt: &str) -> Value {
    let http = reqwest::Client::new();
    loop {
        let url = format!("http://127.0.0.1:{port}/invocations");
        match http.post(url).json(&json!({"prompt": prompt})).send().await {
            Ok(answer) if answer.status().is_success() => return answer.json().await.expect("JSON"),
            Ok(_) | Err(_) => {
                let ended = process.0.try_wait().expect("its state");
                assert!(ended.is_none(), "the agent ended: {ended:?}");
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Running {
    /// Sends SIGTERM to the agent, which is process 1 of its own, and answers its exit code.
    fn end(&mut self) -> Option<i32> {
        let children = |parent: u32| {
            let said = Command::new("pgrep").args(["-P", &parent.to_string()]).output().expect("pgrep").stdout;
            String::from_utf8_lossy(&said)
                .lines()
                .filter_map(|line| line.trim().parse::<u32>().ok())
                .collect::<Vec<_>>()
        };
        let agent = *children(self.0.id()).first().expect("the agent");
        run(Command::new("kill").args(["-TERM", &agent.to_string()]));
        self.0.wait().expect("its end").code()
    }
}

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
    base(&registry.hand(), architecture).await;
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
    let config =
        run(Command::new("skopeo").args(["inspect", "--config", "--tls-verify=false", "--creds", &credentials, &name]));
    let config: Value = serde_json::from_str(&config).expect("JSON");
    let root = unpack(&registry, &built.tag);
    let port = free_port();
    let mut running = start(&root, &config["config"], port);
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
