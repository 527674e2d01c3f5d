//! The service: network, task count, load balancer, rollout and what comes after it.

use super::{Found, agent::same_region, form};
use crate::{
    path,
    spec::{AgentDeployment, Alternate, LoadBalancer, Network, Strategy},
};

pub(super) fn check(agent: &AgentDeployment, found: &mut Found) {
    network(&agent.spec.network, found);
    found.range("spec.desiredCount", agent.spec.desired_count, 0..=100, "tasks");
    if let Some(balancer) = &agent.spec.load_balancer {
        load_balancer(balancer, &agent.spec.region, found);
    }
    strategy(agent, found);
    percentages(agent, found);
    alarms(agent, found);
    if let Some(verify) = agent.spec.verify.as_ref().filter(|verify| !verify.http.path.starts_with('/')) {
        let problem = format!("`{}` is not an absolute path", verify.http.path);
        found.add("spec.verify.http.path", problem, "a path that begins with `/`");
    }
}

fn network(network: &Network, found: &mut Found) {
    let Network { subnets, security_groups, assign_public_ip: _ } = network;
    if !(1..=16).contains(&subnets.len()) {
        let problem = format!("{} subnets are given", subnets.len());
        found.add("spec.network.subnets", problem, "1 to 16 of one VPC");
    }
    if security_groups.len() > 5 {
        let problem = format!("{} security groups are given", security_groups.len());
        found.add("spec.network.securityGroups", problem, "at most 5");
    }
    ids("spec.network.subnets", subnets, "subnet-", found);
    ids("spec.network.securityGroups", security_groups, "sg-", found);
}

fn ids(path: &str, ids: &[String], prefix: &str, found: &mut Found) {
    for (index, id) in ids.iter().enumerate().filter(|(_, id)| !form::is_id(id, prefix)) {
        let problem = format!("`{id}` is not an id");
        found.add(path::item(path, index), problem, format!("`{prefix}` and the rest of the id"));
    }
    found.unique(path, ids.iter().map(String::as_str));
}

fn load_balancer(balancer: &LoadBalancer, region: &str, found: &mut Found) {
    let LoadBalancer { target_group_arn, listener, health_check, deregistration_delay, grace_period, alternate } =
        balancer;
    match (target_group_arn, listener) {
        (Some(_), Some(_)) => {
            found.add("spec.loadBalancer", "both `targetGroupArn` and `listener` are given", "exactly one of them");
        }
        (None, None) => found.add("spec.loadBalancer", "no target group is given", "`targetGroupArn: <arn>`"),
        (Some(_), None) | (None, Some(_)) => {}
    }
    if let Some(arn) = target_group_arn {
        target_group("spec.loadBalancer.targetGroupArn", arn, region, found);
    }
    if listener.is_some() {
        let problem = "rules on a listener are not yet supported";
        found.add(
            "spec.loadBalancer.listener",
            problem,
            "make the target group yourself and name it in `targetGroupArn`",
        );
    }
    let owned = [("healthCheck", health_check.is_some()), ("deregistrationDelay", deregistration_delay.is_some())];
    for (field, _) in owned.into_iter().filter(|(_, given)| *given && listener.is_none()) {
        let hint = "an existing target group is attached, never changed; set it there";
        found.add(path::field("spec.loadBalancer", field), "only with `listener`", hint);
    }
    if let Some(seconds) = grace_period {
        found.range("spec.loadBalancer.gracePeriod", *seconds, 0..=2_147_483_647, "seconds");
    }
    if let Some(other) = alternate {
        let same = target_group_arn.as_ref() == Some(&other.target_group_arn);
        alternate_side(other, region, found);
        if same {
            let hint = "a second target group for the other side";
            found.add("spec.loadBalancer.alternate.targetGroupArn", "the same as `targetGroupArn`", hint);
        }
    }
}

fn target_group(path: &str, arn: &str, region: &str, found: &mut Found) {
    if let Some(parts) = form::arn(arn).filter(|_| form::is_target_group(arn)) {
        return same_region(path, parts.region, region, found);
    }
    let hint = "`arn:aws:elasticloadbalancing:<region>:<account>:targetgroup/<name>/<id>`";
    found.add(path, format!("`{arn}` is not the ARN of a target group"), hint);
}

