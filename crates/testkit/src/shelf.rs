//! One source, as people see it: what stands in it, and what it shows of that to the processes that read it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fargateer_api::Key;
use fargateer_controller::port::{Document, Snapshot};
use fargateer_sim::Simulation;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::plan::{Outage, Plan};
use crate::rows::Rows;
use crate::source;

/// The source beside the first is read so rarely, and not because something changed: more rarely than the grace lasts after
/// which agents are deleted.
pub(crate) const POLL_BESIDE: Duration = Duration::from_secs(150);

/// What each process reads. Each has a channel of its own: several receivers of one are woken in any order.
pub(crate) type Feeds = Vec<watch::Sender<Option<Snapshot>>>;

/// One source.
pub(crate) struct Shelf {
    name: &'static str,
    feeds: Feeds,
    /// What stands in it, read once: it is shown every minute.
    specs: BTreeMap<Key, Vec<Document>>,
    /// The same as it was written; null where it can't be read.
    written: BTreeMap<String, Value>,
    outage: Option<Outage>,
    /// What commits have removed, where the source speaks by them.
    removed: Option<BTreeSet<Key>>,
    /// Where specs are rows of a table, the process reads it by itself.
    rows: Option<Rows>,
    /// When it is read next, if not at once.
    due: Option<Instant>,
    /// When it was read last.
    read: Option<Duration>,
    sim: Simulation,
}

impl Shelf {
    /// The source that is read every minute and whenever something changes; or by the process itself, with `rows` in it.
    pub(crate) fn first(sim: &Simulation, plan: &Plan, feeds: Feeds) -> Self {
        let rows = plan.rows.then(|| Rows::of(sim));
        Self { rows, ..Self::new(source::FIRST, sim, plan, feeds) }
    }

    /// The source beside it, which is read now and again.
    pub(crate) fn beside(sim: &Simulation, plan: &Plan, feeds: Feeds) -> Self {
        Self { due: Some(Instant::now()), ..Self::new(source::BESIDE, sim, plan, feeds) }
    }

    fn new(name: &'static str, sim: &Simulation, plan: &Plan, feeds: Feeds) -> Self {
        Self {
            name,
            feeds,
            specs: BTreeMap::new(),
            written: BTreeMap::new(),
            outage: None,
            removed: plan.commits.then(BTreeSet::new),
            rows: None,
            due: None,
            read: None,
            sim: sim.clone(),
        }
    }

    /// When it is read next, where nothing that changes in it makes that happen.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What stands in it about `name`; null where that can't be read.
    pub(crate) fn of(&self, name: &str) -> Option<&Value> {
        self.written.get(name)
    }

    /// The same, unless it shows nothing.
    pub(crate) fn says(&self, name: &str) -> Option<&Value> {
        self.of(name).filter(|_| self.outage != Some(Outage::Empty))
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The agents it says something of.
    pub(crate) fn names(&self) -> Vec<String> {
        self.written.keys().filter(|name| self.says(name).is_some()).cloned().collect()
    }

    /// Whether it shows what stands in it.
    pub(crate) fn is_shown(&self) -> bool {
        self.outage.is_none()
    }

    /// Whether nobody who reads it knows of what is written now, of an agent that `was_gone` when it was read last.
    pub(crate) fn hides(&self, was_gone: impl Fn(Duration) -> bool) -> bool {
        self.due.is_some() && self.read.is_some_and(was_gone)
    }

    /// It is read.
    pub(crate) fn read(&mut self) {
        if self.rows.is_some() {
            return;
        }
        let showing = |documents, whole| source::showing(self.name, documents, whole);
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
        self.due = self.due.map(|_| Instant::now() + POLL_BESIDE);
        self.read = Some(self.sim.now());
    }

    /// Somebody writes a spec.
    pub(crate) fn write(&mut self, name: &str, document: &Value) {
        self.rows.iter_mut().for_each(|rows| rows.write(name, &document["spec"].to_string()));
        self.removed.iter_mut().for_each(|removed| removed.retain(|key| key.as_str() != name));
        self.put(name, document.clone(), document);
    }

    /// Somebody breaks a spec.
    pub(crate) fn garble(&mut self, name: &str) {
        self.rows.iter_mut().for_each(|rows| rows.write(name, "not a spec"));
        self.put(name, Value::Null, &json!("not a spec"));
    }

    fn put(&mut self, name: &str, meant: Value, document: &Value) {
        self.written.insert(name.to_owned(), meant);
        self.specs.insert(Key::new(name), vec![source::document(self.name, name, document)]);
    }

    /// Somebody deletes a spec.
    pub(crate) fn delete(&mut self, name: &str) {
        self.rows.iter_mut().for_each(|rows| rows.delete(name));
        self.specs.remove(&Key::new(name));
        self.written.remove(name);
        self.removed.iter_mut().for_each(|removed| removed.extend([Key::new(name)]));
    }

    /// It fails.
    pub(crate) fn lose(&mut self, outage: Outage) {
        self.outage = Some(outage);
        self.rows.iter_mut().for_each(|rows| rows.lose(outage));
    }

    /// It is as it was.
    pub(crate) fn restore(&mut self) {
        self.outage = None;
        self.rows.iter_mut().for_each(Rows::restore);
    }
}
