//! Just enough HTTP and AWS protocol to speak to an emulator on this machine.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::REGION;

/// By this name our own calls are told from those of the program under test.
pub(super) const USER_AGENT: &str = "fargateer-tests-emulators";

/// The AWS API at a port of this machine.
pub(super) struct Aws {
    port: u16,
}

impl Aws {
    pub(super) fn new(port: u16) -> Self {
        Self { port }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The answer to an AWS JSON request. Null where the thing to be made is there already.
    pub(super) fn call(&self, service: &str, target: &str, request: &Value) -> Value {
        // Nobody checks the signature; the scope says region and service.
        let scope = format!("test/20260101/{REGION}/{service}/aws4_request");
        let headers = format!(
            "Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n\
             X-Amz-Target: {target}\r\nX-Amz-Date: 20260101T000000Z\r\nContent-Type: application/x-amz-json-1.1\r\n"
        );
        let (status, body) = send(self.port, "POST /", &headers, &request.to_string())
            .unwrap_or_else(|error| panic!("{target}: {error}"));
        let there_already = ["AlreadyExists", "not idempotent"].iter().any(|text| body.contains(text));
        match status {
            200 => serde_json::from_str(&body).unwrap_or_else(|error| panic!("{target}: {error}: {body}")),
            _ if there_already => Value::Null,
            _ => panic!("{target}: {status} {body}"),
        }
    }
}

/// Whether something answers 200 at `path`.
pub(super) fn answers(port: u16, path: &str) -> bool {
    send(port, &format!("GET {path}"), "", "").is_ok_and(|(status, _)| status == 200)
}

/// Status and body.
fn send(port: u16, request: &str, headers: &str, body: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let length = body.len();
    // HTTP/1.0: the answer comes in one piece and ends with the connection.
    write!(
        stream,
        "{request} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: {USER_AGENT}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
}
