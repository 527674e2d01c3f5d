//! The order of things, as straight-line code; deletion runs it backwards. The only decision maker: reconcile,
//! `fargateer plan`, `fargateer diff` and the simulation all call `plan`.

use fargateer_api::Reason;
use fargateer_api::seeded::{Bug, has};
use fargateer_api::spec::DriftMode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::action::Action;
use crate::conceal;
use crate::desired::{Circumstances, Departure, Desired, Wanted};
use crate::difference::{self, Difference, Effect};
use crate::failure::Failure;
use crate::guard::{self, Gate};
use crate::intent::{astray, count, first_count, scaling_wanted, service_wanted};
use crate::observed::{Look, Observed};
use crate::revision::Revision;
use crate::rollout::{self, Rollout};
use crate::tags::{self, Ownership, Tags};
use crate::turn::Turn;
use crate::{built, log_group, look, prune, scaling, service, task_definition};

/// Revisions of ours that stay registered, the running ones included: what a rollback can return to.
pub const KEPT_REVISIONS: usize = 10;

/// Stands for the ARN of a revision that an earlier wave registers.
pub const REGISTERED_ABOVE: &str = "(the revision registered above)";

/// Actions that may run at the same time; the next wave needs their results.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wave {
    /// What it is about.
    pub name: &'static str,
    /// The writes.
    pub actions: Vec<Action>,
}

/// What should happen to one agent now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// What must be read before anything can be said. Nothing else is filled while this is not empty.
    pub looks: Vec<Look>,
    /// Reads that only explain. They never stand in the way.
    pub explaining: Vec<Look>,
    /// Why nothing is done, if so.
    pub gate: Option<Gate>,
    /// The writes, in order. Only the first wave is exact; the later ones are planned again after it.
    pub waves: Vec<Wave>,
    /// What differs, field by field.
    pub differences: Vec<Difference>,
    /// Whether the differences are drift: the spec was applied, and somebody changed something since.
    pub drift: bool,
    /// The revision the service should run, where it exists.
    pub revision: Option<String>,
    /// How far the rollout is, where there is one.
    pub rollout: Option<Rollout>,
    /// Whether the writes make tasks roll, and nobody asked yet whether it is this agent's turn.
    pub asks: bool,
    /// Whether nothing of an absent agent is left.
    pub gone: bool,
}

/// What should happen, given what is desired and what was seen. Pure.
pub fn plan(desired: &Desired, observed: &Observed) -> Plan {
    match desired {
        Desired::Present(wanted) => toward(wanted, observed),
        Desired::Absent(departure, circumstances) => away(departure, circumstances, observed),
        Desired::Unclear(reason, faults) => gated(Gate::Unclear(*reason, faults.join("; "))),
    }
}

fn toward(wanted: &Wanted, observed: &Observed) -> Plan {
    if let Some(gate) = guard::rejected(wanted) {
        return gated(gate);
    }
    let looks = look::needed(wanted, observed);
    if !looks.is_empty() {
        return Plan { looks, ..Plan::default() };
    }
    if let Some(gate) = refusal(wanted, observed) {
        return gated(gate);
    }
    if !built::is_there(wanted, observed) {
        return image_first(wanted, observed);
    }
    let revision = Revision::choose(wanted, observed);
    let compared = Compared::with(wanted, observed, &revision);
    let undone = observed.active_service().filter(|_| compared.restarts(&revision));
    if let Some(look) = undone.and_then(|live| look::verdicts(wanted, observed, live)) {
        return Plan { looks: vec![look], ..Plan::default() };
    }
    let mut plan = Plan { revision: revision.arn().map(str::to_owned), ..Plan::default() };
    plan.differences = differences(wanted, observed, (&revision, &compared));
    plan.drift = !plan.differences.is_empty() && was_applied(wanted, observed, &revision);
    plan.rollout = observed.active_service().zip(revision.arn()).map(|(live, arn)| rollout::judge(live, arn));
    plan.gate = guard::suspended(wanted).or_else(|| held(observed, (&revision, &compared)));
    if plan.gate.is_none() && is_left_alone(wanted, &plan) {
        plan.gate = Some(Gate::DriftLeftAlone);
        // What runs in place of the wanted revision is judged by itself.
        let left = unconcerned(observed);
        if wanted.agent.spec.drift.mode == DriftMode::Ignore {
            return left;
        }
        plan.rollout = left.rollout;
    }
    let held = matches!(plan.gate, Some(Gate::RolledBack(_)));
    plan.explaining = look::explaining(wanted, observed, revision.arn(), held);
    if plan.gate.is_none() {
        plan.waves = waves(wanted, observed, (&revision, &compared));
    }
    if plan.gate.is_none() && plan.waves.is_empty() && plan.rollout == Some(Rollout::Done) {
        plan.explaining.extend(look::verifying(wanted, observed));
    }
    postponed(plan, &wanted.circumstances, observed)
}

