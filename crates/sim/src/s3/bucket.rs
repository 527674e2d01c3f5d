//! Buckets: made, looked at, deleted when empty.

use super::{OWNED, of_status};
use crate::clock;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::s3::Bucket;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The region in which nobody has to say where a bucket is to be.
const FIRST: &str = "us-east-1";

/// The bucket a request names.
pub(super) fn named<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Bucket, Refusal> {
    let name = input.text("Bucket").unwrap_or_default();
    region.s3.buckets.get_mut(name).ok_or_else(|| missing(name))
}

/// NoSuchBucket.
pub(super) fn missing(name: &str) -> Refusal {
    of_status(404, "NoSuchBucket", "The specified bucket does not exist").with(json!({"BucketName": name}))
}

/// CreateBucket. In the first region of all, making one's own again is no fault.
pub(super) fn create(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("Bucket").unwrap_or_default();
    if !is_name(name) {
        return Err(
            of_status(400, "InvalidBucketName", "The specified bucket is not valid.").with(json!({"BucketName": name}))
        );
    }
    let said = input.text("LocationConstraint").unwrap_or(FIRST);
    if said != region.name || (said == FIRST && input.text("LocationConstraint").is_some()) {
        let message = "The unspecified location constraint is incompatible for the region specific endpoint this request was \
                       sent to.";
        return Err(of_status(400, "IllegalLocationConstraintException", message));
    }
    if region.s3.buckets.contains_key(name) && region.name != FIRST {
        return Err(of_status(409, "BucketAlreadyOwnedByYou", OWNED));
    }
    let created = region.now;
    region.s3.buckets.entry(name.to_owned()).or_insert(Bucket { created, objects: BTreeMap::new() });
    Ok(json!({"Location": format!("/{name}")}))
}

/// Bucket names: 3 to 63 of lower case letters, digits, dots and hyphens, no IP address (S3 user guide, "Bucket naming rules").
fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    let end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(end)
        && name.ends_with(end)
        && !name.contains("..")
        && name.parse::<Ipv4Addr>().is_err()
}

/// HeadBucket.
pub(super) fn head(region: &mut Region, input: &Value) -> Answer {
    named(region, input)?;
    Ok(json!({"BucketRegion": region.name}))
}

/// DeleteBucket.
pub(super) fn delete(region: &mut Region, input: &Value) -> Answer {
    if !named(region, input)?.objects.is_empty() {
        return Err(of_status(409, "BucketNotEmpty", "The bucket you tried to delete is not empty"));
    }
    region.s3.buckets.remove(input.text("Bucket").unwrap_or_default());
    Ok(json!({"Status": 204}))
}

/// GetBucketLocation: nothing for the first region.
pub(super) fn location(region: &mut Region, input: &Value) -> Answer {
    named(region, input)?;
    let said = if region.name == FIRST { "" } else { &region.name };
    Ok(json!({"Document": {"LocationConstraint": said}}))
}

/// ListBuckets: those of this region.
pub(super) fn list(region: &Region) -> Value {
    let buckets =
        region.s3.buckets.iter().map(
            |(name, bucket)| json!({"Name": name, "CreationDate": clock::iso(region.settings.epoch, bucket.created)}),
        );
    let owner = json!({"ID": region.account});
    json!({"Document": {"ListAllMyBucketsResult": {"Buckets": {"Bucket": buckets.collect::<Vec<_>>()}, "Owner": owner}}})
}
