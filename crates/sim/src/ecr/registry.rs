//! The registry's own protocol: the OCI distribution API as ECR speaks it, quirks included.
//!
//! Basic auth with the password of GetAuthorizationToken, in which account, region and expiry are written so that nothing is
//! kept about it. Referrers are not listed (404), so that clients fall back to tags; deleting a blob is not allowed.

use super::image::{Pushed, Stored, find, store};
use super::layer;
use super::manifest;
use super::repository::missing;
use crate::refusal::Refusal;
use crate::state::Region;
use crate::state::ecr::{Repository, Upload};
use crate::wire::{Request, Response};
use aws_smithy_types::base64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The largest manifest, in bytes.
const MANIFEST: usize = 4 * 1024 * 1024;

/// The address of the registry.
pub(super) fn endpoint(region: &Region) -> String {
    let real = || format!("https://{}.dkr.ecr.{}.amazonaws.com", region.account, region.name);
    region.settings.registry.endpoint.clone().unwrap_or_else(real)
}

fn seal(account: &str, region: &str, expires: u64) -> String {
    hex::encode(Sha256::digest(format!("{account}|{region}|{expires}|sealed").as_bytes()))
}

/// GetAuthorizationToken: `AWS:password` in base64, good for twelve hours.
pub(super) fn authorization_token(region: &Region) -> Value {
    let expires = region.now + Duration::from_hours(12);
    let epoch = region.settings.epoch.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let second = (epoch + expires).as_secs();
    let seal = seal(&region.account, &region.name, second);
    let password = format!("{}|{}|{second}|{seal}", region.account, region.name);
    let token = base64::encode(format!("AWS:{}", base64::encode(password)));
    json!({"authorizationData": [{
        "authorizationToken": token,
        "expiresAt": region.stamp(expires),
        "proxyEndpoint": endpoint(region),
    }]})
}

/// The account and region a caller proves to be of, at a date in seconds since 1970.
pub(crate) fn authorized(authorization: Option<&str>, second: u64) -> Option<(String, String)> {
    let decode = |text: &str| String::from_utf8(base64::decode(text.trim()).ok()?).ok();
    let login = decode(authorization?.strip_prefix("Basic ")?)?;
    let password = decode(login.strip_prefix("AWS:")?)?;
    let mut parts = password.split('|');
    let (account, region) = (parts.next()?, parts.next()?);
    let expires: u64 = parts.next()?.parse().ok()?;
    let sealed = parts.next()? == seal(account, region, expires);
    (sealed && second < expires).then(|| (account.to_owned(), region.to_owned()))
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Root,
    Blob(String),
    Uploads,
    Upload(String),
    Manifest(String),
    Tags,
    Referrers,
}

/// The repository and the place of a path below `/v2/`.
fn place(path: &str) -> Option<(String, Place)> {
    let rest = path.strip_prefix("/v2")?.trim_start_matches('/');
    if rest.is_empty() {
        return Some((String::new(), Place::Root));
    }
    let cut = |at: &str| rest.rsplit_once(at).map(|(name, tail)| (name.to_owned(), tail.to_owned()));
    if let Some((name, id)) = cut("/blobs/uploads") {
        let id = id.trim_start_matches('/').to_owned();
        return Some((name, if id.is_empty() { Place::Uploads } else { Place::Upload(id) }));
    }
    if let Some((name, digest)) = cut("/blobs/") {
        return Some((name, Place::Blob(digest)));
    }
    if let Some((name, reference)) = cut("/manifests/") {
        return Some((name, Place::Manifest(reference)));
    }
    if let Some((name, _)) = cut("/referrers/") {
        return Some((name, Place::Referrers));
    }
    rest.strip_suffix("/tags/list").map(|name| (name.to_owned(), Place::Tags))
}

