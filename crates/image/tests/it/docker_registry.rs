//! Debian's own tools around an image: a registry with a password as ECR's, a base image in it, and what unpacks and runs an
//! image without any privilege a task on Fargate would lack.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use async_trait::async_trait;
use fargateer_image::{Error, Login, Logins, Secret};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::install::{self, run};
use crate::registry::{BaseLayer, Hand};

pub(crate) const PASSWORD: &str = "a-long-token";

/// Ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Debian's docker-registry with a password.
pub(crate) struct Registry {
    _process: Running,
    pub(crate) folder: TempDir,
    pub(crate) host: String,
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

impl Registry {
    pub(crate) fn start() -> Self {
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

    pub(crate) fn hand(&self) -> Hand {
        Hand::new(&format!("http://{}", self.host), "AWS", PASSWORD)
    }
}

pub(crate) struct Password;

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

/// The base image as `tag`, with Python where the official images have it, and `more` on top. It says that it is for each of
/// `architectures`: whoever only builds on it never looks into it.
pub(crate) async fn base(hand: &Hand, tag: &str, architectures: &[&str], more: Option<BaseLayer>) {
    let system = fs::read(root_file_system()).expect("the base");
    let mut shim = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    shim.append_link(&mut header, "usr/local/bin/python3", "/usr/bin/python3.11").expect("a link");
    let mut layers = vec![BaseLayer::packed(&system), BaseLayer::packed(&shim.into_inner().expect("an archive"))];
    layers.extend(more);
    let mut images = Vec::new();
    for architecture in architectures {
        images.push(hand.image("library/python", &layers, architecture).await);
    }
    hand.index("library/python", tag, &images).await;
}

/// What an image of the registry says that is to be run, to somebody else.
pub(crate) fn config(registry: &Registry, tag: &str) -> Value {
    let (credentials, name) = (format!("AWS:{PASSWORD}"), format!("docker://{}/agents/greeter:{tag}", registry.host));
    let inspect = ["inspect", "--config", "--tls-verify=false", "--creds", &credentials, &name];
    let config: Value = serde_json::from_str(&run(Command::new("skopeo").args(inspect))).expect("JSON");
    config["config"].clone()
}

/// Unpacks an image of the registry the way others do; its root file system.
pub(crate) fn unpack(registry: &Registry, tag: &str) -> PathBuf {
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
pub(crate) fn start(root: &Path, config: &Value, port: u16, log: Stdio) -> Running {
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
    Running(command.stdin(Stdio::null()).stdout(log).spawn().expect("bubblewrap"))
}

/// The answer of an agent that may still be starting.
pub(crate) async fn ask(process: &mut Running, port: u16, prompt: &str) -> Value {
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
    /// The agent, which is process 1 of its own.
    pub(crate) fn agent(&self) -> u32 {
        let said = run(Command::new("pgrep").args(["-P", &self.0.id().to_string()]));
        said.lines().find_map(|line| line.trim().parse().ok()).expect("the agent")
    }

    /// Sends SIGTERM to the agent and answers its exit code.
    pub(crate) fn end(&mut self) -> Option<i32> {
        run(Command::new("kill").args(["-TERM", &self.agent().to_string()]));
        self.0.wait().expect("its end").code()
    }
}
