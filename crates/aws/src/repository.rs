//! Repositories in ECR, and the login to push to them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fargateer_api::Reason;
use fargateer_plan::desired::Place;
use fargateer_plan::echo::Done;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::repository::{self, Change, Live};
use fargateer_plan::seen::Seen;
use fargateer_plan::tags::Tags;
use serde_json::{Value, json};

use crate::caller::{Caller, Operation, items, text};
use crate::error;
use crate::memory::Memory;
use crate::quota::Group;

/// What this file calls, and what a login is good for: the registry's own protocol asks for these.
pub(crate) const PERMISSIONS: &[&str] = &[
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:CreateRepository",
    "ecr:DeleteRepository",
    "ecr:DescribeRepositories",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetLifecyclePolicy",
    "ecr:InitiateLayerUpload",
    "ecr:ListTagsForResource",
    "ecr:PutImage",
    "ecr:PutImageScanningConfiguration",
    "ecr:PutImageTagMutability",
    "ecr:PutLifecyclePolicy",
    "ecr:TagResource",
    "ecr:UntagResource",
    "ecr:UploadLayerPart",
];

const DESCRIBE: Operation = Operation::new("ecr.DescribeRepositories", Group::Images);
const TAGS: Operation = Operation::new("ecr.ListTagsForResource", Group::Images);
const POLICY: Operation = Operation::new("ecr.GetLifecyclePolicy", Group::Images);
const LOGIN: Operation = Operation::new("ecr.GetAuthorizationToken", Group::Images);
const CREATE: Operation = Operation::new("ecr.CreateRepository", Group::Repositories);
const PUT_POLICY: Operation = Operation::new("ecr.PutLifecyclePolicy", Group::Repositories);
const MUTABILITY: Operation = Operation::new("ecr.PutImageTagMutability", Group::Repositories);
const SCANNING: Operation = Operation::new("ecr.PutImageScanningConfiguration", Group::Repositories);
const UNTAG: Operation = Operation::new("ecr.UntagResource", Group::Repositories);
const DELETE: Operation = Operation::new("ecr.DeleteRepository", Group::Repositories);

/// Repositories hardly ever change: they are believed so many times longer than what does.
const SLOWER: u32 = 4;

/// Repositories of all places.
#[derive(Debug)]
pub(crate) struct Repositories {
    known: Memory<(Place, String), Live>,
}

impl Repositories {
    pub(crate) fn new(believed: Duration) -> Self {
        Self { known: Memory::new(believed * SLOWER) }
    }

    /// Nothing is believed any more.
    pub(crate) fn distrust(&self) {
        self.known.clear();
    }

    /// The repository `name`, perhaps as it was a while ago.
    pub(crate) async fn observe(&self, caller: &Caller<'_>, name: &str) -> Seen<Live> {
        let key = (caller.place.clone(), name.to_owned());
        if let Some(live) = self.known.get(&key) {
            return Seen::Present(live);
        }
        match read(caller, name).await {
            Ok(Some(live)) => {
                self.known.put(key, live.clone());
                Seen::Present(live)
            }
            Ok(None) => Seen::Absent,
            Err(failure) => Seen::Unknown(failure),
        }
    }

    /// Carries out `change`.
    pub(crate) async fn apply(&self, caller: &Caller<'_>, change: &Change) -> Result<Done, Failure> {
        if let Change::Create(request) = change {
            return self.create(caller, request).await;
        }
        let ecr = &caller.clients.ecr_writes;
        let name = match change {
            Change::Create(_) | Change::Untag { .. } => String::new(),
            Change::Lifecycle { name, .. }
            | Change::Mutability { name, .. }
            | Change::Scanning { name, .. }
            | Change::Delete { name } => name.clone(),
        };
        let key = (caller.place.clone(), name);
        let mut before = self.known.get(&key).map_or(Seen::NotLooked, Seen::Present);
        self.known.forget(&key);
        let result = match change {
            Change::Create(_) => Ok(Value::Null),
            Change::Lifecycle { name, policy } => {
                let request = json!({"repositoryName": name, "lifecyclePolicyText": policy});
                let send = |exchange| ecr.put_lifecycle_policy().customize().interceptor(exchange).send();
                caller.json(PUT_POLICY, &request, send).await
            }
            Change::Mutability { name, mutability } => {
                let request = json!({"repositoryName": name, "imageTagMutability": mutability});
                let send = |exchange| ecr.put_image_tag_mutability().customize().interceptor(exchange).send();
                caller.json(MUTABILITY, &request, send).await
            }
            Change::Scanning { name, scans } => {
                let request = json!({"repositoryName": name, "imageScanningConfiguration": {"scanOnPush": scans}});
                let send = |exchange| ecr.put_image_scanning_configuration().customize().interceptor(exchange).send();
                caller.json(SCANNING, &request, send).await
            }
            Change::Untag { arn, keys } => {
                let request = json!({"resourceArn": arn, "tagKeys": keys});
                let send = |exchange| ecr.untag_resource().customize().interceptor(exchange).send();
                caller.json(UNTAG, &request, send).await
            }
            Change::Delete { name } => {
                let request = json!({"repositoryName": name, "force": true});
                let send = |exchange| ecr.delete_repository().customize().interceptor(exchange).send();
                caller.json(DELETE, &request, send).await
            }
        };
        let is_gone = |failure: &Failure| failure.code == "RepositoryNotFoundException";
        match result {
            Err(failure) if is_gone(&failure) && matches!(change, Change::Delete { .. }) => Ok(Done::Nothing),
            other => {
                other?;
                repository::echo(&mut before, change, None);
                if let Seen::Present(live) = before {
                    self.known.put(key, live);
                }
                Ok(Done::Nothing)
            }
        }
    }

