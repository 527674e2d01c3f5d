//! A small HTTP load balancer: round robin over the targets in service, a connection to the target for each request.
//!
//! A target that leaves service gets no new request and keeps those it has; `idle` tells when it has none. A request that
//! could not be sent because the target takes no connection goes to the next one. WebSockets and streams go through.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, HOST, HeaderName, HeaderValue, UPGRADE};
use axum::http::{Response, StatusCode, Uri, Version};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// How long a target may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// What holds for one connection and not for the next.
const PER_HOP: [&str; 5] = ["keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"];

/// Where requests go. Clones share one table.
#[derive(Clone, Debug, Default)]
pub struct Table(Arc<Mutex<Targets>>);

#[derive(Debug, Default)]
struct Targets {
    all: BTreeMap<SocketAddr, Target>,
    turn: usize,
}

#[derive(Debug, Default)]
struct Target {
    serves: bool,
    retired: bool,
    requests: Arc<AtomicUsize>,
}

/// A request under way to a target.
#[derive(Debug)]
struct Lease {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Table {
    fn targets(&self) -> MutexGuard<'_, Targets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `address` gets requests, or none for now.
    pub fn put(&self, address: SocketAddr, serves: bool) {
        let mut targets = self.targets();
        let target = targets.all.entry(address).or_default();
        target.serves = serves && !target.retired;
    }

    /// From now on `address` gets no requests any more, whatever is still said of it.
    pub fn retire(&self, address: SocketAddr) {
        if let Some(target) = self.targets().all.get_mut(&address) {
            (target.serves, target.retired) = (false, true);
        }
    }

    /// Forgets `address`. Requests under way go on.
    pub fn remove(&self, address: SocketAddr) {
        self.targets().all.remove(&address);
    }

    /// Whether no request to `address` is under way.
    pub fn idle(&self, address: SocketAddr) -> bool {
        let targets = self.targets();
        targets.all.get(&address).is_none_or(|target| target.requests.load(Ordering::Acquire) == 0)
    }

    /// The next target in service whose turn it is, but none of `tried`.
    fn next(&self, tried: &[SocketAddr]) -> Option<Lease> {
        let mut targets = self.targets();
        let open: Vec<SocketAddr> = targets
            .all
            .iter()
            .filter(|(address, target)| target.serves && !tried.contains(address))
            .map(|(address, _)| *address)
            .collect();
        let address = *open.get(targets.turn.checked_rem(open.len())?)?;
        targets.turn = targets.turn.wrapping_add(1);
        let requests = Arc::clone(&targets.all.get(&address)?.requests);
        // Under the lock: who takes the target out of service afterwards sees the request.
        requests.fetch_add(1, Ordering::AcqRel);
        Some(Lease { address, requests })
    }

    /// Answers requests at `listener` until `stop` resolves.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send) -> io::Result<()> {
        let router = Router::new().fallback(forward).with_state(self);
        // No grace for connections: who stops us has stopped the targets, too.
        tokio::select! {
            served = async { axum::serve(listener, router).await } => served,
            () = stop => Ok(()),
        }
    }
}

async fn forward(State(table): State<Table>, request: Request) -> Response<Body> {
    let mut tried = Vec::new();
    while let Some(lease) = table.next(&tried) {
        match timeout(CONNECT, TcpStream::connect(lease.address)).await {
            Ok(Ok(stream)) => return pass(stream, lease, request).await,
            Ok(Err(_)) | Err(_) => tried.push(lease.address),
        }
    }
    if tried.is_empty() {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "no task is healthy");
    }
    refusal(StatusCode::BAD_GATEWAY, "no task takes a connection")
}

fn refusal(status: StatusCode, why: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{{\"error\":\"{why}\"}}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

/// Sends a request over a new connection, and its answer back as it comes.
async fn pass(stream: TcpStream, lease: Lease, mut request: Request) -> Response<Body> {
    let client = hyper::upgrade::on(&mut request);
    let request = dress(request);
    let connected = http1::handshake::<_, Body>(TokioIo::new(stream)).await;
    let Ok((mut sender, connection)) = connected else {
        return refusal(StatusCode::BAD_GATEWAY, "the task broke the connection");
    };
    tokio::spawn(connection.with_upgrades());
    let Ok(mut response) = sender.send_request(request).await else {
        return refusal(StatusCode::BAD_GATEWAY, "the task broke the connection");
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let target = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            let _lease = lease;
            if let (Ok(client), Ok(target)) = (client.await, target.await) {
                // Ends when either side does.
                drop(copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(target)).await);
            }
        });
        return response.map(|_| Body::empty());
    }
    let (mut parts, body) = response.into_parts();
    strip(&mut parts.headers, false);
    // The request is under way until the last piece of its answer has gone.
    let body = body.map_frame(move |frame| {
        let _held = &lease;
        frame
    });
    Response::from_parts(parts, Body::new(body))
}

