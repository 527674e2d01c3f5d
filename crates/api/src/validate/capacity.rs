//! On-demand, Spot or a mix.

use super::Found;
use crate::{
    path,
    spec::{AgentDeployment, Capacity, Provider, StrategyItem},
};

pub(super) fn check(agent: &AgentDeployment, found: &mut Found) {
    let Some(Capacity { provider, strategy, platform_version }) = &agent.spec.capacity else {
        return;
    };
    match (provider, strategy.as_slice(), platform_version) {
        (Some(_), [_, ..], _) => found.add("spec.capacity", "both `provider` and `strategy` are given", "one of them"),
        (None, [], None) => found.add("spec.capacity", "nothing is given", "`provider: FARGATE_SPOT`, say"),
        (Some(_), [], _) | (None, _, _) => {}
    }
    if let Some(version) = platform_version.as_ref().filter(|v| !["LATEST", "1.4.0", "1.3.0"].contains(&v.as_str())) {
        let problem = format!("Fargate has no platform version `{version}`");
        found.add("spec.capacity.platformVersion", problem, "`LATEST`, `1.4.0` or `1.3.0`");
    }
    mix(strategy, found);
}

fn mix(strategy: &[StrategyItem], found: &mut Found) {
    for (index, item) in strategy.iter().enumerate() {
        let at = path::item("spec.capacity.strategy", index);
        found.range(&path::field(&at, "weight"), item.weight, 0..=1000, "");
        found.range(&path::field(&at, "base"), item.base, 0..=100_000, "tasks");
    }
    found.unique(
        "spec.capacity.strategy",
        strategy.iter().map(|item| match item.provider {
            Provider::Fargate => "FARGATE",
            Provider::FargateSpot => "FARGATE_SPOT",
        }),
    );
    if !strategy.is_empty() && strategy.iter().all(|item| item.weight == 0) {
        found.add("spec.capacity.strategy", "every weight is 0", "a weight from 1 to 1000 for one provider at least");
    }
    if strategy.iter().filter(|item| item.base > 0).count() > 1 {
        found.add("spec.capacity.strategy", "more than one provider has a base", "a `base` for one provider only");
    }
}
