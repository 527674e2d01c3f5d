//! `fargateer image` and `fargateer init`, as a person uses them, against the registry of `fargateer sim`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::binary::{self, Said};
use crate::running::{self, Running};

/// A registry with a base image, and a folder with an agent.
struct Bench {
    _sim: Running,
    endpoint: String,
    folder: TempDir,
}

fn digest(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes())))
}

impl Bench {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sim = Running::start(binary::command(folder.path(), &[], &["sim", "--listen", "127.0.0.1:0"]));
        let endpoint = running::address(&sim.wait_for("http://"));
        let bench = Self { _sim: sim, endpoint, folder };
        for repository in ["base/python", "agents/bot"] {
            bench.ecr("CreateRepository", &json!({"repositoryName": repository}));
        }
        let token = bench.ecr("GetAuthorizationToken", &json!({}));
        let token = token["authorizationData"][0]["authorizationToken"].as_str().expect("a token").to_owned();
        bench.base(&token, "3.11.1");
        let host = bench.host();
        bench.write(".docker/config.json", &json!({"auths": {host: {"auth": token}}}).to_string());
        // An agent that serves itself needs no packages, so that no index is needed either.
        bench.write("bot/agent_server.py", "print('served')\n");
        bench.write("bot/generated_agent.py", "agent = print\n");
        bench
    }

    fn ecr(&self, operation: &str, input: &Value) -> Value {
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let signed = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/ecr/aws4_request, Signature=0";
        let headers = [("x-amz-target", target), ("authorization", signed.to_owned())];
        serde_json::from_str(&running::http(&self.endpoint, "POST", "/", &headers, &input.to_string())).expect("JSON")
    }

    fn host(&self) -> String {
        self.endpoint.trim_start_matches("http://").to_owned()
    }

    /// Puts a base image without layers: Python's version is all that is asked of it.
    fn base(&self, token: &str, python: &str) {
        let config = json!({
            "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
            "config": {"Env": [format!("PYTHON_VERSION={python}")]},
        });
        let config = config.to_string();
        let login = [("authorization", format!("Basic {token}"))];
        let path = "/v2/base/python/blobs/uploads/";
        let started = running::exchange(&self.endpoint, "POST", path, &login, "");
        let place = started.lines().find_map(|line| line.strip_prefix("location: ")).expect("an upload").trim();
        running::http(&self.endpoint, "PUT", &format!("{place}?digest={}", digest(&config)), &login, &config);
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let described = json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(&config), "size": config.len()});
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": described, "layers": []});
        let headers = [login[0].clone(), ("content-type", media_type.to_owned())];
        let manifest = manifest.to_string();
        running::http(&self.endpoint, "PUT", "/v2/base/python/manifests/3.11-slim", &headers, &manifest);
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn run(&self, arguments: &[&str]) -> Said {
        binary::run(self.folder.path(), &[], arguments)
    }

    /// Builds the agent and pushes it.
    #[track_caller]
    fn build(&self, more: &[&str]) -> Value {
        let (base, push) = (format!("{}/base/python:3.11-slim", self.host()), format!("{}/agents/bot:v1", self.host()));
        let arguments = [&["image", "build", "bot", "--base", &base, "--push", &push, "-o", "json"], more].concat();
        let said = self.run(&arguments);
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        said.json()
    }
}

#[test]
fn an_image_is_built_pushed_shown_and_put_on_another_base() {
    let bench = Bench::start();
    let built = bench.build(&["--label", "team=support"]);
    let digest = built["digest"].as_str().expect("a digest");
    assert!(built["bytesSent"].as_u64().is_some_and(|bytes| bytes > 0), "{built}");
    let again = bench.build(&["--label", "team=support"]);
    assert_eq!((&again["digest"], &again["bytesSent"]), (&built["digest"], &json!(0)));
    let image = format!("{}/agents/bot:v1", bench.host());
    let shown = bench.run(&["image", "inspect", &image, "-o", "json"]).json();
    assert_eq!((shown["python"].as_str(), shown["labels"]["team"].as_str()), (Some("3.11"), Some("support")));
    assert!(shown["image"].as_str().is_some_and(|image| image.ends_with(digest)), "{shown}");
    assert!(bench.run(&["image", "inspect", &image]).out.contains("Layer:       code ("));
    let bill = bench.run(&["image", "sbom", &image]).json();
    assert_eq!(
        (bill["bomFormat"].as_str(), bill["metadata"]["component"]["version"].as_str()),
        (Some("CycloneDX"), Some(digest))
    );
    let provenance = bench.run(&["image", "sbom", "--provenance", &image]).json();
    assert_eq!(provenance["_type"], "https://in-toto.io/Statement/v1");
    let token = bench.ecr("GetAuthorizationToken", &json!({}));
    bench.base(token["authorizationData"][0]["authorizationToken"].as_str().expect("a token"), "3.11.9");
    let rebased = bench.run(&["image", "rebase", &image, "-o", "json"]).json();
    assert_ne!(rebased["digest"], built["digest"]);
    assert_eq!(rebased["layers"], json!({"present": 3, "mounted": 0, "sent": 0}));
    assert_eq!(bench.build(&["--label", "team=support"])["digest"], rebased["digest"]);
}

