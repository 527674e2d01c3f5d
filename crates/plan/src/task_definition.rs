//! The task definition: rendered from a spec, compared in canonical form, registered only when no revision fits.
//!
//! Documents are JSON in the shape of the ECS API, not the SDK's types: a field neither of us has heard of still
//! survives, is compared and is shown. Revisions are immutable, so a comparison is by content.

use fargateer_api::AgentDeployment;
use fargateer_api::spec::{Architecture, LogMode};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::difference::{self, Difference, Effect};
use crate::tags::{self, Tags};
use crate::{merge, normal};

/// Python in images that we build.
const PYTHON: &str = "/opt/agent/venv/bin/python";
/// Seconds from SIGTERM to SIGKILL where a spec says nothing (ECS developer guide, ECS_CONTAINER_STOP_TIMEOUT on Fargate).
const STOP_TIMEOUT: u32 = 30;
/// Seconds of them in which an agent ends after its last call.
const LEAVE: u32 = 5;

/// A registered revision, as ECS describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// ARN with the revision number.
    pub arn: String,
    /// The described document; another one is another `Live::new`.
    pub document: Value,
    /// Its tags.
    pub tags: Tags,
    /// Digest of its canonical form.
    canonical: String,
}

impl Live {
    /// The revision `arn` with this document.
    pub fn new(arn: String, document: Value, tags: Tags) -> Self {
        let canonical = normal::digest(&normal::task_definition(&document));
        Self { arn, document, tags, canonical }
    }

    /// Reads a DescribeTaskDefinition or RegisterTaskDefinition answer (`{taskDefinition, tags}`).
    pub fn from_answer(answer: &Value) -> Option<Self> {
        let document = answer.get("taskDefinition")?.clone();
        let arn = document.get("taskDefinitionArn")?.as_str()?.to_owned();
        Some(Self::new(arn, document, tags::from_list(answer.get("tags"))))
    }

    /// The revision `arn` as the service that runs it vouches for it: its digest is known, its document is not.
    pub fn vouched(arn: &str, digest: &str) -> Self {
        Self { arn: arn.to_owned(), document: Value::Null, tags: Tags::new(), canonical: digest.to_owned() }
    }

    /// Whether `digest` is that of its canonical form.
    pub fn has_digest(&self, digest: &str) -> bool {
        self.canonical == digest
    }

    /// Whether only its digest is known.
    pub fn is_vouched(&self) -> bool {
        self.document.is_null()
    }

    /// The same in little room.
    pub fn fold(&self) -> Folded {
        let answer = json!({"taskDefinition": self.document, "tags": tags::to_list(&self.tags)});
        Folded { text: answer.to_string().into(), canonical: self.canonical.as_str().into() }
    }

    /// Whether this revision is what `wanted` asks for.
    ///
    /// Equal in canonical form; or registered by us from that very form (digest tag) and unchanged from what AWS then
    /// made of it (echo tag). So a default AWS fills that we do not know cannot make us register for ever, and a
    /// revision somebody copied together with its tags and edited is still seen.
    pub fn matches(&self, wanted: &Wanted) -> bool {
        let live = &self.canonical;
        let echoed = self.tags.get(tags::DIGEST) == Some(&wanted.digest) && self.tags.get(tags::ECHO) == Some(live);
        *live == wanted.digest || echoed
    }

    /// Whether it carries the owner and the agent that `tags` carry.
    pub fn is_ours(&self, tags: &Tags) -> bool {
        let (Some(owner), Some(agent)) = (tags.get(tags::OWNER), tags.get(tags::AGENT)) else {
            return false;
        };
        tags::ownership(&self.tags, owner, agent) == tags::Ownership::Ours
    }

    /// Whether ECS would still start tasks from it.
    pub fn is_active(&self) -> bool {
        self.document.get("status").is_none_or(|status| status == "ACTIVE")
    }

    /// The echo tag this revision needs: present when AWS made something else of what we asked for.
    pub fn echo(&self) -> Option<String> {
        let asked = self.tags.get(tags::DIGEST)?;
        (*asked != self.canonical).then(|| self.canonical.clone())
    }
}