fn alternate_side(alternate: &Alternate, region: &str, found: &mut Found) {
    const BASE: &str = "spec.loadBalancer.alternate";
    let Alternate { target_group_arn, production_listener_rule, test_listener_rule, role_arn } = alternate;
    target_group(&path::field(BASE, "targetGroupArn"), target_group_arn, region, found);
    let rules =
        [("productionListenerRule", Some(production_listener_rule)), ("testListenerRule", test_listener_rule.as_ref())];
    let kinds = ["listener-rule/", "listener/"];
    for (field, arn) in rules.into_iter().filter_map(|(field, arn)| Some((field, arn?))) {
        let rule = form::arn(arn).filter(|arn| kinds.iter().any(|kind| arn.resource.starts_with(kind)));
        if rule.is_none_or(|arn| arn.service != "elasticloadbalancing") {
            let problem = format!("`{arn}` is not the ARN of a listener rule");
            found.add(
                path::field(BASE, field),
                problem,
                "the ARN of a listener rule; of the listener for a network load balancer",
            );
        }
    }
    if !form::is_role_arn(role_arn) {
        let problem = format!("`{role_arn}` is not the ARN of a role");
        found.add(path::field(BASE, "roleArn"), problem, "`arn:aws:iam::<account>:role/<name>`");
    }
}

fn strategy(agent: &AgentDeployment, found: &mut Found) {
    let rollout = &agent.spec.rollout;
    let balancer = agent.spec.load_balancer.as_ref();
    let alternate = balancer.is_some_and(|balancer| balancer.alternate.is_some());
    if let Some(minutes) = rollout.bake_minutes {
        found.range("spec.rollout.bakeMinutes", minutes, 0..=1440, "minutes");
    }
    match rollout.strategy {
        Strategy::Rolling => {
            if rollout.bake_minutes.is_some() {
                let hint = "`strategy: BlueGreen`, `Canary` or `Linear`, or no `bakeMinutes`";
                found.add("spec.rollout.bakeMinutes", "a rolling rollout has nothing to bake", hint);
            }
            if alternate {
                let hint = "set `spec.rollout.strategy` to BlueGreen, Canary or Linear, or remove it";
                found.add("spec.loadBalancer.alternate", "a rolling rollout has no second side", hint);
            }
        }
        Strategy::BlueGreen | Strategy::Canary | Strategy::Linear if balancer.is_some() && !alternate => {
            let problem = "required by the rollout's strategy";
            let hint = "the second target group, the production listener rule and the role that moves the traffic";
            found.add("spec.loadBalancer.alternate", problem, hint);
        }
        Strategy::Canary | Strategy::Linear => {
            let connect = agent.spec.overrides.service.contains_key("serviceConnectConfiguration");
            if balancer.is_none() && !connect {
                let problem = "traffic can be moved in steps only where something routes it";
                found.add("spec.rollout.strategy", problem, "a `spec.loadBalancer`, or `Rolling`");
            }
        }
        Strategy::BlueGreen => {}
    }
}

/// ECS can neither start nor stop a task when both bounds round to the desired count.
fn percentages(agent: &AgentDeployment, found: &mut Found) {
    let rollout = &agent.spec.rollout;
    let (minimum, maximum) = (rollout.minimum_healthy_percent, rollout.maximum_percent);
    if minimum > 100 {
        found.range("spec.rollout.minimumHealthyPercent", minimum, 0..=100, "percent");
    }
    if maximum < 100 {
        found.add("spec.rollout.maximumPercent", format!("{maximum} is out of range"), "100 or more percent");
    }
    let scaling = &agent.spec.autoscaling;
    let tasks = u64::from(if scaling.enabled { scaling.min } else { agent.spec.desired_count }.max(1));
    let fewest = (tasks * u64::from(minimum)).div_ceil(100);
    let most = tasks * u64::from(maximum) / 100;
    if (0..=100).contains(&minimum) && maximum >= 100 && fewest >= tasks && most <= tasks {
        let problem = format!("no task may start or stop: of {tasks} desired, {fewest} must stay and {most} may run");
        found.add(
            "spec.rollout.maximumPercent",
            problem,
            "a lower `minimumHealthyPercent` or a higher `maximumPercent`, such as 200",
        );
    }
}

fn alarms(agent: &AgentDeployment, found: &mut Found) {
    let alarms = &agent.spec.rollout.alarms;
    for (index, _) in alarms.iter().enumerate().filter(|(_, name)| !(1..=255).contains(&name.chars().count())) {
        found.add(path::item("spec.rollout.alarms", index), "not the name of an alarm", "1 to 255 characters");
    }
    found.unique("spec.rollout.alarms", alarms.iter().map(String::as_str));
}
