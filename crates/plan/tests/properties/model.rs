//! A small AWS: one account, one region, in memory. It refuses what AWS refuses, by failing the test.

use std::collections::BTreeMap;

use fargateer_plan::action::Action;
use fargateer_plan::echo::Done;
use fargateer_plan::observed::{Finding, Look};
use fargateer_plan::seen::Seen;
use fargateer_plan::tags::{self, Tags};
use fargateer_plan::verify::Probe;
use fargateer_plan::{log_group, rollout, scaling, service, target_group, task_definition};
use serde_json::{Map, Value, json};

use crate::describe::{self, PLACE};

/// What UpdateService accepts beside identity.
const UPDATABLE: &[&str] = &[
    "taskDefinition",
    "desiredCount",
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "platformVersion",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "propagateTags",
    "availabilityZoneRebalancing",
    "forceNewDeployment",
    "monitoring",
];
/// Which of these start a deployment.
const DEPLOYS: &[&str] = &[
    "taskDefinition",
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "platformVersion",
    "forceNewDeployment",
];

/// The state of the account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Aws {
    pub(crate) service: Option<Map<String, Value>>,
    pub(crate) revisions: Vec<task_definition::Live>,
    pub(crate) log_groups: BTreeMap<String, log_group::Live>,
    pub(crate) scaling: Option<scaling::Live>,
    pub(crate) image: Option<String>,
    pub(crate) target_group: Option<target_group::Live>,
    pub(crate) verdicts: Vec<rollout::Verdict>,
    pub(crate) registered: usize,
}

impl Aws {
    /// Answers `look`.
    pub(crate) fn look(&self, look: &Look) -> Finding {
        match look {
            Look::Service { .. } => {
                let document = self.service.clone();
                Finding::Service(seen(document.map(|document| service::Live { document })))
            }
            Look::Gone { .. } => Finding::Gone(Seen::Absent),
            // Images are named here, not built.
            Look::Repository(_) => Finding::Repository(Seen::Absent),
            Look::Build(_) => Finding::Build(Seen::Absent),
            Look::Image(_) => Finding::Image(seen(self.image.clone())),
            Look::LogGroup(name) | Look::LogGroupNow(name) => {
                let group = self.log_groups.get(name).cloned();
                Finding::LogGroup(seen(group.map(|group| log_group::Live { tags: Seen::NotLooked, ..group })))
            }
            Look::LogGroupTags(arn) => {
                let group = self.log_groups.values().find(|group| group.arn == *arn);
                Finding::LogGroupTags(group.map_or(Seen::Absent, |group| group.tags.clone()))
            }
            Look::Scaling { resource, scheduled } => {
                assert!(resource.starts_with("service/agents/"), "{resource}");
                let live = self.scaling.clone();
                let asked =
                    |live: scaling::Live| if *scheduled { live } else { scaling::Live { scheduled: vec![], ..live } };
                Finding::Scaling(seen(live.map(asked)))
            }
            Look::Revision(arn) | Look::VouchedRevision { arn, .. } => {
                Finding::Revision(seen(self.revision(arn).cloned()))
            }
            Look::Revisions(family) => {
                let of =
                    |live: &&task_definition::Live| task_definition::family_of(&live.arn) == family && live.is_active();
                let mut newest: Vec<_> = self.revisions.iter().filter(of).cloned().collect();
                newest.reverse();
                newest.truncate(12);
                Finding::Revisions(Seen::Present(newest))
            }
            Look::Verdicts { .. } => Finding::Verdicts(Seen::Present(self.verdicts.clone())),
            Look::StoppedTasks { .. } => Finding::StoppedTasks(Seen::Present(Vec::new())),
            Look::Stopping { .. } => Finding::Stopping(Seen::Absent),
            Look::TargetGroup(_) => Finding::TargetGroup(seen(self.target_group.clone())),
            Look::Probe { .. } => Finding::Probe(Seen::Present(Probe { tried: 1, failures: Vec::new() })),
        }
    }

    /// Carries `action` out.
    pub(crate) fn act(&mut self, action: &Action) -> Done {
        match action {
            Action::Repository(_) | Action::Image(_) => {}
            Action::LogGroup(change) => self.log_group(change),
            Action::TaskDefinition(change) => return self.task_definition(change),
            Action::Service(change) => return self.change_service(change),
            Action::Scaling(change) => self.change_scaling(change),
        }
        Done::Nothing
    }