/// A revision in as little room as it takes: thousands of them are remembered, and a document of small maps is many times
/// as large as its text.
#[derive(Debug, Clone)]
pub struct Folded {
    text: Box<str>,
    canonical: Box<str>,
}

impl Folded {
    /// The revision as it was; none where the text is none of `Live::fold`.
    pub fn unfold(&self) -> Option<Live> {
        let mut answer: Value = serde_json::from_str(&self.text).ok()?;
        let document = answer.get_mut("taskDefinition")?.take();
        let arn = document.get("taskDefinitionArn")?.as_str()?.to_owned();
        let canonical = self.canonical.to_string();
        Some(Live { arn, document, tags: tags::from_list(answer.get("tags")), canonical })
    }
}

/// What a spec asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The RegisterTaskDefinition request, without tags, as text: it is kept for every agent and hardly ever read.
    text: Box<str>,
    /// Digest of its canonical form.
    pub digest: String,
}

/// A write to task definitions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// RegisterTaskDefinition with this request.
    Register(Value),
    /// TagResource on a revision: remember what AWS made of our request.
    Tag {
        /// The revision.
        arn: String,
        /// The tags to set.
        tags: Tags,
    },
    /// UntagResource on a revision that is not to be ours any more.
    Untag {
        /// The revision.
        arn: String,
        /// Keys to remove.
        keys: Vec<String>,
    },
    /// DeregisterTaskDefinition of an old revision of ours.
    Deregister(String),
}

/// What a service remembers of the revision `arn`, which was asked for with `digest`.
pub fn voucher(arn: &str, digest: &str) -> Option<String> {
    arn.rsplit_once(':').map(|(_, number)| format!("{number}:{digest}"))
}

/// The digest that `voucher` says the revision `arn` of `family` has.
pub fn vouched_digest<'a>(voucher: &'a str, arn: &str, family: &str) -> Option<&'a str> {
    let (number, digest) = voucher.split_once(':')?;
    let same = family_of(arn) == family && arn.rsplit_once(':').is_some_and(|(_, live)| live == number);
    same.then_some(digest)
}

/// The RegisterTaskDefinition request that `agent` means, running `image`; `live` gives the fields drift ignores.
pub fn from_spec(agent: &AgentDeployment, image: &str, live: Option<&Live>) -> Wanted {
    let spec = &agent.spec;
    let mut document = json!({
        "family": agent.task_family(),
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": spec.resources.cpu.to_string(),
        "memory": spec.resources.memory.to_string(),
        "containerDefinitions": containers(agent, image),
        "runtimePlatform": {"cpuArchitecture": architecture(spec.resources.architecture), "operatingSystemFamily": "LINUX"},
    });
    if let Some(fields) = document.as_object_mut() {
        put(fields, "executionRoleArn", spec.roles.execution.as_ref().map(|role| json!(role)));
        put(fields, "taskRoleArn", spec.roles.task.as_ref().map(|role| json!(role)));
        // 20 GiB is what every task has; the API refuses the number itself.
        let storage = spec.resources.ephemeral_storage_gib.filter(|size| *size > 20);
        put(fields, "ephemeralStorage", storage.map(|size| json!({"sizeInGiB": size})));
    }
    let mut document = merge::task_definition(document, &spec.overrides.task_definition);
    for pointer in spec.drift.ignore.iter().filter_map(|path| path.strip_prefix("/taskDefinition")) {
        merge::keep_live(&mut document, live.map(|live| &live.document), pointer);
    }
    let digest = normal::digest(&normal::task_definition(&document));
    Wanted { text: document.to_string().into(), digest }
}

