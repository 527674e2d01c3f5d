//! Live progress: a line an agent on a terminal, plain lines of what changed when piped, silence when data or JSON logs
//! are wanted.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use fargateer_api::status::{AgentDeploymentStatus, ConditionType, DriftStatus, Reason, Truth};
use fargateer_api::{Key, visible};
use fargateer_controller::Controller;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{output, telemetry};

/// Lines for so many agents; the rest is in the sum.
const LINES: usize = 30;
/// How often the terminal is drawn.
const FRAME: Duration = Duration::from_millis(200);

/// Shows progress until it is finished.
pub(crate) struct Progress(Option<JoinHandle<()>>);

impl Progress {
    /// Starts showing the agents of `controller` until `stop`; `silent` shows nothing.
    pub(crate) fn start(controller: Arc<Controller>, silent: bool, stop: CancellationToken) -> Self {
        if silent {
            return Self(None);
        }
        let view: Box<dyn View> =
            if std::io::stderr().is_terminal() { Box::new(Screen::default()) } else { Box::new(Lines::default()) };
        Self(Some(tokio::spawn(watch(controller, view, stop))))
    }

    /// Draws the last state.
    pub(crate) async fn finish(self) {
        if let Some(task) = self.0 {
            drop(task.await);
        }
    }
}

/// A way of showing.
trait View: Send {
    /// Shows the agents as they are.
    fn show(&mut self, agents: &BTreeMap<Key, Arc<AgentDeploymentStatus>>);

    /// Leaves what was shown last.
    fn finish(&mut self) {}
}

async fn watch(controller: Arc<Controller>, mut view: Box<dyn View>, stop: CancellationToken) {
    let mut changes = controller.reconciler.board.watch();
    loop {
        let keys = controller.reconciler.fleet.keys();
        let agents = keys.into_iter().map(|key| (key.clone(), controller.reconciler.board.status(&key))).collect();
        view.show(&agents);
        if stop.is_cancelled() {
            view.finish();
            return;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            _ = tokio::time::timeout(FRAME, changes.changed()) => {}
        }
    }
}

/// The drift last told of each agent.
#[derive(Default)]
struct Drifts(BTreeMap<Key, Option<DriftStatus>>);

impl Drifts {
    /// A line about a drift that was not told yet.
    fn news(&mut self, key: &Key, status: &AgentDeploymentStatus) -> Option<String> {
        let drift = status.last_drift.clone();
        let known = self.0.insert(key.clone(), drift.clone()) == Some(drift.clone());
        let drift = drift.filter(|_| !known)?;
        let verb = if drift.corrected { "put right" } else { "left alone" };
        Some(format!("{key}: changed by somebody else, {verb}: {}", drift.fields.join(", ")))
    }
}

/// Plain lines: what changed since the last look.
#[derive(Default)]
struct Lines {
    told: BTreeMap<Key, String>,
    drifts: Drifts,
    summary: String,
}

impl View for Lines {
    fn show(&mut self, agents: &BTreeMap<Key, Arc<AgentDeploymentStatus>>) {
        for (key, status) in agents {
            let ready = status.condition(ConditionType::Ready);
            let text = match ready {
                Some(ready) if ready.reason == Reason::InvalidSpec && telemetry::tells_faults() => ready.reason.name(),
                Some(_) | None => line(status),
            };
            if let Some(news) = self.drifts.news(key, status) {
                output::note(&news);
            }
            if self.told.get(key) != Some(&text) {
                output::note(&format!("{key}: {text}"));
                self.told.insert(key.clone(), text);
            }
        }
        let gone: Vec<Key> = self.told.keys().filter(|key| !agents.contains_key(*key)).cloned().collect();
        for key in gone {
            output::note(&format!("{key}: gone from this fleet"));
            self.told.remove(&key);
        }
        let summary = sum(agents);
        if self.summary != summary && !agents.is_empty() {
            output::note(&summary);
            self.summary = summary;
        }
    }
}

/// A terminal: lines that are drawn again and again.
struct Screen {
    terminal: MultiProgress,
    drifts: Drifts,
    lines: BTreeMap<Key, ProgressBar>,
    sum: ProgressBar,
}

impl Default for Screen {
    fn default() -> Self {
        let terminal = MultiProgress::new();
        let sum = terminal.add(ProgressBar::new_spinner());
        sum.enable_steady_tick(FRAME);
        Self { terminal, drifts: Drifts::default(), lines: BTreeMap::new(), sum }
    }
}

impl View for Screen {
    fn show(&mut self, agents: &BTreeMap<Key, Arc<AgentDeploymentStatus>>) {
        let gone: Vec<Key> = self.lines.keys().filter(|key| !agents.contains_key(*key)).cloned().collect();
        for key in gone {
            self.lines.remove(&key).iter().for_each(ProgressBar::finish_and_clear);
        }
        for (key, status) in agents {
            if let Some(news) = self.drifts.news(key, status) {
                // A terminal that cannot be written to shows nothing else either.
                drop(self.terminal.println(visible(&news)));
            }
            if !self.lines.contains_key(key) && self.lines.len() < LINES {
                let bar = self.terminal.insert_before(&self.sum, ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("{prefix:24!} {wide_msg}") {
                    bar.set_style(style);
                }
                bar.set_prefix(key.to_string());
                self.lines.insert(key.clone(), bar);
            }
            if let Some(bar) = self.lines.get(key) {
                let mark = if status.is(ConditionType::Ready) {
                    "✔"
                } else if status.is(ConditionType::Stalled) {
                    "✗"
                } else {
                    "◎"
                };
                bar.set_message(format!("{mark} {}", visible(&line(status))));
            }
        }
        self.sum.set_message(sum(agents));
    }

    fn finish(&mut self) {
        self.lines.values().for_each(ProgressBar::abandon);
        self.sum.abandon();
        // The last line was drawn without its end.
        output::note("");
    }
}

fn line(status: &AgentDeploymentStatus) -> String {
    let Some(ready) = status.condition(ConditionType::Ready) else { return "waits for its first pass".to_owned() };
    let tasks = format!("{}/{} tasks", status.running_count, status.desired_count);
    if let (true, Some(valid)) = (status.is(ConditionType::Ready), status.condition(ConditionType::SpecValid)) {
        let fault = if valid.status == Truth::False { format!("; {}", valid.message) } else { String::new() };
        return format!("Ready, {tasks}{fault}");
    }
    format!("{}: {}", ready.reason.name(), ready.message)
}

fn sum(agents: &BTreeMap<Key, Arc<AgentDeploymentStatus>>) -> String {
    let count = |kind| agents.values().filter(|status| status.is(kind)).count();
    let (ready, stalled) = (count(ConditionType::Ready), count(ConditionType::Stalled));
    let stalled = if stalled > 0 { format!(", {stalled} stalled") } else { String::new() };
    format!("{ready} of {} agents ready{stalled}", agents.len())
}
