//! Programs in process groups of their own, none of which outlives us.
//!
//! A keeper - a shell that waits for the end of a pipe whose other end we alone hold - is told of each group before the
//! program in it begins, and kills what is left when the pipe ends, however we end. A program that makes a session of its
//! own for a child hides that child from it.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::io::{self, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
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
pub struct Keeper(Arc<Pipe>);

/// The keeper's process, with our end of its pipe.
#[derive(Debug)]
struct Pipe(Mutex<std::process::Child>);

/// A program that runs. Dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Its group, until the keeper has been told that there is none any more.
    group: Option<Pid>,
    keeper: Weak<Pipe>,
    readers: Vec<JoinHandle<()>>,
}

impl Pipe {
    fn tell(&self, what: char, group: Pid) -> io::Result<()> {
        let mut process = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let input = process.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{what} {}", group.as_raw_nonzero())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let process = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(process.stdin.take());
        drop(process.wait());
    }
}

impl Keeper {
    /// Starts to watch.
    pub fn start() -> io::Result<Self> {
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", KEEPER]).env_clear().process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(Arc::new(Pipe(Mutex::new(command.spawn()?)))))
    }

    /// Starts `program`; its lines go to `output`.
    pub async fn run(&self, program: &Program, output: &mpsc::Sender<String>) -> io::Result<Running> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", LAUNCHER, "sh"]).args(&program.words);
        command.env_clear().envs(program.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(&program.folder).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        // From here on it is killed when this is dropped.
        let mut running = Running { child, group, keeper: Arc::downgrade(&self.0), readers: Vec::new() };
        if let Some(group) = group {
            self.0.tell('+', group)?;
        }
        if let Some(mut input) = running.child.stdin.take() {
            input.write_all(b"go\n").await?;
        }
        running.readers.extend(running.child.stdout.take().map(|from| tokio::spawn(read(from, output.clone()))));
        running.readers.extend(running.child.stderr.take().map(|from| tokio::spawn(read(from, output.clone()))));
        Ok(running)
    }

    /// Waits for the end of `running`, its last lines, and whatever it left running. Answers what it exited with: 128 and the
    /// number of the signal that ended it. May be dropped and called again.
    pub async fn wait(&self, running: &mut Running) -> i32 {
        let code = running.child.wait().await.map_or(255, code);
        running.bury();
        while let Some(reader) = running.readers.last_mut() {
            if timeout(LAST_WORDS, &mut *reader).await.is_err() {
                reader.abort();
            }
            running.readers.pop();
        }
        code
    }

    /// Ends `running`: SIGTERM to the program alone, as containers have it, and SIGKILL to its whole group after `patience`.
    pub async fn stop(&self, running: &mut Running, patience: Duration) -> i32 {
        if let Some(leader) = running.group {
            // One that is gone needs no signal.
            let _ = kill_process(leader, Signal::TERM);
        }
        if let Ok(code) = timeout(patience, self.wait(running)).await {
            return code;
        }
        running.signal(Signal::KILL);
        self.wait(running).await
    }
}

impl Running {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone needs no signal.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Kills what is left of its group, which is nobody's business from now on: its number may become another one's.
    fn bury(&mut self) {
        self.signal(Signal::KILL);
        if let (Some(group), Some(keeper)) = (self.group.take(), self.keeper.upgrade()) {
            // A keeper that is gone keeps nobody.
            drop(keeper.tell('-', group));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.bury();
        self.readers.iter().for_each(JoinHandle::abort);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        let words = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        Program { words, environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())], folder: "/".into() }
    }

    async fn heard(script: &str) -> (i32, Vec<String>) {
        let keeper = Keeper::start().unwrap();
        let (said, mut lines) = mpsc::channel(10);
        let mut running = keeper.run(&shell(script), &said).await.unwrap();
        drop(said);
        let code = keeper.wait(&mut running).await;
        let mut all = Vec::new();
        while let Some(line) = lines.recv().await {
            all.push(line);
        }
        (code, all)
    }

    #[tokio::test]
    async fn what_a_program_says_and_exits_with_is_told() {
        let (code, lines) = heard("echo one; echo two >&2; printf three; exit 7").await;
        assert_eq!((code, lines.len()), (7, 3));
        assert_eq!(heard("kill -9 $$").await.0, 137);
    }

    #[tokio::test]
    async fn a_child_that_holds_the_output_open_keeps_nobody_waiting() {
        let said = timeout(Duration::from_secs(30), heard("setsid sleep 60 & echo $!; exit 3")).await.unwrap();
        assert_eq!((said.0, said.1.len()), (3, 1));
        let child = Pid::from_raw(said.1[0].parse().unwrap()).unwrap();
        kill_process(child, Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn sigterm_is_for_the_program_and_sigkill_for_all_it_started() {
        let keeper = Keeper::start().unwrap();
        let (said, mut lines) = mpsc::channel(10);
        let script = "(trap 'echo child; exit' TERM; while :; do sleep 0.05; done) & trap 'sleep 0.3; echo parent; exit 5' TERM; \
                      echo $!; wait";
        let mut running = keeper.run(&shell(script), &said).await.unwrap();
        drop(said);
        let child = lines.recv().await.unwrap();
        assert_eq!(keeper.stop(&mut running, Duration::from_secs(30)).await, 5);
        assert_eq!((lines.recv().await.as_deref(), lines.recv().await), (Some("parent"), None));
        // One that is dead and not yet buried has no program any more.
        let alive = || std::fs::read_link(format!("/proc/{child}/exe")).is_ok();
        let gone = async {
            while cfg!(target_os = "linux") && alive() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), gone).await.unwrap();
    }

    #[tokio::test]
    async fn a_check_that_takes_too_long_has_failed() {
        let keeper = Keeper::start().unwrap();
        assert!(succeeds(&keeper, &shell("exit 0"), Duration::from_secs(20)).await);
        assert!(!succeeds(&keeper, &shell("exit 1"), Duration::from_secs(20)).await);
        assert!(!succeeds(&keeper, &shell("sleep 60"), Duration::from_millis(100)).await);
    }
}
