//! The real binary, run as a person runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The binary under test.
pub const FARGATEER: &str = env!("CARGO_BIN_EXE_fargateer");

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// The environment of somebody who operates Fargateer on the AWS at `endpoint`.
pub fn operator(endpoint: &str) -> Vec<(String, String)> {
    let pairs = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "AKIAOPERATOR"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
}

/// What a command said.
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

/// Runs `fargateer` with `arguments` and `environment` alone, in the folder `at`.
pub fn run(at: &Path, environment: &[(String, String)], arguments: &[&str]) -> Said {
    let output = command(at, environment, arguments).output().expect("the binary starts");
    said(&output)
}

/// The same, not started yet. Nothing of this process's environment reaches it but the search path.
pub fn command(at: &Path, environment: &[(String, String)], arguments: &[&str]) -> Command {
    let mut command = Command::new(FARGATEER);
    let nowhere = at.join("nowhere");
    command.current_dir(at).env_clear().args(arguments);
    command.env("AWS_CONFIG_FILE", &nowhere).env("AWS_SHARED_CREDENTIALS_FILE", &nowhere);
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", at);
    command.envs(environment.iter().map(|(key, value)| (key, value)));
    command
}

/// What a finished process said.
pub fn said(output: &Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}
