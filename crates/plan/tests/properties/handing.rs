//! Laws of what changes hands: services of others that are imported and adopted, and services of ours that are handed back.

use fargateer_api::{AgentDeployment, brief, validate, yaml};
use fargateer_plan::adopt;
use fargateer_plan::desired::Spec;
use fargateer_plan::import::{self, Found};
use fargateer_plan::seen::Seen;
use fargateer_plan::service::Live;
use fargateer_plan::tags::{self, Tags};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::driver::{converge, deploy, gone, pass, plan_with, present};
use crate::generator::correcting_agent;
use crate::laws::empty;
use crate::model::Aws;

/// What `agent` means, made by somebody who never heard of us: no tag of ours, other names of policies and schedules.
fn made_by_others(agent: &AgentDeployment) -> Aws {
    let mut aws = Aws { image: Some(format!("sha256:{}", "ab".repeat(32))), ..empty() };
    deploy(&mut aws, agent);
    without_bookkeeping(&mut aws);
    let rename = |item: &mut Value, key: &str| {
        let name = item[key].as_str().unwrap_or_default().replace("fargateer-", "their ");
        item[key] = json!(name);
    };
    if let Some(scaling) = &mut aws.scaling {
        scaling.policies.iter_mut().for_each(|policy| rename(policy, "PolicyName"));
        scaling.scheduled.iter_mut().for_each(|action| rename(action, "ScheduledActionName"));
        scaling.tags.clear();
    }
    aws
}

fn without_bookkeeping(aws: &mut Aws) {
    let foreign = |tags: &mut Tags| tags.retain(|key, _| !key.starts_with("fargateer:"));
    let mut tags = aws.service_tags();
    foreign(&mut tags);
    aws.service.as_mut().unwrap().insert("tags".to_owned(), tags::to_list(&tags));
    aws.revisions.iter_mut().for_each(|live| foreign(&mut live.tags));
    aws.log_groups.values_mut().for_each(|group| foreign(group.tags.present_mut().unwrap()));
}

fn found<'a>(aws: &'a Aws, service: &'a Live) -> Found<'a> {
    let running = service.text("taskDefinition");
    let revision = aws.revisions.iter().find(|live| live.arn == running).unwrap();
    let group = import::log_group_name(service, revision);
    Found {
        region: "us-east-1",
        service,
        revision,
        scaling: aws.scaling.as_ref(),
        log_group: group.and_then(|name| aws.log_groups.get(&name)),
    }
}

/// The spec of `agent`, gone, with a person's word that it is to be handed back.
fn released(agent: &AgentDeployment) -> Spec {
    let Spec::Gone(mut departure) = gone(agent) else { panic!("it is gone") };
    departure.inventory.release = Some("2026-07-01T12:00:00Z".to_owned());
    Spec::Gone(departure)
}

/// Every tag of ours there is.
fn bookkeeping(aws: &Aws) -> Vec<String> {
    let groups = aws.log_groups.values().filter_map(|group| group.tags.present());
    let all = aws.revisions.iter().map(|live| &live.tags).chain(groups).flat_map(tags::bookkeeping);
    all.chain(tags::bookkeeping(&aws.service_tags())).collect()
}

proptest! {
    #[test]
    fn what_is_imported_says_all_that_is_there(agent in correcting_agent()) {
        let aws = made_by_others(&agent);
        let service = Live { document: aws.service.clone().unwrap() };
        let imported = import::spec(&found(&aws, &service)).unwrap();
        prop_assert_eq!(&imported.unsaid, &vec![]);
        prop_assert_eq!(validate::check(&imported.agent), vec![]);
        let plain = agent.spec.overrides.is_empty();
        prop_assert!(!plain || imported.agent.spec.overrides.is_empty(), "has a field: {:?}", imported.agent.spec.overrides);
        let text = yaml::print_value(&brief(&imported.agent));
        let parsed = yaml::parse("imported.yaml", &text);
        prop_assert_eq!(&parsed.faults, &vec![], "{}", text);
        let read = &parsed.agents[0].agent;
        prop_assert_eq!(read, &imported.agent, "{}", text);
        let name = read.metadata.name.clone();
        let (plan, _) = plan_with(&aws, &present(read), |_, finding| adopt::pretend(finding, "prod", &name));
        prop_assert_eq!(&plan.differences, &vec![], "{}", text);
        prop_assert_eq!(adopt::beyond_tags(&plan), Vec::<&fargateer_plan::action::Action>::new(), "{}", text);
    }

    #[test]
    fn what_is_handed_back_carries_no_tag_of_ours_and_is_else_as_it_was(agent in correcting_agent()) {
        let mut aws = empty();
        deploy(&mut aws, &agent);
        let mut expected = aws.clone();
        without_bookkeeping(&mut expected);
        converge(&mut aws, &released(&agent), &agent);
        prop_assert_eq!(bookkeeping(&aws), Vec::<String>::new());
        prop_assert_eq!(aws.service_tags(), expected.service_tags());
        prop_assert_eq!(&aws.service.as_ref().unwrap()["status"], &json!("ACTIVE"));
        prop_assert_eq!(aws.revisions, expected.revisions);
        prop_assert_eq!(aws.scaling.is_some(), expected.scaling.is_some());
    }

    #[test]
    fn only_what_is_ours_is_handed_back(agent in correcting_agent()) {
        let mut aws = empty();
        deploy(&mut aws, &agent);
        let theirs = tags::owned("stage", "bot", &Tags::new());
        aws.service.as_mut().unwrap().insert("tags".to_owned(), tags::to_list(&theirs));
        aws.revisions.iter_mut().for_each(|live| live.tags.extend(theirs.clone()));
        aws.log_groups.values_mut().for_each(|group| group.tags = Seen::Present(theirs.clone()));
        let (pass, done) = pass(&mut aws, &released(&agent), &agent);
        prop_assert!(done.is_empty(), "{:?}", done);
        prop_assert!(pass.plan.gone);
    }
}