/// The name under which a request is recorded and meets its faults, and the repository it is about.
pub(crate) fn operation(request: &Request) -> (&'static str, String) {
    let (name, place) = place(&request.path).unwrap_or((String::new(), Place::Root));
    let reads = matches!(request.method.as_str(), "GET" | "HEAD");
    let operation = match (place, reads) {
        (Place::Root, _) => "GetVersion",
        (Place::Blob(_), true) => "GetBlob",
        (Place::Blob(_), false) => "DeleteBlob",
        (Place::Uploads, _) => "StartUpload",
        (Place::Upload(_), true) => "GetUpload",
        (Place::Upload(_), false) => "UploadBlob",
        (Place::Manifest(_), true) => "GetManifest",
        (Place::Manifest(_), false) if request.method == "PUT" => "PutManifest",
        (Place::Manifest(_), false) => "DeleteManifest",
        (Place::Tags, _) => "ListTags",
        (Place::Referrers, _) => "ListReferrers",
    };
    (operation, name)
}

/// An error as the protocol writes it.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Response {
    let body = json!({"errors": [{"code": code, "message": message}]}).to_string();
    Response {
        status,
        headers: vec![("content-type", "application/json; charset=utf-8".to_owned())],
        body: body.into_bytes(),
    }
}

/// The answer to a caller who has not logged in.
pub(crate) fn unauthorized(region: &str) -> Response {
    let mut response = error(401, "UNAUTHORIZED", "authentication required");
    let service = format!("https://ecr.{region}.amazonaws.com/");
    response.headers.push(("www-authenticate", format!("Basic realm=\"{service}\",service=\"ecr.amazonaws.com\"")));
    response
}

/// Answers a caller who has logged in.
pub(crate) fn answer(region: &mut Region, request: &Request) -> Response {
    let mut response = match place(&request.path) {
        None => error(404, "NOT_FOUND", "no such resource"),
        Some((_, Place::Root)) => json_reply(200, &json!({})),
        Some((name, _)) if !region.ecr.repositories.contains_key(&name) => {
            error(404, "NAME_UNKNOWN", &missing(region, &name).message)
        }
        Some((name, place)) => dispatch(region, request, &name, place),
    };
    response.headers.push(("docker-distribution-api-version", "registry/2.0".to_owned()));
    response
}

fn dispatch(region: &mut Region, request: &Request, name: &str, place: Place) -> Response {
    let unsupported = || error(405, "UNSUPPORTED", "The operation is unsupported.");
    match (place, request.method.as_str()) {
        (Place::Blob(digest), "GET" | "HEAD") => get_blob(region, name, &digest),
        (Place::Uploads, "POST") => start(region, request, name),
        (Place::Upload(id), "GET") => progress(region, name, &id),
        (Place::Upload(id), "PATCH") => chunk(region, request, name, &id),
        (Place::Upload(id), "PUT") => finish(region, request, name, &id),
        (Place::Upload(id), "DELETE") => cancel(region, name, &id),
        (Place::Manifest(reference), "GET" | "HEAD") => get_manifest(region, name, &reference),
        (Place::Manifest(reference), "PUT") => put_manifest(region, request, name, &reference),
        (Place::Manifest(reference), "DELETE") => delete_manifest(region, name, &reference),
        (Place::Tags, "GET") => tags(region, request, name),
        (Place::Referrers, _) => error(404, "NOT_FOUND", "The referrers API is not supported."),
        _ => unsupported(),
    }
}

fn json_reply(status: u16, body: &Value) -> Response {
    let headers = vec![("content-type", "application/json".to_owned())];
    Response { status, headers, body: body.to_string().into_bytes() }
}

fn empty(status: u16, headers: Vec<(&'static str, String)>) -> Response {
    Response { status, headers, body: Vec::new() }
}

fn repository<'a>(region: &'a mut Region, name: &str) -> Option<&'a mut Repository> {
    region.ecr.repositories.get_mut(name)
}

fn get_blob(region: &mut Region, name: &str, digest: &str) -> Response {
    let Some(bytes) = repository(region, name).and_then(|repository| repository.layers.get(digest)) else {
        return error(404, "BLOB_UNKNOWN", "blob unknown to registry");
    };
    let headers = vec![
        ("content-type", "application/octet-stream".to_owned()),
        ("docker-content-digest", digest.to_owned()),
        ("accept-ranges", "bytes".to_owned()),
    ];
    Response { status: 200, headers, body: bytes.as_ref().clone() }
}

