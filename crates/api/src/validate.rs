//! The rules: what a well-formed spec may not say. All broken rules at once, each with the field that breaks it.
//!
//! Only what the spec alone can tell; whether a cluster, a role or a subnet exists is for the engine to find out.

mod agent;
mod build;
mod capacity;
mod container;
mod form;
mod overrides;
mod project;
mod scaling;
mod service;
mod sidecars;
mod task;

pub use crate::fault::Violation;
use crate::project::Project;
use crate::spec::AgentDeployment;

/// Every rule `agent` breaks; none for a spec that may be deployed.
pub fn check(agent: &AgentDeployment) -> Vec<Violation> {
    let rules = [
        agent::check,
        task::check,
        container::check,
        sidecars::check,
        service::check,
        capacity::check,
        scaling::check,
        overrides::check,
    ];
    let mut found = Found::default();
    for rule in rules {
        rule(agent, &mut found);
    }
    found.violations
}

/// Every rule `project` breaks.
pub fn check_project(project: &Project) -> Vec<Violation> {
    let mut found = Found::default();
    project::check(project, &mut found);
    found.violations
}

/// Collects what is found.
#[derive(Default)]
struct Found {
    violations: Vec<Violation>,
}

impl Found {
    /// `problem` at `path`, and what would be right.
    fn add(&mut self, path: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) {
        self.violations.push(Violation::new(path, problem).hint(hint));
    }

    /// A number outside its range.
    fn range(&mut self, path: &str, number: u32, range: std::ops::RangeInclusive<u32>, unit: &str) {
        if !range.contains(&number) {
            let hint = format!("{} to {}{}{unit}", range.start(), range.end(), if unit.is_empty() { "" } else { " " });
            self.add(path, format!("{number} is out of range"), hint);
        }
    }

    /// Values of a list that stand in it more than once.
    fn unique<'a>(&mut self, path: &str, values: impl IntoIterator<Item = &'a str>) {
        let mut seen = std::collections::BTreeSet::new();
        for (index, value) in values.into_iter().enumerate() {
            if !seen.insert(value) {
                self.add(crate::path::item(path, index), format!("`{value}` is listed twice"), "keep one of them");
            }
        }
    }
}