#[test]
fn what_an_image_says_acts_on_no_screen_and_no_login_is_told() {
    let bench = Bench::start();
    let evil = "\u{1b}[2J\u{202e}";
    bench.build(&["--label", &format!("x{evil}={evil}")]);
    let image = format!("{}/agents/bot:v1", bench.host());
    let token = fs::read_to_string(bench.folder.path().join(".docker/config.json")).expect("a login");
    let token: Value = serde_json::from_str(&token).expect("JSON");
    let token = token["auths"][bench.host()]["auth"].as_str().expect("a login").to_owned();
    for arguments in [
        &["image", "inspect", &image][..],
        &["image", "inspect", &image, "-o", "json"],
        &["image", "inspect", &image, "-o", "yaml"],
        &["image", "sbom", &image],
        &["image", "rebase", &image],
        &["image", "inspect", &format!("{}/agents/bot:{evil}", bench.host())],
        &["image", "build", evil],
        &["image", "build", "bot", "--push", &image, "--base", evil],
    ] {
        let said = bench.run(&[&["--log", "trace"], arguments].concat());
        let told = format!("{}{}", said.out, said.err);
        assert!(!told.contains('\u{1b}') && !told.contains('\u{202e}'), "{arguments:?}: {told:?}");
        assert!(!told.contains(&token), "{arguments:?}: {told}");
    }
}

#[test]
fn an_agent_deployment_in_the_folder_says_how_it_is_built() {
    let bench = Bench::start();
    let spec = "apiVersion: fargateer/v1\nkind: AgentDeployment\nmetadata: {name: bot}\nspec:\n  resources: {architecture: ARM64}\n  \
                image: {build: {context: ., base: BASE, python: \"3.11\"}}\n";
    let base = format!("{}/base/python:3.11-slim", bench.host());
    bench.write("bot/agent-deployment.yaml", &spec.replace("BASE", &base));
    for path in ["bot", "bot/agent-deployment.yaml"] {
        let said = bench.run(&["image", "build", path]);
        assert_eq!(said.code, 2, "{}{}", said.out, said.err);
        assert!(said.err.contains("it is for amd64, and the tasks run on arm64"), "{}", said.err);
    }
    bench.write("bot/agent-deployment.yaml", &spec.replace("BASE", &base).replace("ARM64", "X86_64"));
    let said = bench.run(&["image", "build", "bot"]);
    assert!(said.code == 0 && said.out.starts_with("sha256:"), "{}{}", said.out, said.err);
    // The spec itself is no part of the image.
    fs::remove_file(bench.folder.path().join("bot/agent-deployment.yaml")).expect("the spec");
    assert_eq!(bench.run(&["image", "build", "bot", "--base", &base]).out, said.out);
    bench.write("bot/agent-deployment.yaml", &spec.replace("context", "contxt"));
    let said = bench.run(&["image", "build", "bot"]);
    assert!(said.code == 2 && said.err.contains("agent-deployment.yaml:6:"), "{}", said.err);
}

#[test]
fn an_image_on_disk_is_the_one_that_is_pushed() {
    let bench = Bench::start();
    let saved = bench.build(&["--save", "oci-dir:layout"]);
    let digest = saved["digest"].as_str().expect("a digest");
    assert!(bench.folder.path().join("layout/blobs").join(digest.replace(':', "/")).is_file());
    bench.build(&["--save", "docker-archive:bot.tar"]);
    assert!(bench.folder.path().join("bot.tar").is_file());
    let base = format!("{}/base/python:3.11-slim", bench.host());
    let said = bench.run(&["image", "build", "bot", "--base", &base, "--output", "oci-dir:again"]);
    assert_eq!((said.code, said.out.trim()), (0, digest), "{}", said.err);
    assert!(bench.folder.path().join("again/index.json").is_file());
    let said = bench.run(&["image", "build", "bot", "--output", "tarball"]);
    assert!(said.code == 2 && said.err.contains("oci-dir:FOLDER") && said.err.contains("yaml"), "{}", said.err);
    for command in ["inspect", "sbom", "rebase"] {
        let said = bench.run(&["image", command, "oci-dir:layout"]);
        assert!(said.code == 2 && said.err.contains("layout is on this machine"), "{}", said.err);
    }
    let said = bench.run(&["image", "build", "bot", "--save", "tarball"]);
    assert!(said.code == 2 && said.err.contains("expected oci-dir:FOLDER"), "{}", said.err);
}

