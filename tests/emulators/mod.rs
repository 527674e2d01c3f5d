//! Two AWS emulators written by others, each on a free port of this machine: moto for Application Auto Scaling and
//! ELBv2, ministack for everything else. They check us where our own simulator might share our mistakes.
//!
//! Declare it as `#[cfg(test)] mod emulators;`. The first start installs the emulators (python3 with venv, and the
//! Python package index); see `install.rs`. A start takes a few seconds, so tests share one where they can.
//!
//! # Where they depart from AWS
//!
//! Both:
//! - Accept cpu and memory pairs Fargate has not, and roles, subnets and security groups that are not there. A refusal
//!   proves something, an acceptance nothing.
//! - Know no throttling, no quotas, no eventual consistency: what was written is read at once.
//!
//! ministack:
//! - Starts no containers (it is kept from Docker here): a service's tasks are RUNNING and its deployment is COMPLETED
//!   at birth. No rollout is ever under way, none fails, none is rolled back; a deleted service is INACTIVE at once.
//! - Fills few of the defaults AWS fills (no hostPort, no protocol, no availabilityZoneRebalancing), and describes any
//!   number of services in one call.
//! - Ignores most pagination and the order of `ListServices`, and answers a second `CreateService`, the same or not,
//!   with a ClientException "not idempotent".
//! - Makes a missing cluster when a service is created in it.
//! - Has one registry: `registryId` in an ECR request is not looked at.
//! - Keeps its call log by region; only calls to [`REGION`] are seen.
//!
//! moto:
//! - Knows only its own ECS, so `RegisterScalableTarget` is refused until [`Emulators::prepare`] made the cluster and a
//!   service of the same name there, too. A service Fargateer deletes in ministack stays in moto. Scalable targets and
//!   policies are kept and never act on a service.
//! - Knows only its own VPCs, too: a target group needs one made at the endpoint of ELBv2. Its target groups never get
//!   targets, whatever the ECS service says.

mod calls;
mod http;
mod install;

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use serde_json::{Value, json};
use tempfile::TempDir;

use self::http::Aws;
use crate::server::{self, Process};

/// The region both speak for.
pub(crate) const REGION: &str = "us-east-1";
/// The account both speak for.
pub(crate) const ACCOUNT: &str = "111122223333";

/// Two running emulators; they end with this value, and with the process.
pub(crate) struct Emulators {
    moto: Aws,
    ministack: Aws,
    recording: PathBuf,
    cleared: Mutex<f64>,
    _processes: [Process; 2],
    _home: TempDir,
}

/// The Python that has boto3, which the emulators bring.
pub(crate) fn python() -> PathBuf {
    install::python()
}

