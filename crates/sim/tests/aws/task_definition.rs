//! Task definitions: what is refused, what is filled in, what is found again.

use crate::place::{Place, definition, merged};
use serde_json::{Value, json};

/// The definition with its only container changed.
fn container(changes: Value) -> Value {
    let container = merged(definition()["containerDefinitions"][0].clone(), changes);
    merged(definition(), json!({"containerDefinitions": [container]}))
}

fn refused(definition: Value) -> String {
    let (code, message) = Place::new().refused("ecs", "RegisterTaskDefinition", definition);
    assert_eq!(code, "ClientException");
    message
}

#[tokio::test(start_paused = true)]
async fn defaults_are_filled_as_ecs_fills_them() {
    let registered = Place::new().ecs("RegisterTaskDefinition", definition())["taskDefinition"].clone();
    assert_eq!((&registered["cpu"], &registered["memory"]), (&json!("256"), &json!("512")));
    assert_eq!((&registered["volumes"], &registered["placementConstraints"]), (&json!([]), &json!([])));
    assert_eq!(registered["compatibilities"], json!(["EC2", "FARGATE"]));
    assert!(registered.get("runtimePlatform").is_none() && registered.get("tags").is_none());
    let container = &registered["containerDefinitions"][0];
    assert_eq!(container["portMappings"], json!([{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}]));
    assert_eq!((&container["cpu"], &container["essential"]), (&json!(0), &json!(true)));
    for list in ["environment", "mountPoints", "volumesFrom", "systemControls"] {
        assert_eq!(container[list], json!([]), "{list}");
    }
    let check = &container["healthCheck"];
    assert_eq!((&check["interval"], &check["timeout"], &check["retries"]), (&json!(30), &json!(5), &json!(3)));
    assert!(check.get("startPeriod").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_known_member_survives_and_an_unknown_one_is_dropped() {
    let sent = container(json!({"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}], "colour": "red"}));
    let registered = Place::new().ecs("RegisterTaskDefinition", sent)["taskDefinition"].clone();
    let container = &registered["containerDefinitions"][0];
    assert_eq!(container["ulimits"][0]["hardLimit"], 2);
    assert!(container.get("colour").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_size_fargate_does_not_sell_is_refused() {
    for (cpu, memory) in [("256", "4096"), ("300", "512"), ("16384", "32769"), ("1 vCPU", "1 GB")] {
        let message = refused(merged(definition(), json!({"cpu": cpu, "memory": memory})));
        assert!(
            message.starts_with(&format!("No Fargate configuration exists for given values: {cpu} CPU")),
            "{message}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn private_images_and_logs_need_an_execution_role() {
    assert_eq!(
        refused(merged(definition(), json!({"executionRoleArn": null}))),
        "Fargate requires task definition to have execution role ARN to support ECR images."
    );
    let public = merged(container(json!({"image": "nginx"})), json!({"executionRoleArn": null}));
    assert_eq!(
        refused(public),
        "Fargate requires task definition to have execution role ARN to support log driver awslogs."
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_may_not_share_a_variable_s_name() {
    let message = refused(container(json!({
        "environment": [{"name": "TOKEN", "value": "x"}],
        "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:us-east-1:1:parameter/t"}],
    })));
    assert!(message.contains("such as 'TOKEN'"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn what_fargate_does_not_support_is_refused() {
    for changes in [
        json!({"privileged": true}),
        json!({"hostname": "a"}),
        json!({"links": ["b"]}),
        json!({"linuxParameters": {"maxSwap": 1}}),
        json!({"linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}}}),
        json!({"logConfiguration": {"logDriver": "syslog", "options": null}}),
        json!({"stopTimeout": 121}),
        json!({"healthCheck": {"interval": 4}}),
        json!({"portMappings": [{"containerPort": 8000, "hostPort": 80}]}),
        json!({"image": "agent@sha256:abc"}),
        json!({"name": "a b"}),
        json!({"logConfiguration": {"options": {"awslogs-stream-prefix": null}}}),
    ] {
        refused(container(changes));
    }
    for changes in [
        json!({"networkMode": "bridge"}),
        json!({"pidMode": "host"}),
        json!({"ephemeralStorage": {"sizeInGiB": 20}}),
        json!({"containerDefinitions": []}),
        json!({"family": "no spaces"}),
        json!({"cpu": null}),
    ] {
        refused(merged(definition(), changes));
    }
    Place::new().register(container(
        json!({"linuxParameters": {"initProcessEnabled": true, "capabilities": {"add": ["SYS_PTRACE"]}}}),
    ));
}

#[tokio::test(start_paused = true)]
async fn a_bare_family_means_its_latest_active_revision() {
    let place = Place::new();
    let (first, second) = (place.register(definition()), place.register(definition()));
    let described = |name: &str| place.ecs("DescribeTaskDefinition", json!({"taskDefinition": name}));
    assert_eq!(described("agent")["taskDefinition"]["taskDefinitionArn"], json!(second));
    place.ecs("DeregisterTaskDefinition", json!({"taskDefinition": second}));
    assert_eq!(described("agent")["taskDefinition"]["taskDefinitionArn"], json!(first));
    assert_eq!(described(&second)["taskDefinition"]["status"], "INACTIVE");
    assert_eq!(
        place.refused("ecs", "DescribeTaskDefinition", json!({"taskDefinition": "agent:9"})),
        ("ClientException".to_owned(), "Unable to describe task definition.".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_revision_number_is_never_given_twice() {
    let place = Place::new();
    let first = place.register(definition());
    place.ecs("DeregisterTaskDefinition", json!({"taskDefinition": first}));
    let deleted = place.ecs("DeleteTaskDefinitions", json!({"taskDefinitions": [first]}));
    assert_eq!(deleted["taskDefinitions"][0]["status"], "DELETE_IN_PROGRESS");
    assert!(place.register(definition()).ends_with("agent:2"));
}

#[tokio::test(start_paused = true)]
async fn definitions_are_listed_by_exact_family_and_in_pages() {
    let place = Place::new();
    for _ in 0..3 {
        place.register(definition());
    }
    place.register(merged(definition(), json!({"family": "agent-b"})));
    let list = |input: Value| place.ecs("ListTaskDefinitions", input);
    let page = list(json!({"familyPrefix": "agent", "sort": "DESC", "maxResults": 2}));
    assert_eq!(page["taskDefinitionArns"].as_array().unwrap().len(), 2);
    assert!(page["taskDefinitionArns"][0].as_str().unwrap().ends_with("agent:3"));
    let rest = list(json!({"familyPrefix": "agent", "sort": "DESC", "maxResults": 2, "nextToken": page["nextToken"]}));
    assert!(rest["taskDefinitionArns"][0].as_str().unwrap().ends_with("agent:1"));
    assert!(rest["nextToken"].is_null());
    let families = place.ecs("ListTaskDefinitionFamilies", json!({"familyPrefix": "agent"}));
    assert_eq!(families["families"], json!(["agent", "agent-b"]));
}
