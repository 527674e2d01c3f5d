//! The laws.

use std::collections::BTreeMap;

use fargateer_api::spec::DriftMode;
use fargateer_api::{AgentDeployment, Generation, Reason};
use fargateer_plan::action::Action;
use fargateer_plan::desired::Wanted;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::observed::{Finding, Look};
use fargateer_plan::pass::{Pass, Step};
use fargateer_plan::prepared::Prepared;
use fargateer_plan::seen::Seen;
use fargateer_plan::waves::Plan;
use fargateer_plan::{log_group, normal, service, tags, target_group, task_definition};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::describe;
use crate::driver::{circumstances, converge, deploy, gone, pass, plan, plan_with, present};
use crate::generator::{agent, correcting_agent};
use crate::model::Aws;

/// No deployment takes more waves than this, whatever stood before.
const MOST_WAVES: usize = 12;

/// An account with an image and a target group and nothing of ours.
pub(crate) fn empty() -> Aws {
    let target_group = target_group::Live {
        arn: "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/blue/73e2d6bc24d8a067".to_owned(),
        target_type: "ip".to_owned(),
        load_balancers: vec!["arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/front/1".to_owned()],
        targets: Vec::new(),
    };
    Aws { image: Some("sha256:ab".to_owned()), target_group: Some(target_group), ..Aws::default() }
}

fn deployed(agent: &AgentDeployment) -> Aws {
    let mut aws = empty();
    deploy(&mut aws, agent);
    aws
}

fn is_settled(plan: &Plan) -> bool {
    plan.waves.is_empty() && plan.differences.is_empty()
}

/// What a world comes to, without what depends on the way there: numbers of revisions, deployments, and what is kept by
/// design (zone rebalancing, a frozen count, the autoscaler's count, log groups of earlier specs).
fn essence(aws: &Aws, agent: &AgentDeployment) -> BTreeMap<&'static str, Value> {
    let mut service = aws.service.clone().unwrap();
    let arn = service.remove("taskDefinition").unwrap();
    let running = aws.revisions.iter().find(|live| live.arn == arn).unwrap();
    let deployments = service.remove("deployments").unwrap();
    let connect = deployments[0].get("serviceConnectConfiguration").cloned();
    let launch = service.remove("launchType").map(|_| json!([{"capacityProvider": "FARGATE", "weight": 1, "base": 0}]));
    let capacity = service.remove("capacityProviderStrategy").or(launch);
    for key in ["desiredCount", "runningCount", "availabilityZoneRebalancing", "tags"] {
        service.remove(key);
    }
    // Alarms that are off are no alarms.
    let deployment = service["deploymentConfiguration"].as_object_mut().unwrap();
    deployment.retain(|key, value| key != "alarms" || value["enable"] == true);
    // Of a blue/green pair either side may carry the traffic.
    for entry in service["loadBalancers"].as_array_mut().unwrap() {
        let other = entry.pointer("/advancedConfiguration/alternateTargetGroupArn").cloned();
        if let Some(other) = other.filter(|other| other.as_str() < entry["targetGroupArn"].as_str()) {
            entry["advancedConfiguration"]["alternateTargetGroupArn"] = entry["targetGroupArn"].take();
            entry["targetGroupArn"] = other;
        }
    }
    let mut tags = aws.service_tags();
    tags.remove(tags::FROZEN_COUNT);
    // Its number depends on how many revisions were tried before.
    tags.remove(tags::REVISION);
    let group = agent.spec.logging.enabled.then(|| aws.log_groups[&agent.log_group()].retention);
    let named = |items: &[Value], key: &str| -> BTreeMap<String, Value> {
        items.iter().map(|item| (item[key].to_string(), item.clone())).collect()
    };
    let scaling = aws.scaling.as_ref().map(|live| {
        let (policies, scheduled) =
            (named(&live.policies, "PolicyName"), named(&live.scheduled, "ScheduledActionName"));
        // While a schedule stands, the range is its business.
        let range = live.scheduled.is_empty().then_some([live.min, live.max]);
        json!([range, live.suspended, policies, scheduled])
    });
    BTreeMap::from([
        ("service", Value::Object(service)),
        ("revision", normal::task_definition(&running.document)),
        ("connect", json!(connect)),
        ("capacity", json!(capacity)),
        ("tags", json!(tags)),
        ("log group", json!(group)),
        ("scaling", json!(scaling)),
    ])
}

fn count(aws: &Aws) -> Value {
    aws.service.as_ref().unwrap()["desiredCount"].clone()
}