    /// Lets every rollout end well and everything that drains be gone.
    pub(crate) fn settle(&mut self) {
        let Some(service) = &mut self.service else { return };
        if service["status"] == "DRAINING" {
            service.insert("status".to_owned(), json!("INACTIVE"));
            self.scaling = None;
            return;
        }
        let count = service["desiredCount"].clone();
        service.insert("runningCount".to_owned(), count.clone());
        let mut primary = service["deployments"][0].clone();
        primary["rolloutState"] = json!("COMPLETED");
        primary["runningCount"] = count.clone();
        primary["desiredCount"] = count;
        service.insert("deployments".to_owned(), json!([primary]));
    }

    /// The tags of the service.
    pub(crate) fn service_tags(&self) -> Tags {
        tags::from_list(self.service.as_ref().and_then(|service| service.get("tags")))
    }

    fn revision(&self, arn: &str) -> Option<&task_definition::Live> {
        self.revisions.iter().find(|live| live.arn == *arn)
    }

    fn log_group(&mut self, change: &log_group::Change) {
        match change {
            log_group::Change::Create { name, tags } => {
                let arn = format!("arn:aws:logs:{PLACE}:log-group:{name}");
                let live = log_group::Live {
                    arn,
                    retention: None,
                    policy_retention: false,
                    believed: false,
                    tags: Seen::Present(tags.clone()),
                };
                assert!(self.log_groups.insert(name.clone(), live).is_none(), "{name} already exists");
            }
            log_group::Change::Retention { name, days } => {
                self.log_groups.get_mut(name).expect("a log group").retention = *days;
            }
            log_group::Change::Untag { name, keys, arn: _ } => {
                let live = self.log_groups.get_mut(name).expect("a log group");
                live.tags.present_mut().expect("its tags").retain(|key, _| !keys.contains(key));
            }
            log_group::Change::Delete { name } => assert!(self.log_groups.remove(name).is_some(), "no {name}"),
        }
    }

    fn task_definition(&mut self, change: &task_definition::Change) -> Done {
        match change {
            task_definition::Change::Register(request) => {
                self.registered += 1;
                let document = describe::task_definition(request, self.registered);
                let answer = json!({"taskDefinition": document, "tags": request["tags"]});
                let live = task_definition::Live::from_answer(&answer).unwrap();
                self.revisions.push(live.clone());
                Done::Revision(live)
            }
            task_definition::Change::Tag { arn, tags } => {
                let live = self.revisions.iter_mut().find(|live| live.arn == *arn).expect("a revision to tag");
                live.tags.extend(tags.clone());
                Done::Nothing
            }
            task_definition::Change::Untag { arn, keys } => {
                let live = self.revisions.iter_mut().find(|live| live.arn == *arn).expect("a revision to untag");
                live.tags.retain(|key, _| !keys.contains(key));
                Done::Nothing
            }
            task_definition::Change::Deregister(arn) => {
                let used = self
                    .service
                    .as_ref()
                    .is_some_and(|service| service["status"] == "ACTIVE" && service["taskDefinition"] == **arn);
                assert!(!used, "{arn} is in use");
                let live = self.revisions.iter_mut().find(|live| live.arn == *arn).expect("a revision");
                live.document["status"] = json!("INACTIVE");
                Done::Nothing
            }
        }
    }

    fn change_service(&mut self, change: &service::Change) -> Done {
        match change {
            service::Change::Create(request) => {
                let taken = self.service.as_ref().is_some_and(|service| service["status"] != "INACTIVE");
                assert!(!taken, "creation of service was not idempotent");
                self.scaling = None;
                self.service = Some(describe::service(request, "agents"));
                self.deploy();
            }
            service::Change::Update(request) => self.update(request),
            service::Change::Tag { tags, arn: _ } => {
                let mut have = self.service_tags();
                have.extend(tags.clone());
                self.retag(&have);
                return Done::Nothing;
            }
            service::Change::Untag { keys, arn: _ } => {
                let mut have = self.service_tags();
                have.retain(|key, _| !keys.contains(key));
                self.retag(&have);
                return Done::Nothing;
            }
            service::Change::Delete { service, .. } => {
                let live = self.service.as_mut().expect("a service to delete");
                assert_eq!(live["serviceName"], **service);
                live.insert("status".to_owned(), json!("DRAINING"));
                return Done::Nothing;
            }
        }
        let mut document = self.service.clone().unwrap();
        document.remove("tags");
        Done::Service(service::Live { document })
    }

    fn retag(&mut self, tags: &Tags) {
        assert!(tags.len() <= 50, "too many tags");
        assert!(tags.values().all(|value| value.chars().count() <= 256), "a tag value is too long");
        self.service.as_mut().expect("a service to tag").insert("tags".to_owned(), tags::to_list(tags));
    }