impl Wanted {
    /// The RegisterTaskDefinition request, without tags.
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// The fields in which the revision a service runs differs from what is wanted.
pub fn diff(live: &Live, wanted: &Wanted) -> Vec<Difference> {
    if live.matches(wanted) {
        return Vec::new();
    }
    let (mut have, mut want) = (normal::task_definition(&live.document), normal::task_definition(&wanted.document()));
    by_name(&mut have);
    by_name(&mut want);
    difference::between("/taskDefinition", &have, &want, Effect::RestartsTasks)
}

/// The RegisterTaskDefinition request with our tags.
pub fn request(wanted: &Wanted, tags: &Tags) -> Value {
    let mut tags = tags.clone();
    tags.insert(tags::DIGEST.to_owned(), wanted.digest.clone());
    let mut request = wanted.document();
    if let Some(fields) = request.as_object_mut() {
        fields.insert("tags".to_owned(), tags::to_list(&tags));
    }
    request
}

/// Which old revisions of ours may be deregistered, oldest first: never one that is in use or among the newest `keep`.
///
/// A rollback returns to an older revision, so the newest ones stay (facts: ECS developer guide, circuit breaker).
/// Whose they are is told by `tags`: agents may share a family.
pub fn outdated<'a>(revisions: &'a [Live], in_use: &[String], keep: usize, tags: &Tags) -> Vec<&'a Live> {
    let mut ours: Vec<&Live> = revisions.iter().filter(|live| live.is_ours(tags)).collect();
    ours.sort_by_key(|live| std::cmp::Reverse(revision_number(&live.arn)));
    let mut old: Vec<&Live> = ours.into_iter().skip(keep).filter(|live| !in_use.contains(&live.arn)).collect();
    old.reverse();
    old
}

/// The family in a task definition's ARN, `family:revision` or plain family.
pub fn family_of(arn: &str) -> &str {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    name.split(':').next().unwrap_or(name)
}

