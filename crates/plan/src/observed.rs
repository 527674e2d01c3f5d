//! What was looked for and what was found: one `Look` a kind of read, one `Finding` a kind of answer.
//!
//! Which reads a pass needs is decided in plain data, too (`look.rs`), so that call budgets can be tested without AWS.

use serde::Serialize;

use crate::diagnosis::{StoppedTask, Stopping};
use crate::image::EcrTag;
use crate::rollout::Verdict;
use crate::seen::Seen;
use crate::tags::Tags;
use crate::verify::Probe;
use crate::{build, log_group, repository, scaling, service, target_group, task_definition};

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Look {
    /// The ECS service.
    Service {
        /// Cluster, by name or ARN.
        cluster: String,
        /// Service name.
        service: String,
    },
    /// Digest of an ECR tag.
    Image(EcrTag),
    /// The ECR repository with this name.
    Repository(String),
    /// How far the image is that is built from an agent's code.
    Build(Box<build::Order>),
    /// The log group.
    LogGroup(String),
    /// Tags of the log group with this ARN.
    LogGroupTags(String),
    /// The scalable target and its policies; scheduled actions when asked for.
    Scaling {
        /// `service/<cluster>/<service>`.
        resource: String,
        /// Whether scheduled actions matter.
        scheduled: bool,
    },
    /// The revision a service runs.
    Revision(String),
    /// The same, where the service vouches for its digest: good enough while AWS's rate for reading revisions is used up.
    VouchedRevision {
        /// The revision.
        arn: String,
        /// Its digest.
        digest: String,
    },
    /// The newest revisions of a family, newest first.
    Revisions(String),
    /// How the last service deployments ended.
    Verdicts {
        /// Cluster.
        cluster: String,
        /// Service.
        service: String,
    },
    /// Tasks that stopped lately, newest first.
    StoppedTasks {
        /// Cluster.
        cluster: String,
        /// Service.
        service: String,
        /// The agent's container.
        container: String,
        /// Log group and stream prefix.
        logs: Option<(String, String)>,
    },
    /// Tasks of a service that is being deleted which have not stopped yet.
    Stopping {
        /// Cluster.
        cluster: String,
        /// Service.
        service: String,
    },
    /// Whether a service that DescribeServices calls MISSING is gone, by a second opinion.
    Gone {
        /// Cluster.
        cluster: String,
        /// Service.
        service: String,
    },
    /// The log group as it is now, not as it was a while ago.
    LogGroupNow(String),
    /// The target group.
    TargetGroup(String),
    /// The smoke checks: requests to the running tasks.
    Probe {
        /// Cluster.
        cluster: String,
        /// Service.
        service: String,
        /// Port the agent serves on.
        port: u16,
        /// Path to GET.
        path: String,
        /// JSON text to POST to `/invocations`, too.
        invoke: Option<String>,
    },
}

/// What a look found.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// For `Look::Service`.
    Service(Seen<service::Live>),
    /// For `Look::Gone`: absent, or unknown where the two opinions differ.
    Gone(Seen<()>),
    /// For `Look::Image`: the digest.
    Image(Seen<String>),
    /// For `Look::Repository`.
    Repository(Seen<repository::Live>),
    /// For `Look::Build`.
    Build(Seen<build::Live>),
    /// For `Look::LogGroup` and `Look::LogGroupNow`.
    LogGroup(Seen<log_group::Live>),
    /// For `Look::LogGroupTags`.
    LogGroupTags(Seen<Tags>),
    /// For `Look::Scaling`.
    Scaling(Seen<scaling::Live>),
    /// For `Look::Revision` and `Look::VouchedRevision`.
    Revision(Seen<task_definition::Live>),
    /// For `Look::Revisions`.
    Revisions(Seen<Vec<task_definition::Live>>),
    /// For `Look::Verdicts`, newest first.
    Verdicts(Seen<Vec<Verdict>>),
    /// For `Look::StoppedTasks`.
    StoppedTasks(Seen<Vec<StoppedTask>>),
    /// For `Look::Stopping`.
    Stopping(Seen<Stopping>),
    /// For `Look::TargetGroup`.
    TargetGroup(Seen<target_group::Live>),
    /// For `Look::Probe`.
    Probe(Seen<Probe>),
}

/// Everything seen of one agent in this pass.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// The ECS service.
    pub service: Seen<service::Live>,
    /// The second opinion on a service that is MISSING.
    pub gone: Seen<()>,
    /// Digest of the image's tag.
    pub image: Seen<String>,
    /// The repository of an image that is built.
    pub repository: Seen<repository::Live>,
    /// How far that image is.
    pub build: Seen<build::Live>,
    /// The log group.
    pub log_group: Seen<log_group::Live>,
    /// Scalable target and policies.
    pub scaling: Seen<scaling::Live>,
    /// The revision the service runs.
    pub revision: Seen<task_definition::Live>,
    /// The newest revisions of the family.
    pub revisions: Seen<Vec<task_definition::Live>>,
    /// The revision registered in this very pass, whatever AWS made of it.
    pub registered: Option<String>,
    /// How the last deployments ended.
    pub verdicts: Seen<Vec<Verdict>>,
    /// Tasks that stopped lately.
    pub stopped: Seen<Vec<StoppedTask>>,
    /// Tasks that should have stopped, and have not yet.
    pub stopping: Seen<Stopping>,
    /// The target group.
    pub target_group: Seen<target_group::Live>,
    /// What the smoke checks found.
    pub probe: Seen<Probe>,
}

impl Observed {
    /// Takes a finding in.
    pub fn note(&mut self, finding: Finding) {
        match finding {
            Finding::Service(seen) => self.service = seen,
            Finding::Gone(seen) => self.gone = seen,
            Finding::Image(seen) => self.image = seen,
            Finding::Repository(seen) => self.repository = seen,
            Finding::Build(seen) => self.build = seen,
            Finding::LogGroup(seen) => self.log_group = seen,
            Finding::LogGroupTags(seen) => {
                if let Some(group) = self.log_group.present_mut() {
                    group.tags = seen;
                }
            }
            Finding::Scaling(seen) => self.scaling = seen,
            Finding::Revision(seen) => self.revision = seen,
            Finding::Revisions(seen) => self.revisions = seen,
            Finding::Verdicts(seen) => self.verdicts = seen,
            Finding::StoppedTasks(seen) => self.stopped = seen,
            Finding::Stopping(seen) => self.stopping = seen,
            Finding::TargetGroup(seen) => self.target_group = seen,
            Finding::Probe(seen) => self.probe = seen,
        }
    }

    /// The service, where it exists and is not on its way out.
    pub fn active_service(&self) -> Option<&service::Live> {
        self.service.present().filter(|live| live.is_active())
    }

    /// The first failed look that every decision needs. Looks that only explain (stopped tasks) never stand in the way;
    /// the target group does where the scaling counts its requests, which only the spec knows.
    pub fn gap(&self) -> Option<&crate::failure::Failure> {
        let Self { service, gone, image, repository, build, log_group, scaling, revision, revisions, .. } = self;
        let Self { registered: _, verdicts, stopped: _, stopping: _, target_group: _, probe: _, .. } = self;
        let group_tags = log_group.present().and_then(|group| group.tags.failure());
        service
            .failure()
            .or_else(|| gone.failure())
            .or_else(|| image.failure())
            .or_else(|| repository.failure())
            .or_else(|| build.failure())
            .or_else(|| log_group.failure())
            .or(group_tags)
            .or_else(|| scaling.failure())
            .or_else(|| revision.failure())
            .or_else(|| revisions.failure())
            .or_else(|| verdicts.failure())
    }
}