/// Where an upload goes on.
fn under_way(status: u16, name: &str, id: &str, received: usize) -> Response {
    let headers = vec![
        ("location", format!("/v2/{name}/blobs/uploads/{id}")),
        ("range", format!("0-{}", received.saturating_sub(1))),
        ("docker-upload-uuid", id.to_owned()),
    ];
    empty(status, headers)
}

fn stored(name: &str, digest: &str) -> Response {
    let headers =
        vec![("location", format!("/v2/{name}/blobs/{digest}")), ("docker-content-digest", digest.to_owned())];
    empty(201, headers)
}

/// POST: mounts a blob of another repository, or starts an upload.
fn start(region: &mut Region, request: &Request, name: &str) -> Response {
    if let (Some(digest), Some(from)) = (request.parameter("mount"), request.parameter("from"))
        && let Some(bytes) = mountable(region, &from, &digest)
        && let Some(repository) = repository(region, name)
    {
        repository.layers.insert(digest.clone(), bytes);
        return stored(name, &digest);
    }
    let id = region.uuid();
    if let Some(repository) = repository(region, name) {
        repository.uploads.insert(id.clone(), Upload::default());
    }
    under_way(202, name, &id, 0)
}

/// A blob that may be mounted: one that a manifest of its repository refers to.
fn mountable(region: &Region, from: &str, digest: &str) -> Option<Arc<Vec<u8>>> {
    let enabled = region.ecr.settings.get("BLOB_MOUNTING").is_some_and(|setting| setting == "ENABLED");
    if region.settings.registry.refuses_mounts && !enabled {
        return None;
    }
    let repository = region.ecr.repositories.get(from)?;
    let refers = repository.images.values().any(|image| {
        let parsed: Value = serde_json::from_str(&image.manifest).unwrap_or(Value::Null);
        manifest::layers(&parsed).chain(manifest::configuration(&parsed)).any(|part| part == digest)
    });
    repository.layers.get(digest).filter(|_| refers).cloned()
}

fn no_upload() -> Response {
    error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
}

fn progress(region: &mut Region, name: &str, id: &str) -> Response {
    match repository(region, name).and_then(|repository| repository.uploads.get(id)) {
        Some(upload) => under_way(204, name, id, upload.bytes.len()),
        None => no_upload(),
    }
}

fn cancel(region: &mut Region, name: &str, id: &str) -> Response {
    match repository(region, name).and_then(|repository| repository.uploads.remove(id)) {
        Some(_) => empty(204, Vec::new()),
        None => no_upload(),
    }
}

/// PATCH: one of several chunks. ECR's answer is 201 instead of 202, and what follows the first chunk is lost.
fn chunk(region: &mut Region, request: &Request, name: &str, id: &str) -> Response {
    let broken = region.settings.registry.breaks_chunks;
    let Some(upload) = repository(region, name).and_then(|repository| repository.uploads.get_mut(id)) else {
        return no_upload();
    };
    let starts = request.content_range.as_deref().and_then(|range| range.split_once('-')?.0.parse::<usize>().ok());
    if starts.is_some_and(|start| start != upload.bytes.len()) {
        let received = upload.bytes.len();
        return under_way(416, name, id, received);
    }
    upload.parts += 1;
    if !broken || upload.parts == 1 {
        let mut bytes = upload.bytes.as_ref().clone();
        bytes.extend(&request.body);
        upload.bytes = Arc::new(bytes);
    }
    under_way(if broken { 201 } else { 202 }, name, id, upload.bytes.len())
}

