//! A server beside a test: it begins when it answers and ends with the test, however that one ends.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Ends a command when our end of its standard input closes, which even a killed test does.
const SUPERVISE: &str = include_str!("supervise.py");

/// How often it is asked, and how many times, before it counts as not starting.
const PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: u32 = 1200;

/// A running process with all it started.
pub(crate) struct Process {
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        // The whole group; its leader's id is its id as long as we have not waited for the leader.
        let group = format!("-{}", self.child.id());
        Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status().ok();
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A command that runs `program` under the supervision of `python`, in a group of its own, nothing in its environment, its
/// output in `<home>/<name>.log`.
pub(crate) fn command(python: &Path, program: &Path, home: &Path, name: &str) -> Command {
    let log = File::create(home.join(format!("{name}.log"))).expect("a log for a server");
    let mut command = Command::new(python);
    command.args(["-c", SUPERVISE]).arg(program).env_clear().current_dir(home).process_group(0);
    command.stdin(Stdio::piped()).stdout(log.try_clone().expect("a log for a server")).stderr(log);
    command
}

/// Starts what `make` makes for a free port, and waits until it `answers` there. Answers the port, too.
pub(crate) fn on_a_free_port(
    name: &str,
    answers: impl Fn(u16) -> bool,
    make: impl Fn(u16) -> Command,
) -> (u16, Process) {
    let mut last = String::new();
    // Somebody else may take the port before the server does: then it ends, and another one is tried.
    for _ in 0..3 {
        let port = free_port();
        let mut command = make(port);
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let mut process = Process { child };
        if process.begins(|| answers(port)) {
            return (port, process);
        }
        let log = command.get_current_dir().map(|home| home.join(format!("{name}.log"))).unwrap_or_default();
        last = fs::read_to_string(log).unwrap_or_default();
    }
    panic!("{name} does not start; it said:\n{last}");
}

impl Process {
    fn begins(&mut self, answers: impl Fn() -> bool) -> bool {
        for _ in 0..PATIENCE {
            if answers() {
                // Not by somebody else at the same port.
                return self.runs();
            }
            if !self.runs() {
                return false;
            }
            thread::park_timeout(PAUSE);
        }
        false
    }

    fn runs(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("the port's number").port()
}
