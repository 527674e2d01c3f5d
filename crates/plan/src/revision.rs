//! Which revision of the task definition the service should run: the running one, an older one that fits, or a new one.

use std::sync::Arc;

use fargateer_api::seeded::{Bug, has};
use serde_json::Value;

use crate::built;
use crate::desired::Wanted;
use crate::observed::Observed;
use crate::task_definition;

/// The revision to run.
#[derive(Debug, Clone, PartialEq)]
pub enum Revision {
    /// The service runs it already.
    Running(String),
    /// It exists: registered before, by an earlier spec or by a pass that did not end.
    Reuse(String),
    /// It must be registered: the RegisterTaskDefinition request.
    Register(Value),
}

impl Revision {
    /// What `wanted` asks for, given what is live.
    pub fn wanted(wanted: &Wanted, observed: &Observed) -> Arc<task_definition::Wanted> {
        let image = built::uri(wanted, observed);
        let live = observed.revision.present();
        let key = (image.clone(), live.map(|live| live.arn.clone()));
        wanted.agent.definition.get(key, || Arc::new(task_definition::from_spec(&wanted.agent, &image, live)))
    }

    /// The running revision, if it fits.
    pub fn running(wanted: &Wanted, observed: &Observed) -> Option<String> {
        observed.active_service()?;
        let live = observed.revision.present()?;
        let fits = observed.registered.as_ref() == Some(&live.arn) || live.matches(&Self::wanted(wanted, observed));
        (live.is_active() && fits).then(|| live.arn.clone())
    }

    /// An existing revision that fits, the newest first. Foreign ones fit as well: content decides.
    pub fn reusable(wanted: &Wanted, observed: &Observed) -> Option<String> {
        if let Some(arn) = &observed.registered {
            // Registered a moment ago from this very spec: that AWS described it otherwise must not make us do it again.
            return Some(arn.clone());
        }
        if has(Bug::RegisterWithoutFind) {
            return None;
        }
        let want = Self::wanted(wanted, observed);
        let revisions = observed.revisions.present()?;
        revisions.iter().find(|live| live.is_active() && live.matches(&want)).map(|live| live.arn.clone())
    }

    /// The revision to run.
    pub fn choose(wanted: &Wanted, observed: &Observed) -> Self {
        if let Some(arn) = Self::running(wanted, observed) {
            return Self::Running(arn);
        }
        if let Some(arn) = Self::reusable(wanted, observed) {
            return Self::Reuse(arn);
        }
        let mut tags = wanted.tags.clone();
        tags.insert(crate::tags::GENERATION.to_owned(), wanted.generation.to_string());
        Self::Register(task_definition::request(&Self::wanted(wanted, observed), &tags))
    }

    /// Its ARN, where it exists.
    pub fn arn(&self) -> Option<&str> {
        match self {
            Self::Running(arn) | Self::Reuse(arn) => Some(arn),
            Self::Register(_) => None,
        }
    }
}
