//! REST with XML, as S3 speaks it: the operation follows from method, path and query; members stand in headers; a body is an
//! object's bytes.
//!
//! Bodies travel inside as base64 under `Body`. An answer says its headers by the members of [`HEADERS`], its status by `Status`,
//! and a document by `Document`, in which a list becomes elements of the same name.

use super::xml::{escape, write};
use super::{Protocol, Reply, Spoken};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use aws_smithy_types::base64;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const SPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// The name of the service.
pub(crate) const SERVICE: &str = "s3";

/// What there is of a request beside its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rest {
    pub(crate) method: String,
    pub(crate) host: String,
    /// As it was sent: with percent signs.
    pub(crate) path: String,
    pub(crate) query: String,
    /// By name, in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

/// The members of a request that are headers, and those that are headers of an answer.
const HEADERS: [(&str, &str); 14] = [
    ("range", "Range"),
    ("if-match", "IfMatch"),
    ("if-none-match", "IfNoneMatch"),
    ("content-type", "ContentType"),
    ("x-amz-copy-source", "CopySource"),
    ("etag", "ETag"),
    ("last-modified", "LastModified"),
    ("content-length", "ContentLength"),
    ("content-range", "ContentRange"),
    ("accept-ranges", "AcceptRanges"),
    ("x-amz-bucket-region", "BucketRegion"),
    ("location", "Location"),
    ("x-amz-expected-bucket-owner", "ExpectedBucketOwner"),
    ("x-amz-version-id", "VersionId"),
];

/// The members of a request that are parameters of its query.
const PARAMETERS: [(&str, &str); 6] = [
    ("prefix", "Prefix"),
    ("delimiter", "Delimiter"),
    ("max-keys", "MaxKeys"),
    ("continuation-token", "ContinuationToken"),
    ("start-after", "StartAfter"),
    ("encoding-type", "EncodingType"),
];

/// What stands before the name of what a caller wants kept with an object.
const METADATA: &str = "x-amz-meta-";

/// Whether a request with this Authorization header is S3's.
pub(crate) fn is_meant(authorization: Option<&str>) -> bool {
    authorization.is_some_and(|text| text.contains("/s3/aws4_request"))
}

impl Rest {
    /// Bucket and key: the bucket stands in the host's name, or begins the path.
    fn place(&self) -> (String, String) {
        let path: String = decoded(self.path.trim_start_matches('/'));
        let virtual_host = self.host.split_once(".s3.").or_else(|| self.host.split_once(".s3-"));
        match virtual_host {
            Some((bucket, _)) => (bucket.to_owned(), path),
            None => match path.split_once('/') {
                Some((bucket, key)) => (bucket.to_owned(), key.to_owned()),
                None => (path, String::new()),
            },
        }
    }

    fn parameters(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }
}

/// A path without its percent signs. A plus is a plus in a path.
fn decoded(path: &str) -> String {
    let form = format!("k={}", path.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

pub(super) fn understand(rest: &Rest, body: &[u8]) -> Spoken {
    let (bucket, key) = rest.place();
    let parameters = rest.parameters();
    let operation = operation(&rest.method, (&bucket, &key), &parameters);
    let mut input = Map::new();
    let named = [("Bucket", bucket), ("Key", key)];
    input.extend(
        named.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), json!(text))),
    );
    let members = HEADERS.iter().filter_map(|(header, member)| Some((member, rest.headers.get(*header)?)));
    let members = members.chain(PARAMETERS.iter().filter_map(|(name, member)| Some((member, parameters.get(*name)?))));
    input.extend(members.map(|(member, text)| ((*member).to_owned(), json!(text))));
    let metadata: Map<String, Value> = rest
        .headers
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix(METADATA)?.to_owned(), json!(text))))
        .collect();
    let body = content(rest, body);
    match operation {
        "PutObject" => {
            input.insert("Metadata".to_owned(), metadata.into());
            input.insert("Body".to_owned(), json!(base64::encode(body.as_deref().unwrap_or_default())));
        }
        "CreateBucket" => {
            let text = String::from_utf8_lossy(body.as_deref().unwrap_or_default()).into_owned();
            let said = text.split_once("<LocationConstraint>").and_then(|(_, rest)| rest.split_once("</"));
            input.extend(said.map(|(region, _)| ("LocationConstraint".to_owned(), json!(region.trim()))));
        }
        _ => {}
    }
    let broken = || Refusal::new("IncompleteBody", "The request body terminated unexpectedly");
    let input = if body.is_some() { Ok(input.into()) } else { Err(broken()) };
    Spoken { protocol: Protocol::Rest, service: SERVICE.to_owned(), operation: operation.to_owned(), input }
}

