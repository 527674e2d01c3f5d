//! The Python of this machine, in the place of the one in an image's base.

use super::unpack::VENV;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// A Python of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    /// The program itself, behind whatever stands for it on the PATH.
    pub program: PathBuf,
    /// Its version: `3.11`.
    pub version: String,
}

impl Python {
    /// Looks for a Python of `version` on the PATH, and asks it where it is.
    pub async fn find(version: &str) -> Result<Self, String> {
        let name = format!("python{version}");
        let mut command = Command::new(&name);
        command.args(["-I", "-S", "-c", "import sys; print(sys.executable)"]).stdin(Stdio::null()).kill_on_drop(true);
        let asked = timeout(Duration::from_secs(20), command.output()).await;
        let asked = asked.map_err(|_| format!("{name} does not answer"))?;
        let output = asked.map_err(|error| format!("{name} cannot be run: {error}"))?;
        let program = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() || program.is_empty() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{name} does not work: {}", said.lines().last().unwrap_or_default()));
        }
        Ok(Self { program: PathBuf::from(program), version: version.to_owned() })
    }

    /// Makes the virtual environment of an unpacked image one of this Python's.
    pub(super) fn settle(&self, root: &Path) -> io::Result<()> {
        let venv = root.join(VENV);
        let packages = venv.join("lib");
        if !packages.is_dir() {
            return Ok(());
        }
        if !packages.join(format!("python{}", self.version)).is_dir() {
            let problem = format!("its packages are not for Python {}, which tasks run on here", self.version);
            return Err(io::Error::new(io::ErrorKind::Unsupported, problem));
        }
        let programs = venv.join("bin");
        fs::create_dir_all(&programs)?;
        for name in ["python".to_owned(), "python3".to_owned(), format!("python{}", self.version)] {
            let place = programs.join(name);
            if fs::symlink_metadata(&place).is_ok() {
                fs::remove_file(&place)?;
            }
            symlink(&self.program, place)?;
        }
        let home = self.program.parent().unwrap_or(Path::new("/usr/bin")).display().to_string();
        let settings = format!("home = {home}\ninclude-system-site-packages = false\nversion = {}\n", self.version);
        let place = venv.join("pyvenv.cfg");
        // What stands there may be a link into a layer.
        if fs::symlink_metadata(&place).is_ok() {
            fs::remove_file(&place)?;
        }
        fs::write(place, settings)
    }
}
