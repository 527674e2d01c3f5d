//! What ECS answers with after it filled in its defaults. Written from the API's documentation, not from the planner:
//! where the two disagree, a law fails.

use serde_json::{Map, Value, json};

/// Account and region of every ARN here.
pub(crate) const PLACE: &str = "us-east-1:111122223333";

/// A task definition as DescribeTaskDefinition shows what RegisterTaskDefinition was sent.
pub(crate) fn task_definition(request: &Value, revision: usize) -> Value {
    let mut document = request.clone();
    let fields = document.as_object_mut().unwrap();
    fields.remove("tags");
    for key in ["cpu", "memory"] {
        let text = fields[key].as_str().unwrap().to_owned();
        assert!(text.bytes().all(|byte| byte.is_ascii_digit()), "{key} {text}");
    }
    for key in ["volumes", "placementConstraints", "requiresAttributes"] {
        fields.entry(key).or_insert_with(|| json!([]));
    }
    for item in fields["containerDefinitions"].as_array_mut().unwrap() {
        container(item.as_object_mut().unwrap());
    }
    // No order is promised.
    fields["containerDefinitions"].as_array_mut().unwrap().reverse();
    let family = fields["family"].as_str().unwrap().to_owned();
    fields.insert(
        "taskDefinitionArn".to_owned(),
        json!(format!("arn:aws:ecs:{PLACE}:task-definition/{family}:{revision}")),
    );
    fields.insert("revision".to_owned(), json!(revision));
    fields.insert("status".to_owned(), json!("ACTIVE"));
    fields.insert("compatibilities".to_owned(), json!(["EC2", "FARGATE"]));
    fields.insert("registeredAt".to_owned(), json!(1_782_000_000.5));
    fields.insert("registeredBy".to_owned(), json!("arn:aws:sts::111122223333:assumed-role/fargateer/i-1"));
    document
}

fn container(fields: &mut Map<String, Value>) {
    fields.entry("cpu").or_insert(json!(0));
    fields.entry("essential").or_insert(json!(true));
    for key in ["environment", "mountPoints", "volumesFrom", "portMappings", "systemControls"] {
        fields.entry(key).or_insert_with(|| json!([]));
    }
    for key in ["environment", "secrets"] {
        fields.get_mut(key).and_then(Value::as_array_mut).into_iter().for_each(|list| list.reverse());
    }
    for mapping in fields["portMappings"].as_array_mut().unwrap() {
        let port = mapping["containerPort"].clone();
        let mapping = mapping.as_object_mut().unwrap();
        mapping.insert("hostPort".to_owned(), port);
        mapping.entry("protocol").or_insert(json!("tcp"));
    }
    for mount in fields["mountPoints"].as_array_mut().unwrap() {
        mount.as_object_mut().unwrap().entry("readOnly").or_insert(json!(false));
    }
    if let Some(check) = fields.get_mut("healthCheck").and_then(Value::as_object_mut) {
        for (key, value) in [("interval", 30), ("timeout", 5), ("retries", 3)] {
            check.entry(key).or_insert(json!(value));
        }
    }
}

/// A service as DescribeServices shows what CreateService was sent.
pub(crate) fn service(request: &Value, cluster: &str) -> Map<String, Value> {
    let name = request["serviceName"].as_str().unwrap();
    let mut service = Map::new();
    for (key, value) in [
        ("deploymentConfiguration", json!({})),
        ("platformVersion", json!("LATEST")),
        ("platformFamily", json!("Linux")),
        ("schedulingStrategy", json!("REPLICA")),
        ("deploymentController", json!({"type": "ECS"})),
        ("propagateTags", json!("NONE")),
        ("enableECSManagedTags", json!(false)),
        ("enableExecuteCommand", json!(false)),
        ("healthCheckGracePeriodSeconds", json!(0)),
        ("availabilityZoneRebalancing", json!("ENABLED")),
        ("loadBalancers", json!([])),
        ("serviceRegistries", json!([])),
        ("placementConstraints", json!([])),
        ("placementStrategy", json!([])),
        ("roleArn", json!("arn:aws:iam::111122223333:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS")),
        ("resourceManagementType", json!("CUSTOMER")),
        ("events", json!([])),
        ("status", json!("ACTIVE")),
        ("serviceArn", json!(format!("arn:aws:ecs:{PLACE}:service/{cluster}/{name}"))),
        ("clusterArn", json!(format!("arn:aws:ecs:{PLACE}:cluster/{cluster}"))),
    ] {
        service.insert(key.to_owned(), value);
    }
    assert!(
        request.get("launchType").is_none() || request.get("capacityProviderStrategy").is_none(),
        "launch type and strategy together"
    );
    let kept = request.as_object().unwrap().clone();
    service.extend(kept.into_iter().filter(|(key, _)| !["cluster", "clientToken"].contains(&key.as_str())));
    fill(&mut service);
    service
}

/// Fills in what ECS fills in again after every change.
pub(crate) fn fill(service: &mut Map<String, Value>) {
    let vpc = service["networkConfiguration"]["awsvpcConfiguration"].as_object_mut().unwrap();
    vpc.entry("securityGroups").or_insert_with(|| json!([]));
    vpc.entry("assignPublicIp").or_insert(json!("DISABLED"));
    for key in ["subnets", "securityGroups"] {
        let list = vpc[key].as_array_mut().unwrap();
        list.sort_by_key(|item| std::cmp::Reverse(item.to_string()));
    }
    let deployment = service["deploymentConfiguration"].as_object_mut().unwrap();
    deployment.entry("strategy").or_insert(json!("ROLLING"));
    deployment.entry("maximumPercent").or_insert(json!(200));
    deployment.entry("minimumHealthyPercent").or_insert(json!(100));
    deployment.entry("deploymentCircuitBreaker").or_insert_with(|| json!({"enable": false, "rollback": false}));
    let rolling = deployment["strategy"] == "ROLLING";
    deployment.entry("bakeTimeInMinutes").or_insert(json!(if rolling { 0 } else { 15 }));
    deployment.retain(|_, value| value != &json!([]));
    if let Some(breaker) = deployment["deploymentCircuitBreaker"].as_object_mut() {
        breaker.entry("resetOnHealthyTask").or_insert(json!(true));
    }
    if let Some(strategy) = service.get_mut("capacityProviderStrategy").and_then(Value::as_array_mut) {
        for item in strategy {
            let item = item.as_object_mut().unwrap();
            item.entry("weight").or_insert(json!(0));
            item.entry("base").or_insert(json!(0));
        }
    }
}
