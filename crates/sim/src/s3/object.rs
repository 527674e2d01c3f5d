//! Objects: put whole, read whole or in part, on conditions of their ETags.

use super::bucket::named;
use super::range::{self, Asked};
use super::{not_implemented, of_status};
use crate::clock;
use crate::input::Members;
use crate::md5::md5;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::s3::Object;
use aws_smithy_types::base64;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest key, in bytes.
const KEY: usize = 1024;

/// PutObject.
pub(super) fn put(region: &mut Region, input: &Value) -> Answer {
    if input.member("CopySource").is_some() {
        return Err(not_implemented());
    }
    let key = input.text("Key").unwrap_or_default().to_owned();
    if key.len() > KEY {
        return Err(of_status(400, "KeyTooLongError", "Your key is too long"));
    }
    let bytes = base64::decode(input.text("Body").unwrap_or_default()).unwrap_or_default();
    let modified = region.now;
    let bucket = named(region, input)?;
    let known = bucket.objects.get(&key);
    let fits = match (input.text("IfNoneMatch"), input.text("IfMatch"), known) {
        (Some("*"), _, Some(_)) => false,
        (_, Some(_), None) => return Err(missing(&key)),
        (_, Some(etag), Some(known)) => etag.trim_matches('"') == known.etag,
        (Some(_) | None, None, _) => true,
    };
    if !fits {
        return Err(precondition());
    }
    let etag = md5(&bytes);
    let content_type = input.text("ContentType").unwrap_or("binary/octet-stream").to_owned();
    let metadata = input.member("Metadata").and_then(Value::as_object).into_iter().flatten();
    let metadata: BTreeMap<String, String> =
        metadata.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
    let object = Object { bytes: Arc::new(bytes), etag: etag.clone(), modified, content_type, metadata };
    bucket.objects.insert(key, object);
    Ok(json!({"ETag": format!("\"{etag}\"")}))
}

fn missing(key: &str) -> Refusal {
    of_status(404, "NoSuchKey", "The specified key does not exist.").with(json!({"Key": key}))
}

fn precondition() -> Refusal {
    of_status(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
}

/// The object a request names, if what the request says of its ETag holds.
fn wanted(region: &mut Region, input: &Value) -> Result<Object, Refusal> {
    let key = input.text("Key").unwrap_or_default();
    let object = named(region, input)?.objects.get(key).cloned().ok_or_else(|| missing(key))?;
    let is = |etag: &str| etag == "*" || etag.trim_matches('"') == object.etag;
    if input.text("IfMatch").is_some_and(|etag| !is(etag)) {
        return Err(precondition());
    }
    if input.text("IfNoneMatch").is_some_and(is) {
        return Err(of_status(304, "NotModified", "Not Modified"));
    }
    Ok(object)
}

/// HeadObject: what GetObject says, without the bytes.
pub(super) fn head(region: &mut Region, input: &Value) -> Answer {
    let object = wanted(region, input)?;
    Ok(described(region, &object, object.bytes.len()))
}

/// GetObject, whole or the bytes of one range.
pub(super) fn get(region: &mut Region, input: &Value) -> Answer {
    let object = wanted(region, input)?;
    let size = object.bytes.len();
    let (from, to) = match input.text("Range").map_or(Asked::Whole, |range| range::asked(range, size)) {
        Asked::Part(from, to) => (from, to),
        Asked::Whole => {
            let mut answer = described(region, &object, size);
            answer.put("Body", json!(base64::encode(object.bytes.as_slice())));
            return Ok(answer);
        }
        Asked::Nothing => {
            let refusal = of_status(416, "InvalidRange", "The requested range is not satisfiable");
            return Err(refusal.with(json!({"ActualObjectSize": size.to_string()})));
        }
    };
    let part = object.bytes.get(from..=to).unwrap_or_default();
    let mut answer = described(region, &object, part.len());
    answer.put("Body", json!(base64::encode(part)));
    answer.put("ContentRange", json!(format!("bytes {from}-{to}/{size}")));
    answer.put("Status", json!(206));
    Ok(answer)
}

fn described(region: &Region, object: &Object, length: usize) -> Value {
    json!({
        "ETag": format!("\"{}\"", object.etag),
        "LastModified": clock::http(region.settings.epoch, object.modified),
        "ContentType": object.content_type,
        "ContentLength": length,
        "Metadata": object.metadata,
    })
}

/// DeleteObject: what is not there is gone, too.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    named(region, input)?.objects.remove(input.text("Key").unwrap_or_default());
    Ok(json!({"Status": 204}))
}

/// The bytes of an object, for another service of the same account and region.
pub(crate) fn read(region: &Region, bucket: &str, key: &str) -> Option<Arc<Vec<u8>>> {
    region.s3.buckets.get(bucket)?.objects.get(key).map(|object| Arc::clone(&object.bytes))
}