impl Emulators {
    /// Where each answers, by its name.
    pub(crate) fn endpoints(&self) -> [(&'static str, String); 2] {
        [("moto", self.moto.url()), ("ministack", self.ministack.url())]
    }

    /// Starts both, and answers when both do. Panics with the reason when they cannot be installed or started.
    pub(crate) fn start() -> Self {
        let python = install::python();
        let home = TempDir::new().expect("a folder for the emulators' logs");
        let recording = home.path().join("moto-calls");
        fs::write(&recording, "").expect("a file for moto's calls");
        let home_path = home.path().display().to_string();
        let at_home = [("HOME", home_path.as_str()), ("TMPDIR", &home_path), ("PYTHONDONTWRITEBYTECODE", "1")];
        let (moto_port, moto) = server::on_a_free_port(
            "moto",
            |port| http::answers(port, "/moto-api/data.json"),
            |port| {
                let mut command = server::command(&python, &python, home.path(), "moto");
                command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]).envs(at_home);
                command.env("MOTO_ACCOUNT_ID", ACCOUNT).env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false");
                command.env("MOTO_ENABLE_RECORDING", "1").env("MOTO_RECORDER_FILEPATH", &recording);
                command
            },
        );
        let (ministack_port, ministack) = server::on_a_free_port(
            "ministack",
            |port| http::answers(port, "/_ministack/health"),
            |port| {
                let mut command = server::command(&python, &python, home.path(), "ministack");
                command.args(["-m", "ministack"]).envs(at_home);
                // Without it, it listens to the whole network; the brokers below always do.
                command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
                command.env("IOT_MTLS_ENABLED", "0").env("SFTP_ENABLED", "0");
                // Where Docker is, it would pull and run the images.
                command.env("DOCKER_HOST", format!("unix://{home_path}/no-docker"));
                command.env("MINISTACK_ACCOUNT_ID", ACCOUNT).env("MINISTACK_REGION", REGION);
                command.env("CLOUDTRAIL_RECORDING", "1").env("CLOUDTRAIL_MAX_EVENTS", "100000");
                command
            },
        );
        let (moto_aws, ministack_aws) = (Aws::new(moto_port), Aws::new(ministack_port));
        let cleared = Mutex::new(0.0);
        Self {
            moto: moto_aws,
            ministack: ministack_aws,
            recording,
            cleared,
            _processes: [moto, ministack],
            _home: home,
        }
    }

    /// The environment in which an AWS SDK or CLI talks to the emulators and to nothing else.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let (moto, ministack) = (self.moto.url(), self.ministack.url());
        let variables = [
            ("AWS_REGION", REGION),
            // boto3 and older CLIs know this one only.
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL", &ministack),
            ("AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING", &moto),
            ("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", &moto),
        ];
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Makes what specs take for granted: `clusters`; for `services` (cluster, service) the shadow in moto without
    /// which they cannot be scaled; and `images` (`repository:tag`, with or without the registry) in ECR. May be called
    /// again. None of it counts as a call.
    pub(crate) fn prepare(&self, clusters: &[&str], services: &[(&str, &str)], images: &[&str]) {
        for cluster in clusters {
            ecs(&self.ministack, "CreateCluster", &json!({"clusterName": cluster}));
            ecs(&self.moto, "CreateCluster", &json!({"clusterName": cluster}));
        }
        for (cluster, service) in services {
            let containers = json!([{"name": "shadow", "image": "shadow", "memory": 64}]);
            let definition = json!({"family": service, "containerDefinitions": containers});
            ecs(&self.moto, "CreateCluster", &json!({"clusterName": cluster}));
            ecs(&self.moto, "RegisterTaskDefinition", &definition);
            let request =
                json!({"cluster": cluster, "serviceName": service, "taskDefinition": service, "desiredCount": 0});
            ecs(&self.moto, "CreateService", &request);
        }
        for image in images {
            self.image(image);
        }
    }

    /// Every call since the last [`Self::clear_calls`] that does not just read, `service:Operation` as in an IAM
    /// policy, refused ones included: ministack's in order, then moto's in order.
    pub(crate) fn mutating_calls(&self) -> Vec<String> {
        let since = *self.cleared.lock().unwrap();
        let recording = fs::read_to_string(&self.recording).expect("moto's calls");
        let calls = calls::of_ministack(&self.ministack, since).into_iter().chain(calls::of_moto(&recording));
        calls.filter(|call| !call.is_ours && !call.only_reads()).map(|call| call.to_string()).collect()
    }

    /// Forgets the calls so far.
    pub(crate) fn clear_calls(&self) {
        *self.cleared.lock().unwrap() = calls::newest(&self.ministack);
        fs::write(&self.recording, "").expect("moto's calls");
    }

    fn image(&self, image: &str) {
        let named = image.split_once(".amazonaws.com/").map_or(image, |(_, rest)| rest);
        let (repository, tag) = named.rsplit_once(':').unwrap_or((named, "latest"));
        let ecr = |operation: &str, request: &Value| {
            self.ministack.call("ecr", &format!("AmazonEC2ContainerRegistry_V20150921.{operation}"), request);
        };
        ecr("CreateRepository", &json!({"repositoryName": repository}));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "size": 2,
                "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            },
            "layers": [],
            // Gives every image a digest of its own.
            "annotations": {"org.opencontainers.image.ref.name": named},
        });
        let text = manifest.to_string();
        ecr("PutImage", &json!({"repositoryName": repository, "imageManifest": text, "imageTag": tag}));
    }
}

fn ecs(aws: &Aws, operation: &str, request: &Value) {
    aws.call("ecs", &format!("AmazonEC2ContainerServiceV20141113.{operation}"), request);
}
