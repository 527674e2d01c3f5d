//! The operator's policy: what the agents of each project may be. An agent outside of it is rejected before any look at AWS.
//!
//! What would reach AWS is judged - the rendered requests, overrides and sidecars included -, and told by the field of the
//! spec it comes from. When a project may change is `fargateer_api::freeze`'s business, how fast `turn.rs`'s.

use std::collections::BTreeMap;

use fargateer_api::fault::Violation;
use fargateer_api::freeze::{Frozen, Window, frozen};
use fargateer_api::pattern::like;
use fargateer_api::project::{Limits, RoleRules, RolloutRules};
use fargateer_api::{AgentDeployment, Project, default, is_confidential};
use jiff::Timestamp;
use serde_json::Value;

use crate::{service, task_definition};

/// The account of Fargateer's own credentials, in `spec.accounts`.
const OWN: &str = "own";

/// All projects there are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    projects: BTreeMap<String, Rules>,
}

/// One project's rules, understood.
#[derive(Debug, Clone, PartialEq)]
struct Rules {
    project: Project,
    windows: Vec<Window>,
}

/// What the rules need to know beside the spec.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing<'a> {
    /// Where the spec stands: `file:line`; unknown when it is looked at by itself.
    pub location: Option<&'a str>,
    /// How many agents of the project come before this one.
    pub before: usize,
}

impl Policy {
    /// The policy of `projects`, which have been found sound.
    pub fn of(projects: Vec<Project>) -> Self {
        let rules = projects.into_iter().map(|project| {
            let windows = project.spec.freezes.iter().filter_map(|freeze| Window::of(freeze).ok()).collect();
            (project.metadata.name.clone(), Rules { project, windows })
        });
        Self { projects: rules.collect() }
    }

    /// What of `agent` its project does not allow; nothing, when it may run.
    pub fn breaches(&self, agent: &AgentDeployment, standing: Standing<'_>) -> Vec<Violation> {
        let Some(rules) = self.projects.get(&agent.metadata.project) else {
            let known: Vec<String> = self.projects.keys().map(|name| format!("`{name}`")).collect();
            let problem = format!("the policy has no project `{}`, but {}", agent.metadata.project, known.join(", "));
            return vec![Violation::new("metadata.project", problem)];
        };
        Court { agent, project: &rules.project, found: Vec::new() }.judge(standing)
    }

    /// Whether changes in `project` wait at `now`.
    pub fn frozen(&self, project: &str, now: Timestamp) -> Option<Frozen> {
        frozen(&self.projects.get(project)?.windows, now)
    }

    /// How many agents of `project` roll at the same time, where it says so itself.
    pub fn rollouts(&self, project: &str) -> RolloutRules {
        self.projects.get(project).map(|rules| rules.project.spec.rollouts).unwrap_or_default()
    }

    /// How many agents `project` may have.
    pub fn most_agents(&self, project: &str) -> Option<u32> {
        self.projects.get(project)?.project.spec.limits.agents
    }

    /// The projects' shares of the workers.
    pub fn weights(&self) -> impl Iterator<Item = (&str, u32)> {
        self.projects.iter().map(|(name, rules)| (name.as_str(), rules.project.spec.weight))
    }
}

/// One agent before the rules of its project.
struct Court<'a> {
    agent: &'a AgentDeployment,
    project: &'a Project,
    found: Vec<Violation>,
}

