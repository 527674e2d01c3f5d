//! `fargateer init`: a new agent, ready to be built. What is there already stays.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::InitCommand;
use crate::output::{self, hinted};

/// The files of a new agent; `AGENT` in them is its name.
const FILES: [(&str, &str); 5] = [
    ("generated_agent.py", include_str!("../../templates/agent/generated_agent.py")),
    ("requirements.txt", include_str!("../../templates/agent/requirements.txt")),
    ("agent-deployment.yaml", include_str!("../../templates/agent/agent-deployment.yaml")),
    (".dockerignore", include_str!("../../templates/agent/dockerignore")),
    ("README.md", include_str!("../../templates/agent/README.md")),
];
const DOCKERFILE: &str = include_str!("../../../../examples/strands-agent/Dockerfile");
const NAME: &str = "AGENT";

/// Runs the command.
pub(crate) fn run(command: &InitCommand) -> anyhow::Result<ExitCode> {
    let InitCommand::Agent { folder, dockerfile } = command;
    let name = name(folder)?;
    let mut files: Vec<(&str, String)> = FILES.iter().map(|(path, text)| (*path, text.replace(NAME, &name))).collect();
    if *dockerfile {
        files.push(("Dockerfile", DOCKERFILE.to_owned()));
        files.push(("agent_server.py", fargateer_image::bundle()));
    }
    let there = files.iter().find(|(path, _)| folder.join(path).exists());
    if let Some((path, _)) = there {
        let problem = format!("{} is there already", folder.join(path).display());
        return Err(hinted(problem, "nothing was written; name a folder that is not there yet"));
    }
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for (path, text) in &files {
        let place = folder.join(path);
        fs::write(&place, text).with_context(|| format!("{} cannot be written", place.display()))?;
    }
    let shown = folder.display();
    output::note(&format!("the agent {name} is in {shown}; `fargateer image build {shown}` builds its image"));
    let written: Vec<String> = files.iter().map(|(path, _)| folder.join(path).display().to_string()).collect();
    output::data(&written.join("\n"))
}

/// The agent's name: that of its folder, if agents may be called so.
fn name(folder: &Path) -> anyhow::Result<String> {
    let absolute = std::path::absolute(folder).with_context(|| format!("{} is no path", folder.display()))?;
    let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let sound =
        (1..=63).contains(&name.len()) && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-');
    if sound {
        return Ok(name);
    }
    let hint =
        "the folder's name becomes the agent's: 1 to 63 lower-case letters, digits and `-` inside, as in `support-bot`";
    Err(hinted(format!("`{name}` is no name of an agent"), hint))
}
