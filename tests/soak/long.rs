//! A quarter of a year (L-8): people edit, others meddle, AWS has bad hours, agents come and go. Nothing may grow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fargateer_api::Key;
use fargateer_controller::port::Statuses;
use fargateer_sim::{Behaviour, FaultKind};
use fargateer_store::status::memory::MemoryStatuses;
use fargateer_testkit::figures::{Figure, Test};
use serde_json::json;

use crate::meter::{Storm, cpu_seconds, heap};
use crate::stage::{Operator, Stage, agent, cluster, document, name};
use crate::steady::{count, float, seconds};

/// Something may happen so often.
const STEP: Duration = Duration::from_mins(10);
/// Steps in a day.
const DAY: u64 = 144;
/// After so many days everything that fills up has filled up.
const SETTLED: u64 = 2;

/// What a process looks like after a calm hour.
struct Size {
    heap: f64,
    tasks: usize,
    queued: usize,
    board: usize,
    series: usize,
}

/// L-8: `agents` agents over so many virtual days.
pub async fn soak(agents: usize, days: u64) -> Test {
    let mut life = Life::new(agents).await;
    let cpu = cpu_seconds();
    let statuses: Arc<dyn Statuses> = Arc::new(MemoryStatuses::default());
    let operator = Operator::with(&life.stage, Arc::clone(&statuses), BTreeSet::new()).await;
    life.days(&operator, SETTLED).await;
    let early = life.measured(operator).await;
    let operator = Operator::with(&life.stage, statuses, BTreeSet::new()).await;
    life.days(&operator, days - SETTLED).await;
    let late = life.measured(operator).await;
    let cpu = cpu_seconds() - cpu;
    let tens = float(days - SETTLED) / 10.0;
    let seen = life.stage.ledger.lock();
    let figures = vec![
        Figure::of("heap of a process after two days", early.heap, "MB"),
        Figure::of("heap of one that ran all the other days", late.heap, "MB"),
        Figure::at_most("growth in ten days", ((late.heap - early.heap) / tens, 1.05), "MB"),
        Figure::at_most("tasks of the runtime, more than after two days", (more(late.tasks, early.tasks), 0.0), ""),
        Figure::at_most("keys in the queue after a calm hour", (count(late.queued), 0.0), ""),
        Figure::at_most("agents on the board", (count(late.board), count(agents)), ""),
        Figure::at_most("metric series, more than after two days", (more(late.series, early.series), 0.0), ""),
        Figure::at_most("agents that are not as they should be in the end", (count(life.wrong), 0.0), ""),
        Figure::at_most("processor time a virtual day: 90 in 15 minutes", (cpu / float(days), 10.0), "s"),
        Figure::of("edits", count(life.edits), ""),
        Figure::of("changes by others", count(life.drifts), ""),
        Figure::of("bad ten minutes of AWS", count(life.storms), ""),
        Figure::of("agents replaced", count(life.replaced), ""),
        Figure::of("calls", float(seen.sum(|_, _| true).asked), ""),
    ];
    let setup = format!("{agents} agents for {days} virtual days; a new process after two");
    Test { setup, figures, ..Test::default() }
}

fn more(late: usize, early: usize) -> f64 {
    count(late.saturating_sub(early))
}

/// What people and others do.
struct Life {
    stage: Stage,
    /// The agents there are, by number, with how often each was edited.
    alive: BTreeMap<usize, u32>,
    next: usize,
    /// Whose image is bad at the moment.
    ill: Option<usize>,
    edits: usize,
    drifts: usize,
    storms: usize,
    replaced: usize,
    wrong: usize,
}

impl Life {
    async fn new(agents: usize) -> Self {
        let stage = Stage::with(agents, 1).await;
        let alive = (0..agents).map(|number| (number, 0)).collect();
        Self { stage, alive, next: agents, ill: None, edits: 0, drifts: 0, storms: 0, replaced: 0, wrong: 0 }
    }

    async fn days(&mut self, operator: &Operator, days: u64) {
        for _ in 0..days * DAY {
            self.happen();
            operator.read(&self.stage);
            self.stage.pass(STEP).await;
            self.stage.ledger.lock().storm = None;
        }
    }