/// Without an image there is nothing to run, and nothing to compare. Building takes nobody's turn: no task of it rolls.
fn image_first(wanted: &Wanted, observed: &Observed) -> Plan {
    if let Some(gate) = built::gate(wanted, observed) {
        return gated(gate);
    }
    let mut waves = Waves(Vec::new());
    waves.add("repository", built::repository_changes(wanted, observed));
    waves.add("image", built::build(wanted, observed));
    Plan { waves: waves.0, ..Plan::default() }
}

/// Changes that may have to wait: for other agents, for a time, for a turn. Nothing to change never waits.
fn postponed(plan: Plan, circumstances: &Circumstances, observed: &Observed) -> Plan {
    if plan.waves.is_empty() {
        return plan;
    }
    let rolling = rolls(&plan, observed.active_service().is_some());
    let gate = guard::dependency(circumstances).or_else(|| guard::frozen(circumstances));
    let gate = gate.or_else(|| guard::turn(circumstances).filter(|_| rolling));
    if gate.is_some() {
        return Plan { gate, waves: Vec::new(), ..plan };
    }
    let asks = rolling && circumstances.turn == Turn::Unasked && !circumstances.force;
    Plan { asks, ..plan }
}

/// Whether carrying `plan` out replaces tasks, or makes the first ones.
fn rolls(plan: &Plan, has_service: bool) -> bool {
    !plan.waves.is_empty()
        && (!has_service || plan.differences.iter().any(|difference| difference.effect != Effect::InPlace))
}

/// Whether AWS once was as the spec says: the generation is on the service, and its revision exists or was taken away.
/// One that never existed is news (a tag in ECR moved), not somebody's doing.
fn was_applied(wanted: &Wanted, observed: &Observed, revision: &Revision) -> bool {
    let Some(live) = observed.active_service() else {
        return false;
    };
    let running = observed.revision.present().is_some_and(task_definition::Live::is_active);
    let news = running && matches!(revision, Revision::Register(_));
    !news && live.tags().get(tags::GENERATION).is_some_and(|tag| tag == wanted.generation.as_str())
}

/// Drift that is neither told nor changed: what runs is taken as it is.
fn unconcerned(observed: &Observed) -> Plan {
    let live = observed.active_service();
    let revision = live.map(|live| live.text("taskDefinition").to_owned());
    let rollout = live.zip(revision.as_deref()).map(|(live, arn)| rollout::judge(live, arn));
    Plan { revision, rollout, ..Plan::default() }
}

/// Everything in the order in which each thing needs the ones before it.
fn waves(wanted: &Wanted, observed: &Observed, (revision, compared): (&Revision, &Compared)) -> Vec<Wave> {
    let mut waves = Waves(Vec::new());
    waves.add("repository", built::repository_changes(wanted, observed));
    let group = wanted.log_group_beside(observed.log_group.present());
    let logs = group.map(|group| log_group::changes(&observed.log_group, &group, &wanted.tags)).unwrap_or_default();
    waves.add("log group", logs.into_iter().map(Action::LogGroup));
    waves.add("task definition", registration(revision).into_iter().map(Action::TaskDefinition));
    waves.add("echo", echo_tag(wanted, observed).into_iter().map(Action::TaskDefinition));
    waves.add("freeze count", freeze_count(wanted, observed).into_iter().map(Action::Service));
    waves.add("end scaling", end_scaling(wanted, observed).into_iter().map(Action::Scaling));
    waves.add("service", service_change(wanted, observed, (revision, compared)).into_iter().map(Action::Service));
    let (target, rest) = scaling_changes(wanted, observed);
    waves.add("scalable target", target.into_iter().map(Action::Scaling));
    waves.add("scaling policies", rest.into_iter().map(Action::Scaling));
    waves.add("tags", tag_changes(wanted, observed, revision).into_iter().map(Action::Service));
    waves.add("revisions", upkeep(wanted, observed, revision).into_iter().map(Action::TaskDefinition));
    waves.0
}