    /// One that is there all the same was made by a call whose answer was lost, or by somebody else: its tags tell.
    async fn create(&self, caller: &Caller<'_>, request: &Value) -> Result<Done, Failure> {
        let name = text(request, "repositoryName").to_owned();
        let key = (caller.place.clone(), name.clone());
        let send = |exchange| caller.clients.ecr_writes.create_repository().customize().interceptor(exchange).send();
        let live = match caller.json(CREATE, request, send).await {
            Ok(answer) => {
                let tags = items(request, "tags").iter().map(tag).collect();
                answer.get("repository").map(|repository| live(repository, tags, false))
            }
            Err(failure) if failure.code == "RepositoryAlreadyExistsException" => read(caller, &name).await?,
            Err(failure) => return Err(failure),
        };
        let Some(live) = live else { return Ok(Done::Nothing) };
        self.known.put(key, live.clone());
        Ok(Done::Repository(live))
    }
}

/// User and password for the registry of a place's account and region, and its address. Good for twelve hours.
pub(crate) async fn login(caller: &Caller<'_>) -> Result<(String, String, String), Failure> {
    let send = |exchange| caller.clients.ecr.get_authorization_token().customize().interceptor(exchange).send();
    let answer = caller.json(LOGIN, &json!({}), send).await?;
    let data = items(&answer, "authorizationData").first().cloned().unwrap_or_default();
    let decoded =
        STANDARD.decode(text(&data, "authorizationToken")).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = decoded.as_deref().and_then(|token| token.split_once(':'));
    let Some((user, password)) = parts else {
        let told = ("UnreadableAnswer", "no token in the answer");
        return Err(error::of(LOGIN.name, Class::Transient, Reason::Unavailable, told));
    };
    Ok((user.to_owned(), password.to_owned(), text(&data, "proxyEndpoint").to_owned()))
}

async fn read(caller: &Caller<'_>, name: &str) -> Result<Option<Live>, Failure> {
    let ecr = &caller.clients.ecr;
    let request = json!({"repositoryNames": [name]});
    let send = |exchange| ecr.describe_repositories().customize().interceptor(exchange).send();
    let repository = match caller.json(DESCRIBE, &request, send).await {
        Ok(answer) => items(&answer, "repositories").first().cloned(),
        Err(failure) if failure.code == "RepositoryNotFoundException" => None,
        Err(failure) => return Err(failure),
    };
    let Some(repository) = repository else { return Ok(None) };
    let request = json!({"resourceArn": text(&repository, "repositoryArn")});
    let send = |exchange| ecr.list_tags_for_resource().customize().interceptor(exchange).send();
    let tags = caller.json(TAGS, &request, send).await?;
    let request = json!({"repositoryName": name});
    let send = |exchange| ecr.get_lifecycle_policy().customize().interceptor(exchange).send();
    let has_lifecycle = match caller.json(POLICY, &request, send).await {
        Ok(_) => true,
        Err(failure) if failure.code == "LifecyclePolicyNotFoundException" => false,
        Err(failure) => return Err(failure),
    };
    Ok(Some(live(&repository, items(&tags, "tags").iter().map(tag).collect(), has_lifecycle)))
}

fn live(repository: &Value, tags: Tags, has_lifecycle: bool) -> Live {
    let scans = repository.pointer("/imageScanningConfiguration/scanOnPush").and_then(Value::as_bool);
    Live {
        arn: text(repository, "repositoryArn").to_owned(),
        uri: text(repository, "repositoryUri").to_owned(),
        mutability: text(repository, "imageTagMutability").to_owned(),
        scans: scans.unwrap_or_default(),
        has_lifecycle,
        tags,
    }
}

fn tag(tag: &Value) -> (String, String) {
    (text(tag, "Key").to_owned(), text(tag, "Value").to_owned())
}
