//! The door for whoever runs tasks for real: what the scheduler wants of them, and what they tell it.
//!
//! With `Tasks::Driven` the simulated ECS decides which tasks there are and when they start and stop; what a task is made of
//! is not its business. `assignments` says what is wanted now, again and again: who comes late or starts anew finds the same.
//! Load balancers work alike: `balanced` says what is to be checked, `judge` takes the verdicts.

use crate::assignment::{Assignment, Balanced, Report, Target, place};
use crate::ecr::{self, Content};
use crate::ecs::driven;
use crate::input::Members;
use crate::simulation::Simulation;
use crate::state::Region;
use crate::{eventbridge, parameter, secret};
use serde_json::{Value, json};
use std::time::Duration;

impl Simulation {
    /// What is wanted of driven tasks now.
    pub fn assignments(&self) -> Vec<Assignment> {
        self.each_region(driven::assignments)
    }

    /// Tells how a driven task goes.
    pub fn report(&self, task: &str, report: &Report) {
        self.in_region(task, |region| driven::report(region, crate::arn::leaf(task), report));
    }

    /// The target groups whose targets are driven tasks.
    pub fn balanced(&self) -> Vec<Balanced> {
        self.each_region(|region| region.elb.groups.keys().filter_map(|arn| balanced(region, arn)).collect())
    }

    /// Tells whether a target passes its load balancer's checks.
    pub fn judge(&self, group: &str, address: &str, port: u16, healthy: bool) {
        self.in_region(group, |region| driven::judge_target(region, group, &(address.to_owned(), port), healthy));
    }

    /// Tells that a target that drains has no request under way any more. As with AWS, its deregistration is complete then.
    pub fn drained(&self, group: &str, address: &str, port: u16) {
        self.in_region(group, |region| driven::drained(region, group, &(address.to_owned(), port)));
    }

    /// What is in an image of the simulated registry, for a task to be started; or why it can't be pulled.
    pub fn pull(&self, assignment: &Assignment) -> Result<Content, String> {
        let platform = assignment.definition.member("runtimePlatform");
        let arm = platform.and_then(|platform| platform.text("cpuArchitecture")) == Some("ARM64");
        let image = assignment.container.text("image").unwrap_or_default();
        let architecture = if arm { "arm64" } else { "amd64" };
        self.in_region(&assignment.task, |region| ecr::content(region, image, architecture))
    }

    /// The value of a secret of a task definition (`valueFrom`), from Secrets Manager or the Parameter Store.
    pub fn secret(&self, task: &str, from: &str) -> Result<String, String> {
        let (account, own) = place(task);
        let region = if from.starts_with("arn:") { place(from).1 } else { own };
        self.at((account, region), |region| resolve(region, from))
    }

    /// Puts an image in place whose configuration is all there is to it, besides one empty layer: for both platforms, under a
    /// tag. Answers its digest. Such an image stands in for one that can't be reached, such as `docker/library/python`.
    pub fn seed_image(
        &self,
        region: &str,
        repository: &str,
        tag: &str,
        (config, layer): (&Value, &[u8]),
    ) -> Option<String> {
        let now = self.now();
        ecr::put_content(self.world().home(now, region), repository, tag, (config, layer))
    }

    /// Puts an image in place that stands in for a base image which can't be reached: one that says which Python it brings, and
    /// brings none. Tasks that are processes run on this machine's.
    pub fn seed_python(&self, region: &str, repository: &str, tag: &str, version: &str) -> Option<String> {
        let (layer, diff_id) = ecr::empty_layer();
        let config = json!({
            "os": "linux",
            "config": {
                "Cmd": ["python3"],
                "Env": ["PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", format!("PYTHON_VERSION={version}")],
            },
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        });
        self.seed_image(region, repository, tag, (&config, &layer))
    }

    fn each_region<T>(&self, list: impl Fn(&Region) -> Vec<T>) -> Vec<T> {
        let now = self.now();
        let mut world = self.world();
        world.advance(now);
        world.regions().flat_map(list).collect()
    }