/// Deletion, backwards: scaling, service, then - once it is INACTIVE - revisions and, if wanted, the log group.
fn away(departure: &Departure, circumstances: &Circumstances, observed: &Observed) -> Plan {
    let inventory = &departure.inventory;
    if inventory.is_empty() {
        return Plan { gone: true, ..Plan::default() };
    }
    if let Some((reason, message)) = &departure.held {
        return gated(Gate::Kept(*reason, message.clone()));
    }
    let draining = observed.service.present().is_some_and(|live| !live.is_active() && !live.is_inactive());
    if inventory.release.is_some() && !draining {
        return guard::frozen(circumstances).map_or_else(|| release(departure, circumstances, observed), gated);
    }
    let looks = look::needed_to_leave(departure, observed);
    if !looks.is_empty() {
        return Plan { looks, ..Plan::default() };
    }
    let owner = &circumstances.owner;
    let foreign = |live| observed.gap().is_none() && guard::never_was_ours(live, owner, departure);
    if observed.active_service().is_some_and(foreign) {
        return Plan { gone: true, ..Plan::default() };
    }
    if let Some(gate) = leaving_refusal(departure, circumstances, observed) {
        let late = draining && prune::is_late(inventory, circumstances.now);
        let explaining = look::stopping(departure, observed).filter(|_| late).into_iter().collect();
        return Plan { explaining, ..gated(gate) };
    }
    let mut waves = Waves(Vec::new());
    if let Some(live) = observed.active_service() {
        // What has begun goes on: half of an agent is of use to nobody.
        if let Some(gate) = guard::frozen(circumstances) {
            return gated(gate);
        }
        let resource = scaling::resource_id(&crate::normal::last_segment(&inventory.cluster), &inventory.service);
        let scaled = observed.scaling.present().filter(|scaling| scaling_is_ours(scaling, live));
        waves.add("end scaling", scaled.map(|_| Action::Scaling(scaling::deregister(&resource))));
        let delete = service::Change::Delete {
            cluster: inventory.cluster.clone(),
            service: live.text("serviceName").to_owned(),
        };
        waves.add("service", [Action::Service(delete)]);
        return Plan { waves: waves.0, ..Plan::default() };
    }
    let ours = tags::owned(&circumstances.owner, departure.key.as_str(), &Tags::new());
    let revisions = observed.revisions.present().map(Vec::as_slice).unwrap_or_default();
    let registered = task_definition::outdated(revisions, &[], 0, &ours);
    let registered = registered.into_iter().filter(|live| live.is_active());
    waves.add(
        "revisions",
        registered.map(|live| Action::TaskDefinition(task_definition::Change::Deregister(live.arn.clone()))),
    );
    let keeps = inventory.retain_data && !has(Bug::DeletesData);
    let group = observed.log_group.present().filter(|live| !keeps && log_group::is_ours(live, &ours));
    let delete =
        group.zip(inventory.log_group.clone()).map(|(_, name)| Action::LogGroup(log_group::Change::Delete { name }));
    waves.add("log group", delete);
    waves.add("repository", built::deletion(inventory, observed, &ours));
    Plan { gone: waves.0.is_empty(), waves: waves.0, ..Plan::default() }
}

