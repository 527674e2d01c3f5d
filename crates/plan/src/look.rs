//! Which reads the next decision needs: as few as possible, each only once it matters.

use fargateer_api::seeded::{Bug, has};

use crate::desired::{Departure, Wanted};
use crate::observed::{Look, Observed};
use crate::revision::Revision;
use crate::rollout::{self, Rollout};
use crate::seen::Seen;
use crate::{built, log_group, repository, scaling, service, tags, task_definition};

/// The reads that are still missing to bring `wanted` about; empty when the decision can be taken.
pub fn needed(wanted: &Wanted, observed: &Observed) -> Vec<Look> {
    let first = basics(wanted, observed);
    if !first.is_empty() || observed.gap().is_some() || !built::is_there(wanted, observed) {
        return first;
    }
    let second = around_the_service(wanted, observed);
    if !second.is_empty() || observed.gap().is_some() {
        return second;
    }
    let mut looks = revisions(wanted, observed);
    looks.extend(log_group_now(wanted, observed));
    looks.extend(log_group_tags(wanted, observed));
    looks
}

/// The reads that are still missing to delete what `departure` lists.
pub fn needed_to_leave(departure: &Departure, observed: &Observed) -> Vec<Look> {
    let inventory = &departure.inventory;
    let mut looks = Vec::new();
    if observed.gone.failure().is_some() {
        return looks;
    }
    if observed.service.is_unlooked() {
        looks.push(Look::Service { cluster: inventory.cluster.clone(), service: inventory.service.clone() });
    } else if observed.service.is_absent() && observed.gone.is_unlooked() && !has(Bug::MissingIsGone) {
        // One answer MISSING is not enough to forget an agent whose tasks may go on and cost money.
        looks.push(Look::Gone { cluster: inventory.cluster.clone(), service: inventory.service.clone() });
    } else if observed.service.is_absent() || observed.service.present().is_some_and(service::Live::is_inactive) {
        if observed.revisions.is_unlooked() {
            looks.push(Look::Revisions(inventory.task_family.clone()));
        }
        looks.extend(leaving_log_group(departure, observed));
        let leaving = inventory.repository.as_ref().filter(|_| !inventory.retain_data);
        looks.extend(leaving.filter(|_| observed.repository.is_unlooked()).map(|name| Look::Repository(name.clone())));
    } else if observed.scaling.is_unlooked() && observed.active_service().is_some() {
        let resource = scaling::resource_id(&crate::normal::last_segment(&inventory.cluster), &inventory.service);
        looks.push(Look::Scaling { resource, scheduled: false });
    }
    looks
}

/// The reads that are still missing to hand back what `departure` lists.
pub fn needed_to_release(departure: &Departure, observed: &Observed) -> Vec<Look> {
    let inventory = &departure.inventory;
    let (cluster, service) = (inventory.cluster.clone(), inventory.service.clone());
    if observed.service.is_unlooked() {
        return vec![Look::Service { cluster, service }];
    }
    if observed.service.is_absent() && observed.gone.is_unlooked() {
        return vec![Look::Gone { cluster, service }];
    }
    let family = observed.revisions.is_unlooked().then(|| Look::Revisions(inventory.task_family.clone()));
    let group = inventory.log_group.as_ref().and_then(|name| tagged_log_group(name, observed));
    let repository = inventory.repository.as_ref().filter(|_| observed.repository.is_unlooked());
    family.into_iter().chain(group).chain(repository.map(|name| Look::Repository(name.clone()))).collect()
}

/// The read that says why a service that is being deleted drains for so long.
pub fn stopping(departure: &Departure, observed: &Observed) -> Option<Look> {
    let (cluster, service) = (departure.inventory.cluster.clone(), departure.inventory.service.clone());
    observed.stopping.is_unlooked().then_some(Look::Stopping { cluster, service })
}

