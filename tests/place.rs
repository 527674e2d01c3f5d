//! A simulated AWS in a process of its own, for commands that end.

use std::fs;

use serde_json::{Value, json};

use crate::binary::{self, Said};
use crate::running::{self, Running};

/// The simulated AWS, and a folder to work in.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) endpoint: String,
    _aws: Running,
}

impl Place {
    /// One in which everything exists that an agent with this spec needs.
    pub(crate) fn new(spec: Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut seed = json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "seed"}});
        seed["spec"] = spec;
        fs::write(folder.path().join("seed.json"), seed.to_string()).expect("a file");
        let arguments = ["sim", "--listen", "127.0.0.1:0", "--speed", "20", "--seed", "seed.json"];
        let aws = Running::start(binary::command(folder.path(), &[], &arguments));
        Self { endpoint: running::address(&aws.wait_for("http://")), _aws: aws, folder }
    }

    /// Runs the binary in the folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let pairs = [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIAOPERATOR"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        let environment: Vec<(String, String)> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        binary::run(self.folder.path(), &environment, arguments)
    }
}
