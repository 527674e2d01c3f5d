//! What people and the world do in a scenario, carried out: specs are edited, AWS is changed by hand, agents misbehave.

use std::sync::PoisonError;
use std::time::Duration;

use fargateer_api::{Key, yaml};
use fargateer_controller::controller::{Force, Leave};
use fargateer_plan::normal::SERVER_OWNED;
use fargateer_plan::policy::Policy;
use fargateer_sim::Simulation;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::clock::pass;
use crate::effects::count;
use crate::invariants::OWNER;
use crate::operator::{Host, asking};
use crate::plan::{Act, Meddling, Outage};
use crate::record::Record;
use crate::shelf::Shelf;
use crate::state::{self, Ask as _};
use crate::truth::Want;
use crate::wiring::REGION;

/// A person waits so long for an answer, and before they ask again.
const PATIENCE: Duration = Duration::from_secs(5);
/// So often.
const TRIES: u32 = 20;

/// The people of a scenario: what they wrote, and what the source shows of it.
pub(crate) struct People {
    hosts: Vec<Host>,
    host: Host,
    shelves: Vec<Shelf>,
}

impl People {
    pub(crate) fn new(hosts: &[Host], shelves: Vec<Shelf>) -> Option<Self> {
        let host = hosts.first()?.clone();
        Some(Self { hosts: hosts.to_vec(), host, shelves })
    }

    /// The first source is read again.
    pub(crate) fn read(&mut self) {
        self.shelves.iter_mut().take(1).for_each(Shelf::read);
    }

    /// When a source is read next that is read now and again.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.shelves.iter().filter_map(Shelf::due).min()
    }

    /// The agents whose specs stand in another source than the first.
    pub(crate) fn names_beside(&self) -> Vec<String> {
        self.shelves.iter().skip(1).flat_map(Shelf::names).collect()
    }

    /// Sources are read that are due.
    pub(crate) fn read_due(&mut self) {
        let is_due = |shelf: &&mut Shelf| shelf.due().is_some_and(|due| due <= Instant::now());
        for shelf in self.shelves.iter_mut().filter(is_due) {
            shelf.read();
            if shelf.is_shown() {
                self.host.records.lock().truth.see(self.host.sim.now());
            }
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
                self.edit(0, act);
            }
            Act::Beside(act) => self.edit(1, act),
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

    /// Something changes in the source of this number.
    fn edit(&mut self, number: usize, act: &Act) {
        let now = self.host.sim.now();
        let Some(source) = self.shelves.get_mut(number) else { return };
        match act {
            Act::Write(document) => {
                let name = document["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                source.write(&name, document);
                self.note(&name, Some(number));
            }
            Act::Garble(name) => source.garble(name),
            Act::Delete(name) | Act::HandBack(name) => {
                source.delete(name);
                self.note(name, None);
            }
            Act::Lose(outage) => {
                source.lose(*outage);
                let mut record = self.host.records.lock();
                let one_of_two = if *outage == Outage::Empty { "one-of-two-empty" } else { "one-of-two-unreadable" };
                if number > 0 {
                    count(&mut record.faults, one_of_two);
                }
                record.unreadable |= number == 0 && *outage == Outage::Unreadable;
                record.truth.veil(now);
                drop(record);
                self.note_all(number);
            }
            Act::Restore => {
                source.restore();
                let mut record = self.host.records.lock();
                record.unreadable &= number != 0;
                if self.shelves.iter().all(Shelf::is_shown) {
                    record.truth.unveil(now);
                }
                drop(record);
                self.note_all(number);
            }
            _ => {}
        }
        // Nothing that changes in the others makes anybody read them.
        if number == 0 {
            self.read();
        }
    }

    /// A source shows nothing, or all of it again: whose spec stands in the other one, too, is spoken of there alone, or here again.
    fn note_all(&mut self, number: usize) {
        let others = self.shelves.iter().enumerate().filter(|(other, _)| *other != number);
        let others: Vec<String> = others.flat_map(|(_, shelf)| shelf.names()).collect();
        let Some(source) = self.shelves.get(number) else { return };
        let twice: Vec<String> = others.into_iter().filter(|name| source.of(name).is_some()).collect();
        for name in twice {
            self.note(&name, Some(number));
        }
    }

    /// What people mean with all that stands about `name` now, of which something in the source of number `written` is new.
    fn note(&mut self, name: &str, written: Option<usize>) {
        let now = self.host.sim.now();
        let mut guard = self.host.records.lock();
        let Record { truth, faults, .. } = &mut *guard;
        let which = |says: fn(&Shelf, &str) -> bool| -> Vec<&Shelf> {
            self.shelves.iter().filter(|shelf| says(shelf, name)).collect()
        };
        // What is written while nothing is shown is meant all the same.
        let shown = which(|shelf, name| shelf.says(name).is_some());
        let speaking = if shown.is_empty() { which(|shelf, name| shelf.of(name).is_some()) } else { shown };
        let newest = written.and_then(|number| self.shelves.get(number)?.of(name));
        match speaking.as_slice() {
            [] => truth.delete(name, now),
            [only] => {
                let Some(document) = only.of(name) else { return };
                if only.hides(|read| truth.was_gone(name, read)) {
                    truth.hide(name);
                }
                if truth.is_disputed(name) {
                    count(faults, "dispute-over");
                }
                if truth.moves(name, only.name()) {
                    count(faults, "move");
                }
                truth.write(name, document, now);
            }
            _ => {
                if !truth.is_disputed(name) {
                    count(faults, "dispute");
                }
                let readable = self.shelves.iter().all(Shelf::is_shown);
                truth.dispute(name, newest.unwrap_or(&Value::Null), (now, readable));
            }
        }
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
