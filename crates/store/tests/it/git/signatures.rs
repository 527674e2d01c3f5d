//! Commits that must be signed: by SSH as `ssh-keygen` does it, by OpenPGP as `gpg` does it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fargateer_controller::port::Source;
use fargateer_store::source::git::Trust;

use super::*;

fn ran(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An SSH key of `kind` called `name`. Answers its file; its public half stands in `<file>.pub`.
fn key(repository: &Repository, name: &str, kind: &[&str]) -> PathBuf {
    let file = repository.home().join(name);
    ran(Command::new("ssh-keygen").args(["-q", "-N", "", "-C", name, "-t"]).args(kind).arg("-f").arg(&file));
    file
}

/// A file that allows Ada the keys in `files`.
fn allowed(repository: &Repository, files: &[&Path]) -> PathBuf {
    let line = |file: &&Path| {
        format!("ada@example.com namespaces=\"git\" {}", fs::read_to_string(file.with_extension("pub")).unwrap())
    };
    let path = repository.home().join("allowed_signers");
    fs::write(&path, files.iter().map(line).collect::<String>()).unwrap();
    path
}

fn sign_by_ssh(repository: &Repository, key: &Path) {
    for (name, value) in [("gpg.format", "ssh"), ("commit.gpgsign", "true"), ("user.signingkey", key.to_str().unwrap())]
    {
        repository.git(&["config", name, value]);
    }
}

fn trusting(trust: Trust) -> GitSettings {
    GitSettings { trust, ..GitSettings::default() }
}

fn by_ssh(allowed: PathBuf) -> GitSettings {
    trusting(Trust { allowed_signers: Some(allowed), keyring: None })
}

#[tokio::test(start_paused = true)]
async fn commits_signed_by_allowed_ssh_keys_of_every_kind_count() {
    for (name, kind) in [
        ("ed25519", &["ed25519"][..]),
        ("rsa", &["rsa", "-b", "2048"]),
        ("p256", &["ecdsa", "-b", "256"]),
        ("p384", &["ecdsa", "-b", "384"]),
        ("p521", &["ecdsa", "-b", "521"]),
    ] {
        let repository = Repository::empty();
        let key = key(&repository, name, kind);
        sign_by_ssh(&repository, &key);
        repository.commit(&[("a.yaml", &spec("a"))]);
        let snapshot = repository.source_with("main", by_ssh(allowed(&repository, &[&key]))).next().await;
        assert!(snapshot.whole, "{name}: {:?}", snapshot.faults);
        assert_sound(&snapshot, &["a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_nobody_signed_is_not_taken_the_last_good_one_is_kept_and_nothing_is_pruned() {
    let repository = Repository::empty();
    let key = key(&repository, "ada", &["ed25519"]);
    sign_by_ssh(&repository, &key);
    repository.commit(&[("a.yaml", &spec("a")), ("b.yaml", &spec("b"))]);
    let mut source = repository.source_with("main", by_ssh(allowed(&repository, &[&key])));
    assert_sound(&source.next().await, &["a", "b"]);
    repository.git(&["config", "commit.gpgsign", "false"]);
    repository.commit(&[("a.yaml", &spec("a").replace("a:1.0", "a:6.6")), ("b.yaml", "")]);
    let why = ["is not verified: it is not signed", "is kept"];
    let snapshot = source.next().await;
    assert_kept(&snapshot, &["a", "b"], &why);
    let uri = only(&snapshot, "a").agent.as_ref().unwrap().spec.image.uri.clone();
    assert!(uri.unwrap().ends_with("a:1.0"), "nothing of it is taken");
    let again = repository.source_with("main", by_ssh(repository.home().join("allowed_signers"))).next().await;
    assert_kept(&again, &["a", "b"], &why);
    // Signed, the same commit counts, and so does what it removes.
    repository.git(&["commit", "--quiet", "--amend", "--no-edit", "-S"]);
    repository.push();
    let snapshot = source.next().await;
    assert_sound(&snapshot, &["a"]);
    assert_eq!(snapshot.removed, [Key::new("b")].into());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_allowed_any_more_vouches_for_nothing() {
    let repository = Repository::empty();
    let (ada, eve) = (key(&repository, "ada", &["ed25519"]), key(&repository, "eve", &["ed25519"]));
    sign_by_ssh(&repository, &ada);
    repository.commit(&[("a.yaml", &spec("a"))]);
    let mut source = repository.source_with("main", by_ssh(allowed(&repository, &[&ada, &eve])));
    assert_sound(&source.next().await, &["a"]);
    allowed(&repository, &[&eve]);
    assert_kept(&source.next().await, &["a"], &["is not among the allowed signers"]);
    fs::remove_file(repository.home().join("allowed_signers")).unwrap();
    assert_kept(&source.next().await, &["a"], &["allowed_signers: "]);
}

#[tokio::test(start_paused = true)]
async fn a_signature_of_another_commit_is_not_taken() {
    let repository = Repository::empty();
    let key = key(&repository, "ada", &["ed25519"]);
    sign_by_ssh(&repository, &key);
    repository.commit(&[("a.yaml", &spec("a"))]);
    let file = repository.home().join("forged");
    fs::write(&file, repository.git(&["cat-file", "commit", "HEAD"]).replace("a change", "another change")).unwrap();
    let forged = repository.git(&["hash-object", "-t", "commit", "-w", file.to_str().unwrap()]);
    repository.git(&["reset", "--quiet", "--hard", &forged]);
    repository.push();
    let snapshot = repository.source_with("main", by_ssh(allowed(&repository, &[&key]))).next().await;
    assert_kept(&snapshot, &[], &["its SSH signature does not fit its content"]);
}

/// git can be told to take one object for another (git replace), and told so by whoever may push.
#[tokio::test(start_paused = true)]
async fn an_object_that_stands_in_for_another_is_not_taken() {
    let repository = Repository::empty();
    let key = key(&repository, "ada", &["ed25519"]);
    sign_by_ssh(&repository, &key);
    repository.commit(&[("a.yaml", &spec("a"))]);
    let file = repository.home().join("forged");
    fs::write(&file, spec("a").replace("a:1.0", "a:6.6")).unwrap();
    let forged = repository.git(&["hash-object", "-w", file.to_str().unwrap()]);
    repository.git(&["replace", "HEAD:a.yaml", &forged]);
    repository.git(&["push", "--quiet", "origin", "refs/replace/*"]);
    assert!(repository.bare(&["show", "main:a.yaml"]).contains("a:6.6"), "git itself is taken in");
    let snapshot = repository.source_with("main", by_ssh(allowed(&repository, &[&key]))).next().await;
    assert_sound(&snapshot, &["a"]);
    let uri = only(&snapshot, "a").agent.as_ref().unwrap().spec.image.uri.clone();
    assert!(uri.unwrap().ends_with("a:1.0"));
}

/// GnuPG with a home of its own.
struct Gpg<'a> {
    repository: &'a Repository,
}

impl Gpg<'_> {
    fn home(&self) -> PathBuf {
        self.repository.home().join("gnupg")
    }

    fn gpg(&self, arguments: &[&str]) -> String {
        ran(Command::new("gpg")
            .arg("--homedir")
            .arg(self.home())
            .args(["--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"])
            .args(arguments))
    }

    fn new(repository: &Repository) -> Gpg<'_> {
        use std::os::unix::fs::PermissionsExt as _;
        let gpg = Gpg { repository };
        fs::create_dir(gpg.home()).unwrap();
        fs::set_permissions(gpg.home(), fs::Permissions::from_mode(0o700)).unwrap();
        gpg
    }

    /// A key of `name`, with which the repository signs from now on.
    fn sign_as(&self, name: &str) {
        let user = format!("{name}@example.com");
        self.gpg(&["--quick-generate-key", &user, "ed25519", "sign", "never"]);
        // The program git starts has no options of ours: a program of ours has them.
        let program = self.repository.home().join("sign");
        fs::write(&program, format!("#!/bin/sh\nexec gpg --homedir {} --batch \"$@\"\n", self.home().display()))
            .unwrap();
        ran(Command::new("chmod").arg("+x").arg(&program));
        for (key, value) in [
            ("gpg.format", "openpgp"),
            ("gpg.program", program.to_str().unwrap()),
            ("commit.gpgsign", "true"),
            ("user.signingkey", &user),
        ] {
            self.repository.git(&["config", key, value]);
        }
    }

    fn export(&self, name: &str, options: &[&str]) -> PathBuf {
        let file = self.repository.home().join(format!("{name}.keys"));
        self.gpg(
            &[options, &["--yes", "--output", file.to_str().unwrap(), "--export", &format!("{name}@example.com")]]
                .concat(),
        );
        file
    }
}

impl Drop for Gpg<'_> {
    fn drop(&mut self) {
        // Its agent goes on by itself otherwise.
        drop(Command::new("gpgconf").arg("--homedir").arg(self.home()).args(["--kill", "all"]).output());
    }
}

#[tokio::test(start_paused = true)]
async fn commits_signed_by_openpgp_count_where_the_keyring_has_the_key() {
    let repository = Repository::empty();
    let gpg = Gpg::new(&repository);
    gpg.sign_as("ada");
    repository.commit(&[("a.yaml", &spec("a"))]);
    gpg.sign_as("eve");
    let by_pgp = |keyring: PathBuf| trusting(Trust { allowed_signers: None, keyring: Some(keyring) });
    let mut source = repository.source_with("main", by_pgp(gpg.export("ada", &["--armor"])));
    assert_sound(&source.next().await, &["a"]);
    assert_sound(&repository.source_with("main", by_pgp(gpg.export("ada", &[]))).next().await, &["a"]);
    repository.commit(&[("a.yaml", &spec("a").replace("a:1.0", "a:6.6"))]);
    assert_kept(&source.next().await, &["a"], &["is not in the keyring"]);
    let snapshot = repository.source_with("main", by_pgp(gpg.export("eve", &[]))).next().await;
    assert_sound(&snapshot, &["a"]);
    // Signed by one kind, allowed by the other.
    let allowed = allowed(&repository, &[]);
    let snapshot = repository.source_with("main", by_ssh(allowed)).next().await;
    assert_kept(&snapshot, &["a"], &["it is signed by OpenPGP, and there is no keyring"]);
}