/// Handing back: everything goes on running, and nothing of it says that it is ours. The service last: as long as it is
/// ours, a pass that was cut short is gone on with.
fn release(departure: &Departure, circumstances: &Circumstances, observed: &Observed) -> Plan {
    let looks = look::needed_to_release(departure, observed);
    if !looks.is_empty() {
        return Plan { looks, ..Plan::default() };
    }
    if let Some(failure) = observed.gap() {
        return gated(Gate::Unknown(failure.clone()));
    }
    let ours = tags::owned(&circumstances.owner, departure.key.as_str(), &Tags::new());
    let is_ours = |tags: &Tags| tags::ownership(tags, &circumstances.owner, departure.key.as_str()) == Ownership::Ours;
    let mut waves = Waves(Vec::new());
    let revisions = observed.revisions.present().into_iter().flatten().filter(|live| live.is_ours(&ours));
    let untag = |live: &task_definition::Live| {
        let (arn, keys) = (live.arn.clone(), tags::bookkeeping(&live.tags));
        Action::TaskDefinition(task_definition::Change::Untag { arn, keys })
    };
    waves.add("revisions", revisions.map(untag));
    let group = observed.log_group.present().filter(|live| log_group::is_ours(live, &ours));
    let untag = group.zip(departure.inventory.log_group.clone()).map(|(live, name)| {
        let keys = live.tags.present().map(tags::bookkeeping).unwrap_or_default();
        Action::LogGroup(log_group::Change::Untag { name, arn: live.arn.clone(), keys })
    });
    waves.add("log group", untag);
    waves.add("repository", built::release(observed, &ours));
    let service = observed.active_service().filter(|live| is_ours(&live.tags()));
    let untag = service.map(|live| {
        let (arn, keys) = (live.arn().to_owned(), tags::bookkeeping(&live.tags()));
        Action::Service(service::Change::Untag { arn, keys })
    });
    waves.add("service", untag);
    Plan { gone: waves.0.is_empty(), waves: waves.0, ..Plan::default() }
}

/// The gates that stand before any comparison, in order.
fn refusal(wanted: &Wanted, observed: &Observed) -> Option<Gate> {
    if let Some(failure) = observed.gap() {
        return built::gap(failure, observed).or_else(|| Some(Gate::Unknown(named(failure, wanted))));
    }
    if let (Some(tag), true) = (&wanted.image.ecr, observed.image.is_absent()) {
        let message = format!("no image {}:{} in registry {}", tag.repository, tag.tag, tag.registry);
        return Some(Gate::ImageNotFound(message));
    }
    if let (Some(failure), true) = (observed.target_group.failure(), wanted.counts_requests()) {
        return Some(Gate::Unknown(failure.clone()));
    }
    if wanted.counts_requests() && observed.target_group.is_absent() {
        let arn = wanted.agent.spec.load_balancer.as_ref().and_then(|balancer| balancer.target_group_arn.clone());
        return Some(Gate::TargetGroupNotFound(format!("no target group {}", arn.unwrap_or_default())));
    }
    let live = observed.service.present()?;
    let active = observed.active_service();
    let name = &wanted.agent.metadata.name;
    active.and_then(|live| guard::not_ours(live, &wanted.circumstances.owner, name)).or_else(|| guard::draining(live))
}

/// AWS says "Cluster not found." and leaves it to people which; the spec knows.
fn named(failure: &Failure, wanted: &Wanted) -> Failure {
    let mut failure = failure.clone();
    if failure.reason == Reason::ClusterNotFound {
        let spec = &wanted.agent.spec;
        failure.message = format!("{} (spec.cluster {} in {})", failure.message, spec.cluster, spec.region);
    }
    failure
}

fn leaving_refusal(departure: &Departure, circumstances: &Circumstances, observed: &Observed) -> Option<Gate> {
    if let Some(failure) = observed.gap() {
        return Some(Gate::Unknown(failure.clone()));
    }
    let live = observed.service.present()?;
    let active = observed.active_service();
    let foreign = active.and_then(|live| guard::not_ours(live, &circumstances.owner, departure.key.as_str()));
    foreign.or_else(|| guard::draining(live))
}

/// The rejected generation is held: AWS gave this very revision up, or what else the service was told with it - a load balancer,
/// say - and the spec has not changed since.
fn held(observed: &Observed, (revision, compared): (&Revision, &Compared)) -> Option<Gate> {
    if has(Bug::RetriesRejected) {
        return None;
    }
    let arn = revision.arn().filter(|_| matches!(revision, Revision::Reuse(_)) || compared.restarts(revision))?;
    let verdict = observed.verdicts.present()?.iter().find(|verdict| verdict.task_definition == *arn)?;
    let name = arn.rsplit('/').next().unwrap_or(arn);
    verdict.is_rejection().then(|| {
        let why = if verdict.reason.is_empty() { String::new() } else { format!(": {}", verdict.reason) };
        let with = if matches!(revision, Revision::Running(_)) { " with its settings" } else { "" };
        let serves = observed.active_service().and_then(rollout::serving).filter(|serves| serves != name);
        let serves = serves.map(|serves| format!("; {serves} serves")).unwrap_or_default();
        Gate::RolledBack(built::held(&format!("ECS rolled {name}{with} back{why}{serves}"), observed))
    })
}

