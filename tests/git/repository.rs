//! A repository people push to, made with the program git: a bare one, and a clone to work in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A bare repository `specs.git` with a branch `main`, and everything around it.
pub(crate) struct Repository {
    home: TempDir,
}

impl Repository {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        let repository = Self { home: TempDir::new().expect("a repository that can be written") };
        let home = repository.home.path();
        run(home, &["init", "--quiet", "--bare", "--initial-branch=main", "specs.git"]);
        run(home, &["init", "--quiet", "--initial-branch=main", "work"]);
        repository.git(&["remote", "add", "origin", "../specs.git"]);
        repository
    }

    /// One whose first commit has `files`.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let repository = Self::empty();
        repository.commit(files);
        repository
    }

    /// Commits `files` as Ada and pushes. Answers the commit. A file without text is removed.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> String {
        for (file, text) in files {
            let path = self.work().join(file);
            if text.is_empty() {
                fs::remove_file(path).expect("a repository that can be written");
            } else {
                fs::create_dir_all(path.parent().expect("a repository that can be written"))
                    .expect("a repository that can be written");
                fs::write(path, text).expect("a repository that can be written");
            }
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "a change"]);
        self.push()
    }

    /// Pushes the work as it is, by force where need be. Answers the commit.
    pub(crate) fn push(&self) -> String {
        self.git(&["push", "--quiet", "--force", "origin", "HEAD"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// What git says to `arguments` in the clone.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        run(&self.work(), arguments)
    }

    /// What git says to `arguments` in the bare repository.
    pub(crate) fn bare(&self, arguments: &[&str]) -> String {
        run(&self.path(), arguments)
    }

    /// The clone.
    pub(crate) fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// The bare repository.
    pub(crate) fn path(&self) -> PathBuf {
        self.home.path().join("specs.git")
    }

    /// The folder around it.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What people see of it as files.
    pub(crate) fn shown(&self) -> String {
        format!("git+file://{}", self.path().display())
    }
}

/// What git says to `arguments` in `folder`. Nothing of this machine's configuration counts.
fn run(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "protocol.file.allow=always"]).args(arguments);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ada").env(format!("GIT_{role}_EMAIL"), "ada@example.com");
    }
    let output = command.output().expect("the tests need git (Debian: apt-get install git)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("a repository that can be written").trim().to_owned()
}
