//! Programs in process groups of their own, none of which outlives us.
//!
//! A keeper - a shell that waits for the end of a pipe whose other end we alone hold - is told of each group before the
//! program in it begins, and kills what is left when the pipe ends, however we end. A program that makes a session of its
//! own for a child hides that child from it.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Kills the groups that are left when its input ends.
const KEEPER: &str = r#"trap '' HUP INT TERM
groups=
while read -r what group; do
  case $what in
    +) groups="$groups $group" ;;
    -) rest=; for one in $groups; do [ "$one" = "$group" ] || rest="$rest $one"; done; groups=$rest ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
exit 0"#;
/// Becomes the program when it is told to: by then the keeper knows of it.
const LAUNCHER: &str = r#"read -r go || exit 1; exec "$@" </dev/null"#;
/// A line of output that is longer is cut: CloudWatch takes events of 256 KiB.
const LINE: usize = 256 * 1024;
/// How long output is waited for that somebody holds open after the program's end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// Its working folder.
    pub folder: PathBuf,
}

/// Whoever sees to it that nothing outlives us.
#[derive(Debug)]
pub struct Keeper {
    process: Mutex<std::process::Child>,
}

/// A program that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Option<Pid>,
    readers: Vec<JoinHandle<()>>,
}

impl Keeper {
    /// Starts to watch.
    pub fn start() -> io::Result<Self> {
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", KEEPER]).env_clear().process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { process: Mutex::new(command.spawn()?) })
    }

    fn tell(&self, what: char, group: Pid) -> io::Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let input = process.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{what} {}", group.as_raw_nonzero())
    }

    /// Starts `program`; its lines go to `output`.
    pub async fn run(&self, program: &Program, output: &mpsc::Sender<String>) -> io::Result<Running> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", LAUNCHER, "sh"]).args(&program.words);
        command.env_clear().envs(program.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(&program.folder).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            self.tell('+', group)?;
        }
        if let Some(mut input) = child.stdin.take() {
            input.write_all(b"go\n").await?;
        }
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|from| tokio::spawn(read(from, output.clone()))));
        readers.extend(child.stderr.take().map(|from| tokio::spawn(read(from, output.clone()))));
        Ok(Running { child, group, readers })
    }

    /// Waits for the end of `running`, its last lines, and whatever it left running. Answers what it exited with: 128 and the
    /// number of the signal that ended it. May be dropped and called again.
    pub async fn wait(&self, running: &mut Running) -> i32 {
        let code = running.child.wait().await.map_or(255, code);
        running.signal(Signal::KILL);
        for reader in running.readers.drain(..) {
            drop(timeout(LAST_WORDS, reader).await);
        }
        if let Some(group) = running.group.take() {
            // A keeper that is gone keeps nobody.
            drop(self.tell('-', group));
        }
        code
    }

    /// Ends `running`: SIGTERM, and SIGKILL after `patience`.
    pub async fn stop(&self, running: &mut Running, patience: Duration) -> i32 {
        running.signal(Signal::TERM);
        if let Ok(code) = timeout(patience, self.wait(running)).await {
            return code;
        }
        running.signal(Signal::KILL);
        self.wait(running).await
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(process.stdin.take());
        drop(process.wait());
    }
}

impl Running {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone needs no signal.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255)
}

/// Tells the lines of `from` until it ends or nobody listens.
async fn read(from: impl AsyncRead + Unpin, output: mpsc::Sender<String>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limited = (&mut from).take(LINE as u64).read_until(b'\n', &mut line).await;
        if !limited.is_ok_and(|read| read > 0) {
            return;
        }
        let text = String::from_utf8_lossy(&line);
        if output.send(text.trim_end_matches(['\n', '\r']).to_owned()).await.is_err() {
            return;
        }
    }
}

/// Runs `program` to its end, its output unheard; false when it fails or takes longer than `patience`.
pub(super) async fn succeeds(keeper: &Keeper, program: &Program, patience: Duration) -> bool {
    let (heard, _) = mpsc::channel(1);
    let Ok(mut running) = keeper.run(program, &heard).await else { return false };
    let passed = timeout(patience, running.child.wait()).await;
    running.signal(Signal::KILL);
    keeper.wait(&mut running).await;
    passed.is_ok_and(|status| status.is_ok_and(|status| status.success()))
}
