//! Lessons 16 and 19: what somebody else changed is seen and, by the spec's wish, put back.

use std::time::Duration;

use fargateer_api::status::{ConditionType, Reason, Truth};
use serde_json::{Value, json};

use crate::world::{Agent, World, pass};

fn bot() -> Agent {
    Agent::named("bot").with_tasks(2).with_env("MODEL", "large")
}

/// An edit of a document.
type Edit = fn(&mut Value);

/// A person registers a revision by hand - the running one with `change`, our tags copied along - and deploys it.
fn deploy_by_hand(world: &World, change: impl Fn(&mut Value)) -> String {
    let answer = world.definition("bot");
    let mut request = answer["taskDefinition"].clone();
    let fields = request.as_object_mut().expect("a document");
    for key in [
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
    ] {
        fields.remove(key);
    }
    fields.insert("tags".to_owned(), answer["tags"].clone());
    change(&mut request);
    let registered = world.ask("ecs", "RegisterTaskDefinition", request);
    let arn = registered["taskDefinition"]["taskDefinitionArn"].as_str().expect("an arn").to_owned();
    world.meddle("bot", &json!({"taskDefinition": arn}));
    arn
}

/// Lesson 19: fields the spec never mentions, our tags copied along.
#[tokio::test(start_paused = true)]
async fn a_task_definition_field_nobody_listed_is_seen_and_put_back() {
    let changes: [(&str, Edit); 6] = [
        ("pidMode", |document| document["pidMode"] = json!("task")),
        ("user", |document| document["containerDefinitions"][0]["user"] = json!("root")),
        ("environment", |document| document["containerDefinitions"][0]["environment"][0]["value"] = json!("small")),
        ("memory", |document| document["memory"] = json!("1024")),
        ("startTimeout", |document| document["containerDefinitions"][0]["startTimeout"] = json!(30)),
        ("taskRoleArn", |document| document["taskRoleArn"] = json!("arn:aws:iam::111122223333:role/admin")),
    ];
    for (field, change) in changes {
        let mut world = World::new().await;
        world.apply([bot()]).await;
        let ours = world.service("bot")["taskDefinition"].clone();
        let theirs = deploy_by_hand(&world, change);
        assert_ne!(ours, json!(theirs));
        world.forget_calls();
        world.resync().await;
        world.settle().await;
        world.assert_ready("bot");
        assert_eq!(world.service("bot")["taskDefinition"], ours, "{field}");
        assert_eq!(world.count("RegisterTaskDefinition"), 0, "our revision is used again");
        let drift = world.status("bot").last_drift.unwrap_or_else(|| panic!("{field} is not told"));
        assert!(drift.corrected && drift.fields.iter().any(|path| path.contains(field)), "{field}: {drift:?}");
        world.assert_nothing_to_do().await;
    }
}

/// A revision somebody registered that says the same is as good as ours.
#[tokio::test(start_paused = true)]
async fn the_same_definition_registered_by_hand_is_no_drift() {
    let mut world = World::new().await;
    world.apply([bot()]).await;
    let theirs = deploy_by_hand(&world, |_| {});
    pass(Duration::from_mins(2)).await;
    let world = world.assert_nothing_to_do().await;
    assert_eq!(world.service("bot")["taskDefinition"], json!(theirs));
}