    /// What happens in ten minutes.
    fn happen(&mut self) {
        if let Some(number) = self.ill.take() {
            self.stage.sim.behave(&format!("{}:", name(number)), Behaviour::Healthy);
        }
        if chance(0.35) {
            self.edit();
        }
        if chance(0.35) {
            self.meddle();
        }
        if chance(0.1) {
            let kinds = vec![
                FaultKind::Throttle,
                FaultKind::ServerError,
                FaultKind::ResetBefore,
                FaultKind::ResetAfter,
                FaultKind::HangBefore,
            ];
            self.stage.ledger.lock().storm = Some(Storm { share: fastrand::f64() * 0.4, kinds });
            self.storms += 1;
        }
        if chance(0.03) {
            self.replace();
        }
        if chance(0.02) {
            let number = self.anybody();
            self.stage.sim.behave(&format!("{}:", name(number)), Behaviour::CrashLoop { exit_code: 1 });
            self.ill = Some(number);
        }
    }

    fn anybody(&self) -> usize {
        let lot = fastrand::usize(..self.alive.len());
        self.alive.keys().nth(lot).copied().unwrap_or_default()
    }

    fn edit(&mut self) {
        let number = self.anybody();
        let edited = self.alive.entry(number).or_default();
        *edited += 1;
        let spec = agent(number).with_env("EDITED", &edited.to_string());
        self.stage.documents.insert(Key::new(name(number)), vec![document(spec)]);
        self.edits += 1;
    }

    fn meddle(&mut self) {
        let number = self.anybody();
        let changes = [
            json!({"enableExecuteCommand": true}),
            json!({"desiredCount": 3}),
            json!({"healthCheckGracePeriodSeconds": 7}),
        ];
        let change = fastrand::choice(&changes).cloned().unwrap_or_default();
        let mut request = json!({"cluster": cluster(number), "service": name(number)});
        request.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        // A service that was just made or is being deleted cannot be meddled with.
        let done = self.stage.sim.call(fargateer_testkit::wiring::REGION, "ecs", "UpdateService", request);
        self.drifts += usize::from(done.is_ok());
    }

    /// One agent goes, another comes.
    fn replace(&mut self) {
        let number = self.anybody();
        self.alive.remove(&number);
        self.stage.documents.remove(&Key::new(name(number)));
        let fresh = self.next;
        self.next += 1;
        self.alive.insert(fresh, 0);
        self.stage.documents.insert(Key::new(name(fresh)), vec![document(agent(fresh))]);
        self.replaced += 1;
    }

    /// A calm while, so that all settles; then what there is, and what is freed when the process ends.
    async fn measured(&mut self, operator: Operator) -> Size {
        if let Some(number) = self.ill.take() {
            self.stage.sim.behave(&format!("{}:", name(number)), Behaviour::Healthy);
        }
        for _ in 0..4 * 6 {
            operator.read(&self.stage);
            self.stage.pass(STEP).await;
        }
        let wait = self.stage.sim.now();
        while operator.controller.queue.depth().running > 0 && self.stage.sim.now().saturating_sub(wait) < STEP {
            self.stage.pass(Duration::from_millis(700)).await;
        }
        let reconciler = &operator.controller.reconciler;
        let ready = |number: &usize| reconciler.board.is_ready(&Key::new(name(*number)));
        let unready: Vec<usize> = self.alive.keys().copied().filter(|number| !ready(number)).collect();
        for number in &unready {
            let status = reconciler.board.status(&Key::new(name(*number)));
            let ready = status.condition(fargateer_api::status::ConditionType::Ready).cloned();
            eprintln!("{} at {:.0} s: {ready:?}", name(*number), seconds(self.stage.sim.now()));
        }
        self.wrong = unready.len();
        let depth = operator.controller.queue.depth();
        let (queued, board) = (depth.ready + depth.delayed + depth.running, reconciler.board.all().len());
        let series = operator.series();
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let with = heap();
        operator.end().await;
        Size { heap: with - heap(), tasks, queued, board, series }
    }
}

fn chance(share: f64) -> bool {
    fastrand::f64() < share
}