/// The reads that explain why a rollout does not get on. They never stand in the way of a decision.
pub fn explaining(wanted: &Wanted, observed: &Observed, revision: Option<&str>, held: bool) -> Vec<Look> {
    let Some(live) = observed.active_service() else {
        return Vec::new();
    };
    let Some(revision) = revision else { return Vec::new() };
    let stuck = held
        || match rollout::judge(live, revision) {
            Rollout::Done => false,
            Rollout::Failed { .. } => true,
            Rollout::Moving { .. } => live.deployments().iter().any(|deployment| deployment.failed_tasks > 0),
        };
    let mut looks = Vec::new();
    if stuck && observed.stopped.is_unlooked() {
        let logging = &wanted.agent.spec.logging;
        looks.push(Look::StoppedTasks {
            cluster: wanted.agent.spec.cluster.clone(),
            service: wanted.agent.service_name().to_owned(),
            container: wanted.agent.spec.container.name.clone(),
            logs: wanted.log_group.as_ref().map(|group| (group.name.clone(), logging.stream_prefix.clone())),
        });
    }
    looks.extend(target_group(wanted, observed).filter(|_| stuck));
    looks
}

/// The smoke checks that are due: the spec asks for them, tasks run, and nobody looked in this pass.
pub fn verifying(wanted: &Wanted, observed: &Observed) -> Option<Look> {
    let check = &wanted.agent.spec.verify.as_ref()?.http;
    let live = observed.active_service()?;
    (observed.probe.is_unlooked() && live.count("runningCount") > 0).then(|| Look::Probe {
        cluster: wanted.agent.spec.cluster.clone(),
        service: wanted.agent.service_name().to_owned(),
        port: wanted.agent.spec.container.port,
        path: check.path.clone(),
        invoke: check.invoke.as_ref().map(ToString::to_string),
    })
}

fn basics(wanted: &Wanted, observed: &Observed) -> Vec<Look> {
    let agent = &wanted.agent;
    let mut looks = Vec::new();
    if observed.service.is_unlooked() {
        looks.push(Look::Service { cluster: agent.spec.cluster.clone(), service: agent.service_name().to_owned() });
    }
    if let (Some(tag), true) = (&wanted.image.ecr, observed.image.is_unlooked()) {
        looks.push(Look::Image(tag.clone()));
    }
    looks.extend(built_image(wanted, observed));
    if let (Some(group), true) = (&wanted.log_group, observed.log_group.is_unlooked()) {
        looks.push(Look::LogGroup(group.name.clone()));
    }
    looks
}

/// The repository, then the image: where there is no repository yet, whether there could be an image.
fn built_image(wanted: &Wanted, observed: &Observed) -> Option<Look> {
    let repository = repository::from_spec(&wanted.agent)?;
    if observed.repository.is_unlooked() {
        return Some(Look::Repository(repository));
    }
    let order = built::order(wanted, observed).filter(|_| observed.repository.failure().is_none())?;
    observed.build.is_unlooked().then(|| Look::Build(Box::new(order)))
}

/// What hangs on a service that exists. One that does not has no scaling: AWS removes it together with the service.
fn around_the_service(wanted: &Wanted, observed: &Observed) -> Vec<Look> {
    let mut looks = Vec::new();
    let agent = &wanted.agent;
    if let Some(live) = observed.active_service() {
        if observed.scaling.is_unlooked() {
            let resource = scaling::resource_id(agent.cluster_name(), agent.service_name());
            let once_set = tags::sets(&live.tags()).any(|word| word == "schedule");
            let scheduled = once_set || !agent.spec.autoscaling.scheduled.is_empty();
            looks.push(Look::Scaling { resource, scheduled });
        }
        let arn = live.text("taskDefinition");
        if observed.revision.is_unlooked() && !arn.is_empty() {
            looks.push(running_revision(wanted, live, arn));
        }
    }
    looks.extend(target_group(wanted, observed).filter(|_| wanted.counts_requests()));
    looks
}

/// The revision that runs; its digest will do, where nothing of its document is kept.
fn running_revision(wanted: &Wanted, live: &service::Live, arn: &str) -> Look {
    let keeps = wanted.agent.spec.drift.ignore.iter().any(|path| path.starts_with("/taskDefinition"));
    let tags = live.tags();
    let voucher = tags.get(tags::REVISION).filter(|_| !keeps);
    let family = wanted.agent.task_family();
    match voucher.and_then(|voucher| task_definition::vouched_digest(voucher, arn, family)) {
        Some(digest) => Look::VouchedRevision { arn: arn.to_owned(), digest: digest.to_owned() },
        None => Look::Revision(arn.to_owned()),
    }
}

