//! Attributes of target groups: their defaults and the values they take.
//!
//! Elastic Load Balancing API reference, TargetGroupAttribute. An attribute is known by name; what it takes is checked where
//! AWS documents a range or a choice.

use crate::refusal::Refusal;
use crate::tag::Tags;

/// Attributes nobody has set.
pub(super) const DEFAULTS: [(&str, &str); 10] = [
    ("deregistration_delay.timeout_seconds", "300"),
    ("load_balancing.algorithm.anomaly_mitigation", "off"),
    ("load_balancing.algorithm.type", "round_robin"),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
    ("slow_start.duration_seconds", "0"),
    ("stickiness.enabled", "false"),
    ("stickiness.lb_cookie.duration_seconds", "86400"),
    ("stickiness.type", "lb_cookie"),
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
];

/// Attributes that have no default worth showing.
const OTHERS: [&str; 13] = [
    "deregistration_delay.connection_termination.enabled",
    "lambda.multi_value_headers.enabled",
    "preserve_client_ip.enabled",
    "proxy_protocol_v2.enabled",
    "stickiness.app_cookie.cookie_name",
    "stickiness.app_cookie.duration_seconds",
    "target_failover.on_deregistration",
    "target_failover.on_unhealthy",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
    "target_health_state.unhealthy.connection_termination.enabled",
    "target_health_state.unhealthy.draining_interval_seconds",
    "targets.vpc.enabled",
];

/// Checks the attributes that shall be set.
pub(super) fn check(sent: &Tags) -> Result<(), Refusal> {
    for (key, value) in sent {
        let known = DEFAULTS.iter().any(|(name, _)| name == key) || OTHERS.contains(&key.as_str());
        if !known {
            let message = format!("Target group attribute key '{key}' is not recognized");
            return Err(Refusal::new("ValidationError", message));
        }
        if let Some(wanted) = fault(key, value) {
            return Err(Refusal::new("InvalidConfigurationRequest", format!("'{key}' must be {wanted}")));
        }
    }
    Ok(())
}

/// What a value should have been.
fn fault(key: &str, value: &str) -> Option<String> {
    let within = |least: u32, most: u32| {
        let number = value.parse::<u32>().ok().filter(|number| (least..=most).contains(number));
        number.is_none().then(|| format!("between {least} and {most}"))
    };
    let one_of = |words: &[&str]| (!words.contains(&value)).then(|| format!("one of {words:?}"));
    match key {
        "deregistration_delay.timeout_seconds" => within(0, 3600),
        "slow_start.duration_seconds" if value == "0" => None,
        "slow_start.duration_seconds" => within(30, 900),
        "stickiness.lb_cookie.duration_seconds" | "stickiness.app_cookie.duration_seconds" => within(1, 604_800),
        "load_balancing.algorithm.type" => one_of(&["round_robin", "least_outstanding_requests", "weighted_random"]),
        "load_balancing.algorithm.anomaly_mitigation" => one_of(&["on", "off"]),
        "load_balancing.cross_zone.enabled" => one_of(&["true", "false", "use_load_balancer_configuration"]),
        "stickiness.type" => {
            one_of(&["lb_cookie", "app_cookie", "source_ip", "source_ip_dest_ip", "source_ip_dest_ip_proto"])
        }
        _ if key.ends_with(".enabled") => one_of(&["true", "false"]),
        _ => None,
    }
}