impl Court<'_> {
    fn judge(mut self, standing: Standing<'_>) -> Vec<Violation> {
        self.standing(standing);
        self.place();
        self.network();
        self.task_definition();
        self.other_roles();
        self.count();
        self.found
    }

    fn standing(&mut self, Standing { location, before }: Standing<'_>) {
        if let Some(location) = location {
            let line = location.rsplit_once(':').filter(|(_, line)| line.parse::<u32>().is_ok());
            let file = line.map_or(location, |(file, _)| file);
            self.listed(("metadata.project", "sources"), file, self.project.spec.sources.as_ref(), like);
        }
        if let Some(most) = self.project.spec.limits.agents
            && before >= usize::try_from(most).unwrap_or(usize::MAX)
        {
            let there = format!("there are {before} agents already");
            self.deny("metadata.project", &there, &format!("`limits.agents` is {most}"));
        }
    }

    fn place(&mut self) {
        let (spec, rules) = (&self.agent.spec, &self.project.spec);
        let account = spec.account.as_ref().map(|account| account.role_arn.as_str());
        let number = account.and_then(|role| role.split(':').nth(4)).unwrap_or(OWN);
        self.listed(("spec.account.roleArn", "accounts"), number, rules.accounts.as_ref(), |rule, text| rule == text);
        if let Some(role) = account {
            self.role(("spec.account.roleArn", "roles.account"), role, rules.roles.account.as_ref());
        }
        self.listed(("spec.region", "regions"), &spec.region, rules.regions.as_ref(), |rule, text| rule == text);
        let name = self.agent.cluster_name();
        let cluster =
            |rule: &str, text: &str| if rule.starts_with("arn:") { like(rule, text) } else { like(rule, name) };
        self.listed(("spec.cluster", "clusters"), &spec.cluster, rules.clusters.as_ref(), cluster);
    }

    /// Subnets, security groups and public addresses, as CreateService would say them.
    fn network(&mut self) {
        let (agent, rules) = (self.agent, &self.project.spec);
        let settings = service::from_spec(agent, None).settings;
        let network = settings.get("networkConfiguration").and_then(|network| network.get("awsvpcConfiguration"));
        let texts = |key: &str| -> Vec<String> {
            let list = network.and_then(|network| network.get(key)).and_then(Value::as_array);
            list.into_iter().flatten().map(plain).collect()
        };
        let written = &agent.spec.network;
        for subnet in texts("subnets") {
            let path = item("spec.network.subnets", &written.subnets, &subnet);
            self.listed((&path, "subnets"), &subnet, rules.subnets.as_ref(), like);
        }
        let groups = texts("securityGroups");
        for group in &groups {
            let path = item("spec.network.securityGroups", &written.security_groups, group);
            self.listed((&path, "securityGroups"), group, rules.security_groups.as_ref(), like);
        }
        if groups.is_empty() && rules.security_groups.is_some() {
            let rule = "the VPC's default group is none of `securityGroups`";
            self.deny("spec.network.securityGroups", "none is given", rule);
        }
        let public = network.and_then(|network| network.get("assignPublicIp"));
        if !rules.public_ip && public != Some(&Value::from("DISABLED")) {
            let path = if written.assign_public_ip { "spec.network.assignPublicIp" } else { OVERRIDES };
            self.deny(path, "a public address is not allowed", "`publicIp` is false");
        }
    }

    /// Size, roles and images, as RegisterTaskDefinition would say them.
    fn task_definition(&mut self) {
        let (agent, rules) = (self.agent, &self.project.spec);
        let spec = &agent.spec;
        let uri = self.image_uri();
        let document = task_definition::from_spec(agent, &uri, None).document();
        let Limits { cpu, memory, tasks: _, agents: _ } = rules.limits;
        for (key, written, most) in [("cpu", spec.resources.cpu, cpu), ("memory", spec.resources.memory, memory)] {
            let rendered = document.get(key).map(plain).unwrap_or_default();
            let ours = rendered == written.to_string();
            let path =
                if ours { format!("spec.resources.{key}") } else { format!("spec.overrides.taskDefinition.{key}") };
            self.ceiling((&path, &format!("limits.{key}")), rendered.parse().ok(), most);
        }
        let RoleRules { account: _, execution, task, infrastructure: _ } = &rules.roles;
        for (key, (path, rule), written, patterns) in [
            ("executionRoleArn", ("spec.roles.execution", "roles.execution"), &spec.roles.execution, execution),
            ("taskRoleArn", ("spec.roles.task", "roles.task"), &spec.roles.task, task),
        ] {
            let Some(role) = document.get(key).map(plain) else { continue };
            let overridden = format!("spec.overrides.taskDefinition.{key}");
            let path = if written.as_ref() == Some(&role) { path } else { overridden.as_str() };
            self.role((path, rule), &role, patterns.as_ref());
        }
        for container in document.get("containerDefinitions").and_then(Value::as_array).into_iter().flatten() {
            self.image(container, &uri);
        }
        // What a Dockerfile is based on stands in the Dockerfile, which nobody reads here.
        if let Some(build) = spec.image.build.as_ref().filter(|_| self.agent.has_runtime()) {
            let base = build.base.clone().unwrap_or_else(|| default::BASE_IMAGE.to_owned());
            self.registry("spec.image.build.base", &base);
        }
    }

    /// The agent's own image; one that is built goes into ECR in the account whose roles the spec names.
    fn image_uri(&self) -> String {
        let spec = &self.agent.spec;
        let Some(repository) = self.agent.repository() else { return spec.image.uri.clone().unwrap_or_default() };
        let account = |arn: &str| arn.split(':').nth(4).filter(|account| account.len() == 12).map(str::to_owned);
        let roles = [spec.account.as_ref().map(|account| &account.role_arn), spec.roles.execution.as_ref()];
        let account = roles.into_iter().flatten().find_map(|arn| account(arn));
        format!("{}.dkr.ecr.{}.amazonaws.com/{repository}", account.as_deref().unwrap_or("unknown"), spec.region)
    }

    fn image(&mut self, container: &Value, own: &str) {
        let image = container.get("image").map(plain).unwrap_or_default();
        let built = self.agent.spec.image.build.is_some();
        let own_path = if built { "spec.image.build.repository" } else { "spec.image.uri" };
        let path = if image == own { own_path.to_owned() } else { self.path_of_image(&image) };
        self.registry(&path, &image);
    }

    fn registry(&mut self, path: &str, image: &str) {
        let repository = repository(image);
        let registry = repository.split('/').next().unwrap_or_default();
        let from = |rule: &str, _: &str| like(rule, &repository) || like(rule, registry);
        self.listed((path, "registries"), image, self.project.spec.registries.as_ref(), from);
    }

    fn path_of_image(&self, image: &str) -> String {
        let is_here = |sidecar: &serde_json::Map<String, Value>| sidecar.get("image").is_some_and(|text| text == image);
        let sidecar = self.agent.spec.sidecars.iter().position(is_here);
        sidecar.map_or_else(|| OVERRIDES.to_owned(), |index| format!("spec.sidecars[{index}].image"))
    }

    /// Roles anywhere else in what the service says: to move traffic, to attach volumes, to call hooks.
    fn other_roles(&mut self) {
        let mut roles = Vec::new();
        service::from_spec(self.agent, None).settings.values().for_each(|value| named_roles(value, &mut roles));
        let alternate = self.agent.spec.load_balancer.as_ref().and_then(|balancer| balancer.alternate.as_ref());
        for role in roles {
            let written = alternate.is_some_and(|alternate| alternate.role_arn == role);
            let path = if written { "spec.loadBalancer.alternate.roleArn" } else { OVERRIDES };
            self.role((path, "roles.infrastructure"), &role, self.project.spec.roles.infrastructure.as_ref());
        }
    }

    fn count(&mut self) {
        let (spec, most) = (&self.agent.spec, self.project.spec.limits.tasks);
        let scaling = &spec.autoscaling;
        let (path, count) = if scaling.enabled {
            ("spec.autoscaling.max", scaling.max)
        } else {
            ("spec.desiredCount", spec.desired_count)
        };
        self.ceiling((path, "limits.tasks"), Some(count), most);
        let scheduled = scaling.scheduled.iter().enumerate().filter(|_| scaling.enabled);
        for (index, action) in scheduled {
            let path = format!("spec.autoscaling.scheduled[{index}].max");
            self.ceiling((&path, "limits.tasks"), action.max.or(action.min), most);
        }
    }

    /// `value` must fit one of the entries of `rule`, where there is that rule.
    fn listed(&mut self, at: (&str, &str), value: &str, rule: Option<&Vec<String>>, fits: impl Fn(&str, &str) -> bool) {
        let Some(entries) = rule.filter(|entries| !entries.iter().any(|entry| fits(entry, value))) else { return };
        let entries: Vec<String> = entries.iter().map(|entry| format!("`{entry}`")).collect();
        let allowed = if entries.is_empty() { "nothing".to_owned() } else { entries.join(", ") };
        // What may be a secret is not repeated, whatever it is taken for here.
        let (path, name) = at;
        let value = if is_confidential(path) { "what stands here".to_owned() } else { format!("`{value}`") };
        self.deny(path, &format!("{value} is not allowed"), &format!("`{name}` allows {allowed}"));
    }

    fn role(&mut self, at: (&str, &str), role: &str, patterns: Option<&Vec<String>>) {
        let name = role.split_once(":role/").map_or(role, |(_, name)| name);
        self.listed(
            at,
            role,
            patterns,
            |rule, text| if rule.starts_with("arn:") { like(rule, text) } else { like(rule, name) },
        );
    }

    /// What cannot be read as a number is above every ceiling.
    fn ceiling(&mut self, (path, name): (&str, &str), number: Option<u32>, most: Option<u32>) {
        let Some(most) = most.filter(|most| number.is_none_or(|number| number > *most)) else { return };
        let number = number.map_or_else(|| "what stands here".to_owned(), |number| number.to_string());
        self.deny(path, &format!("{number} is too much"), &format!("`{name}` is {most}"));
    }

    fn deny(&mut self, path: &str, problem: &str, rule: &str) {
        let problem = format!("{problem} in project `{}`: {rule}", self.project.metadata.name);
        self.found.push(Violation::new(path, problem));
    }
}

