//! A simulated AWS whose tasks are processes, with one small agent packed as an image by hand.

#![expect(clippy::disallowed_methods, reason = "real processes run in real time, and are found on the PATH")]

use fargateer_sim::process::{Notice, Options, Python, drive};
use fargateer_sim::{Seed, Settings, Simulation, Tasks, Times};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

pub(crate) const REGION: &str = "us-east-1";
pub(crate) const GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/agents/0123456789abcdef";
pub(crate) const IMAGE: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com/agent:v1";
/// Nothing takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Place {
    pub(crate) aws: Simulation,
    pub(crate) notices: mpsc::UnboundedReceiver<Notice>,
    stop: Option<oneshot::Sender<()>>,
    driver: Option<JoinHandle<std::io::Result<()>>>,
    _cache: TempDir,
}

/// Every step of AWS's own at once: what takes time is real. Targets drain as long as AWS lets them.
fn times() -> Times {
    Times { retry: Duration::from_millis(200), drain: Duration::from_mins(5), ..Times::instant() }
}

impl Place {
    pub(crate) async fn new() -> Self {
        let aws = Simulation::new(Settings { tasks: Tasks::Driven, times: times(), ..Settings::default() });
        aws.seed(Seed {
            region: REGION.to_owned(),
            clusters: vec!["blue".to_owned()],
            capacity_providers: true,
            target_groups: vec![GROUP.to_owned()],
            images: vec![IMAGE.replace("v1", "name-alone")],
            log_groups: vec!["/ecs/agent".to_owned()],
            ..Seed::default()
        });
        let label = json!({"io.fargateer.image.settings": "{}"});
        push(&aws, "v1", &label);
        push(&aws, "of-others", &json!({}));
        let cache = TempDir::new().unwrap();
        let options = Options {
            cache: cache.path().to_owned(),
            python: Python::find("3.11").await.unwrap(),
            path: std::env::var("PATH").unwrap(),
            environment: vec![("COMMON".to_owned(), "to all".to_owned())],
        };
        let (tell, notices) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let stopped = async move { drop(stopped.await) };
        let driver = tokio::spawn(drive(aws.clone(), options, tell, stopped));
        let place = Self { aws, notices, stop: Some(stop), driver: Some(driver), _cache: cache };
        place.call(
            "elbv2",
            "ModifyTargetGroup",
            json!({"TargetGroupArn": GROUP, "HealthCheckPath": "/ready", "HealthCheckIntervalSeconds": 5,
                "HealthCheckTimeoutSeconds": 4, "UnhealthyThresholdCount": 2, "HealthyThresholdCount": 2}),
        );
        place
    }

    /// Ends all tasks, as the end of the program does.
    pub(crate) async fn end(&mut self) {
        drop(self.stop.take());
        self.driver.take().unwrap().await.unwrap().unwrap();
    }

