//! Taking over a service that is there: whose it is, and the one write that makes it ours. The log group, the target group
//! and the revisions of others stay as they are: used, never changed or deleted.

use crate::action::Action;
use crate::guard;
use crate::observed::Finding;
use crate::seen::Seen;
use crate::service::{self, Live};
use crate::tags::{self, Ownership, Tags};
use crate::waves::Plan;

/// Whose a live service is, to somebody who wants to adopt it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Ours already.
    Ours,
    /// Nobody's, so that it can be adopted.
    Free,
    /// Somebody else's.
    Refused {
        /// Why.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
}

/// Tags by which other tools mark what they manage, each with the tool's name.
const MARKS: &[(&str, &str)] = &[
    ("copilot-application", "AWS Copilot"),
    ("services.k8s.aws/controller-version", "the AWS controllers for Kubernetes"),
    ("crossplane-name", "Crossplane"),
];

/// Tools that people name in a tag of their own, such as `managed-by`.
const TOOLS: &[&str] = &["terraform", "opentofu", "pulumi", "cloudformation", "cdk", "copilot", "crossplane"];

/// The keys of such tags, in lower case without `-`, `_` and `:`.
const MANAGED_BY: &[&str] = &["managedby", "provisionedby", "provisioner", "deployedby", "iac", "terraform"];

/// Whose `live` is, seen from `agent` of installation `owner`.
pub fn standing(live: &Live, owner: &str, agent: &str) -> Standing {
    let name = live.text("serviceName");
    let refused = |problem: String, remedy: &str| Standing::Refused { problem, remedy: remedy.to_owned() };
    if let Some(problem) = guard::managed_elsewhere(live) {
        return refused(problem, elsewhere(live));
    }
    if let Some(engine) = engine(live) {
        let problem = format!("service {name} runs on {engine}, not on Fargate");
        return refused(problem, "move it to Fargate first, or leave it to what runs it");
    }
    match tags::ownership(&live.tags(), owner, agent) {
        Ownership::Ours => return Standing::Ours,
        Ownership::Installation(other) => {
            let problem = format!("service {name} belongs to the Fargateer installation {other}, not to {owner}");
            return refused(problem, "hand it back there first: `fargateer delete NAME --retain`; or say --owner");
        }
        Ownership::Agent(other) => {
            let problem = format!("service {name} belongs to agent {other} of this installation");
            return refused(problem, "one agent a service: change the spec of that agent");
        }
        Ownership::Nobodys => {}
    }
    match tool(live) {
        Some((tag, tool)) => {
            let problem = format!("service {name} is managed by {tool}, as its tag {tag} says");
            refused(problem, "take it out of that tool without deleting it (`terraform state rm`), and remove the tag")
        }
        None => Standing::Free,
    }
}

/// The ownership tags, and nothing else.
pub fn change(live: &Live, owner: &str, agent: &str) -> service::Change {
    service::Change::Tag { arn: live.arn().to_owned(), tags: tags::owned(owner, agent, &Tags::new()) }
}

/// `finding` as it would be were the service ours: what a plan made on it would do after the adoption.
pub fn pretend(finding: Finding, owner: &str, agent: &str) -> Finding {
    let Finding::Service(Seen::Present(mut live)) = finding else { return finding };
    let mut tags = live.tags();
    tags.extend(tags::owned(owner, agent, &Tags::new()));
    live.document.insert("tags".to_owned(), tags::to_list(&tags));
    Finding::Service(Seen::Present(live))
}

/// What `plan` does beside putting our bookkeeping on the service: nothing, where a spec says all of a service.
pub fn beyond_tags(plan: &Plan) -> Vec<&Action> {
    let ours = |key: &String| key.starts_with("fargateer:");
    let bookkeeping = |action: &&Action| match action {
        Action::Service(service::Change::Tag { tags, .. }) => tags.keys().all(ours),
        Action::Service(service::Change::Untag { keys, .. }) => keys.iter().all(ours),
        Action::Service(_)
        | Action::Repository(_)
        | Action::Image(_)
        | Action::LogGroup(_)
        | Action::TaskDefinition(_)
        | Action::Scaling(_) => false,
    };
    plan.waves.iter().flat_map(|wave| &wave.actions).filter(|action| !bookkeeping(action)).collect()
}

/// What to do about a service that AWS or a stack of it manages.
fn elsewhere(live: &Live) -> &'static str {
    if live.raw_tag("copilot-application").is_some() {
        return "it is AWS Copilot's: leave it there, or deploy the agent anew under another name and `copilot svc delete`";
    }
    if live.raw_tag("aws:cloudformation:stack-name").is_some() {
        return "leave it to its stack; or take it out of the stack (DeletionPolicy: Retain), which does not remove the \
                stack's tags from it: deploy the agent anew under another name";
    }
    "leave it there, or deploy the agent anew under another name and delete this service when traffic has moved"
}

/// What a service runs on that is not Fargate.
fn engine(live: &Live) -> Option<String> {
    let strategy = live.document.get("capacityProviderStrategy").and_then(serde_json::Value::as_array);
    let providers = strategy.into_iter().flatten().filter_map(|item| item.get("capacityProvider")?.as_str());
    let foreign: Vec<&str> = providers.filter(|name| !["FARGATE", "FARGATE_SPOT"].contains(name)).collect();
    let launch = live.text("launchType");
    let foreign_launch = (!["", "FARGATE"].contains(&launch)).then(|| launch.to_owned());
    foreign_launch.or_else(|| (!foreign.is_empty()).then(|| format!("the capacity provider {}", foreign.join(", "))))
}