fn operation(method: &str, (bucket, key): (&str, &str), parameters: &BTreeMap<String, String>) -> &'static str {
    let asks = |name: &str| parameters.contains_key(name);
    // `x-id` names the operation once more; whatever else is no parameter of ours configures something.
    let known = |name: &str| {
        PARAMETERS.iter().any(|(parameter, _)| *parameter == name) || ["x-id", "list-type"].contains(&name)
    };
    let plain = parameters.keys().all(|name| known(name));
    match (method, bucket.is_empty(), key.is_empty()) {
        ("GET", true, _) => "ListBuckets",
        ("GET", false, true) if asks("location") => "GetBucketLocation",
        ("GET", false, true) if parameters.get("list-type").is_some_and(|kind| kind == "2") => "ListObjectsV2",
        ("PUT", false, true) if plain => "CreateBucket",
        ("HEAD", false, true) => "HeadBucket",
        ("DELETE", false, true) if plain => "DeleteBucket",
        ("PUT", false, false) if plain => "PutObject",
        ("GET", false, false) if plain => "GetObject",
        ("HEAD", false, false) => "HeadObject",
        ("DELETE", false, false) if plain => "DeleteObject",
        _ => "NotSimulated",
    }
}

/// The bytes a body stands for: as they are, or in chunks that end with a checksum (S3 API reference, "Signature calculations:
/// transferring a payload in multiple chunks"). None where the last chunk is missing.
fn content(rest: &Rest, body: &[u8]) -> Option<Vec<u8>> {
    let chunked = rest.headers.get("x-amz-content-sha256").is_some_and(|said| said.starts_with("STREAMING-"));
    if !chunked {
        return Some(body.to_vec());
    }
    let (mut bytes, mut rest) = (Vec::new(), body);
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let head = std::str::from_utf8(rest.get(..end)?).ok()?;
        let size = usize::from_str_radix(head.split(';').next()?, 16).ok()?;
        if size == 0 {
            return Some(bytes);
        }
        let from = end + 2;
        bytes.extend(rest.get(from..from.checked_add(size)?)?);
        rest = rest.get(from + size + 2..)?;
    }
}

pub(super) fn reply(spoken: &Spoken, answer: Answer, request_id: &str) -> Reply {
    let bodiless = spoken.operation.starts_with("Head");
    match answer {
        Ok(value) => success(&value, bodiless),
        Err(refusal) => {
            let silent = bodiless || refusal.status == 304;
            let body = if silent { Vec::new() } else { error(&refusal, request_id).into_bytes() };
            let headers = headers(&refusal.detail);
            Reply { status: refusal.status, content_type: "application/xml", error: Some(refusal.code), headers, body }
        }
    }
}

fn success(value: &Value, bodiless: bool) -> Reply {
    let mut headers = headers(value);
    let status = value.whole("Status").and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    let metadata = value.member("Metadata").and_then(Value::as_object).into_iter().flatten();
    headers.extend(metadata.filter_map(|(name, text)| Some((format!("{METADATA}{name}"), text.as_str()?.to_owned()))));
    let body = match (value.member("Document"), value.text("Body")) {
        (Some(document), _) => document_of(document).into_bytes(),
        (None, Some(body)) if !bodiless => base64::decode(body).unwrap_or_default(),
        (None, _) => Vec::new(),
    };
    // What an object is said to be stands among its headers.
    let content_type = if value.member("Document").is_some() { "application/xml" } else { "" };
    Reply { status, content_type, error: None, headers, body }
}