/// Where what no field of its own says comes from.
const OVERRIDES: &str = "spec.overrides";

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The path of `value` in the list `written` at `base`, or of the overrides, where it is not in there.
fn item(base: &str, written: &[String], value: &str) -> String {
    let index = written.iter().position(|entry| entry == value);
    index.map_or_else(|| OVERRIDES.to_owned(), |index| format!("{base}[{index}]"))
}

fn named_roles(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                // `hookTargetArn` and the like are no roles; everything that is one is called so.
                if key == "roleArn" || key.ends_with("RoleArn") {
                    found.push(plain(value));
                }
                named_roles(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| named_roles(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `registry/repository` of an image, as Docker completes a short name.
fn repository(image: &str) -> String {
    let name = image.split('@').next().unwrap_or_default();
    let name = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
    match name.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(base: Value, more: Value) -> Value {
        match (base, more) {
            (Value::Object(mut base), Value::Object(more)) => {
                for (key, value) in more {
                    let before = base.remove(&key).unwrap_or(Value::Null);
                    base.insert(key, merged(before, value));
                }
                Value::Object(base)
            }
            (_, more) => more,
        }
    }

    fn agent(more: Value) -> AgentDeployment {
        let base = json!({"cluster": "agents", "image": {"uri": "public.ecr.aws/x/bot:1"},
            "network": {"subnets": ["subnet-a"], "securityGroups": ["sg-a"]}, "roles": {"execution": "exec"}});
        let document = json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment",
            "metadata": {"name": "bot", "project": "support"}, "spec": merged(base, more)});
        serde_json::from_value(document).unwrap()
    }

    fn policy(spec: &Value) -> Policy {
        let document =
            json!({"apiVersion": "fargateer/v1", "kind": "Project", "metadata": {"name": "support"}, "spec": spec});
        Policy::of(vec![serde_json::from_value(document).unwrap()])
    }

    #[track_caller]
    fn breached(rules: &Value, spec: Value, path: &str) {
        let found = policy(rules).breaches(&agent(spec), Standing::default());
        let paths: Vec<&str> = found.iter().map(|violation| violation.path.as_str()).collect();
        assert_eq!(paths, [path], "{found:?}");
    }

    #[track_caller]
    fn kept(rules: &Value, spec: Value) {
        assert_eq!(policy(rules).breaches(&agent(spec), Standing::default()), []);
    }

    #[test]
    fn what_is_left_out_is_not_restricted() {
        kept(&json!({}), json!({"network": {"assignPublicIp": true}, "resources": {"cpu": 16384, "memory": 122_880}}));
    }

    #[test]
    fn a_breach_names_the_field_the_value_and_the_rule() {
        let found =
            policy(&json!({"subnets": ["subnet-b*", "subnet-c"]})).breaches(&agent(json!({})), Standing::default());
        assert_eq!(found[0].path, "spec.network.subnets[0]");
        assert_eq!(
            found[0].problem,
            "`subnet-a` is not allowed in project `support`: `subnets` allows `subnet-b*`, `subnet-c`"
        );
    }

    #[test]
    fn the_place_is_judged() {
        let role = "arn:aws:iam::444455556666:role/deploy/agents";
        let there = json!({"account": {"roleArn": role}});
        breached(&json!({"accounts": ["444455556666"]}), json!({}), "spec.account.roleArn");
        breached(&json!({"accounts": ["own"]}), there.clone(), "spec.account.roleArn");
        kept(&json!({"accounts": ["own", "444455556666"], "roles": {"account": ["deploy/*"]}}), there.clone());
        breached(&json!({"roles": {"account": ["arn:aws:iam::*:role/other"]}}), there, "spec.account.roleArn");
        breached(&json!({"regions": ["eu-west-1"]}), json!({}), "spec.region");
        breached(&json!({"clusters": ["prod-*"]}), json!({}), "spec.cluster");
        let arn = json!({"cluster": "arn:aws:ecs:us-east-1:1:cluster/prod-a"});
        kept(&json!({"clusters": ["prod-*"]}), arn.clone());
        breached(&json!({"clusters": ["arn:aws:ecs:us-east-1:2:*"]}), arn, "spec.cluster");
    }

    #[test]
    fn roles_are_judged_by_arn_or_by_name_wherever_they_stand() {
        let arns =
            json!({"roles": {"execution": ["arn:aws:iam::1:role/exec"], "task": ["agent-*"], "infrastructure": []}});
        breached(&arns, json!({}), "spec.roles.execution");
        let execution = json!({"execution": "arn:aws:iam::1:role/exec"});
        kept(&arns, json!({"roles": execution}));
        let task = |role: &str| json!({"roles": merged(execution.clone(), json!({"task": role}))});
        kept(&arns, task("agent-x"));
        breached(&arns, task("admin"), "spec.roles.task");
        breached(&arns, task("arn:aws:iam::1:role/admin/agent-x"), "spec.roles.task");
        let overrides = json!({"taskDefinition": {"taskRoleArn": "admin"}});
        breached(
            &arns,
            json!({"roles": execution, "overrides": overrides}),
            "spec.overrides.taskDefinition.taskRoleArn",
        );
        let volume = json!({"service": {"volumeConfigurations": [{"managedEBSVolume": {"roleArn": "admin"}}]}});
        breached(&arns, json!({"roles": execution, "overrides": volume}), "spec.overrides");
    }

    #[test]
    fn the_network_is_judged_as_it_reaches_aws() {
        let rules = json!({"subnets": ["subnet-a"], "securityGroups": ["sg-a"], "publicIp": false});
        kept(&rules, json!({}));
        breached(&rules, json!({"network": {"securityGroups": []}}), "spec.network.securityGroups");
        breached(&rules, json!({"network": {"assignPublicIp": true}}), "spec.network.assignPublicIp");
        let vpc =
            |more: Value| json!({"overrides": {"service": {"networkConfiguration": {"awsvpcConfiguration": more}}}});
        breached(&rules, vpc(json!({"subnets": ["subnet-z"]})), "spec.overrides");
        breached(&rules, vpc(json!({"securityGroups": null})), "spec.network.securityGroups");
        breached(&rules, vpc(json!({"assignPublicIp": "ENABLED"})), "spec.overrides");
    }

    #[test]
    fn images_are_judged_by_registry_or_repository_with_those_of_sidecars() {
        kept(&json!({"registries": ["public.ecr.aws"]}), json!({}));
        kept(&json!({"registries": ["public.ecr.aws/x/*"]}), json!({}));
        breached(&json!({"registries": ["public.ecr.aws/y/*"]}), json!({}), "spec.image.uri");
        let ours = json!({"registries": ["public.ecr.aws"]});
        breached(&ours, json!({"image": {"uri": "public.ecr.aws.evil.com/x:1"}}), "spec.image.uri");
        breached(&ours, json!({"sidecars": [{"name": "side", "image": "redis:7"}]}), "spec.sidecars[0].image");
        let short = json!({"registries": ["public.ecr.aws", "docker.io/library/*"]});
        kept(&short, json!({"sidecars": [{"name": "side", "image": "redis:7"}]}));
        let overrides =
            json!({"taskDefinition": {"containerDefinitions": [{"name": "strands-agent", "image": "evil:1"}]}});
        breached(&ours, json!({"overrides": overrides}), "spec.overrides");
    }

    #[test]
    fn ceilings_hold_for_what_is_scaled_out_and_overridden_too() {
        let rules = json!({"limits": {"cpu": 512, "memory": 1024, "tasks": 4}});
        kept(&rules, json!({"desiredCount": 4, "resources": {"cpu": 512, "memory": 1024}}));
        breached(&rules, json!({"desiredCount": 5}), "spec.desiredCount");
        breached(&rules, json!({"resources": {"cpu": 1024, "memory": 1024}}), "spec.resources.cpu");
        let scaling = |more: Value| json!({"autoscaling": merged(json!({"enabled": true, "max": 4}), more)});
        kept(&rules, scaling(json!({})));
        breached(&rules, scaling(json!({"max": 5})), "spec.autoscaling.max");
        let night = json!({"scheduled": [{"name": "n", "schedule": "rate(1 hour)", "min": 2, "max": 9}]});
        breached(&rules, scaling(night), "spec.autoscaling.scheduled[0].max");
        breached(
            &rules,
            json!({"overrides": {"taskDefinition": {"memory": "8192"}}}),
            "spec.overrides.taskDefinition.memory",
        );
        breached(
            &rules,
            json!({"overrides": {"taskDefinition": {"cpu": "4 vCPU"}}}),
            "spec.overrides.taskDefinition.cpu",
        );
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        let sidecar = json!({"sidecars": [{"name": "side", "image": "hunter2"}]});
        let found = policy(&json!({"registries": ["public.ecr.aws"]})).breaches(&agent(sidecar), Standing::default());
        assert!(!found[0].problem.contains("hunter2"), "{found:?}");
    }

    #[test]
    fn a_project_has_its_sources_and_a_number_of_agents() {
        let policy = policy(&json!({"sources": ["teams/support/*"], "limits": {"agents": 3}}));
        let judged = |location: &str, before| {
            policy.breaches(&agent(json!({})), Standing { location: Some(location), before }).len()
        };
        assert_eq!(judged("teams/support/bot.yaml:7", 2), 0);
        assert_eq!(judged("teams/other/bot.yaml:7", 2), 1);
        assert_eq!(judged("teams/support/bot.yaml:7", 3), 1);
    }

    #[test]
    fn a_project_nobody_wrote_rules_for_is_allowed_nothing() {
        let mut stranger = agent(json!({}));
        stranger.metadata.project = "other".to_owned();
        let found = policy(&json!({})).breaches(&stranger, Standing::default());
        assert_eq!(found[0].problem, "the policy has no project `other`, but `support`");
    }

    #[test]
    fn a_project_has_as_many_agents_as_its_policy_says() {
        let project = |limits: &serde_json::Value| {
            let document = json!({"apiVersion": "fargateer/v1", "kind": "Project", "metadata": {"name": "team"},
                "spec": {"limits": limits}});
            serde_json::from_value::<Project>(document).unwrap()
        };
        let most = |limits: &serde_json::Value| Policy::of(vec![project(limits)]).most_agents("team");
        assert_eq!((most(&json!({"agents": 7})), most(&json!({}))), (Some(7), None));
        assert_eq!(Policy::of(vec![project(&json!({"agents": 7}))]).most_agents("other"), None);
    }

    #[test]
    fn projects_share_the_workers_by_weight() {
        let documents = json!([
            {"apiVersion": "fargateer/v1", "kind": "Project", "metadata": {"name": "a"}, "spec": {"weight": 3}},
            {"apiVersion": "fargateer/v1", "kind": "Project", "metadata": {"name": "b"}, "spec": {}},
        ]);
        let policy = Policy::of(serde_json::from_value(documents).unwrap());
        assert_eq!(policy.weights().collect::<Vec<_>>(), [("a", 3), ("b", 1)]);
    }
}
