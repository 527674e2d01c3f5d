//! What people and the world do in a scenario, carried out: specs are edited, AWS is changed by hand, agents misbehave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

use fargateer_api::{Key, yaml};
use fargateer_controller::controller::{Force, Leave};
use fargateer_controller::port::{Document, Snapshot};
use fargateer_plan::normal::SERVER_OWNED;
use fargateer_plan::policy::Policy;
use fargateer_sim::Simulation;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::clock::pass;
use crate::invariants::OWNER;
use crate::operator::{Host, asking};
use crate::plan::{Act, Meddling, Outage};
use crate::rows::Rows;
use crate::source::{self, showing};
use crate::state::{self, Ask as _};
use crate::truth::Want;
use crate::wiring::REGION;

/// A person waits so long for an answer, and before they ask again.
const PATIENCE: Duration = Duration::from_secs(5);
/// So often.
const TRIES: u32 = 20;

/// What each process reads. Each has a channel of its own: several receivers of one are woken in any order.
pub(crate) type Feeds = Vec<watch::Sender<Option<Snapshot>>>;

/// The people of a scenario: what they wrote, and what the source shows of it.
pub(crate) struct People {
    hosts: Vec<Host>,
    host: Host,
    feeds: Feeds,
    /// What stands in the source, read once: it is shown every minute.
    specs: BTreeMap<Key, Vec<Document>>,
    outage: Option<Outage>,
    /// What commits have removed, where the source speaks by them.
    removed: Option<BTreeSet<Key>>,
    /// Where specs are rows of a table, the process reads it by itself.
    rows: Option<Rows>,
}

impl People {
    pub(crate) fn new(hosts: &[Host], feeds: Feeds) -> Option<Self> {
        let host = hosts.first()?.clone();
        let rows = host.rows.then(|| Rows::of(&host.sim));
        let removed = host.commits.then(BTreeSet::new);
        Some(Self { hosts: hosts.to_vec(), host, feeds, specs: BTreeMap::new(), outage: None, removed, rows })
    }

    /// The source is read again.
    pub(crate) fn read(&self) {
        if self.rows.is_some() {
            return;
        }
        let shown = match self.outage {
            None => Snapshot { removed: self.removed.clone().unwrap_or_default(), ..showing(self.specs.clone(), true) },
            Some(Outage::Unreadable) => showing(BTreeMap::new(), false),
            // A history that was rewritten: what it lacks was removed by no commit.
            Some(Outage::Empty) => showing(BTreeMap::new(), true),
        };
        // Nobody listens while no process runs; the next one reads the newest.
        for feed in &self.feeds {
            feed.send_replace(Some(shown.clone()));
        }
    }

    /// Does one thing.
    pub(crate) fn act(&mut self, act: &Act) {
        let now = self.host.sim.now();
        let mut record = self.host.records.lock();
        (record.disturbed, record.acted) = (now, now);
        drop(record);
        match act {
            Act::Write(_) | Act::Garble(_) | Act::Delete(_) | Act::HandBack(_) | Act::Lose(_) | Act::Restore => {
                self.edit(act);
            }
            Act::Govern(rules) => self.govern(rules.as_ref(), now),
            Act::Meddle(name, meddling) => self.meddle(name, *meddling),
            Act::Behave(pattern, behaviour) => self.host.sim.behave(pattern, behaviour.clone()),
            Act::Load(name, percent) => {
                let cluster = self.home(name).0;
                self.host.sim.metric(REGION, &cluster, name, f64::from(*percent));
            }
            Act::Interrupt(name) => self.host.sim.interrupt(REGION, &self.home(name).0, name),
            Act::Stop | Act::Kill | Act::KillAndForget | Act::Freeze(_) | Act::CutOff(_) | Act::Skew(_) => {
                befall(&self.host, act);
            }
            Act::Replica(number, act) => {
                if let Some(host) = self.hosts.get(*number) {
                    befall(host, act);
                }
            }
            Act::Poison(name) => self.host.records.lock().truth.poisoned.push(name.clone()),
            Act::Retry(name) => {
                for running in self.hosts.iter().filter_map(Host::running) {
                    running.controller.request(&Key::new(name), Some(Force));
                }
            }
        }
    }

    /// Somebody who deleted a spec wants its agent handed back, and asks until a process says yes or that it is too late.
    pub(crate) async fn hand_back(&self, name: &str) {
        let key = Key::new(name);
        let is_done = || {
            let truth = self.host.records.lock().truth.clone();
            let Some(Want::Absent(agent)) = truth.of(name) else { return false };
            state::not_handed_back(&mut asking(&self.host.sim), agent).is_none()
        };
        let mut unanswered = false;
        for _ in 0..TRIES {
            for running in self.hosts.iter().filter_map(Host::running) {
                let asked = timeout(PATIENCE, running.controller.leave(&key, Leave::Retain)).await;
                // A process that died before it answered may have kept the wish, and the next one carries it out.
                unanswered |= asked.is_err();
                if matches!(asked, Ok(Ok(()))) || (unanswered && is_done()) {
                    let now = self.host.sim.now();
                    self.host.records.lock().truth.hand_back(name, now);
                    return;
                }
            }
            pass(PATIENCE).await;
        }
    }