    pub(crate) fn call(&self, service: &str, operation: &str, input: Value) -> Value {
        self.aws.call(REGION, service, operation, input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    pub(crate) fn ecs(&self, operation: &str, input: Value) -> Value {
        self.call("ecs", operation, input)
    }

    /// Creates the service `agent` of `count` tasks whose containers are changed as said.
    pub(crate) fn create(&self, count: u32, balanced: bool, changes: &Value) {
        self.register(changes);
        let balancers = json!([{"targetGroupArn": GROUP, "containerName": "agent", "containerPort": 8000}]);
        self.ecs(
            "CreateService",
            json!({
                "cluster": "blue",
                "serviceName": "agent",
                "taskDefinition": "agent",
                "desiredCount": count,
                "launchType": "FARGATE",
                "loadBalancers": if balanced { balancers } else { json!([]) },
                "deploymentConfiguration": {
                    "minimumHealthyPercent": 100, "maximumPercent": 200,
                    "deploymentCircuitBreaker": {"enable": true, "rollback": true},
                },
                "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"], "securityGroups": ["sg-a"]}},
            }),
        );
    }

    /// Registers a revision whose container is changed as said; answers its ARN.
    pub(crate) fn register(&self, changes: &Value) -> String {
        let mut container = json!({
            "name": "agent",
            "image": IMAGE,
            "portMappings": [{"containerPort": 8000}],
            "healthCheck": {"command": ["CMD", "python3", "-I", "-S", "-c", CHECK], "interval": 5, "retries": 2, "timeout": 4},
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/ecs/agent", "awslogs-region": REGION, "awslogs-stream-prefix": "ecs"}},
        });
        let members = container.as_object_mut().unwrap();
        members.extend(changes.as_object().unwrap().clone());
        members.retain(|_, value| !value.is_null());
        let answer = self.ecs(
            "RegisterTaskDefinition",
            json!({
                "family": "agent",
                "networkMode": "awsvpc",
                "requiresCompatibilities": ["FARGATE"],
                "cpu": "256",
                "memory": "512",
                "executionRoleArn": "arn:aws:iam::111122223333:role/exec",
                "containerDefinitions": [container],
            }),
        );
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    }

    pub(crate) fn service(&self) -> Value {
        self.ecs("DescribeServices", json!({"cluster": "blue", "services": ["agent"]}))["services"][0].clone()
    }

    /// The tasks of the service that are meant to run, or that have stopped.
    pub(crate) fn tasks(&self, status: &str) -> Vec<Value> {
        let arns = self.ecs("ListTasks", json!({"cluster": "blue", "desiredStatus": status}))["taskArns"].clone();
        if arns == json!([]) {
            return Vec::new();
        }
        self.ecs("DescribeTasks", json!({"cluster": "blue", "tasks": arns}))["tasks"].as_array().unwrap().clone()
    }

    /// Waits until the deployment of the service has completed.
    pub(crate) async fn steady(&self) {
        until("the service is steady", || {
            let service = self.service();
            let deployments = service["deployments"].as_array().unwrap();
            (deployments.len() == 1 && deployments[0]["rolloutState"] == "COMPLETED").then_some(())
        })
        .await;
    }

    /// Everything a task has said.
    pub(crate) fn log(&self, task: &Value) -> Vec<String> {
        let id = task["taskArn"].as_str().unwrap().rsplit('/').next().unwrap();
        let input =
            json!({"logGroupName": "/ecs/agent", "logStreamName": format!("ecs/agent/{id}"), "startFromHead": true});
        let Ok(answer) = self.aws.call(REGION, "logs", "GetLogEvents", input) else { return Vec::new() };
        let events = answer["events"].as_array().unwrap().iter();
        events.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Where the load balancer answers.
    pub(crate) async fn front(&self) -> SocketAddr {
        let url = until("a load balancer answers", || self.aws.fronts().get(GROUP).cloned()).await;
        url.trim_start_matches("http://").parse().unwrap()
    }
}

/// Asks the agent for its health, where the image says that it is.
const CHECK: &str = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=3)";

/// Pushes the agent as an image with these labels.
fn push(aws: &Simulation, tag: &str, labels: &Value) {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    let agent = include_bytes!("agent.py");
    header.set_size(agent.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "app/agent_server.py", agent.as_slice()).unwrap();
    let mut gzip = tar.into_inner().unwrap();
    gzip.flush().unwrap();
    let config = json!({
        "os": "linux",
        "config": {
            "Cmd": ["/usr/local/bin/python3", "/app/agent_server.py", "from-the-image"],
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "PYTHONDONTWRITEBYTECODE=1"],
            "WorkingDir": "/app",
            "Labels": labels,
        },
    });
    aws.seed_image(REGION, "agent", tag, (&config, &gzip.finish().unwrap())).unwrap();
}

pub(crate) fn address(task: &Value) -> SocketAddr {
    let details = task["attachments"][0]["details"].as_array().unwrap();
    let detail = details.iter().find(|detail| detail["name"] == "privateIPv4Address").unwrap();
    SocketAddr::new(detail["value"].as_str().unwrap().parse().unwrap(), 8000)
}

/// Waits until something is there.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "never came to be: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Makes one request over one connection. The status, and what was answered.
pub(crate) async fn ask(address: SocketAddr, method: &str, path: &str) -> Result<(u16, Value), String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}");
        stream.write_all(request.as_bytes()).await?;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&heard).into_owned())
    };
    let heard =
        timeout(PATIENCE, exchange).await.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())?;
    let status = heard.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("nothing was answered")?;
    let body = heard.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}
