//! The packages of an agent that is being worked on: a virtual environment of this machine's, made by uv once for what the
//! requirements say.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use fargateer_sim::process::Python;
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::config;
use crate::output::{self, hinted};

/// What the runtime needs beside the agent's own packages.
const NEEDS: [&str; 3] = ["starlette>=0.46", "uvicorn>=0.34", "websockets>=13"];
/// Where requirements are looked for.
const NAMES: [&str; 2] = ["requirements.txt", "pyproject.toml"];
/// Says that an environment is whole.
const WHOLE: &str = ".whole";

/// Where the packages of an agent come from and go.
pub(super) struct Packages {
    folder: PathBuf,
    file: Option<String>,
    python: Python,
    cache: PathBuf,
    /// The agent brings a server of its own, which needs what it says it needs.
    own_server: bool,
}

impl Packages {
    pub(super) fn new(
        folder: &Path,
        file: Option<String>,
        (python, cache): (Python, PathBuf),
        own_server: bool,
    ) -> Self {
        Self { folder: folder.to_owned(), file, python, cache, own_server }
    }

    /// Whether there is a uv at all: no change of an agent's files would mend that.
    pub(super) async fn check(&self) -> anyhow::Result<()> {
        self.uv(&["--version"]).await
    }

    /// The Python of an environment with everything the agent needs now.
    pub(super) async fn ready(&self) -> anyhow::Result<PathBuf> {
        let requirements = self.requirements()?;
        let mut key = Sha256::new();
        if let Some((name, text)) = &requirements {
            key.update(name.as_bytes());
            key.update(text);
        }
        key.update([u8::from(self.own_server)]);
        key.update(self.python.program.as_os_str().as_encoded_bytes());
        let name = hex::encode(key.finalize());
        let venv = self.cache.join(format!("venv-{}", name.get(..16).unwrap_or(&name)));
        let python = venv.join("bin/python");
        if venv.join(WHOLE).is_file() {
            return Ok(python);
        }
        output::note("installing packages");
        let (program, place) = (self.python.program.display().to_string(), venv.display().to_string());
        self.uv(&["venv", "--quiet", "--clear", "--python", &program, &place]).await?;
        let target = python.display().to_string();
        let mut words = vec!["pip", "install", "--quiet", "--python", &target];
        if let Some((name, _)) = &requirements {
            words.extend(["-r", name]);
        }
        if !self.own_server {
            words.extend(NEEDS);
        }
        if words.len() > 5 {
            self.uv(&words).await?;
        }
        std::fs::write(venv.join(WHOLE), "").with_context(|| format!("{} cannot be written", venv.display()))?;
        Ok(python)
    }

    /// The file of requirements and what it says.
    fn requirements(&self) -> anyhow::Result<Option<(String, Vec<u8>)>> {
        let found = NAMES.into_iter().find(|name| self.folder.join(name).is_file()).map(str::to_owned);
        let Some(name) = self.file.clone().or(found) else { return Ok(None) };
        let place = self.folder.join(&name);
        let text = std::fs::read(&place).with_context(|| format!("{} cannot be read", place.display()))?;
        Ok(Some((name, text)))
    }

    async fn uv(&self, words: &[&str]) -> anyhow::Result<()> {
        let tools = config::image_tools();
        let uv = tools.uv.unwrap_or_else(|| PathBuf::from("uv"));
        let mut command = Command::new(&uv);
        command.args(words).env_clear().envs(tools.environment).current_dir(&self.folder);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.map_err(|error| {
            let hint = "install uv (https://docs.astral.sh/uv), or name it with FARGATEER_UV";
            hinted(format!("{} cannot be run: {error}", uv.display()), hint)
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(hinted(
            format!("packages cannot be installed:\n{}", said.trim_end()),
            "mend the requirements and save them",
        ))
    }
}
