//! The emulators' own Python environment: made once, used by all tests of all processes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// The Python that has the emulators. Installs them where they are missing or of another version; other processes that
/// want the same wait.
pub(super) fn python() -> PathBuf {
    let folder = folder();
    let (python, installed) = (folder.join("venv/bin/python"), folder.join("installed.txt"));
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let lock = File::create(folder.join(".lock")).expect("a lock file for the emulators");
    lock.lock().expect("the lock of the emulators");
    if python.is_file() && fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) {
        return python;
    }
    fs::remove_file(&installed).ok();
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).expect("the list of the emulators");
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder.join("venv")));
    let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    run(Command::new(&python).args(quiet).arg(&requirements));
    fs::write(installed, REQUIREMENTS).expect("the note that the emulators are installed");
    python
}

/// `FARGATEER_EMULATORS`, else `emulators` beside the build.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the program")]
fn folder() -> PathBuf {
    let beside_build = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("emulators");
    std::env::var_os("FARGATEER_EMULATORS").map_or_else(beside_build, PathBuf::from)
}

fn run(command: &mut Command) {
    let needs = "the emulators need python3 with venv and, the first time, a Python package index";
    let output = command.output().unwrap_or_else(|error| panic!("{needs}: {command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{needs}: {command:?}: {}\n{said}", output.status);
}