fn is_left_alone(wanted: &Wanted, plan: &Plan) -> bool {
    plan.drift && wanted.agent.spec.drift.mode != DriftMode::Correct && !wanted.circumstances.force
}

/// The service as it should be, and where it differs.
struct Compared {
    want: service::Wanted,
    /// A revision yet to be registered is a difference like any other, called [`REGISTERED_ABOVE`].
    differences: Vec<Difference>,
}

impl Compared {
    fn with(wanted: &Wanted, observed: &Observed, revision: &Revision) -> Self {
        let want = service_wanted(wanted, observed);
        let arn = Some(revision.arn().unwrap_or(REGISTERED_ABOVE));
        let live = observed.active_service();
        let differences = live.map(|live| service::diff(live, &want, arn, count(wanted, observed)));
        Self { want, differences: differences.unwrap_or_default() }
    }

    /// Whether a service that runs the revision differs in what only another deployment changes.
    fn restarts(&self, revision: &Revision) -> bool {
        let restarts = |difference: &Difference| difference.effect == Effect::RestartsTasks;
        matches!(revision, Revision::Running(_)) && self.differences.iter().any(restarts)
    }
}

fn differences(wanted: &Wanted, observed: &Observed, (revision, compared): (&Revision, &Compared)) -> Vec<Difference> {
    let Some(live) = observed.active_service() else {
        return Vec::new();
    };
    let mut differences = log_group_differences(wanted, observed);
    differences.extend(built::differences(wanted, observed));
    if let (Some(have), false) = (observed.revision.present(), matches!(revision, Revision::Running(_))) {
        differences.extend(task_definition::diff(have, &Revision::wanted(wanted, observed)));
        let status = if have.is_active() { "ACTIVE" } else { "INACTIVE" };
        let path = "/taskDefinition/status";
        differences.extend(difference::between(path, &json!(status), &json!("ACTIVE"), Effect::RestartsTasks));
    }
    // A revision yet to be registered differs through its content, told field by field; it has no ARN to compare.
    let nameless = |difference: &&Difference| difference.want != REGISTERED_ABOVE;
    differences.extend(compared.differences.iter().filter(nameless).cloned());
    differences.extend(scaling_differences(wanted, observed));
    let have = live.tags();
    differences.extend(tags::differences(&have, &wanted.service_tags(&have)));
    differences.into_iter().map(conceal::difference).collect()
}

fn log_group_differences(wanted: &Wanted, observed: &Observed) -> Vec<Difference> {
    let have = observed.log_group.present();
    let Some(group) = wanted.log_group_beside(have) else {
        return Vec::new();
    };
    if let Some(have) = have {
        let ours = log_group::is_ours(have, &wanted.tags);
        return log_group::diff(have, &group).into_iter().filter(|_| ours).collect();
    }
    difference::between("/logGroup", &Value::Null, &json!(group.name), Effect::InPlace)
}

/// Scaling that is not there, or no longer wanted, is one difference; scaling that is there is compared by field.
fn scaling_differences(wanted: &Wanted, observed: &Observed) -> Vec<Difference> {
    let range = |min: u32, max: u32| json!({"min": min, "max": max});
    let whole = |have: &Value, want: &Value| difference::between("/scaling", have, want, Effect::InPlace);
    match (observed.scaling.present(), scaling_wanted(wanted, observed)) {
        (Some(have), Some(want)) => {
            let mut differences = scaling::diff(have, &want);
            let astray = astray(wanted, observed).map(|(count, belongs)| (json!(count), json!(belongs)));
            differences.extend(
                astray.into_iter().flat_map(|(have, want)| {
                    difference::between("/scaling/desiredCount", &have, &want, Effect::InPlace)
                }),
            );
            differences
        }
        (None, Some(want)) => whole(&Value::Null, &range(want.min, want.max)),
        (Some(have), None) if ending_scaling(wanted, observed) => whole(&range(have.min, have.max), &Value::Null),
        (Some(_) | None, None) => Vec::new(),
    }
}

