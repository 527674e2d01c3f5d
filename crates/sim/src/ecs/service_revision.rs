//! Service revisions: immutable snapshots of what a deployment deploys.

use super::task_definition;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::ecs::Service;
use crate::{arn, ecr};
use serde_json::{Value, json};

/// Records the service's present settings, and answers the revision's ARN.
pub(super) fn record(region: &mut Region, service: &mut Service, settings: &Value) -> String {
    let id = region.digits(19);
    let resource = format!("service-revision/{}/{}/{id}", service.cluster, service.name);
    let arn = region.arn("ecs", &resource);
    let mut body = settings.clone();
    body.fill("loadBalancers", json!([]));
    body.fill("serviceRegistries", json!([]));
    for name in ["gatewayConnectors", "monitoring"] {
        if let Some(value) = service.hidden.member(name) {
            body.put(name, value.clone());
        }
    }
    let definition = service.config.text("taskDefinition").unwrap_or_default();
    body.put("serviceRevisionArn", json!(arn));
    body.put("serviceArn", json!(service.arn));
    let cluster = region.arn("ecs", &format!("cluster/{}", service.cluster));
    body.put("clusterArn", json!(cluster));
    body.put("taskDefinition", json!(definition));
    body.put("containerImages", images(region, definition));
    body.put("guardDutyEnabled", json!(false));
    body.put("createdAt", json!(region.timestamp()));
    service.revisions.push(body);
    arn
}

fn images(region: &Region, definition: &str) -> Value {
    let Some(definition) = task_definition::find(region, definition) else {
        return json!([]);
    };
    let containers = definition.body.items("containerDefinitions").unwrap_or_default().iter();
    containers
        .map(|container| {
            let image = container.text("image").unwrap_or_default();
            json!({
                "containerName": container.text("name"),
                "image": image,
                "imageDigest": ecr::digest(region, image),
            })
        })
        .collect()
}

fn find<'a>(region: &'a Region, arn: &str) -> Option<&'a Value> {
    let mut parts = arn::tail(arn).split('/');
    let key = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut revisions = region.ecs.services.get(&key)?.revisions.iter();
    revisions.find(|revision| revision.text("serviceRevisionArn") == Some(arn))
}

/// DescribeServiceRevisions: at most twenty.
pub(super) fn describe(region: &Region, input: &Value) -> Answer {
    let arns = input.texts("serviceRevisionArns");
    if arns.is_empty() || arns.len() > 20 {
        return Err(Refusal::invalid("serviceRevisionArns must have between 1 and 20 elements."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        match find(region, &arn) {
            Some(revision) => found.push(revision.clone()),
            None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
        }
    }
    Ok(json!({"serviceRevisions": found, "failures": failures}))
}
