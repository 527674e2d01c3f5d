//! Agents to build: folders of code, packages without an index.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use fargateer_api::spec::{Architecture, Build};
use fargateer_image::{Recipe, Tools};
use tempfile::TempDir;

use crate::install::{self, run};

const WHEELS: &str = include_str!("wheels.py");

/// An agent's folder.
pub(crate) struct Agent {
    pub(crate) folder: TempDir,
    pub(crate) recipe: Recipe,
}

impl Agent {
    /// An agent that greets, with what it needs to greet, on the base `base`.
    pub(crate) fn greeting(base: &str) -> Self {
        let agent = Self::plain(base);
        let code = "import greeting\nimport native\n\n\ndef agent(prompt):\n    return f'{greeting.hello(prompt)} on {native.MACHINE}'\n";
        agent.write("generated_agent.py", code);
        agent.write("requirements.txt", "greeting\n");
        agent
    }

    /// An agent that needs nothing.
    pub(crate) fn plain(base: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let build = Build { base: Some(base.to_owned()), ..Build::default() };
        let recipe = Recipe {
            context: folder.path().to_owned(),
            build,
            architecture: Architecture::X86_64,
            base_digest: None,
            labels: [("org.opencontainers.image.title".to_owned(), "greeter".to_owned())].into(),
        };
        let agent = Self { folder, recipe };
        agent.write("generated_agent.py", "def agent(prompt):\n    return prompt\n");
        agent.write("data/words.txt", "some words\n");
        agent
    }

    /// An agent with a server of its own: nobody needs uv for it.
    pub(crate) fn serving_itself(base: &str) -> Self {
        let agent = Self::plain(base);
        agent.write("agent_server.py", "print('served')\n");
        agent
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
}

/// Packages as an index would have them: `greeting` (which needs `native`), `native` for two machines, `newer` for a newer
/// C library alone, `sourceonly` without a wheel.
fn packages() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| make("packages", "1.0"))
}

/// The same with a newer `greeting`.
fn newer_packages() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| make("newer", "1.1"))
}

fn make(name: &str, version: &str) -> PathBuf {
    let _lock = install::lock("wheels");
    let folder = install::folder("wheels");
    let script = folder.join("wheels.py");
    fs::write(&script, WHEELS).expect("a script");
    run(Command::new("python3").arg(&script).arg(folder.join(name)).arg(version));
    folder.join(name)
}

/// uv with those packages and no index.
pub(crate) fn tools() -> Tools {
    offline(packages())
}

/// The same with the newer ones.
pub(crate) fn newer_tools() -> Tools {
    offline(newer_packages())
}

fn offline(packages: &Path) -> Tools {
    install::tools(&[("UV_FIND_LINKS", packages), ("UV_NO_INDEX", Path::new("1")), ("UV_OFFLINE", Path::new("1"))])
}
