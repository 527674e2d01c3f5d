//! The ECS service: the settings we own, live facts, `Change`, `from_spec`, and **`diff`**.
//!
//! Settings are a JSON object in the shape of CreateService. An update carries only the changed top-level fields: absent
//! keeps, `[]` removes, and one call with all changes starts one deployment instead of several.

use fargateer_api::AgentDeployment;
use fargateer_api::seeded::{Bug, has};
use fargateer_api::spec::{Capacity, PropagateTags, Provider, Rollout, Strategy};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::difference::{self, Difference, Effect};
use crate::tags::{self, Tags};
use crate::{merge, normal};

/// The fields of a service we know, and what changing each does (ECS API: UpdateService, "triggers a deployment").
const FIELDS: &[(&str, Effect)] = &[
    ("taskDefinition", Effect::RestartsTasks),
    ("networkConfiguration", Effect::RestartsTasks),
    ("loadBalancers", Effect::RestartsTasks),
    ("serviceRegistries", Effect::RestartsTasks),
    ("serviceConnectConfiguration", Effect::RestartsTasks),
    ("volumeConfigurations", Effect::RestartsTasks),
    ("vpcLatticeConfigurations", Effect::RestartsTasks),
    ("platformVersion", Effect::RestartsTasks),
    ("capacityProviderStrategy", Effect::RestartsTasks),
    ("desiredCount", Effect::InPlace),
    ("deploymentConfiguration", Effect::InPlace),
    ("healthCheckGracePeriodSeconds", Effect::InPlace),
    ("enableExecuteCommand", Effect::InPlace),
    ("enableECSManagedTags", Effect::InPlace),
    ("propagateTags", Effect::InPlace),
    ("availabilityZoneRebalancing", Effect::InPlace),
    ("deploymentController", Effect::Replaces),
    ("schedulingStrategy", Effect::Replaces),
    ("launchType", Effect::Replaces),
];

/// ECS's own bake time where none is given.
const BAKE_MINUTES: u32 = 15;

/// Settings ECS describes on the PRIMARY deployment instead of on the service.
const ON_DEPLOYMENT: &[&str] = &["serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations"];

/// A service, as ECS describes it (with tags).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Live {
    /// The described document.
    pub document: Map<String, Value>,
}