fn registration(revision: &Revision) -> Option<task_definition::Change> {
    if let Revision::Register(request) = revision {
        return Some(task_definition::Change::Register(request.clone()));
    }
    None
}

/// Before scaling ends, the live count is remembered on the service: it stays until a person edits the spec's count.
fn freeze_count(wanted: &Wanted, observed: &Observed) -> Option<service::Change> {
    let live = observed.active_service().filter(|_| ending_scaling(wanted, observed))?;
    let value = format!("{}/{}", live.count("desiredCount"), wanted.agent.spec.desired_count);
    let tags = Tags::from([(tags::FROZEN_COUNT.to_owned(), value)]);
    let known = live.tags().get(tags::FROZEN_COUNT) == tags.get(tags::FROZEN_COUNT);
    (!known).then(|| service::Change::Tag { arn: live.arn().to_owned(), tags })
}

fn end_scaling(wanted: &Wanted, observed: &Observed) -> Option<scaling::Change> {
    let resource = scaling::resource_id(wanted.agent.cluster_name(), wanted.agent.service_name());
    ending_scaling(wanted, observed).then(|| scaling::deregister(&resource))
}

fn ending_scaling(wanted: &Wanted, observed: &Observed) -> bool {
    let both = observed.scaling.present().zip(observed.active_service());
    !wanted.agent.spec.autoscaling.enabled && both.is_some_and(|(scaling, service)| scaling_is_ours(scaling, service))
}

/// Whether we set the scaling up, or a spec took it over under the names it had.
fn scaling_is_ours(scaling: &scaling::Live, service: &service::Live) -> bool {
    scaling.is_ours() || tags::sets(&service.tags()).any(|word| word == tags::SCALING)
}

fn service_change(
    wanted: &Wanted,
    observed: &Observed,
    (revision, Compared { want, differences }): (&Revision, &Compared),
) -> Vec<service::Change> {
    let arn = revision.arn().unwrap_or(REGISTERED_ABOVE);
    let Some(live) = observed.active_service() else {
        let count = first_count(wanted);
        let mut tags = wanted.service_tags(&Tags::new());
        tags.extend(voucher(wanted, observed, revision));
        // Scaling comes after the service. Were the generation on it before, a pass that dies in between would leave
        // what is missing looking like drift, and drift may be left alone.
        if wanted.agent.spec.autoscaling.enabled && wanted.agent.spec.drift.mode != DriftMode::Correct {
            tags.remove(tags::GENERATION);
        }
        return vec![service::Change::Create(service::create(want, arn, count, &tags))];
    };
    if differences.is_empty() && wanted.circumstances.force && needs_retry(live, arn) {
        let request = json!({"cluster": want.cluster, "service": want.name, "forceNewDeployment": true});
        return vec![service::Change::Update(request)];
    }
    let changeable = differences.iter().filter(|difference| difference.effect != Effect::Replaces);
    let Some(request) = service::update(want, changeable) else {
        return Vec::new();
    };
    // What ECS will not describe is remembered together with its sending, or the next look would miss it again.
    let sent = service::sent(&wanted.agent).filter(|digest| live.tags().get(tags::SENT) != Some(digest));
    let sent = sent.map(|digest| service::Change::Tag {
        arn: live.arn().to_owned(),
        tags: Tags::from([(tags::SENT.to_owned(), digest)]),
    });
    std::iter::once(service::Change::Update(request)).chain(sent).collect()
}

fn needs_retry(live: &service::Live, arn: &str) -> bool {
    matches!(rollout::judge(live, arn), Rollout::Failed { .. })
}

/// Changes of the target itself, and of what hangs on it.
fn scaling_changes(wanted: &Wanted, observed: &Observed) -> (Vec<scaling::Change>, Vec<scaling::Change>) {
    let Some(want) = scaling_wanted(wanted, observed) else {
        return (Vec::new(), Vec::new());
    };
    let changes = scaling::changes(&observed.scaling, &want, &wanted.tags);
    let (mut targets, others): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|change| matches!(change, scaling::Change::Register(_)));
    let live = observed.scaling.present().filter(|_| targets.is_empty() && astray(wanted, observed).is_some());
    targets.extend(live.map(|live| scaling::recall(&want.resource, live)));
    (targets, others)
}

