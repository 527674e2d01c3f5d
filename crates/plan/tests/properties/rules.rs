//! Sentences about life over several passes.

use fargateer_api::{AgentDeployment, yaml};
use fargateer_plan::action::Action;
use fargateer_plan::guard::Gate;
use fargateer_plan::rollout::Verdict;
use fargateer_plan::tags;
use serde_json::json;

use crate::driver::{deploy, pass, plan, present};
use crate::laws::empty;
use crate::model::Aws;

fn agent(more: &str) -> AgentDeployment {
    let text = format!(
        "apiVersion: fargateer/v1\nkind: AgentDeployment\nmetadata: {{name: bot}}\nspec:\n  cluster: agents\n  image: {{uri: public.ecr.aws/agents/bot:1}}\n  network: {{subnets: [subnet-1]}}\n  roles: {{execution: exec}}\n{more}"
    );
    let parsed = yaml::parse("spec.yaml", &text);
    assert_eq!(parsed.faults, [], "{text}");
    parsed.agents.into_iter().next().unwrap().agent
}

fn words(waves: &[Vec<Action>]) -> Vec<String> {
    waves.iter().flatten().map(ToString::to_string).collect()
}

fn scaled_to(aws: &mut Aws, count: u32) {
    aws.service.as_mut().unwrap().insert("desiredCount".to_owned(), json!(count));
    aws.settle();
}

#[test]
fn what_ecs_never_describes_is_sent_exactly_once() {
    let mut aws = empty();
    deploy(&mut aws, &agent(""));
    let with = agent("  overrides: {service: {monitoring: {resolutionSeconds: 20}}}\n");
    let sent = words(&deploy(&mut aws, &with)).into_iter().filter(|action| action.contains("monitoring")).count();
    assert_eq!(sent, 1);
    let other = agent("  overrides: {service: {monitoring: {resolutionSeconds: 60}}}\n");
    assert!(words(&deploy(&mut aws, &other)).contains(&"ecs.UpdateService bot (monitoring)".to_owned()));
    deploy(&mut aws, &agent(""));
    assert_eq!(aws.service_tags().get(tags::SENT), None);
}

#[test]
fn the_count_is_handed_over_when_scaling_ends_and_owned_once_a_person_edits_it() {
    let mut aws = empty();
    deploy(&mut aws, &agent("  autoscaling: {enabled: true, min: 2, max: 9}\n"));
    scaled_to(&mut aws, 7);
    deploy(&mut aws, &agent("  desiredCount: 1\n"));
    assert_eq!(aws.service.as_ref().unwrap()["desiredCount"], 7);
    deploy(&mut aws, &agent("  desiredCount: 1\n  enableExecuteCommand: true\n"));
    assert_eq!(aws.service.as_ref().unwrap()["desiredCount"], 7, "another edit does not bring the old count back");
    deploy(&mut aws, &agent("  desiredCount: 3\n"));
    assert_eq!(aws.service.as_ref().unwrap()["desiredCount"], 3);
    assert_eq!(aws.service_tags().get(tags::FROZEN_COUNT), None);
    deploy(&mut aws, &agent("  desiredCount: 1\n"));
    assert_eq!(aws.service.as_ref().unwrap()["desiredCount"], 1);
}

#[test]
fn a_count_frozen_at_zero_stays_zero() {
    let mut aws = empty();
    deploy(&mut aws, &agent("  autoscaling: {enabled: true, min: 0, max: 9}\n"));
    scaled_to(&mut aws, 0);
    deploy(&mut aws, &agent(""));
    assert_eq!(aws.service.as_ref().unwrap()["desiredCount"], 0);
}

#[test]
fn a_schedule_dropped_together_with_scaling_ends_the_scaling() {
    let mut aws = empty();
    let schedule = "scheduled: [{name: night, schedule: rate(1 hour), min: 1}]";
    deploy(&mut aws, &agent(&format!("  autoscaling: {{enabled: true, targetCpu: null, {schedule}}}\n")));
    assert!(aws.scaling.is_some());
    deploy(&mut aws, &agent(""));
    assert!(aws.scaling.is_none());
}

#[test]
fn a_rolled_back_revision_is_held_until_the_spec_changes() {
    let mut aws = empty();
    let (good, bad) = (agent(""), agent("  container: {environment: {BAD: \"1\"}}\n"));
    deploy(&mut aws, &good);
    let first = aws.service.as_ref().unwrap()["taskDefinition"].clone();
    pass(&mut aws, &present(&bad), &bad);
    let rejected = aws.service.as_ref().unwrap()["taskDefinition"].as_str().unwrap().to_owned();
    let service = aws.service.as_mut().unwrap();
    service.insert("taskDefinition".to_owned(), first.clone());
    service["deployments"][0]["taskDefinition"] = first;
    let reason = "circuit breaker".to_owned();
    let verdict =
        Verdict { arn: "d".to_owned(), task_definition: rejected, status: "ROLLBACK_SUCCESSFUL".to_owned(), reason };
    aws.verdicts.push(verdict);
    aws.settle();
    for _ in 0..3 {
        let (pass, done) = pass(&mut aws, &present(&bad), &bad);
        assert!(matches!(pass.plan.gate, Some(Gate::RolledBack(_))), "{:?}", pass.plan.gate);
        assert_eq!(done, Vec::<Vec<Action>>::new());
    }
    let better = agent("  container: {environment: {BAD: \"0\"}}\n");
    assert!(words(&deploy(&mut aws, &better)).contains(&"ecs.UpdateService bot (taskDefinition)".to_owned()));
    assert!(plan(&aws, &better).waves.is_empty());
}

#[test]
fn a_hundred_deployments_leave_few_revisions_and_those_in_use() {
    let mut aws = empty();
    for number in 0..40 {
        deploy(&mut aws, &agent(&format!("  container: {{environment: {{N: \"{number}\"}}}}\n")));
    }
    let active = aws.revisions.iter().filter(|live| live.is_active()).count();
    assert!((10..=12).contains(&active), "{active} revisions");
}

#[test]
fn a_spec_that_alternates_reuses_its_revisions() {
    let mut aws = empty();
    for number in 0..6 {
        deploy(&mut aws, &agent(&format!("  container: {{environment: {{N: \"{}\"}}}}\n", number % 2)));
    }
    assert_eq!(aws.revisions.len(), 2);
}