    /// Does something in the region of an ARN, up to date.
    fn in_region<T>(&self, arn: &str, work: impl FnOnce(&mut Region) -> T) -> T {
        self.at(place(arn), work)
    }

    fn at<T>(&self, (account, region): (&str, &str), work: impl FnOnce(&mut Region) -> T) -> T {
        let now = self.now();
        let mut world = self.world();
        let region = world.at(now, &(account.to_owned(), region.to_owned()));
        let done = work(region);
        eventbridge::observe(region);
        done
    }
}

fn balanced(region: &Region, arn: &str) -> Option<Balanced> {
    let group = region.elb.groups.get(arn)?;
    // The addresses of driven tasks, see `ecs::driven`.
    let own = group.targets.iter().filter(|((address, _), _)| address.starts_with("127."));
    let targets: Vec<Target> = own
        .map(|((address, port), target)| Target {
            address: address.clone(),
            port: *port,
            draining: target.draining.is_some(),
        })
        .collect();
    let body = &group.body;
    let count =
        |name: &str, default: u32| body.whole(name).and_then(|count| u32::try_from(count).ok()).unwrap_or(default);
    let seconds = |name: &str, default: u64| body.seconds(name).unwrap_or(Duration::from_secs(default));
    let matcher = body.member("Matcher").and_then(|matcher| matcher.text("HttpCode")).unwrap_or("200").to_owned();
    (!targets.is_empty()).then(|| Balanced {
        arn: arn.to_owned(),
        name: body.text("TargetGroupName").unwrap_or_default().to_owned(),
        path: body.text("HealthCheckPath").map(str::to_owned),
        matcher,
        port: body.text("HealthCheckPort").and_then(|port| port.parse().ok()),
        interval: seconds("HealthCheckIntervalSeconds", 30),
        timeout: seconds("HealthCheckTimeoutSeconds", 5),
        rise: count("HealthyThresholdCount", 5),
        fall: count("UnhealthyThresholdCount", 2),
        targets,
    })
}

/// The value that `valueFrom` names: `arn:aws:secretsmanager:R:A:secret:NAME[:KEY:STAGE:VERSION]`, a parameter's ARN, or a
/// parameter's name.
fn resolve(region: &mut Region, from: &str) -> Result<String, String> {
    let parts: Vec<&str> = from.split(':').collect();
    let part = |index: usize| parts.get(index).copied().filter(|part| !part.is_empty());
    if part(2) != Some("secretsmanager") {
        let name = from.split_once(":parameter/").map_or(from, |(_, name)| name);
        // The ARN of `/team/key` says `parameter/team/key`, that of `key` says `parameter/key`.
        let name = if name.contains('/') && !name.starts_with('/') { format!("/{name}") } else { name.to_owned() };
        let answer = parameter::handle(region, "GetParameter", &json!({"Name": name, "WithDecryption": true}));
        let answer = answer.map_err(|refusal| format!("parameter {name}: {}: {}", refusal.code, refusal.message))?;
        let value = answer.get("Parameter").and_then(|parameter| parameter.text("Value"));
        return Ok(value.unwrap_or_default().to_owned());
    }
    let id = parts.iter().take(7).copied().collect::<Vec<_>>().join(":");
    let input = json!({"SecretId": id, "VersionStage": part(8), "VersionId": part(9)});
    let answer = secret::handle(region, "GetSecretValue", &crate::input::without_nulls(input));
    let answer = answer.map_err(|refusal| format!("secret {id}: {}: {}", refusal.code, refusal.message))?;
    let text = answer.text("SecretString").ok_or_else(|| format!("secret {id} has no text"))?;
    let Some(key) = part(7) else { return Ok(text.to_owned()) };
    let members: Value = serde_json::from_str(text).map_err(|_| format!("secret {id} is not JSON"))?;
    match members.get(key) {
        Some(Value::String(value)) => Ok(value.clone()),
        Some(other) => Ok(other.to_string()),
        None => Err(format!("secret {id} has no key {key}")),
    }
}