    /// From now on these are the rules of the default project.
    fn govern(&self, rules: Option<&Value>, now: Duration) {
        let spec = rules.cloned().unwrap_or_else(|| json!({}));
        let text =
            json!({"apiVersion": "fargateer/v1", "kind": "Project", "metadata": {"name": "default"}, "spec": spec});
        let text = text.to_string();
        let policy = Policy::of(yaml::parse_projects("policy.yaml", &text).projects);
        self.host.records.lock().frozen = rules.filter(|rules| !rules["freezes"].is_null()).map(|_| now);
        for host in &self.hosts {
            *host.policy.lock().unwrap_or_else(PoisonError::into_inner) = Some(policy.clone());
            if let Some(running) = host.running() {
                running.controller.govern(policy.clone());
            }
        }
    }

    fn edit(&mut self, act: &Act) {
        match act {
            Act::Write(document) => {
                let name = document["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let now = self.host.sim.now();
                self.host.records.lock().truth.write(&name, document, now);
                self.rows.iter_mut().for_each(|rows| rows.write(&name, &document["spec"].to_string()));
                self.removed.iter_mut().for_each(|removed| removed.retain(|key| key.as_str() != name));
                self.specs.insert(Key::new(&name), vec![source::document(&name, document)]);
            }
            Act::Garble(name) => {
                self.rows.iter_mut().for_each(|rows| rows.write(name, "not a spec"));
                self.specs.insert(Key::new(name), vec![source::document(name, &json!("not a spec"))]);
            }
            Act::Delete(name) | Act::HandBack(name) => {
                self.rows.iter_mut().for_each(|rows| rows.delete(name));
                self.specs.remove(&Key::new(name));
                self.removed.iter_mut().for_each(|removed| removed.extend([Key::new(name)]));
                self.host.records.lock().truth.delete(name);
            }
            Act::Lose(outage) => {
                self.outage = Some(*outage);
                self.host.records.lock().unreadable = *outage == Outage::Unreadable;
                self.rows.iter_mut().for_each(|rows| rows.lose(*outage));
            }
            Act::Restore => {
                self.outage = None;
                self.host.records.lock().unreadable = false;
                self.rows.iter_mut().for_each(Rows::restore);
            }
            _ => {}
        }
        self.read();
    }

    /// Cluster and service of an agent.
    fn home(&self, name: &str) -> (String, String) {
        let record = self.host.records.lock();
        let agent = record.truth.present(name);
        agent.map_or_else(
            || ("agents".to_owned(), name.to_owned()),
            |agent| (agent.cluster_name().to_owned(), agent.service_name().to_owned()),
        )
    }

    fn meddle(&self, name: &str, meddling: Meddling) {
        let (cluster, service) = self.home(name);
        let mut aws = asking(&self.host.sim);
        let live = state::service(&mut aws, &cluster, &service);
        let takes = matches!(meddling, Meddling::Disown | Meddling::TakeOver | Meddling::Strip);
        if meddling == Meddling::Adopt {
            self.host.records.lock().truth.adopt(name);
        }
        if takes && live["status"] == "ACTIVE" {
            let now = self.host.sim.now();
            self.host.records.lock().truth.disown(name, now);
        }
        let scaling = matches!(meddling, Meddling::Deregister | Meddling::Range(..) | Meddling::Policy);
        let call = if scaling {
            self.scaling_call(meddling, &cluster, &service)
        } else {
            self.other_call(meddling, (&cluster, &service, name), &live)
        };
        if let Some((operator, operation, request)) = call {
            aws.ask(operator, operation, &request);
        }
        if meddling == Meddling::Deregistered {
            // A revision's status is believed for a day; a new process sees it at once.
            self.host.signals.kill.notify_one();
        }
    }

    fn scaling_call(&self, meddling: Meddling, cluster: &str, service: &str) -> Option<Call> {
        let mut aws = asking(&self.host.sim);
        let mut request = json!({"ServiceNamespace": "ecs", "ResourceId": format!("service/{cluster}/{service}"),
            "ScalableDimension": "ecs:service:DesiredCount"});
        let operation = match meddling {
            Meddling::Range(min, max) if !state::target(&mut aws, cluster, service).is_null() => {
                merge(&mut request, json!({"MinCapacity": min, "MaxCapacity": max}));
                "RegisterScalableTarget"
            }
            Meddling::Policy => {
                let policy = state::policies(&mut aws, cluster, service).first()?.clone();
                let mut configuration = policy["TargetTrackingScalingPolicyConfiguration"].clone();
                configuration["TargetValue"] = json!(33.0);
                let more = json!({"PolicyName": policy["PolicyName"], "PolicyType": "TargetTrackingScaling",
                    "TargetTrackingScalingPolicyConfiguration": configuration});
                merge(&mut request, more);
                "PutScalingPolicy"
            }
            Meddling::Deregister => "DeregisterScalableTarget",
            _ => return None,
        };
        Some(("application-autoscaling", operation, request))
    }

    fn other_call(&self, meddling: Meddling, home: (&str, &str, &str), live: &Value) -> Option<Call> {
        let (cluster, service, name) = home;
        let update = |more: Value| {
            let mut request = json!({"cluster": cluster, "service": service});
            merge(&mut request, more);
            ("ecs", "UpdateService", request)
        };
        let untag = |key: &str| ("ecs", "UntagResource", json!({"resourceArn": live["serviceArn"], "tagKeys": [key]}));
        let group = format!("/ecs/{name}");
        Some(match meddling {
            Meddling::Count(count) => update(json!({"desiredCount": count})),
            Meddling::Revision => update(json!({"taskDefinition": foreign_revision(&self.host.sim, live)?})),
            Meddling::Exec => update(json!({"enableExecuteCommand": true})),
            Meddling::Detach => update(json!({"loadBalancers": []})),
            Meddling::DeleteService => {
                ("ecs", "DeleteService", json!({"cluster": cluster, "service": service, "force": true}))
            }
            Meddling::Untag => untag("team"),
            Meddling::Disown => untag("fargateer:owner"),
            Meddling::Strip => {
                let keys = state::tags(&live["tags"]).into_keys().filter(|key| key.starts_with("fargateer:"));
                let request = json!({"resourceArn": live["serviceArn"], "tagKeys": keys.collect::<Vec<_>>()});
                ("ecs", "UntagResource", request)
            }
            Meddling::Adopt => {
                let tags =
                    json!([{"key": "fargateer:owner", "value": OWNER}, {"key": "fargateer:agent", "value": name}]);
                ("ecs", "TagResource", json!({"resourceArn": live["serviceArn"], "tags": tags}))
            }
            Meddling::TakeOver => {
                let tags = json!([{"key": "fargateer:owner", "value": "another"}]);
                ("ecs", "TagResource", json!({"resourceArn": live["serviceArn"], "tags": tags}))
            }
            Meddling::Retention(days) => {
                ("logs", "PutRetentionPolicy", json!({"logGroupName": group, "retentionInDays": days}))
            }
            Meddling::DeleteLogs => ("logs", "DeleteLogGroup", json!({"logGroupName": group})),
            Meddling::Deregistered => {
                ("ecs", "DeregisterTaskDefinition", json!({"taskDefinition": live["taskDefinition"]}))
            }
            Meddling::Deregister | Meddling::Range(..) | Meddling::Policy => return None,
        })
    }
}

/// What befalls a process.
fn befall(host: &Host, act: &Act) {
    match act {
        Act::Stop => host.signals.stop.notify_one(),
        Act::Kill => host.signals.kill.notify_one(),
        Act::KillAndForget => {
            host.lose_folder();
            host.signals.kill.notify_one();
        }
        Act::Freeze(seconds) => host.gate.close_for(*seconds),
        Act::CutOff(seconds) => host.table_gate.close_for(*seconds),
        Act::Skew(seconds) => host.clock.set_skew(*seconds),
        _ => {}
    }
}

/// Service, operation, request.
type Call = (&'static str, &'static str, Value);

/// A revision somebody registered by hand: like the one that runs, with a variable more, and no tags.
fn foreign_revision(sim: &Simulation, live: &Value) -> Option<Value> {
    let mut aws = asking(sim);
    let answer = aws.ask("ecs", "DescribeTaskDefinition", &json!({"taskDefinition": live["taskDefinition"]}));
    let mut definition = answer["taskDefinition"].clone();
    let fields = definition.as_object_mut()?;
    fields.retain(|key, _| !SERVER_OWNED.contains(&key.as_str()));
    let environment = definition["containerDefinitions"][0]["environment"].as_array_mut()?;
    environment.push(json!({"name": "BY_HAND", "value": "1"}));
    let registered = aws.ask("ecs", "RegisterTaskDefinition", &definition);
    let arn = registered["taskDefinition"]["taskDefinitionArn"].clone();
    (!arn.is_null()).then_some(arn)
}

fn merge(request: &mut Value, more: Value) {
    let Value::Object(more) = more else { return };
    for (key, value) in more {
        request[key] = value;
    }
}