#[test]
fn what_cannot_be_built_is_told_with_its_reason() {
    let bench = Bench::start();
    let said = bench.run(&["image", "build", "nowhere"]);
    assert!(said.code == 2 && said.err.contains("nowhere does not exist"), "{}", said.err);
    let said = bench.run(&["image", "build", "bot/generated_agent.py"]);
    assert!(said.code == 2 && said.err.contains("hint: name the folder, bot"), "{}", said.err);
    bench.write("bot/other.yaml", "apiVersion: fargateer/v1\nkind: AgentDeployment\nmetadata: {name: a}\nspec:\n  cluster: c\n  image: {build: {context: ../elsewhere}}\n  network: {subnets: [subnet-1]}\n");
    let said = bench.run(&["image", "build", "bot", "--base", "localhost:1/x"]);
    assert!(said.err.contains("builds ../elsewhere, and says nothing of this build"), "{}", said.err);
    bench.write("bot/.env", "KEY=1\n");
    let said = bench.run(&["image", "build", "bot"]);
    assert!(
        said.code == 2 && said.err.contains("ContextInvalid: context: no secrets go into an image"),
        "{}",
        said.err
    );
    assert!(said.err.contains("hint:") && said.err.contains("allowSecretFiles"), "{}", said.err);
    let image = format!("{}/agents/bot:nowhere", bench.host());
    let said = bench.run(&["image", "inspect", &image]);
    assert!(said.code == 2 && said.err.contains("there is no such image"), "{}", said.err);
    bench.write(".docker/config.json", "{}");
    let said = bench.run(&["image", "inspect", &image]);
    assert!(said.code == 2 && said.err.contains("RegistryDenied"), "{}", said.err);
}

#[test]
fn a_new_agent_is_written_once_and_with_a_dockerfile_that_has_all_it_copies() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| binary::run(folder.path(), &[], arguments);
    let said = run(&["init", "agent", "support-bot", "--dockerfile"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let read = |path: &str| fs::read_to_string(folder.path().join("support-bot").join(path)).expect("a file");
    assert!(read("agent-deployment.yaml").contains("name: support-bot\n"));
    for copied in read("Dockerfile").lines().filter_map(|line| line.strip_prefix("COPY ")) {
        assert!(!read(copied.split(' ').next().expect("a file")).is_empty());
    }
    let again = run(&["init", "agent", "support-bot"]);
    assert!(again.code == 2 && again.err.contains("is there already"), "{}", again.err);
    let named = run(&["init", "agent", "Support Bot"]);
    assert!(named.code == 2 && named.err.contains("no name of an agent"), "{}", named.err);
}

/// A `docker` that only writes down what it is told.
fn docker(folder: &Path) -> String {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    let script = "#!/bin/sh\necho \"$@\" > told\nwhile [ $# -gt 0 ]; do\n  if [ \"$1\" = --metadata-file ]; then\n    \
                  echo '{\"containerimage.digest\": \"sha256:ab\"}' > \"$2\"\n  fi\n  shift\ndone\n";
    fs::write(bin.join("docker"), script).expect("a script");
    fs::set_permissions(bin.join("docker"), fs::Permissions::from_mode(0o755)).expect("a program");
    bin.display().to_string()
}

#[test]
fn docker_builds_a_dockerfile_where_it_is_asked_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let environment = [("PATH".to_owned(), docker(folder.path()))];
    let run = |arguments: &[&str]| binary::run(folder.path(), &environment, arguments);
    let none = run(&["image", "build", ".", "--docker"]);
    assert!(none.code == 2 && none.err.contains("./Dockerfile does not exist"), "{}", none.err);
    fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").expect("a file");
    let said = run(&["image", "build", ".", "--docker", "--arch", "arm64", "--push", "a.example.com/bot:1"]);
    assert_eq!((said.code, said.out.as_str()), (0, "sha256:ab\n"), "{}", said.err);
    let told = fs::read_to_string(folder.path().join("told")).expect("what docker was told");
    assert!(told.starts_with("buildx build --platform linux/arm64 --provenance=false"), "{told}");
    assert!(told.trim_end().ends_with("--tag a.example.com/bot:1 --push ."), "{told}");
}
