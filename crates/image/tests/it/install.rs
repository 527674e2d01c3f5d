//! What the tests need of this machine: uv, and for the registry of Debian its packages. Installed where it is missing;
//! other processes that want the same at the same time wait.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use fargateer_image::Tools;

/// The version of uv that is fetched where there is none.
const UV: &str = "uv==0.13.9";
/// The packages, and a program of each.
const PACKAGES: [(&str, &str); 6] = [
    ("docker-registry", "docker-registry"),
    ("skopeo", "skopeo"),
    ("umoci", "umoci"),
    ("bubblewrap", "bwrap"),
    ("mmdebstrap", "mmdebstrap"),
    ("apache2-utils", "htpasswd"),
];

/// The folder beside the build for what is fetched once.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("image-tests").join(name);
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder
}

/// Holds others off while something is fetched.
pub(crate) fn lock(name: &str) -> File {
    let lock = File::create(folder("").join(format!("{name}.lock"))).expect("a lock file");
    lock.lock().expect("the lock");
    lock
}

/// What uv is told: this machine's PATH and HOME, and `more`.
pub(crate) fn tools(more: &[(&str, &Path)]) -> Tools {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    let uv = FOUND.get_or_init(uv).clone();
    let own = Tools::VARIABLES.iter().filter_map(|name| Some((OsString::from(name), variable(name)?)));
    let more = more.iter().map(|(name, value)| (OsString::from(name), value.as_os_str().to_owned()));
    Tools { uv: Some(uv), environment: own.chain(more).collect() }
}

/// No uv at all: whoever needs it fails.
pub(crate) fn no_tools() -> Tools {
    Tools { uv: Some("/nowhere/uv".into()), environment: Vec::new() }
}

#[expect(clippy::disallowed_methods, reason = "the environment of the tests, not of the program")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn uv() -> PathBuf {
    if Command::new("uv").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return "uv".into();
    }
    let _lock = lock("uv");
    let venv = folder("uv");
    let program = venv.join("bin/uv");
    if !program.is_file() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV];
        run(Command::new(venv.join("bin/python")).args(quiet));
    }
    program
}

/// Sees to it that Debian's packages are there.
pub(crate) fn packages() {
    let _lock = lock("packages");
    let there = |program: &str| Command::new("which").arg(program).output().is_ok_and(|output| output.status.success());
    let missing: Vec<&str> =
        PACKAGES.iter().filter(|(_, program)| !there(program)).map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return;
    }
    let root = run(Command::new("id").arg("--user")).trim() == "0";
    let list = missing.join(" ");
    assert!(root, "the tests of images need Debian's packages {list}: `apt-get install {list}`, or run them as root");
    let install = ["install", "--yes", "--quiet", "--no-install-recommends"];
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(install).args(&missing);
        apt
    };
    if !apt().output().is_ok_and(|output| output.status.success()) {
        // A machine that is new does not know yet what there is.
        run(Command::new("apt-get").args(["update", "--quiet"]));
        run(&mut apt());
    }
}

/// What `command` says. Panics with what is missing.
pub(crate) fn run(command: &mut Command) -> String {
    let needs = "the tests of images need python3 with venv, uv (or a Python package index) and, on Debian, apt-get";
    let output = command.output().unwrap_or_else(|error| panic!("{needs}: {command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{needs}: {command:?}: {}\n{said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