/// A request as a load balancer sends it on.
fn dress(mut request: Request) -> Request {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    *request.version_mut() = Version::HTTP_11;
    let upgrades = request.headers().contains_key(UPGRADE);
    let headers = request.headers_mut();
    strip(headers, upgrades);
    if !headers.contains_key(HOST) {
        headers.insert(HOST, HeaderValue::from_static("localhost"));
    }
    headers.insert("x-forwarded-for", HeaderValue::from_static("127.0.0.1"));
    headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
    request
}

fn strip(headers: &mut axum::http::HeaderMap, upgrades: bool) {
    for name in PER_HOP {
        headers.remove(HeaderName::from_static(name));
    }
    if !upgrades {
        headers.remove(CONNECTION);
    }
}

/// The status with which `address` answers a GET of `path`, if it does in time.
pub async fn status(address: SocketAddr, path: &str, patience: Duration) -> Option<u16> {
    let ask = async {
        let stream = TcpStream::connect(address).await.ok()?;
        let (mut sender, connection) = http1::handshake::<_, Body>(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        let request = axum::http::Request::get(path).header(HOST, address.to_string());
        let request = request.header("user-agent", "ELB-HealthChecker/2.0").body(Body::empty()).ok()?;
        sender.send_request(request).await.ok().map(|response| response.status().as_u16())
    };
    timeout(patience, ask).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 20, 0, last], 8000))
    }

    #[test]
    fn targets_in_service_take_turns() {
        let table = Table::default();
        (1..=3).for_each(|last| table.put(address(last), last != 2));
        let turns: Vec<SocketAddr> = (0..4).filter_map(|_| table.next(&[])).map(|lease| lease.address).collect();
        assert_eq!(turns, [address(1), address(3), address(1), address(3)]);
        assert!(table.next(&[address(1), address(3)]).is_none());
    }

    #[test]
    fn a_target_that_leaves_is_idle_once_its_requests_have_gone() {
        let table = Table::default();
        table.put(address(1), true);
        let lease = table.next(&[]);
        table.retire(address(1));
        // A check that was under way.
        table.put(address(1), true);
        assert!(!table.idle(address(1)) && table.next(&[]).is_none());
        drop(lease);
        assert!(table.idle(address(1)));
    }

    async fn bound() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// The proxy before a target at `address`, and a connection to it on which a request was made.
    async fn asked(address: SocketAddr, request: &str) -> (Table, TcpStream) {
        let (listener, front) = bound().await;
        let table = Table::default();
        table.put(address, true);
        tokio::spawn(table.clone().serve(listener, std::future::pending()));
        let mut client = TcpStream::connect(front).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        (table, client)
    }

    /// Reads until `text` was said.
    async fn until(stream: &mut TcpStream, text: &str) -> String {
        let mut heard = String::new();
        while !heard.contains(text) {
            let mut piece = [0; 1024];
            let count = timeout(Duration::from_secs(30), stream.read(&mut piece)).await.unwrap().unwrap();
            assert!(count > 0, "only heard {heard:?}");
            heard.push_str(std::str::from_utf8(&piece[..count]).unwrap());
        }
        heard
    }

    #[tokio::test]
    async fn a_stream_comes_piece_by_piece_and_is_under_way_until_its_end() {
        let (listener, address) = bound().await;
        let (table, mut client) = asked(address, "GET /stream?a=b HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let (mut target, _) = listener.accept().await.unwrap();
        let head = until(&mut target, "\r\n\r\n").await;
        assert!(
            head.starts_with("GET /stream?a=b HTTP/1.1\r\n") && head.contains("x-forwarded-for: 127.0.0.1"),
            "{head}"
        );
        target.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await.unwrap();
        until(&mut client, "one").await;
        table.retire(address);
        assert!(!table.idle(address));
        target.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
        until(&mut client, "0\r\n\r\n").await;
        while !table.idle(address) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_websocket_goes_through_both_ways_and_is_under_way_until_it_closes() {
        let (listener, address) = bound().await;
        let request = "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        let (table, mut client) = asked(address, request).await;
        let (mut target, _) = listener.accept().await.unwrap();
        assert!(until(&mut target, "\r\n\r\n").await.contains("upgrade: websocket"));
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        target.write_all(answer).await.unwrap();
        assert!(until(&mut client, "\r\n\r\n").await.starts_with("HTTP/1.1 101"));
        client.write_all(b"hello").await.unwrap();
        until(&mut target, "hello").await;
        target.write_all(b"and back").await.unwrap();
        until(&mut client, "and back").await;
        assert!(!table.idle(address));
        drop((client, target));
        while !table.idle(address) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_target_that_takes_no_connection_is_passed_over() {
        let (listener, address) = bound().await;
        let (closed, gone) = bound().await;
        drop(closed);
        let (table, mut client) = asked(address, "").await;
        table.put(gone, true);
        let answering = tokio::spawn(async move {
            for _ in 0..2 {
                let (mut target, _) = listener.accept().await.unwrap();
                until(&mut target, "\r\n\r\n").await;
                target.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            }
        });
        for _ in 0..2 {
            client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            assert!(until(&mut client, "\r\n\r\n").await.starts_with("HTTP/1.1 204"));
        }
        answering.await.unwrap();
    }
}
