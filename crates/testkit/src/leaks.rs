//! Secrets never appear in what Fargateer says (I15): a canary is put into every value that may be one, and looked for in
//! statuses, events, metrics, plans and logs.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The canary of a run: what stands in environment values and secret references of every spec.
pub(crate) fn canary(seed: u64) -> String {
    format!("S3CR3T-{seed:x}")
}

/// What was said so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    /// From now on, what this thread logs is kept here, as much as the product ever logs.
    pub(crate) fn listen(&self) -> DefaultGuard {
        let filter =
            EnvFilter::new("debug,aws=warn,aws_config=warn,aws_smithy_runtime=warn,aws_runtime=warn,hyper=warn");
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_env_filter(filter)
            .with_writer(self.clone())
            .with_ansi(false)
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Said {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
