//! A small client of the OCI distribution API, which does what ECR wants.
//!
//! A blob is looked for, mounted, or sent by one POST and one PUT: ECR's uploads in several chunks lose data. A mount that is
//! not granted (202) becomes the upload it has started. Putting the tag a digest already has is no failure, though ECR's
//! immutable tags make it one. Passing failures are tried again a few times at once, each time with a new upload; who wants
//! more patience asks again later, when most of it is there already.

mod login;
mod session;

pub use login::{Anonymous, Login, Logins, Secret};
pub(crate) use session::Session;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::stream;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode, Url};
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use crate::error::{Cause, Error};
use crate::hash::{self, Hashing};
use crate::oci::{self, Descriptor, Document};
use crate::progress::Meter;
use crate::reference::is_digest;
use session::{Call, body};

/// The pauses before a passing failure is tried again.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// Registries refuse larger manifests.
const MANIFEST: usize = 4 * 1024 * 1024;
/// So much of a file is read at once.
const CHUNK: usize = 256 * 1024;

/// A repository of a registry.
#[derive(Clone, Copy)]
pub(crate) struct Repository<'a> {
    pub(crate) session: &'a Session,
    pub(crate) name: &'a str,
}

/// The bytes of a blob.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// How a blob came to be in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It was there.
    Present,
    /// The registry took it from another repository.
    Mounted,
    /// It was sent.
    Sent,
}