#[tokio::test(start_paused = true)]
async fn settings_changed_by_hand_are_put_back() {
    let changes = [
        json!({"desiredCount": 5}),
        json!({"enableExecuteCommand": true}),
        json!({"healthCheckGracePeriodSeconds": 99}),
        json!({"propagateTags": "NONE"}),
        json!({"platformVersion": "1.3.0"}),
        json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": false, "rollback": false}}}),
        json!({"deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}}),
        json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a1"], "securityGroups": ["sg-evil"]}}}),
        json!({"networkConfiguration": {"awsvpcConfiguration":
            {"subnets": ["subnet-0a1", "subnet-0b2"], "securityGroups": ["sg-0a1"], "assignPublicIp": "ENABLED"}}}),
        json!({"loadBalancers": [{"targetGroupArn": crate::world::TARGET_GROUP, "containerName": "strands-agent", "containerPort": 8000}]}),
    ];
    for change in changes {
        let mut world = World::new().await;
        world.apply([bot()]).await;
        let before = settings(&world);
        world.meddle("bot", &change);
        assert_ne!(settings(&world), before, "{change}");
        world.forget_calls();
        world.resync().await;
        world.assert_ready("bot");
        assert_eq!(settings(&world), before, "{change}");
        assert_eq!(world.writes(), ["ecs.UpdateService"], "{change}");
        let key = change.as_object().and_then(|fields| fields.keys().next()).expect("a field");
        let drift = world.status("bot").last_drift.expect("the drift is told");
        assert!(drift.corrected && drift.fields.iter().all(|field| field.contains(key.as_str())), "{drift:?}");
        world.assert_nothing_to_do().await;
    }
}

/// What the service is set to, without what moves by itself.
fn settings(world: &World) -> Value {
    let mut service = world.service("bot");
    let hooks = &mut service["deploymentConfiguration"]["lifecycleHooks"];
    assert!(hooks.is_null() || hooks.as_array().is_some_and(Vec::is_empty));
    *hooks = json!([]);
    for key in
        ["deployments", "events", "runningCount", "pendingCount", "currentServiceDeployment", "currentServiceRevisions"]
    {
        service.as_object_mut().expect("a service").remove(key);
    }
    service
}

/// Lesson 16.
#[tokio::test(start_paused = true)]
async fn tags_changed_by_hand_are_put_back_without_a_restart() {
    let mut world = World::new().await;
    world.apply([bot().with("tags", json!({"team": "support"}))]).await;
    let arn = world.service("bot")["serviceArn"].clone();
    let deployment = world.service("bot")["deployments"][0]["id"].clone();
    let tags = json!([{"key": "team", "value": "evil"}, {"key": "theirs", "value": "kept"}]);
    world.ask("ecs", "TagResource", json!({"resourceArn": arn, "tags": tags}));
    world.ask("ecs", "UntagResource", json!({"resourceArn": arn, "tagKeys": ["fargateer:generation"]}));
    world.forget_calls();
    world.resync().await;
    world.assert_ready("bot");
    assert_eq!(world.writes(), ["ecs.TagResource"]);
    assert_eq!(world.tags("bot").get("team").map(String::as_str), Some("support"));
    assert_eq!(world.tags("bot").get("theirs").map(String::as_str), Some("kept"));
    assert_eq!(world.service("bot")["deployments"][0]["id"], deployment, "no restart");
    world.assert_nothing_to_do().await;
}

/// Lesson 16, from the spec's side: a tag that the spec sets, changes and drops.
#[tokio::test(start_paused = true)]
async fn a_tag_dropped_by_the_spec_is_removed_and_others_stay() {
    let mut world = World::new().await;
    world.apply([bot().with("tags", json!({"team": "support", "stage": "test"}))]).await;
    let arn = world.service("bot")["serviceArn"].clone();
    world.ask("ecs", "TagResource", json!({"resourceArn": arn, "tags": [{"key": "theirs", "value": "kept"}]}));
    world.forget_calls();
    world.apply([bot().with("tags", json!({"team": "sales"}))]).await;
    world.assert_ready("bot");
    let tags = world.tags("bot");
    assert_eq!(tags.get("team").map(String::as_str), Some("sales"));
    assert!(!tags.contains_key("stage") && tags.contains_key("theirs"), "{tags:?}");
    assert_eq!(world.count("UpdateService"), 0);
    assert_eq!(world.count("RegisterTaskDefinition"), 0);
    world.assert_nothing_to_do().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_deleted_by_hand_is_created_again() {
    let mut world = World::new().await;
    world.apply([bot().scaled(2, 5)]).await;
    let revisions = world.revisions("bot");
    world.ask("ecs", "DeleteService", json!({"cluster": "agents", "service": "bot", "force": true}));
    world.forget_calls();
    world.resync().await;
    world.until("again", |world| world.truth("bot", ConditionType::Ready) == Truth::True).await;
    assert_eq!(world.service("bot")["status"], "ACTIVE");
    assert_eq!(world.revisions("bot"), revisions, "the revision is used again");
    assert_eq!(world.policies("bot").len(), 2);
    world.assert_nothing_to_do().await;
}

#[tokio::test(start_paused = true)]
async fn scaling_changed_by_hand_is_put_back() {
    let mut world = World::new().await;
    world.apply([bot().scaled(2, 5)]).await;
    let identity = json!({
        "ServiceNamespace": "ecs", "ResourceId": "service/agents/bot", "ScalableDimension": "ecs:service:DesiredCount",
    });
    let with = |more: Value| {
        let mut request = identity.clone();
        request.as_object_mut().expect("a request").extend(more.as_object().cloned().expect("fields"));
        request
    };
    let policy =
        world.policies("bot").iter().find(|policy| policy["PolicyName"] == "fargateer-cpu").cloned().expect("it");
    let mut configuration = policy["TargetTrackingScalingPolicyConfiguration"].clone();
    configuration["TargetValue"] = json!(20.0);
    let put = json!({"PolicyName": "fargateer-cpu", "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": configuration});
    let meddlings = [
        ("RegisterScalableTarget", with(json!({"MinCapacity": 0, "MaxCapacity": 99}))),
        ("RegisterScalableTarget", with(json!({"SuspendedState": {"DynamicScalingOutSuspended": true}}))),
        ("PutScalingPolicy", with(put)),
        ("DeleteScalingPolicy", with(json!({"PolicyName": "fargateer-memory"}))),
        ("DeregisterScalableTarget", identity.clone()),
    ];
    for (operation, request) in meddlings {
        world.ask("application-autoscaling", operation, request);
        pass(Duration::from_mins(16)).await;
        world.resync().await;
        world.assert_ready("bot");
        let target = world.target("bot");
        assert_eq!((&target["MinCapacity"], &target["MaxCapacity"]), (&json!(2), &json!(5)), "{operation}");
        assert_eq!(target["SuspendedState"]["DynamicScalingOutSuspended"], json!(false), "{operation}");
        let mut goals: Vec<_> = world.policies("bot").iter().map(goal).collect();
        goals.sort();
        assert_eq!(goals, [("fargateer-cpu".to_owned(), 70), ("fargateer-memory".to_owned(), 80)], "{operation}");
    }
    assert_eq!(world.service("bot")["desiredCount"], 2);
    world.assert_nothing_to_do().await;
}

fn goal(policy: &Value) -> (String, i64) {
    let goal = &policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"];
    let goal = format!("{:.0}", goal.as_f64().unwrap_or_default()).parse().unwrap_or_default();
    (policy["PolicyName"].as_str().unwrap_or_default().to_owned(), goal)
}

#[tokio::test(start_paused = true)]
async fn drift_that_is_only_to_be_detected_is_told_and_left() {
    let mut world = World::new().await;
    let agent = bot().with("drift", json!({"mode": "Detect"}));
    world.apply([agent.clone()]).await;
    world.meddle("bot", &json!({"enableExecuteCommand": true}));
    world.forget_calls();
    world.resync().await;
    world.assert_no_writes();
    assert_eq!(world.reason("bot"), Reason::DriftLeftAlone);
    assert_eq!(world.truth("bot", ConditionType::DriftDetected), Truth::True);
    assert_eq!(world.truth("bot", ConditionType::Ready), Truth::True, "what runs is healthy: {}", world.message("bot"));
    let drift = world.status("bot").last_drift.expect("it is told");
    assert_eq!((drift.fields, drift.corrected), (vec!["/service/enableExecuteCommand".to_owned()], false));
    // A change of the spec itself is carried out all the same.
    world.apply([agent.with_env("A", "1")]).await;
    world.assert_ready("bot");
    assert_eq!(world.service("bot")["enableExecuteCommand"], false);
    assert_eq!(world.truth("bot", ConditionType::DriftDetected), Truth::False);
}

/// A definition of somebody else's runs and is left alone: healthy, and told as drift.
#[tokio::test(start_paused = true)]
async fn another_revision_that_is_left_alone_comes_to_rest() {
    let mut world = World::new().await;
    world.apply([bot().with("drift", json!({"mode": "Detect"}))]).await;
    let theirs = deploy_by_hand(&world, |document| document["pidMode"] = json!("task"));
    world.forget_calls();
    pass(Duration::from_mins(12)).await;
    world.settle().await;
    world.assert_no_writes();
    assert_eq!(world.service("bot")["taskDefinition"], json!(theirs));
    assert_eq!(world.reason("bot"), Reason::DriftLeftAlone);
    assert_eq!(world.truth("bot", ConditionType::Reconciling), Truth::False);
    assert_eq!(world.truth("bot", ConditionType::DriftDetected), Truth::True);
}

#[tokio::test(start_paused = true)]
async fn tags_changed_by_hand_are_told_and_left_where_drift_is_only_detected() {
    let mut world = World::new().await;
    world.apply([bot().with("tags", json!({"team": "support"})).with("drift", json!({"mode": "Detect"}))]).await;
    let arn = world.service("bot")["serviceArn"].clone();
    world.ask("ecs", "TagResource", json!({"resourceArn": arn, "tags": [{"key": "team", "value": "evil"}]}));
    world.forget_calls();
    world.resync().await;
    world.assert_no_writes();
    let drift = world.status("bot").last_drift.expect("it is told");
    assert_eq!(drift.fields, ["/service/tags/team"]);
}

/// Drift that is left alone is no reason to leave one's own work undone.
#[tokio::test(start_paused = true)]
async fn an_agent_whose_drift_is_left_alone_is_still_created_whole() {
    for mode in ["Detect", "Ignore"] {
        let mut world = World::new().await;
        world.break_once("PutScalingPolicy", fargateer_sim::FaultKind::AccessDenied);
        world.apply([bot().scaled(2, 5).with("drift", json!({"mode": mode}))]).await;
        world.until("ready", |world| world.truth("bot", ConditionType::Ready) == Truth::True).await;
        assert_eq!(world.reason("bot"), Reason::Converged, "{mode}");
        assert_eq!(world.policies("bot").len(), 2, "{mode}");
        world.assert_nothing_to_do().await;
    }
}

/// What a failed pass left undone is not somebody else's doing.
#[tokio::test(start_paused = true)]
async fn a_create_that_is_resumed_is_not_told_as_drift() {
    let mut world = World::new().await;
    world.break_once("PutScalingPolicy", fargateer_sim::FaultKind::AccessDenied);
    world.apply([bot().scaled(2, 5)]).await;
    world.until("ready", |world| world.truth("bot", ConditionType::Ready) == Truth::True).await;
    assert_eq!(world.policies("bot").len(), 2);
    assert_eq!(world.status("bot").last_drift, None);
}

#[tokio::test(start_paused = true)]
async fn drift_that_is_to_be_ignored_is_neither_told_nor_changed() {
    let mut world = World::new().await;
    world.apply([bot().with("drift", json!({"mode": "Ignore"}))]).await;
    world.meddle("bot", &json!({"enableExecuteCommand": true}));
    world.forget_calls();
    world.resync().await;
    world.assert_no_writes();
    world.assert_ready("bot");
    assert_eq!(world.truth("bot", ConditionType::DriftDetected), Truth::False);
    assert_eq!(world.status("bot").last_drift, None);
}

#[tokio::test(start_paused = true)]
async fn ignored_fields_are_neither_compared_nor_sent() {
    let mut world = World::new().await;
    let ignore = json!(["/service/desiredCount", "/service/enableExecuteCommand", "/taskDefinition/pidMode"]);
    let agent = bot().with("drift", json!({"ignore": ignore}));
    world.apply([agent.clone()]).await;
    world.meddle("bot", &json!({"desiredCount": 4, "enableExecuteCommand": true}));
    deploy_by_hand(&world, |document| document["pidMode"] = json!("task"));
    pass(Duration::from_mins(2)).await;
    let mut world = world.assert_nothing_to_do().await;
    world.apply([agent.with_env("A", "1")]).await;
    world.assert_ready("bot");
    assert_eq!(world.service("bot")["desiredCount"], 4);
    assert_eq!(world.service("bot")["enableExecuteCommand"], true);
    assert_eq!(world.definition("bot")["taskDefinition"]["pidMode"], "task", "an ignored field is kept");
    let sent = world.requests("UpdateService");
    assert!(sent.iter().all(|request| request.get("desiredCount").is_none()), "{sent:?}");
    world.assert_nothing_to_do().await;
}

#[tokio::test(start_paused = true)]
async fn a_suspended_agent_is_left_alone_until_the_block_goes_or_its_time_comes() {
    let mut world = World::new().await;
    world.apply([bot()]).await;
    world.forget_calls();
    let suspended = bot().with_env("A", "1").with("suspend", json!({"reason": "incident 7", "by": "ada"}));
    world.apply([suspended]).await;
    world.meddle("bot", &json!({"desiredCount": 4}));
    world.resync().await;
    world.assert_no_writes();
    assert_eq!(world.reason("bot"), Reason::Suspended);
    assert_eq!(world.truth("bot", ConditionType::Suspended), Truth::True);
    assert!(world.message("bot").contains("incident 7") && world.message("bot").contains("ada"));
    assert_eq!(world.service("bot")["desiredCount"], 4);
    // The simulation begins with 2026; two hours later the suspension is over.
    let until = json!({"reason": "incident 7", "until": "2026-01-01T02:00:00Z"});
    world.apply([bot().with_env("A", "1").with("suspend", until)]).await;
    world.assert_no_writes();
    pass(Duration::from_hours(2)).await;
    world.settle().await;
    world.assert_ready("bot");
    assert_eq!(world.service("bot")["desiredCount"], 2);
    assert_eq!(world.count("UpdateService"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_agent_waits_for_those_it_depends_on() {
    let mut world = World::new().await;
    world.sim.behave("base", fargateer_sim::Behaviour::SlowStart(Duration::from_secs(40)));
    world.write([Agent::named("app").with("dependsOn", json!(["base"])), Agent::named("base")]);
    world.until("the first create", |world| world.count("CreateService") == 1).await;
    pass(Duration::from_secs(30)).await;
    assert_eq!(world.reason("app"), Reason::WaitingForDependency);
    assert!(world.message("app").contains("base"));
    assert!(world.service("app").is_null());
    world.settle().await;
    let order: Vec<_> = world.requests("CreateService").iter().map(|request| request["serviceName"].clone()).collect();
    assert_eq!(order, ["base", "app"]);
    world.assert_ready("app");
}
