//! Everything there is in one account and region, as JSON for people and tests.

use crate::input::Members;
use crate::state::Region;
use crate::state::ecs::Service;
use crate::state::s3::Bucket;
use crate::{dynamodb, ecs};
use serde_json::{Value, json};

/// One region. Secrets, parameters and layers are named, not shown.
pub(crate) fn region(region: &mut Region) -> Value {
    let services: Vec<(String, String)> = region.ecs.services.keys().cloned().collect();
    let services: Vec<Value> = services.iter().filter_map(|key| service(region, key)).collect();
    let tables: Vec<String> = region.dynamodb.tables.keys().cloned().collect();
    let tables: Vec<Value> = tables.iter().map(|name| table(region, name)).collect();
    let definitions = region
        .ecs
        .families
        .iter()
        .flat_map(|(family, all)| all.revisions.keys().map(move |revision| format!("{family}:{revision}")));
    let repositories = region.ecr.repositories.iter().map(|(name, repository)| {
        let images = repository.images.iter().map(|(digest, image)| json!({"digest": digest, "tags": image.tags}));
        json!({"name": name, "images": images.collect::<Vec<_>>(), "layers": repository.layers.len()})
    });
    let targets = region.scaling.targets.iter().map(|(id, target)| {
        let policies: Vec<&String> = target.policies.keys().collect();
        json!({"id": id, "minimum": target.minimum, "maximum": target.maximum, "policies": policies})
    });
    let queues = region.sqs.queues.iter().map(|(name, queue)| {
        let messages: Vec<&String> = queue.messages.iter().map(|message| &message.body).collect();
        json!({"name": name, "messages": messages})
    });
    let rules = region.eventbridge.rules.iter().map(|(name, rule)| {
        json!({"name": name, "pattern": rule.pattern, "targets": rule.targets.values().collect::<Vec<_>>()})
    });
    let mut body = json!({
        "account": region.account,
        "region": region.name,
        "clusters": region.ecs.clusters.keys().collect::<Vec<_>>(),
        "taskDefinitionFamilies": region.ecs.families.keys().collect::<Vec<_>>(),
        "taskDefinitions": definitions.collect::<Vec<_>>(),
        "targetGroups": region.elb.groups.keys().collect::<Vec<_>>(),
        "repositories": repositories.collect::<Vec<_>>(),
        "logGroups": region.logs.groups.keys().collect::<Vec<_>>(),
        "scalableTargets": targets.collect::<Vec<_>>(),
        "queues": queues.collect::<Vec<_>>(),
        "rules": rules.collect::<Vec<_>>(),
        "secrets": region.vault.secrets.keys().collect::<Vec<_>>(),
        "parameters": region.vault.parameters.keys().collect::<Vec<_>>(),
        "buildProjects": region.codebuild.projects.keys().collect::<Vec<_>>(),
        "builds": region.codebuild.order.iter().filter_map(|id| Some(brief_build(&region.codebuild.builds.get(id)?.body))).collect::<Vec<_>>(),
        "buckets": region.s3.buckets.iter().map(|(name, bucket)| bucket_of(name, bucket)).collect::<Vec<_>>(),
        "alarms": region.cloudwatch.alarms.values().map(|alarm| &alarm.body).collect::<Vec<_>>(),
        "streams": region.dynamodb.streams.keys().collect::<Vec<_>>(),
    });
    body.put("services", json!(services));
    body.put("tables", json!(tables));
    body
}

/// A service with its tasks, as they are described, beside their phases in short.
fn service(region: &mut Region, key: &(String, String)) -> Option<Value> {
    let found = region.ecs.services.get(key)?;
    let mut body = brief(found);
    let arns: Vec<String> = found.tasks.values().map(|task| task.arn.clone()).take(100).collect();
    let mut ask = |operation: &str, input: Value| ecs::handle(region, operation, &input).unwrap_or(Value::Null);
    let described = ask("DescribeServices", json!({"cluster": key.0, "services": [key.1], "include": ["TAGS"]}));
    let tasks = ask("DescribeTasks", json!({"cluster": key.0, "tasks": arns, "include": ["TAGS"]}));
    body.put(
        "described",
        described.get("services").and_then(|services| services.get(0)).cloned().unwrap_or(Value::Null),
    );
    body.put("describedTasks", tasks.get("tasks").cloned().unwrap_or(json!([])));
    Some(body)
}

fn brief_build(body: &Value) -> Value {
    json!({"id": body.get("id"), "phase": body.get("currentPhase"), "status": body.get("buildStatus")})
}

fn bucket_of(name: &str, bucket: &Bucket) -> Value {
    let objects =
        bucket.objects.iter().map(|(key, object)| json!({"key": key, "etag": object.etag, "size": object.bytes.len()}));
    json!({"name": name, "objects": objects.collect::<Vec<_>>()})
}

fn brief(service: &Service) -> Value {
    json!({
        "cluster": service.cluster,
        "name": service.name,
        "status": format!("{:?}", service.status),
        "desired": service.desired,
        "tasks": service.tasks.values().map(|task| format!("{:?}", task.phase)).collect::<Vec<_>>(),
        "events": service.events,
    })
}

fn table(region: &mut Region, name: &str) -> Value {
    let mut ask =
        |operation: &str| dynamodb::handle(region, operation, &json!({"TableName": name, "ConsistentRead": true}));
    let described = ask("DescribeTable").ok().and_then(|answer| answer.get("Table").cloned());
    let items = ask("Scan").ok().and_then(|answer| answer.get("Items").cloned());
    json!({"name": name, "described": described, "items": items})
}