/// The revision number in an ARN; 0 where there is none.
pub fn revision_number(arn: &str) -> u64 {
    arn.rsplit(':').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn containers(agent: &AgentDeployment, image: &str) -> Value {
    let sidecars = agent.spec.sidecars.iter().cloned().map(Value::Object);
    std::iter::once(main_container(agent, image)).chain(sidecars).collect()
}

fn main_container(agent: &AgentDeployment, image: &str) -> Value {
    let container = &agent.spec.container;
    let mut document = json!({
        "name": container.name,
        "image": image,
        "essential": true,
        "portMappings": [{"containerPort": container.port, "protocol": "tcp"}],
        "environment": environment(agent, image),
        "healthCheck": health_check(agent),
    });
    let Some(fields) = document.as_object_mut() else {
        return document;
    };
    let secret =
        |(name, secret): (&String, &fargateer_api::spec::Secret)| json!({"name": name, "valueFrom": secret.value_from});
    let secrets: Vec<Value> = container.secrets.iter().map(secret).collect();
    put(fields, "secrets", (!secrets.is_empty()).then(|| json!(secrets)));
    put(fields, "command", (!container.command.is_empty()).then(|| json!(container.command)));
    put(fields, "entryPoint", (!container.entry_point.is_empty()).then(|| json!(container.entry_point)));
    put(fields, "workingDirectory", container.working_directory.as_ref().map(|path| json!(path)));
    put(fields, "user", container.user.as_ref().map(|user| json!(user)));
    put(fields, "readonlyRootFilesystem", container.readonly_root_filesystem.then_some(json!(true)));
    put(fields, "linuxParameters", container.init_process.then(|| json!({"initProcessEnabled": true})));
    put(fields, "stopTimeout", container.stop_timeout.map(|seconds| json!(seconds)));
    put(fields, "logConfiguration", log_configuration(agent));
    document
}

/// So many digits of an image's digest tell it from all others of its agent.
const REVISION: usize = 12;

/// The spec's variables; where we build the image ourselves, what our runtime in it goes by besides.
fn environment(agent: &AgentDeployment, image: &str) -> Value {
    let container = &agent.spec.container;
    let mut variables = container.environment.clone();
    if agent.has_runtime() {
        let mut add = |name: &str, value: String| {
            variables.entry(name.to_owned()).or_insert(value);
        };
        add("AGENT_NAME", agent.metadata.name.clone());
        // The number of the revision is not known before it is registered; the image says as much of what runs.
        if let Some((_, digest)) = image.split_once("@sha256:") {
            add("AGENT_REVISION", digest.chars().take(REVISION).collect());
        }
        add("PORT", container.port.to_string());
        // What is still under way then is ended in good order before ECS kills the task.
        let grace = container.stop_timeout.unwrap_or(STOP_TIMEOUT).saturating_sub(LEAVE);
        add("AGENT_SHUTDOWN_GRACE_SECONDS", grace.to_string());
    }
    variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn health_check(agent: &AgentDeployment) -> Value {
    let (check, port) = (&agent.spec.container.health_check, agent.spec.container.port);
    let path = &check.path;
    let curl = || json!(["CMD-SHELL", format!("curl -f http://localhost:{port}{path} || exit 1")]);
    let command = match (agent.has_runtime(), check.command.is_empty()) {
        (_, false) => json!(check.command),
        (false, true) => curl(),
        (true, true) => json!(["CMD", PYTHON, "-I", "-S", "-c", asking(port, path)]),
    };
    json!({
        "command": command,
        "interval": check.interval,
        "timeout": check.timeout,
        "retries": check.retries,
        "startPeriod": check.start_period,
    })
}

/// Python that asks once whether the agent can serve: slim images have neither curl nor a shell's ways to do so.
fn asking(port: u16, path: &str) -> String {
    let path = path.replace(['\\', '\''], "");
    [
        "import socket,sys",
        "try:",
        &format!(" s=socket.create_connection(('127.0.0.1',{port}),3);s.settimeout(3)"),
        &format!(" s.sendall(b'GET {path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n')"),
        " sys.exit(b' 200 ' not in s.recv(64))",
        "except OSError:",
        " sys.exit(1)",
    ]
    .join("\n")
}

fn log_configuration(agent: &AgentDeployment) -> Option<Value> {
    let logging = &agent.spec.logging;
    let mut options = json!({
        "awslogs-group": agent.log_group(),
        "awslogs-region": agent.spec.region,
        "awslogs-stream-prefix": logging.stream_prefix,
    });
    if let Some(fields) = options.as_object_mut() {
        let mode = logging.mode.map(|mode| match mode {
            LogMode::Blocking => json!("blocking"),
            LogMode::NonBlocking => json!("non-blocking"),
        });
        put(fields, "mode", mode);
        put(fields, "max-buffer-size", logging.max_buffer_size.as_ref().map(|size| json!(size)));
    }
    logging.enabled.then(|| json!({"logDriver": "awslogs", "options": options}))
}

fn architecture(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "X86_64",
        Architecture::Arm64 => "ARM64",
    }
}

/// Inserts `value` unless there is none: absent and null are not the same to the API.
fn put(fields: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        fields.insert(key.to_owned(), value);
    }
}

/// Turns the lists people think of by name into maps, so that a difference names the container and the variable.
fn by_name(document: &mut Value) {
    name_list(document, "containerDefinitions", |container| {
        name_list(container, "environment", |_| ());
        name_list(container, "secrets", |_| ());
    });
}

