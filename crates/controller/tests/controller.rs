//! The controller around a cloud of straw: panics stay with their agent, the end is graceful, nothing waits for AWS.

#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fargateer_api::status::{AgentDeploymentStatus, ConditionType, Reason, SourceStatus};
use fargateer_api::{AgentDeployment, Key};
use fargateer_controller::board::Board;
use fargateer_controller::fleet::Fleet;
use fargateer_controller::metrics::Metrics;
use fargateer_controller::port::{Clock, Cloud, Document, LocalLease, Snapshot, Source, Statuses};
use fargateer_controller::{Controller, Reconciler, Settings};
use fargateer_plan::action::Action;
use fargateer_plan::desired::Place;
use fargateer_plan::echo::Done;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::observed::{Finding, Look};
use fargateer_plan::prune::Policy;
use fargateer_plan::seen::Seen;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A cloud that does to a service what its name says.
struct Straw;

fn unreachable() -> Failure {
    let (operation, code) = ("ecs.DescribeServices".to_owned(), "Unreachable".to_owned());
    Failure { class: Class::Transient, reason: Reason::Unavailable, operation, code, message: "no answer".to_owned() }
}

#[async_trait]
impl Cloud for Straw {
    async fn look(&self, _place: &Place, looks: &[Look]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for look in looks {
            let Look::Service { service, .. } = look else { continue };
            match service.as_str() {
                "poison" => panic!("a poisonous answer"),
                "slow" => drop(tokio::time::timeout(Duration::from_secs(4), std::future::pending::<()>()).await),
                "stuck" => std::future::pending().await,
                _ => {}
            }
            findings.push(Finding::Service(Seen::Unknown(unreachable())));
        }
        findings
    }

    async fn act(&self, _place: &Place, _action: &Action) -> Result<Done, Failure> {
        panic!("nothing may be written on an unknown observation")
    }
}

#[derive(Default)]
struct Kept(Mutex<BTreeMap<Key, AgentDeploymentStatus>>);

#[async_trait]
impl Statuses for Kept {
    async fn load(&self) -> Result<BTreeMap<Key, AgentDeploymentStatus>, String> {
        Ok(BTreeMap::new())
    }

    async fn save(&self, key: &Key, status: &AgentDeploymentStatus) -> Result<(), String> {
        self.0.lock().unwrap().insert(key.clone(), status.clone());
        Ok(())
    }

    async fn remove(&self, _key: &Key) -> Result<(), String> {
        Ok(())
    }
}

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// Says its specs once.
struct Once(Option<Snapshot>);

#[async_trait]
impl Source for Once {
    async fn next(&mut self) -> Snapshot {
        match self.0.take() {
            Some(snapshot) => snapshot,
            None => std::future::pending().await,
        }
    }
}

fn snapshot(names: &[&str]) -> Snapshot {
    let documents = names.iter().map(|name| {
        let agent: AgentDeployment = serde_json::from_value(json!({
            "apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": name},
            "spec": {"cluster": "c", "image": {"uri": "x:1"}, "network": {"subnets": ["subnet-1"]}, "logging": {"enabled": false}},
        }))
        .unwrap();
        let document = Document { agent: Some(std::sync::Arc::new(agent)), faults: Vec::new(), source: SourceStatus::default() };
        (Key::new(*name), vec![document])
    });
    Snapshot { source: "test".to_owned(), whole: true, documents: documents.collect(), ..Snapshot::default() }
}

struct Running {
    controller: Arc<Controller>,
    kept: Arc<Kept>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

async fn start(names: &[&str], workers: usize) -> Running {
    let kept = Arc::new(Kept::default());
    let board = Arc::new(Board::load(kept.clone(), Arc::new(Epoch)).await.unwrap());
    let fleet = Arc::new(Fleet::new(Arc::clone(&board), "test", Policy::default(), 1));
    let reconciler =
        Reconciler { fleet, cloud: Arc::new(Straw), board, lease: Arc::new(LocalLease), clock: Arc::new(Epoch) };
    let settings = Settings { workers, drain: Duration::from_secs(10), ..Settings::default() };
    let controller = Arc::new(Controller::new(reconciler, settings, Metrics::register(&mut Registry::default())));
    let stop = CancellationToken::new();
    let source: Box<dyn Source> = Box::new(Once(Some(snapshot(names))));
    let task = tokio::spawn(Arc::clone(&controller).run(vec![source], stop.clone()));
    Running { controller, kept, stop, task }
}

async fn wait(seconds: u64) {
    drop(tokio::time::timeout(Duration::from_secs(seconds), std::future::pending::<()>()).await);
}

fn reason(running: &Running, name: &str) -> Option<Reason> {
    let status = running.controller.reconciler.board.status(&Key::new(name));
    status.condition(ConditionType::Ready).map(|ready| ready.reason)
}

#[tokio::test(start_paused = true)]
async fn a_panic_stays_with_its_agent_and_is_tried_again() {
    let running = start(&["healthy", "poison"], 1).await;
    wait(1).await;
    assert_eq!(reason(&running, "poison"), Some(Reason::InternalError));
    assert_eq!(reason(&running, "healthy"), Some(Reason::Unavailable));
    let due = running.controller.queue.due(&Key::new("poison"));
    assert!(due.is_some_and(|due| due <= Duration::from_mins(5)), "{due:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pass_under_way_ends_before_the_controller_does() {
    let running = start(&["slow"], 4).await;
    wait(1).await;
    let begun = Instant::now();
    running.stop.cancel();
    running.task.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 3, "the pass took four seconds, one of them before the end");
    assert!(running.kept.0.lock().unwrap().contains_key(&Key::new("slow")), "its status was saved");
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_hangs_is_cut_short_at_the_end_of_the_drain_time() {
    let running = start(&["stuck", "healthy"], 4).await;
    wait(1).await;
    let begun = Instant::now();
    running.stop.cancel();
    running.task.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_agent_keeps_one_worker_and_no_other_agent() {
    let running = start(&["stuck", "healthy", "slow"], 2).await;
    wait(10).await;
    assert_eq!(reason(&running, "stuck"), None);
    assert_eq!(reason(&running, "healthy"), Some(Reason::Unavailable));
    assert_eq!(reason(&running, "slow"), Some(Reason::Unavailable));
}
