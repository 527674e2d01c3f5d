//! S3 and CodeBuild in memory: what is put is there, builds go on when they are told to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use fargateer_api::status::Reason;
use fargateer_controller::port::{Builds, Objects};
use fargateer_image::Services;
use fargateer_plan::desired::Place;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::object::{Address, CHANGED, Live, NO_BUCKET, NO_KEY};
use fargateer_plan::remote::{End, Job, NO_PROJECT, Project, Run};

/// The bucket of the project.
pub(crate) const BUCKET: &str = "contexts";

/// Both services. Clones share what is in them.
#[derive(Clone, Default)]
pub(crate) struct Cloud(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<Address, Vec<u8>>,
    runs: Vec<Run>,
    tokens: BTreeMap<String, String>,
    asked: Vec<String>,
    /// What the next calls fail with, by the name of the operation.
    failures: Vec<(&'static str, Failure)>,
    jobs: Vec<Job>,
}

/// A failure of AWS's.
pub(crate) fn failure(class: Class, code: &str) -> Failure {
    let (operation, message) = ("s3.HeadObject".to_owned(), "said so".to_owned());
    Failure { class, reason: Reason::Unavailable, operation, code: code.to_owned(), message }
}

impl Cloud {
    pub(crate) fn services(&self) -> Services {
        Services { objects: Arc::new(self.clone()), builds: Arc::new(self.clone()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics with it")
    }

    /// Puts these bytes where `address` says.
    pub(crate) fn upload(&self, address: &str, bytes: &[u8]) {
        let address = Address::parse(address).expect("an address");
        self.lock().objects.insert(address, bytes.to_vec());
    }

    /// The next call of `operation` fails.
    pub(crate) fn fail(&self, operation: &'static str, failure: Failure) {
        self.lock().failures.push((operation, failure));
    }

    /// What was asked since somebody asked this last.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().asked)
    }

    /// The jobs that were started.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.lock().jobs.clone()
    }

    /// The newest build ends.
    pub(crate) fn end(&self, end: End) {
        self.lock().runs.last_mut().expect("a build").end = Some(end);
    }

    /// All builds are over and forgotten.
    pub(crate) fn end_all(&self) {
        self.lock().runs.clear();
    }

    fn called(&self, operation: &'static str) -> Result<MutexGuard<'_, State>, Failure> {
        let mut state = self.lock();
        state.asked.push(operation.to_owned());
        match state.failures.iter().position(|(name, _)| *name == operation) {
            Some(place) => Err(state.failures.remove(place).1),
            None => Ok(state),
        }
    }
}

fn etag(bytes: &[u8]) -> String {
    format!("{}-{}", bytes.len(), bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>())
}

#[async_trait]
impl Objects for Cloud {
    async fn find(&self, _: &Place, object: &Address) -> Result<Live, Failure> {
        let state = self.called("find")?;
        if object.bucket.starts_with("no-") {
            return Err(failure(Class::Denied, NO_BUCKET));
        }
        let bytes = state.objects.get(object).ok_or_else(|| failure(Class::Denied, NO_KEY))?;
        Ok(Live { etag: etag(bytes), size: bytes.len() as u64 })
    }

    async fn fetch(&self, _: &Place, object: &Address, expected: &str, into: &Path) -> Result<(), Failure> {
        let state = self.called("fetch")?;
        let bytes = state.objects.get(object).ok_or_else(|| failure(Class::Denied, NO_KEY))?;
        if etag(bytes) != expected {
            return Err(failure(Class::Transient, CHANGED));
        }
        fs::write(into, bytes).expect("a file");
        Ok(())
    }

    async fn put(&self, _: &Place, object: &Address, from: &Path) -> Result<(), Failure> {
        let mut state = self.called("put")?;
        state.objects.insert(object.clone(), fs::read(from).expect("a file"));
        Ok(())
    }
}

#[async_trait]
impl Builds for Cloud {
    async fn project(&self, _: &Place, name: &str) -> Result<Project, Failure> {
        let _state = self.called("project")?;
        if name != "fargateer-images" {
            return Err(failure(Class::Denied, NO_PROJECT));
        }
        let [source, location, environment] = ["S3", "contexts/any/", "LINUX_CONTAINER"].map(str::to_owned);
        Ok(Project { source, location, environment })
    }

    async fn latest(&self, _: &Place, _: &str) -> Result<Vec<Run>, Failure> {
        Ok(self.called("latest")?.runs.iter().rev().cloned().collect())
    }

    async fn run(&self, _: &Place, id: &str) -> Result<Option<Run>, Failure> {
        Ok(self.called("run")?.runs.iter().find(|run| run.id == id).cloned())
    }

    async fn start(&self, _: &Place, job: &Job) -> Result<Run, Failure> {
        let mut state = self.lock();
        let known = state.tokens.get(&job.token()).cloned();
        let id = known.unwrap_or_else(|| format!("fargateer-images:{}", state.runs.len()));
        if state.tokens.insert(job.token(), id.clone()).is_none() {
            let (repository, tag, phase) = (job.repository.clone(), job.tag.clone(), "BUILD".to_owned());
            state.runs.push(Run { id: id.clone(), repository, tag, phase, end: None });
            state.jobs.push(job.clone());
        }
        let run = state.runs.iter().find(|run| run.id == id).cloned();
        drop(state);
        // What was asked for is done before the answer can be lost.
        drop(self.called("start")?);
        Ok(run.expect("the build"))
    }
}