/// Older revisions matter only when the running one does not fit; verdicts only when nobody changed the spec since.
fn revisions(wanted: &Wanted, observed: &Observed) -> Vec<Look> {
    let running = Revision::running(wanted, observed);
    if running.is_some() {
        return Vec::new();
    }
    // What the service vouched for is not what is wanted: then its document matters.
    if let Some(live) = observed.revision.present().filter(|live| live.is_vouched()) {
        return vec![Look::Revision(live.arn.clone())];
    }
    let agent = &wanted.agent;
    if observed.revisions.is_unlooked() {
        return vec![Look::Revisions(agent.task_family().to_owned())];
    }
    let Some(live) = observed.active_service() else {
        return Vec::new();
    };
    let exists = Revision::reusable(wanted, observed).is_some();
    verdicts(wanted, observed, live).filter(|_| exists).into_iter().collect()
}

/// How the last deployments of `live` ended: what it was told of this generation ECS may have given up and rolled back.
pub fn verdicts(wanted: &Wanted, observed: &Observed, live: &service::Live) -> Option<Look> {
    let applied = live.tags().get(tags::GENERATION).is_some_and(|tag| tag == wanted.generation.as_str());
    let may_be_held = applied && !wanted.circumstances.force && observed.verdicts.is_unlooked();
    let (cluster, service) = (wanted.agent.spec.cluster.clone(), wanted.agent.service_name().to_owned());
    may_be_held.then_some(Look::Verdicts { cluster, service })
}

/// Tasks of a new revision do not start where their log group is missing, and ECS then gives the revision up: what was read
/// a while ago is not good enough before a rollout.
fn log_group_now(wanted: &Wanted, observed: &Observed) -> Option<Look> {
    let live = observed.log_group.present().filter(|live| live.believed && !has(Bug::BelievesForEver))?;
    let group = wanted.log_group_beside(Some(live))?;
    Revision::running(wanted, observed).is_none().then_some(Look::LogGroupNow(group.name))
}

fn log_group_tags(wanted: &Wanted, observed: &Observed) -> Option<Look> {
    let live = observed.log_group.present()?;
    let group = wanted.log_group_beside(Some(live))?;
    let differs = !log_group::diff(live, &group).is_empty();
    (differs && live.tags == Seen::NotLooked).then(|| Look::LogGroupTags(live.arn.clone()))
}

fn leaving_log_group(departure: &Departure, observed: &Observed) -> Option<Look> {
    let name =
        departure.inventory.log_group.as_ref().filter(|_| !departure.inventory.retain_data || has(Bug::DeletesData))?;
    tagged_log_group(name, observed)
}

/// The log group `name` and then its tags.
fn tagged_log_group(name: &str, observed: &Observed) -> Option<Look> {
    match &observed.log_group {
        Seen::NotLooked => Some(Look::LogGroup(name.to_owned())),
        Seen::Present(live) if live.tags == Seen::NotLooked => Some(Look::LogGroupTags(live.arn.clone())),
        Seen::Present(_) | Seen::Absent | Seen::Unknown(_) => None,
    }
}

