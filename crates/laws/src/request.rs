//! Specs as requests: what is asked of AWS is settled once AWS has it, and what is shown of it keeps secrets.

use fargateer_api::status::SourceStatus;
use fargateer_api::{AgentDeployment, yaml};
use fargateer_plan::action::Action;
use fargateer_plan::desired::{Circumstances, Desired, Obstacle, Spec};
use fargateer_plan::observed::Observed;
use fargateer_plan::prepared::Prepared;
use fargateer_plan::seen::Seen;
use fargateer_plan::waves::{self, Plan};
use fargateer_plan::{build, conceal, repository, service, tags, target_group, task_definition};
use serde_json::{Value, json};

use crate::is_harmless;

/// From any file: the plan for an account with nothing in it is the same every time; the task definition and the service
/// it asks for, described in the same words, are what is wanted; and what people are shown of the spec and of the writes
/// does not depend on a value that may be a secret.
///
/// # Panics
///
/// When the law is broken.
pub fn spec_to_requests(data: &[u8]) {
    for located in yaml::parse_bytes("input.yaml", data).agents {
        let agent = located.agent;
        let plan = planned(&agent);
        assert_eq!(plan, planned(&agent), "another plan of the same");
        assert!(plan.looks.is_empty() && plan.gate.is_none(), "{:?} {:?}", plan.looks, plan.gate);
        task_definition_is_settled(&agent);
        service_is_settled(&agent);
        let other = planned(&with_other_secrets(&agent));
        assert_eq!(actions(&plan).count(), actions(&other).count(), "another number of writes");
        for (action, other) in actions(&plan).zip(actions(&other)) {
            assert!(is_harmless(&action.to_string()), "{action}");
            let (shown, of_other) = (conceal::action(action), conceal::action(other));
            assert!(harmless(&shown), "{shown}");
            assert_eq!(masked(shown), masked(of_other), "a write tells a secret");
        }
        let shown = conceal::spec(&agent.spec);
        assert!(harmless(&shown), "{shown}");
        let of_other = conceal::spec(&with_other_secrets(&agent).spec);
        assert_eq!(masked(shown), masked(of_other), "a spec tells a secret");
    }
}

fn actions(plan: &Plan) -> impl Iterator<Item = &Action> {
    plan.waves.iter().flat_map(|wave| &wave.actions)
}

/// The plan for an account with the image and the target group, and nothing of ours.
fn planned(agent: &AgentDeployment) -> Plan {
    let mut agent = agent.clone();
    agent.spec.suspend = None;
    let spec = Spec::Present {
        agent: Prepared::shared(agent),
        source: SourceStatus::default(),
        faults: Vec::new(),
        obstacle: Obstacle::Wording,
    };
    let desired = Desired::of(spec, Circumstances { owner: "laws".to_owned(), ..Circumstances::default() });
    let balancers = vec!["arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/front/1".to_owned()];
    let group = target_group::Live { load_balancers: balancers, ..target_group::Live::default() };
    let observed = Observed {
        service: Seen::Absent,
        image: Seen::Present(format!("sha256:{}", "0".repeat(64))),
        log_group: Seen::Absent,
        scaling: Seen::Absent,
        revisions: Seen::Present(Vec::new()),
        target_group: Seen::Present(group),
        repository: Seen::Present(repository()),
        build: Seen::Present(build()),
        ..Observed::default()
    };
    waves::plan(&desired, &observed)
}

fn repository() -> repository::Live {
    let (arn, uri) = ("arn".to_owned(), "111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/x".to_owned());
    let mutability = "IMMUTABLE".to_owned();
    repository::Live { arn, uri, mutability, scans: true, has_lifecycle: true, tags: tags::Tags::new() }
}

fn build() -> build::Live {
    let work = build::Work::Done(format!("sha256:{}", "0".repeat(64)));
    build::Live { tag: "b-1".to_owned(), base_digest: "sha256:1".to_owned(), runtime: "1".to_owned(), code: None, work }
}

fn task_definition_is_settled(agent: &AgentDeployment) {
    let wanted = task_definition::from_spec(agent, "image", None);
    let mut described = wanted.document().clone();
    described["taskDefinitionArn"] = json!("arn:aws:ecs:us-east-1:111122223333:task-definition/x:1");
    described["status"] = json!("ACTIVE");
    let live = task_definition::Live::from_answer(&json!({"taskDefinition": described}));
    assert!(live.is_some_and(|live| live.matches(&wanted)), "{}", wanted.document());
}

fn service_is_settled(agent: &AgentDeployment) {
    let wanted = service::from_spec(agent, None);
    let mut request = service::create(&wanted, "arn", 3, &tags::Tags::new());
    request["status"] = json!("ACTIVE");
    let document = request.as_object().cloned().unwrap_or_default();
    let differences = service::diff(&service::Live { document }, &wanted, Some("arn"), Some(3));
    assert_eq!(differences, [], "asked for and described in the same words: {request}");
}

/// The same agent with every value that may be a secret another one.
fn with_other_secrets(agent: &AgentDeployment) -> AgentDeployment {
    let mut other = agent.clone();
    let container = &mut other.spec.container;
    container.environment.values_mut().for_each(replace);
    container.secrets.values_mut().for_each(|secret| replace(&mut secret.value_from));
    let words = [&mut container.command, &mut container.entry_point, &mut container.health_check.command];
    words.into_iter().flatten().for_each(replace);
    for sidecar in &mut other.spec.sidecars {
        for (list, field) in [("environment", "value"), ("secrets", "valueFrom")] {
            let items = sidecar.get_mut(list).and_then(Value::as_array_mut);
            for value in items.into_iter().flatten().filter_map(|item| item.get_mut(field)) {
                *value = json!(format!("other {value}"));
            }
        }
    }
    if let Some(id) = other.spec.account.as_mut().and_then(|account| account.external_id.as_mut()) {
        replace(id);
    }
    other
}

fn replace(text: &mut String) {
    *text = format!("other {text}");
}

/// A document without digests: those of values, and those of the whole in tags and tokens.
fn masked(mut document: Value) -> Value {
    mask(&mut document);
    document
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let key = fields.get("key").and_then(Value::as_str).unwrap_or_default();
            if ["fargateer:digest", "fargateer:generation"].contains(&key) {
                fields.remove("value");
            }
            fields.remove("clientToken");
            fields.values_mut().for_each(mask);
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::String(text) if text.starts_with("sha256:") && text.len() == 15 => "sha256".clone_into(text),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn harmless(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().all(|(key, value)| is_harmless(key) && harmless(value)),
        Value::Array(items) => items.iter().all(harmless),
        Value::String(text) => is_harmless(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}