/// PUT: the end of an upload, with the digest and perhaps with all the bytes.
fn finish(region: &mut Region, request: &Request, name: &str, id: &str) -> Response {
    let Some(repository) = repository(region, name) else { return no_upload() };
    let Some(upload) = repository.uploads.get(id) else { return no_upload() };
    let mut bytes = upload.bytes.as_ref().clone();
    bytes.extend(&request.body);
    let digest = layer::digest(&bytes);
    if request.parameter("digest").as_deref() != Some(digest.as_str()) {
        return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    repository.uploads.remove(id);
    repository.layers.insert(digest.clone(), Arc::new(bytes));
    stored(name, &digest)
}

fn get_manifest(region: &mut Region, name: &str, reference: &str) -> Response {
    let now = region.timestamp();
    let found = repository(region, name).and_then(|repository| {
        let digest = find(repository, reference)?.0.clone();
        let image = repository.images.get_mut(&digest)?;
        image.pulled = Some(now);
        Some((digest, image.media_type.clone(), image.manifest.clone()))
    });
    let Some((digest, media_type, manifest)) = found else {
        return error(404, "MANIFEST_UNKNOWN", "Requested image not found");
    };
    let headers = vec![("content-type", media_type), ("docker-content-digest", digest)];
    Response { status: 200, headers, body: manifest.into_bytes() }
}

fn put_manifest(region: &mut Region, request: &Request, name: &str, reference: &str) -> Response {
    let Ok(manifest) = std::str::from_utf8(&request.body) else {
        return error(400, "MANIFEST_INVALID", "manifest invalid");
    };
    if manifest.len() > MANIFEST {
        return error(413, "SIZE_INVALID", "The manifest is larger than 4 MiB.");
    }
    let (digest, tag) = if reference.contains(':') { (Some(reference), None) } else { (None, Some(reference)) };
    let pushed = Pushed { manifest, media_type: request.content_type.as_deref(), tag, digest };
    let strict = region.settings.registry.refuses_same_tag;
    let done = match store(region, name, &pushed) {
        Err(refusal) => return refused(&refusal),
        Ok(Stored::New(digest)) => digest,
        Ok(Stored::Same(digest)) => {
            let body = region.ecr.repositories.get(name).map(|repository| &repository.body);
            let immutable = |tag: &&str| body.is_some_and(|body| super::mutability::immutable(body, tag));
            if let Some(tag) = tag.filter(|tag| strict && immutable(tag)) {
                return refused(&super::image::tag_exists(name, tag));
            }
            digest
        }
    };
    let mut headers = vec![("location", format!("/v2/{name}/manifests/{done}")), ("docker-content-digest", done)];
    let parsed: Value = serde_json::from_str(manifest).unwrap_or(Value::Null);
    headers.extend(manifest::subject(&parsed).map(|_| ("content-type", "application/json".to_owned())));
    empty(201, headers)
}

/// A refusal of the JSON API in the registry's words.
fn refused(refusal: &Refusal) -> Response {
    let (status, code) = match refusal.code.as_str() {
        "ImageTagAlreadyExistsException" => (400, "TAG_INVALID"),
        "LayersNotFoundException" => (404, "BLOB_UNKNOWN"),
        "ReferencedImagesNotFoundException" => (404, "MANIFEST_UNKNOWN"),
        "ImageDigestDoesNotMatchException" => (400, "DIGEST_INVALID"),
        "RepositoryNotFoundException" => (404, "NAME_UNKNOWN"),
        _ => (400, "MANIFEST_INVALID"),
    };
    error(status, code, &refusal.message)
}

fn delete_manifest(region: &mut Region, name: &str, reference: &str) -> Response {
    let deleted = repository(region, name).and_then(|repository| {
        let digest = find(repository, reference)?.0.clone();
        let image = repository.images.get_mut(&digest)?;
        image.tags.retain(|tag| tag != reference);
        if reference.contains(':') || image.tags.is_empty() {
            repository.images.remove(&digest);
        }
        Some(())
    });
    match deleted {
        Some(()) => empty(202, Vec::new()),
        None => error(404, "MANIFEST_UNKNOWN", "Requested image not found"),
    }
}

/// GET tags/list: all, or pages of `n` after `last`.
fn tags(region: &mut Region, request: &Request, name: &str) -> Response {
    let Some(repository) = repository(region, name) else { return no_upload() };
    let mut tags: Vec<&String> = repository.images.values().flat_map(|image| &image.tags).collect();
    tags.sort();
    let last = request.parameter("last").unwrap_or_default();
    tags.retain(|tag| tag.as_str() > last.as_str());
    let size = request.parameter("n").and_then(|n| n.parse().ok()).unwrap_or(1000);
    let more = tags.len() > size;
    tags.truncate(size);
    let mut response = json_reply(200, &json!({"name": name, "tags": tags}));
    if let Some(last) = tags.last().filter(|_| more) {
        response.headers.push(("link", format!("</v2/{name}/tags/list?last={last}&n={size}>; rel=\"next\"")));
    }
    response
}
