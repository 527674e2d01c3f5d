//! A process that goes on until it is told to end, everything it says, and HTTP in a few lines to talk to it.

#![expect(clippy::disallowed_methods, reason = "a real process runs in real time")]

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A step that takes longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running process. Dropped, it is killed.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    heard: Arc<Mutex<String>>,
    ears: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts `command`.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the process starts");
        let (sender, lines) = mpsc::channel();
        let heard = Arc::new(Mutex::new(String::new()));
        let ears = vec![
            listen(child.stdout.take().expect("its standard output"), sender.clone(), Arc::clone(&heard)),
            listen(child.stderr.take().expect("its standard error"), sender, Arc::clone(&heard)),
        ];
        Self { child, lines, heard, ears }
    }

    /// The next line that contains `text`.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_within(text, PATIENCE)
    }

    /// The same, with more or less patience.
    #[track_caller]
    pub fn wait_within(&self, text: &str, patience: Duration) -> String {
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!("no line with `{text}` ({error}); heard:\n{}", self.heard()),
            }
        }
    }

    /// Asks again and again until `holds` does, for what no line announces.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < end, "{what} did not come about; heard:\n{}", self.heard());
            // A line, or a moment without one: nothing here sleeps longer than the process is silent.
            drop(self.lines.recv_timeout(Duration::from_millis(100)));
        }
    }

    /// Everything it said so far, to standard output and standard error.
    pub fn heard(&self) -> String {
        self.heard.lock().expect("nobody panics while listening").clone()
    }

    /// Sends `signal`.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill");
        assert!(status.success());
    }

    /// Sends `signal` and answers the exit code and the seconds it took.
    pub fn end(&mut self, signal: &str) -> (Option<i32>, u64) {
        let begun = Instant::now();
        self.signal(signal);
        let code = self.child.wait().expect("the process ends").code();
        for ear in self.ears.drain(..) {
            ear.join().expect("nobody panics while listening");
        }
        (code, begun.elapsed().as_secs())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn listen(stream: impl Read + Send + 'static, lines: Sender<String>, heard: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut heard = heard.lock().expect("nobody panics while listening");
            heard.push_str(&line);
            heard.push('\n');
            drop(heard);
            // Everything is heard to the end, even when nobody waits for lines any more.
            drop(lines.send(line));
        }
    })
}

/// The headers of a request.
type Headers<'a> = &'a [(&'a str, String)];

/// The address in a line of text.
pub fn address(line: &str) -> String {
    let at = line.find("http://").expect("an address");
    line[at..].split_whitespace().next().expect("a word").to_owned()
}

/// The body of the answer to a request.
pub fn http<B: AsRef<[u8]> + ?Sized>(base: &str, method: &str, path: &str, headers: Headers<'_>, body: &B) -> String {
    let answer = exchange(base, method, path, headers, body);
    answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
}

/// The whole answer to a request.
pub fn exchange<B: AsRef<[u8]> + ?Sized>(
    base: &str,
    method: &str,
    path: &str,
    headers: Headers<'_>,
    body: &B,
) -> String {
    let body = body.as_ref();
    let length = body.len();
    let headers = [headers, &[("content-length", length.to_string())]].concat();
    let mut stream = request(base, method, path, &headers);
    // Whoever has heard enough answers and closes, perhaps before the end.
    drop(stream.write_all(body));
    answer(stream)
}

/// The whole answer to a POST of no announced length that goes on for `count` chunks of 64 KiB.
pub fn chunked(base: &str, path: &str, headers: &[(&str, String)], count: usize) -> String {
    let headers = [headers, &[("transfer-encoding", "chunked".to_owned())]].concat();
    let mut stream = request(base, "POST", path, &headers);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
    for _ in 0..count {
        if stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    drop(stream.write_all(b"0\r\n\r\n"));
    answer(stream)
}

/// The head of a request, sent.
fn request(base: &str, method: &str, path: &str, headers: &[(&str, String)]) -> TcpStream {
    let host = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("the server answers");
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).expect("the request is sent");
    stream
}

/// Everything that is answered, up to the end of the connection, be it a rude one.
fn answer(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

/// Somebody's call to the ECS at `base`, as any AWS CLI would make it.
pub fn ecs(base: &str, operation: &str, request: &Value) -> Value {
    let credential = "AKIASOMEBODY/20260101/us-east-1/ecs/aws4_request";
    let headers = [
        ("x-amz-target", format!("AmazonEC2ContainerServiceV20141113.{operation}")),
        ("content-type", "application/x-amz-json-1.1".to_owned()),
        ("authorization", format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")),
    ];
    json(&http(base, "POST", "/", &headers, &request.to_string()))
}

/// The JSON in a body, which may come in chunks.
pub fn json(body: &str) -> Value {
    let json = body.find(['{', '[']).map_or("null", |at| &body[at..=body.rfind(['}', ']']).unwrap_or(at)]);
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {body}"))
}
