//! git's smart protocol over https: the client of the rest of the program, with the token, a limit to time and bytes, and
//! no redirection - a token is sent to nobody but the host it was given for.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io::{self, BufRead, Cursor, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gix_transport::client::blocking_io::http::{GetResponse, Http, PostBodyDataKind, PostResponse, Transport};
use reqwest::header::{HeaderName, HeaderValue, LOCATION};
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, Url, redirect};
use tokio::runtime::Handle;

use super::budget::Budget;
use super::request::Request;
use super::secret::Secret;

/// Who we are to a host that asks for a user beside the token: any will do for most.
const USER: &str = "x-access-token";

/// A client for git over https.
pub(super) fn client(authorities: Option<&Path>) -> Result<Client, String> {
    let mut builder = Client::builder().redirect(redirect::Policy::none()).https_only(true).tls_backend_rustls();
    if let Some(file) = authorities {
        let failed = |error: String| format!("{}: {error}", file.display());
        let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
        let found = Certificate::from_pem_bundle(&pem).map_err(|_| failed("not PEM certificates".to_owned()))?;
        builder = builder.tls_certs_merge(found);
    }
    builder.build().map_err(|error| format!("no https client: {}", chain(&error)))
}

/// A connection to `url`. Blocks when it is used; the runtime behind `handle` does the work.
pub(super) fn connect(
    client: Client,
    access: Access,
    url: &Url,
    budget: Arc<Budget>,
) -> Result<Transport<Https>, String> {
    let parsed = gix::url::parse(url.as_str()).map_err(|_| "not an address of a repository".to_owned())?;
    let https = Https { client, access, handle: Handle::current(), budget };
    Ok(Transport::new_http(https, parsed, gix_transport::Protocol::V2, false))
}

/// What a host wants to know of us.
#[derive(Debug, Clone)]
pub(super) struct Access {
    /// The user, where the address or the options name one.
    pub(super) user: Option<String>,
    /// The token.
    pub(super) token: Option<Secret>,
}

/// The https client as git's protocol wants it.
#[derive(Debug)]
pub(super) struct Https {
    client: Client,
    access: Access,
    handle: Handle,
    budget: Arc<Budget>,
}

impl Https {
    fn request(&self, start: RequestBuilder, headers: impl IntoIterator<Item = impl AsRef<str>>) -> RequestBuilder {
        let mut request = start;
        for line in headers {
            let (name, value) = line.as_ref().split_once(':').unwrap_or_default();
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.trim().parse::<HeaderValue>()) {
                request = request.header(name, value);
            }
        }
        match &self.access.token {
            Some(token) => request.basic_auth(self.access.user.as_deref().unwrap_or(USER), Some(token.reveal())),
            None => request,
        }
    }

    fn exchange(&self, request: RequestBuilder) -> Arc<Mutex<Exchange>> {
        let (handle, budget) = (self.handle.clone(), Arc::clone(&self.budget));
        let known = self.access.token.is_some();
        Arc::new(Mutex::new(Exchange {
            request: Some(request),
            upload: Vec::new(),
            response: None,
            handle,
            budget,
            known,
        }))
    }
}

impl Http for Https {
    type Headers = Headers;
    type ResponseBody = Body;
    type PostBody = Request<Upload>;

