//! The rules a project itself must keep.

use super::{Found, form};
use crate::freeze;
use crate::path;
use crate::project::{Limits, Project, ProjectSpec, RoleRules, RolloutRules};

const PATTERN: &str = "1 to 255 characters without spaces; `*` stands for anything";

pub(super) fn check(project: &Project, found: &mut Found) {
    if !form::is_label(&project.metadata.name) {
        let problem = format!("`{}` is not a DNS label", project.metadata.name);
        found.add("metadata.name", problem, "what agents say in `metadata.project`");
    }
    let ProjectSpec {
        sources,
        accounts,
        regions,
        clusters,
        roles: RoleRules { account, execution, task, infrastructure },
        subnets,
        security_groups,
        public_ip: _,
        registries,
        limits,
        freezes,
        weight,
        rollouts,
    } = &project.spec;
    for (field, patterns) in [
        ("sources", sources),
        ("clusters", clusters),
        ("roles.account", account),
        ("roles.execution", execution),
        ("roles.task", task),
        ("roles.infrastructure", infrastructure),
        ("subnets", subnets),
        ("securityGroups", security_groups),
        ("registries", registries),
    ] {
        list(field, patterns.as_ref(), (is_pattern, "a pattern", PATTERN), found);
    }
    let account = |text: &str| text == "own" || (text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()));
    list("accounts", accounts.as_ref(), (account, "an account", "twelve digits in quotes, or `own`"), found);
    list("regions", regions.as_ref(), (form::is_region, "a region", "such as `us-east-1`"), found);
    ceilings(limits, *rollouts, found);
    found.range("spec.weight", *weight, 1..=100, "");
    for (index, one) in freezes.iter().enumerate() {
        found.violations.extend(freeze::faults(one, &path::item("spec.freezes", index)));
    }
    found.unique("spec.freezes", freezes.iter().map(|freeze| freeze.name.as_str()));
}

/// What an entry of a list must be: the test, its name, and what would be right.
type Form = (fn(&str) -> bool, &'static str, &'static str);

fn list(field: &str, entries: Option<&Vec<String>>, (fits, what, hint): Form, found: &mut Found) {
    let at = format!("spec.{field}");
    let entries = entries.map(Vec::as_slice).unwrap_or_default();
    for (index, entry) in entries.iter().enumerate().filter(|(_, entry)| !fits(entry)) {
        found.add(path::item(&at, index), format!("`{entry}` is not {what}"), hint);
    }
    found.unique(&at, entries.iter().map(String::as_str));
}

fn is_pattern(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A ceiling of nothing would stop a project without a word why.
fn ceilings(limits: &Limits, rollouts: RolloutRules, found: &mut Found) {
    let Limits { cpu, memory, tasks, agents } = limits;
    let RolloutRules { max, stop_after_failures } = rollouts;
    for (field, number) in [
        ("spec.limits.cpu", *cpu),
        ("spec.limits.memory", *memory),
        ("spec.limits.tasks", *tasks),
        ("spec.limits.agents", *agents),
        ("spec.rollouts.max", max),
        ("spec.rollouts.stopAfterFailures", stop_after_failures),
    ] {
        if number == Some(0) {
            found.add(field, "0 is out of range", "1 or more; leave it out where there is no ceiling");
        }
    }
}
