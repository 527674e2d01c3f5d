//! git's protocol over the `ssh` program, which knows exactly one host key file and exactly one key of ours, asks nobody
//! anything and reads nobody's configuration.

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;

use fargateer_api::visible;
use gix_transport::Protocol;
use gix_transport::client::git::ConnectMode;
use gix_transport::client::git::blocking_io::Connection;

use super::budget::{Budget, Helper, Metered};
use super::request::Request;

/// Most bytes heard of what `ssh` complains about.
const MOST: u64 = 8 * 1024;

/// What `ssh` needs to know of us and of the host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'a> {
    /// Our key; `ssh`'s own choice when left out.
    pub(super) identity: Option<&'a Path>,
    /// The keys of the hosts; `ssh`'s own files when left out. A host that is not in them is not talked to.
    pub(super) known_hosts: Option<&'a Path>,
}

/// Where to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The host.
    pub(super) host: &'a str,
    /// Its port.
    pub(super) port: Option<u16>,
    /// The user there.
    pub(super) user: Option<&'a str>,
    /// The repository.
    pub(super) path: &'a str,
}

/// A connection of git's protocol. It ends with `budget`.
pub(super) fn connect(
    place: Place<'_>,
    keys: Keys<'_>,
    budget: &Arc<Budget>,
) -> Result<Connection<Metered<BufReader<ChildStdout>>, Request<ChildStdin>>, String> {
    let mut command = Command::new("ssh");
    command.args(arguments(place, keys)?);
    command.env("GIT_PROTOCOL", "version=2").env("LC_ALL", "C");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("the program ssh cannot be started: {error}"))?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(input), Some(output), Some(complaints)) = pipes else {
        return Err("the program ssh has no pipes".to_owned());
    };
    budget.keep(Some(Helper { child, complaint: thread::spawn(move || heard(complaints)) }));
    let output = Metered { inner: BufReader::new(output), budget: Arc::clone(budget) };
    Ok(Connection::new(
        output,
        Request::new(input),
        Protocol::V2,
        place.path,
        None::<(String, _)>,
        ConnectMode::Process,
        false,
    ))
}

/// What `ssh` complains about. Reads to the end: a full pipe would stop it. The last line says most.
fn heard(mut complaints: impl Read) -> Option<String> {
    let mut heard = Vec::new();
    drop(complaints.by_ref().take(MOST).read_to_end(&mut heard));
    drop(io::copy(&mut complaints, &mut io::sink()));
    let text = String::from_utf8_lossy(&heard);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    Some(format!("ssh: {}", visible(line)))
}

fn arguments(place: Place<'_>, keys: Keys<'_>) -> Result<Vec<String>, String> {
    let mut arguments: Vec<String> = ["-F", "none", "-T", "-x"].map(str::to_owned).into();
    let mut option = |text: String| arguments.extend(["-o".to_owned(), text]);
    for fixed in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "ForwardAgent=no",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "ConnectTimeout=20",
        "ServerAliveInterval=15",
        "LogLevel=ERROR",
        "SendEnv=GIT_PROTOCOL",
    ] {
        option(fixed.to_owned());
    }
    if let Some(file) = keys.known_hosts {
        option(format!("UserKnownHostsFile={}", quoted(file)?));
        option("GlobalKnownHostsFile=none".to_owned());
    }
    if let Some(file) = keys.identity {
        option(format!("IdentityFile={}", quoted(file)?));
        option("IdentitiesOnly=yes".to_owned());
        option("IdentityAgent=none".to_owned());
    }
    if let Some(port) = place.port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    if let Some(user) = place.user {
        arguments.extend(["-l".to_owned(), user.to_owned()]);
    }
    let path = place.path.replace('\'', r"'\''");
    arguments.extend(["--".to_owned(), place.host.to_owned(), format!("git-upload-pack '{path}'")]);
    Ok(arguments)
}

/// A path as `ssh` reads it in an option: in quotes, its tokens told to be none.
fn quoted(file: &Path) -> Result<String, String> {
    let text = file.to_str().filter(|text| !text.contains(['"', '\\']) && !text.chars().any(char::is_control));
    let text = text.ok_or_else(|| format!("{}: ssh cannot read a file of this name", file.display()))?;
    Ok(format!("\"{}\"", text.replace('%', "%%")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_trusts_known_hosts_alone_and_nothing_is_taken_for_an_option() {
        let place = Place { host: "git.example.com", port: Some(2222), user: Some("git"), path: "/it's" };
        let keys = Keys { identity: Some(Path::new("/run/a key")), known_hosts: Some(Path::new("/run/100%")) };
        let all = arguments(place, keys).unwrap();
        let line = all.join(" ");
        for part in [
            "-F none",
            "-o BatchMode=yes",
            "-o StrictHostKeyChecking=yes",
            "-o UserKnownHostsFile=\"/run/100%%\"",
            "-o GlobalKnownHostsFile=none",
            "-o IdentityFile=\"/run/a key\"",
            "-o IdentitiesOnly=yes",
            "-p 2222 -l git -- git.example.com git-upload-pack '/it'\\''s'",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(arguments(place, Keys { identity: Some(Path::new("/a\"b")), ..keys }).is_err());
    }
}