fn tag_changes(wanted: &Wanted, observed: &Observed, revision: &Revision) -> Vec<service::Change> {
    let Some(live) = observed.active_service() else {
        return Vec::new();
    };
    let have = live.tags();
    let (mut set, remove) = tags::diff(&have, &wanted.service_tags(&have));
    if !set.is_empty() {
        set.extend(voucher(wanted, observed, revision));
    }
    let arn = live.arn().to_owned();
    let tag = (!set.is_empty()).then(|| service::Change::Tag { arn: arn.clone(), tags: set });
    let untag = (!remove.is_empty()).then_some(service::Change::Untag { arn, keys: remove });
    // Removed first: the tag that says what a spec once set must not forget a key that is still there.
    untag.into_iter().chain(tag).collect()
}

/// The tag by which the service vouches for the revision it is to run: thousands of them need not be read before a fleet
/// that was left alone is known again.
fn voucher(wanted: &Wanted, observed: &Observed, revision: &Revision) -> Option<(String, String)> {
    let voucher = task_definition::voucher(revision.arn()?, &Revision::wanted(wanted, observed).digest)?;
    Some((tags::REVISION.to_owned(), voucher))
}

/// AWS described a revision of ours otherwise than we asked: that is remembered on it before a service runs it, so that
/// the next pass knows the difference from somebody's edit. Only on one registered in this very pass: a revision that
/// somebody copied, tags and all, and edited must not get it.
fn echo_tag(wanted: &Wanted, observed: &Observed) -> Option<task_definition::Change> {
    let revisions = observed.revisions.present()?;
    let live = revisions.iter().find(|live| observed.registered.as_ref() == Some(&live.arn))?;
    let echo = live.echo().filter(|echo| live.tags.get(tags::ECHO) != Some(echo))?;
    let ours = live.tags.get(tags::DIGEST) == Some(&Revision::wanted(wanted, observed).digest);
    let tags = Tags::from([(tags::ECHO.to_owned(), echo)]);
    ours.then(|| task_definition::Change::Tag { arn: live.arn.clone(), tags })
}

/// Housekeeping on revisions, only in a pass that looked at them: one outdated revision a pass.
fn upkeep(wanted: &Wanted, observed: &Observed, revision: &Revision) -> Option<task_definition::Change> {
    let revisions = observed.revisions.present()?;
    let in_use = observed.active_service().map(service::Live::deployments).unwrap_or_default();
    let in_use = in_use.into_iter().map(|deployment| deployment.task_definition);
    let in_use: Vec<String> = in_use.chain(revision.arn().map(str::to_owned)).collect();
    let outdated = task_definition::outdated(revisions, &in_use, KEPT_REVISIONS, &wanted.tags);
    if has(Bug::DeregistersInUse) {
        return revision.arn().map(|arn| task_definition::Change::Deregister(arn.to_owned()));
    }
    let oldest = outdated.into_iter().find(|live| live.is_active())?;
    Some(task_definition::Change::Deregister(oldest.arn.clone()))
}

fn gated(gate: Gate) -> Plan {
    Plan { gate: Some(gate), ..Plan::default() }
}

impl Plan {
    /// The failure that made a needed observation unknown, if that is the gate.
    pub fn unknown(&self) -> Option<&Failure> {
        if let Some(Gate::Unknown(failure)) = &self.gate { Some(failure) } else { None }
    }

    /// Why the agent is not to be touched, if that is the gate.
    pub fn not_ours(&self) -> Option<Reason> {
        if let Some(Gate::NotOurs(reason, _)) = &self.gate { Some(*reason) } else { None }
    }
}

/// Collects waves; one without actions is none.
struct Waves(Vec<Wave>);

impl Waves {
    fn add(&mut self, name: &'static str, actions: impl IntoIterator<Item = Action>) {
        let actions: Vec<Action> = actions.into_iter().collect();
        if !actions.is_empty() {
            self.0.push(Wave { name, actions });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargateer_api::{Key, status::Inventory};

    #[test]
    fn of_an_agent_that_never_made_anything_nothing_is_left_and_nothing_looked_for() {
        let departure = Departure { key: Key::new("bot"), inventory: Inventory::default(), held: None };
        let plan = plan(&Desired::Absent(Box::new(departure), Box::default()), &Observed::default());
        assert_eq!(plan, Plan { gone: true, ..Plan::default() });
    }
}