    fn update(&mut self, request: &Value) {
        let scaled = self.scaling.is_some();
        let service = self.service.as_mut().expect("a service to update");
        assert_eq!(service["status"], "ACTIVE", "service was not ACTIVE");
        let mut deploys = false;
        for (key, value) in request.as_object().unwrap() {
            if ["cluster", "service"].contains(&key.as_str()) {
                continue;
            }
            assert!(UPDATABLE.contains(&key.as_str()), "UpdateService has no {key}");
            assert!(!(scaled && key == "desiredCount"), "the count belongs to the autoscaler");
            let strategy = key == "capacityProviderStrategy";
            assert!(!strategy || request["forceNewDeployment"] == true, "you must force a new deployment");
            assert!(!strategy || value != &json!([]), "no launch type to fall back to");
            deploys |= DEPLOYS.contains(&key.as_str());
            match key.as_str() {
                // Not described.
                "forceNewDeployment" | "monitoring" => {}
                _ => drop(service.insert(key.clone(), value.clone())),
            }
        }
        if request.get("capacityProviderStrategy").is_some() {
            service.remove("launchType");
        }
        describe::fill(service);
        if deploys {
            self.deploy();
        }
    }

    /// Starts a deployment; what DescribeServices shows on deployments alone moves there.
    fn deploy(&mut self) {
        let service = self.service.as_mut().unwrap();
        let mut older = service.remove("deployments").and_then(|list| list.as_array().cloned()).unwrap_or_default();
        for deployment in &mut older {
            deployment["status"] = json!("ACTIVE");
        }
        let mut primary = json!({"id": format!("ecs-svc/{}", older.len()), "status": "PRIMARY",
            "taskDefinition": service["taskDefinition"], "desiredCount": service["desiredCount"], "runningCount": 0,
            "pendingCount": 1, "failedTasks": 0, "rolloutState": "IN_PROGRESS", "createdAt": 1_782_000_000.0});
        let connect = service.remove("serviceConnectConfiguration");
        let connect =
            connect.or_else(|| older.first().and_then(|older| older.get("serviceConnectConfiguration").cloned()));
        if let Some(connect) = connect.filter(|connect| connect["enabled"] == true) {
            primary["serviceConnectConfiguration"] = connect;
        }
        service.remove("monitoring");
        let deployments: Vec<Value> = std::iter::once(primary).chain(older).collect();
        service.insert("deployments".to_owned(), json!(deployments));
        service.entry("runningCount").or_insert(json!(0));
    }

    fn change_scaling(&mut self, change: &scaling::Change) {
        let named = |list: &mut Vec<Value>, request: &Value, key: &str| list.retain(|item| item[key] != request[key]);
        if let scaling::Change::Register(request) = change {
            assert!(
                self.service.as_ref().is_some_and(|service| service["status"] == "ACTIVE"),
                "ECS service doesn't exist"
            );
            let tagged = request.get("Tags").is_some();
            assert!(!(self.scaling.is_some() && tagged), "the target that you tried to tag already exists");
            let live = self.scaling.get_or_insert_default();
            live.min = u32::try_from(request["MinCapacity"].as_u64().unwrap()).unwrap();
            live.max = u32::try_from(request["MaxCapacity"].as_u64().unwrap()).unwrap();
            live.suspended &= request.get("SuspendedState").is_none();
            let (min, max) = (live.min, live.max);
            let service = self.service.as_mut().unwrap();
            let count = u32::try_from(service["desiredCount"].as_u64().unwrap()).unwrap();
            service.insert("desiredCount".to_owned(), json!(count.clamp(min, max)));
            return;
        }
        let live = self.scaling.as_mut().expect("no scalable target registered");
        match change {
            scaling::Change::PutPolicy(request) => {
                named(&mut live.policies, request, "PolicyName");
                let mut policy = request.clone();
                policy["PolicyARN"] = json!("arn:aws:autoscaling:x");
                policy["Alarms"] = json!([{"AlarmName": "TargetTracking"}]);
                policy["CreationTime"] = json!(1.5);
                live.policies.push(policy);
            }
            scaling::Change::DeletePolicy(request) => named(&mut live.policies, request, "PolicyName"),
            scaling::Change::PutScheduled(request) => {
                named(&mut live.scheduled, request, "ScheduledActionName");
                let mut action = request.clone();
                action["CreationTime"] = json!(1.5);
                live.scheduled.push(action);
            }
            scaling::Change::DeleteScheduled(request) => named(&mut live.scheduled, request, "ScheduledActionName"),
            scaling::Change::Deregister(_) | scaling::Change::Register(_) => self.scaling = None,
        }
    }
}

fn seen<T>(thing: Option<T>) -> Seen<T> {
    thing.map_or(Seen::Absent, Seen::Present)
}
