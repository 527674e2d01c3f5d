//! Names, ARNs and image references: taken apart or refused, and put together again they are the same.

use std::sync::LazyLock;

use fargateer_api::spec::{Account, LoadBalancer, Secret};
use fargateer_api::{AgentDeployment, validate, yaml};
use fargateer_plan::image::Reference;
use fargateer_plan::normal::last_segment;
use fargateer_plan::scaling::resource_id;
use fargateer_plan::task_definition::{family_of, revision_number};

/// An agent without a fault.
const AGENT: &str = "{apiVersion: fargateer/v1, kind: AgentDeployment, metadata: {name: bot}, spec: {cluster: agents, \
    image: {uri: 'x:1'}, network: {subnets: [subnet-1]}, roles: {execution: x}}}";

/// Any text at every place of a spec that takes an ARN or an image is refused or sound; sound ones come apart and go
/// together again. No text at all makes the planner's parsers panic.
///
/// # Panics
///
/// When the law is broken.
pub fn arn(data: &[u8]) {
    let text = crate::text(data);
    parsers_of_the_planner(&text);
    let Some(agent) = READ.as_ref() else { return };
    let with = |change: &dyn Fn(&mut AgentDeployment)| {
        let mut changed = agent.clone();
        change(&mut changed);
        changed
    };
    let image = with(&|agent| agent.spec.image.uri = Some(text.clone()));
    if is_accepted(&image, "spec.image") {
        image_reference(&text);
    }
    let cluster = with(&|agent| agent.spec.cluster.clone_from(&text));
    if is_accepted(&cluster, "spec.cluster") {
        let name = cluster.cluster_name();
        assert!(is_plain(&text) && text.ends_with(name) && !name.is_empty(), "{text}");
        assert_eq!(resource_id(name, "bot").split('/').count(), 3, "{text}");
    }
    let secret = with(&|agent| {
        agent.spec.container.secrets.insert("KEY".to_owned(), Secret { value_from: text.clone() });
    });
    let role = with(&|agent| agent.spec.roles.task = Some(text.clone()));
    let account = with(&|agent| agent.spec.account = Some(Account { role_arn: text.clone(), ..Account::default() }));
    let group = with(&|agent| {
        agent.spec.load_balancer =
            Some(LoadBalancer { target_group_arn: Some(text.clone()), ..LoadBalancer::default() });
    });
    let places = [
        (&secret, "spec.container.secrets", false),
        (&role, "spec.roles.task", false),
        (&account, "spec.account.roleArn", true),
        (&group, "spec.loadBalancer.targetGroupArn", true),
    ];
    for (agent, path, whole) in places {
        if is_accepted(agent, path) {
            assert!(is_plain(&text) && (!whole || text.starts_with("arn:")), "{path}: {text}");
        }
    }
}

/// Read once: the law is about other texts, and fuzzing lives by speed.
static READ: LazyLock<Option<AgentDeployment>> =
    LazyLock::new(|| yaml::parse("agent.yaml", AGENT).agents.into_iter().next().map(|located| located.agent));

/// Whether no rule is broken at `path` or below.
fn is_accepted(agent: &AgentDeployment, path: &str) -> bool {
    validate::check(agent).iter().all(|violation| !violation.path.starts_with(path))
}

/// One word that a request, a log line and a shell take for what it is.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && crate::is_harmless(text) && !text.contains(char::is_whitespace)
}

fn parsers_of_the_planner(text: &str) {
    let reference = Reference::parse(text);
    assert_eq!(reference.text, text);
    assert_eq!(reference.pinned(None), text);
    assert!(text.ends_with(&last_segment(text)) && text.contains(family_of(text)));
    let arn = format!("arn:aws:ecs:us-east-1:111122223333:task-definition/bot:{}", revision_number(text));
    assert_eq!((family_of(&arn), revision_number(&arn)), ("bot", revision_number(text)));
}

/// A sound image reference: plain; in ECR its parts are the text, and pinned it is a digest of the same repository.
fn image_reference(text: &str) {
    assert!(is_plain(text), "{text}");
    let reference = Reference::parse(text);
    let Some(tag) = &reference.ecr else {
        assert_eq!(reference.pinned(Some("sha256:ab")), text);
        return;
    };
    assert_eq!(reference.digest(), None, "{text}");
    let (host, _) = text.split_once('/').unwrap_or_default();
    let whole = format!("{host}/{}:{}", tag.repository, tag.tag);
    assert!(whole == text || (tag.tag == "latest" && whole == format!("{text}:latest")), "{text}: {tag:?}");
    assert!(host.starts_with(&format!("{}.dkr.ecr.{}", tag.registry, tag.region)), "{text}: {tag:?}");
    let pinned = reference.pinned(Some("sha256:ab"));
    assert_eq!(pinned, format!("{host}/{}@sha256:ab", tag.repository), "{text}");
    let again = Reference::parse(&pinned);
    assert_eq!((again.digest(), again.ecr.as_ref()), (Some("sha256:ab"), None), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_whose_places_are_tried_is_sound() {
        assert_eq!(validate::check(READ.as_ref().unwrap()), []);
    }
}
