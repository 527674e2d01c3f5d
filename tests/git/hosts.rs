//! Hosts of git repositories on free ports of this machine: one by https, one by ssh. They end with the test.

use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::install::{self, run};
use super::repository::Repository;
use crate::server::{self, Process};

const HOST: &str = include_str!("host.py");
/// The token of the host by https.
pub(super) const TOKEN: &str = "ghp-canary-0123456789";

/// A host by https. It serves `specs.git` of a repository, and knows its callers by a token.
pub(super) struct Https {
    home: PathBuf,
    port: u16,
    _process: Process,
}

impl Https {
    /// Starts one for `repository`.
    pub(super) fn of(repository: &Repository) -> Self {
        let home = repository.home().join("https");
        fs::create_dir(&home).expect("a folder for the host");
        certify(&home);
        let python = python();
        let backend = PathBuf::from(run(Command::new("git").arg("--exec-path")).trim()).join("git-http-backend");
        let root = repository.home().display().to_string();
        let answers = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        let host = Self::set_token_in(&home, TOKEN);
        let (port, process) = server::on_a_free_port("https", answers, |port| {
            let mut command = server::command(&python, &python, host, "https");
            command.args(["-c", HOST, &port.to_string(), &root]).arg(host).arg(&backend).env("PATH", path());
            command
        });
        Self { home, port, _process: process }
    }

    /// From now on the host wants `token`.
    pub(super) fn set_token(&self, token: &str) {
        Self::set_token_in(&self.home, token);
    }

    fn set_token_in<'a>(home: &'a Path, token: &str) -> &'a Path {
        fs::write(home.join("token"), token).expect("a file for the token");
        home
    }

    /// The address of `repository` there, with `part`.
    pub(super) fn address(&self, repository: &str, part: &str) -> String {
        format!("git+https://localhost:{}/{repository}#{part}", self.port)
    }

    /// The certificate of the authority that vouches for it.
    pub(super) fn authority(&self) -> PathBuf {
        self.home.join("authority.pem")
    }

    /// How often it was asked for refs.
    pub(super) fn asked(&self) -> usize {
        let requests = fs::read_to_string(self.home.join("requests")).unwrap_or_default();
        requests.lines().filter(|line| line.starts_with("GET ")).count()
    }
}

/// A host by ssh.
pub(super) struct Ssh {
    home: PathBuf,
    port: u16,
    root: PathBuf,
    user: String,
    _process: Process,
}

impl Ssh {
    /// Starts one for `repository`.
    pub(super) fn of(repository: &Repository) -> Self {
        Self::configured(repository, "AcceptEnv GIT_PROTOCOL\n")
    }

    /// Starts one that does not hear which version of git's protocol is asked for, and speaks the first.
    pub(super) fn old(repository: &Repository) -> Self {
        Self::configured(repository, "")
    }

    fn configured(repository: &Repository, more: &str) -> Self {
        let home = repository.home().join("ssh");
        fs::create_dir(&home).expect("a folder for the host");
        for key in ["host", "ours", "another"] {
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f"])
                .arg(home.join(key)));
        }
        fs::copy(home.join("ours.pub"), home.join("authorized")).expect("the key is authorized");
        let sshd = install::sshd();
        let answers = |port| greeting(port).is_some_and(|greeting| greeting == *b"SSH-");
        let (port, process) = server::on_a_free_port("sshd", answers, |port| {
            let file = home.join(format!("config-{port}"));
            fs::write(&file, format!("{}{more}", config(&home, port))).expect("the configuration of the host");
            let mut command = server::command(&python(), &sshd.program, &home, "sshd");
            command.args(["-D", "-e", "-f"]).arg(file).env("PATH", path());
            if let Some(libraries) = &sshd.libraries {
                command.env("LD_LIBRARY_PATH", libraries);
            }
            command
        });
        let user = run(Command::new("id").args(["--user", "--name"])).trim().to_owned();
        let host = Self { home, port, root: repository.path(), user, _process: process };
        host.know("host");
        host
    }

    /// The address of the repository there, with `part`.
    pub(super) fn address(&self, part: &str) -> String {
        format!("git+ssh://{}@127.0.0.1:{}{}#{part}", self.user, self.port, self.root.display())
    }

    /// From now on we know the host by the key `name`.
    pub(super) fn know(&self, name: &str) {
        let key = fs::read_to_string(self.home.join(format!("{name}.pub"))).expect("the key of the host");
        let line = format!("[127.0.0.1]:{} {key}", self.port);
        fs::write(self.known_hosts(), line).expect("a file of known hosts");
    }

    /// The hosts we know.
    pub(super) fn known_hosts(&self) -> PathBuf {
        self.home.join("known hosts")
    }

    /// Our key `name`.
    pub(super) fn key(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }
}

fn config(home: &Path, port: u16) -> String {
    let (home, path) = (home.display(), path());
    format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {home}/host\nAuthorizedKeysFile {home}/authorized\nPidFile none\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
         SetEnv PATH={path}\n"
    )
}

/// The first four bytes of whoever answers at `port`.
fn greeting(port: u16) -> Option<[u8; 4]> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting).ok()?;
    Some(greeting)
}

/// An authority, and a certificate of it for this machine.
fn certify(home: &Path) {
    let openssl = |arguments: &[&str]| run(Command::new("openssl").args(arguments).current_dir(home));
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(
        &[
            &["req", "-x509", "-days", "2", "-subj", "/CN=a test", "-keyout", "authority.key", "-out", "authority.pem"],
            &key[..],
        ]
        .concat(),
    );
    openssl(&[&["req", "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "request.pem"], &key[..]].concat());
    fs::write(home.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").expect("the names of the host");
    let signed = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-days", "2"];
    openssl(
        &[&["x509", "-req", "-in", "request.pem", "-out", "certificate.pem", "-extfile", "names"], &signed[..]]
            .concat(),
    );
}

fn python() -> PathBuf {
    PathBuf::from(run(Command::new("python3").args(["-c", "import sys; print(sys.executable)"])).trim())
}

#[expect(clippy::disallowed_methods, reason = "where this machine keeps its programs")]
fn path() -> String {
    std::env::var("PATH").unwrap_or_default()
}
