//! Every write to AWS there is, as data: prints (dry run), serialises (audit), one line a kind of resource.

use std::fmt;

use fargateer_api::visible;
use serde::Serialize;
use serde_json::Value;

use crate::{build, log_group, repository, scaling, service, task_definition};

/// One mutating AWS call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// To the repository of an image that is built.
    Repository(repository::Change),
    /// To that image.
    Image(build::Change),
    /// To the log group.
    LogGroup(log_group::Change),
    /// To task definitions.
    TaskDefinition(task_definition::Change),
    /// To the service.
    Service(service::Change),
    /// To Application Auto Scaling.
    Scaling(scaling::Change),
}

impl Action {
    /// The AWS operation it calls, such as `ecs.UpdateService`.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Repository(repository::Change::Create(_)) => "ecr.CreateRepository",
            Self::Repository(repository::Change::Lifecycle { .. }) => "ecr.PutLifecyclePolicy",
            Self::Repository(repository::Change::Mutability { .. }) => "ecr.PutImageTagMutability",
            Self::Repository(repository::Change::Scanning { .. }) => "ecr.PutImageScanningConfiguration",
            Self::Repository(repository::Change::Untag { .. }) => "ecr.UntagResource",
            Self::Repository(repository::Change::Delete { .. }) => "ecr.DeleteRepository",
            Self::Image(build::Change::Build(_)) => "image.Build",
            Self::LogGroup(log_group::Change::Create { .. }) => "logs.CreateLogGroup",
            Self::LogGroup(log_group::Change::Retention { days: Some(_), .. }) => "logs.PutRetentionPolicy",
            Self::LogGroup(log_group::Change::Retention { days: None, .. }) => "logs.DeleteRetentionPolicy",
            Self::LogGroup(log_group::Change::Untag { .. }) => "logs.UntagResource",
            Self::LogGroup(log_group::Change::Delete { .. }) => "logs.DeleteLogGroup",
            Self::TaskDefinition(task_definition::Change::Register(_)) => "ecs.RegisterTaskDefinition",
            Self::TaskDefinition(task_definition::Change::Deregister(_)) => "ecs.DeregisterTaskDefinition",
            Self::Service(service::Change::Create(_)) => "ecs.CreateService",
            Self::Service(service::Change::Update(_)) => "ecs.UpdateService",
            Self::Service(service::Change::Tag { .. }) | Self::TaskDefinition(task_definition::Change::Tag { .. }) => {
                "ecs.TagResource"
            }
            Self::Service(service::Change::Untag { .. })
            | Self::TaskDefinition(task_definition::Change::Untag { .. }) => "ecs.UntagResource",
            Self::Service(service::Change::Delete { .. }) => "ecs.DeleteService",
            Self::Scaling(scaling::Change::Register(_)) => "application-autoscaling.RegisterScalableTarget",
            Self::Scaling(scaling::Change::PutPolicy(_)) => "application-autoscaling.PutScalingPolicy",
            Self::Scaling(scaling::Change::DeletePolicy(_)) => "application-autoscaling.DeleteScalingPolicy",
            Self::Scaling(scaling::Change::PutScheduled(_)) => "application-autoscaling.PutScheduledAction",
            Self::Scaling(scaling::Change::DeleteScheduled(_)) => "application-autoscaling.DeleteScheduledAction",
            Self::Scaling(scaling::Change::Deregister(_)) => "application-autoscaling.DeregisterScalableTarget",
        }
    }

    /// What it is done to, and with which fields.
    fn object(&self) -> String {
        match self {
            Self::Repository(change) => match change {
                repository::Change::Create(request) => text(request, "repositoryName"),
                repository::Change::Lifecycle { name, .. }
                | repository::Change::Scanning { name, .. }
                | repository::Change::Delete { name } => name.clone(),
                repository::Change::Mutability { name, mutability } => format!("{name} {mutability}"),
                repository::Change::Untag { arn, keys } => format!("{} ({})", short(arn), keys.join(", ")),
            },
            Self::Image(build::Change::Build(order)) => {
                let repository = order.repository.as_deref().unwrap_or("(the repository made above)");
                format!("{} into {repository}", order.build.context)
            }
            Self::LogGroup(change) => match change {
                log_group::Change::Create { name, .. } | log_group::Change::Delete { name } => name.clone(),
                log_group::Change::Untag { name, keys, arn: _ } => format!("{name} ({})", keys.join(", ")),
                log_group::Change::Retention { name, days } => {
                    days.map_or(name.clone(), |days| format!("{name} {days} days"))
                }
            },
            Self::TaskDefinition(task_definition::Change::Register(request)) => text(request, "family"),
            Self::TaskDefinition(
                task_definition::Change::Tag { arn, .. } | task_definition::Change::Deregister(arn),
            ) => short(arn),
            Self::Service(service::Change::Create(request)) => text(request, "serviceName"),
            Self::Service(service::Change::Update(request)) => {
                format!("{} ({})", text(request, "service"), fields(request, &["cluster", "service"]))
            }
            Self::Service(service::Change::Tag { arn, tags }) => {
                format!("{} ({})", short(arn), tags.keys().cloned().collect::<Vec<_>>().join(", "))
            }
            Self::Service(service::Change::Untag { arn, keys })
            | Self::TaskDefinition(task_definition::Change::Untag { arn, keys }) => {
                format!("{} ({})", short(arn), keys.join(", "))
            }
            Self::Service(service::Change::Delete { service, .. }) => service.clone(),
            Self::Scaling(scaling::Change::Register(request)) => {
                format!("{} {}..{}", text(request, "ResourceId"), request["MinCapacity"], request["MaxCapacity"])
            }
            Self::Scaling(scaling::Change::PutPolicy(request) | scaling::Change::DeletePolicy(request)) => {
                text(request, "PolicyName")
            }
            Self::Scaling(scaling::Change::PutScheduled(request) | scaling::Change::DeleteScheduled(request)) => {
                text(request, "ScheduledActionName")
            }
            Self::Scaling(scaling::Change::Deregister(request)) => text(request, "ResourceId"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation(), visible(&self.object()))
    }
}

fn text(request: &Value, key: &str) -> String {
    request.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn fields(request: &Value, without: &[&str]) -> String {
    let keys = request.as_object().into_iter().flat_map(serde_json::Map::keys);
    keys.filter(|key| !without.contains(&key.as_str())).cloned().collect::<Vec<_>>().join(", ")
}

fn short(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or(arn).to_owned()
}