/// One entry of `deployments[]`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deployment {
    /// `ecs-svc/<number>`.
    pub id: String,
    /// `PRIMARY`, `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// ARN of the revision it runs.
    pub task_definition: String,
    /// Tasks it wants.
    pub desired_count: u32,
    /// Tasks running.
    pub running_count: u32,
    /// Tasks starting.
    pub pending_count: u32,
    /// Tasks that failed in a row.
    pub failed_tasks: u32,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED`; absent for other deployment controllers.
    pub rollout_state: Option<String>,
    /// ECS's own words for it.
    pub rollout_state_reason: Option<String>,
    /// When it was created: seconds since 1970, or text.
    pub created_at: Value,
}

impl Live {
    /// The text field `key`; empty where there is none.
    pub fn text(&self, key: &str) -> &str {
        self.document.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number field `key`; 0 where there is none.
    pub fn count(&self, key: &str) -> u32 {
        self.document.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        self.text("serviceArn")
    }

    /// Its tags.
    pub fn tags(&self) -> Tags {
        tags::from_list(self.document.get("tags"))
    }

    /// The tag `key`, AWS's own included.
    pub fn raw_tag(&self, key: &str) -> Option<&str> {
        let tags = self.document.get("tags")?.as_array()?;
        tags.iter().find(|tag| tag.get("key").is_some_and(|name| name == key))?.get("value")?.as_str()
    }

    /// Its deployments, PRIMARY first where there is one.
    pub fn deployments(&self) -> Vec<Deployment> {
        let list = self.document.get("deployments").and_then(Value::as_array).into_iter().flatten();
        let mut deployments: Vec<Deployment> = list.filter_map(|entry| Deployment::deserialize(entry).ok()).collect();
        deployments.sort_by_key(|deployment| deployment.status != "PRIMARY");
        deployments
    }

    /// Whether ECS still runs it (neither draining nor gone).
    pub fn is_active(&self) -> bool {
        self.text("status") == "ACTIVE"
    }

    /// Whether it is gone, though ECS still describes it.
    pub fn is_inactive(&self) -> bool {
        self.text("status") == "INACTIVE"
    }

    /// The PRIMARY deployment as described, where some settings live.
    fn primary(&self) -> Option<&Value> {
        let list = self.document.get("deployments")?.as_array()?;
        list.iter().find(|entry| entry.get("status").is_some_and(|status| status == "PRIMARY"))
    }

    /// The settings in the shape of CreateService.
    pub(crate) fn settings(&self) -> Map<String, Value> {
        let aside = |key: &str| matches!(key, "events" | "deployments" | "tags");
        let settings = self.document.iter().filter(|(key, _)| !aside(key));
        let mut settings: Map<String, Value> = settings.map(|(key, value)| (key.clone(), value.clone())).collect();
        for key in ON_DEPLOYMENT {
            if let Some(value) = self.primary().and_then(|primary| primary.get(*key)) {
                settings.insert((*key).to_owned(), value.clone());
            }
        }
        // On-demand Fargate has two spellings: launch type, and a strategy of FARGATE alone.
        let strategy = settings.get("capacityProviderStrategy").and_then(Value::as_array);
        if strategy.is_none_or(Vec::is_empty) && self.text("launchType") == "FARGATE" {
            settings.insert("capacityProviderStrategy".to_owned(), on_demand());
        }
        settings
    }
}

/// What a spec asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Cluster, as the spec names it.
    pub cluster: String,
    /// Service name.
    pub name: String,
    /// Settings we own, in the shape of CreateService, without identity, task definition and tags.
    pub settings: Map<String, Value>,
    /// What a create sends beside the settings.
    pub on_create: Map<String, Value>,
}

/// A write to the service. Requests are whole, in the shape of the ECS API.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// CreateService.
    Create(Value),
    /// UpdateService with only the changed fields.
    Update(Value),
    /// TagResource.
    Tag {
        /// The service.
        arn: String,
        /// Tags to set.
        tags: Tags,
    },
    /// UntagResource.
    Untag {
        /// The service.
        arn: String,
        /// Keys to remove.
        keys: Vec<String>,
    },
    /// DeleteService with `force`.
    Delete {
        /// Cluster.
        cluster: String,
        /// Service.
        service: String,
    },
}

/// The service that `agent` means.
pub fn from_spec(agent: &AgentDeployment, live: Option<&Live>) -> Wanted {
    let spec = &agent.spec;
    let network = &spec.network;
    let public = if network.assign_public_ip { "ENABLED" } else { "DISABLED" };
    let mut vpc = json!({"subnets": network.subnets, "assignPublicIp": public});
    if let (false, Some(fields)) = (network.security_groups.is_empty(), vpc.as_object_mut()) {
        fields.insert("securityGroups".to_owned(), json!(network.security_groups));
    }
    let mut settings = Map::new();
    let mut set = |key: &str, value: Value| settings.insert(key.to_owned(), value);
    set("networkConfiguration", json!({"awsvpcConfiguration": vpc}));
    set("loadBalancers", load_balancers(agent));
    set("serviceRegistries", json!([]));
    set("deploymentConfiguration", deployment_configuration(&spec.rollout));
    set("healthCheckGracePeriodSeconds", json!(grace_period(agent)));
    set("enableExecuteCommand", json!(spec.enable_execute_command));
    set("propagateTags", json!(propagate_tags(spec.propagate_tags)));
    set("serviceConnectConfiguration", json!({"enabled": false}));
    let version = spec.capacity.as_ref().and_then(|capacity| capacity.platform_version.as_deref());
    set("platformVersion", json!(version.unwrap_or("LATEST")));
    if let Some(strategy) = capacity(agent, live) {
        set("capacityProviderStrategy", strategy);
    }
    merge::settings(&mut settings, &spec.overrides.service);
    // Without a capacity block a new service runs on-demand; a launch type needs no provider on the cluster.
    let launch =
        (!settings.contains_key("capacityProviderStrategy")).then(|| ("launchType".to_owned(), json!("FARGATE")));
    let on_create = launch.into_iter().collect();
    Wanted { cluster: spec.cluster.clone(), name: agent.service_name().to_owned(), settings, on_create }
}

/// The overrides of fields this file does not know, as one digest: ECS may never describe them, so the service remembers
/// by a tag that they were sent. Without it they would be sent again for ever.
pub fn sent(agent: &AgentDeployment) -> Option<String> {
    let unknown = agent.spec.overrides.service.iter().filter(|(key, _)| !is_known(key));
    let unknown: Map<String, Value> = unknown.map(|(key, value)| (key.clone(), value.clone())).collect();
    (!unknown.is_empty()).then(|| normal::digest(&Value::Object(unknown))[..32].to_owned())
}

/// Leaves out what was sent before and is not described, so that it is no difference.
pub fn forget_sent(wanted: &mut Wanted, agent: &AgentDeployment, live: &Live) {
    let tag = sent(agent);
    if tag.is_some() && live.tags().get(tags::SENT) == tag.as_ref() {
        let described = live.settings();
        wanted.settings.retain(|key, _| is_known(key) || described.contains_key(key));
    }
}

fn is_known(key: &str) -> bool {
    FIELDS.iter().any(|(name, _)| *name == key)
}

/// The fields in which the live service differs, `revision` and `count` included where they are ours to say.
pub fn diff(live: &Live, wanted: &Wanted, revision: Option<&str>, count: Option<u32>) -> Vec<Difference> {
    let mut want = wanted.settings.clone();
    want.extend(revision.map(|arn| ("taskDefinition".to_owned(), json!(arn))));
    want.extend(count.map(|count| ("desiredCount".to_owned(), json!(count))));
    let have = live.settings();
    // What is spelled the same is the same: only the rest needs its canonical form.
    want.retain(|key, value| have.get(key) != Some(value) || has(Bug::UpdatesEverything));
    let keys: Vec<&str> = want.keys().map(String::as_str).collect();
    let (have, want) = if has(Bug::DefaultsDiffer) {
        (have, want)
    } else {
        (normal::service(&have, &keys), normal::service(&want, &keys))
    };
    let differences = want.iter().flat_map(|(key, want)| {
        let have = have.get(key).cloned().unwrap_or_else(|| unset(key));
        if has(Bug::UpdatesEverything) && key == "enableExecuteCommand" {
            return field_difference(key, &Value::Null, want);
        }
        field_difference(key, &project(&have, want), want)
    });
    differences.collect()
}

/// The UpdateService request that puts `differences` right; none when nothing differs.
pub fn update<'a>(wanted: &Wanted, differences: impl IntoIterator<Item = &'a Difference>) -> Option<Value> {
    let mut differences = differences.into_iter().peekable();
    differences.peek()?;
    let mut request = Map::new();
    // The deployment configuration is sent whole, defaults written out: whether ECS merges its parts is undocumented.
    let whole = normal::service(&wanted.settings, &["deploymentConfiguration"]);
    for difference in differences {
        let key = difference.field.split('/').nth(2).unwrap_or_default();
        let value = whole.get(key).or_else(|| wanted.settings.get(key)).unwrap_or(&difference.want);
        request.insert(key.to_owned(), value.clone());
    }
    if has(Bug::DropsCapacity) && request.contains_key("taskDefinition") {
        request
            .insert("deploymentConfiguration".to_owned(), json!({"minimumHealthyPercent": 0, "maximumPercent": 200}));
    }
    // ECS demands a new deployment together with any change of the strategy (CloudFormation: AWS::ECS::Service).
    if request.contains_key("capacityProviderStrategy") {
        request.insert("forceNewDeployment".to_owned(), json!(true));
    }
    request.insert("cluster".to_owned(), json!(wanted.cluster));
    request.insert("service".to_owned(), json!(wanted.name));
    Some(Value::Object(request))
}

/// The CreateService request. The token makes a repeated create after a lost answer find the same service.
pub fn create(wanted: &Wanted, revision: &str, count: u32, tags: &Tags) -> Value {
    let mut request = wanted.settings.clone();
    request.extend(wanted.on_create.clone());
    request.retain(|key, value| !is_nothing(key, value));
    let token = normal::digest(&json!([wanted.cluster, wanted.name, revision, count, request, tags]));
    request.extend([
        ("cluster".to_owned(), json!(wanted.cluster)),
        ("serviceName".to_owned(), json!(wanted.name)),
        ("taskDefinition".to_owned(), json!(revision)),
        ("desiredCount".to_owned(), json!(count)),
        ("clientToken".to_owned(), json!(token[..32])),
        ("tags".to_owned(), tags::to_list(tags)),
    ]);
    Value::Object(request)
}

/// Whether a setting says what a new service has anyway, so that a create need not send it.
fn is_nothing(key: &str, value: &Value) -> bool {
    match key {
        "loadBalancers" | "serviceRegistries" => value == &json!([]),
        "healthCheckGracePeriodSeconds" => value == &json!(0),
        "enableExecuteCommand" => value == &json!(false),
        "serviceConnectConfiguration" => value == &json!({"enabled": false}),
        _ => value.is_null(),
    }
}

/// What ECS means when it does not mention a field.
pub(crate) fn unset(key: &str) -> Value {
    match key {
        "loadBalancers" | "serviceRegistries" | "volumeConfigurations" | "vpcLatticeConfigurations" => json!([]),
        "healthCheckGracePeriodSeconds" => json!(0),
        "enableExecuteCommand" | "enableECSManagedTags" => json!(false),
        "propagateTags" => json!("NONE"),
        "platformVersion" => json!("LATEST"),
        "serviceConnectConfiguration" => json!({"enabled": false}),
        "deploymentConfiguration" => Value::Object(normal::service(
            &Map::from_iter([("deploymentConfiguration".to_owned(), json!({}))]),
            &["deploymentConfiguration"],
        ))["deploymentConfiguration"]
            .clone(),
        _ => Value::Null,
    }
}

/// `have` reduced to the fields `want` speaks of: AWS adds defaults to these objects with every release.
fn project(have: &Value, want: &Value) -> Value {
    let (Some(left), Some(right)) = (have.as_object(), want.as_object()) else {
        return have.clone();
    };
    let shared = right.iter().filter_map(|(key, want)| Some((key.clone(), project(left.get(key)?, want))));
    Value::Object(shared.collect())
}

fn field_difference(key: &str, have: &Value, want: &Value) -> Vec<Difference> {
    let effect = FIELDS.iter().find(|(name, _)| *name == key).map_or(Effect::RestartsTasks, |(_, effect)| *effect);
    difference::between(&format!("/service/{key}"), have, want, effect)
}

fn load_balancers(agent: &AgentDeployment) -> Value {
    let Some(balancer) = &agent.spec.load_balancer else {
        return json!([]);
    };
    let Some(arn) = &balancer.target_group_arn else {
        return json!([]);
    };
    let container = &agent.spec.container;
    let mut entry = json!({"targetGroupArn": arn, "containerName": container.name, "containerPort": container.port});
    if let (Some(other), Some(fields)) = (&balancer.alternate, entry.as_object_mut()) {
        let mut configuration = json!({
            "alternateTargetGroupArn": other.target_group_arn,
            "productionListenerRule": other.production_listener_rule,
            "roleArn": other.role_arn,
        });
        if let (Some(rule), Some(more)) = (&other.test_listener_rule, configuration.as_object_mut()) {
            more.insert("testListenerRule".to_owned(), json!(rule));
        }
        fields.insert("advancedConfiguration".to_owned(), configuration);
    }
    json!([entry])
}

fn grace_period(agent: &AgentDeployment) -> u32 {
    agent.spec.load_balancer.as_ref().and_then(|balancer| balancer.grace_period).unwrap_or(0)
}

fn deployment_configuration(rollout: &Rollout) -> Value {
    let strategy = match rollout.strategy {
        Strategy::Rolling => "ROLLING",
        Strategy::BlueGreen => "BLUE_GREEN",
        Strategy::Canary => "CANARY",
        Strategy::Linear => "LINEAR",
    };
    let alarmed = !rollout.alarms.is_empty();
    let breaker = &rollout.circuit_breaker;
    // The breaker exists for rolling deployments only; the others watch alarms and bake time.
    let enabled = breaker.enabled && rollout.strategy == Strategy::Rolling;
    let mut configuration = json!({
        "strategy": strategy,
        "maximumPercent": rollout.maximum_percent,
        "minimumHealthyPercent": rollout.minimum_healthy_percent,
        "deploymentCircuitBreaker": {
            "enable": enabled, "rollback": enabled && breaker.rollback
        },
    });
    if let Some(fields) = configuration.as_object_mut() {
        if alarmed {
            let alarms = json!({"alarmNames": rollout.alarms, "enable": true, "rollback": breaker.rollback});
            fields.insert("alarms".to_owned(), alarms);
        }
        // Written out, so that a bake time the spec drops is put back; a rolling deployment has none.
        if rollout.strategy != Strategy::Rolling {
            fields.insert("bakeTimeInMinutes".to_owned(), json!(rollout.bake_minutes.unwrap_or(BAKE_MINUTES)));
        }
    }
    configuration
}

fn propagate_tags(propagate: PropagateTags) -> &'static str {
    match propagate {
        PropagateTags::Service => "SERVICE",
        PropagateTags::TaskDefinition => "TASK_DEFINITION",
        PropagateTags::None => "NONE",
    }
}

/// The strategy to own: the spec's; on-demand when the spec once had one (our tag says so); else none, live is kept.
fn capacity(agent: &AgentDeployment, live: Option<&Live>) -> Option<Value> {
    if let Some(strategy) = agent.spec.capacity.as_ref().and_then(strategy) {
        return Some(strategy);
    }
    let once_set = live.is_some_and(|live| tags::sets(&live.tags()).any(|word| word == "capacity"));
    // `[]` would fall back to a launch type, which a service made with a strategy does not have.
    once_set.then(on_demand)
}

/// Whether the spec says which providers run the tasks; a platform version alone does not.
pub fn sets_capacity(agent: &AgentDeployment) -> bool {
    agent.spec.capacity.as_ref().and_then(strategy).is_some()
}

fn strategy(capacity: &Capacity) -> Option<Value> {
    if let Some(provider) = capacity.provider {
        return Some(json!([{"capacityProvider": provider_name(provider), "weight": 1, "base": 0}]));
    }
    let items = capacity.strategy.iter();
    let items: Vec<Value> = items
        .map(|item| json!({"capacityProvider": provider_name(item.provider), "weight": item.weight, "base": item.base}))
        .collect();
    (!items.is_empty()).then(|| json!(items))
}

fn provider_name(provider: Provider) -> &'static str {
    match provider {
        Provider::Fargate => "FARGATE",
        Provider::FargateSpot => "FARGATE_SPOT",
    }
}

fn on_demand() -> Value {
    json!([{"capacityProvider": "FARGATE", "weight": 1, "base": 0}])
}

/// Blue/green moves traffic between the two target groups itself: whichever of the pair is live is not a difference.
pub fn keep_moved_target_group(wanted: &mut Wanted, live: &Live) {
    let Some(entry) = wanted.settings.get_mut("loadBalancers").and_then(|list| list.get_mut(0)) else {
        return;
    };
    let Some(other) = entry.pointer("/advancedConfiguration/alternateTargetGroupArn").cloned() else {
        return;
    };
    let current =
        live.document.get("loadBalancers").and_then(|list| list.get(0)).and_then(|entry| entry.get("targetGroupArn"));
    if current == Some(&other) {
        let production = entry["targetGroupArn"].clone();
        entry["advancedConfiguration"]["alternateTargetGroupArn"] = production;
        entry["targetGroupArn"] = other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(settings: &Value) -> Wanted {
        let (cluster, name) = ("agents".to_owned(), "bot".to_owned());
        Wanted { cluster, name, settings: settings.as_object().unwrap().clone(), on_create: Map::new() }
    }

    fn live(document: &Value) -> Live {
        Live { document: document.as_object().unwrap().clone() }
    }

    #[test]
    fn nothing_differs_where_ecs_only_wrote_its_defaults_out() {
        let want =
            wanted(&json!({"loadBalancers": [], "healthCheckGracePeriodSeconds": 0, "enableExecuteCommand": false,
            "platformVersion": "LATEST", "serviceConnectConfiguration": {"enabled": false}, "serviceRegistries": [],
            "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100}}));
        assert_eq!(diff(&live(&json!({})), &want, None, None), vec![]);
    }

    #[test]
    fn a_field_differs_with_its_own_effect_and_an_unknown_one_is_taken_seriously() {
        let want = wanted(&json!({"enableExecuteCommand": true, "schedulingStrategy": "DAEMON", "novelty": 1}));
        let have = live(&json!({"schedulingStrategy": "REPLICA", "taskDefinition": "bot:1", "desiredCount": 1}));
        let found = diff(&have, &want, Some("bot:2"), Some(2));
        let effects: Vec<(&str, Effect)> =
            found.iter().map(|difference| (difference.field.as_str(), difference.effect)).collect();
        let expected = [
            ("/service/desiredCount", Effect::InPlace),
            ("/service/enableExecuteCommand", Effect::InPlace),
            ("/service/novelty", Effect::RestartsTasks),
            ("/service/schedulingStrategy", Effect::Replaces),
            ("/service/taskDefinition", Effect::RestartsTasks),
        ];
        assert_eq!(effects, expected);
    }

    #[test]
    fn an_update_of_nothing_is_none_and_a_strategy_forces_a_deployment() {
        let want = wanted(&json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}));
        assert_eq!(update(&want, &[]), None);
        let found = diff(&live(&json!({"launchType": "FARGATE"})), &want, None, None);
        let request = update(&want, &found).unwrap();
        let strategy = json!([{"capacityProvider": "FARGATE_SPOT", "weight": 1}]);
        assert_eq!(
            request,
            json!({"cluster": "agents", "service": "bot", "capacityProviderStrategy": strategy, "forceNewDeployment": true})
        );
    }

    #[test]
    fn a_deployment_configuration_is_sent_whole_though_one_part_differs() {
        let want = wanted(&json!({"deploymentConfiguration": {"maximumPercent": 150}}));
        let found = diff(&live(&json!({})), &want, None, None);
        assert_eq!(found[0].field, "/service/deploymentConfiguration/maximumPercent");
        let sent = &update(&want, &found).unwrap()["deploymentConfiguration"];
        assert_eq!((&sent["maximumPercent"], &sent["minimumHealthyPercent"]), (&json!(150), &json!(100)));
        assert_eq!(sent["deploymentCircuitBreaker"], json!({"enable": false, "rollback": false}));
    }

    #[test]
    fn settings_that_stand_on_the_primary_deployment_are_found_there() {
        let want = wanted(&json!({"serviceConnectConfiguration": {"enabled": false}}));
        let on = json!({"status": "PRIMARY", "serviceConnectConfiguration": {"enabled": true}});
        let old = json!({"status": "ACTIVE", "serviceConnectConfiguration": {"enabled": true}});
        let fields = |deployments: Value| diff(&live(&json!({"deployments": deployments})), &want, None, None).len();
        assert_eq!((fields(json!([old, on])), fields(json!([old, {"status": "PRIMARY"}]))), (1, 0));
    }

    #[test]
    fn a_create_leaves_out_what_a_new_service_has_anyway() {
        let want = wanted(&json!({"loadBalancers": [], "serviceRegistries": [], "healthCheckGracePeriodSeconds": 0,
            "enableExecuteCommand": false, "serviceConnectConfiguration": {"enabled": false}, "propagateTags": "SERVICE"}));
        let request = create(&want, "bot:1", 0, &Tags::new());
        let mut keys: Vec<&str> = request.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        let expected =
            ["clientToken", "cluster", "desiredCount", "propagateTags", "serviceName", "tags", "taskDefinition"];
        assert_eq!(keys, expected);
        assert_eq!(request["desiredCount"], 0);
    }

    #[test]
    fn a_create_keeps_what_is_asked_for() {
        let asked = json!({"loadBalancers": [{"containerPort": 1}], "healthCheckGracePeriodSeconds": 9,
            "enableExecuteCommand": true, "serviceConnectConfiguration": {"enabled": true}});
        let request = create(&wanted(&asked), "bot:1", 1, &Tags::new());
        for (key, value) in asked.as_object().unwrap() {
            assert_eq!(request.get(key), Some(value), "{key}");
        }
    }

    #[test]
    fn a_token_differs_with_the_revision_the_count_and_the_tags() {
        let want = wanted(&json!({"propagateTags": "SERVICE"}));
        let token = |revision: &str, count: u32, tags: &[(&str, &str)]| {
            let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            create(&want, revision, count, &tags)["clientToken"].clone()
        };
        let first = token("bot:1", 1, &[]);
        assert_eq!(first, token("bot:1", 1, &[]));
        for other in [token("bot:2", 1, &[]), token("bot:1", 2, &[]), token("bot:1", 1, &[("a", "b")])] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_count_that_is_no_number_is_zero() {
        let odd = live(&json!({"runningCount": "7", "pendingCount": -1, "desiredCount": 4}));
        assert_eq!((odd.count("runningCount"), odd.count("pendingCount"), odd.count("desiredCount")), (0, 0, 4));
    }
}