fn failure() -> Failure {
    Failure {
        class: Class::Transient,
        reason: Reason::Unavailable,
        operation: "x".to_owned(),
        code: "500".to_owned(),
        message: String::new(),
    }
}

/// The kind of a look, as a bit.
fn bit(look: &Look) -> u16 {
    let kinds = match look {
        Look::Service { .. } => 0,
        Look::Image(_) => 1,
        Look::LogGroup(_) | Look::LogGroupNow(_) => 2,
        Look::LogGroupTags(_) => 3,
        Look::Scaling { .. } => 4,
        Look::Revision(_) | Look::VouchedRevision { .. } => 5,
        Look::Revisions(_) => 6,
        Look::Verdicts { .. } => 7,
        Look::StoppedTasks { .. } => 8,
        Look::TargetGroup(_) => 9,
        Look::Probe { .. } => 10,
        Look::Gone { .. } => 11,
        Look::Stopping { .. } => 12,
        Look::Repository(_) => 13,
        Look::Build(_) => 14,
    };
    1 << kinds
}

fn unknown(finding: &Finding) -> Finding {
    match finding {
        Finding::Service(_) => Finding::Service(Seen::Unknown(failure())),
        Finding::Gone(_) => Finding::Gone(Seen::Unknown(failure())),
        Finding::Image(_) => Finding::Image(Seen::Unknown(failure())),
        Finding::Repository(_) => Finding::Repository(Seen::Unknown(failure())),
        Finding::Build(_) => Finding::Build(Seen::Unknown(failure())),
        Finding::LogGroup(_) => Finding::LogGroup(Seen::Unknown(failure())),
        Finding::LogGroupTags(_) => Finding::LogGroupTags(Seen::Unknown(failure())),
        Finding::Scaling(_) => Finding::Scaling(Seen::Unknown(failure())),
        Finding::Revision(_) => Finding::Revision(Seen::Unknown(failure())),
        Finding::Revisions(_) => Finding::Revisions(Seen::Unknown(failure())),
        Finding::Verdicts(_) => Finding::Verdicts(Seen::Unknown(failure())),
        Finding::StoppedTasks(_) => Finding::StoppedTasks(Seen::Unknown(failure())),
        Finding::Stopping(_) => Finding::Stopping(Seen::Unknown(failure())),
        Finding::TargetGroup(_) => Finding::TargetGroup(Seen::Unknown(failure())),
        Finding::Probe(_) => Finding::Probe(Seen::Unknown(failure())),
    }
}

/// What somebody else may do to a deployed agent.
fn meddle(aws: &mut Aws, what: u8) {
    let service = aws.service.as_mut().unwrap();
    match what {
        0 => drop(
            service
                .insert("enableExecuteCommand".to_owned(), json!(!service["enableExecuteCommand"].as_bool().unwrap())),
        ),
        1 => service["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"] = json!(["sg-hack"]),
        2 => {
            let mut tags = aws.service_tags();
            tags.retain(|key, _| key.starts_with("fargateer:"));
            aws.service.as_mut().unwrap().insert("tags".to_owned(), tags::to_list(&tags));
        }
        3 => aws.log_groups.clear(),
        4 => aws.scaling = None,
        5 => aws.scaling.iter_mut().for_each(|live| live.policies.clear()),
        6 => aws.scaling.iter_mut().for_each(|live| live.max = 77),
        7 => aws.log_groups.values_mut().for_each(|group| group.retention = Some(3653)),
        8 => {
            let mut request = aws.revisions[0].document.clone();
            request["containerDefinitions"][0]["user"] = json!("hack");
            let change = task_definition::Change::Register(request);
            aws.act(&Action::TaskDefinition(change));
            let arn = aws.revisions.last().unwrap().arn.clone();
            aws.revisions.last_mut().unwrap().tags.clear();
            aws.act(&Action::Service(service::Change::Update(json!({"taskDefinition": arn}))));
            aws.settle();
        }
        _ => aws.revisions.iter_mut().for_each(|live| live.document["status"] = json!("INACTIVE")),
    }
}

fn actions(waves: &[Vec<Action>]) -> impl Iterator<Item = &Action> {
    waves.iter().flatten()
}

fn updates(waves: &[Vec<Action>]) -> impl Iterator<Item = &Map<String, Value>> {
    actions(waves).filter_map(|action| match action {
        Action::Service(service::Change::Update(request)) => request.as_object(),
        Action::Service(_)
        | Action::Repository(_)
        | Action::Image(_)
        | Action::LogGroup(_)
        | Action::TaskDefinition(_)
        | Action::Scaling(_) => None,
    })
}

