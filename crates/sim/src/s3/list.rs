//! ListObjectsV2: keys in order, in pages, folded at a delimiter.

use super::bucket::named;
use super::of_status;
use crate::clock;
use crate::input::Members;
use crate::refusal::Answer;
use crate::state::Region;
use crate::state::s3::Object;
use aws_smithy_types::base64;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// The most entries a page has.
const PAGE: usize = 1000;

/// ListObjectsV2.
pub(super) fn objects(region: &mut Region, input: &Value) -> Answer {
    let epoch = region.settings.epoch;
    let bucket = named(region, input)?;
    let (prefix, delimiter) = (input.text("Prefix").unwrap_or_default(), input.text("Delimiter").unwrap_or_default());
    let size = match input.text("MaxKeys").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(size)) => size.min(PAGE),
        Some(Err(_)) => {
            return Err(of_status(400, "InvalidArgument", "Provided max-keys not an integer or within range"));
        }
    };
    let token = input.text("ContinuationToken");
    let after = match token.map(|token| base64::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok())) {
        Some(None) => return Err(of_status(400, "InvalidArgument", "The continuation token provided is incorrect")),
        Some(Some(after)) => after,
        None => input.text("StartAfter").unwrap_or_default().to_owned(),
    };
    // Keys that go on after the delimiter become one entry together.
    let mut entries: BTreeMap<String, Option<&Object>> = BTreeMap::new();
    for (key, object) in bucket.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
        let rest = key.get(prefix.len()..).unwrap_or_default();
        match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(end) => entries.insert(format!("{prefix}{}{delimiter}", rest.get(..end).unwrap_or_default()), None),
            None => entries.insert(key.clone(), Some(object)),
        };
    }
    entries.retain(|key, _| key.as_str() > after.as_str());
    let truncated = entries.len() > size;
    let page: Vec<(String, Option<&Object>)> = entries.into_iter().take(size).collect();
    let next = page.last().filter(|_| truncated).map(|(key, _)| base64::encode(key));
    let contents = page.iter().filter_map(|(key, object)| Some(shown(epoch, key, (*object)?)));
    let folded = page.iter().filter(|(_, object)| object.is_none()).map(|(key, _)| json!({"Prefix": key}));
    let result = json!({
        "Name": input.text("Bucket"),
        "Prefix": prefix,
        "Delimiter": (!delimiter.is_empty()).then_some(delimiter),
        "MaxKeys": size,
        "KeyCount": page.len(),
        "IsTruncated": truncated,
        "ContinuationToken": token,
        "NextContinuationToken": next,
        "StartAfter": input.text("StartAfter"),
        "Contents": contents.collect::<Vec<_>>(),
        "CommonPrefixes": folded.collect::<Vec<_>>(),
    });
    Ok(json!({"Document": {"ListBucketResult": result}}))
}

fn shown(epoch: SystemTime, key: &str, object: &Object) -> Value {
    json!({
        "Key": key,
        "LastModified": clock::iso(epoch, object.modified),
        "ETag": format!("\"{}\"", object.etag),
        "Size": object.bytes.len(),
        "StorageClass": "STANDARD",
    })
}