impl Repository<'_> {
    /// Whether the blob is there.
    pub(crate) async fn has_blob(&self, digest: &str) -> Result<bool, Error> {
        patiently(|| async {
            let response = self.send(Method::HEAD, &format!("blobs/{digest}"), &|request| request).await?;
            match response.status() {
                StatusCode::OK => Ok(true),
                StatusCode::NOT_FOUND => Ok(false),
                _ => Err(self.session.refusal(response).await),
            }
        })
        .await
    }

    /// Sees to it that the blob is there, by mounting it from the repository `from` of the same registry where that is granted.
    pub(crate) async fn put_blob(
        &self,
        blob: &Descriptor,
        content: &Content,
        from: Option<&str>,
        meter: &Meter,
    ) -> Result<Put, Error> {
        if self.has_blob(&blob.digest).await? {
            return Ok(Put::Present);
        }
        patiently(|| async {
            let Some(upload) = self.start(&blob.digest, from).await? else { return Ok(Put::Mounted) };
            self.upload(upload, blob, content, meter).await.map(|()| Put::Sent)
        })
        .await
    }

    /// Mounts the blob, if that is granted.
    pub(crate) async fn mount_blob(&self, digest: &str, from: &str) -> Result<bool, Error> {
        patiently(|| async { Ok(self.start(digest, Some(from)).await?.is_none()) }).await
    }

    /// Where to send a blob to; nothing when it was mounted.
    async fn start(&self, digest: &str, from: Option<&str>) -> Result<Option<Url>, Error> {
        let mut url = self.url("blobs/uploads/").await?;
        if let Some(from) = from {
            url.query_pairs_mut().append_pair("mount", digest).append_pair("from", from);
        }
        let call = self.call(Method::POST, url, &|request| request.header(CONTENT_LENGTH, 0));
        let response = self.session.send(&call).await?;
        match response.status() {
            StatusCode::CREATED if from.is_some() => Ok(None),
            StatusCode::ACCEPTED => location(&response).map(Some).ok_or_else(|| {
                self.session.fault(Cause::RegistryRefused, "an upload was started without a place for it".to_owned())
            }),
            _ => Err(self.session.refusal(response).await),
        }
    }

    async fn upload(&self, mut url: Url, blob: &Descriptor, content: &Content, meter: &Meter) -> Result<(), Error> {
        url.query_pairs_mut().append_pair("digest", &blob.digest);
        let dress = |request: RequestBuilder| {
            meter.restart();
            let request = request.header(CONTENT_TYPE, "application/octet-stream").header(CONTENT_LENGTH, blob.size);
            request.body(content.stream(meter))
        };
        let call = Call { bytes: blob.size, ..self.call(Method::PUT, url, &dress) };
        let response = self.session.send(&call).await?;
        match response.status() {
            StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(()),
            _ => Err(self.session.refusal(response).await),
        }
    }

    /// A blob as a document of moderate size.
    pub(crate) async fn blob(&self, digest: &str) -> Result<Vec<u8>, Error> {
        patiently(|| async {
            let response = self.send(Method::GET, &format!("blobs/{digest}"), &|request| request).await?;
            if response.status() != StatusCode::OK {
                return Err(self.session.refusal(response).await);
            }
            let bytes = self.body(response).await?;
            self.proven(digest, bytes)
        })
        .await
    }

    /// A blob into a new file in the folder `scratch`.
    pub(crate) async fn download(
        &self,
        blob: &Descriptor,
        scratch: &Path,
        meter: &Meter,
    ) -> Result<NamedTempFile, Error> {
        patiently(|| async {
            meter.restart();
            let url = self.url(&format!("blobs/{}", blob.digest)).await?;
            let call = Call { bytes: blob.size, ..self.call(Method::GET, url, &|request| request) };
            let mut response = self.session.send(&call).await?;
            if response.status() != StatusCode::OK {
                return Err(self.session.refusal(response).await);
            }
            let file = NamedTempFile::new_in(scratch).map_err(|error| Error::local(scratch, error))?;
            let mut hashing = Hashing::new(file.as_file());
            let broken = |error: reqwest::Error| {
                self.session.fault(Cause::RegistryUnavailable, crate::error::chain(&error.without_url()))
            };
            while let Some(chunk) = response.chunk().await.map_err(broken)? {
                hashing.write_all(&chunk).map_err(|error| Error::local(file.path(), error))?;
                meter.add(chunk.len() as u64);
            }
            let (_, digest, _) = hashing.finish();
            if digest == blob.digest { Ok(file) } else { Err(self.other_bytes(&blob.digest)) }
        })
        .await
    }

    /// The digest a tag or digest stands for, or none.
    pub(crate) async fn resolve(&self, version: &str) -> Result<Option<String>, Error> {
        patiently(|| async {
            let response = self.ask_manifest(Method::HEAD, version).await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok(None),
                _ => return Err(self.session.refusal(response).await),
            }
            let said = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
            match said.filter(|said| is_digest(said)) {
                Some(digest) => Ok(Some(digest.to_owned())),
                None => Ok(self.manifest_once(version).await?.map(|document| document.descriptor.digest)),
            }
        })
        .await
    }

    /// A manifest or a list of them, or none.
    pub(crate) async fn manifest(&self, version: &str) -> Result<Option<Document>, Error> {
        patiently(|| self.manifest_once(version)).await
    }

    async fn manifest_once(&self, version: &str) -> Result<Option<Document>, Error> {
        let response = self.ask_manifest(Method::GET, version).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                let refusal = self.session.refusal(response).await;
                return if refusal.cause == Cause::RepositoryMissing { Err(refusal) } else { Ok(None) };
            }
            _ => return Err(self.session.refusal(response).await),
        }
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or(oci::MANIFEST).split(';').next().unwrap_or_default().to_owned();
        let mut bytes = self.body(response).await?;
        if is_digest(version) {
            bytes = self.proven(version, bytes)?;
        }
        Ok(Some(Document { descriptor: Descriptor::of(&media_type, &bytes), bytes }))
    }

    async fn ask_manifest(&self, method: Method, version: &str) -> Result<Response, Error> {
        let accepted = [oci::MANIFEST, oci::INDEX, oci::DOCKER_MANIFEST, oci::DOCKER_LIST].join(", ");
        self.send(method, &format!("manifests/{version}"), &|request| request.header(ACCEPT, &accepted)).await
    }

    /// Puts a manifest under a tag or under its digest. That the tag already stands for it is as good; that it stands for
    /// another and may not move is `TagTaken`. True when the registry lists by itself what refers to what.
    pub(crate) async fn put_manifest(&self, document: &Document, version: &str) -> Result<bool, Error> {
        let put = patiently(|| async {
            let dress = |request: RequestBuilder| {
                request.header(CONTENT_TYPE, &document.descriptor.media_type).body(document.bytes.clone())
            };
            let response = self.send(Method::PUT, &format!("manifests/{version}"), &dress).await?;
            if !response.status().is_success() {
                return Err(self.session.refusal(response).await);
            }
            Ok(response.headers().contains_key("oci-subject"))
        });
        match put.await {
            // Also what comes of an attempt that succeeded and whose answer was lost.
            Err(error) if matches!(error.cause, Cause::TagTaken) => match self.resolve(version).await? {
                Some(digest) if digest == document.descriptor.digest => Ok(false),
                Some(_) | None => Err(error.hinted("an immutable tag stands for other content; take another one")),
            },
            answered => answered,
        }
    }

    /// Artifacts that say something about `digest`, as the registry lists them; none where it does not.
    pub(crate) async fn referrers(&self, digest: &str) -> Result<Option<Vec<u8>>, Error> {
        patiently(|| async {
            let response = self.send(Method::GET, &format!("referrers/{digest}"), &|request| request).await?;
            match response.status() {
                StatusCode::OK => self.body(response).await.map(Some),
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST => Ok(None),
                _ => Err(self.session.refusal(response).await),
            }
        })
        .await
    }

    async fn body(&self, response: Response) -> Result<Vec<u8>, Error> {
        body(response, MANIFEST).await.map_err(|problem| self.session.fault(Cause::RegistryUnavailable, problem))
    }

    fn proven(&self, digest: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
        if hash::of(&bytes) == digest { Ok(bytes) } else { Err(self.other_bytes(digest)) }
    }

    /// A transfer that broke off in a way nobody noticed is tried again like any other.
    fn other_bytes(&self, digest: &str) -> Error {
        self.session.fault(Cause::RegistryUnavailable, format!("{}: other bytes came than {digest}", self.name))
    }

    async fn url(&self, path: &str) -> Result<Url, Error> {
        let joined = self.session.base().await?.join(&format!("v2/{}/{path}", self.name));
        joined.map_err(|error| self.session.fault(Cause::RegistryRefused, error.to_string()))
    }

    fn call<'b>(
        &self,
        method: Method,
        url: Url,
        dress: &'b (dyn Fn(RequestBuilder) -> RequestBuilder + Send + Sync),
    ) -> Call<'b> {
        let writes = !matches!(method, Method::GET | Method::HEAD);
        let scope = format!("repository:{}:{}", self.name, if writes { "pull,push" } else { "pull" });
        Call { method, url, scope, bytes: 0, dress }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        dress: &(dyn Fn(RequestBuilder) -> RequestBuilder + Send + Sync),
    ) -> Result<Response, Error> {
        let url = self.url(path).await?;
        self.session.send(&self.call(method, url, dress)).await
    }
}