fn reversed(agent: &AgentDeployment) -> AgentDeployment {
    let mut agent = agent.clone();
    let spec = &mut agent.spec;
    spec.network.subnets.reverse();
    spec.network.security_groups.reverse();
    spec.rollout.alarms.reverse();
    spec.sidecars.reverse();
    spec.autoscaling.scheduled.reverse();
    spec.drift.ignore.reverse();
    spec.capacity.iter_mut().for_each(|capacity| capacity.strategy.reverse());
    agent
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_spec_settles_in_a_few_waves_and_then_nothing_is_written(agent in agent()) {
        let mut aws = empty();
        let waves = deploy(&mut aws, &agent);
        prop_assert!(waves.len() <= MOST_WAVES, "{} waves", waves.len());
        let plan = plan(&aws, &agent);
        prop_assert!(is_settled(&plan), "{plan:#?}");
        let (_, done) = pass(&mut aws, &present(&agent), &agent);
        prop_assert_eq!(done, Vec::<Vec<Action>>::new());
    }

    #[test]
    fn every_change_of_a_spec_settles_in_a_few_waves(one in agent(), other in agent()) {
        let mut aws = deployed(&one);
        let waves = deploy(&mut aws, &other);
        prop_assert!(waves.len() <= MOST_WAVES, "{} waves: {waves:#?}", waves.len());
        let plan = plan(&aws, &other);
        prop_assert!(is_settled(&plan), "{plan:#?}");
    }

    #[test]
    fn the_way_to_a_spec_does_not_matter(one in correcting_agent(), other in correcting_agent()) {
        let straight = deployed(&other);
        let mut round = deployed(&one);
        deploy(&mut round, &other);
        prop_assert_eq!(essence(&straight, &other), essence(&round, &other));
        let counted = !one.spec.autoscaling.enabled && !other.spec.autoscaling.enabled;
        prop_assert!(!counted || count(&straight) == count(&round));
    }

    #[test]
    fn a_pass_that_dies_anywhere_is_finished_by_the_next(one in correcting_agent(), other in correcting_agent(), steps in 0..9_usize) {
        let mut straight = deployed(&one);
        let mut broken = straight.clone();
        deploy(&mut straight, &other);
        let mut pass = Pass::toward(other.key(), present(&other), circumstances());
        let mut left = steps;
        'dying: loop {
            match pass.decide().unwrap() {
                Step::Look(looks) => pass.see(looks.iter().map(|look| broken.look(look)).collect()),
                Step::Act(actions) => for action in actions {
                    if left == 0 { break 'dying; }
                    left -= 1;
                    let done = broken.act(&action);
                    pass.did(action, done);
                },
                Step::Ask => panic!("nobody limits rollouts here"),
                Step::Rest => break,
            }
        }
        deploy(&mut broken, &other);
        prop_assert_eq!(essence(&straight, &other), essence(&broken, &other));
        prop_assert_eq!(count(&straight), count(&broken));
    }

    #[test]
    fn unknown_is_never_absent(one in agent(), other in agent(), spoiled in 1..1024_u16, there in any::<bool>(), leaving in any::<bool>()) {
        let aws = if there { deployed(&one) } else { empty() };
        let spec = if leaving { gone(&other) } else { present(&other) };
        let spoil = |look: &Look, finding: Finding| if bit(look) & spoiled == 0 { finding } else { unknown(&finding) };
        let (plan, looked) = plan_with(&aws, &spec, spoil);
        let blind = looked.iter().any(|look| bit(look) & spoiled != 0);
        prop_assert!(!blind || plan.waves.is_empty(), "blind to {looked:?}, yet {:#?}", plan.waves);
        prop_assert!(!blind || plan.unknown().is_some());
    }

    #[test]
    fn a_service_of_somebody_else_is_never_touched(one in agent(), other in agent(), whose in 0..3_u8, leaving in any::<bool>()) {
        let mut aws = deployed(&one);
        let mut tags = aws.service_tags();
        match whose {
            0 => tags.retain(|key, _| !key.starts_with("fargateer:")),
            1 => drop(tags.insert(tags::OWNER.to_owned(), "stage".to_owned())),
            _ => drop(tags.insert(tags::AGENT.to_owned(), "other".to_owned())),
        }
        aws.service.as_mut().unwrap().insert("tags".to_owned(), tags::to_list(&tags));
        let spec = if leaving { gone(&other) } else { present(&other) };
        let (plan, _) = plan_with(&aws, &spec, |_, finding| finding);
        // One whose service was never seen with our tags is forgotten with its spec.
        prop_assert_eq!(plan.gone, leaving);
        prop_assert_eq!(plan.not_ours(), (!leaving).then_some(Reason::NotOurs));
        prop_assert_eq!(plan.waves, vec![]);
    }

    #[test]
    fn revisions_and_log_groups_of_somebody_else_are_never_touched(one in agent(), other in agent(), agents in any::<bool>(), leaving in any::<bool>()) {
        let mut aws = deployed(&one);
        let foreign = if agents { tags::owned("prod", "other", &tags::Tags::new()) } else { tags::owned("stage", "bot", &tags::Tags::new()) };
        for live in &mut aws.revisions {
            live.tags.extend(foreign.clone());
        }
        for group in aws.log_groups.values_mut() {
            group.tags = Seen::Present(foreign.clone());
        }
        let theirs: Vec<String> = aws.revisions.iter().map(|live| live.arn.clone()).collect();
        let groups: Vec<String> = aws.log_groups.keys().cloned().collect();
        let waves = converge(&mut aws, &if leaving { gone(&other) } else { present(&other) }, &other);
        for action in actions(&waves) {
            match action {
                Action::TaskDefinition(task_definition::Change::Tag { arn, .. } | task_definition::Change::Deregister(arn)) => {
                    prop_assert!(!theirs.contains(arn), "{action}");
                }
                Action::LogGroup(log_group::Change::Retention { name, .. } | log_group::Change::Delete { name }) => {
                    prop_assert!(!groups.contains(name), "{action}");
                }
                Action::TaskDefinition(_)
                | Action::LogGroup(_)
                | Action::Service(_)
                | Action::Scaling(_)
                | Action::Repository(_)
                | Action::Image(_) => {}
            }
        }
    }

    #[test]
    fn what_is_rendered_and_what_ecs_makes_of_it_are_one(agent in agent()) {
        let wanted = task_definition::from_spec(&agent, "image", None);
        let described = describe::task_definition(&wanted.document(), 7);
        prop_assert_eq!(normal::task_definition(&wanted.document()), normal::task_definition(&described));
        let want = service::from_spec(&agent, None);
        let request = service::create(&want, "arn", 3, &tags::Tags::new());
        let live = service::Live { document: describe::service(&request, "agents") };
        let unseen = ["/service/serviceConnectConfiguration", "/service/monitoring"];
        let differences = service::diff(&live, &want, Some("arn"), Some(3)).into_iter();
        let differences: Vec<_> = differences.filter(|found| !unseen.iter().any(|path| found.field.starts_with(path))).collect();
        prop_assert_eq!(differences, vec![]);
    }

    #[test]
    fn the_count_is_never_sent_while_scaling_owns_it(one in agent(), other in agent(), live in 0..9_u32) {
        let mut aws = deployed(&one);
        let scaled = aws.scaling.is_some();
        if scaled {
            aws.service.as_mut().unwrap().insert("desiredCount".to_owned(), json!(live));
            aws.settle();
        }
        // The model itself refuses a count on a scaled service.
        let waves = deploy(&mut aws, &other);
        if other.spec.autoscaling.enabled {
            prop_assert!(updates(&waves).all(|request| !request.contains_key("desiredCount")));
        }
        if scaled && !other.spec.autoscaling.enabled {
            prop_assert_eq!(count(&aws), json!(live), "scaling ended: the live count stays");
        }
    }

    #[test]
    fn an_update_carries_only_what_differs(one in correcting_agent(), other in correcting_agent()) {
        let mut aws = deployed(&one);
        let before = aws.service.clone().unwrap();
        let waves = deploy(&mut aws, &other);
        prop_assert!(updates(&waves).count() <= 1, "one call carries all: {waves:#?}");
        for request in updates(&waves) {
            for (key, value) in request.iter().filter(|(key, _)| !["cluster", "service", "forceNewDeployment", "monitoring"].contains(&key.as_str())) {
                let mut after = before.clone();
                if key == "serviceConnectConfiguration" {
                    let have = before["deployments"][0].get(key).cloned().unwrap_or(json!({"enabled": false}));
                    prop_assert_ne!(&have, value);
                    continue;
                }
                after.insert(key.clone(), value.clone());
                describe::fill(&mut after);
                prop_assert_ne!(&after, &before, "{} is the same", key);
            }
        }
    }

    #[test]
    fn a_plan_is_the_same_every_time(one in agent(), other in agent()) {
        let aws = deployed(&one);
        prop_assert_eq!(plan(&aws, &other), plan(&aws, &other));
    }

    #[test]
    fn the_order_of_lists_in_a_spec_does_not_matter(agent in agent()) {
        let aws = deployed(&agent);
        let mut other = reversed(&agent);
        let found = plan(&aws, &other);
        prop_assert_eq!(&found.differences, &vec![]);
        let names: Vec<_> = found.waves.iter().map(|wave| wave.name).collect();
        let same = Generation::of(&agent.spec) == Generation::of(&other.spec);
        prop_assert_eq!(names, if same { vec![] } else { vec!["tags"] });
        other.spec.drift = fargateer_api::spec::Drift::default();
        prop_assert!(deploy(&mut aws.clone(), &other).len() <= MOST_WAVES);
    }

    #[test]
    fn equal_generations_have_equal_plans(one in agent(), other in agent()) {
        let aws = deployed(&one);
        let mut twin = other.clone();
        twin.metadata.labels.insert("team".to_owned(), "x".to_owned());
        twin.metadata.project = "elsewhere".to_owned();
        prop_assert_eq!(Generation::of(&other.spec), Generation::of(&twin.spec));
        prop_assert_eq!(plan(&aws, &other), plan(&aws, &twin));
    }

    #[test]
    fn what_somebody_changed_is_told_and_put_back(agent in correcting_agent(), what in 0..10_u8) {
        let mut aws = deployed(&agent);
        let before = essence(&aws, &agent);
        meddle(&mut aws, what);
        let found = plan(&aws, &agent);
        prop_assert_eq!(found.waves.is_empty(), found.differences.is_empty(), "{:#?}", found);
        prop_assert_eq!(found.drift, !found.differences.is_empty());
        deploy(&mut aws, &agent);
        prop_assert_eq!(before, essence(&aws, &agent));
    }

    #[test]
    fn drift_that_is_to_be_left_alone_is_left_alone(agent in correcting_agent(), what in 0..10_u8, ignore in any::<bool>()) {
        let mut agent = agent;
        agent.spec.drift.mode = if ignore { DriftMode::Ignore } else { DriftMode::Detect };
        let mut aws = deployed(&agent);
        meddle(&mut aws, what);
        let found = plan(&aws, &agent);
        prop_assert_eq!(&found.waves, &vec![]);
        prop_assert!(!ignore || (found.differences.is_empty() && !found.drift), "ignored drift is not told: {:#?}", found);
    }

    #[test]
    fn what_is_gone_leaves_nothing_but_data_behind(agent in agent()) {
        let mut aws = deployed(&agent);
        let waves = converge(&mut aws, &gone(&agent), &agent);
        prop_assert!(waves.len() <= MOST_WAVES, "{waves:#?}");
        prop_assert_eq!(&aws.service.as_ref().unwrap()["status"], "INACTIVE");
        prop_assert!(aws.revisions.iter().all(|live| !live.is_active()));
        prop_assert!(aws.scaling.is_none());
        prop_assert_eq!(!aws.log_groups.is_empty(), agent.spec.logging.enabled && agent.spec.retain_data);
        let (plan, _) = plan_with(&aws, &gone(&agent), |_, finding| finding);
        prop_assert!(plan.gone && plan.waves.is_empty());
    }

    #[test]
    fn what_is_gone_can_be_deployed_again(agent in agent()) {
        let mut aws = deployed(&agent);
        converge(&mut aws, &gone(&agent), &agent);
        deploy(&mut aws, &agent);
        prop_assert_eq!(&aws.service.as_ref().unwrap()["status"], "ACTIVE");
        prop_assert!(is_settled(&plan(&aws, &agent)));
    }

    #[test]
    fn a_client_token_is_stable_and_differs_with_the_content(one in agent(), other in agent()) {
        let token = |agent: &AgentDeployment| {
            let tags = Wanted::new(Prepared::shared(agent.clone()), vec![], circumstances()).tags;
            let request = service::create(&service::from_spec(agent, None), "arn", 1, &tags);
            let token = request["clientToken"].as_str().unwrap().to_owned();
            (token, request)
        };
        let ((first, mut left), (second, mut right)) = (token(&one), token(&other));
        prop_assert_eq!(&token(&one).0, &first);
        prop_assert!(first.len() <= 36 && first.bytes().all(|byte| (33..=126).contains(&byte)));
        left["clientToken"] = Value::Null;
        right["clientToken"] = Value::Null;
        prop_assert_eq!(left == right, first == second);
    }
}
