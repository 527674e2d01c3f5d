//! Facts of a target group: its type, its load balancers, the health of its targets. Never modified.

use aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription;
use fargateer_plan::failure::Failure;
use fargateer_plan::seen::Seen;
use fargateer_plan::target_group::{Live, Target};

use crate::caller::{Caller, Operation};
use crate::quota::Group;

/// What this file calls.
pub(crate) const PERMISSIONS: &[&str] =
    &["elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth"];

const DESCRIBE: Operation = Operation::new("elasticloadbalancing.DescribeTargetGroups", Group::LoadBalancerRead);
const HEALTH: Operation = Operation::new("elasticloadbalancing.DescribeTargetHealth", Group::LoadBalancerRead);

/// The target group `arn`.
pub(crate) async fn observe(caller: &Caller<'_>, arn: &str) -> Seen<Live> {
    match read(caller, arn).await {
        Ok(Some(live)) => Seen::Present(live),
        Ok(None) => Seen::Absent,
        Err(failure) if failure.code.starts_with("TargetGroupNotFound") => Seen::Absent,
        Err(failure) => Seen::Unknown(failure),
    }
}

async fn read(caller: &Caller<'_>, arn: &str) -> Result<Option<Live>, Failure> {
    let elb = &caller.clients.elb;
    let groups = caller.typed(DESCRIBE, elb.describe_target_groups().target_group_arns(arn).send()).await?;
    let Some(group) = groups.target_groups().first() else { return Ok(None) };
    let health = caller.typed(HEALTH, elb.describe_target_health().target_group_arn(arn).send()).await?;
    Ok(Some(Live {
        arn: arn.to_owned(),
        target_type: group.target_type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        load_balancers: group.load_balancer_arns().to_vec(),
        targets: health.target_health_descriptions().iter().map(target).collect(),
    }))
}

fn target(description: &TargetHealthDescription) -> Target {
    let health = description.target_health();
    Target {
        id: description.target().map(|target| target.id().unwrap_or_default().to_owned()).unwrap_or_default(),
        state: health.and_then(|health| health.state()).map(|state| state.as_str().to_owned()).unwrap_or_default(),
        reason: health.and_then(|health| health.reason()).map(|reason| reason.as_str().to_owned()),
    }
}