impl Content {
    /// The bytes as a request's body, counted as they go.
    fn stream(&self, meter: &Meter) -> Body {
        match self {
            Self::Bytes(bytes) => {
                meter.add(bytes.len() as u64);
                Body::from(bytes.clone())
            }
            Self::File(path) => {
                let start = (path.clone(), None::<File>, meter.clone());
                Body::wrap_stream(stream::try_unfold(start, |(path, file, meter)| async move {
                    let mut file = match file {
                        Some(file) => file,
                        None => File::open(&path).await?,
                    };
                    let mut chunk = vec![0; CHUNK];
                    let read = file.read(&mut chunk).await?;
                    chunk.truncate(read);
                    meter.add(read as u64);
                    Ok::<_, std::io::Error>((read > 0).then_some((chunk, (path, Some(file), meter))))
                }))
            }
        }
    }
}

/// Where the registry wants an upload to go: relative to where it was asked, or not.
fn location(response: &Response) -> Option<Url> {
    let said = response.headers().get(LOCATION)?.to_str().ok()?;
    response.url().join(said).ok()
}

/// Does `once`, and again after a passing failure of the registry.
async fn patiently<T, F: Future<Output = Result<T, Error>>>(once: impl Fn() -> F) -> Result<T, Error> {
    for pause in PAUSES {
        match once().await {
            Err(error) if error.cause == Cause::RegistryUnavailable => {
                tracing::debug!(%error, "tried again");
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a second in all; whoever waits longer asks again later"
                )]
                tokio::time::sleep(pause).await;
            }
            answered => return answered,
        }
    }
    once().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Phase, Progress};
    use async_trait::async_trait;
    use std::sync::{Arc, Mutex};
    use tempfile::TempDir;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    /// Answers every request by `answer`, and remembers them.
    async fn server(answer: impl Fn(&str) -> String + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                while !bytes.ends_with(b"\r\n\r\n") {
                    bytes.push(stream.read_u8().await.unwrap());
                }
                let request = String::from_utf8(bytes).unwrap().to_lowercase();
                stream.write_all(answer(&request).as_bytes()).await.unwrap();
                heard.lock().unwrap().push(request);
            }
        });
        (address, requests)
    }

    fn response(status: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
    }

    struct At(String);

    #[async_trait]
    impl Logins for At {
        async fn login(&self, _: &str, _: Option<&Login>) -> Result<Login, Error> {
            Ok(Login { endpoint: Some(self.0.clone()), ..Login::new("user", Secret::new("password")) })
        }
    }

    fn session(address: &str) -> Session {
        Session::new(reqwest::Client::new(), "registry.example.com", Arc::new(At(address.to_owned())))
    }

    fn meter() -> Meter {
        Progress::silent().transfer(Phase::Push, 0).meter()
    }

    #[tokio::test]
    async fn other_bytes_than_a_digest_says_are_not_taken() {
        let (address, _) = server(|_| response("200 OK", "", "other bytes")).await;
        let (session, scratch) = (session(&address), TempDir::new().unwrap());
        let repository = Repository { session: &session, name: "agents/bot" };
        let wanted = Descriptor::of(oci::LAYER, b"the bytes");
        let errors = [
            repository.blob(&wanted.digest).await.unwrap_err(),
            repository.download(&wanted, scratch.path(), &meter()).await.unwrap_err(),
            repository.manifest(&wanted.digest).await.unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.message.contains("other bytes came than sha256:")), "{errors:?}");
        let same = Descriptor::of(oci::LAYER, b"other bytes");
        assert_eq!(repository.blob(&same.digest).await.unwrap(), b"other bytes");
    }

    #[tokio::test]
    async fn a_password_goes_to_the_registry_and_nowhere_else() {
        let (elsewhere, heard_elsewhere) = server(|_| response("201 Created", "", "")).await;
        let (address, heard) = server(move |head| {
            if !head.contains("authorization") {
                return response("401 Unauthorized", "www-authenticate: Basic realm=\"x\"\r\n", "");
            }
            let place = format!("location: {elsewhere}/upload\r\n");
            if head.starts_with("head") {
                response("404 Not Found", "", "")
            } else {
                response("202 Accepted", &place, "")
            }
        })
        .await;
        let session = session(&address);
        let repository = Repository { session: &session, name: "agents/bot" };
        let blob = Descriptor::of(oci::LAYER, b"x");
        let put = repository.put_blob(&blob, &Content::Bytes(b"x".to_vec()), None, &meter()).await.unwrap();
        assert_eq!(put, Put::Sent);
        assert!(heard.lock().unwrap().iter().any(|head| head.contains("authorization: basic")));
        let elsewhere = heard_elsewhere.lock().unwrap();
        assert!(elsewhere[0].starts_with("put /upload?digest=sha256") && !elsewhere[0].contains("authorization"));
    }
}