fn headers(value: &Value) -> Vec<(String, String)> {
    let text = |member: &Value| member.as_str().map_or_else(|| member.to_string(), str::to_owned);
    let said = HEADERS.iter().filter_map(|(header, name)| Some(((*header).to_owned(), text(value.member(name)?))));
    said.collect()
}

fn document_of(document: &Value) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    for (root, members) in document.as_object().into_iter().flatten() {
        out.extend(["<", root, " xmlns=\"", SPACE, "\">"]);
        match members {
            Value::Object(members) => members.iter().for_each(|(name, member)| flat(&mut out, name, member)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                write(&mut out, members, "");
            }
        }
        out.extend(["</", root, ">"]);
    }
    out
}

/// An element; a list is one element after the other.
fn flat(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter().for_each(|item| flat(out, name, item)),
        Value::Object(members) => {
            out.extend(["<", name, ">"]);
            members.iter().for_each(|(name, member)| flat(out, name, member));
            out.extend(["</", name, ">"]);
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.extend(["<", name, ">"]);
            write(out, value, "");
            out.extend(["</", name, ">"]);
        }
    }
}

fn error(refusal: &Refusal, request_id: &str) -> String {
    let (code, message) = (escape(&refusal.code), escape(&refusal.message));
    let mut out =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>");
    for (name, member) in refusal.detail.as_object().into_iter().flatten() {
        flat(&mut out, name, member);
    }
    out.extend(["<RequestId>", request_id, "</RequestId><HostId>simulated</HostId></Error>"]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(method: &str, host: &str, path: &str, query: &str) -> Rest {
        let [method, host, path, query] = [method, host, path, query].map(str::to_owned);
        Rest { method, host, path, query, headers: BTreeMap::new() }
    }

    #[test]
    fn a_bucket_stands_in_the_host_or_in_the_path() {
        let place = |host: &str, path: &str| rest("GET", host, path, "").place();
        let both = |bucket: &str, key: &str| (bucket.to_owned(), key.to_owned());
        assert_eq!(place("code.s3.eu-west-1.amazonaws.com", "/a/b%20c.zip"), both("code", "a/b c.zip"));
        assert_eq!(place("my.code.s3.amazonaws.com", "/x+y"), both("my.code", "x+y"));
        assert_eq!(place("s3.us-east-1.amazonaws.com", "/code/a&b.zip"), both("code", "a&b.zip"));
        assert_eq!(place("127.0.0.1:4566", "/code"), both("code", ""));
    }

    #[test]
    fn operations_follow_from_method_path_and_query() {
        let spoken =
            |method: &str, path: &str, query: &str| understand(&rest(method, "aws", path, query), b"").operation;
        for (method, path, query, operation) in [
            ("GET", "/", "", "ListBuckets"),
            ("PUT", "/b", "", "CreateBucket"),
            ("PUT", "/b", "lifecycle", "NotSimulated"),
            ("GET", "/b", "list-type=2&prefix=a", "ListObjectsV2"),
            ("GET", "/b", "location", "GetBucketLocation"),
            ("PUT", "/b/k", "x-id=PutObject", "PutObject"),
            ("PUT", "/b/k", "partNumber=1&uploadId=2", "NotSimulated"),
            ("HEAD", "/b/k", "", "HeadObject"),
            ("DELETE", "/b/k", "", "DeleteObject"),
        ] {
            assert_eq!(spoken(method, path, query), operation, "{method} {path}?{query}");
        }
    }

    #[test]
    fn a_body_in_chunks_is_put_together_and_one_that_breaks_off_is_refused() {
        let streaming = ("x-amz-content-sha256".to_owned(), "STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned());
        let rest = Rest { headers: [streaming].into(), ..rest("PUT", "aws", "/b/k", "") };
        let whole = b"3\r\nabc\r\n2;chunk-signature=0\r\nde\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        assert_eq!(content(&rest, whole).as_deref(), Some(b"abcde".as_slice()));
        assert_eq!(content(&rest, b"3\r\nabc\r\n"), None);
        assert_eq!(content(&rest, b"3\r\nab"), None);
        assert!(understand(&rest, b"3\r\nab").input.is_err());
    }
}