fn name_list(parent: &mut Value, key: &str, each: impl Fn(&mut Value)) {
    let Some(items) = parent.get_mut(key).and_then(Value::as_array_mut) else {
        return;
    };
    let named = items.iter_mut().map(|item| {
        each(item);
        let name = item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let plain = item.get("value").filter(|_| item.as_object().is_some_and(|fields| fields.len() == 2)).cloned();
        (name, plain.unwrap_or_else(|| item.clone()))
    });
    let named: Map<String, Value> = named.collect();
    parent[key] = Value::Object(named);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(more: &Value) -> Value {
        let mut spec = json!({"cluster": "agents", "image": {"uri": "x"}, "network": {"subnets": ["subnet-1"]}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let agent =
            json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "bot"}, "spec": spec});
        from_spec(&serde_json::from_value(agent).unwrap(), "x", None).document()
    }

    fn revision(number: u32, owner: &str, agent: &str) -> Live {
        Live::new(format!("arn/bot:{number}"), json!({}), tags::owned(owner, agent, &Tags::new()))
    }

    #[test]
    fn the_storage_every_task_has_is_not_sent_and_more_is() {
        let storage =
            |size: u32| document(&json!({"resources": {"ephemeralStorageGiB": size}})).get("ephemeralStorage").cloned();
        assert_eq!((storage(20), storage(21)), (None, Some(json!({"sizeInGiB": 21}))));
        assert_eq!(document(&json!({})).get("ephemeralStorage"), None);
    }

    #[test]
    fn a_revisions_number_and_family_are_read_from_its_arn() {
        let arn = "arn:aws:ecs:us-east-1:1:task-definition/bot:42";
        assert_eq!((revision_number(arn), family_of(arn)), (42, "bot"));
        assert_eq!((revision_number("bot"), family_of("bot:7")), (0, "bot"));
    }

    #[test]
    fn the_oldest_beyond_those_to_keep_are_outdated_unless_in_use_or_not_ours() {
        let mut revisions: Vec<Live> = [3, 10, 9, 1, 2].map(|number| revision(number, "prod", "bot")).to_vec();
        revisions.extend([revision(4, "prod", "other"), revision(5, "stage", "bot")]);
        let ours = tags::owned("prod", "bot", &Tags::new());
        let numbers = |in_use: &[&str], keep: usize| -> Vec<u64> {
            let in_use: Vec<String> = in_use.iter().map(|arn| (*arn).to_owned()).collect();
            outdated(&revisions, &in_use, keep, &ours).into_iter().map(|live| revision_number(&live.arn)).collect()
        };
        assert_eq!(numbers(&[], 2), [1, 2, 3]);
        assert_eq!(numbers(&["arn/bot:2"], 2), [1, 3]);
        assert_eq!(numbers(&[], 9), Vec::<u64>::new());
        assert_eq!(outdated(&revisions, &[], 0, &Tags::new()), Vec::<&Live>::new());
    }

    #[test]
    fn a_folded_revision_is_the_same_when_it_is_unfolded() {
        let arn = "arn:aws:ecs:us-east-1:1:task-definition/bot:7";
        let document =
            json!({"taskDefinitionArn": arn, "family": "bot", "status": "ACTIVE", "novelty": [1, {"a": null}]});
        let tags = Tags::from([(tags::OWNER.to_owned(), "prod".to_owned())]);
        let live = Live::new(arn.to_owned(), document, tags);
        assert_eq!(live.fold().unfold(), Some(live));
    }

    #[test]
    fn a_service_vouches_for_one_revision_and_no_other() {
        let arn = |tail: &str| format!("arn:aws:ecs:us-east-1:1:task-definition/{tail}");
        let voucher = voucher(&arn("bot:7"), "ab").unwrap();
        assert_eq!(vouched_digest(&voucher, &arn("bot:7"), "bot"), Some("ab"));
        assert_eq!(vouched_digest(&voucher, &arn("bot:8"), "bot"), None);
        assert_eq!(vouched_digest(&voucher, &arn("other:7"), "bot"), None);
    }

    #[test]
    fn a_revision_matches_by_what_aws_made_of_our_request_but_not_once_edited() {
        let asked = json!({"family": "bot", "containerDefinitions": [{"name": "c"}]});
        let digest = normal::digest(&normal::task_definition(&asked));
        let wanted = Wanted { text: asked.to_string().into(), digest: digest.clone() };
        let mut made = asked;
        made["novelty"] = json!(1);
        let mut live = Live::new("arn".to_owned(), made, Tags::new());
        assert!(!live.matches(&wanted));
        assert_eq!(live.echo(), None, "nobody knows what was asked for");
        live.tags.insert(tags::DIGEST.to_owned(), digest);
        let echo = live.echo().unwrap();
        live.tags.insert(tags::ECHO.to_owned(), echo);
        assert!(live.matches(&wanted));
        let mut edited = live.document.clone();
        edited["novelty"] = json!(2);
        let live = Live::new(live.arn, edited, live.tags);
        assert!(!live.matches(&wanted));
        assert!(!diff(&live, &wanted).is_empty());
    }
}
