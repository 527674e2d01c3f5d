//! An ssh server for the tests: that of the machine, else the one of its distribution, unpacked beside the build and not
//! installed - nothing of the machine's own ssh is touched, and no server but ours begins.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where it is, and where its libraries are, should the machine lack them.
pub(super) struct Sshd {
    /// The program.
    pub(super) program: PathBuf,
    /// Libraries that came with it.
    pub(super) libraries: Option<PathBuf>,
}

/// The ssh server; other processes that want it at the same time wait.
pub(super) fn sshd() -> Sshd {
    let sshd = found().unwrap_or_else(unpacked);
    prepare();
    sshd
}

fn found() -> Option<Sshd> {
    let program = PathBuf::from("/usr/sbin/sshd");
    program.is_file().then_some(Sshd { program, libraries: None })
}

fn unpacked() -> Sshd {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sshd");
    fs::create_dir_all(&folder).expect("a folder for the ssh server");
    let lock = File::create(folder.join(".lock")).expect("a lock file for the ssh server");
    lock.lock().expect("the lock of the ssh server");
    let program = folder.join("usr/sbin/sshd");
    if !program.is_file() {
        let download = ["download", "openssh-server", "libwrap0"];
        let fetched = Command::new("apt-get").args(download).current_dir(&folder).output();
        if !fetched.is_ok_and(|output| output.status.success()) {
            // A machine that is new does not know yet what there is.
            run(Command::new("apt-get").arg("update"));
            run(Command::new("apt-get").args(download).current_dir(&folder));
        }
        for entry in fs::read_dir(&folder).expect("the packages").flatten() {
            if entry.path().extension().is_some_and(|end| end == "deb") {
                run(Command::new("dpkg-deb").arg("--extract").arg(entry.path()).arg(&folder));
            }
        }
    }
    let libraries = fs::read_dir(folder.join("usr/lib")).expect("its libraries").flatten().map(|entry| entry.path());
    let libraries = libraries.into_iter().find(|path| path.join("libwrap.so.0").exists());
    Sshd { program, libraries }
}

/// As root, the server lives as a user of its own and in a folder of its own, which its package would make.
fn prepare() {
    let root = run(Command::new("id").arg("--user")).trim() == "0";
    if !root {
        return;
    }
    fs::create_dir_all("/run/sshd").expect("the folder /run/sshd");
    let known = Command::new("id").arg("sshd").output().expect("the program id").status.success();
    if !known {
        let options =
            ["--system", "--no-create-home", "--home-dir", "/run/sshd", "--shell", "/usr/sbin/nologin", "sshd"];
        // Another process may have made it in the meantime.
        drop(Command::new("useradd").args(options).output().expect("the program useradd"));
    }
}

/// What `command` says. Panics with what is missing.
pub(super) fn run(command: &mut Command) -> String {
    let needs = "the git tests need git, openssh-server, openssh-client, gnupg, openssl and python3 (Debian packages)";
    let output = command.output().unwrap_or_else(|error| panic!("{needs}: {command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{needs}: {command:?}: {}\n{said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