/// The tool that tags say manages the service, and the tag that says so.
fn tool(live: &Live) -> Option<(String, String)> {
    let tags = live.tags();
    let marked = MARKS.iter().find(|(key, _)| tags.contains_key(*key));
    let named = tags.iter().find_map(|(key, value)| {
        let plain = key.to_lowercase().replace(['-', '_', ':'], "");
        let value = if plain == "terraform" && value == "true" { "terraform".to_owned() } else { value.to_lowercase() };
        let tool = TOOLS.iter().find(|tool| MANAGED_BY.contains(&plain.as_str()) && value.contains(**tool))?;
        Some((key.clone(), (*tool).to_owned()))
    });
    marked.map(|(key, tool)| ((*key).to_owned(), (*tool).to_owned())).or(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn live(more: &Value) -> Live {
        let mut document =
            json!({"serviceName": "web", "serviceArn": "arn:web", "status": "ACTIVE", "launchType": "FARGATE"});
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Live { document: document.as_object().unwrap().clone() }
    }

    fn tagged(pairs: &[(&str, &str)]) -> Live {
        let tags: Vec<Value> = pairs.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        live(&json!({"tags": tags}))
    }

    fn problem(live: &Live) -> String {
        match standing(live, "prod", "web") {
            Standing::Refused { problem, remedy } => {
                assert!(!remedy.is_empty());
                problem
            }
            other @ (Standing::Ours | Standing::Free) => format!("{other:?}"),
        }
    }

    #[test]
    fn a_service_without_marks_is_free_and_one_of_ours_is_ours() {
        let own = [("team", "web"), ("managed-by", "kim"), ("terraform", "no")];
        assert_eq!(standing(&tagged(&own), "prod", "web"), Standing::Free);
        let ours = [("fargateer:owner", "prod"), ("fargateer:agent", "web")];
        assert_eq!(standing(&tagged(&ours), "prod", "web"), Standing::Ours);
    }

    #[test]
    fn a_service_of_another_installation_or_agent_is_refused() {
        let other =
            |owner: &str, agent: &str| problem(&tagged(&[("fargateer:owner", owner), ("fargateer:agent", agent)]));
        assert!(other("stage", "web").contains("installation stage"), "{}", other("stage", "web"));
        assert!(other("prod", "api").contains("agent api"), "{}", other("prod", "api"));
    }

    #[test]
    fn services_of_other_tools_are_refused_by_what_marks_them() {
        for (marks, word) in [
            (vec![("aws:cloudformation:stack-name", "shop")], "stack shop"),
            (vec![("copilot-application", "shop")], "AWS Copilot"),
            (vec![("ManagedBy", "Terraform")], "terraform, as its tag ManagedBy"),
            (vec![("terraform", "true")], "terraform"),
            (vec![("services.k8s.aws/controller-version", "ecs-1")], "Kubernetes"),
        ] {
            assert!(problem(&tagged(&marks)).contains(word), "{marks:?}: {}", problem(&tagged(&marks)));
        }
        assert!(problem(&live(&json!({"resourceManagementType": "ECS"}))).contains("Express"));
        for controller in ["CODE_DEPLOY", "EXTERNAL"] {
            assert!(problem(&live(&json!({"deploymentController": {"type": controller}}))).contains(controller));
        }
    }

    #[test]
    fn what_does_not_run_on_fargate_is_refused() {
        assert!(problem(&live(&json!({"launchType": "EC2"}))).contains("EC2"));
        let provider = json!({"launchType": "", "capacityProviderStrategy": [{"capacityProvider": "my-asg"}]});
        assert!(problem(&live(&provider)).contains("my-asg"));
        let spot = json!({"launchType": "", "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]});
        assert_eq!(standing(&live(&spot), "prod", "web"), Standing::Free);
    }

    #[test]
    fn adopting_sets_the_two_ownership_tags_alone() {
        let service::Change::Tag { arn, tags } = change(&tagged(&[("team", "web")]), "prod", "web") else { panic!() };
        assert_eq!(arn, "arn:web");
        assert_eq!(tags.keys().collect::<Vec<_>>(), ["fargateer:agent", "fargateer:owner"]);
        let Finding::Service(seen) =
            pretend(Finding::Service(Seen::Present(tagged(&[("team", "web")]))), "prod", "web")
        else {
            panic!()
        };
        let have = seen.present().unwrap().tags();
        assert_eq!((have.len(), have.get("team").map(String::as_str)), (3, Some("web")));
    }

    #[test]
    fn what_a_plan_does_beside_our_bookkeeping_is_told() {
        let wave = |action| crate::waves::Wave { name: "x", actions: vec![action] };
        let tag = |key: &str| {
            let tags = Tags::from([(key.to_owned(), "x".to_owned())]);
            Action::Service(service::Change::Tag { arn: "arn:web".to_owned(), tags })
        };
        let untag = |key: &str| {
            Action::Service(service::Change::Untag { arn: "arn:web".to_owned(), keys: vec![key.to_owned()] })
        };
        let update = Action::Service(service::Change::Update(json!({})));
        let quiet = [tag("fargateer:generation"), untag("fargateer:sets")];
        let plan = Plan { waves: quiet.into_iter().map(wave).collect(), ..Plan::default() };
        assert_eq!(beyond_tags(&plan), Vec::<&Action>::new());
        let loud = [tag("team"), untag("team"), update];
        let plan = Plan { waves: loud.clone().into_iter().map(wave).collect(), ..Plan::default() };
        assert_eq!(beyond_tags(&plan), loud.iter().collect::<Vec<_>>());
    }
}
