//! Amazon S3: buckets, and objects that are put whole.
//!
//! Names of buckets are one namespace over all accounts and regions. Uploads in parts, copies, versions, policies, lifecycles,
//! encryption and whatever else a bucket can be configured with are answered with NotImplemented; nobody but its own account
//! may use a bucket.

mod bucket;
mod list;
mod object;
mod range;

use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};

pub(crate) use object::read;

/// Answers one S3 operation, in the region where its bucket is.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "ListBuckets" => Ok(bucket::list(region)),
        "CreateBucket" => bucket::create(region, input),
        "HeadBucket" => bucket::head(region, input),
        "DeleteBucket" => bucket::delete(region, input),
        "GetBucketLocation" => bucket::location(region, input),
        "ListObjectsV2" => list::objects(region, input),
        "PutObject" => object::put(region, input),
        "GetObject" => object::get(region, input),
        "HeadObject" => object::head(region, input),
        "DeleteObject" => object::delete(region, input),
        _ => Err(not_implemented()),
    }
}

/// Whether a request may go on in its caller's own account and region: somebody else's bucket is refused, as is one of another
/// region, which a client is told where to find.
pub(crate) fn home<'a>(
    mut regions: impl Iterator<Item = &'a Region>,
    (account, name): (&str, &str),
    operation: &str,
    input: &Value,
) -> Result<(), Refusal> {
    let bucket = input.text("Bucket").unwrap_or_default();
    let Some(owner) = regions.find(|region| region.s3.buckets.contains_key(bucket)) else { return Ok(()) };
    match operation {
        "CreateBucket" if owner.account != account => Err(of_status(409, "BucketAlreadyExists", TAKEN)),
        "CreateBucket" if owner.name != name => Err(of_status(409, "BucketAlreadyOwnedByYou", OWNED)),
        _ if owner.account != account => Err(of_status(403, "AccessDenied", "Access Denied")),
        _ if owner.name != name => {
            let message = "The bucket you are attempting to access must be addressed using the specified endpoint. Please \
                           send all future requests to this endpoint.";
            Err(of_status(301, "PermanentRedirect", message)
                .with(json!({"BucketRegion": owner.name, "Bucket": bucket})))
        }
        _ => Ok(()),
    }
}

const TAKEN: &str = "The requested bucket name is not available. The bucket namespace is shared by all users of the system. \
                     Please select a different name and try again.";
const OWNED: &str = "Your previous request to create the named bucket succeeded and you already own it.";

/// A refusal with an HTTP status of its own, as all of S3's are.
fn of_status(status: u16, code: &str, message: &str) -> Refusal {
    Refusal { status, ..Refusal::new(code, message) }
}

/// The answer to what is not simulated.
fn not_implemented() -> Refusal {
    let message = "A header you provided implies functionality that is not implemented";
    of_status(501, "NotImplemented", message)
}
