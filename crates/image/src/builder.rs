//! The builder: what it is given once, and what all it does has in common.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::{self, Base};
use crate::cache::Cache;
use crate::context::Limits;
use crate::error::{Cause, Error, chain};
use crate::oci::Descriptor;
use crate::progress::Meter;
use crate::registry::{Logins, Repository, Session};
use crate::uv::Tools;

/// How we are known to registries.
const AGENT: &str = concat!("fargateer/", env!("CARGO_PKG_VERSION"));

/// How long a registry may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Builds images. One serves any number of builds at a time, which share what is kept on this machine.
///
/// Every future it gives may be dropped at any moment: what is half done leaves no tag and no file that counts, and the
/// next attempt finds what was done.
pub struct Builder {
    http: reqwest::Client,
    logins: Arc<dyn Logins>,
    sessions: Mutex<BTreeMap<String, Arc<Session>>>,
    pub(crate) tools: Tools,
    pub(crate) cache: Cache,
    pub(crate) limits: Limits,
    pub(crate) installing: tokio::sync::Mutex<()>,
}

impl Builder {
    /// A builder that keeps in `folder` what can be made again: layers and what requirements resolved to, 4 GiB at most.
    pub fn new(folder: PathBuf, tools: Tools, logins: Arc<dyn Logins>) -> Result<Self, Error> {
        let http = reqwest::Client::builder().connect_timeout(CONNECT).user_agent(AGENT).build();
        let http = http.map_err(|error| Error::new(Cause::Local, chain(&error)))?;
        Ok(Self {
            http,
            logins,
            sessions: Mutex::default(),
            tools,
            cache: Cache::new(folder),
            limits: Limits::default(),
            installing: tokio::sync::Mutex::default(),
        })
    }

    /// The same with other limits for contexts.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What is known of a registry, its token included.
    pub(crate) fn session(&self, registry: &str) -> Arc<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Session::new(self.http.clone(), registry, Arc::clone(&self.logins)));
        Arc::clone(sessions.entry(registry.to_owned()).or_insert_with(make))
    }

    /// A layer of the base image on this disk.
    pub(crate) async fn base_layer(&self, base: &Base, layer: &Descriptor, meter: &Meter) -> Result<PathBuf, Error> {
        if let Some(path) = self.cache.layer(layer) {
            return Ok(path);
        }
        let session = self.session(&base.place.registry);
        let repository = Repository { session: &session, name: &base.place.repository };
        let fetched = repository.download(layer, &self.cache.scratch()?, meter).await;
        let file = fetched.map_err(|error| base::unavailable(&base.place, error))?;
        self.cache.keep(&layer.digest, file)
    }
}

/// Does `work` where it holds up nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::new(Cause::Local, format!("a worker ended: {error}"))))
}
