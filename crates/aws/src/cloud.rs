//! AWS behind the controller's port: hands each look and each action to the file of its resource.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use fargateer_api::Reason;
use fargateer_controller::port::Cloud;
use fargateer_plan::action::Action;
use fargateer_plan::conceal;
use fargateer_plan::desired::Place;
use fargateer_plan::echo::Done;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::observed::{Finding, Look};
use fargateer_plan::seen::Seen;
use futures::future::join_all;

use crate::caller::{Caller, Counts, Operation};
use crate::clients::Factory;
use crate::error;
use crate::http::{Http, Network};
use crate::memory::Rereads;
use crate::quota::{Group, Quota};
use crate::{image, log_group, probe, repository, rollout, scaling, service, target_group, task, task_definition};

const WHO: Operation = Operation::new("sts.GetCallerIdentity", Group::Identity);

/// How AWS is used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Share of AWS's published rates we take, above 0 and at most 1. Default 0.5.
    pub share: f64,
    /// How long facts that hardly change (log group settings, scaling policies) are believed without another read.
    /// Somebody else's change to them is noticed after this time. Default 15 minutes.
    pub believed: Duration,
    /// How smoke checks reach agents. Default: over the network.
    pub http: Arc<dyn Http>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { share: 0.5, believed: Duration::from_mins(15), http: Arc::new(Network::default()) }
    }
}

/// AWS.
#[derive(Debug)]
pub struct Aws {
    factory: Factory,
    quota: Quota,
    counts: Counts,
    rereads: Rereads,
    http: Arc<dyn Http>,
    images: image::Images,
    repositories: repository::Repositories,
    log_groups: log_group::LogGroups,
    revisions: task_definition::Revisions,
    services: service::Services,
    scaling: scaling::Targets,
}

impl Aws {
    /// AWS as `config` reaches it.
    pub fn new(config: SdkConfig, settings: &Settings) -> Self {
        Self {
            factory: Factory::new(config),
            quota: Quota::new(settings.share),
            counts: Counts::default(),
            rereads: Rereads::default(),
            http: Arc::clone(&settings.http),
            images: image::Images::new(settings.believed),
            repositories: repository::Repositories::new(settings.believed),
            log_groups: log_group::LogGroups::new(settings.believed),
            revisions: task_definition::Revisions::default(),
            services: service::Services::default(),
            scaling: scaling::Targets::new(settings.believed),
        }
    }

    /// How often each operation was called.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Who the calls in `place` are made as: account id and ARN. For people, before something is changed.
    pub async fn identity(&self, place: &Place) -> Result<(String, String), Failure> {
        let caller = self.caller(place);
        let who = caller.typed(WHO, caller.clients.sts.get_caller_identity().send()).await?;
        Ok((who.account().unwrap_or_default().to_owned(), who.arn().unwrap_or_default().to_owned()))
    }

    /// User and password for the registry of a place's account and region, and its address. Good for twelve hours.
    pub async fn registry_login(&self, place: &Place) -> Result<(String, String, String), Failure> {
        repository::login(&self.caller(place)).await
    }

    pub(crate) fn caller<'a>(&'a self, place: &'a Place) -> Caller<'a> {
        Caller {
            place,
            clients: self.factory.clients(place),
            quota: &self.quota,
            counts: &self.counts,
            rereads: &self.rereads,
            http: self.http.as_ref(),
        }
    }

    async fn find(&self, caller: &Caller<'_>, look: &Look) -> Finding {
        match look {
            Look::Service { cluster, service } => {
                Finding::Service(self.services.observe(caller, cluster, service).await)
            }
            Look::Gone { cluster, service } => Finding::Gone(task::of_nobody(caller, cluster, service).await),
            Look::Stopping { cluster, service } => {
                Finding::Stopping(task::stopping(caller, (cluster, service), &self.revisions).await)
            }
            Look::Image(tag) => Finding::Image(self.images.observe(caller, tag).await),
            Look::Repository(name) => Finding::Repository(self.repositories.observe(caller, name).await),
            Look::Build(_) => Finding::Build(Seen::Unknown(no_builder())),
            Look::LogGroup(name) => Finding::LogGroup(self.log_groups.observe(caller, name).await),
            Look::LogGroupNow(name) => Finding::LogGroup(self.log_groups.observe_now(caller, name).await),
            Look::LogGroupTags(arn) => Finding::LogGroupTags(log_group::tags(caller, arn).await),
            Look::Scaling { resource, scheduled } => {
                Finding::Scaling(self.scaling.observe(caller, (resource.clone(), *scheduled)).await)
            }
            Look::Revision(arn) => Finding::Revision(self.revisions.observe(caller, arn).await),
            Look::VouchedRevision { arn, digest } => {
                Finding::Revision(self.revisions.observe_vouched(caller, arn, digest).await)
            }
            Look::Revisions(family) => Finding::Revisions(self.revisions.list(caller, family).await),
            Look::Verdicts { cluster, service } => Finding::Verdicts(rollout::observe(caller, cluster, service).await),
            Look::StoppedTasks { .. } => Finding::StoppedTasks(task::observe(caller, look).await),
            Look::Probe { .. } => Finding::Probe(probe::observe(caller, look).await),
            Look::TargetGroup(arn) => Finding::TargetGroup(target_group::observe(caller, arn).await),
        }
    }
}

/// AWS builds no images: whoever wires it to a builder asks that one instead.
fn no_builder() -> Failure {
    let told = ("NoBuilder", "images are not built here");
    error::of("image.Build", Class::Denied, Reason::BuilderFailed, told)
}

#[async_trait]
impl Cloud for Aws {
    async fn look(&self, place: &Place, looks: &[Look]) -> Vec<Finding> {
        let caller = self.caller(place);
        // Collected first: a lazy iterator of borrowing futures is not `Send` enough for the compiler. Boxed: each is thousands of
        // bytes, which would be moved twice.
        let finds: Vec<_> = looks.iter().map(|look| Box::pin(self.find(&caller, look))).collect();
        join_all(finds).await
    }

    fn distrust(&self) {
        self.images.distrust();
        self.repositories.distrust();
        self.log_groups.distrust();
        self.scaling.distrust();
    }

    async fn act(&self, place: &Place, action: &Action) -> Result<Done, Failure> {
        let caller = self.caller(place);
        let result = match action {
            Action::Repository(change) => self.repositories.apply(&caller, change).await,
            Action::Image(_) => Err(no_builder()),
            Action::LogGroup(change) => self.log_groups.apply(&caller, change).await.map(|()| Done::Nothing),
            Action::TaskDefinition(change) => self.revisions.apply(&caller, change).await,
            Action::Service(change) => self.services.apply(&caller, change).await,
            Action::Scaling(change) => self.scaling.apply(&caller, change).await.map(|()| Done::Nothing),
        };
        result.map_err(|failure| conceal::failure(action, failure))
    }
}
