//! What the desired state costs a month, from a dated table of Fargate's on-demand prices. An estimate, for plans.
//!
//! Prices are public list prices in US dollars an hour; Spot varies by the hour and is taken at 30 % of on-demand.

use fargateer_api::AgentDeployment;
use fargateer_api::spec::{Architecture, Provider};
use fargateer_api::status::Cost;

/// When the table was read.
pub const PRICE_DATE: &str = "2026-11-23";
/// Hours of a month in AWS's own estimates.
const HOURS: f64 = 730.0;
/// Ephemeral storage that is free, in GiB.
const FREE_STORAGE: u32 = 20;
/// Share of the on-demand price assumed for Spot.
const SPOT_SHARE: f64 = 0.3;

/// Prices of one region: x86 vCPU, x86 GB, ARM vCPU, ARM GB, ephemeral GB.
type Prices = (f64, f64, f64, f64, f64);

const TABLE: &[(&str, Prices)] = &[
    ("us-east-1", (0.04048, 0.004_445, 0.03238, 0.00356, 0.000_111)),
    ("us-east-2", (0.04048, 0.004_445, 0.03238, 0.00356, 0.000_111)),
    ("us-west-2", (0.04048, 0.004_445, 0.03238, 0.00356, 0.000_111)),
    ("eu-west-1", (0.04048, 0.004_445, 0.03238, 0.00356, 0.000_122)),
    ("eu-west-2", (0.04656, 0.00511, 0.03725, 0.00409, 0.000_129)),
    ("ap-southeast-1", (0.05056, 0.00553, 0.04045, 0.00442, 0.000_133)),
    ("ap-northeast-1", (0.05056, 0.00553, 0.04045, 0.00442, 0.000_133)),
];

/// The monthly estimate at `tasks` tasks; none for a region without known prices.
pub fn monthly(agent: &AgentDeployment, tasks: u32) -> Option<Cost> {
    let spec = &agent.spec;
    let (_, (vcpu, gigabyte, arm_vcpu, arm_gigabyte, storage)) =
        TABLE.iter().find(|(region, _)| *region == spec.region)?;
    let (vcpu, gigabyte) = match spec.resources.architecture {
        Architecture::X86_64 => (vcpu, gigabyte),
        Architecture::Arm64 => (arm_vcpu, arm_gigabyte),
    };
    let extra = spec.resources.ephemeral_storage_gib.unwrap_or(FREE_STORAGE).saturating_sub(FREE_STORAGE);
    let compute = f64::from(spec.resources.cpu) / 1024.0 * vcpu + f64::from(spec.resources.memory) / 1024.0 * gigabyte;
    let hourly = compute * spot_factor(agent) + f64::from(extra) * storage;
    let monthly_usd = (hourly * HOURS * f64::from(tasks) * 100.0).round() / 100.0;
    Some(Cost { monthly_usd, price_date: PRICE_DATE.to_owned() })
}

/// The average price factor of the capacity: weights decide, bases are too few to matter in an estimate.
fn spot_factor(agent: &AgentDeployment) -> f64 {
    let Some(capacity) = &agent.spec.capacity else {
        return 1.0;
    };
    let share = |provider: Provider| match provider {
        Provider::Fargate => 1.0,
        Provider::FargateSpot => SPOT_SHARE,
    };
    if let Some(provider) = capacity.provider {
        return share(provider);
    }
    let total: u32 = capacity.strategy.iter().map(|item| item.weight).sum();
    let weighted: f64 = capacity.strategy.iter().map(|item| f64::from(item.weight) * share(item.provider)).sum();
    if total == 0 { 1.0 } else { weighted / f64::from(total) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn usd(more: &Value, tasks: u32) -> Option<f64> {
        let mut spec = json!({"cluster": "agents", "image": {"uri": "x"}, "network": {"subnets": ["subnet-1"]},
            "resources": {"cpu": 1024, "memory": 2048}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let document =
            json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "a"}, "spec": spec});
        monthly(&serde_json::from_value(document).unwrap(), tasks).map(|cost| cost.monthly_usd)
    }

    #[test]
    fn a_month_is_vcpu_and_memory_times_730_hours() {
        // (0.04048 + 2 * 0.004445) * 730 = 36.0401
        assert_eq!(usd(&json!({}), 1), Some(36.04));
        assert_eq!(usd(&json!({}), 3), Some(108.12));
        assert_eq!(usd(&json!({}), 0), Some(0.0));
    }

    #[test]
    fn arm_is_cheaper_and_storage_beyond_twenty_gib_costs() {
        let arm = json!({"resources": {"cpu": 1024, "memory": 2048, "architecture": "ARM64"}});
        assert_eq!(usd(&arm, 2), Some(57.67));
        let storage = json!({"resources": {"cpu": 1024, "memory": 2048, "ephemeralStorageGiB": 120}});
        assert_eq!(usd(&storage, 1), Some(44.14));
        let free = json!({"resources": {"cpu": 1024, "memory": 2048, "ephemeralStorageGiB": 20}});
        assert_eq!(usd(&free, 1), usd(&json!({}), 1));
    }

    #[test]
    fn spot_is_taken_at_thirty_percent_and_a_mix_by_its_weights() {
        assert_eq!(usd(&json!({"capacity": {"provider": "FARGATE_SPOT"}}), 1), Some(10.81));
        let mix = json!({"capacity": {"strategy": [
            {"provider": "FARGATE", "weight": 1}, {"provider": "FARGATE_SPOT", "weight": 3}]}});
        // A quarter at the full price, three at 30 %: 0.475.
        assert_eq!(usd(&mix, 1), Some(17.12));
        assert_eq!(usd(&json!({"capacity": {"platformVersion": "1.4.0"}}), 1), Some(36.04));
    }

    #[test]
    fn a_region_without_known_prices_has_no_estimate() {
        assert_eq!(usd(&json!({"region": "mars-north-1"}), 1), None);
    }
}