    fn get(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Headers, Body>> {
        let exchange = self.exchange(self.request(self.client.get(url), headers));
        Ok(GetResponse { headers: Headers::of(&exchange), body: Body::of(exchange) })
    }

    fn post(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _kind: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Headers, Body, Request<Upload>>> {
        let exchange = self.exchange(self.request(self.client.post(url), headers));
        let post_body = Request::new(Upload(Arc::clone(&exchange)));
        let headers = Headers::of(&exchange);
        Ok(PostResponse { post_body, headers, body: Body::of(exchange) })
    }

    /// Nothing of git's own configuration counts.
    fn configure(&mut self, _config: &dyn Any) -> gix::Result {
        Ok(())
    }
}

/// A request and its answer. It is sent when the answer is first asked for: by then its body is complete.
struct Exchange {
    request: Option<RequestBuilder>,
    upload: Vec<u8>,
    response: Option<Response>,
    handle: Handle,
    budget: Arc<Budget>,
    /// Whether the host was told who we are.
    known: bool,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

impl Exchange {
    /// The result of `work`, unless the look ends before.
    fn wait<T>(&self, work: impl Future<Output = reqwest::Result<T>>) -> io::Result<T> {
        let Self { handle, budget, .. } = self;
        let done = handle.block_on(async {
            tokio::select! { biased; () = budget.stop.cancelled() => None, done = work => Some(done) }
        });
        let done = done.ok_or_else(|| io::Error::other("the look was ended"))?;
        done.map_err(|error| {
            let why = chain(&error.without_url());
            budget.say(why.clone());
            io::Error::other(why)
        })
    }

    fn response(&mut self) -> io::Result<&mut Response> {
        if let Some(request) = self.request.take() {
            let request = if self.upload.is_empty() { request } else { request.body(std::mem::take(&mut self.upload)) };
            let response = self.wait(request.send())?;
            if let Some(why) = refused(&response, self.known) {
                self.budget.say(why.clone());
                return Err(io::Error::other(why));
            }
            self.response = Some(response);
        }
        self.response.as_mut().ok_or_else(|| io::Error::other("no answer"))
    }

    /// More of the body; nothing at its end.
    fn chunk(&mut self) -> io::Result<Vec<u8>> {
        self.response()?;
        let Some(mut response) = self.response.take() else { return Ok(Vec::new()) };
        let chunk = self.wait(response.chunk())?;
        self.response = Some(response);
        let chunk = chunk.map(Vec::from).unwrap_or_default();
        self.budget.take(chunk.len())?;
        Ok(chunk)
    }
}

/// Why `response` is no answer.
fn refused(response: &Response, known: bool) -> Option<String> {
    let status = response.status();
    if status.is_success() {
        return None;
    }
    if status.is_redirection() {
        let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| Url::parse(to).ok());
        let to = to.map(|to| format!(" to {}{}", to.host_str().unwrap_or_default(), to.path())).unwrap_or_default();
        return Some(format!("the host sends us on{to} ({}); name the address it has now", status.as_u16()));
    }
    let why = match (status, known) {
        (StatusCode::UNAUTHORIZED, false) => "the host wants to know who we are; give a token",
        (StatusCode::UNAUTHORIZED, true) => "the host does not accept the token",
        (StatusCode::FORBIDDEN, _) => "the token does not permit to read the repository",
        (StatusCode::NOT_FOUND, _) => "there is no such repository, or the token does not permit to see it",
        _ => "the host failed",
    };
    Some(format!("{why} ({})", status.as_u16()))
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn lock(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body of a request, as it is written.
#[derive(Debug)]
pub(super) struct Upload(Arc<Mutex<Exchange>>);

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).upload.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The headers of an answer, a line each.
#[derive(Debug)]
pub(super) struct Headers {
    exchange: Arc<Mutex<Exchange>>,
    lines: Option<Cursor<Vec<u8>>>,
}

impl Headers {
    fn of(exchange: &Arc<Mutex<Exchange>>) -> Self {
        Self { exchange: Arc::clone(exchange), lines: None }
    }

    fn lines(&mut self) -> io::Result<&mut Cursor<Vec<u8>>> {
        let lines = if let Some(lines) = self.lines.take() {
            lines
        } else {
            let mut exchange = lock(&self.exchange);
            let headers = exchange.response()?.headers().iter();
            let lines = headers.map(|(name, value)| [name.as_str().as_bytes(), b":", value.as_bytes(), b"\n"].concat());
            Cursor::new(lines.collect::<Vec<Vec<u8>>>().concat())
        };
        Ok(self.lines.insert(lines))
    }
}

impl Read for Headers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.lines()?.read(buffer)
    }
}

impl BufRead for Headers {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.lines()?.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Some(lines) = &mut self.lines {
            lines.consume(amount);
        }
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Body {
    exchange: Arc<Mutex<Exchange>>,
    chunk: Cursor<Vec<u8>>,
}

impl Body {
    fn of(exchange: Arc<Mutex<Exchange>>) -> Self {
        Self { exchange, chunk: Cursor::default() }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.chunk.get_ref().len() as u64 <= self.chunk.position() {
            self.chunk = Cursor::new(lock(&self.exchange).chunk()?);
        }
        self.chunk.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.chunk.consume(amount);
    }
}