fn target_group(wanted: &Wanted, observed: &Observed) -> Option<Look> {
    let arn = wanted.agent.spec.load_balancer.as_ref()?.target_group_arn.clone()?;
    observed.target_group.is_unlooked().then_some(Look::TargetGroup(arn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Circumstances;
    use crate::service::Live;
    use fargateer_api::status::Inventory;
    use serde_json::{Value, json};

    const ECR: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com/bot:1";

    fn wanted(image: &str, more: &Value) -> Wanted {
        let mut spec = json!({"cluster": "agents", "image": {"uri": image}, "network": {"subnets": ["subnet-1"]}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let document =
            json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "bot"}, "spec": spec});
        Wanted::new(
            crate::prepared::Prepared::shared(serde_json::from_value(document).unwrap()),
            Vec::new(),
            Circumstances::default(),
        )
    }

    /// Looks until nothing is missing, at a world in which `live` runs just what is wanted; the kinds of looks it took.
    fn economy(wanted: &Wanted, live: &Seen<Live>) -> Vec<String> {
        let mut observed = Observed::default();
        let mut kinds = Vec::new();
        loop {
            let looks = needed(wanted, &observed);
            if looks.is_empty() {
                return kinds;
            }
            for look in looks {
                let text = format!("{look:?}");
                kinds.push(text.split(['(', ' ']).next().unwrap_or_default().to_owned());
                answer(&look, wanted, live, &mut observed);
            }
        }
    }

    fn answer(look: &Look, wanted: &Wanted, live: &Seen<Live>, observed: &mut Observed) {
        match look {
            Look::Service { .. } => observed.service = live.clone(),
            Look::Image(_) => observed.image = Seen::Present("sha256:ab".to_owned()),
            Look::Scaling { .. } => observed.scaling = Seen::Absent,
            Look::Revision(arn) => {
                let document = Revision::wanted(wanted, observed).document();
                let live = task_definition::Live::new(arn.clone(), document, tags::Tags::new());
                observed.revision = Seen::Present(live);
            }
            Look::Revisions(_) => observed.revisions = Seen::Present(Vec::new()),
            Look::TargetGroup(_) => observed.target_group = Seen::Absent,
            Look::LogGroup(_) | Look::LogGroupNow(_) => {
                let (arn, retention, tags) = ("arn".to_owned(), Some(30), Seen::NotLooked);
                observed.log_group =
                    Seen::Present(log_group::Live { arn, retention, policy_retention: false, believed: false, tags });
            }
            Look::LogGroupTags(_)
            | Look::Gone { .. }
            | Look::Repository(_)
            | Look::Build(_)
            | Look::VouchedRevision { .. }
            | Look::Verdicts { .. }
            | Look::StoppedTasks { .. }
            | Look::Stopping { .. }
            | Look::Probe { .. } => {
                panic!("{look:?}")
            }
        }
    }

    fn live(status: &str) -> Seen<Live> {
        let document = json!({"status": status, "taskDefinition": "bot:1"});
        Seen::Present(Live { document: document.as_object().unwrap().clone() })
    }

    #[test]
    fn a_settled_agent_needs_its_service_log_group_scaling_and_revision_and_nothing_else() {
        let wanted = wanted("public.ecr.aws/x:1", &json!({}));
        assert_eq!(economy(&wanted, &live("ACTIVE")), ["Service", "LogGroup", "Scaling", "Revision"]);
    }

    #[test]
    fn an_image_in_ecr_needs_its_digest_and_no_logging_needs_no_log_group() {
        let wanted = wanted(ECR, &json!({"logging": {"enabled": false}}));
        assert_eq!(economy(&wanted, &live("ACTIVE")), ["Service", "Image", "Scaling", "Revision"]);
    }

    #[test]
    fn a_service_to_be_made_needs_only_what_may_be_reused() {
        let wanted = wanted("public.ecr.aws/x:1", &json!({}));
        assert_eq!(economy(&wanted, &Seen::Absent), ["Service", "LogGroup", "Revisions"]);
        assert_eq!(economy(&wanted, &live("INACTIVE")), ["Service", "LogGroup", "Revisions"]);
    }

    #[test]
    fn the_target_group_matters_only_where_its_requests_are_counted() {
        let balancer = json!({"targetGroupArn": "arn"});
        let counting = json!({"enabled": true, "requestsPerTarget": 9});
        let plain = wanted("public.ecr.aws/x:1", &json!({"loadBalancer": balancer}));
        assert_eq!(economy(&plain, &live("ACTIVE")), ["Service", "LogGroup", "Scaling", "Revision"]);
        let counted = wanted("public.ecr.aws/x:1", &json!({"loadBalancer": balancer, "autoscaling": counting}));
        assert_eq!(economy(&counted, &live("ACTIVE")), ["Service", "LogGroup", "Scaling", "Revision", "TargetGroup"]);
    }

    #[test]
    fn a_failed_look_ends_the_looking() {
        let wanted = wanted("public.ecr.aws/x:1", &json!({}));
        let failure = crate::failure::Failure {
            class: crate::failure::Class::Throttled,
            reason: fargateer_api::Reason::Throttled,
            operation: String::new(),
            code: String::new(),
            message: String::new(),
        };
        assert_eq!(economy(&wanted, &Seen::Unknown(failure)), ["Service", "LogGroup"]);
    }

    #[test]
    fn a_service_that_vouches_for_its_revision_is_believed_until_something_else_is_wanted() {
        let agent = wanted("public.ecr.aws/x:1", &json!({}));
        let arn = "arn:aws:ecs:us-east-1:1:task-definition/bot:7";
        let looks = |digest: &str| {
            let tags = json!([{"key": tags::REVISION, "value": format!("7:{digest}")}]);
            let document = json!({"status": "ACTIVE", "taskDefinition": arn, "tags": tags});
            let service = Seen::Present(Live { document: document.as_object().unwrap().clone() });
            let log_group = Seen::Absent;
            let mut observed = Observed { service, log_group, scaling: Seen::Absent, ..Observed::default() };
            let first = needed(&agent, &observed);
            observed.revision = Seen::Present(task_definition::Live::vouched(arn, digest));
            (first, needed(&agent, &observed))
        };
        let digest = Revision::wanted(&agent, &Observed::default()).digest.clone();
        let vouched = vec![Look::VouchedRevision { arn: arn.to_owned(), digest: digest.clone() }];
        assert_eq!(looks(&digest), (vouched, vec![]));
        assert_eq!(looks("another").1, vec![Look::Revision(arn.to_owned())]);
    }

    #[test]
    fn only_a_rollout_that_does_not_get_on_is_explained() {
        let agent = wanted("public.ecr.aws/x:1", &json!({"loadBalancer": {"targetGroupArn": "arn"}}));
        let explained = |state: &str, failed: u32, held: bool| {
            let deployment = json!({"status": "PRIMARY", "taskDefinition": "bot:1", "rolloutState": state,
                "failedTasks": failed, "desiredCount": 1});
            let document = json!({"status": "ACTIVE", "desiredCount": 0, "deployments": [deployment]});
            let service = Seen::Present(Live { document: document.as_object().unwrap().clone() });
            let observed = Observed { service, ..Observed::default() };
            explaining(&agent, &observed, Some("bot:1"), held).len()
        };
        assert_eq!(explained("COMPLETED", 0, false), 0);
        assert_eq!(explained("IN_PROGRESS", 0, false), 0);
        assert_eq!(explained("IN_PROGRESS", 1, false), 2);
        assert_eq!(explained("FAILED", 0, false), 2);
        assert_eq!(explained("COMPLETED", 0, true), 2);
        assert_eq!(explaining(&agent, &Observed::default(), Some("bot:1"), true), vec![]);
    }

    fn leaving(more: Inventory) -> Departure {
        let (cluster, service) = ("agents".to_owned(), "bot".to_owned());
        Departure { key: fargateer_api::Key::new("bot"), inventory: Inventory { cluster, service, ..more }, held: None }
    }

    #[test]
    fn the_repository_of_an_agent_that_leaves_is_looked_at_where_its_data_goes_too() {
        let looked = |retain_data: bool| {
            let departure =
                leaving(Inventory { repository: Some("agents/bot".to_owned()), retain_data, ..Inventory::default() });
            let observed = Observed { service: live("INACTIVE"), ..Observed::default() };
            needed_to_leave(&departure, &observed).contains(&Look::Repository("agents/bot".to_owned()))
        };
        assert_eq!((looked(false), looked(true)), (true, false));
    }

    #[test]
    fn what_keeps_a_service_draining_is_looked_for_once() {
        let (departure, mut observed) = (leaving(Inventory::default()), Observed::default());
        let look = Look::Stopping { cluster: "agents".to_owned(), service: "bot".to_owned() };
        assert_eq!(stopping(&departure, &observed), Some(look));
        observed.stopping = Seen::Absent;
        assert_eq!(stopping(&departure, &observed), None);
    }
}
